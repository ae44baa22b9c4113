/* Everything that a process owns, checked again and again: whatever a move changes ends the program with a message.
 *
 * state [--self-move | --hold] [PAUSE [TICKS [FILE]]]: milliseconds of sleep in each leaf of the walk (2), ticks until
 * it ends well (without end), a file to keep open and read. A line a tick: `state TICK on ISA: moves N stays N alarms N
 * ok`.
 * --self-move: moves itself, twice in each leaf. --hold: waits for ever once asked, with regs_dst filled, and checks
 * only registers, frames and memory: for a test that can carry no more. Status: 0 at the end, 1 with a message when
 * something is not as it was, 120 when the runtime finds that. */
#include "floats.h"
#include "runtime.h"
#include "self_move.h"

enum { kDepth = 5, kNodes = 512, kWaiting = 1000, kFileSize = 60000, kAlarmPeriod = 20000 /* microseconds */ };

struct node {
    struct node *next;
    uint64_t value;
    double weight;
};

static struct node *nodes, *broken_memory; /* from mmap, from brk */
static int pipe_ends[2], file = -1, moves_itself, holds;
static int64_t pause_here;
static uint64_t now; /* the tick, for messages */
static uint8_t *alternate_stack;
enum { kAlternateSize = 32768 };
static volatile uint64_t alarms, users, delayed, off_stack;
static __thread uint64_t local_ticks = 1000;
static __thread double local_sum;
static const char word[] = "a constant that a pointer in a frame names";

static void check(const char *what, uint64_t is, uint64_t should_be) {
    if (is == should_be) return;
    struct text line = {0};
    text_string(&line, "state: tick ");
    text_decimal(&line, (int64_t)now);
    text_string(&line, " on " POPCORN_ISA ": ");
    text_string(&line, what);
    text_string(&line, " is ");
    text_hex(&line, is);
    text_string(&line, ", not ");
    text_hex(&line, should_be);
    text_string(&line, "\n");
    text_write(&line, 2);
    sys_exit(1);
}

static uint64_t scramble(uint64_t value) {
    value = (value ^ (value >> 33)) * UINT64_C(0xff51afd7ed558ccd);
    return value ^ (value >> 29);
}

/* ---- Registers and frames: a walk of 2^kDepth leaves, and the same sums without sleep and migration points ---- */

static uint64_t plain_leaf(const struct node *node, uint64_t seed, double x) {
    uint64_t a = scramble(seed), b = a + node->value, c = scramble(b), d = c ^ a;
    double p = divide(x, 3), q = divide(p, 7), r = p * q, s = q - r, t = s * node->weight, u = t + p;
    return a + b * 3 + c * 5 + d * 7 + bits_of(p + q) + bits_of(r - s) + bits_of(t * u);
}

static uint64_t plain_walk(const struct node *node, uint64_t depth, uint64_t seed, double x) {
    if (depth == 0) return plain_leaf(node, seed, x);
    uint64_t sum = 0;
    for (unsigned i = 0; i < 2; i++)
        sum = scramble(sum + plain_walk(node->next + i, depth - 1, seed * 2 + i, divide(x, 1.5) + i)) + bits_of(x);
    return sum;
}

/* The migration point is in this frame: its variables travel in the registers, as far as there are registers. */
POPCORN_FUNCTION static uint64_t leaf(const struct node *node, uint64_t seed, double x) {
    uint64_t a = 0, b = 0, c = 0, d = 0;
    double p = 0, q = 0, r = 0, s = 0, t = 0, u = 0;
    long slept = 0;
    const char *text = word;
    int8_t small = (int8_t)seed;
#define LIVE a, b, c, d, p, q, r, s, t, u, text, small
    POPCORN_BEGIN(leaf)
    a = scramble(seed), b = a + node->value, c = scramble(b), d = c ^ a;
    p = divide(x, 3), q = divide(p, 7), r = p * q, s = q - r, t = s * node->weight, u = t + p;
    small = (int8_t)(seed | 0x80);
    if (moves_itself) self_move_request();
    if (pause_here > 0) sys_nanosleep(pause_here);
    POPCORN_POINT(1);
    check("pointer to a constant", (uint64_t)text, (uint64_t)word);
    check("signed 8-bit variable", (uint64_t)small >> 63, 1);
    if (moves_itself) self_move_request();
    POPCORN_CALL(2, slept, popcorn_sleep(pause_here));
    POPCORN_END
#undef LIVE
    return a + b * 3 + c * 5 + d * 7 + bits_of(p + q) + bits_of(r - s) + bits_of(t * u);
}

/* Values that are live across the call and used after it: kept by each frame of the recursion. */
POPCORN_FUNCTION static uint64_t walk(const struct node *node, uint64_t depth, uint64_t seed, double x) {
    uint64_t sum = 0, got = 0;
    unsigned i = 0;
#define LIVE node, depth, seed, x, sum, i
    POPCORN_BEGIN(walk)
    if (depth == 0) {
        POPCORN_CALL(1, got, leaf(node, seed, x));
        return got;
    }
    for (; i < 2; i++) {
        POPCORN_CALL(2, got, walk(node->next + i, depth - 1, seed * 2 + i, divide(x, 1.5) + i));
        sum = scramble(sum + got) + bits_of(x);
    }
    POPCORN_END
#undef LIVE
    return sum;
}

/* ---- Memory, descriptors, signals ---- */

static void prepare_memory(void) {
    nodes = popcorn_allocate(kNodes * sizeof *nodes);
    if (holds) {
        broken_memory = popcorn_allocate(kNodes * sizeof *broken_memory);
    } else {
        uint64_t end = (uint64_t)sys_brk(0);
        broken_memory = (struct node *)((end + 15) & ~UINT64_C(15));
        uint64_t wanted = (uint64_t)(broken_memory + kNodes);
        check("end of brk's memory", (uint64_t)sys_brk(wanted), wanted);
    }
    for (uint64_t i = 0; i < kNodes; i++) {
        nodes[i] = (struct node){&broken_memory[i * 7 % (kNodes - 1)], scramble(i), 1 + (double)i / 3};
        broken_memory[i] = (struct node){&nodes[i * 11 % (kNodes - 1)], scramble(~i), 2 - (double)i / 3};
    }
}

static void check_memory(void) {
    for (uint64_t i = 0; i < kNodes; i++) {
        check("pointer from mmap's memory", (uint64_t)nodes[i].next, (uint64_t)&broken_memory[i * 7 % (kNodes - 1)]);
        check("value in mmap's memory", nodes[i].value, scramble(i));
        check("value in brk's memory", broken_memory[i].value, scramble(~i));
    }
}

static void prepare_descriptors(const char *path) {
    check("answer of pipe2", (uint64_t)sys_pipe(pipe_ends), 0);
    for (unsigned i = 0; i < kWaiting; i++) sys_write(pipe_ends[1], &(uint8_t){(uint8_t)(i * 7)}, 1);
    if (path == NULL) return;
    file = (int)sys_open(path, O_RDWR | O_CREAT | O_TRUNC, 0644);
    check("failure of open", (uint64_t)file >> 63, 0);
    static uint8_t bytes[kFileSize];
    for (unsigned i = 0; i < kFileSize; i++) bytes[i] = (uint8_t)scramble(i);
    check("answer of write", (uint64_t)sys_write(file, bytes, kFileSize), kFileSize);
    sys_seek(file, 0, 0);
}

static void check_descriptors(void) {
    uint8_t byte = 0, next = (uint8_t)((now + kWaiting) * 7);
    check("answer of read from the pipe", (uint64_t)sys_read(pipe_ends[0], &byte, 1), 1);
    check("byte in the pipe", byte, (uint8_t)(now * 7));
    check("answer of write to the pipe", (uint64_t)sys_write(pipe_ends[1], &next, 1), 1);
    if (file < 0) return;
    uint64_t offset = now * 3 % kFileSize;
    check("offset in the file", (uint64_t)sys_seek(file, 0, 1), offset);
    for (uint64_t i = offset; i < offset + 3; i++) {
        check("answer of read from the file", (uint64_t)sys_read(file, &byte, 1), 1);
        check("byte in the file", byte, (uint8_t)scramble(i));
    }
    if (offset + 3 == kFileSize) sys_seek(file, 0, 0);
}

/* One shot: should one alarm get lost, there is no further one. */
static void arm_alarm(void) {
    const long timer[4] = {0, 0, 0, kAlarmPeriod};
    system_call(__NR_setitimer, 0, (long)timer, 0, 0, 0, 0);
}

static void on_signal(int number, void *information, void *context) {
    (void)information, (void)context;
    uint64_t here = (uint64_t)__builtin_frame_address(0) - (uint64_t)alternate_stack;
    if (here >= kAlternateSize) off_stack++;
    if (number == kSigusr1) users++;
    if (number == kSigusr2) delayed++;
    if (number == kSigalrm) {
        alarms++;
        arm_alarm();
    }
}

static const uint64_t blocked = SIGNAL_BIT(kSigusr2) | SIGNAL_BIT(kSigvtalrm);

static void prepare_signals(void) {
    alternate_stack = popcorn_allocate(kAlternateSize);
    struct signal_stack stack = {alternate_stack, 0, 0, kAlternateSize};
    check("answer of sigaltstack", (uint64_t)system_call(__NR_sigaltstack, (long)&stack, 0, 0, 0, 0, 0), 0);
    popcorn_handle(kSigusr1, on_signal, kSaOnstack | kSaRestart, SIGNAL_BIT(kSigalrm));
    popcorn_handle(kSigusr2, on_signal, kSaOnstack, 0);
    popcorn_handle(kSigalrm, on_signal, kSaOnstack | kSaRestart, 0);
    sys_signal_mask(kSigSetmask, &blocked, NULL);
    sys_kill(sys_getpid(), kSigusr2);
    arm_alarm();
}

static void check_signals(void) {
    static uint64_t alarms_before, ticks_without;
    uint64_t mask = 0, pending = 0;
    struct signal_stack stack = {0};
    sys_signal_mask(kSigBlock, NULL, &mask);
    check("signal mask", mask, blocked);
    system_call(__NR_rt_sigpending, (long)&pending, 8, 0, 0, 0, 0);
    check("pending signals", pending & ~SIGNAL_BIT(kSigalrm), SIGNAL_BIT(kSigusr2));
    system_call(__NR_sigaltstack, 0, (long)&stack, 0, 0, 0, 0);
    check("alternate stack", (uint64_t)stack.start, (uint64_t)alternate_stack);
    check("size of the alternate stack", stack.size, kAlternateSize);
    sys_kill(sys_getpid(), kSigusr1);
    check("SIGUSR1s handled", users, now + 1);
    const uint64_t open = SIGNAL_BIT(kSigvtalrm);
    sys_signal_mask(kSigSetmask, &open, NULL);
    check("SIGUSR2s handled", delayed, now + 1);
    sys_signal_mask(kSigSetmask, &blocked, NULL);
    sys_kill(sys_getpid(), kSigusr2);
    check("handlers off the alternate stack", off_stack, 0);
    ticks_without = alarms == alarms_before ? ticks_without + 1 : 0;
    alarms_before = alarms;
    if (pause_here > 0) check("ticks without an alarm", ticks_without / 20, 0);
}

/* ---- Floating point ---- */

static const uint64_t thirds[] = {0x3fd5555555555555, 0x3fd5555555555555, 0x3fd5555555555556, 0x3fd5555555555555};
static const uint64_t minus_thirds[] = {0xbfd5555555555555, 0xbfd5555555555556, 0xbfd5555555555555, 0xbfd5555555555555};

static void start_floats(enum rounding rounding, int flush, int invalid) {
    set_float_control(rounding, flush);
    if (invalid)
        divide(0, 0);
    else
        divide(1, 0);
}

static void check_floats(enum rounding rounding, int flush, int invalid) {
    check("sticky flag of division by zero", (uint64_t)divided_by_zero(), !invalid);
    check("sticky flag of an invalid operation", (uint64_t)was_invalid(), (uint64_t)invalid);
    check("1/3", bits_of(divide(1, 3)), thirds[rounding]);
    check("-1/3", bits_of(divide(-1, 3)), minus_thirds[rounding]);
    check("half of the smallest normal number", bits_of(divide(0x1p-1022, 2)), flush ? 0 : UINT64_C(1) << 51);
    check("agreement of both control registers", (uint64_t)other_control_agrees(), 1);
}

static void report(void) {
    struct text line = {0};
    text_string(&line, "state ");
    text_decimal(&line, (int64_t)now);
    text_string(&line, " on " POPCORN_ISA ": moves ");
    text_decimal(&line, (int64_t)popcorn_moves);
    text_string(&line, " stays ");
    text_decimal(&line, (int64_t)popcorn_stays);
    text_string(&line, " alarms ");
    text_decimal(&line, (int64_t)alarms);
    text_string(&line, " ok\n");
    text_write(&line, 1);
}

POPCORN_FUNCTION static uint64_t run(uint64_t ticks) {
    uint64_t tick = 0, mode = 0, seed = 12345, expected = 0, got = 0;
    double gathered = 0;
    long pid = sys_getpid();
#define LIVE ticks, tick, mode, seed, expected, gathered, pid
    POPCORN_BEGIN(run)
    for (; tick != ticks; tick++) {
        seed = scramble(seed + tick);
        mode = holds ? 0 : tick;
        start_floats(mode & 3, mode >> 2 & 1, mode >> 3 & 1);
        expected = plain_walk(nodes, kDepth, seed, gathered + 0.1);
        start_floats(mode & 3, mode >> 2 & 1, mode >> 3 & 1);
        POPCORN_CALL(1, got, walk(nodes, kDepth, seed, gathered + 0.1));
        if (!holds) check_floats(mode & 3, mode >> 2 & 1, mode >> 3 & 1);
        check("sum of the walk", got, expected);
        gathered += divide(1, (double)tick + 1);
        local_sum += divide(1, (double)tick + 1);
        check("sum in thread-local memory", bits_of(local_sum), bits_of(gathered));
        check("thread-local counter", local_ticks++, tick + 1000);
        check("counter in memory", now, tick);
        if (!holds) check("process id", (uint64_t)sys_getpid(), (uint64_t)pid);
        check_memory();
        if (!holds) check_descriptors();
        if (!holds) check_signals();
        report();
        now++;
    }
    POPCORN_END
#undef LIVE
    return 0;
}

static int is(const char *argument, const char *name) {
    while (*argument != 0 && *argument == *name) argument++, name++;
    return *argument == *name;
}

static uint64_t sum_of(char **strings) {
    uint64_t sum = 0;
    for (; *strings != NULL; strings++)
        for (char *byte = *strings; *byte != 0; byte++) sum = scramble(sum + (uint8_t)*byte);
    return sum;
}

static void hold(void *context) {
    (void)context;
    for (;;) sys_nanosleep(1000);
}

POPCORN_FUNCTION int popcorn_main(int argc, char **argv, char **environment) {
    uint64_t status = 0, ticks = 0, arguments = 0;
    (void)environment;
#define LIVE argv, ticks, arguments
    POPCORN_BEGIN(popcorn_main)
    moves_itself = argc > 1 && is(argv[1], "--self-move");
    holds = argc > 1 && is(argv[1], "--hold");
    if (moves_itself) self_move_prepare();
    if (holds) popcorn_alarm_hook = hold;
    if (moves_itself || holds) argv++, argc--;
    pause_here = argc > 1 ? number_from(argv[1], 2) : 2;
    ticks = argc > 2 && is(argv[2], "forever") == 0 ? (uint64_t)number_from(argv[2], 0) : UINT64_MAX;
    prepare_memory();
    if (!holds) prepare_descriptors(argc > 3 ? argv[3] : NULL);
    if (!holds) prepare_signals();
    arguments = sum_of(argv);
    POPCORN_CALL(1, status, run(ticks));
    check("sum of the arguments", sum_of(argv), arguments);
    POPCORN_END
#undef LIVE
    return (int)status;
}
