// Doubles, rounding, and the long double's own arithmetic (printed with no more digits than gcc's has on x86-64).
#include <fenv.h>
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

int main(void) {
    volatile double x = 2.7, y = -3.5, tiny = 1e-310;
    volatile float f = 1.1f;
    volatile long double l = 1.25L;
    printf("%.17g %.17g %.17g %.17g\n", ceil(x), floor(y), round(y), trunc(y));
    printf("%.17g %.17g %.17g %.17g\n", rint(x + .3), nearbyint(y), fmod(x, y), remainder(x, y));
    printf("%.17g %.17g %.17g\n", sqrt(x), fma(x, y, 1e-20), hypot(x, y));
    printf("%.14g %.14g %.14g %.14g\n", sin(x), cos(x), tan(x), atan2(x, y));
    printf("%.14g %.14g %.14g %.14g\n", exp(x), log(x), pow(x, y), cbrt(x));
    printf("%.14g %.14g %.14g\n", tgamma(x), erf(x), log1p(tiny));
    printf("%.9g %.9g %.9g\n", (double)sinf(f), (double)powf(f, 3), (double)sqrtf(f));
    printf("%ld %lld %d\n", lround(y), llrint(x), ilogb(x));
    int e;
    double m = frexp(x, &e);
    printf("%.17g %d %.17g\n", m, e, ldexp(m, 10));
    printf("%.15Lg %.15Lg %.15Lg\n", l * l / 3, sqrtl(l), floorl(-l));
    printf("%.12Lg %.12Lg %.12Lg\n", sinl(l), expl(l), powl(l, 2.5L));
    printf("%d %d %d\n", (int)(l * 4), l > 1, (int)(unsigned)(l * 1e9L));
    printf("%.17g %.17g\n", strtod("0x1.8p-3", 0), strtod("1e-320", 0));
    printf("%.10Lg %ld %lu\n", strtold("1.5e100", 0), strtol("-0x7f", 0, 0), strtoul("777", 0, 8));
    printf("%d %d %d %d\n", !!isnan(NAN), !!isinf(-INFINITY), !!signbit(-0.0), fpclassify(tiny) == FP_SUBNORMAL);
    printf("%a %A\n", x, y);
    for (int mode = 0; mode < 4; mode++) {
        static const int modes[] = {FE_TONEAREST, FE_DOWNWARD, FE_UPWARD, FE_TOWARDZERO};
        fesetround(modes[mode]);
        volatile double third = 1.0, q = third / 3, half = -2.5;
        printf("%d %.20f %.1f\n", fegetround() == modes[mode], q, rint(half));
    }
    fesetround(FE_TONEAREST);
    feclearexcept(FE_ALL_EXCEPT);
    volatile double zero = 0, one = 1, r = one / zero;
    (void)r;
    printf("%d %d\n", !!fetestexcept(FE_DIVBYZERO), !!fetestexcept(FE_INVALID));
    printf("%d %d %lu\n", (int)x, (int)y, (unsigned long)1e19);
    return 0;
}
