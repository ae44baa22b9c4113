/* Creating threads and processes that share memory, and ending a thread whose stack goes. */
#include "function.h"

/* int __clone(int (*function)(void *), void *stack, int flags, void *argument, ...): a variadic function of portable code
 * gets the address of its variadic arguments, here pid_t *parent, void *tls, pid_t *child. */
FUNCTION(__clone)
    andq $-16, %rsi
    subq $16, %rsi
    movq %rcx, (%rsi)
    movq %rdi, %r11
    movl %edx, %edi
    movq (%r8), %rdx
    movq 16(%r8), %r10
    movq 8(%r8), %r8
    movq %r11, %r9
    movl $56, %eax
    syscall
    testl %eax, %eax
    jnz 1f
    xorl %ebp, %ebp
    testl $0x10000, %edi /* CLONE_THREAD: its frames can be captured */
    popq %rdi
    leaq 8(%rsp), %rsp
    jz 2f
    movq %rdi, %rsi
    movq %r9, %rdi
    call __popcorn_start_thread
2:
    call *%r9
    movl %eax, %edi
    movl $60, %eax
    syscall
    hlt
1:
    ret
END(__clone)

FUNCTION(vfork)
    popq %rdx
    movl $58, %eax
    syscall
    pushq %rdx
    movq %rax, %rdi
    jmp __syscall_ret
END(vfork)

FUNCTION(__unmapself)
    jmp __popcorn_unmap_and_exit
END(__unmapself)

.section .note.GNU-stack,"",@progbits
