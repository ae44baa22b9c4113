// The floating-point environment: mxcsr, translated to and from the portable bits. Nothing uses the x87 unit.
#include "fenv.h"

static unsigned mxcsr(void) {
    unsigned value;
    __asm__ volatile("stmxcsr %0" : "=m"(value));
    return value;
}
static void set_mxcsr(unsigned value) {
    __asm__ volatile("ldmxcsr %0" ::"m"(value));
}

// Portable: invalid 1, division 2, overflow 4, underflow 8, inexact 16. mxcsr has "denormal" as 2, and shifts the rest.
static unsigned to_native(unsigned mask) {
    return (mask & 1) | (mask & 30) << 1;
}
static unsigned to_portable(unsigned mask) {
    return (mask & 1) | (mask >> 1 & 30);
}

// Portable: nearest 0, up 1, down 2, zero 3 from bit 22. mxcsr: nearest 0, down 1, up 2, zero 3 from bit 13.
static unsigned swapped(unsigned mode) {
    return (mode & 1) << 1 | (mode >> 1 & 1);
}

int fegetround(void) {
    return (int)(swapped(mxcsr() >> 13) << 22);
}
int __fesetround(int round) {
    set_mxcsr((mxcsr() & ~0x6000u) | swapped((unsigned)round >> 22) << 13);
    return 0;
}
int fetestexcept(int mask) {
    return (int)(to_portable(mxcsr()) & (unsigned)mask & FE_ALL_EXCEPT);
}
int feclearexcept(int mask) {
    set_mxcsr(mxcsr() & ~to_native((unsigned)mask));
    return 0;
}
int feraiseexcept(int mask) {
    set_mxcsr(mxcsr() | to_native((unsigned)mask));
    return 0;
}
int fegetenv(struct fenv *environment) {
    environment->control = (unsigned)fegetround();
    environment->status = to_portable(mxcsr());
    return 0;
}
int fesetenv(const struct fenv *environment) {
    struct fenv initial = {0, 0};
    if (environment == FE_DFL_ENV) environment = &initial;
    set_mxcsr(0x1f80u | swapped(environment->control >> 22) << 13 | to_native(environment->status));
    return 0;
}
