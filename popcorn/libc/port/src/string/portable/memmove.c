#include "popcorn_vector.h"
#include <stdint.h>
#include <string.h>

/* Up to 64 bytes: everything is loaded before anything is stored, so overlap does not matter. */
static inline void move_small(char *d, const char *s, size_t n) {
    if (n >= 16) {
        popcorn_v16 a = V(s), b = V(s + n - 16);
        if (n > 32) {
            popcorn_v16 c = V(s + 16), e = V(s + n - 32);
            V(d + 16) = c;
            V(d + n - 32) = e;
        }
        V(d) = a;
        V(d + n - 16) = b;
    } else if (n >= 8) {
        unsigned long a = W(s), b = W(s + n - 8);
        W(d) = a;
        W(d + n - 8) = b;
    } else if (n >= 4) {
        unsigned a = H(s), b = H(s + n - 4);
        H(d) = a;
        H(d + n - 4) = b;
    } else if (n) {
        char a = s[0], b = s[n / 2], c = s[n - 1];
        d[0] = a;
        d[n / 2] = b;
        d[n - 1] = c;
    }
}

static inline void move_up(char *d, const char *s, size_t n) {
    popcorn_v16 t0 = V(s + n - 64), t1 = V(s + n - 48), t2 = V(s + n - 32), t3 = V(s + n - 16);
    popcorn_v16 first = V(s);
    size_t skip = 16 - ((uintptr_t)d & 15);
    char *end = d + n, *start = d;
    d += skip, s += skip, n -= skip;
    for (; n > 64; d += 64, s += 64, n -= 64) {
        popcorn_v16 a = V(s), b = V(s + 16), c = V(s + 32), e = V(s + 48);
        V(d) = a;
        V(d + 16) = b;
        V(d + 32) = c;
        V(d + 48) = e;
    }
    V(start) = first;
    V(end - 64) = t0;
    V(end - 48) = t1;
    V(end - 32) = t2;
    V(end - 16) = t3;
}

static inline void move_down(char *d, const char *s, size_t n) {
    popcorn_v16 h0 = V(s), h1 = V(s + 16), h2 = V(s + 32), h3 = V(s + 48), last = V(s + n - 16);
    size_t skip = (uintptr_t)(d + n) & 15;
    char *end = d + n;
    n -= skip;
    for (; n > 64; n -= 64) {
        popcorn_v16 a = V(s + n - 16), b = V(s + n - 32), c = V(s + n - 48), e = V(s + n - 64);
        V(d + n - 16) = a;
        V(d + n - 32) = b;
        V(d + n - 48) = c;
        V(d + n - 64) = e;
    }
    V(end - 16) = last;
    V(d) = h0;
    V(d + 16) = h1;
    V(d + 32) = h2;
    V(d + 48) = h3;
}

void *memmove(void *dest, const void *src, size_t n) {
    if (n <= 64)
        move_small(dest, src, n);
    else if ((uintptr_t)dest - (uintptr_t)src >= n)
        move_up(dest, src, n);
    else
        move_down(dest, src, n);
    return dest;
}

void *memcpy(void *restrict dest, const void *restrict src, size_t n) {
    if (n <= 64)
        move_small(dest, src, n);
    else
        move_up(dest, src, n);
    return dest;
}
