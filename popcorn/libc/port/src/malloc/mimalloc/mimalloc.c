/* The allocator: mimalloc's sources as one unit, in the C library's name space (every name with mi_ has __ before it).
 *
 * Nothing that it keeps depends on the ISA or the machine: a thread is known by the address of a thread-local variable,
 * memory comes from the port's mmap, below 2^47, and no file in /proc or /sys is asked about the machine. */
#define _GNU_SOURCE
#define NDEBUG
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "fork_impl.h"
#include "syscall.h"
#undef weak

/* free leaves errno as it is. */
static int unmap(void *start, size_t size) {
    int before = errno, result = __munmap(start, size);
    errno = before;
    return result;
}
#define mmap __mmap
#define munmap unmap
#define madvise(start, size, advice) __syscall(SYS_madvise, start, size, advice)
#define mprotect(start, size, flags) __syscall(SYS_mprotect, start, size, flags)
#define clock_gettime __clock_gettime
/* Nothing is done at exit. */
#define atexit(function) ((void)0)
/* The variant for systems without pthread keys: __malloc_thread_exit tells of a thread's end, and who has to wait for
 * another thread gives up the processor. */
#define __wasi__
#include "upstream/mimalloc.h"

#include "upstream/mimalloc-atomic.h"
#include "upstream/mimalloc-internal.h"
#undef __wasi__

/* In place of options.c: fixed, and silent. Memory is made accessible piece by piece, so that no huge page is made
 * of it for a few blocks: a checkpoint would have to hold it. */
static inline long setting(__mi_option_t name) {
    switch (name) {
    case __mi_option_allow_decommit:
    case __mi_option_decommit_extend_delay:
    case __mi_option_use_numa_nodes:
        return 1;
    case __mi_option_decommit_delay:
        return 25;
    case __mi_option_segment_decommit_delay:
        return 500;
    case __mi_option_max_segment_reclaim:
        return 8;
    case __mi_option_reserve_huge_os_pages_at:
        return -1;
    default:
        return 0;
    }
}
#define __mi_option_get setting
#define __mi_option_is_enabled(name) (setting(name) != 0)
#define __mi_option_get_clamp(name, least, most) setting(name)
#define ___mi_warning_message(...) ((void)0)
#define ___mi_verbose_message(...) ((void)0)
#define ___mi_error_message(...) ((void)0)
#define ___mi_options_init() ((void)0)

/* In place of stats.c. Milliseconds: the kernel is asked once in so many calls, which come in bursts. */
#define __mi_stats_reset() ((void)0)
#define ___mi_stat_increase(statistic, amount) ((void)0)
#define ___mi_stat_decrease(statistic, amount) ((void)0)
#define ___mi_stat_counter_increase(statistic, amount) ((void)0)
#define ___mi_stats_done(statistics) ((void)0)
#define ___mi_clock_start() 0
#define ___mi_clock_end(start) 0
__mi_msecs_t ___mi_clock_now(void) {
    static _Atomic(uintptr_t) calls;
    static _Atomic(int64_t) last;
    if (__mi_atomic_increment_relaxed(&calls) % 64 == 0) {
        struct timespec now;
        __clock_gettime(CLOCK_MONOTONIC, &now);
        __mi_atomic_storei64_release(&last, now.tv_sec * 1000 + now.tv_nsec / 1000000);
    }
    return __mi_atomic_loadi64_relaxed(&last);
}

#include "upstream/random.c"
/* Those of any Unix: they do not ask about the machine. */
#undef __linux__
/* clang-format off */
#include "upstream/os.c"
#include "upstream/bitmap.c"
#include "upstream/arena.c"
#include "upstream/segment-cache.c"
#include "upstream/segment.c"
#include "upstream/page.c"
#include "upstream/heap.c"
#include "upstream/alloc.c"
#include "upstream/alloc-aligned.c"
#include "upstream/init.c"
/* clang-format on */

static inline void *checked(void *block) {
    if (!block) errno = ENOMEM;
    return block;
}

void *__libc_malloc_impl(size_t size) {
    return checked(__mi_malloc(size));
}

void *__libc_calloc(size_t count, size_t size) {
    return checked(__mi_calloc(count, size));
}

void *__libc_realloc(void *block, size_t size) {
    return checked(__mi_realloc(block, size));
}

void __libc_free(void *block) {
    __mi_free(block);
}

/* mi_malloc_aligned is wrong in this version: it takes blocks of 256 bytes and more to be aligned to their size. */
hidden void *__malloc_aligned(size_t align, size_t size) {
    return checked(__mi_malloc_aligned_at(size, align, 0));
}

hidden size_t __malloc_size(void *block) {
    return __mi_usable_size(block);
}

/* The thread's blocks that are still in use become others'. It may allocate again after this. */
hidden void __malloc_thread_exit(void) {
    if (__mi_heap_is_initialized(__mi_get_default_heap())) __mi_thread_done();
}

/* A thread that is not in the child may have been about to give a block back. */
static bool settle_page(__mi_heap_t *heap, __mi_page_queue_t *queue, __mi_page_t *page, void *a, void *b) {
    (void)heap, (void)queue, (void)a, (void)b;
    __mi_thread_free_t list = __mi_atomic_load_relaxed(&page->xthread_free);
    if (__mi_tf_delayed(list) == MI_DELAYED_FREEING)
        __mi_atomic_store_release(&page->xthread_free, __mi_tf_set_delayed(list, MI_USE_DELAYED_FREE));
    return true;
}

/* All else that other threads were at is done with one atomic step. */
void __malloc_atfork(int who) {
    if (who <= 0) return;
    __mi_heap_t *heap = __mi_get_default_heap();
    __mi_atomic_store_release(&abandoned_readers, 0);
    __mi_atomic_store_release(&thread_count, 1);
    if (__mi_heap_is_initialized(heap)) __mi_heap_visit_pages(heap, settle_page, 0, 0);
}
