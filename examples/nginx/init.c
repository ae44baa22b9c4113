// init COMMAND [ARGUMENT...]: the first process of a container whose program goes into the background, as nginx has to
// if a signal is to replace its binary. What is sent to this process goes to its children; it ends when it has none any
// more, with the exit status of the last one.
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

static void pass_on(int number) {
    char path[64];
    snprintf(path, sizeof path, "/proc/self/task/%d/children", (int)getpid());
    FILE *children = fopen(path, "re");
    int pid;
    while (children && fscanf(children, "%d", &pid) == 1) kill(pid, number);
    if (children) fclose(children);
}

int main(int argc, char **argv) {
    if (argc < 2) {
        fprintf(stderr, "usage: init COMMAND [ARGUMENT...]\n");
        return 2;
    }
    sigset_t all, none;
    sigfillset(&all);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &all, NULL);
    posix_spawnattr_t attributes;
    posix_spawnattr_init(&attributes);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK);
    posix_spawnattr_setsigmask(&attributes, &none);
    pid_t child;
    int error = posix_spawnp(&child, argv[1], NULL, &attributes, argv + 1, environ);
    if (error) {
        fprintf(stderr, "init: %s: %s\n", argv[1], strerror(error));
        return 127;
    }
    int last = 0;
    for (;;) {
        siginfo_t signal;
        if (sigwaitinfo(&all, &signal) < 0) continue;
        if (signal.si_signo != SIGCHLD) {
            pass_on(signal.si_signo);
            continue;
        }
        int status;
        pid_t ended;
        while ((ended = waitpid(-1, &status, WNOHANG)) > 0) last = status;
        if (ended < 0) return WIFEXITED(last) ? WEXITSTATUS(last) : 128 + WTERMSIG(last);
    }
}
