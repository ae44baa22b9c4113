/* Much memory, each word of it known: filled once, looked at in every tick.
 *
 * memory [MEGABYTES [PAUSE [TICKS]]]: how much (64), milliseconds between ticks (1000), ticks until the end (without
 * end). A line a tick: `memory TICK on ISA: N MB ok`; status 120 and a message when a word is wrong. */
#include "runtime.h"

enum { kMegabyte = 1 << 20, kWords = kMegabyte / 8 };

static uint64_t pattern(uint64_t index, uint64_t megabyte) {
    return (index + 1) * UINT64_C(0x9e3779b97f4a7c15) ^ megabyte << 40;
}

static void fill(uint64_t *words, uint64_t megabyte) {
    for (uint64_t i = 0; i < kWords; i++) words[i] = pattern(i, megabyte);
}

static void look(const uint64_t *words, uint64_t megabyte) {
    for (uint64_t i = 0; i < kWords; i++)
        if (words[i] != pattern(i, megabyte)) popcorn_fail("word of the memory", words[i], pattern(i, megabyte));
}

static void report(uint64_t tick, uint64_t megabytes) {
    struct text line = {0};
    text_string(&line, "memory ");
    text_decimal(&line, (int64_t)tick);
    text_string(&line, " on " POPCORN_ISA ": ");
    text_decimal(&line, (int64_t)megabytes);
    text_string(&line, " MB ok\n");
    text_write(&line, 1);
}

POPCORN_FUNCTION int popcorn_main(int argc, char **argv, char **environment) {
    uint64_t *memory = NULL, megabytes = 0, i = 0, tick = 0, ticks = 0;
    long slept = 0, pause = 0;
    (void)environment;
#define LIVE memory, megabytes, i, tick, ticks, pause
    POPCORN_BEGIN(popcorn_main)
    megabytes = argc > 1 ? (uint64_t)number_from(argv[1], 64) : 64;
    pause = argc > 2 ? number_from(argv[2], 1000) : 1000;
    ticks = argc > 3 ? (uint64_t)number_from(argv[3], 0) : UINT64_MAX;
    memory = popcorn_allocate(megabytes * kMegabyte);
    for (i = 0; i < megabytes; i++) {
        fill(memory + i * kWords, i);
        POPCORN_POINT(1);
    }
    for (; tick != ticks; tick++) {
        for (i = 0; i < megabytes; i++) {
            look(memory + i * kWords, i);
            POPCORN_POINT(2);
        }
        report(tick, megabytes);
        POPCORN_CALL(3, slept, popcorn_sleep(pause));
    }
    POPCORN_END
#undef LIVE
    return 0;
}
