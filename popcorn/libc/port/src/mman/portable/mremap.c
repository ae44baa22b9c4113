/* A mapping that has to move goes to a place below 2^47. */
#define _GNU_SOURCE
#include "popcorn_map.h"
#include "syscall.h"
#include <errno.h>
#include <stdarg.h>
#include <stdint.h>
#include <sys/mman.h>

static void dummy(void) {}
weak_alias(dummy, __vm_wait);

void *__mremap(void *old, size_t old_len, size_t new_len, int flags, ...) {
    void *place = 0;
    if (new_len >= PTRDIFF_MAX) {
        errno = ENOMEM;
        return MAP_FAILED;
    }
    if (flags & MREMAP_FIXED) {
        va_list ap;
        __vm_wait();
        va_start(ap, flags);
        place = va_arg(ap, void *);
        va_end(ap);
        return (void *)syscall(SYS_mremap, old, old_len, new_len, flags, place);
    }
    long r = __syscall(SYS_mremap, old, old_len, new_len, flags & ~MREMAP_MAYMOVE, 0);
    if (r != -ENOMEM || !(flags & MREMAP_MAYMOVE)) return (void *)__syscall_ret(r);
    long to = __popcorn_map(new_len, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if ((unsigned long)to > -4096ul) return (void *)__syscall_ret(to);
    r = __syscall(SYS_mremap, old, old_len, new_len, flags | MREMAP_FIXED, to);
    if ((unsigned long)r > -4096ul) __syscall(SYS_munmap, to, new_len);
    return (void *)__syscall_ret(r);
}

weak_alias(__mremap, mremap);
