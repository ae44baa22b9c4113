/* Creating threads and processes that share memory, and ending a thread whose stack goes. */
#include "function.h"

/* int __clone(int (*function)(void *), void *stack, int flags, void *argument, ...): a variadic function of portable code
 * gets the address of its variadic arguments, here pid_t *parent, void *tls, pid_t *child. */
FUNCTION(__clone)
    and x1, x1, #-16
    stp x0, x3, [x1, #-16]!
    mov w0, w2
    mov w5, w2
    ldp x2, x3, [x4]
    ldr x4, [x4, #16]
    mov x8, #220
    svc #0
    cbz x0, 1f
    ret
1:
    mov x29, #0
    mov x30, #0
    ldp x9, x0, [sp], #16
    tbz w5, #16, 2f /* CLONE_THREAD: its frames can be captured */
    mov x1, x0
    mov x0, x9
    bl __popcorn_start_thread
2:
    blr x9
    mov x8, #93
    svc #0
    brk #0
END(__clone)

FUNCTION(vfork)
    mov x0, #0x4111 /* CLONE_VM | CLONE_VFORK | SIGCHLD */
    mov x1, #0
    mov x2, #0
    mov x3, #0
    mov x4, #0
    mov x8, #220
    svc #0
    b __syscall_ret
END(vfork)

FUNCTION(__unmapself)
    b __popcorn_unmap_and_exit
END(__unmapself)

.section .note.GNU-stack,"",%progbits
