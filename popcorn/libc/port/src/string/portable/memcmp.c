#include "popcorn_vector.h"
#include <string.h>

static inline int order(unsigned long a, unsigned long b) {
    a = __builtin_bswap64(a);
    b = __builtin_bswap64(b);
    return a < b ? -1 : a > b;
}

int memcmp(const void *left, const void *right, size_t n) {
    const unsigned char *l = left, *r = right;
    if (n >= 8) {
        for (; n > 8; l += 8, r += 8, n -= 8)
            if (W(l) != W(r)) return order(W(l), W(r));
        return order(W(l + n - 8), W(r + n - 8));
    }
    for (; n; n--, l++, r++)
        if (*l != *r) return *l - *r;
    return 0;
}
