/* Every mapping whose place the kernel may choose ends below 2^47, which is all that an x86-64 process can have. */
#define _GNU_SOURCE
#include "popcorn_map.h"
#include "syscall.h"
#include <errno.h>
#include <limits.h>
#include <stdint.h>
#include <sys/mman.h>

static void dummy(void) {}
weak_alias(dummy, __vm_wait);

#define LIMIT (1ul << 47)
#define TOP 0x7e0000000000ul
#define BOTTOM 0x100000000000ul
#define STEP (1ul << 21)

/* Where the next mapping is tried; 0 as long as the kernel's own choice is low enough. */
static volatile uint64_t next_place;

static int is_low(long r, size_t n) {
    return (unsigned long)r > -4096ul || (unsigned long)r + n <= LIMIT;
}

long __popcorn_map(size_t n, int prot, int flags, int fd, off_t off) {
    long r;
    if (!next_place) {
        r = __syscall(SYS_mmap, 0, n, prot, flags, fd, off);
        if (is_low(r, n)) return r;
        __syscall(SYS_munmap, r, n);
    }
    size_t step = (n + STEP - 1) & -STEP;
    for (int tries = 0; tries < 4096; tries++) {
        uint64_t old = next_place, at = old && old - BOTTOM > step ? old - step : TOP - step;
        if (!__atomic_compare_exchange_n(&next_place, &old, at, 0, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST)) continue;
        r = __syscall(SYS_mmap, at, n, prot, flags, fd, off);
        if (is_low(r, n)) return r;
        __syscall(SYS_munmap, r, n);
    }
    return -ENOMEM;
}

void *__mmap(void *start, size_t len, int prot, int flags, int fd, off_t off) {
    long r;
    if (off & 4095) {
        errno = EINVAL;
        return MAP_FAILED;
    }
    if (len >= PTRDIFF_MAX) {
        errno = ENOMEM;
        return MAP_FAILED;
    }
    if (flags & MAP_FIXED) __vm_wait();
    if (start || flags & (MAP_FIXED | MAP_FIXED_NOREPLACE)) {
        r = __syscall(SYS_mmap, start, len, prot, flags, fd, off);
        if (flags & (MAP_FIXED | MAP_FIXED_NOREPLACE) || is_low(r, len)) return (void *)__syscall_ret(r);
        __syscall(SYS_munmap, r, len);
    }
    r = __popcorn_map(len, prot, flags, fd, off);
    if (r == -EPERM && !start && flags & MAP_ANONYMOUS && !(flags & MAP_FIXED)) r = -ENOMEM;
    return (void *)__syscall_ret(r);
}

weak_alias(__mmap, mmap);
