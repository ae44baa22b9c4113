/* The popcorn ABI: what a migratable program, the notifier and the recoder agree on. For C11 and C++.
 *
 * Names, numbers and layouts are those of H-Container (the `criu` branch of the Popcorn compiler and its notifier);
 * what goes beyond them is marked "addition", and a program without the additions is still valid.
 *
 * A migratable program is two static, non-PIE executables NAME_x86-64 and NAME_aarch64; NAME is a copy of the one that
 * fits the host. In both, functions and data have equal addresses, and the program headers are equal. The program is
 * one thread. The three symbols below are found by name in the executable's symbol table.
 *
 * Asking. `__migrate_gb_variable` is -1. The notifier writes a target (POPCORN_AARCH64, POPCORN_X86_64; the ISA that
 * the program runs on is allowed too) while the task is stopped under ptrace, and lets it run on. It may ask at any
 * time, and may take the request back by writing -1, at any time too. The program looks at the variable at its
 * migration points: in loops and around blocking system calls, which it therefore cuts into slices (here: 50 ms at
 * most). It does not look while a signal handler runs. A value that is none of the three is left alone.
 *
 * Answering. At a migration point the program
 *   1. writes its frames, as the target is to find them, into that half of its stack region that it does not run on,
 *   2. fills `regs_dst` in the target's layout (magic last) and `tls_dst`,
 *   3. sets `__migrate_gb_variable` to -1,
 *   4. sends itself SIGALRM by tgkill, with SIGALRM unblocked and a disposition under which it has no effect.
 * So a tracer that sees a signal-delivery stop with SIGALRM while the variable is -1 finds everything in place. The
 * tracer should suppress that signal. To tell it from an alarm of the program's own, which is to be delivered: si_code
 * is SI_TKILL and si_pid the task itself (addition: H-Container's notifier looks at the variable only).
 *
 * Afterwards. If the task is just continued, it goes on from where it was, on its own ISA: a request costs nothing but
 * time. If it is dumped in that stop, the recoder gives it the registers in `regs_dst` and the thread pointer in
 * `tls_dst`, on the ISA that `magic` names, and it goes on there. Both ways it puts back the signal mask and SIGALRM's
 * disposition, and sets `magic` to 0 (addition: a task whose magic is neither of the two is not at a migration point).
 *
 * The recoder may rely on this, at that stop:
 *   - sp lies in the program's own stack region, pc in its executable mapping: equal addresses on both ISAs. pc is a
 *     function that takes over all registers of `regs_dst`, so each of them has to be delivered, bit by bit: x0-x30 and
 *     v0-v31; rax..r15 and xmm0-xmm15. The rest of an x86-64 vector register is not carried.
 *   - mmx and x87 registers are dead and zero here: the x87 stack is to be empty. cs, ss, ds, es, fs, gs are zero: the
 *     recoder takes the target kernel's selectors. Of rflags only the fixed bit 1 and the interrupt flag are set.
 *   - The ABI has no field for floating-point control. The task's own control and status at the stop are the program's,
 *     and the recoder maps them: rounding mode, flush to zero (fpcr.FZ; mxcsr.FTZ and DAZ together), sticky exception
 *     flags (fpsr, mxcsr); x86-64's x87 control word gets the rounding mode of mxcsr.
 *   - No system call is to be restarted, and no signal handler's frame is on either stack.
 *   - Signal actions carry SA_RESTORER and `__popcorn_sigreturn` on both ISAs (addition). An action with
 *     another restorer points into code of one ISA: drop it towards aarch64, whose vdso has one.
 *   - All memory that the program uses lies below 2^47. It leaves the stack that the kernel made, the auxiliary vector,
 *     argv and environment strings on it, and the vdso behind at its start: those mappings can go. Of code,
 *     only addresses of function entries, which are equal, are in memory that is used again.
 *   - Robust list and rseq are not registered; the program sets no clear_child_tid address.
 */
#ifndef HRUNC_POPCORN_POPCORN_ABI_H
#define HRUNC_POPCORN_POPCORN_ABI_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
#define POPCORN_ASSERT(condition) static_assert(condition, #condition)
extern "C" {
#else
#define POPCORN_ASSERT(condition) _Static_assert(condition, #condition)
#endif

/* Names in the executable's symbol table. */
#define POPCORN_SYMBOL_VARIABLE "__migrate_gb_variable" /* object, 8 bytes, in .data: -1 */
#define POPCORN_SYMBOL_REGS "regs_dst"                  /* object, sizeof(union popcorn_regs) at least, in .bss */
#define POPCORN_SYMBOL_TLS "tls_dst"                    /* object, 8 bytes, in .bss */
#define POPCORN_SYMBOL_SIGRETURN "__popcorn_sigreturn"  /* function (addition) */

/* Values of the variable. */
#define POPCORN_NONE (-1)
#define POPCORN_AARCH64 0
#define POPCORN_X86_64 1

/* First word of regs_dst. */
#define POPCORN_MAGIC_AARCH64 0xAABCBDEADBEAFull
#define POPCORN_MAGIC_X86_64 0xA8664DEADBEAFull

/* 128 bits, low half first; of an x87 register the low 10 bytes count. */
struct popcorn_u128 {
    uint64_t low, high;
};

struct popcorn_regs_aarch64 {
    uint64_t magic;
    uint64_t sp, pc;
    uint64_t x[31];
    struct popcorn_u128 v[32];
};
POPCORN_ASSERT(offsetof(struct popcorn_regs_aarch64, sp) == 8);
POPCORN_ASSERT(offsetof(struct popcorn_regs_aarch64, pc) == 16);
POPCORN_ASSERT(offsetof(struct popcorn_regs_aarch64, x) == 24);
POPCORN_ASSERT(offsetof(struct popcorn_regs_aarch64, v) == 272);
POPCORN_ASSERT(sizeof(struct popcorn_regs_aarch64) == 784);

struct popcorn_regs_x86_64 {
    uint64_t magic;
    uint64_t rip;
    uint64_t rax, rdx, rcx, rbx, rsi, rdi, rbp, rsp, r8, r9, r10, r11, r12, r13, r14, r15; /* DWARF's order */
    uint64_t mmx[8];
    struct popcorn_u128 xmm[16];
    struct popcorn_u128 x87[8];
    uint32_t cs, ss, ds, es, fs, gs;
    uint64_t rflags;
};
POPCORN_ASSERT(offsetof(struct popcorn_regs_x86_64, rip) == 8);
POPCORN_ASSERT(offsetof(struct popcorn_regs_x86_64, rax) == 16);
POPCORN_ASSERT(offsetof(struct popcorn_regs_x86_64, rsp) == 72);
POPCORN_ASSERT(offsetof(struct popcorn_regs_x86_64, r15) == 136);
POPCORN_ASSERT(offsetof(struct popcorn_regs_x86_64, mmx) == 144);
POPCORN_ASSERT(offsetof(struct popcorn_regs_x86_64, xmm) == 208);
POPCORN_ASSERT(offsetof(struct popcorn_regs_x86_64, x87) == 464);
POPCORN_ASSERT(offsetof(struct popcorn_regs_x86_64, cs) == 592);
POPCORN_ASSERT(offsetof(struct popcorn_regs_x86_64, rflags) == 616);
POPCORN_ASSERT(sizeof(struct popcorn_regs_x86_64) == 624);

union popcorn_regs {
    uint64_t magic; /* which of the two */
    struct popcorn_regs_aarch64 aarch64;
    struct popcorn_regs_x86_64 x86_64;
};
POPCORN_ASSERT(sizeof(union popcorn_regs) == 784);

#ifdef POPCORN_PROGRAM /* the program's side: what its runtime defines */
extern volatile int64_t __migrate_gb_variable;
extern union popcorn_regs regs_dst __attribute__((aligned(16)));
/* The thread pointer on the target: tpidr_el0 or fs_base. Both ISAs' thread pointers belong to one block of
 * thread-local variables: aarch64's stands 16 bytes below it (rounded up to its alignment), x86-64's at its end, where
 * the word that it points to holds the pointer itself. */
extern uint64_t tls_dst;
void __popcorn_sigreturn(void);
#endif

#ifdef __cplusplus
}
#endif
#undef POPCORN_ASSERT
#endif
