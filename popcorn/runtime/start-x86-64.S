/* The program's entry, its change to another stack, and the thread pointer. */
#include <asm/unistd_64.h>
#include "function.h"

FUNCTION(_start)
    xorl %ebp, %ebp
    movq %rsp, %rdi
    andq $-16, %rsp
    call popcorn_start
    hlt
END(_start)

/* (function, argument, top of stack): does not return. */
FUNCTION(__popcorn_call_on_stack)
    movq %rdi, %rax
    movq %rsi, %rdi
    movq %rdx, %rsp
    andq $-16, %rsp
    xorl %ebp, %ebp
    call *%rax
    hlt
END(__popcorn_call_on_stack)

FUNCTION(popcorn_load_thread_pointer)
    movq %rdi, %rsi
    movl $0x1002, %edi /* ARCH_SET_FS */
    movl $__NR_arch_prctl, %eax
    syscall
    ret
END(popcorn_load_thread_pointer)

/* (number, six arguments), all of this ISA; returns -errno. The reserved signal lets it be made again where it was
 * interrupted, but for close, which has closed. */
FUNCTION(__popcorn_raw)
    movq %rdi, %rax
    movq %rsi, %rdi
    movq %rdx, %rsi
    movq %rcx, %rdx
    movq %r8, %r10
    movq %r9, %r8
    movq 8(%rsp), %r9
    movq %rax, -8(%rsp)
1:
    syscall
    .globl __popcorn_raw_end, __popcorn_raw_again
__popcorn_raw_end:
    ret
__popcorn_raw_again:
    movq -8(%rsp), %rax
    cmpq $__NR_close, %rax
    jne 1b
    movq $-4, %rax
    ret
END(__popcorn_raw)

.section .note.GNU-stack,"",@progbits
