#include <stdio.h>
#include <stdlib.h>
#include <string.h>
extern void __popcorn_poll(void);
struct s {
    int a;
    double d;
    struct s *next;
};
static int fib(int n) {
    return n < 2 ? n : fib(n - 1) + fib(n - 2);
}
static double work(struct s *l, double x) {
    double t = 0;
    for (; l; l = l->next) t += l->d * x + fib(l->a % 5);
    return t;
}
static int cmp(const void *a, const void *b) {
    return *(int *)a - *(int *)b;
}
static long deep(int n, long *up) {
    long mine = n;
    if (up) mine += *up;
    if (n == 0) return mine;
    return deep(n - 1, &mine) + mine;
}
static long vla(int n) {
    long t = 0;
    for (int i = 1; i < n; i++) {
        int a[i];
        for (int k = 0; k < i; k++) a[k] = k * i;
        for (int k = 0; k < i; k++) t += a[(k * 7) % i] + fib(3);
    }
    return t;
}
static __int128 big(int n) {
    __int128 x = 1;
    for (int i = 1; i < n; i++) {
        x *= i + fib(4);
        if (i % 9 == 0) x ^= x >> 3;
    }
    return x;
}
static long double ld(int n) {
    long double x = 1;
    for (int i = 1; i < n; i++) x = x * 1.0001L + fib(i % 4);
    return x;
}
typedef int v4 __attribute__((vector_size(16)));
static v4 vec(int n) {
    v4 a = {1, 2, 3, 4};
    for (int i = 0; i < n; i++) {
        a = a * 3 + fib(i % 5);
    }
    return a;
}
static int go(const char *p) {
    static void *t[] = {&&A, &&B, &&C};
    int r = 0;
    for (;;) {
        goto *t[(*p++) % 3];
    A:
        r += fib(3);
        continue;
    B:
        r *= 3;
        continue;
    C:
        if (r > 100000) return r;
        r += 7;
        continue;
    }
}
typedef int (*fp)(int);
static int twice(int x) {
    return 2 * x + fib(2);
}
static int plus(int x) {
    return x + fib(3);
}
static fp tab[] = {twice, plus, fib};
int main(int argc, char **argv) {
    struct s *l = 0;
    for (int i = 0; i < 20; i++) {
        struct s *n = malloc(sizeof *n);
        n->a = i;
        n->d = i * .5;
        n->next = l;
        l = n;
    }
    printf("%d %f\n", fib(15), work(l, 3.25));
    int a[50];
    for (int i = 0; i < 50; i++) a[i] = (i * 7919) % 101;
    qsort(a, 50, sizeof *a, cmp);
    printf("%d %d\n", a[0], a[49]);
    printf("%ld %ld\n", deep(200, 0), vla(30));
    __int128 b = big(40);
    printf("%lx %lx\n", (long)(b >> 64), (long)b);
    printf("%.15f\n", (double)ld(100));
    v4 v = vec(50);
    printf("%d %d %d %d\n", v[0], v[1], v[2], v[3]);
    printf("%d\n", go("abcabacbcabcbabcbcbcabcbcbabcbcbcbcbacbcbcbabcbabcbbbbbbbbbbbabcbcccccccccccccc"));
    int x = 1;
    for (int i = 0; i < 10; i++) x = tab[i % 3](x % 15);
    printf("%d\n", x);
    return 0;
}
