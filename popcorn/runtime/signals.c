/* The reserved signal, and the program's own handlers.
 *
 * A system call that the reserved signal interrupts is made again. Handlers of the program that run between such an
 * interruption and the next entry into the kernel have interrupted the call too: it gives EINTR then, as it would have
 * if they alone had come. Each handler is called by __popcorn_handler, which notes that. */
#include "internal.h"

enum { kMaxSignal = 64, kSaRestart = 0x10000000 };

/* By number; written by the C library's sigaction. */
struct popcorn_handler {
    void (*function)(int, void *, void *);
    uint64_t flags;
} __popcorn_handlers[kMaxSignal + 1];

static int in_window(uint64_t pc) {
    return pc >= (uint64_t)__popcorn_window_begin && pc < (uint64_t)__popcorn_window_end;
}

/* The reserved signal has no SA_RESTART: that a call gives EINTR shows that it had been entered. */
void popcorn_on_signal(int number, void *information, void *context) {
    (void)number;
    (void)information;
    uint64_t *pc = (uint64_t *)((uint8_t *)context + kContextPc);
    const int64_t *result = (const int64_t *)((uint8_t *)context + kContextResult);
    if (in_window(*pc)) {
        *pc = (uint64_t)__popcorn_window_again;
    } else if (*pc == (uint64_t)__popcorn_window_end && *result == -kEintr) {
        *pc = (uint64_t)__popcorn_window_interrupted;
        *thread_word(kHandlersWord) = 0;
    } else if (*pc == (uint64_t)__popcorn_raw_end && *result == -kEintr) {
        *pc = (uint64_t)__popcorn_raw_again;
    }
}

/* A handler may make system calls of its own. */
void __popcorn_handler(int number, void *information, void *context) {
    const struct popcorn_handler handler = __popcorn_handlers[number];
    const uint64_t cancel = *thread_word(kCancelWord), watch = *thread_word(kWatchWord),
                   handlers = *thread_word(kHandlersWord), counted = *thread_word(kCountedWord);
    handler.function(number, information, context);
    *thread_word(kCancelWord) = cancel;
    *thread_word(kWatchWord) = watch;
    *thread_word(kHandlersWord) = handlers | kHandlerRan | (handler.flags & kSaRestart ? 0 : kPlainHandlerRan);
    *thread_word(kCountedWord) = counted;
    uint64_t *pc = (uint64_t *)((uint8_t *)context + kContextPc);
    const int64_t *result = (const int64_t *)((uint8_t *)context + kContextResult);
    /* What the handler has interrupted, the reserved signal may not make again. */
    if (in_window(*pc))
        *pc = (uint64_t)__popcorn_window_again;
    else if ((*pc == (uint64_t)__popcorn_window_end || *pc == (uint64_t)__popcorn_raw_end) && *result == -kEintr)
        *pc = (uint64_t)__popcorn_window_eintr;
}
