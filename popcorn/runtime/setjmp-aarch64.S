/* jmp_buf has 22 words: x19 to x30, sp, v8 to v15. Of the words of the mask: 31 the object that resume functions call
 * setjmp into, 32 how often the thread's frames had been rebuilt, 33 whether there is a mask. */
#include "function.h"

#define TP_CANCEL 48
#define TP_REBUILDS 64

FUNCTION(setjmp)
    stp x19, x20, [x0]
    stp x21, x22, [x0, #16]
    stp x23, x24, [x0, #32]
    stp x25, x26, [x0, #48]
    stp x27, x28, [x0, #64]
    stp x29, x30, [x0, #80]
    mov x2, sp
    str x2, [x0, #96]
    stp d8, d9, [x0, #112]
    stp d10, d11, [x0, #128]
    stp d12, d13, [x0, #144]
    stp d14, d15, [x0, #160]
    mrs x2, tpidr_el0
    ldr x2, [x2, #TP_REBUILDS]
    str x2, [x0, #256]
    str xzr, [x0, #264]
    mov w0, #0
    ret
END(setjmp)
.globl _setjmp, __setjmp
.set _setjmp, setjmp
.set __setjmp, setjmp

/* Out of a handler, it may leave a system call that could be cancelled. */
FUNCTION(longjmp)
    mrs x2, tpidr_el0
    str xzr, [x2, #TP_CANCEL]
    ldr x2, [x2, #TP_REBUILDS]
    ldr x3, [x0, #256]
    cmp x2, x3
    b.ne popcorn_jump
    ldp x19, x20, [x0]
    ldp x21, x22, [x0, #16]
    ldp x23, x24, [x0, #32]
    ldp x25, x26, [x0, #48]
    ldp x27, x28, [x0, #64]
    ldp x29, x30, [x0, #80]
    ldr x2, [x0, #96]
    mov sp, x2
    ldp d8, d9, [x0, #112]
    ldp d10, d11, [x0, #128]
    ldp d12, d13, [x0, #144]
    ldp d14, d15, [x0, #160]
    cmp w1, #0
    csinc w0, w1, wzr, ne
    ret
END(longjmp)
.globl _longjmp
.set _longjmp, longjmp

/* After setjmp's words come the flag's word, which holds the return address here, and the mask, whose second word holds
 * x19: __sigsetjmp_tail writes the first. */
FUNCTION(sigsetjmp)
    cbz w1, setjmp
    str x30, [x0, #176]
    str x19, [x0, #192]
    mov x19, x0
    bl setjmp
    mov w1, w0
    mov x0, x19
    mov x2, #1
    str x2, [x0, #264]
    ldr x30, [x0, #176]
    ldr x19, [x0, #192]
    b __sigsetjmp_tail
END(sigsetjmp)
.globl __sigsetjmp
.set __sigsetjmp, sigsetjmp

.section .note.GNU-stack,"",%progbits
