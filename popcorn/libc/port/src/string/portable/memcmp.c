#include "popcorn_vector.h"
#include <string.h>

/* Loops over no more bytes end before a poll is due, so that they have none. */
#define SHORT 0x10000

static inline int order(unsigned long a, unsigned long b) {
    a = __builtin_bswap64(a);
    b = __builtin_bswap64(b);
    return a < b ? -1 : a > b;
}

static inline int compare(const unsigned char *l, const unsigned char *r, size_t n) {
    if (n > 8) {
        for (; n > 8; l += 8, r += 8, n -= 8)
            if (W(l) != W(r)) return order(W(l), W(r));
        return order(W(l + n - 8), W(r + n - 8));
    }
    if (n == 8) return order(W(l), W(r));
    for (; n; n--, l++, r++)
        if (*l != *r) return *l - *r;
    return 0;
}

static __attribute__((noinline)) int compare_long(const unsigned char *l, const unsigned char *r, size_t n) {
    for (; n > SHORT; l += SHORT, r += SHORT, n -= SHORT) {
        int result = compare(l, r, SHORT);
        if (result) return result;
    }
    return compare(l, r, n);
}

int memcmp(const void *left, const void *right, size_t n) {
    return n <= SHORT ? compare(left, right, n) : compare_long(left, right, n);
}
