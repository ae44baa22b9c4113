/* Cancellation without assembly of its own: a cancellation point names its cancel word to __popcorn_syscall, which
 * looks at it in the same window in which the handler finds the program counter, and gives up with POPCORN_CANCELLED.
 */
#define _GNU_SOURCE
#include "pthread_impl.h"
#include "syscall.h"
#include <string.h>

#define POPCORN_CANCELLED (-4094L)

hidden long __cancel(), __syscall_cp_c();

/* Both in popcorn/runtime; a context is what the kernel hands to a handler. */
hidden int __popcorn_leave_window(void *context);
hidden unsigned long *__popcorn_context_mask(void *context);

long __cancel() {
    pthread_t self = __pthread_self();
    if (self->canceldisable == PTHREAD_CANCEL_ENABLE || self->cancelasync) pthread_exit(PTHREAD_CANCELED);
    self->canceldisable = PTHREAD_CANCEL_DISABLE;
    return -ECANCELED;
}

long __syscall_cp_c(syscall_arg_t nr, syscall_arg_t u, syscall_arg_t v, syscall_arg_t w, syscall_arg_t x,
                    syscall_arg_t y, syscall_arg_t z) {
    pthread_t self = __pthread_self();
    int state = self->canceldisable;
    if (state && (state == PTHREAD_CANCEL_DISABLE || nr == SYS_close)) return __syscall(nr, u, v, w, x, y, z);
    *(volatile int *volatile *)&self->popcorn[POPCORN_CANCEL] = &self->cancel;
    long r = __popcorn_syscall(nr, u, v, w, x, y, z);
    *(volatile int *volatile *)&self->popcorn[POPCORN_CANCEL] = 0;
    if (r == POPCORN_CANCELLED) return __cancel();
    if (r == -EINTR && nr != SYS_close && self->cancel && self->canceldisable != PTHREAD_CANCEL_DISABLE)
        return __cancel();
    return r;
}

static void cancel_handler(int sig, siginfo_t *si, void *context) {
    pthread_t self = __pthread_self();
    a_barrier();
    if (!self->cancel || self->canceldisable == PTHREAD_CANCEL_DISABLE) return;
    __popcorn_context_mask(context)[0] |= 1ul << (SIGCANCEL - 1);
    if (self->cancelasync) {
        sigset_t set = {{1ul << (SIGCANCEL - 1)}};
        __syscall(SYS_rt_sigprocmask, SIG_BLOCK, &set, 0, _NSIG / 8);
        pthread_exit(PTHREAD_CANCELED);
    }
    if (self->popcorn[POPCORN_CANCEL] && __popcorn_leave_window(context)) return;
    __syscall(SYS_tkill, self->tid, SIGCANCEL);
}

void __testcancel() {
    pthread_t self = __pthread_self();
    if (self->cancel && !self->canceldisable) __cancel();
}

int pthread_cancel(pthread_t t) {
    static int ready;
    if (!ready) {
        struct sigaction sa = {.sa_flags = SA_SIGINFO | SA_RESTART, .sa_sigaction = cancel_handler};
        memset(&sa.sa_mask, -1, _NSIG / 8);
        __libc_sigaction(SIGCANCEL, &sa, 0);
        ready = 1;
    }
    a_store(&t->cancel, 1);
    if (t != pthread_self()) return pthread_kill(t, SIGCANCEL);
    if (t->canceldisable == PTHREAD_CANCEL_ENABLE && t->cancelasync) pthread_exit(PTHREAD_CANCELED);
    return 0;
}
