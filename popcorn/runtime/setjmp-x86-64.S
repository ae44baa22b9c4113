/* jmp_buf has the 22 words of the larger ISA; here 8 are used. For both ISAs, of the words of the mask: 31 the
 * object that resume functions call setjmp into, 32 how often the thread's frames had been rebuilt, 33 whether there is
 * a mask. */
#include "function.h"

#define TP_CANCEL %fs:48
#define TP_REBUILDS %fs:64

FUNCTION(setjmp)
    movq %rbx, (%rdi)
    movq %rbp, 8(%rdi)
    movq %r12, 16(%rdi)
    movq %r13, 24(%rdi)
    movq %r14, 32(%rdi)
    movq %r15, 40(%rdi)
    leaq 8(%rsp), %rdx
    movq %rdx, 48(%rdi)
    movq (%rsp), %rdx
    movq %rdx, 56(%rdi)
    movq TP_REBUILDS, %rdx
    movq %rdx, 256(%rdi)
    movq $0, 264(%rdi)
    xorl %eax, %eax
    ret
END(setjmp)
.globl _setjmp, __setjmp
.set _setjmp, setjmp
.set __setjmp, setjmp

/* Out of a handler, it may leave a system call that could be cancelled. */
FUNCTION(longjmp)
    movq $0, TP_CANCEL
    movq TP_REBUILDS, %rax
    cmpq 256(%rdi), %rax
    jne popcorn_jump
    xorl %eax, %eax
    cmpl $1, %esi
    adcl %esi, %eax
    movq (%rdi), %rbx
    movq 8(%rdi), %rbp
    movq 16(%rdi), %r12
    movq 24(%rdi), %r13
    movq 32(%rdi), %r14
    movq 40(%rdi), %r15
    movq 48(%rdi), %rsp
    jmp *56(%rdi)
END(longjmp)
.globl _longjmp
.set _longjmp, longjmp

/* After setjmp's words come the flag's word, which holds the return address here, and the mask, whose second word holds
 * rbx: __sigsetjmp_tail writes the first. */
FUNCTION(sigsetjmp)
    testl %esi, %esi
    jz setjmp
    popq 176(%rdi)
    movq %rbx, 192(%rdi)
    movq %rdi, %rbx
    call setjmp
    pushq 176(%rbx)
    movq $1, 264(%rbx)
    movq %rbx, %rdi
    movl %eax, %esi
    movq 192(%rbx), %rbx
    jmp __sigsetjmp_tail
END(sigsetjmp)
.globl __sigsetjmp
.set __sigsetjmp, sigsetjmp

.section .note.GNU-stack,"",@progbits
