/* x86-64: start, the entry after a move, signal return, thread pointer. Offsets: popcorn/popcorn_abi.h. */
#include <asm/unistd.h>

        .macro function name
        .section .text.\name, "ax", @progbits
        .globl \name
        .type \name, @function
\name:
        .endm
        .macro end name
        .size \name, . - \name
        .endm

function _start
        xor %ebp, %ebp
        mov %rsp, %rdi
        and $-16, %rsp
        call popcorn_start
        mov %rax, %rsp
        call popcorn_base
        ud2
end _start

function __popcorn_resume
        mov %rax, popcorn_arrived + 16
        mov %rdx, popcorn_arrived + 24
        mov %rcx, popcorn_arrived + 32
        mov %rbx, popcorn_arrived + 40
        mov %rsi, popcorn_arrived + 48
        mov %rdi, popcorn_arrived + 56
        mov %rbp, popcorn_arrived + 64
        mov %rsp, popcorn_arrived + 72
        mov %r8, popcorn_arrived + 80
        mov %r9, popcorn_arrived + 88
        mov %r10, popcorn_arrived + 96
        mov %r11, popcorn_arrived + 104
        mov %r12, popcorn_arrived + 112
        mov %r13, popcorn_arrived + 120
        mov %r14, popcorn_arrived + 128
        mov %r15, popcorn_arrived + 136
        .irp n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15
        movaps %xmm\n, popcorn_arrived + 208 + 16 * \n
        .endr
        movq $__popcorn_resume, popcorn_arrived + 8
        cld
        xor %ebp, %ebp
        and $-16, %rsp
        call popcorn_resumed
        ud2
end __popcorn_resume

function __popcorn_sigreturn
        mov $__NR_rt_sigreturn, %eax
        syscall
        ud2
end __popcorn_sigreturn

function popcorn_set_thread_pointer
        mov %rdi, %rsi
        mov $0x1002, %edi       /* ARCH_SET_FS */
        mov $__NR_arch_prctl, %eax
        syscall
        ret
end popcorn_set_thread_pointer

function popcorn_get_thread_pointer
        mov %fs:0, %rax
        ret
end popcorn_get_thread_pointer

        .section .note.GNU-stack, "", @progbits
