/* Records: from the native frames, and back into them. */
#include "internal.h"

volatile int64_t __migrate_gb_variable = POPCORN_NONE;
volatile int popcorn_mode = POPCORN_RUNNING;
volatile int64_t popcorn_target;
struct popcorn_record *popcorn_innermost, *popcorn_outermost;
uint8_t popcorn_stack[2][kHalf] __attribute__((aligned(65536)));

static int saved_argc;
static char **saved_argv, **saved_environment;
static uint64_t records_limit; /* no record below this address */

static uint64_t other_half(void) {
    uint64_t here = (uint64_t)__builtin_frame_address(0) - (uint64_t)popcorn_stack;
    return (uint64_t)popcorn_stack[here / kHalf == 0 ? 1 : 0];
}

int popcorn_point(void) {
    if (popcorn_mode == POPCORN_RESUMING) { /* all frames stand again */
        popcorn_mode = POPCORN_RUNNING;
        return 0;
    }
    int64_t target = __migrate_gb_variable;
    if (target == POPCORN_AARCH64 || target == POPCORN_X86_64) {
        uint64_t half = other_half();
        popcorn_target = target;
        popcorn_innermost = NULL;
        popcorn_outermost = (struct popcorn_record *)(half + kHalf);
        records_limit = half + kHalf / 2;
        popcorn_mode = POPCORN_CAPTURING;
    }
    return 0;
}

struct popcorn_record *popcorn_push(void *function, uint32_t site, uint32_t count) {
    uint64_t at = (uint64_t)popcorn_outermost - sizeof(struct popcorn_record) - count * 8;
    if (at < records_limit) popcorn_fail("record of the stack", at, records_limit);
    struct popcorn_record *record = (struct popcorn_record *)at;
    *record = (struct popcorn_record){.function = (uint64_t)function, .site = site, .count = count};
    if (popcorn_innermost == NULL) popcorn_innermost = record;
    popcorn_outermost = record;
    return record;
}

struct popcorn_record *popcorn_next(void *function) {
    struct popcorn_record *record = popcorn_outermost;
    if (record->function != (uint64_t)function)
        popcorn_fail("function to resume", (uint64_t)function, record->function);
    popcorn_outermost = (struct popcorn_record *)(record->words + record->count);
    return record;
}

_Noreturn void popcorn_no_site(void *function, uint64_t site) {
    popcorn_fail("site of a function", site, (uint64_t)function);
}

void popcorn_set_arguments(int argc, char **argv, char **environment) {
    saved_argc = argc;
    saved_argv = argv;
    saved_environment = environment;
}

_Noreturn void popcorn_base(void) {
    for (;;) {
        int status = popcorn_main(saved_argc, saved_argv, saved_environment);
        if (popcorn_mode != POPCORN_CAPTURING) sys_exit(status);
        popcorn_park();
        popcorn_mode = POPCORN_RESUMING;
    }
}
