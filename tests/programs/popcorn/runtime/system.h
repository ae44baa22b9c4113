/* Linux system calls, those that both ISAs have with the same arguments and structures. No C library, no vdso.
 * Each gives the kernel's answer: a negative errno on failure. */
#pragma once

#include <asm/unistd.h>
#include <linux/fcntl.h>
#include <linux/mman.h>
#include <linux/poll.h>
#include <linux/sched.h>
#include <linux/time_types.h>
#include <stddef.h>
#include <stdint.h>

#if defined(__x86_64__)
#define POPCORN_HERE POPCORN_X86_64
#define POPCORN_ISA "x86-64"
static inline long system_call(long number, long a, long b, long c, long d, long e, long f) {
    register long r10 __asm__("r10") = d;
    register long r8 __asm__("r8") = e;
    register long r9 __asm__("r9") = f;
    long result;
    __asm__ volatile("syscall"
                     : "=a"(result)
                     : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
                     : "rcx", "r11", "memory");
    return result;
}
#elif defined(__aarch64__)
#define POPCORN_HERE POPCORN_AARCH64
#define POPCORN_ISA "aarch64"
static inline long system_call(long number, long a, long b, long c, long d, long e, long f) {
    register long x8 __asm__("x8") = number;
    register long x0 __asm__("x0") = a;
    register long x1 __asm__("x1") = b;
    register long x2 __asm__("x2") = c;
    register long x3 __asm__("x3") = d;
    register long x4 __asm__("x4") = e;
    register long x5 __asm__("x5") = f;
    __asm__ volatile("svc 0" : "+r"(x0) : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4), "r"(x5) : "memory");
    return x0;
}
#else
#error "x86-64 and aarch64 only"
#endif

enum { kEintr = 4, kEagain = 11 };

/* Standard signals have the same numbers on both. */
enum { kSigusr1 = 10, kSigusr2 = 12, kSigalrm = 14, kSigterm = 15, kSigchld = 17, kSigprof = 27, kSigvtalrm = 26 };
enum { kSigBlock = 0, kSigUnblock = 1, kSigSetmask = 2, kSiTkill = -6 };
#define SIGNAL_BIT(number) (UINT64_C(1) << ((number) - 1))

/* As the kernel knows it; aarch64's kernel honours SA_RESTORER too. */
struct signal_action {
    void (*handler)(int number, void *information, void *context);
    uint64_t flags;
    void (*restorer)(void);
    uint64_t mask;
};
enum { kSaSiginfo = 4, kSaRestorer = 0x04000000, kSaOnstack = 0x08000000, kSaRestart = 0x10000000 };

struct signal_information {
    int32_t signal, error, code, padding;
    int32_t pid, uid;
};

struct signal_stack {
    void *start;
    int32_t flags, padding;
    uint64_t size;
};

static inline long sys_write(int fd, const void *bytes, size_t size) {
    return system_call(__NR_write, fd, (long)bytes, (long)size, 0, 0, 0);
}
static inline long sys_read(int fd, void *bytes, size_t size) {
    return system_call(__NR_read, fd, (long)bytes, (long)size, 0, 0, 0);
}
static inline long sys_open(const char *path, int flags, int mode) {
    return system_call(__NR_openat, AT_FDCWD, (long)path, flags, mode, 0, 0);
}
static inline long sys_close(int fd) {
    return system_call(__NR_close, fd, 0, 0, 0, 0, 0);
}
static inline long sys_seek(int fd, long offset, int whence) {
    return system_call(__NR_lseek, fd, offset, whence, 0, 0, 0);
}
static inline long sys_pipe(int fds[2]) {
    return system_call(__NR_pipe2, (long)fds, 0, 0, 0, 0, 0);
}
static inline long sys_poll(struct pollfd *fds, unsigned count, long milliseconds) {
    struct __kernel_timespec time = {milliseconds / 1000, milliseconds % 1000 * 1000000};
    return system_call(__NR_ppoll, (long)fds, count, (long)&time, 0, 8, 0);
}
static inline long sys_nanosleep(long milliseconds) {
    struct __kernel_timespec time = {milliseconds / 1000, milliseconds % 1000 * 1000000};
    return system_call(__NR_nanosleep, (long)&time, 0, 0, 0, 0, 0);
}
static inline void *sys_map(void *at, size_t size, int protection, int flags) {
    return (void *)system_call(__NR_mmap, (long)at, (long)size, protection, flags, -1, 0);
}
static inline long sys_brk(uint64_t end) {
    return system_call(__NR_brk, (long)end, 0, 0, 0, 0, 0);
}
static inline long sys_getpid(void) {
    return system_call(__NR_getpid, 0, 0, 0, 0, 0, 0);
}
static inline long sys_kill(long pid, int number) {
    return system_call(__NR_kill, pid, number, 0, 0, 0, 0);
}
static inline long sys_signal_mask(int how, const uint64_t *set, uint64_t *old) {
    return system_call(__NR_rt_sigprocmask, how, (long)set, (long)old, 8, 0, 0);
}
static inline long sys_signal_action(int number, const struct signal_action *action, struct signal_action *old) {
    return system_call(__NR_rt_sigaction, number, (long)action, (long)old, 8, 0, 0);
}
static inline long sys_fork(void) {
    return system_call(__NR_clone, kSigchld, 0, 0, 0, 0, 0);
}
static inline long sys_wait(long pid, int *status, int options) {
    return system_call(__NR_wait4, pid, (long)status, options, 0, 0, 0);
}
static inline _Noreturn void sys_exit(int status) {
    for (;;) system_call(__NR_exit_group, status, 0, 0, 0, 0, 0);
}
