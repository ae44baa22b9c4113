/* The target's registers, and the stop in which a task can be dumped. */
#include "internal.h"

union popcorn_regs regs_dst __attribute__((aligned(16)));
union popcorn_regs popcorn_arrived __attribute__((aligned(16)));
uint64_t tls_dst;
uint64_t popcorn_moves, popcorn_stays;
void (*popcorn_alarm_hook)(void *context);

/* The innermost frame's variables travel in registers only: those that calls preserve, as they would be in there. */
#define AARCH64(member) offsetof(struct popcorn_regs_aarch64, member)
#define X86_64(member) offsetof(struct popcorn_regs_x86_64, member)
struct carriers {
    uint16_t integers[10], doubles[8];
    uint16_t integer_count, double_count;
};
static const struct carriers carriers[2] = {
    [POPCORN_AARCH64] = {{AARCH64(x[19]), AARCH64(x[20]), AARCH64(x[21]), AARCH64(x[22]), AARCH64(x[23]),
                          AARCH64(x[24]), AARCH64(x[25]), AARCH64(x[26]), AARCH64(x[27]), AARCH64(x[28])},
                         {AARCH64(v[8]), AARCH64(v[9]), AARCH64(v[10]), AARCH64(v[11]), AARCH64(v[12]), AARCH64(v[13]),
                          AARCH64(v[14]), AARCH64(v[15])},
                         10,
                         8},
    [POPCORN_X86_64] = {{X86_64(rbx), X86_64(rbp), X86_64(r12), X86_64(r13), X86_64(r14), X86_64(r15)},
                        {X86_64(xmm[8]), X86_64(xmm[9]), X86_64(xmm[10]), X86_64(xmm[11]), X86_64(xmm[12]),
                         X86_64(xmm[13]), X86_64(xmm[14]), X86_64(xmm[15])},
                        6,
                        8},
};

/* Ranges of the layouts that a move has to keep bit by bit. */
struct range {
    uint16_t from, to;
};
static const struct range carried[2][2] = {
    [POPCORN_AARCH64] = {{AARCH64(sp), AARCH64(v)}, {AARCH64(v), sizeof(struct popcorn_regs_aarch64)}},
    [POPCORN_X86_64] = {{X86_64(rip), X86_64(mmx)}, {X86_64(xmm), X86_64(x87)}},
};

static uint64_t *word(union popcorn_regs *regs, unsigned offset) {
    return (uint64_t *)((uint8_t *)regs + offset);
}

static uint64_t mix(uint64_t value) {
    value = (value ^ (value >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    value = (value ^ (value >> 27)) * UINT64_C(0x94d049bb133111eb);
    return value ^ (value >> 31);
}

/* Moves the innermost record's words into the registers (to_registers), or back. */
static void exchange(struct popcorn_record *record, union popcorn_regs *regs, int64_t isa, int to_registers) {
    const struct carriers *table = &carriers[isa];
    unsigned integers = 0, doubles = 0;
    for (unsigned k = 0; k < record->count; k++) {
        unsigned is_double = record->doubles >> k & 1;
        unsigned next = is_double ? doubles++ : integers++;
        if (next >= (is_double ? table->double_count : table->integer_count)) continue;
        uint64_t *at = word(regs, is_double ? table->doubles[next] : table->integers[next]);
        if (to_registers) {
            *at = record->words[k];
            record->words[k] = UINT64_C(0xdeaddeaddeaddead);
        } else {
            record->words[k] = *at;
        }
    }
}

static void fill(union popcorn_regs *regs, int64_t isa) {
    static uint64_t seed;
    for (unsigned i = 0; i < sizeof *regs; i += 8) *word(regs, i) = 0;
    for (unsigned r = 0; r < 2; r++)
        for (unsigned i = carried[isa][r].from; i < carried[isa][r].to; i += 8) *word(regs, i) = mix(++seed);
    exchange(popcorn_innermost, regs, isa, 1);
    uint64_t sp = (uint64_t)popcorn_outermost & ~UINT64_C(15), pc = (uint64_t)__popcorn_resume;
    if (isa == POPCORN_AARCH64) {
        regs->aarch64.sp = sp;
        regs->aarch64.pc = pc;
    } else {
        regs->x86_64.rsp = sp;
        regs->x86_64.rip = pc;
        regs->x86_64.rflags = 0x202;
    }
    __asm__ volatile("" ::: "memory");
    regs->magic = isa == POPCORN_AARCH64 ? POPCORN_MAGIC_AARCH64 : POPCORN_MAGIC_X86_64;
}

/* SIGALRM while the task can be dumped. The runtime's own has no effect; another one is passed on afterwards. */
static struct signal_action program_action;
static uint64_t program_mask;
static volatile int alarms_to_pass_on;

static void on_alarm(int number, void *information, void *context) {
    (void)number;
    const struct signal_information *from = information;
    if (from->code != kSiTkill || from->pid != sys_getpid())
        alarms_to_pass_on = 1;
    else if (popcorn_alarm_hook != NULL)
        popcorn_alarm_hook(context);
}

static void raise_alarm(void) {
    long pid = sys_getpid();
    system_call(__NR_tgkill, pid, system_call(__NR_gettid, 0, 0, 0, 0, 0, 0), kSigalrm, 0, 0, 0);
}

static const uint64_t all_signals = ~UINT64_C(0), all_but_alarm = ~SIGNAL_BIT(kSigalrm);

static void unpark(void) {
    sys_signal_mask(kSigSetmask, &all_signals, NULL);
    regs_dst.magic = 0;
    sys_signal_action(kSigalrm, &program_action, NULL);
    if (alarms_to_pass_on) raise_alarm();
    alarms_to_pass_on = 0;
    sys_signal_mask(kSigSetmask, &program_mask, NULL);
}

void popcorn_park(void) {
    static const struct signal_action quiet = {on_alarm, kSaSiginfo | kSaRestorer, __popcorn_sigreturn, ~UINT64_C(0)};
    sys_signal_mask(kSigSetmask, &all_signals, &program_mask);
    sys_signal_action(kSigalrm, &quiet, &program_action);
    fill(&regs_dst, popcorn_target);
    tls_dst = popcorn_thread_pointer(popcorn_target);
    __migrate_gb_variable = POPCORN_NONE;
    sys_signal_mask(kSigSetmask, &all_but_alarm, NULL);
    raise_alarm();
    exchange(popcorn_innermost, &regs_dst, popcorn_target, 0);
    popcorn_stays++;
    unpark();
}

_Noreturn void popcorn_resumed(void) {
    for (unsigned r = 0; r < 2; r++)
        for (unsigned i = carried[POPCORN_HERE][r].from; i < carried[POPCORN_HERE][r].to; i += 8)
            if (*word(&popcorn_arrived, i) != *word(&regs_dst, i)) {
                struct text line = {0};
                text_string(&line, "popcorn: register at offset ");
                text_decimal(&line, i);
                text_string(&line, " of regs_dst:\n");
                text_write(&line, 2);
                popcorn_fail("register after the move", *word(&popcorn_arrived, i), *word(&regs_dst, i));
            }
    if (popcorn_get_thread_pointer() != tls_dst)
        popcorn_fail("thread pointer after the move", popcorn_get_thread_pointer(), tls_dst);
    exchange(popcorn_innermost, &popcorn_arrived, POPCORN_HERE, 0);
    popcorn_moves++;
    unpark();
    popcorn_mode = POPCORN_RESUMING;
    popcorn_base();
}
