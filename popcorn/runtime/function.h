/* For assembly: a function in a section of its own, which the aligned link gives one address on both ISAs. */
/* clang-format off */
#define FUNCTION(name)                                                                                                 \
    .section .text.name, "ax", %progbits;                                                                              \
    .balign 16;                                                                                                        \
    .globl name;                                                                                                       \
    .type name, %function;                                                                                             \
    name:                                                                                                              \
    .cfi_startproc
#define END(name)                                                                                                      \
    .cfi_endproc;                                                                                                      \
    .size name, .- name
