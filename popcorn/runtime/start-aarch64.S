/* The program's entry, its change to another stack, the thread pointer, and system calls. */
#include "function.h"

FUNCTION(_start)
    mov x29, #0
    mov x30, #0
    mov x0, sp
    and sp, x0, #-16
    b popcorn_start
END(_start)

/* (function, argument, top of stack): does not return. */
FUNCTION(__popcorn_call_on_stack)
    mov x9, x0
    mov x0, x1
    and sp, x2, #-16
    mov x29, #0
    mov x30, #0
    blr x9
    brk #0
END(__popcorn_call_on_stack)

FUNCTION(popcorn_load_thread_pointer)
    msr tpidr_el0, x0
    mov w0, #0
    ret
END(popcorn_load_thread_pointer)

/* (number, six arguments): the portable system calls are this ISA's; returns -errno. The reserved signal lets it be made
 * again where it was interrupted, but for close, which has closed. */
FUNCTION(__popcorn_kernel)
    mov x8, x0
    mov x0, x1
    mov x1, x2
    mov x2, x3
    mov x3, x4
    mov x4, x5
    mov x5, x6
    mov x9, x0
1:
    svc #0
    .globl __popcorn_raw_end, __popcorn_raw_again
__popcorn_raw_end:
    ret
__popcorn_raw_again:
    mov x0, x9
    cmp x8, #57 /* close */
    b.ne 1b
    mov x0, #-4
    ret
END(__popcorn_kernel)

.section .note.GNU-stack,"",%progbits
