#include "self_move.h"

#include <asm/sigcontext.h>

struct context {
    uint64_t flags;
    void *link;
    struct signal_stack stack;
#if defined(__x86_64__)
    struct sigcontext_64 machine;
#else
    uint64_t mask, unused[15];
    struct sigcontext machine;
#endif
};

#if defined(__x86_64__)
static void take(struct context *context, const struct popcorn_regs_x86_64 *regs) {
    struct sigcontext_64 *to = &context->machine;
    to->r8 = regs->r8, to->r9 = regs->r9, to->r10 = regs->r10, to->r11 = regs->r11;
    to->r12 = regs->r12, to->r13 = regs->r13, to->r14 = regs->r14, to->r15 = regs->r15;
    to->di = regs->rdi, to->si = regs->rsi, to->bp = regs->rbp, to->bx = regs->rbx;
    to->dx = regs->rdx, to->ax = regs->rax, to->cx = regs->rcx, to->sp = regs->rsp;
    to->ip = regs->rip;
    struct _fpstate_64 *vectors = (struct _fpstate_64 *)to->fpstate;
    memcpy(vectors->xmm_space, regs->xmm, sizeof regs->xmm);
}
#else
static void take(struct context *context, const struct popcorn_regs_aarch64 *regs) {
    struct sigcontext *to = &context->machine;
    memcpy(to->regs, regs->x, sizeof regs->x);
    to->sp = regs->sp;
    to->pc = regs->pc;
    struct fpsimd_context *vectors = (struct fpsimd_context *)to->__reserved;
    if (vectors->head.magic != FPSIMD_MAGIC)
        popcorn_fail("first record of the context", vectors->head.magic, FPSIMD_MAGIC);
    memcpy(vectors->vregs, regs->v, sizeof regs->v);
}
#endif

static void on_alarm(void *context) {
#if defined(__x86_64__)
    if (regs_dst.magic == POPCORN_MAGIC_X86_64) take(context, &regs_dst.x86_64);
#else
    if (regs_dst.magic == POPCORN_MAGIC_AARCH64) take(context, &regs_dst.aarch64);
#endif
}

void self_move_prepare(void) {
    popcorn_alarm_hook = on_alarm;
}

void self_move_request(void) {
    __migrate_gb_variable = POPCORN_HERE;
}
