/* Tries system calls that Docker's default profile refuses, and prints what the kernel answers: `forbidden TICK on ISA:
 * keyctl N mount N clone3 N getpid yes`, negative errnos. Under that profile keyctl and mount give -1 (EPERM) and
 * clone3 -38 (ENOSYS); without a filter something else. The calls ask for nothing that could have an effect.
 *
 * forbidden [PAUSE [TICKS]]: milliseconds between lines (1000), ticks until the end (without end). */
#include "runtime.h"

static void try_all(uint64_t tick) {
    struct text line = {0};
    text_string(&line, "forbidden ");
    text_decimal(&line, (int64_t)tick);
    text_string(&line, " on " POPCORN_ISA ": keyctl ");
    text_decimal(&line, system_call(__NR_keyctl, 99999, 0, 0, 0, 0, 0));
    text_string(&line, " mount ");
    text_decimal(&line, system_call(__NR_mount, 0, 1, 0, 0, 0, 0));
    text_string(&line, " clone3 ");
    text_decimal(&line, system_call(__NR_clone3, 0, 0, 0, 0, 0, 0));
    text_string(&line, sys_getpid() > 0 ? " getpid yes\n" : " getpid no\n");
    text_write(&line, 1);
}

POPCORN_FUNCTION int popcorn_main(int argc, char **argv, char **environment) {
    uint64_t tick = 0, ticks = 0;
    long slept = 0, pause = 0;
    (void)environment;
#define LIVE tick, ticks, pause
    POPCORN_BEGIN(popcorn_main)
    pause = argc > 1 ? number_from(argv[1], 1000) : 1000;
    ticks = argc > 2 ? (uint64_t)number_from(argv[2], 0) : UINT64_MAX;
    for (; tick != ticks; tick++) {
        try_all(tick);
        POPCORN_CALL(1, slept, popcorn_sleep(pause));
    }
    POPCORN_END
#undef LIVE
    return 0;
}
