// System calls that are interrupted: by handlers of the program, by the reserved signal (35), by both in either order,
// and while the process is parked. A child sends all that, each time that this process waits. What each call must give
// is POSIX's.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#ifdef POPCORN
extern volatile unsigned __popcorn_notify_flag; // the state follows
static volatile unsigned *const notify = &__popcorn_notify_flag;
#endif
enum { kParkSignal = 35, kPark = 1, kParked = 1 };

enum events { kPlain, kRestarting, kNone };               // the handler that runs
enum orders { kAlone, kBefore, kAfter, kParking, kMany }; // the reserved signal against it
static const char *const event_names[] = {"plain handler", "restarting handler", "no handler"};

static struct shared {
    _Atomic int step, returned, event, order, interrupts; // of the step: whether the call must give EINTR
    _Atomic int plain, restarting;                        // handlers that have run
} *shared;
static int descriptors[2];
static pid_t parent;

static void on_plain(int signal) {
    (void)signal;
    shared->plain++;
}
static void on_restarting(int signal) {
    (void)signal;
    shared->restarting++;
    (void)!write(open("/dev/null", O_WRONLY | O_CLOEXEC), "", 1); // a call within the call
}

#ifdef POPCORN
static void reserved(int times) {
    for (int i = 0; i < times; i++) syscall(SYS_tgkill, parent, parent, kParkSignal);
}
static void set_notify(unsigned value) {
    int file = open("/dev/null", O_RDWR);
    char name[64];
    close(file);
    snprintf(name, sizeof name, "/proc/%d/mem", (int)parent);
    file = open(name, O_RDWR);
    if (pwrite(file, &value, sizeof value, (off_t)(uintptr_t)notify) != sizeof value) abort();
    close(file);
}
static unsigned state(void) {
    char name[64];
    unsigned value = 0;
    snprintf(name, sizeof name, "/proc/%d/mem", (int)parent);
    int file = open(name, O_RDONLY);
    if (pread(file, &value, sizeof value, (off_t)(uintptr_t)(notify + 1)) != sizeof value) abort();
    close(file);
    return value;
}
static int exercised(void) {
    return *notify > kPark;
}
#else
static void reserved(int times) {
    (void)times;
}
static void set_notify(unsigned value) {
    (void)value;
}
static unsigned state(void) {
    return kParked;
}
static int exercised(void) {
    return 0;
}
#endif

static void send_event(int event) {
    if (event == kPlain) kill(parent, SIGALRM);
    if (event == kRestarting) kill(parent, SIGUSR1);
}

static int is_waiting(void) {
    char name[64], text[256] = "";
    snprintf(name, sizeof name, "/proc/%d/stat", (int)parent);
    int file = open(name, O_RDONLY);
    (void)!read(file, text, sizeof text - 1);
    close(file);
    const char *at = strrchr(text, ')');
    return at && at[2] == 'S';
}

// The byte that the parent waits for: once the handler has run, or, where that must end the call, once it has ended.
static void complete(int step, int handlers) {
    for (int i = 0; i < 50000; i++) {
        const int ran = shared->plain + shared->restarting - handlers;
        if (shared->interrupts ? shared->returned == step : ran || shared->event == kNone) break;
        usleep(100);
    }
    if (!shared->interrupts) usleep(1500);
    (void)!write(descriptors[0], "x", 1);
}

static void disturb(int event, int order) {
    switch (order) {
    case kAlone:
        send_event(event);
        break;
    case kBefore: // a signal of the thread comes before one of the process
        kill(parent, SIGSTOP);
        reserved(1);
        send_event(event);
        kill(parent, SIGCONT);
        break;
    case kAfter:
        send_event(event);
        reserved(1);
        break;
    case kParking:
        if (exercised()) break;
        set_notify(kPark);
        do {
            reserved(1);
            usleep(200);
        } while (state() != kParked);
        send_event(event);
        usleep(500);
        set_notify(0);
        reserved(1);
        break;
    default:
        reserved(50);
        send_event(event);
        reserved(50);
        break;
    }
    if (order == kParking && exercised()) send_event(event);
}

static _Noreturn void child(void) {
    for (int step = 1;; step++) {
        while (shared->step < step) {
            if (getppid() != parent) _exit(0);
            usleep(50);
        }
        while (!is_waiting()) usleep(50);
        usleep(300);
        if (!is_waiting()) usleep(2000);
        const int handlers = shared->plain + shared->restarting;
        disturb(shared->event, shared->order);
        complete(step, handlers);
    }
}

// The calls. Each waits for a byte, or for nothing but a handler or the time.
static long call_read(void) {
    char c;
    return read(descriptors[1], &c, 1);
}
static long call_recv(void) {
    char c;
    return recv(descriptors[1], &c, 1, 0);
}
static long call_poll(void) {
    struct pollfd wait = {descriptors[1], POLLIN, 0};
    return poll(&wait, 1, -1);
}
static long call_select(void) {
    fd_set set;
    FD_ZERO(&set);
    FD_SET(descriptors[1], &set);
    return select(descriptors[1] + 1, &set, NULL, NULL, NULL);
}
static struct timespec sleep_time;
static long call_sleep(void) {
    return nanosleep(&sleep_time, NULL) == 0 ? 1 : -1;
}
static long call_sleep_until(void) {
    struct timespec end;
    clock_gettime(CLOCK_MONOTONIC, &end);
    end.tv_sec += sleep_time.tv_sec;
    end.tv_nsec += sleep_time.tv_nsec;
    if (end.tv_nsec >= 1000000000) end.tv_sec++, end.tv_nsec -= 1000000000;
    errno = clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &end, NULL);
    return errno == 0 ? 1 : -1;
}
static long call_sigsuspend(void) {
    sigset_t none;
    sigemptyset(&none);
    return sigsuspend(&none);
}
static long call_pause(void) {
    return pause();
}
static const struct call {
    const char *name;
    long (*function)(void);
    int restarts, needs_handler, blocked;
} calls[] = {
    {"read", call_read, 1, 0, 0},       {"recv", call_recv, 1, 0, 0},
    {"poll", call_poll, 0, 0, 0},       {"select", call_select, 0, 0, 0},
    {"nanosleep", call_sleep, 0, 0, 0}, {"clock_nanosleep", call_sleep_until, 0, 0, 0},
    {"pause", call_pause, 0, 1, 0},     {"sigsuspend", call_sigsuspend, 0, 1, 1},
};

static void drain(void) {
    char c;
    while (recv(descriptors[1], &c, 1, MSG_DONTWAIT) == 1) {
    }
}

static const char *run(const struct call *call, int event, int order, int interrupts) {
    sigset_t blocked, before;
    sigemptyset(&blocked);
    sigaddset(&blocked, SIGALRM);
    sigaddset(&blocked, SIGUSR1);
    if (call->blocked) sigprocmask(SIG_BLOCK, &blocked, &before);
    const int old_plain = shared->plain, old_restarting = shared->restarting;
    sleep_time = interrupts ? (struct timespec){10, 0} : (struct timespec){0, 60000000};
    shared->event = event;
    shared->interrupts = interrupts;
    shared->order = order;
    shared->step++;
    errno = 0;
    const long result = call->function();
    const int error = errno;
    shared->returned = shared->step;
    if (call->blocked) sigprocmask(SIG_SETMASK, &before, NULL);
    char c;
    if (result == -1 || (call->function != call_read && call->function != call_recv))
        (void)!recv(descriptors[1], &c, 1, MSG_WAITALL);
    drain();
    if (shared->plain - old_plain != (event == kPlain) || shared->restarting - old_restarting != (event == kRestarting))
        return "the wrong number of handlers ran";
    if (result == -1) return error == EINTR ? "EINTR" : "another error";
    return result == 1 ? "done" : "another result";
}

static void interruptions(void) {
    for (unsigned i = 0; i < sizeof calls / sizeof *calls; i++)
        for (int event = kPlain; event <= kNone; event++) {
            if (event == kNone && calls[i].needs_handler) continue;
            const int interrupts = event == kPlain || (event == kRestarting && !calls[i].restarts);
            const char *expected = interrupts ? "EINTR" : "done";
            for (int round = 0; round < 2; round++)
                for (int order = kAlone; order <= kMany; order++) {
                    const char *got = run(&calls[i], event, order, interrupts);
                    if (strcmp(got, expected) != 0)
                        printf("%s, %s, order %d: %s\n", calls[i].name, event_names[event], order, got);
                }
            printf("%s, %s: %s\n", calls[i].name, event_names[event], expected);
        }
}

// Calls that do not wait give no EINTR, however many handlers run.
static void storm(void) {
    char name[] = "/tmp/.popcorn-XXXXXX", block[512];
    const int file = mkstemp(name), old = shared->plain;
    unlink(name);
    memset(block, 7, sizeof block);
    const pid_t sender = fork();
    if (sender == 0) {
        while (getppid() == parent) {
            reserved(3);
            usleep(100);
        }
        _exit(0);
    }
    setitimer(ITIMER_REAL, &(struct itimerval){{0, 300}, {0, 300}}, NULL);
    int failures = 0, rounds = 0;
    while (shared->plain - old < 300) {
        failures += pwrite(file, block, sizeof block, rounds % 100 * 512) != sizeof block;
        failures += fcntl(file, F_GETFL) < 0;
        failures += pread(file, block, sizeof block, rounds % 100 * 512) != sizeof block;
        rounds++;
    }
    setitimer(ITIMER_REAL, &(struct itimerval){0}, NULL);
    kill(sender, SIGKILL);
    while (waitpid(sender, NULL, 0) < 0 && errno == EINTR) {
    }
    printf("storm: %d failures\n", failures);
}

int main(void) {
    setvbuf(stdout, NULL, _IOLBF, 0);
    parent = getpid();
    shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (socketpair(AF_UNIX, SOCK_STREAM, 0, descriptors)) abort();
    struct sigaction action = {.sa_handler = on_plain}, got;
    sigaction(SIGALRM, &action, NULL);
    action = (struct sigaction){.sa_handler = on_restarting, .sa_flags = SA_RESTART};
    sigaction(SIGUSR1, &action, NULL);
    sigaction(SIGUSR1, NULL, &got);
    printf("handlers: %d\n",
           got.sa_handler == on_restarting && (got.sa_flags & (SA_RESTART | SA_SIGINFO)) == SA_RESTART);
    const pid_t disturber = fork();
    if (disturber == 0) child();
    interruptions();
    kill(disturber, SIGKILL);
    waitpid(disturber, NULL, 0);
    storm();
    return 0;
}
