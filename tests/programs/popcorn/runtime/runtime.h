/* The runtime of migratable programs without compiler support: what the Popcorn compiler would generate is written by
 * hand with the macros below. popcorn/popcorn_abi.h is the contract that it fulfils.
 *
 * A migratable function is one that can be on the stack at a migration point. Its variables are ordinary ones, in
 * registers and in its native frame. When a move is asked for, the functions return through each other, from the
 * migration point outwards, and each stores its live variables in a record; the runtime lays out the records, and the
 * target's registers, for the target. There, and equally if the task just runs on, the functions call each other
 * again, each takes its variables from its record and goes on with the call that it was in. Such a function:
 *
 *     POPCORN_FUNCTION static uint64_t count(uint64_t from, uint64_t to) {
 *         uint64_t i = from, sum = 0, term = 0;        // all variables here, all initialised without side effects
 *     #define LIVE to, i, sum                          // those that live across a call: at most 12, 8 bytes at most
 *         POPCORN_BEGIN(count)
 *         for (; i < to; i++) {
 *             POPCORN_POINT(1);                        // a migration point; each site has its own number
 *             POPCORN_CALL(2, term, weigh(i));         // a call of a migratable function; what it gives is never
 * 'live' sum += term;
 *         }
 *         POPCORN_END
 *     #undef LIVE
 *         return sum;
 *     }
 *
 * The address of a variable must not be kept across a site. Arguments in POPCORN_CALL are evaluated again on resume:
 * they must have no side effects. No string literal may be kept either: literals stand at other addresses on the other
 * ISA; a static const array does not. Functions that are not migratable must not call ones that are, signal handlers
 * least of all. */
#pragma once

#define POPCORN_PROGRAM
#include "popcorn/popcorn_abi.h"

#include "system.h"
#include "text.h"

/* ---- The program ---- */

/* A migratable function, called on the program's own stack; its value is the exit status. The strings are copies. */
int popcorn_main(int argc, char **argv, char **environment);

/* ---- Services ---- */

/* Blocking calls are migration points, and look at __migrate_gb_variable at least every 50 ms. Migratable functions:
 * use POPCORN_CALL. */
enum { kPopcornSlice = 50 };
long popcorn_sleep(long milliseconds);               /* gives 0; time spent stopped does not count */
long popcorn_read(int fd, void *bytes, size_t size); /* waits for input; as read(2) */
long popcorn_wait_readable(int fd);                  /* gives 1 when a read or accept would not block */
long popcorn_wait_child(long pid);                   /* gives pid << 32 | status, or a negative errno */

/* Sets a handler, with the restorer that both ISAs have. `mask` is blocked while it runs. */
void popcorn_handle(int number, void (*handler)(int, void *, void *), uint64_t flags, uint64_t mask);

/* Memory that is never given back, zeroed, at equal addresses on both ISAs. Ends the program if there is none. */
void *popcorn_allocate(size_t size);
void *memcpy(void *restrict to, const void *restrict from, size_t size);

/* Writes a message to standard error and ends the program with status 120. */
_Noreturn void popcorn_fail(const char *what, uint64_t is, uint64_t should_be);

/* How often the task was taken up again: moved (through regs_dst), and continued where it was. */
extern uint64_t popcorn_moves, popcorn_stays;

/* Called in the runtime's SIGALRM handler with its context, for tests that move the program by themselves. */
extern void (*popcorn_alarm_hook)(void *context);

/* ---- Migratable functions ---- */

enum popcorn_mode { POPCORN_RUNNING, POPCORN_CAPTURING, POPCORN_RESUMING };
extern volatile int popcorn_mode;

struct popcorn_record {
    uint64_t function; /* its entry: equal on both ISAs */
    uint32_t site, count;
    uint64_t doubles; /* bit k: word k is a double */
    uint64_t words[];
};

int popcorn_point(void);
struct popcorn_record *popcorn_push(void *function, uint32_t site, uint32_t count);
struct popcorn_record *popcorn_next(void *function);
_Noreturn void popcorn_no_site(void *function, uint64_t site);

#define POPCORN_FUNCTION __attribute__((noinline, noclone))

#define POPCORN_COUNT_(_1, _2, _3, _4, _5, _6, _7, _8, _9, _10, _11, _12, n, ...) n
#define POPCORN_COUNT(...) POPCORN_COUNT_(__VA_ARGS__, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1)
#define POPCORN_EACH_1(m, v) m(0, v)
#define POPCORN_EACH_2(m, v, ...) m(1, v) POPCORN_EACH_1(m, __VA_ARGS__)
#define POPCORN_EACH_3(m, v, ...) m(2, v) POPCORN_EACH_2(m, __VA_ARGS__)
#define POPCORN_EACH_4(m, v, ...) m(3, v) POPCORN_EACH_3(m, __VA_ARGS__)
#define POPCORN_EACH_5(m, v, ...) m(4, v) POPCORN_EACH_4(m, __VA_ARGS__)
#define POPCORN_EACH_6(m, v, ...) m(5, v) POPCORN_EACH_5(m, __VA_ARGS__)
#define POPCORN_EACH_7(m, v, ...) m(6, v) POPCORN_EACH_6(m, __VA_ARGS__)
#define POPCORN_EACH_8(m, v, ...) m(7, v) POPCORN_EACH_7(m, __VA_ARGS__)
#define POPCORN_EACH_9(m, v, ...) m(8, v) POPCORN_EACH_8(m, __VA_ARGS__)
#define POPCORN_EACH_10(m, v, ...) m(9, v) POPCORN_EACH_9(m, __VA_ARGS__)
#define POPCORN_EACH_11(m, v, ...) m(10, v) POPCORN_EACH_10(m, __VA_ARGS__)
#define POPCORN_EACH_12(m, v, ...) m(11, v) POPCORN_EACH_11(m, __VA_ARGS__)
#define POPCORN_EACH__(n, m, ...) POPCORN_EACH_##n(m, __VA_ARGS__)
#define POPCORN_EACH_(n, m, ...) POPCORN_EACH__(n, m, __VA_ARGS__)
#define POPCORN_EACH(m, ...) POPCORN_EACH_(POPCORN_COUNT(__VA_ARGS__), m, __VA_ARGS__)

#define POPCORN_SAVE_(k, v)                                                                                            \
    {                                                                                                                  \
        uint64_t word_ = 0;                                                                                            \
        _Static_assert(sizeof(v) <= sizeof(word_), "a live variable of more than 8 bytes");                            \
        __builtin_memcpy(&word_, &(v), sizeof(v));                                                                     \
        record_->words[k] = word_;                                                                                     \
        record_->doubles |= (uint64_t)_Generic((v), double: 1, default: 0) << (k);                                     \
    }
#define POPCORN_LOAD_(k, v)                                                                                            \
    {                                                                                                                  \
        uint64_t word_ = record_->words[k];                                                                            \
        __builtin_memcpy(&(v), &word_, sizeof(v));                                                                     \
    }

#define POPCORN_BEGIN(function)                                                                                        \
    void *const self_ = (void *)(function);                                                                            \
    uint32_t site_ = 0;                                                                                                \
    if (__builtin_expect(popcorn_mode == POPCORN_RESUMING, 0)) {                                                       \
        struct popcorn_record *record_ = popcorn_next(self_);                                                          \
        POPCORN_EACH(POPCORN_LOAD_, LIVE)                                                                              \
        site_ = record_->site;                                                                                         \
    }                                                                                                                  \
    switch (site_) {                                                                                                   \
    default:                                                                                                           \
        popcorn_no_site(self_, site_);                                                                                 \
    case 0:
#define POPCORN_END }

#define POPCORN_CALL(number, result, call)                                                                             \
    do {                                                                                                               \
        __attribute__((fallthrough));                                                                                  \
    case number:                                                                                                       \
        (result) = (call);                                                                                             \
        (void)(result);                                                                                                \
        if (__builtin_expect(popcorn_mode != POPCORN_RUNNING, 0)) {                                                    \
            struct popcorn_record *record_ = popcorn_push(self_, number, POPCORN_COUNT(LIVE));                         \
            POPCORN_EACH(POPCORN_SAVE_, LIVE)                                                                          \
            return 0;                                                                                                  \
        }                                                                                                              \
    } while (0)

#define POPCORN_POINT(number)                                                                                          \
    do {                                                                                                               \
        int nothing_;                                                                                                  \
        POPCORN_CALL(number, nothing_, popcorn_point());                                                               \
        (void)nothing_;                                                                                                \
    } while (0)
