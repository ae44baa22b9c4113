/* Creating threads and processes that share memory, and ending a thread whose stack goes. */
#include "function.h"

/* (flags, stack, parent, tls, child): what it makes starts in popcorn_cloned(stack). */
FUNCTION(popcorn_clone)
    mov x8, #220
    svc #0
    cbz x0, 1f
    ret
1:
    mov x29, #0
    mov x30, #0
    mov x0, sp
    bl popcorn_cloned
    brk #0
END(popcorn_clone)

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
