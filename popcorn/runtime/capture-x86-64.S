/* Entries from instrumented code: each leaves a struct popcorn_registers of its caller on the stack. */
#include "function.h"

#define GPR(n) (8 * (n))
#define VECTOR(n) (256 + 16 * (n))
#define PC (256 + 512)
#define SIZE (256 + 512 + 16)

/* Preserves all registers but r11. */
FUNCTION(__popcorn_poll)
    leaq 8(%rsp), %r11
    subq $(SIZE + 16), %rsp
    andq $-16, %rsp
    movq %rax, GPR(0)(%rsp)
    movq %rdx, GPR(1)(%rsp)
    movq %rcx, GPR(2)(%rsp)
    movq %rbx, GPR(3)(%rsp)
    movq %rsi, GPR(4)(%rsp)
    movq %rdi, GPR(5)(%rsp)
    movq %rbp, GPR(6)(%rsp)
    movq %r11, GPR(7)(%rsp)
    movq %r8, GPR(8)(%rsp)
    movq %r9, GPR(9)(%rsp)
    movq %r10, GPR(10)(%rsp)
    movq %r12, GPR(12)(%rsp)
    movq %r13, GPR(13)(%rsp)
    movq %r14, GPR(14)(%rsp)
    movq %r15, GPR(15)(%rsp)
    movq -8(%r11), %rax
    movq %rax, PC(%rsp)
    movaps %xmm0, VECTOR(0)(%rsp)
    movaps %xmm1, VECTOR(1)(%rsp)
    movaps %xmm2, VECTOR(2)(%rsp)
    movaps %xmm3, VECTOR(3)(%rsp)
    movaps %xmm4, VECTOR(4)(%rsp)
    movaps %xmm5, VECTOR(5)(%rsp)
    movaps %xmm6, VECTOR(6)(%rsp)
    movaps %xmm7, VECTOR(7)(%rsp)
    movaps %xmm8, VECTOR(8)(%rsp)
    movaps %xmm9, VECTOR(9)(%rsp)
    movaps %xmm10, VECTOR(10)(%rsp)
    movaps %xmm11, VECTOR(11)(%rsp)
    movaps %xmm12, VECTOR(12)(%rsp)
    movaps %xmm13, VECTOR(13)(%rsp)
    movaps %xmm14, VECTOR(14)(%rsp)
    movaps %xmm15, VECTOR(15)(%rsp)
    movq %rsp, %rdi
    call popcorn_poll_from
    movaps VECTOR(0)(%rsp), %xmm0
    movaps VECTOR(1)(%rsp), %xmm1
    movaps VECTOR(2)(%rsp), %xmm2
    movaps VECTOR(3)(%rsp), %xmm3
    movaps VECTOR(4)(%rsp), %xmm4
    movaps VECTOR(5)(%rsp), %xmm5
    movaps VECTOR(6)(%rsp), %xmm6
    movaps VECTOR(7)(%rsp), %xmm7
    movaps VECTOR(8)(%rsp), %xmm8
    movaps VECTOR(9)(%rsp), %xmm9
    movaps VECTOR(10)(%rsp), %xmm10
    movaps VECTOR(11)(%rsp), %xmm11
    movaps VECTOR(12)(%rsp), %xmm12
    movaps VECTOR(13)(%rsp), %xmm13
    movaps VECTOR(14)(%rsp), %xmm14
    movaps VECTOR(15)(%rsp), %xmm15
    movq GPR(0)(%rsp), %rax
    movq GPR(1)(%rsp), %rdx
    movq GPR(2)(%rsp), %rcx
    movq GPR(4)(%rsp), %rsi
    movq GPR(5)(%rsp), %rdi
    movq GPR(8)(%rsp), %r8
    movq GPR(9)(%rsp), %r9
    movq GPR(10)(%rsp), %r10
    movq GPR(7)(%rsp), %r11
    leaq -8(%r11), %rsp
    ret
END(__popcorn_poll)

/* What the caller's frame needs: registers that calls preserve. The first argument of popcorn_syscall_from is them. */
.macro save_caller size
    leaq 8(%rsp), %r11
    subq $(\size), %rsp
    andq $-16, %rsp
    movq %rbx, GPR(3)(%rsp)
    movq %rbp, GPR(6)(%rsp)
    movq %r11, GPR(7)(%rsp)
    movq %r12, GPR(12)(%rsp)
    movq %r13, GPR(13)(%rsp)
    movq %r14, GPR(14)(%rsp)
    movq %r15, GPR(15)(%rsp)
    movq -8(%r11), %rax
    movq %rax, PC(%rsp)
.endm

.macro leave
    movq GPR(7)(%rsp), %r11
    leaq -8(%r11), %rsp
    ret
.endm

/* long (number, six arguments) */
FUNCTION(__popcorn_syscall)
    save_caller SIZE+80
    movq %rdi, SIZE(%rsp)
    movq %rsi, SIZE+8(%rsp)
    movq %rdx, SIZE+16(%rsp)
    movq %rcx, SIZE+24(%rsp)
    movq %r8, SIZE+32(%rsp)
    movq %r9, SIZE+40(%rsp)
    movq (%r11), %rax
    movq %rax, SIZE+48(%rsp)
    movq $0, SIZE+56(%rsp)
    movq %rsp, %rdi
    leaq SIZE(%rsp), %rsi
    call popcorn_syscall_from
    leave
END(__popcorn_syscall)

/* long (record) */
FUNCTION(__popcorn_resume_syscall)
    save_caller SIZE+16
    movq %rdi, %rsi
    movq %rsp, %rdi
    call popcorn_syscall_again
    leave
END(__popcorn_resume_syscall)

/* (function, argument, top of the stack): the lowest frame of a thread. */
FUNCTION(popcorn_call_on_stack)
    movq %rdx, %rsp
    andq $-16, %rsp
    xorl %ebp, %ebp
    movq %rdi, %rax
    movq %rsi, %rdi
    call *%rax
    .globl popcorn_base
popcorn_base:
    movq %rax, %rdi
    call popcorn_base_returned
    hlt
END(popcorn_call_on_stack)

/* (address, size, other address, size): what is 0 bytes stays. */
FUNCTION(popcorn_unmap_and_exit)
    movq %rdx, %r8
    movq %rcx, %r9
    testq %rsi, %rsi
    jz 1f
    movl $11, %eax /* munmap */
    syscall
1:
    movq %r8, %rdi
    movq %r9, %rsi
    testq %rsi, %rsi
    jz 2f
    movl $11, %eax
    syscall
2:
    xorl %edi, %edi
    movl $60, %eax /* exit */
    syscall
    hlt
END(popcorn_unmap_and_exit)

/* Entered with the thread in rdi and its resume_sp in rsp. */
FUNCTION(__popcorn_resume)
    andq $-16, %rsp
    xorl %ebp, %ebp
    call popcorn_resumed
    hlt
END(__popcorn_resume)

FUNCTION(popcorn_restorer)
    movl $15, %eax
    syscall
END(popcorn_restorer)

.section .note.GNU-stack,"",%progbits
