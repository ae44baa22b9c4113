/* The window around blocking system calls, and what signal handlers need of their context. */
#include "function.h"

#define TP_CANCEL 48
#define TP_WATCH 56
#define TP_HANDLERS 72
#define TP_COUNTED 80

/* (number, six arguments): as __popcorn_kernel, but gives up with -4094 as long as the thread names a cancel word that
 * is not zero, with -EINTR as long as handlers have run that count, and with -4095 as long as the thread names a word to
 * watch that is 1. A handler that finds the program counter between begin and end may let it give up. */
FUNCTION(__popcorn_waiting)
    mov x8, x0
    mov x0, x1
    mov x1, x2
    mov x2, x3
    mov x3, x4
    mov x4, x5
    mov x5, x6
    mrs x11, tpidr_el0
    .globl __popcorn_window_begin, __popcorn_window_end
    .globl __popcorn_window_again, __popcorn_window_interrupted, __popcorn_window_eintr
__popcorn_window_begin:
    ldr x9, [x11, #TP_CANCEL]
    cbz x9, 1f
    ldr w10, [x9]
    cbnz w10, __popcorn_window_leave
1:
    ldr x9, [x11, #TP_HANDLERS]
    ldr x10, [x11, #TP_COUNTED]
    tst x9, x10
    b.ne __popcorn_window_eintr
    ldr x9, [x11, #TP_WATCH]
    cbz x9, 2f
    ldr w10, [x9]
    cmp w10, #1 /* POPCORN_PARK */
    b.eq __popcorn_window_again
2:
    svc #0
__popcorn_window_end:
    ret
__popcorn_window_leave:
    mov x0, #-4094
    ret
__popcorn_window_again:
    mov x0, #-4095
    ret
__popcorn_window_interrupted:
    mov x0, #-4093
    ret
__popcorn_window_eintr:
    mov x0, #-4
    ret
END(__popcorn_waiting)

/* (context): if it was interrupted within the window, lets it give up and returns 1, else 0. */
FUNCTION(__popcorn_leave_window)
    mov x9, x0
    mov w0, #0
    ldr x10, [x9, #440] /* pc */
    adr x11, __popcorn_syscall_bounds
    ldp x12, x13, [x11]
    cmp x10, x12
    b.lo 1f
    cmp x10, x13
    b.hs 1f
    ldr x12, [x11, #16]
    str x12, [x9, #440]
    mov w0, #1
1:
    ret
    .balign 8
__popcorn_syscall_bounds:
    .quad __popcorn_window_begin, __popcorn_window_end, __popcorn_window_leave
END(__popcorn_leave_window)

/* (context): where its signal mask lies. */
FUNCTION(__popcorn_context_mask)
    add x0, x0, #40
    ret
END(__popcorn_context_mask)

FUNCTION(__restore)
    mov x8, #139
    svc #0
END(__restore)

FUNCTION(__restore_rt)
    mov x8, #139
    svc #0
END(__restore_rt)

.section .note.GNU-stack,"",%progbits
