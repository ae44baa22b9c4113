/* aarch64: start, the entry after a move, signal return, thread pointer. Offsets: popcorn/popcorn_abi.h. */
#include <asm/unistd.h>

        .macro function name
        .section .text.\name, "ax", %progbits
        .globl \name
        .type \name, %function
        .p2align 2
\name:
        .endm
        .macro end name
        .size \name, . - \name
        .endm

function _start
        mov x29, #0
        mov x30, #0
        mov x0, sp
        bl popcorn_start
        mov sp, x0
        bl popcorn_base
        brk #0
end _start

function __popcorn_resume
        stp x0, x1, [sp, #-16]!
        adrp x0, popcorn_arrived
        add x0, x0, :lo12:popcorn_arrived
        .irp n, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30
        str x\n, [x0, #24 + 8 * \n]
        .endr
        .irp n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31
        str q\n, [x0, #272 + 16 * \n]
        .endr
        ldp x1, x2, [sp], #16
        stp x1, x2, [x0, #24]
        mov x1, sp
        adrp x2, __popcorn_resume
        add x2, x2, :lo12:__popcorn_resume
        stp x1, x2, [x0, #8]
        mov x29, #0
        mov x30, #0
        bl popcorn_resumed
        brk #0
end __popcorn_resume

function __popcorn_sigreturn
        mov x8, #__NR_rt_sigreturn
        svc #0
        brk #0
end __popcorn_sigreturn

function popcorn_set_thread_pointer
        msr tpidr_el0, x0
        ret
end popcorn_set_thread_pointer

function popcorn_get_thread_pointer
        mrs x0, tpidr_el0
        ret
end popcorn_get_thread_pointer

        .section .note.GNU-stack, "", %progbits
