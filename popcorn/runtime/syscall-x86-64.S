/* The window around blocking system calls, and what signal handlers need of their context. */
#include "function.h"

#define TP_CANCEL %fs:48
#define TP_WATCH %fs:56
#define TP_HANDLERS %fs:72
#define TP_COUNTED %fs:80

/* (number, six arguments), all of this ISA: as __popcorn_raw, but gives up with -4094 as long as the thread names a
 * cancel word that is not zero, with -EINTR as long as handlers have run that count, and with -4095 as long as the thread
 * names a word to watch that is 1. A handler that finds the program counter between begin and end may let it give up. */
FUNCTION(__popcorn_window)
    movq %rdi, %rax
    movq %rsi, %rdi
    movq %rdx, %rsi
    movq %rcx, %rdx
    movq %r8, %r10
    movq %r9, %r8
    movq 8(%rsp), %r9
    .globl __popcorn_window_begin, __popcorn_window_end
    .globl __popcorn_window_again, __popcorn_window_interrupted, __popcorn_window_eintr
__popcorn_window_begin:
    movq TP_CANCEL, %r11
    testq %r11, %r11
    jz 1f
    cmpl $0, (%r11)
    jne __popcorn_window_leave
1:
    movq TP_COUNTED, %r11
    testq %r11, TP_HANDLERS
    jnz __popcorn_window_eintr
    movq TP_WATCH, %r11
    testq %r11, %r11
    jz 2f
    cmpl $1, (%r11) /* POPCORN_PARK */
    je __popcorn_window_again
2:
    syscall
__popcorn_window_end:
    ret
__popcorn_window_leave:
    movq $-4094, %rax
    ret
__popcorn_window_again:
    movq $-4095, %rax
    ret
__popcorn_window_interrupted:
    movq $-4093, %rax
    ret
__popcorn_window_eintr:
    movq $-4, %rax
    ret
END(__popcorn_window)

/* (context): if it was interrupted within the window, lets it give up and returns 1, else 0. */
FUNCTION(__popcorn_leave_window)
    movq 168(%rdi), %rdx /* rip */
    xorl %eax, %eax
    cmpq $__popcorn_window_begin, %rdx
    jb 1f
    cmpq $__popcorn_window_end, %rdx
    jae 1f
    movq $__popcorn_window_leave, 168(%rdi)
    incl %eax
1:
    ret
END(__popcorn_leave_window)

/* (context): where its signal mask lies. */
FUNCTION(__popcorn_context_mask)
    leaq 296(%rdi), %rax
    ret
END(__popcorn_context_mask)

FUNCTION(__restore)
    movl $15, %eax
    syscall
END(__restore)

FUNCTION(__restore_rt)
    movl $15, %eax
    syscall
END(__restore_rt)

.section .note.GNU-stack,"",@progbits
