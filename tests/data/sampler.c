// A process that owns one of each thing a checkpoint can hold, so that its dump is test data for every image reader.
// Static, no arguments. It prints "ready" when all is set up and then only waits.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/msg.h>
#include <sys/prctl.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/timerfd.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

static void check(long result, const char *what) {
    if (result >= 0) return;
    perror(what);
    exit(1);
}

static void nothing(int signal) {
    (void)signal;
}

static void *wait_forever(void *name) {
    pthread_setname_np(pthread_self(), name);
    for (;;) pause();
    return NULL;
}

static void open_plain_files(void) {
    check(open("/data/log", O_CREAT | O_RDWR | O_APPEND, 0644), "log");
    check(open("/data", O_RDONLY | O_DIRECTORY), "directory");
    int ghost = open("/data/ghost", O_CREAT | O_RDWR | O_NOFOLLOW, 0600);
    check(ghost, "ghost");
    check(write(ghost, "a file without a name", 21), "write ghost");
    check(unlink("/data/ghost"), "unlink");
    check(mkfifo("/data/fifo", 0600), "mkfifo");
    int fifo = open("/data/fifo", O_RDWR);
    check(write(fifo, "in the fifo", 11), "write fifo");
    int memory = memfd_create("memory file", 0);
    check(ftruncate(memory, 8192), "ftruncate");
    check(write(memory, "memfd", 5), "write memfd");
}

static void open_sockets(void) {
    int pair[2];
    check(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair), "socketpair");
    check(send(pair[0], "queued one", 10, 0), "send");
    check(send(pair[0], "queued two", 10, 0), "send");
    int named = socket(AF_UNIX, SOCK_STREAM, 0);
    struct sockaddr_un name = {.sun_family = AF_UNIX, .sun_path = "\0sampler"};
    check(bind(named, (struct sockaddr *)&name, sizeof(sa_family_t) + 8), "bind unix");
    check(listen(named, 4), "listen unix");
    int tcp = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in here = {.sin_family = AF_INET, .sin_port = htons(8080), .sin_addr = {htonl(INADDR_LOOPBACK)}};
    check(bind(tcp, (struct sockaddr *)&here, sizeof here), "bind tcp");
    check(listen(tcp, 16), "listen tcp");
    int udp = socket(AF_INET6, SOCK_DGRAM, 0);
    struct sockaddr_in6 six = {.sin6_family = AF_INET6, .sin6_port = htons(5353), .sin6_addr = IN6ADDR_ANY_INIT};
    check(bind(udp, (struct sockaddr *)&six, sizeof six), "bind udp");
}

static void open_event_sources(void) {
    int pipes[2];
    check(pipe2(pipes, O_NONBLOCK), "pipe");
    check(write(pipes[1], "in the pipe", 11), "write pipe");
    int event = eventfd(7, EFD_NONBLOCK);
    int epoll = epoll_create1(EPOLL_CLOEXEC);
    struct epoll_event on_event = {.events = EPOLLIN, .data.u64 = 0x1122334455667788};
    struct epoll_event on_pipe = {.events = EPOLLIN | EPOLLET, .data.u64 = 2};
    check(epoll_ctl(epoll, EPOLL_CTL_ADD, event, &on_event), "epoll event");
    check(epoll_ctl(epoll, EPOLL_CTL_ADD, pipes[0], &on_pipe), "epoll pipe");
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGUSR2);
    check(sigprocmask(SIG_BLOCK, &signals, NULL), "sigprocmask");
    check(signalfd(-1, &signals, 0), "signalfd");
    int timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK);
    struct itimerspec hourly = {{3600, 0}, {3600, 0}};
    check(timerfd_settime(timer, 0, &hourly, NULL), "timerfd");
}

static void set_process_state(void) {
    static char stack[16384];
    stack_t alternate = {.ss_sp = stack, .ss_size = sizeof stack};
    check(sigaltstack(&alternate, NULL), "sigaltstack");
    struct sigaction action = {.sa_handler = nothing, .sa_flags = SA_RESTART | SA_ONSTACK};
    check(sigaction(SIGUSR1, &action, NULL), "sigaction");
    timer_t timer;
    struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1};
    struct itimerspec hourly = {{3600, 0}, {3600, 0}};
    check(timer_create(CLOCK_REALTIME, &event, &timer), "timer_create");
    check(timer_settime(timer, 0, &hourly, NULL), "timer_settime");
    check(raise(SIGUSR2), "raise"); // stays pending: it is blocked
    char *shared = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    strcpy(shared, "shared memory");
}

static void set_up_ipc(void) {
    struct {
        long type;
        char text[12];
    } message = {1, "hello queue"};
    int queue = msgget(1, IPC_CREAT | 0600);
    check(queue, "msgget");
    check(msgsnd(queue, &message, sizeof message.text, 0), "msgsnd");
    check(semget(2, 3, IPC_CREAT | 0600), "semget");
    int memory = shmget(3, 4096, IPC_CREAT | 0600);
    check(memory, "shmget");
    strcpy(shmat(memory, NULL, 0), "System V");
}

static void forbid_nothing(void) {
    struct sock_filter allow[] = {{BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ALLOW}};
    struct sock_fprog program = {1, allow};
    check(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "no_new_privs");
    check(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program), "seccomp");
}

int main(void) {
    open_plain_files();
    open_sockets();
    open_event_sources();
    set_process_state();
    set_up_ipc();
    forbid_nothing();
    if (fork() == 0) {
        prctl(PR_SET_NAME, "child \033[31mred");
        for (;;) pause();
    }
    pthread_t thread;
    check(-pthread_create(&thread, NULL, wait_forever, "second"), "pthread_create");
    usleep(100000);
    puts("ready");
    fflush(stdout);
    for (;;) pause();
}
