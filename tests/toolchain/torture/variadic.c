// Arguments of every kind behind `...`, on the way through va_list and va_copy.
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

struct small {
    int a, b;
};
struct pair {
    long a;
    double b;
};
struct large {
    long v[5];
};
struct odd {
    char c[3];
};

static long sum(int n, ...) {
    va_list ap, again;
    va_start(ap, n);
    va_copy(again, ap);
    long s = 0;
    for (int i = 0; i < n; i++) s += va_arg(ap, int);
    for (int i = 0; i < n; i++) s = s * 3 + va_arg(again, int);
    va_end(ap);
    va_end(again);
    return s;
}
static void mixed(const char *kinds, ...) {
    va_list ap;
    va_start(ap, kinds);
    for (; *kinds; kinds++) switch (*kinds) {
        case 'i':
            printf(" %d", va_arg(ap, int));
            break;
        case 'l':
            printf(" %ld", va_arg(ap, long));
            break;
        case 'd':
            printf(" %.3f", va_arg(ap, double));
            break;
        case 'L':
            printf(" %.6Lf", va_arg(ap, long double));
            break;
        case 'q': {
            __int128 q = va_arg(ap, __int128);
            printf(" %lx:%lx", (long)(q >> 64), (long)q);
            break;
        }
        case 's': {
            struct small s = va_arg(ap, struct small);
            printf(" {%d,%d}", s.a, s.b);
            break;
        }
        case 'p': {
            struct pair p = va_arg(ap, struct pair);
            printf(" {%ld,%.2f}", p.a, p.b);
            break;
        }
        case 'B': {
            struct large b = va_arg(ap, struct large);
            printf(" {%ld,%ld}", b.v[0], b.v[4]);
            break;
        }
        case 'o': {
            struct odd o = va_arg(ap, struct odd);
            printf(" {%d%d%d}", o.c[0], o.c[1], o.c[2]);
            break;
        }
        case 'z': {
            _Complex double z = va_arg(ap, _Complex double);
            printf(" %.1f+%.1fi", __real__ z, __imag__ z);
            break;
        }
        }
    va_end(ap);
    puts("");
}
static int text(char *to, size_t n, const char *format, ...) {
    va_list ap;
    va_start(ap, format);
    int r = vsnprintf(to, n, format, ap);
    va_end(ap);
    return r;
}
static int none(int a, ...) {
    return a + 1;
}
typedef void (*shape)(const char *, ...);

int main(void) {
    printf("%ld %ld\n", sum(0), sum(9, 1, -2, 3, -4, 5, -6, 7, -8, 9));
    mixed("iLiqilLd", 1, 2.5L, 3, (__int128)0x1234 << 64 | 0x5678, 4, 5L, 6.25L, 7.5);
    mixed("sBpoz", (struct small){1, -2}, (struct large){{1, 2, 3, 4, 5}}, (struct pair){7, 8.5},
          (struct odd){{1, 2, 3}}, 1.0 + 2.0i);
    shape volatile indirect = mixed;
    indirect("iszl", -1, (struct small){-3, 4}, 5.0 - 6.0i, -7L);
    char buffer[200];
    int n = text(buffer, sizeof buffer, "%s|%5d|%-5d|%05.1f|%Lg|%c|%x|%llu", "abc", 42, 43, 3.14159, 1e300L, 'x', 255,
                 1ull << 63);
    printf("%d %s\n", n, buffer);
    printf("%d %d %d %d %d %d %d %d %d %s\n", 1, 2, 3, 4, 5, 6, 7, 8, 9, "ten");
    printf("%d\n", none(1) + none(2, 3.0, "x"));
    int a, b;
    float f;
    char w[20];
    printf("%d", sscanf("12 -34 5.5 word", "%d %d %f %19s", &a, &b, &f, w));
    printf(" %d %d %.1f %s\n", a, b, f, w);
    return 0;
}
