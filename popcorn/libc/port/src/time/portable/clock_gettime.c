#include "syscall.h"
#include <time.h>

/* In popcorn/runtime. */
long __popcorn_clock_gettime(int, void *);

int __clock_gettime(clockid_t clock, struct timespec *time) {
    return __syscall_ret(__popcorn_clock_gettime(clock, time));
}

weak_alias(__clock_gettime, clock_gettime);
