/* What the runtime's files share. */
#pragma once

#include "runtime.h"

/* Two halves: the program runs on one, the frames for the target are laid out in the other. */
enum { kHalf = 256 * 1024 };
extern uint8_t popcorn_stack[2][kHalf];

extern volatile int64_t popcorn_target;          /* of the capture under way */
extern struct popcorn_record *popcorn_innermost; /* first pushed, highest address */
extern struct popcorn_record *popcorn_outermost; /* last pushed, lowest address; next to be taken on resume */

/* What the registers were when __popcorn_resume got them, in this ISA's layout. */
extern union popcorn_regs popcorn_arrived;

uint64_t popcorn_thread_pointer(int64_t isa); /* of the one thread, as that ISA counts it */

/* Assembly. */
void __popcorn_resume(void); /* takes the registers, calls popcorn_resumed() */
void popcorn_set_thread_pointer(uint64_t);
uint64_t popcorn_get_thread_pointer(void);

void popcorn_set_arguments(int argc, char **argv, char **environment);
_Noreturn void popcorn_base(void);    /* runs the program, from its start or from the records */
_Noreturn void popcorn_resumed(void); /* the first C code after a move */
void popcorn_park(void);              /* steps 2 to 4 of the contract; returns if the task was just continued */
