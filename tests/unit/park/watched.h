/* What the test program tells of itself, in a file that it and the test have mapped. */
#ifndef HRUNC_TESTS_WATCHED_H
#define HRUNC_TESTS_WATCHED_H

#include <stdint.h>

#define SLOTS 16
#define SLOW_MS 250 /* how long mode "slow" takes from seeing a request to answering it */

struct watched_slot {
    volatile int64_t pid;      /* as the process sees it */
    volatile int64_t progress; /* grows while it runs */
    volatile int64_t raised;   /* answers given */
    volatile int64_t went_on;  /* how often it came back from one: after its release */
    volatile int64_t stray;    /* SIGALRM of its own answers that nobody caught: none under a tracer */
    volatile int64_t alarms;   /* other SIGALRM: all of them */
    volatile int64_t usr1;
    volatile int64_t queued; /* sum of the values of SIGRTMIN */
    volatile int64_t execs;
    volatile uint64_t after_raise;
};

struct watched {
    struct watched_slot slots[SLOTS];
};

#endif
