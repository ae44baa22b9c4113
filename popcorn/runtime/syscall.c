/* System calls that can be left in the middle and made again. */
#include "internal.h"

/* aarch64's numbers are the portable ones. */
enum {
    kIoGetevents = 4,
    kEpollPwait = 22,
    kClose = 57,
    kPselect6 = 72,
    kPpoll = 73,
    kFutex = 98,
    kNanosleep = 101,
    kClockNanosleep = 115,
    kSigsuspend = 133,
    kPortableSigtimedwait = 137,
    kMsgrcv = 188,
    kMsgsnd = 189,
    kSemtimedop = 192,
    kSemop = 193,
    kEpollPwait2 = 441
};

struct time {
    int64_t seconds, nanoseconds;
};
enum { kBillion = 1000000000 };

static uint64_t now(void) {
    struct time time;
    __popcorn_clock_gettime(1, &time);
    return (uint64_t)time.seconds * kBillion + (uint64_t)time.nanoseconds;
}

/* Which argument points to a time that counts from the call, -1: none. Those that the kernel counts down itself (ppoll,
 * pselect6) need nothing. */
static int timeout_argument(const struct system_call *call) {
    switch (call->number) {
    case kNanosleep:
        return 0;
    case kClockNanosleep:
        return call->argument[1] & 1 ? -1 : 2;
    case kFutex:
        return (call->argument[1] & 0x7f) == 0 ? 3 : -1;
    case kPortableSigtimedwait:
        return 2;
    case kSemtimedop:
        return 3;
    case kEpollPwait2:
        return 3;
    default:
        return -1;
    }
}

/* Calls that any handler interrupts, also one with SA_RESTART: signal(7). */
static int never_restarts(uint64_t number) {
    switch (number) {
    case kIoGetevents:
    case kEpollPwait:
    case kPselect6:
    case kPpoll:
    case kNanosleep:
    case kClockNanosleep:
    case kSigsuspend:
    case kPortableSigtimedwait:
    case kMsgrcv:
    case kMsgsnd:
    case kSemtimedop:
    case kSemop:
    case kEpollPwait2:
        return 1;
    default:
        return 0;
    }
}

static void set_deadline(struct system_call *call) {
    int argument = timeout_argument(call);
    if (argument >= 0) {
        const struct time *time = (const struct time *)call->argument[argument];
        if (time == NULL || time->seconds < 0 || (uint64_t)time->nanoseconds >= kBillion || time->seconds > kBillion)
            return;
        if (time->seconds != 0 || time->nanoseconds != 0)
            call->deadline = now() + (uint64_t)time->seconds * kBillion + (uint64_t)time->nanoseconds;
    } else if (call->number == kEpollPwait && (int)call->argument[3] > 0) {
        call->deadline = now() + (uint64_t)(int)call->argument[3] * 1000000;
    }
}

static long issue(const struct system_call *call, volatile uint32_t *watch) {
    uint64_t arguments[6];
    for (int i = 0; i < 6; i++) arguments[i] = call->argument[i];
    struct time left;
    if (call->deadline != 0) {
        uint64_t at = now(), nanoseconds = call->deadline > at ? call->deadline - at : 1;
        left.seconds = (int64_t)(nanoseconds / kBillion);
        left.nanoseconds = (int64_t)(nanoseconds % kBillion);
        int argument = timeout_argument(call);
        if (argument >= 0)
            arguments[argument] = (uint64_t)&left;
        else
            arguments[3] = (nanoseconds + 999999) / 1000000;
    }
    uint64_t counted = never_restarts(call->number) ? kHandlerRan : kPlainHandlerRan;
    if (!call->interrupted) *thread_word(kHandlersWord) = 0;
    *thread_word(kCountedWord) = call->interrupted ? counted : 0;
    *thread_word(kWatchWord) = (uint64_t)watch;
    long result = __popcorn_waiting((long)call->number, (long)arguments[0], (long)arguments[1], (long)arguments[2],
                                    (long)arguments[3], (long)arguments[4], (long)arguments[5]);
    *thread_word(kWatchWord) = 0;
    return result;
}

/* Whether it is to be made once more. A close that was interrupted has closed. */
static int unfinished(struct system_call *call, long *result) {
    if (*result == kNotMade) return 1;
    if (*result != kInterrupted) return 0;
    if (call->number == kClose) *result = -kEintr;
    call->interrupted = 1;
    return call->number != kClose;
}

static long make(const struct popcorn_registers *from, struct system_call *call) {
    for (;;) {
        volatile uint32_t *watch = &__popcorn_notify_flag;
        if (*watch != POPCORN_RUN &&
            !popcorn_point(from, (uint64_t)__popcorn_resume_syscall, &call->number, sizeof *call / 8))
            watch = NULL; /* put off: the call must go on even so */
        long result = issue(call, watch);
        if (!unfinished(call, &result)) return result;
    }
}

long popcorn_syscall_from(const struct popcorn_registers *from, struct system_call *call) {
    call->interrupted = 0;
    set_deadline(call);
    return make(from, call);
}

long popcorn_syscall_again(const struct popcorn_registers *from, const struct popcorn_frame *record) {
    struct system_call call;
    for (unsigned i = 0; i < sizeof call / 8; i++) (&call.number)[i] = record->word[i];
    popcorn_rebuilt();
    long result = issue(&call, &__popcorn_notify_flag);
    return unfinished(&call, &result) ? make(from, &call) : result;
}
