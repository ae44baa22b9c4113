/* setjmp and longjmp: regions that live long, nest, are left from deep calls, and are used again; with values that live
 * across them. */
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static jmp_buf outer;

static long spin(long rounds) {
    volatile long sum = 0;
    for (long i = 0; i < rounds; ++i) sum += i % 7;
    return sum;
}

static int deep(int depth, jmp_buf target, int value) {
    char pad[24];
    memset(pad, depth, sizeof pad);
    if (spin(10) != 24) return -1;
    if (depth == 0) {
        usleep(1);
        longjmp(target, value);
    }
    return deep(depth - 1, target, value) + pad[7];
}

/* As an interpreter calls protected code. */
static int protected_call(int (*function)(int), int argument, int *result) {
    jmp_buf before;
    memcpy(before, outer, sizeof before);
    const int code = setjmp(outer);
    if (code == 0) *result = function(argument);
    memcpy(outer, before, sizeof before);
    return code;
}

static int work(int argument) {
    int sum = 0;
    for (int i = 0; i < 50; ++i) {
        sum += (int)spin(20) + argument;
        if (argument == 3 && i == 25) longjmp(outer, 17);
        if (argument == 4 && i == 30) deep(12, outer, 23);
    }
    usleep(1);
    return sum;
}

static int nest(int depth) {
    int inner = 0;
    if (depth == 0) return work(4);
    const int code = protected_call(nest, depth - 1, &inner);
    if (code != 0 && depth % 2 == 1) longjmp(outer, code + 1);
    return code * 1000 + inner;
}

static int loop(void) {
    jmp_buf again;
    volatile int count = 0;
    int local = 5;
    double real = 2.5;
    const int code = setjmp(again);
    count = count + 1;
    spin(30);
    if (count < 20) deep(count, again, count);
    return code * 10 + count + local + (int)(real * 2);
}

static int zero(void) {
    jmp_buf target;
    const int code = setjmp(target);
    if (code == 0) longjmp(target, 0);
    return code;
}

static sigjmp_buf from_handler;
static void handler(int signal) {
    siglongjmp(from_handler, signal);
}

static int masks(void) {
    sigset_t set, now;
    signal(SIGUSR1, handler);
    const int code = sigsetjmp(from_handler, 1);
    if (code == 0) raise(SIGUSR1);
    spin(50);
    sigprocmask(SIG_SETMASK, NULL, &now);
    sigemptyset(&set);
    return code == SIGUSR1 && !sigismember(&now, SIGUSR1);
}

/* Handlers leave a computation, a deeper call and a wait, again and again, for a frame that may have been rebuilt
 * before or after its setjmp, and in between. */
static volatile int ticks;
static void tick(int signal) {
    ticks++;
    siglongjmp(from_handler, signal + ticks);
}

static int waits(int depth) {
    if (depth > 0) return waits(depth - 1) + 1;
    sigset_t set;
    sigemptyset(&set);
    raise(SIGUSR2);
    sigsuspend(&set);
    return 0;
}

static long left_by_handlers(int given) {
    volatile long sum = given;
    int local = given + 1;
    double real = given / 2.0;
    struct sigaction action = {.sa_handler = tick};
    sigaction(SIGUSR2, &action, NULL);
    sigaction(SIGALRM, &action, NULL);
    ticks = 0;
    const int code = sigsetjmp(from_handler, 1);
    sum = sum * 3 + code + local + (long)(real * 2);
    spin(25);
    switch (ticks) {
    case 0:
    case 1:
        raise(SIGUSR2);
        return -1;
    case 2:
    case 3:
        return -waits(7);
    case 4:
        ualarm(2000, 0);
        for (;;) spin(10);
    default:
        return sum;
    }
}

/* The handler runs on a stack of its own. */
static int on_other_stack(void) {
    static char space[65536];
    stack_t stack = {.ss_sp = space, .ss_size = sizeof space}, now;
    struct sigaction action = {.sa_handler = handler, .sa_flags = SA_ONSTACK};
    sigaltstack(&stack, NULL);
    sigaction(SIGUSR1, &action, NULL);
    volatile int times = 0;
    const int code = sigsetjmp(from_handler, 1);
    spin(30);
    if (times++ < 4) raise(SIGUSR1);
    sigaltstack(NULL, &now);
    return code * 100 + times * 10 + (now.ss_flags & SS_ONSTACK);
}

/* A fault, as programs probe memory. */
static int faults(void) {
    struct sigaction action = {.sa_handler = handler}, before;
    sigaction(SIGSEGV, &action, &before);
    int *volatile nowhere = NULL;
    volatile int caught = 0;
    for (int i = 0; i < 5; i++) {
        const int code = sigsetjmp(from_handler, 1);
        if (code == 0) {
            spin(20 + i);
            *nowhere = i;
        }
        caught += code == SIGSEGV;
    }
    sigaction(SIGSEGV, &before, NULL);
    return caught;
}

int main(void) {
    int result = 0;
    for (int i = 0; i < 6; ++i) {
        const int code = protected_call(work, i, &result);
        printf("work %d: %d %d\n", i, code, code == 0 ? result : 0);
    }
    result = 0;
    printf("nest: %d", protected_call(nest, 6, &result));
    printf(" %d\n", result);
    printf("loop: %d\n", loop());
    printf("zero: %d\n", zero());
    printf("masks: %d\n", masks());
    printf("left by handlers: %ld %ld\n", left_by_handlers(3), left_by_handlers(10));
    printf("on another stack: %d\n", on_other_stack());
    printf("faults: %d\n", faults());
    return 0;
}
