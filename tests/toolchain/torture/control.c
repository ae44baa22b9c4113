// setjmp, computed goto, variable-length arrays, alloca, recursion, callbacks, atexit.
#include <alloca.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static jmp_buf env;
static int depth(int n) {
    if (n == 0) longjmp(env, 42);
    return depth(n - 1) + 1;
}
static int interpret(const unsigned char *code) {
    static void *const table[] = {&&halt, &&push, &&add, &&mul, &&dup, &&loop};
    int stack[32], *sp = stack, count = 5;
    const unsigned char *pc = code;
#define NEXT goto *table[*pc++]
    NEXT;
push:
    *sp++ = *pc++;
    NEXT;
add:
    sp--;
    sp[-1] += sp[0];
    NEXT;
mul:
    sp--;
    sp[-1] *= sp[0];
    NEXT;
dup:
    *sp = sp[-1];
    sp++;
    NEXT;
loop:
    if (--count)
        pc = code + *pc;
    else
        pc++;
    NEXT;
halt:
    return sp[-1];
}
static long vla(int n) {
    long a[n], s = 0;
    for (int i = 0; i < n; i++) a[i] = i * i;
    for (int i = 0; i < n; i += 3) {
        char text[i + 1];
        memset(text, i, sizeof text);
        s += text[i] + a[i];
    }
    return s;
}
static char *grow(int n) {
    char *p = alloca((size_t)n), *q;
    memset(p, 'a' + n % 26, (size_t)n);
    q = alloca(16);
    strcpy(q, "tail");
    return strdup(memcmp(q, "tail", 4) ? "?" : (p[n - 1] == p[0] ? "ok" : "bad"));
}
static int by_value(const void *a, const void *b) {
    int x = *(const int *)a, y = *(const int *)b;
    return (x > y) - (x < y);
}
static void last(void) {
    puts("atexit");
}
static int ackermann(int m, int n) {
    return m == 0 ? n + 1 : n == 0 ? ackermann(m - 1, 1) : ackermann(m - 1, ackermann(m, n - 1));
}
__attribute__((constructor)) static void first(void) {
    puts("constructor");
}
__attribute__((destructor)) static void final(void) {
    puts("destructor");
}

int main(void) {
    volatile int rounds = 0;
    int got = setjmp(env);
    printf("setjmp %d\n", got);
    if (rounds++ < 3) depth(rounds * 10);
    sigjmp_buf with_mask;
    sigset_t set, now;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    volatile int jumped = 0;
    int back = sigsetjmp(with_mask, 1);
    sigprocmask(SIG_BLOCK, 0, &now);
    printf("sigsetjmp %d blocked %d\n", back, sigismember(&now, SIGUSR1));
    if (!jumped++) {
        sigprocmask(SIG_BLOCK, &set, 0);
        siglongjmp(with_mask, 7);
    }
    printf("%d\n", interpret((unsigned char[]){1, 2, 4, 3, 1, 3, 2, 5, 2, 0}));
    printf("%ld\n", vla(50));
    for (int i = 1; i < 4; i++) {
        char *s = grow(i * 37);
        fputs(s, stdout);
        free(s);
    }
    puts("");
    int v[] = {5, 3, 9, -1, 7, 7, 0, 2, 100, -50}, key = 9;
    qsort(v, 10, sizeof *v, by_value);
    for (int i = 0; i < 10; i++) printf("%d ", v[i]);
    printf("at %td\n", (int *)bsearch(&key, v, 10, sizeof *v, by_value) - v);
    printf("%d\n", ackermann(2, 9));
    atexit(last);
    return 0;
}
