/* Parent and child, both migratable, with a pipe each way. Every tick the parent asks and the child answers; on
 * SIGUSR1, and at the end, the parent lets the child end, waits for it and looks at its status; on SIGUSR1 it then
 * forks a new one.
 *
 * two [PAUSE [TICKS]]: milliseconds between questions (100), ticks until the end (without end). */
#include "runtime.h"

enum { kChildStatus = 42 };

static int question[2], answer[2]; /* read, write */
static long child;
static volatile int asked_to_wait;

static void on_signal(int number, void *information, void *context) {
    (void)number, (void)information, (void)context;
    asked_to_wait = 1;
}

static void say(const char *who, uint64_t tick, const char *what, uint64_t value) {
    struct text line = {0};
    text_string(&line, who);
    text_decimal(&line, (int64_t)tick);
    text_string(&line, " on " POPCORN_ISA ": ");
    text_string(&line, what);
    text_decimal(&line, (int64_t)value);
    text_string(&line, "\n");
    text_write(&line, 1);
}

static uint64_t scramble(uint64_t value) {
    return (value ^ (value >> 31)) * UINT64_C(0x7fb5d329728ea185);
}

/* Answers with a sum over all questions since its start, which only its own frame knows. */
POPCORN_FUNCTION static uint64_t answer_questions(void) {
    uint64_t sum = 0;
    uint64_t *asked = popcorn_allocate(sizeof *asked);
    long got = 0;
#define LIVE sum, asked
    POPCORN_BEGIN(answer_questions)
    for (;;) {
        POPCORN_CALL(1, got, popcorn_read(question[0], asked, sizeof *asked));
        if (got != sizeof *asked) return kChildStatus;
        sum = scramble(sum + *asked);
        sys_write(answer[1], &sum, sizeof sum);
    }
    POPCORN_END
#undef LIVE
}

/* Gives 1 in the child. */
static int start_child(void) {
    if (sys_pipe(question) != 0 || sys_pipe(answer) != 0) popcorn_fail("answer of pipe2", 1, 0);
    child = sys_fork();
    if (child < 0) popcorn_fail("answer of clone", (uint64_t)child, 0);
    sys_close(child == 0 ? question[1] : question[0]);
    sys_close(child == 0 ? answer[0] : answer[1]);
    return child == 0;
}

POPCORN_FUNCTION static uint64_t ask_questions(long pause, uint64_t ticks, uint64_t *got) {
    uint64_t tick = 0, expected = 0;
    long result = 0;
#define LIVE pause, ticks, got, tick, expected
    POPCORN_BEGIN(ask_questions)
    for (; tick != ticks && !asked_to_wait; tick++) {
        expected = scramble(expected + tick);
        sys_write(question[1], &tick, sizeof tick);
        POPCORN_CALL(1, result, popcorn_read(answer[0], got, sizeof *got));
        if (result != sizeof *got || *got != expected) popcorn_fail("answer of the child", *got, expected);
        say("two ", tick, "the child answers, its pid is ", (uint64_t)child);
        POPCORN_CALL(2, result, popcorn_sleep(pause));
    }
    sys_close(question[1]);
    POPCORN_CALL(3, result, popcorn_wait_child(child));
    if (result != (child << 32 | kChildStatus << 8))
        popcorn_fail("what waiting for the child gives", (uint64_t)result, (uint64_t)(child << 32 | kChildStatus << 8));
    say("two ", tick, "the child ended with status ", kChildStatus);
    sys_close(answer[0]);
    POPCORN_END
#undef LIVE
    return 0;
}

POPCORN_FUNCTION int popcorn_main(int argc, char **argv, char **environment) {
    uint64_t status = 0, ticks = 0, *place = NULL;
    long pause = 0;
    (void)environment;
#define LIVE ticks, place, pause
    POPCORN_BEGIN(popcorn_main)
    pause = argc > 1 ? number_from(argv[1], 100) : 100;
    ticks = argc > 2 ? (uint64_t)number_from(argv[2], 0) : UINT64_MAX;
    place = popcorn_allocate(sizeof *place);
    popcorn_handle(kSigusr1, on_signal, kSaRestart, 0);
    do {
        asked_to_wait = 0;
        if (start_child()) {
            POPCORN_CALL(1, status, answer_questions());
            return (int)status;
        }
        POPCORN_CALL(2, status, ask_questions(pause, ticks, place));
    } while (asked_to_wait);
    POPCORN_END
#undef LIVE
    return (int)status;
}
