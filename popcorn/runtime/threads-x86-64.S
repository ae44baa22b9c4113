/* Creating threads and processes that share memory, and ending a thread whose stack goes. */
#include "function.h"

/* (flags, stack, parent, tls, child): what it makes starts in popcorn_cloned(stack). */
FUNCTION(popcorn_clone)
    movq %rcx, %r9
    movq %r8, %r10
    movq %r9, %r8
    movl $56, %eax
    syscall
    testl %eax, %eax
    jz 1f
    ret
1:
    xorl %ebp, %ebp
    movq %rsp, %rdi
    call popcorn_cloned
    hlt
END(popcorn_clone)

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
