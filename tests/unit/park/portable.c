/* A program of three threads that keeps to the asking and answering of the portable ABI. It does not move: what it
 * would have captured is on its stacks. What it does can be watched in a file that it shares with the test.
 *
 *     portable FILE plain|stubborn|forker|leaver
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "popcorn/abi.h"
#include "watched.h"

#define THREADS 3

struct popcorn_process __popcorn_process = {
    .magic = POPCORN_PROCESS_MAGIC,
#ifdef NEXT_VERSION
    .version = POPCORN_ABI_VERSION + 1,
#else
    .version = POPCORN_ABI_VERSION,
#endif
    .size = sizeof(struct popcorn_process),
    .threads = THREADS,
};
POPCORN_NOTE(__popcorn_process);

static struct watched_slot *slot;
static int stubborn;

static void pause_for(long nanoseconds) {
    struct timespec time = {0, nanoseconds};
    nanosleep(&time, NULL);
}

static void on_nudge(int signal) {
    (void)signal;
    if (stubborn || __popcorn_process.notify != POPCORN_PARK) return;
    if (__atomic_add_fetch(&__popcorn_process.parked, 1, __ATOMIC_SEQ_CST) == __popcorn_process.threads) {
        __popcorn_process.state = POPCORN_PARKED;
        slot->raised++;
    }
    while (__popcorn_process.notify == POPCORN_PARK) pause_for(200000);
    if (__atomic_exchange_n(&__popcorn_process.state, POPCORN_RUNNING, __ATOMIC_SEQ_CST) == POPCORN_PARKED)
        slot->went_on++;
    __atomic_sub_fetch(&__popcorn_process.parked, 1, __ATOMIC_SEQ_CST);
}

static void *work(void *progress) {
    for (;;) {
        if (progress != NULL) slot->progress++;
        pause_for(200000);
    }
    return NULL;
}

/* A thread that has left the program, and is about to end. */
static void *leave(void *unused) {
    sigset_t all_signals;
    sigfillset(&all_signals);
    pthread_sigmask(SIG_SETMASK, &all_signals, NULL);
    pause_for(10000000);
    return unused;
}

/* A child is a process of one thread, and as little of its parent's park is its own. */
static void live_as_child(const sigset_t *mask) {
    __popcorn_process.threads = 1;
    __popcorn_process.parked = 0;
    __popcorn_process.state = POPCORN_RUNNING;
    sigprocmask(SIG_SETMASK, mask, NULL);
    for (int i = 0; i < 20; ++i) pause_for(200000);
    _exit(0);
}

int main(int argc, char **argv) {
    if (argc != 3) return 2;
    int fd = open(argv[1], O_RDWR | O_CLOEXEC);
    struct watched *all = mmap(NULL, sizeof *all, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (all == MAP_FAILED) return 1;
    slot = &all->slots[0];
    stubborn = strcmp(argv[2], "stubborn") == 0;
    struct sigaction action = {.sa_handler = on_nudge, .sa_flags = SA_RESTART};
    sigfillset(&action.sa_mask);
    sigaction(POPCORN_SIGNAL, &action, NULL);
    for (int i = 1; i < THREADS; ++i) {
        pthread_t thread;
        if (pthread_create(&thread, NULL, work, NULL) != 0) abort();
    }
    slot->pid = getpid();
    if (strcmp(argv[2], "forker") == 0)
        for (;;) {
            sigset_t all_signals, before;
            sigfillset(&all_signals);
            sigprocmask(SIG_SETMASK, &all_signals, &before);
            if (fork() == 0) live_as_child(&before);
            sigprocmask(SIG_SETMASK, &before, NULL);
            slot->progress++;
            while (wait(NULL) < 0) continue;
        }
    if (strcmp(argv[2], "leaver") == 0)
        for (;; slot->progress++) {
            pthread_t thread;
            if (pthread_create(&thread, NULL, leave, NULL) == 0) pthread_detach(thread);
            pause_for(1000000);
        }
    work(slot);
}
