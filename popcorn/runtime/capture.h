/* For the C library: threads whose frames can be captured. Everything here is native code, without a C library. */
#ifndef HRUNC_POPCORN_RUNTIME_CAPTURE_H
#define HRUNC_POPCORN_RUNTIME_CAPTURE_H

#include "popcorn/abi.h"

#include <stddef.h>

/* Runs function(argument) on stack regions of this size and registers the thread for as long. Gives what it returns;
 * after a move to the other ISA there is nothing to return to, and the thread ends (the first one: the process, with the
 * result as its status). The thread pointer has to be set. The first call starts the runtime. */
long __popcorn_run(long (*function)(void *), void *argument, size_t stack_size);

/* To be called in the child of a fork, in place of what it takes to know that it has one thread now. */
void __popcorn_forked(void);

/* The calling thread is about to end without a return from its function. */
void __popcorn_thread_ends(void);

/* A migration point: looks at the notify word. Preserves nearly all registers when called from instrumented code. */
void __popcorn_poll(void);

/* A migration point before and in the call: portable numbers, -errno. */
long __popcorn_syscall(long number, long a, long b, long c, long d, long e, long f);

/* Under POPCORN_EXERCISE, one of so many migration points captures and resumes. */
extern volatile uint32_t __popcorn_exercise_interval;

#endif
