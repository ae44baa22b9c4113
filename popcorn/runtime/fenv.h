/* The portable floating-point environment: fpcr and fpsr of aarch64, as in the C library's <fenv.h>. */
#pragma once

#define FE_ALL_EXCEPT 31u
#define FE_ROUNDING 0xc00000u
#define FE_DFL_ENV ((const struct fenv *)-1)

struct fenv {
    unsigned control, status;
};

int fegetround(void);
int __fesetround(int);
int fetestexcept(int);
int feclearexcept(int);
int feraiseexcept(int);
int fegetenv(struct fenv *);
int fesetenv(const struct fenv *);
