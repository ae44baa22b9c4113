/* Floating-point control and status, as both ISAs have it. */
#pragma once

#include <stdint.h>

enum rounding { kNearest, kDown, kUp, kTowardZero }; /* x86-64's numbers */

#if defined(__x86_64__)
static inline void set_float_control(enum rounding rounding, int flush_to_zero) {
    uint32_t control = 0x1f80 | (uint32_t)rounding << 13 | (flush_to_zero ? 0x8040 : 0);
    uint16_t x87 = (uint16_t)(0x37f | (uint32_t)rounding << 10);
    __asm__ volatile("ldmxcsr %0; fldcw %1" ::"m"(control), "m"(x87) : "memory");
}
static inline uint32_t mxcsr(void) {
    uint32_t value;
    __asm__ volatile("stmxcsr %0" : "=m"(value)::"memory");
    return value;
}
/* Is the register that arithmetic does not use in step? */
static inline int other_control_agrees(void) {
    uint16_t x87;
    __asm__ volatile("fnstcw %0" : "=m"(x87)::"memory");
    return (x87 >> 10 & 3) == (mxcsr() >> 13 & 3) && (x87 & 0x33f) == 0x33f;
}
static inline int divided_by_zero(void) {
    return mxcsr() >> 2 & 1;
}
static inline int was_invalid(void) {
    return mxcsr() & 1;
}
#else
static inline void set_float_control(enum rounding rounding, int flush_to_zero) {
    uint64_t mode = (uint64_t)(rounding >> 1 | (rounding & 1) << 1); /* up and down have changed places */
    uint64_t control = mode << 22 | (flush_to_zero ? UINT64_C(1) << 24 : 0), status = 0;
    __asm__ volatile("msr fpcr, %0; msr fpsr, %1" ::"r"(control), "r"(status) : "memory");
}
static inline uint64_t float_status(void) {
    uint64_t value;
    __asm__ volatile("mrs %0, fpsr" : "=r"(value)::"memory");
    return value;
}
static inline int other_control_agrees(void) {
    return 1;
}
static inline int divided_by_zero(void) {
    return float_status() >> 1 & 1;
}
static inline int was_invalid(void) {
    return float_status() & 1;
}
#endif

static inline double divide(double a, double b) { /* at run time, in the current mode */
    volatile double dividend = a, divisor = b, quotient = dividend / divisor;
    return quotient;
}

static inline uint64_t bits_of(double value) {
    union {
        double value;
        uint64_t bits;
    } both = {value};
    return both.bits;
}
