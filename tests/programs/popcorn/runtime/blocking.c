/* Blocking calls as migration points: in slices, with a look at the variable between. */
#include "internal.h"

POPCORN_FUNCTION long popcorn_sleep(long milliseconds) {
    long left = milliseconds;
#define LIVE left
    POPCORN_BEGIN(popcorn_sleep)
    do {
        POPCORN_POINT(1);
        long slice = left < kPopcornSlice ? left : kPopcornSlice;
        if (slice > 0) sys_nanosleep(slice);
        left -= slice;
    } while (left > 0);
    POPCORN_END
#undef LIVE
    return 0;
}

POPCORN_FUNCTION long popcorn_wait_readable(int fd) {
#define LIVE fd
    POPCORN_BEGIN(popcorn_wait_readable)
    for (;;) {
        POPCORN_POINT(1);
        struct pollfd item = {fd, POLLIN, 0};
        if (sys_poll(&item, 1, kPopcornSlice) > 0) return 1;
    }
    POPCORN_END
#undef LIVE
}

POPCORN_FUNCTION long popcorn_read(int fd, void *bytes, size_t size) {
    long ready = 0;
#define LIVE fd, bytes, size
    POPCORN_BEGIN(popcorn_read)
    for (;;) {
        POPCORN_CALL(1, ready, popcorn_wait_readable(fd));
        long count = sys_read(fd, bytes, size);
        if (count != -kEintr && count != -kEagain) return count;
    }
    POPCORN_END
#undef LIVE
}

POPCORN_FUNCTION long popcorn_wait_child(long pid) {
    long ignored = 0;
#define LIVE pid
    POPCORN_BEGIN(popcorn_wait_child)
    for (;;) {
        int status = 0;
        long got = sys_wait(pid, &status, 1 /* WNOHANG */);
        if (got > 0) return got << 32 | status;
        if (got < 0 && got != -kEintr) return got;
        POPCORN_CALL(1, ignored, popcorn_sleep(5));
    }
    POPCORN_END
#undef LIVE
}
