/* System calls that can be left in the middle and made again. */
#include "internal.h"

/* aarch64's numbers are the portable ones. */
enum {
    kEpollPwait = 22,
    kFutex = 98,
    kNanosleep = 101,
    kClockNanosleep = 115,
    kPortableSigtimedwait = 137,
    kSemtimedop = 192,
    kEpollPwait2 = 441
};

struct time {
    int64_t seconds, nanoseconds;
};
enum { kBillion = 1000000000 };

static uint64_t now(void) {
    struct time time;
    raw(kClockGettime, 1, (long)&time, 0, 0, 0, 0);
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
    set_watch(watch);
    long result = __popcorn_waiting((long)call->number, (long)arguments[0], (long)arguments[1], (long)arguments[2],
                                    (long)arguments[3], (long)arguments[4], (long)arguments[5]);
    set_watch(NULL);
    return result;
}

static long make(const struct popcorn_registers *from, struct system_call *call) {
    for (;;) {
        volatile uint32_t *watch = &__popcorn_notify_flag;
        if (*watch != POPCORN_RUN &&
            !popcorn_point(from, (uint64_t)__popcorn_resume_syscall, &call->number, sizeof *call / 8))
            watch = NULL; /* put off: the call must go on even so */
        long result = issue(call, watch);
        if (result != kInterrupted) return result;
    }
}

long popcorn_syscall_from(const struct popcorn_registers *from, struct system_call *call) {
    set_deadline(call);
    return make(from, call);
}

long popcorn_syscall_again(const struct popcorn_registers *from, const struct popcorn_frame *record) {
    struct system_call call;
    for (unsigned i = 0; i < sizeof call / 8; i++) (&call.number)[i] = record->word[i];
    popcorn_rebuilt();
    long result = issue(&call, &__popcorn_notify_flag);
    return result == kInterrupted ? make(from, &call) : result;
}
