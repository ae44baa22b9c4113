/* What the compiler calls for atomic objects that no instruction of all ISAs can hold: those of more than 8 bytes. A
   lock of a table is held meanwhile. Like elsewhere, they are not for memory that processes share. */
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* The compiler has builtins of these names. */
#define NAMED(name) __asm__(#name)
typedef unsigned __int128 wide;

int lock_free(size_t n, const volatile void *p) NAMED(__atomic_is_lock_free);
void load(size_t n, void *p, void *value, int order) NAMED(__atomic_load);
void store(size_t n, void *p, void *value, int order) NAMED(__atomic_store);
void exchange(size_t n, void *p, void *value, void *old, int order) NAMED(__atomic_exchange);
_Bool compare_exchange(size_t n, void *p, void *expected, void *value, int success, int failure)
    NAMED(__atomic_compare_exchange);

static volatile int locks[64];

static volatile int *lock(const void *p) {
    volatile int *at = &locks[(uintptr_t)p / 16 % (sizeof locks / sizeof *locks)];
    while (__atomic_exchange_n(at, 1, __ATOMIC_ACQUIRE))
        while (*at) continue;
    return at;
}

static void unlock(volatile int *at) {
    __atomic_store_n(at, 0, __ATOMIC_RELEASE);
}

int lock_free(size_t n, const volatile void *p) {
    return n && n <= 8 && !(n & (n - 1)) && !((uintptr_t)p & (n - 1));
}

void load(size_t n, void *p, void *value, int order) {
    volatile int *held = lock(p);
    memcpy(value, p, n);
    unlock(held);
}

void store(size_t n, void *p, void *value, int order) {
    volatile int *held = lock(p);
    memcpy(p, value, n);
    unlock(held);
}

void exchange(size_t n, void *p, void *value, void *old, int order) {
    volatile int *held = lock(p);
    memcpy(old, p, n);
    memcpy(p, value, n);
    unlock(held);
}

_Bool compare_exchange(size_t n, void *p, void *expected, void *value, int success, int failure) {
    volatile int *held = lock(p);
    _Bool same = !memcmp(p, expected, n);
    if (same)
        memcpy(p, value, n);
    else
        memcpy(expected, p, n);
    unlock(held);
    return same;
}

wide __atomic_load_16(const wide *p, int order) {
    wide value;
    load(sizeof value, (void *)p, &value, order);
    return value;
}

void __atomic_store_16(wide *p, wide value, int order) {
    store(sizeof value, p, &value, order);
}

wide __atomic_exchange_16(wide *p, wide value, int order) {
    wide old;
    exchange(sizeof value, p, &value, &old, order);
    return old;
}

_Bool __atomic_compare_exchange_16(wide *p, wide *expected, wide value, int success, int failure) {
    return compare_exchange(sizeof value, p, expected, &value, success, failure);
}

#define FETCH(name, result)                                                                                            \
    wide __atomic_fetch_##name##_16(wide *p, wide value, int order) {                                                  \
        volatile int *held = lock(p);                                                                                  \
        wide old = *p;                                                                                                 \
        *p = result;                                                                                                   \
        unlock(held);                                                                                                  \
        return old;                                                                                                    \
    }
FETCH(add, old + value)
FETCH(sub, old - value)
FETCH(and, (old & value))
FETCH(or, old | value)
FETCH(xor, old ^ value)
FETCH(nand, ~(old &value))
