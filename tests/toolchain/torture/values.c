// Structures, unions, bit-fields, wide and extended arithmetic by value.
#include <complex.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

struct tiny {
    char a;
};
struct mixed {
    float f;
    int i;
};
struct two {
    double a, b;
};
struct mid {
    long a;
    char b;
    double c;
};
struct arr {
    short v[9];
};
union any {
    long l;
    double d;
    char c[12];
};
struct bits {
    unsigned a : 3, b : 7;
    int c : 5;
    unsigned long d : 40;
    _Bool e : 1;
};
struct nest {
    struct mid m;
    union any u;
    struct tiny t[3];
};
struct __attribute__((packed)) pack {
    char a;
    int b;
    short c;
    long d;
};

static struct tiny f_tiny(struct tiny x) {
    x.a++;
    return x;
}
static struct mixed f_mixed(struct mixed x, int k) {
    x.f *= k;
    x.i -= k;
    return x;
}
static struct two f_two(struct two x, struct two y) {
    return (struct two){x.a + y.b, x.b * y.a};
}
static struct mid f_mid(struct mid x) {
    x.a *= 2;
    x.b ^= 1;
    x.c /= 3;
    return x;
}
static struct arr f_arr(struct arr x) {
    for (int i = 0; i < 9; i++) x.v[i] = (short)(x.v[i] * i);
    return x;
}
static union any f_any(union any u) {
    u.l ^= 0xff;
    return u;
}
static struct nest f_nest(struct nest n, int depth) {
    if (depth) {
        n.m.a += depth;
        return f_nest(n, depth - 1);
    }
    return n;
}
static __int128 power(__int128 b, int n) {
    __int128 r = 1;
    while (n--) r *= b;
    return r;
}
static void show(const char *what, __int128 v) {
    printf("%s %016lx%016lx\n", what, (long)((unsigned __int128)v >> 64), (long)v);
}
typedef int v4 __attribute__((vector_size(16)));
static v4 f_vec(v4 a, v4 b) {
    return a * b + 1;
}

int main(void) {
    volatile int one = 1;
    printf("%d\n", f_tiny((struct tiny){(char)(4 + one)}).a);
    struct mixed m = f_mixed((struct mixed){1.5f, 10}, 3 * one);
    printf("%.2f %d\n", m.f, m.i);
    struct two t = f_two((struct two){1, 2}, (struct two){3, 4.5 * one});
    printf("%.2f %.2f\n", t.a, t.b);
    struct mid d = f_mid((struct mid){21, 'x', 10 * one});
    printf("%ld %c %.4f\n", d.a, d.b, d.c);
    struct arr r = {{1, 2, 3, 4, 5, 6, 7, 8, (short)(9 * one)}};
    struct arr (*volatile fp)(struct arr) = f_arr;
    r = fp(r);
    for (int i = 0; i < 9; i++) printf("%d ", r.v[i]);
    puts("");
    printf("%ld\n", f_any((union any){.l = 0x1234 * one}).l);
    struct nest n = f_nest((struct nest){{1, 'a', 2}, {.d = 0.5}, {{1}, {2}, {3}}}, 9 * one);
    printf("%ld %c %.1f %.1f %d\n", n.m.a, n.m.b, n.m.c, n.u.d, n.t[2].a);
    struct bits b = {5, 99, -7, 0xabcdef1234, 1};
    b.a += (unsigned)one;
    b.b *= 3;
    b.c -= 4;
    b.d <<= 3;
    b.e ^= 1;
    printf("%u %u %d %lx %d size %zu\n", b.a, b.b, b.c, (unsigned long)b.d, b.e, sizeof b);
    struct pack p = {1, -2, 3, -4L * one};
    printf("%d %d %d %ld size %zu\n", p.a, p.b, p.c, p.d, sizeof p);
    show("power", power(-7 * one, 41));
    show("div", power(3, 75) / power(7 * one, 20));
    show("mod", -power(3, 75) % power(7 * one, 20));
    show("shift", (__int128)-5 << (60 * one) >> 3);
    show("cast", (__int128)(1e30 * one));
    printf("%.6e %.3f\n", (double)power(5 * one, 50), (double)(unsigned __int128)(-one) / 1e38);
    int over;
    printf("%d ", __builtin_mul_overflow(1 << 20, 4096 * one, &over));
    printf("%d\n", over);
    v4 v = f_vec((v4){1, 2, 3, 4 * one}, (v4){5, 6, 7, 8});
    printf("%d %d %d %d\n", v[0], v[1], v[2], v[3]);
    double complex z = (1.5 + 2.5 * one * I) * (3 - 4 * I) / (0.5 + I);
    printf("%.6f %.6f %.6f %.6f\n", creal(z), cimag(z), cabs(z), creal(csqrt(z)));
    float complex zf = (1.5f + 2.5f * (float)one * I) / (3 - 4 * I);
    printf("%.5f %.5f\n", crealf(zf), cimagf(zf));
    double complex e = cexp(I * 3.0 * one);
    printf("%.9f %.9f\n", creal(e), cimag(e));
    printf("%d %d %d\n", (signed char)-1 >> 1, (char)200, (int)(unsigned char)(char)-3);
    printf("%zu %zu %zu %zu\n", sizeof(long double), sizeof(wchar_t), sizeof(void *), _Alignof(long double));
    return 0;
}
