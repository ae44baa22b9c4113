#include "popcorn_vector.h"
#include <stdint.h>
#include <string.h>

void *memset(void *dest, int c, size_t n) {
    char *d = dest;
    unsigned long w = (unsigned char)c * 0x0101010101010101ul;
    if (n < 16) {
        if (n >= 8)
            W(d) = w, W(d + n - 8) = w;
        else if (n >= 4)
            H(d) = (unsigned)w, H(d + n - 4) = (unsigned)w;
        else if (n)
            d[0] = d[n / 2] = d[n - 1] = (char)c;
        return dest;
    }
    popcorn_v16 v = (popcorn_v16){0} + (unsigned char)c;
    char *end = d + n;
    V(d) = v;
    V(end - 16) = v;
    if (n <= 32) return dest;
    V(d + 16) = v;
    V(end - 32) = v;
    if (n <= 64) return dest;
    d += 32 - ((uintptr_t)d & 15);
    for (; end - d > 64; d += 64) V(d) = v, V(d + 16) = v, V(d + 32) = v, V(d + 48) = v;
    V(end - 64) = v;
    V(end - 48) = v;
    return dest;
}
