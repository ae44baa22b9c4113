// The floating-point environment; the portable bits are this ISA's.
#include "fenv.h"

static unsigned control(void) {
    unsigned long value;
    __asm__ volatile("mrs %0, fpcr" : "=r"(value));
    return (unsigned)value;
}
static unsigned status(void) {
    unsigned long value;
    __asm__ volatile("mrs %0, fpsr" : "=r"(value));
    return (unsigned)value;
}
static void set_control(unsigned value) {
    __asm__ volatile("msr fpcr, %0" ::"r"((unsigned long)value));
}
static void set_status(unsigned value) {
    __asm__ volatile("msr fpsr, %0" ::"r"((unsigned long)value));
}

int fegetround(void) {
    return (int)(control() & FE_ROUNDING);
}
int __fesetround(int round) {
    set_control((control() & ~FE_ROUNDING) | (unsigned)round);
    return 0;
}
int fetestexcept(int mask) {
    return (int)(status() & (unsigned)mask & FE_ALL_EXCEPT);
}
int feclearexcept(int mask) {
    set_status(status() & ~((unsigned)mask & FE_ALL_EXCEPT));
    return 0;
}
int feraiseexcept(int mask) {
    set_status(status() | ((unsigned)mask & FE_ALL_EXCEPT));
    return 0;
}
int fegetenv(struct fenv *environment) {
    environment->control = control();
    environment->status = status();
    return 0;
}
int fesetenv(const struct fenv *environment) {
    struct fenv initial = {0, 0};
    if (environment == FE_DFL_ENV) environment = &initial;
    set_control(environment->control);
    set_status(environment->status);
    return 0;
}
