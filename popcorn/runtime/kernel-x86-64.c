// The portable system calls on x86-64: numbers, flags and layouts of the aarch64 kernel, converted.
//
// __popcorn_kernel and __popcorn_waiting differ only in the last step: the latter waits in the window.
#include <asm/unistd_64.h>
#include <stddef.h>

#include "syscall-numbers.h"

long __popcorn_raw(long, long, long, long, long, long, long);
long __popcorn_window(long, long, long, long, long, long, long);

typedef long kernel_entry(long, long, long, long, long, long, long);

enum { kMissing = -38 }; // -ENOSYS

// Open flags by number: {portable, here}. The other ones are equal.
static const int kOpenFlags[][2] = {
    {040000, 0200000},  // O_DIRECTORY
    {0100000, 0400000}, // O_NOFOLLOW
    {0200000, 040000},  // O_DIRECT
    {0400000, 0100000}, // O_LARGEFILE
};

static long map_flags(long flags, int from, int to) {
    long result = flags & ~0740000L;
    for (int i = 0; i < 4; i++)
        if (flags & kOpenFlags[i][from]) result |= kOpenFlags[i][to];
    return result;
}

// asm/stat.h of this ISA, and asm-generic/stat.h.
struct native_stat {
    unsigned long dev, ino, nlink;
    unsigned mode, uid, gid, pad;
    unsigned long rdev;
    long size, blksize, blocks;
    unsigned long times[6];
    long unused[3];
};
struct portable_stat {
    unsigned long dev, ino;
    unsigned mode, nlink, uid, gid;
    unsigned long rdev, pad;
    long size;
    int blksize, pad2;
    long blocks;
    unsigned long times[6];
    unsigned unused[2];
};
_Static_assert(sizeof(struct native_stat) == 144 && sizeof(struct portable_stat) == 128, "struct stat");

static void convert_stat(struct portable_stat *to, const struct native_stat *from) {
    *to = (struct portable_stat){.dev = from->dev,
                                 .ino = from->ino,
                                 .mode = from->mode,
                                 .nlink = (unsigned)from->nlink,
                                 .uid = from->uid,
                                 .gid = from->gid,
                                 .rdev = from->rdev,
                                 .size = from->size,
                                 .blksize = (int)from->blksize,
                                 .blocks = from->blocks};
    for (int i = 0; i < 6; i++) to->times[i] = from->times[i];
}

struct native_event {
    unsigned events;
    unsigned data[2];
};
struct portable_event {
    unsigned events, pad;
    unsigned data[2];
};

// In place: the kernel has written the shorter ones to the start of the array.
static void widen_events(void *array, long count) {
    for (long i = count; i-- > 0;) {
        struct native_event from;
        __builtin_memcpy_inline(&from, (struct native_event *)array + i, sizeof from);
        ((struct portable_event *)array)[i] = (struct portable_event){from.events, 0, {from.data[0], from.data[1]}};
    }
}

// struct semid64_ds: x86-64 has a reserved word after each time; the portable one does not.
static void convert_semid(long *to, const long *from) {
    for (int i = 0; i < 6; i++) to[i] = from[i];
    long times[2] = {from[6], from[8]}, rest[3] = {from[10], from[11], from[12]};
    to[6] = times[0];
    to[7] = times[1];
    for (int i = 0; i < 3; i++) to[8 + i] = rest[i];
}

static long semctl(long a, long b, long c, long d) {
    long native[13], command = c & 0xff;
    if (command == 1 /* IPC_SET */) {
        for (int i = 0; i < 6; i++) native[i] = ((const long *)d)[i];
        return __popcorn_raw(__NR_semctl, a, b, c, (long)native, 0, 0);
    }
    if (command != 2 /* IPC_STAT */ && command != 18 /* SEM_STAT */ && command != 20 /* SEM_STAT_ANY */)
        return __popcorn_raw(__NR_semctl, a, b, c, d, 0, 0);
    long r = __popcorn_raw(__NR_semctl, a, b, c, (long)native, 0, 0);
    if (r >= 0) convert_semid((long *)d, native);
    return r;
}

static long stat_call(long number, long a, long b, long c, long d) {
    struct native_stat buffer;
    int two = number == __NR_fstat;
    long r = __popcorn_raw(number, a, two ? (long)&buffer : b, (long)&buffer, d, 0, 0);
    if (r == 0) convert_stat((struct portable_stat *)(two ? b : c), &buffer);
    return r;
}

static long epoll_ctl(long a, long b, long c, const struct portable_event *event) {
    struct native_event native;
    if (!event) return __popcorn_raw(__NR_epoll_ctl, a, b, c, 0, 0, 0);
    native = (struct native_event){event->events, {event->data[0], event->data[1]}};
    return __popcorn_raw(__NR_epoll_ctl, a, b, c, (long)&native, 0, 0);
}

static long openat2(long a, long b, const unsigned long *how, long size, kernel_entry *enter) {
    unsigned long native[8];
    if (size < 24 || size > (long)sizeof native) return __popcorn_raw(__NR_openat2, a, b, (long)how, size, 0, 0);
    for (long i = 0; i < size / 8; i++) native[i] = how[i];
    native[0] = (unsigned long)map_flags((long)how[0], 0, 1);
    return enter(__NR_openat2, a, b, (long)native, size, 0, 0);
}

static long fcntl(long a, long b, long c, kernel_entry *enter) {
    if (b == 4 /* F_SETFL */) c = map_flags(c, 0, 1);
    long r = enter(__NR_fcntl, a, b, c, 0, 0, 0);
    return b == 3 /* F_GETFL */ && r >= 0 ? map_flags(r, 1, 0) : r;
}

// NOLINTNEXTLINE(readability-function-size): one line a system call
static inline __attribute__((always_inline)) long convert(kernel_entry *enter, long n, long a, long b, long c, long d,
                                                          long e, long f) {
    switch (n) {
    case 79:
        return stat_call(__NR_newfstatat, a, b, c, d);
    case 80:
        return stat_call(__NR_fstat, a, b, 0, 0);
    case 21:
        return epoll_ctl(a, b, c, (const struct portable_event *)d);
    case 22:
    case 441: {
        long r = enter(n == 22 ? __NR_epoll_pwait : __NR_epoll_pwait2, a, b, c, d, e, f);
        if (r > 0) widen_events((void *)b, r);
        return r;
    }
    case 25:
        return fcntl(a, b, c, enter);
    case 56:
        return enter(__NR_openat, a, b, map_flags(c, 0, 1), d, 0, 0);
    case 437:
        return openat2(a, b, (const unsigned long *)c, d, enter);
    case 59:
        return enter(__NR_pipe2, a, map_flags(b, 0, 1), 0, 0, 0, 0);
    case 180:
        return enter(__NR_mq_open, a, map_flags(b, 0, 1), c, d, 0, 0);
    case 262:
        return enter(__NR_fanotify_init, a, map_flags(b, 0, 1), 0, 0, 0, 0);
    case 265:
        return enter(__NR_open_by_handle_at, a, b, map_flags(c, 0, 1), 0, 0, 0);
    case 191:
        return semctl(a, b, c, d);
    case 220:
        return enter(__NR_clone, a, b, c, e, d, 0);
    case 38:
        return enter(__NR_renameat2, a, b, c, d, 0, 0);
    }
    if ((unsigned long)n >= sizeof kNumbers / sizeof *kNumbers || !kNumbers[n]) return kMissing;
    return enter(kNumbers[n] - 1, a, b, c, d, e, f);
}

long __popcorn_kernel(long n, long a, long b, long c, long d, long e, long f) {
    return convert(__popcorn_raw, n, a, b, c, d, e, f);
}

long __popcorn_waiting(long n, long a, long b, long c, long d, long e, long f) {
    return convert(__popcorn_window, n, a, b, c, d, e, f);
}
