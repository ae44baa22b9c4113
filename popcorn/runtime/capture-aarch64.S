/* Entries from instrumented code: each leaves a struct popcorn_registers of its caller on the stack. */
#include "function.h"

#define GPR(n) (8 * (n))
#define VECTOR(n) (256 + 16 * (n))
#define PC (256 + 512)
#define SIZE (256 + 512 + 16)

/* Preserves all registers but x16 to x18 and x30. */
FUNCTION(__popcorn_poll)
    mov x16, sp
    sub sp, sp, #SIZE
    stp x0, x1, [sp, #GPR(0)]
    stp x2, x3, [sp, #GPR(2)]
    stp x4, x5, [sp, #GPR(4)]
    stp x6, x7, [sp, #GPR(6)]
    stp x8, x9, [sp, #GPR(8)]
    stp x10, x11, [sp, #GPR(10)]
    stp x12, x13, [sp, #GPR(12)]
    stp x14, x15, [sp, #GPR(14)]
    stp x18, x19, [sp, #GPR(18)]
    stp x20, x21, [sp, #GPR(20)]
    stp x22, x23, [sp, #GPR(22)]
    stp x24, x25, [sp, #GPR(24)]
    stp x26, x27, [sp, #GPR(26)]
    stp x28, x29, [sp, #GPR(28)]
    stp x30, x16, [sp, #GPR(30)]
    str x30, [sp, #PC]
    stp q0, q1, [sp, #VECTOR(0)]
    stp q2, q3, [sp, #VECTOR(2)]
    stp q4, q5, [sp, #VECTOR(4)]
    stp q6, q7, [sp, #VECTOR(6)]
    stp q8, q9, [sp, #VECTOR(8)]
    stp q10, q11, [sp, #VECTOR(10)]
    stp q12, q13, [sp, #VECTOR(12)]
    stp q14, q15, [sp, #VECTOR(14)]
    stp q16, q17, [sp, #VECTOR(16)]
    stp q18, q19, [sp, #VECTOR(18)]
    stp q20, q21, [sp, #VECTOR(20)]
    stp q22, q23, [sp, #VECTOR(22)]
    stp q24, q25, [sp, #VECTOR(24)]
    stp q26, q27, [sp, #VECTOR(26)]
    stp q28, q29, [sp, #VECTOR(28)]
    stp q30, q31, [sp, #VECTOR(30)]
    mov x0, sp
    bl popcorn_poll_from
    ldp q0, q1, [sp, #VECTOR(0)]
    ldp q2, q3, [sp, #VECTOR(2)]
    ldp q4, q5, [sp, #VECTOR(4)]
    ldp q6, q7, [sp, #VECTOR(6)]
    ldp q8, q9, [sp, #VECTOR(8)]
    ldp q10, q11, [sp, #VECTOR(10)]
    ldp q12, q13, [sp, #VECTOR(12)]
    ldp q14, q15, [sp, #VECTOR(14)]
    ldp q16, q17, [sp, #VECTOR(16)]
    ldp q18, q19, [sp, #VECTOR(18)]
    ldp q20, q21, [sp, #VECTOR(20)]
    ldp q22, q23, [sp, #VECTOR(22)]
    ldp q24, q25, [sp, #VECTOR(24)]
    ldp q26, q27, [sp, #VECTOR(26)]
    ldp q28, q29, [sp, #VECTOR(28)]
    ldp q30, q31, [sp, #VECTOR(30)]
    ldp x0, x1, [sp, #GPR(0)]
    ldp x2, x3, [sp, #GPR(2)]
    ldp x4, x5, [sp, #GPR(4)]
    ldp x6, x7, [sp, #GPR(6)]
    ldp x8, x9, [sp, #GPR(8)]
    ldp x10, x11, [sp, #GPR(10)]
    ldp x12, x13, [sp, #GPR(12)]
    ldp x14, x15, [sp, #GPR(14)]
    ldr x30, [sp, #GPR(30)]
    add sp, sp, #SIZE
    ret
END(__popcorn_poll)

.macro save_caller size
    mov x16, sp
    sub sp, sp, #(\size)
    stp x18, x19, [sp, #GPR(18)]
    stp x20, x21, [sp, #GPR(20)]
    stp x22, x23, [sp, #GPR(22)]
    stp x24, x25, [sp, #GPR(24)]
    stp x26, x27, [sp, #GPR(26)]
    stp x28, x29, [sp, #GPR(28)]
    stp x30, x16, [sp, #GPR(30)]
    str x30, [sp, #PC]
    stp q8, q9, [sp, #VECTOR(8)]
    stp q10, q11, [sp, #VECTOR(10)]
    stp q12, q13, [sp, #VECTOR(12)]
    stp q14, q15, [sp, #VECTOR(14)]
.endm

/* long (number, six arguments) */
FUNCTION(__popcorn_syscall)
    save_caller SIZE+80
    add x9, sp, #SIZE
    stp x0, x1, [x9]
    stp x2, x3, [x9, #16]
    stp x4, x5, [x9, #32]
    stp x6, xzr, [x9, #48]
    mov x0, sp
    mov x1, x9
    bl popcorn_syscall_from
    ldr x30, [sp, #GPR(30)]
    add sp, sp, #(SIZE + 80)
    ret
END(__popcorn_syscall)

/* long (record) */
FUNCTION(__popcorn_resume_syscall)
    save_caller SIZE
    mov x1, x0
    mov x0, sp
    bl popcorn_syscall_again
    ldr x30, [sp, #GPR(30)]
    add sp, sp, #SIZE
    ret
END(__popcorn_resume_syscall)

/* (function, argument, top of the stack): the lowest frame of a thread. */
FUNCTION(popcorn_call_on_stack)
    and x2, x2, #-16
    mov sp, x2
    mov x29, xzr
    mov x16, x0
    mov x0, x1
    blr x16
    .globl popcorn_base
popcorn_base:
    bl popcorn_base_returned
    brk #1
END(popcorn_call_on_stack)

/* (address, size, other address, size): what is 0 bytes stays. */
FUNCTION(popcorn_unmap_and_exit)
    mov x9, x2
    mov x10, x3
    mov x8, #215 /* munmap */
    cbz x1, 1f
    svc #0
1:
    mov x0, x9
    mov x1, x10
    cbz x1, 2f
    svc #0
2:
    mov x0, #0
    mov x8, #93 /* exit */
    svc #0
    brk #0
END(popcorn_unmap_and_exit)

/* Entered with the thread in x0 and its resume_sp in sp. */
FUNCTION(__popcorn_resume)
    mov x29, xzr
    bl popcorn_resumed
    brk #1
END(__popcorn_resume)

FUNCTION(popcorn_restorer)
    mov x8, #139
    svc #0
END(popcorn_restorer)

.section .note.GNU-stack,"",%progbits
