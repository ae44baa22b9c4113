/* System calls have the numbers and layouts of the aarch64 kernel. Those that can block go through __popcorn_syscall,
 * the single place where a thread waits in the kernel. Both return -errno. */
#define __SYSCALL_LL_E(x) (x)
#define __SYSCALL_LL_O(x) (x)

long __popcorn_kernel(long, long, long, long, long, long, long);
long __popcorn_syscall(long, long, long, long, long, long, long);

void __popcorn_forked(void);
_Noreturn void __popcorn_exit_thread(void);

static inline int __popcorn_blocks(long n) {
    switch (n) {
    case __NR_fcntl:
    case __NR_flock:
    case __NR_ioctl:
    case __NR_fallocate:
    case __NR_openat:
    case __NR_read:
    case __NR_write:
    case __NR_readv:
    case __NR_writev:
    case __NR_pread64:
    case __NR_pwrite64:
    case __NR_preadv:
    case __NR_pwritev:
    case __NR_preadv2:
    case __NR_pwritev2:
    case __NR_sendfile:
    case __NR_splice:
    case __NR_tee:
    case __NR_vmsplice:
    case __NR_copy_file_range:
    case __NR_fsync:
    case __NR_fdatasync:
    case __NR_sync_file_range:
    case __NR_msync:
    case __NR_pselect6:
    case __NR_ppoll:
    case __NR_epoll_pwait:
    case __NR_epoll_pwait2:
    case __NR_io_uring_enter:
    case __NR_io_getevents:
    case __NR_waitid:
    case __NR_wait4:
    case __NR_futex:
    case __NR_nanosleep:
    case __NR_clock_nanosleep:
    case __NR_rt_sigsuspend:
    case __NR_rt_sigtimedwait:
    case __NR_mq_timedsend:
    case __NR_mq_timedreceive:
    case __NR_msgrcv:
    case __NR_msgsnd:
    case __NR_semop:
    case __NR_semtimedop:
    case __NR_accept:
    case __NR_accept4:
    case __NR_connect:
    case __NR_sendto:
    case __NR_recvfrom:
    case __NR_sendmsg:
    case __NR_recvmsg:
    case __NR_sendmmsg:
    case __NR_recvmmsg:
    case __NR_getrandom:
        return 1;
    }
    return 0;
}

static inline long __syscall6(long n, long a, long b, long c, long d, long e, long f) {
    if (n == __NR_exit) __popcorn_exit_thread();
    if (n == __NR_clone) {
        long r = __popcorn_kernel(n, a, b, c, d, e, f);
        if (r == 0) __popcorn_forked();
        return r;
    }
    return __popcorn_blocks(n) ? __popcorn_syscall(n, a, b, c, d, e, f) : __popcorn_kernel(n, a, b, c, d, e, f);
}
static inline long __syscall5(long n, long a, long b, long c, long d, long e) {
    return __syscall6(n, a, b, c, d, e, 0);
}
static inline long __syscall4(long n, long a, long b, long c, long d) {
    return __syscall6(n, a, b, c, d, 0, 0);
}
static inline long __syscall3(long n, long a, long b, long c) {
    return __syscall6(n, a, b, c, 0, 0, 0);
}
static inline long __syscall2(long n, long a, long b) {
    return __syscall6(n, a, b, 0, 0, 0, 0);
}
static inline long __syscall1(long n, long a) {
    return __syscall6(n, a, 0, 0, 0, 0, 0);
}
static inline long __syscall0(long n) {
    return __syscall6(n, 0, 0, 0, 0, 0, 0);
}

#define IPC_64 0
