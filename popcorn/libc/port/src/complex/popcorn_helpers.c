/* Multiplication and division of complex numbers, which compilers call by these names (C11, annex G). libgcc's follow
 * the calling convention of one ISA; these are portable code like their callers. */
#include <complex.h>
#include <math.h>

#define BOX(x) copysign(isinf(x) ? 1 : 0, x)
#define DEFINE(T, suffix, logb_, scalbn_)                                                                              \
    static inline T zero_if_nan_##suffix(T x) {                                                                        \
        return isnan(x) ? (T)copysign(0.0, (double)x) : x;                                                             \
    }                                                                                                                  \
    T _Complex __mul##suffix(T a, T b, T c, T d) {                                                                     \
        T ac = a * c, bd = b * d, ad = a * d, bc = b * c, x = ac - bd, y = ad + bc;                                    \
        if (isnan(x) && isnan(y)) {                                                                                    \
            int again = 0;                                                                                             \
            if (isinf(a) || isinf(b)) {                                                                                \
                a = (T)BOX(a), b = (T)BOX(b), c = zero_if_nan_##suffix(c), d = zero_if_nan_##suffix(d), again = 1;     \
            }                                                                                                          \
            if (isinf(c) || isinf(d)) {                                                                                \
                c = (T)BOX(c), d = (T)BOX(d), a = zero_if_nan_##suffix(a), b = zero_if_nan_##suffix(b), again = 1;     \
            }                                                                                                          \
            if (!again && (isinf(ac) || isinf(bd) || isinf(ad) || isinf(bc))) {                                        \
                a = zero_if_nan_##suffix(a), b = zero_if_nan_##suffix(b), c = zero_if_nan_##suffix(c),                 \
                d = zero_if_nan_##suffix(d), again = 1;                                                                \
            }                                                                                                          \
            if (again) x = (T)INFINITY * (a * c - b * d), y = (T)INFINITY * (a * d + b * c);                           \
        }                                                                                                              \
        T _Complex z;                                                                                                  \
        __real__ z = x;                                                                                                \
        __imag__ z = y;                                                                                                \
        return z;                                                                                                      \
    }                                                                                                                  \
    T _Complex __div##suffix(T a, T b, T c, T d) {                                                                     \
        int scale = 0;                                                                                                 \
        T larger = logb_(fabs(c) > fabs(d) || isnan(d) ? c : d);                                                       \
        if (isfinite(larger)) scale = (int)larger, c = scalbn_(c, -scale), d = scalbn_(d, -scale);                     \
        T whole = c * c + d * d;                                                                                       \
        T x = scalbn_((a * c + b * d) / whole, -scale), y = scalbn_((b * c - a * d) / whole, -scale);                  \
        if (isnan(x) && isnan(y)) {                                                                                    \
            if (whole == 0 && (!isnan(a) || !isnan(b))) {                                                              \
                x = (T)copysign((double)INFINITY, (double)c) * a, y = (T)copysign((double)INFINITY, (double)c) * b;    \
            } else if ((isinf(a) || isinf(b)) && isfinite(c) && isfinite(d)) {                                         \
                a = (T)BOX(a), b = (T)BOX(b);                                                                          \
                x = (T)INFINITY * (a * c + b * d), y = (T)INFINITY * (b * c - a * d);                                  \
            } else if (isinf(larger) && larger > 0 && isfinite(a) && isfinite(b)) {                                    \
                c = (T)BOX(c), d = (T)BOX(d);                                                                          \
                x = 0 * (a * c + b * d), y = 0 * (b * c - a * d);                                                      \
            }                                                                                                          \
        }                                                                                                              \
        T _Complex z;                                                                                                  \
        __real__ z = x;                                                                                                \
        __imag__ z = y;                                                                                                \
        return z;                                                                                                      \
    }

DEFINE(float, sc3, logbf, scalbnf)
DEFINE(double, dc3, logb, scalbn)
DEFINE(long double, tc3, logbl, scalbnl)
