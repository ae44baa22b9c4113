#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
struct node {
    struct node *next;
    double v;
    int *owner;
};
static struct node *list;
static unsigned long h;
static void mix(unsigned long x) {
    h = (h ^ x) * 0x100000001b3ul;
}
static int tree(int d, int *up) {
    int mine = d + (up ? *up : 0);
    if (d == 0) return mine & 7;
    int a = tree(d - 1, &mine);
    mine ^= a;
    int b = tree(d - 1, &mine);
    return (a * 3 + b + mine) & 0xffff;
}
static int cmp(const void *a, const void *b) {
    int x = *(const int *)a, y = *(const int *)b;
    return x < y ? -1 : x > y;
}
static long double ld = 1;
int main(void) {
    setvbuf(stdout, 0, _IOLBF, 0);
    for (int i = 0; i < 20000; i++) {
        struct node *n = malloc(sizeof *n);
        int loc = i;
        n->v = i * 1.25;
        n->owner = &loc;
        n->next = list;
        list = n;
        int a[100 + i % 7];
        for (int k = 0; k < 100 + i % 7; k++) a[k] = (k * 7919 + i) % 1009;
        qsort(a, 100, sizeof *a, cmp);
        mix(a[50]);
        mix(tree(12, &loc));
        ld = ld * 1.0001L + i;
        mix((unsigned long)ld);
        __int128 w = 1;
        for (int k = 1; k < 30; k++) w = w * (k + i % 3 + 1) + tree(3, &loc);
        mix((unsigned long)(w >> 60));
        double s = 0;
        for (struct node *p = list; p; p = p->next) s += p->v * 0.5 + tree(2, 0);
        mix((unsigned long)s);
        printf("%d %lx\n", i, h);
        if (i % 10 == 0) usleep(1000);
    }
    return 0;
}
