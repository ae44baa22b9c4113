/* A program that keeps to the popcorn protocol, in as many ways to be awkward as the tests need. It does not move: it
 * says that it is ready and runs on. What it does can be watched in a file that it shares with the test.
 *
 *     program FILE MODE[:MODE...]      the first process; each further mode is a child of it, slot by slot
 */
#define _GNU_SOURCE
#define POPCORN_PROGRAM
#include "popcorn/popcorn_abi.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include "watched.h"

#ifdef HOSTILE_CONSTANT
__attribute__((section(".rodata")))
const int64_t __migrate_gb_variable_constant __asm__("__migrate_gb_variable") = POPCORN_NONE;
static volatile int64_t unused_variable = POPCORN_NONE;
#define VARIABLE unused_variable
#elif defined HOSTILE_SHORT
volatile int32_t short_variable __asm__("__migrate_gb_variable") = POPCORN_NONE;
#define VARIABLE short_variable
#else
volatile int64_t __migrate_gb_variable = POPCORN_NONE;
#define VARIABLE __migrate_gb_variable
#endif
union popcorn_regs regs_dst;
#ifndef HOSTILE_INCOMPLETE
uint64_t tls_dst;
#endif

static struct watched *all;
static struct watched_slot *slot;
static int slow;

static void on_signal(int signal, siginfo_t *info, void *context) {
    (void)context;
    if (signal == SIGUSR1) slot->usr1++;
    if (signal == SIGRTMIN) slot->queued += info->si_value.sival_int;
    if (signal != SIGALRM) return;
    if (info->si_code == SI_TKILL && info->si_pid == getpid())
        slot->stray++;
    else
        slot->alarms++;
}

/* The address behind the system call is what the test compares with the program counter of the parked task. */
extern char after_raise[];
static void raise_alarm(void) {
    long pid = getpid(), tid = gettid();
#if defined __x86_64__
    register long nr __asm__("rax") = SYS_tgkill;
    __asm__ volatile("syscall\n.globl after_raise\nafter_raise:"
                     : "+r"(nr)
                     : "D"(pid), "S"(tid), "d"((long)SIGALRM)
                     : "rcx", "r11", "memory");
#else
    register long nr __asm__("x8") = SYS_tgkill;
    register long x0 __asm__("x0") = pid;
    register long x1 __asm__("x1") = tid;
    register long x2 __asm__("x2") = SIGALRM;
    __asm__ volatile("svc 0\n.globl after_raise\nafter_raise:" : "+r"(x0) : "r"(nr), "r"(x1), "r"(x2) : "memory");
#endif
}

__attribute__((noinline)) static void migration_point(void) {
    int64_t target = VARIABLE;
    if (target != POPCORN_AARCH64 && target != POPCORN_X86_64) return;
    if (slow) usleep(SLOW_MS * 1000);
    regs_dst.magic = target == POPCORN_X86_64 ? POPCORN_MAGIC_X86_64 : POPCORN_MAGIC_AARCH64;
    slot->after_raise = (uint64_t)(uintptr_t)after_raise;
    slot->raised++;
    VARIABLE = POPCORN_NONE;
    raise_alarm();
    slot->went_on++;
    regs_dst.magic = 0;
}

static void *idle_thread(void *unused) {
    for (;;) pause();
    return unused;
}

static void handle_signals(void) {
    struct sigaction action;
    memset(&action, 0, sizeof action);
    action.sa_sigaction = on_signal;
    action.sa_flags = SA_SIGINFO | SA_RESTART;
    sigaction(SIGUSR1, &action, NULL);
    sigaction(SIGALRM, &action, NULL);
    sigaction(SIGRTMIN, &action, NULL);
}

/* One turn of each awkward mode. */
static void turn(const char *mode, char **argv) {
    if (strcmp(mode, "forker") == 0) {
        pid_t child = fork();
        if (child == 0) {
            for (int i = 0; i < 20; ++i) {
                migration_point();
                usleep(200);
            }
            _exit(0);
        }
        while (waitpid(child, NULL, WNOHANG) == 0) { /* not for longer: the child may be parked */
            migration_point();
            usleep(200);
        }
    } else if (strcmp(mode, "execer") == 0) {
        char index[16];
        snprintf(index, sizeof index, "%d", (int)(slot - all->slots));
        for (int i = 0; i < 10; ++i) {
            migration_point();
            usleep(200);
        }
        execl("/proc/self/exe", argv[0], argv[1], "execer", index, (char *)NULL);
    } else if (strcmp(mode, "vforker") == 0) {
        pid_t child = vfork();
        if (child == 0) {
            execl("/bin/true", "true", (char *)NULL);
            _exit(1);
        }
        int status;
        while (waitpid(child, &status, 0) < 0 && errno == EINTR) migration_point();
    }
}

static void live(const char *mode, char **argv) {
    struct itimerval often = {{0, 700}, {0, 700}};
    pthread_t thread;
    slow = strcmp(mode, "slow") == 0;
    handle_signals();
    slot->pid = getpid();
    if (strcmp(mode, "timer") == 0) setitimer(ITIMER_REAL, &often, NULL);
    if (strcmp(mode, "threads") == 0 && pthread_create(&thread, NULL, idle_thread, NULL) != 0) abort();
    if (strcmp(mode, "garbage") == 0) VARIABLE = 5;
    if (strcmp(mode, "sleep") == 0) execl("/bin/sleep", "sleep", "1000", (char *)NULL);
    for (long i = 0;; ++i) {
        slot->progress++;
        if (strcmp(mode, "stubborn") != 0) migration_point();
        if (strcmp(mode, "exiter") == 0 && i > 5) _exit(0);
        turn(mode, argv);
        usleep(200);
    }
}

int main(int argc, char **argv) {
    int fd = open(argv[1], O_RDWR | O_CLOEXEC);
    all = mmap(NULL, sizeof *all, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (all == MAP_FAILED) return 1;
    if (argc > 3) { /* came here by exec */
        slot = &all->slots[atoi(argv[3])];
        slot->execs++;
        live(argv[2], argv);
    }
    char *modes[SLOTS], *rest = argv[2];
    int count = 0;
    for (char *mode; count < SLOTS && (mode = strsep(&rest, ":")) != NULL;) modes[count++] = mode;
    slot = &all->slots[0];
    for (int i = 1; i < count && strcmp(modes[i], "exiter") != 0; ++i)
        if (fork() == 0) {
            slot = &all->slots[i];
            live(modes[i], argv);
        }
    slot->pid = getpid();
    handle_signals();
    if (count > 1 && strcmp(modes[count - 1], "exiter") == 0) /* one child after the other, each for a moment */
        for (;;) {
            pid_t child = fork();
            if (child == 0) {
                slot = &all->slots[count - 1];
                live("exiter", argv);
            }
            while (waitpid(child, NULL, WNOHANG) == 0) {
                slot->progress++;
                migration_point();
                usleep(200);
            }
        }
    live(modes[0], argv);
}
