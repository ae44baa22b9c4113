/* For the C library: threads whose frames can be captured. Everything here is native code, without a C library. */
#ifndef HRUNC_POPCORN_RUNTIME_CAPTURE_H
#define HRUNC_POPCORN_RUNTIME_CAPTURE_H

#include "popcorn/abi.h"

#include <stddef.h>

/* Runs the first thread's function on the first of these stack regions, from their lowest addresses on. */
_Noreturn void __popcorn_start_process(void (*function)(void *), void *argument, void *const stacks[2], size_t size);

/* Ends the calling thread; its stack regions go, and `map` too if its size is not 0. */
_Noreturn void __popcorn_unmap_and_exit(void *map, size_t size);
_Noreturn void __popcorn_exit_thread(void);

/* To be called in the child of a fork, in place of what it takes to know that it has one thread now. */
void __popcorn_forked(void);

/* A migration point: looks at the notify word. Preserves nearly all registers when called from instrumented code. */
void __popcorn_poll(void);

/* A migration point before and in the call: portable numbers, -errno. */
long __popcorn_syscall(long number, long a, long b, long c, long d, long e, long f);

/* Under POPCORN_EXERCISE, one of so many migration points, chosen at random, captures and resumes. */
extern volatile uint32_t __popcorn_exercise_interval;

#endif
