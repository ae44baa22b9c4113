/* Has at nearly every moment two children that have ended and that nobody has waited for yet: one that exited, one that
 * was killed. It says a line every PERIOD milliseconds, and whether the two before told what became of them. zombies
 * [PERIOD] */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

static void fail(const char *what) {
    printf("zombies: %s is wrong\n", what);
    exit(1);
}

/* A child that has ended when this returns. */
static pid_t ended_child(int status, int signal) {
    const pid_t child = fork();
    if (child < 0) fail("fork");
    if (child == 0) {
        if (signal != 0) kill(getpid(), signal);
        _exit(status);
    }
    siginfo_t what;
    if (waitid(P_PID, (id_t)child, &what, WEXITED | WNOWAIT) != 0) fail("waitid");
    return child;
}

int main(int argc, char **argv) {
    const useconds_t period = (useconds_t)(argc > 1 ? atoi(argv[1]) : 100) * 1000;
    setvbuf(stdout, NULL, _IOLBF, 0);
    for (int line = 0;; ++line) {
        const pid_t exited = ended_child(line % 256, 0), killed = ended_child(0, SIGKILL);
        usleep(period);
        int status;
        if (waitpid(exited, &status, 0) != exited || !WIFEXITED(status) || WEXITSTATUS(status) != line % 256)
            fail("the status of the one that exited");
        if (waitpid(killed, &status, 0) != killed || !WIFSIGNALED(status) || WTERMSIG(status) != SIGKILL)
            fail("the status of the one that was killed");
        printf("zombies %d ok\n", line);
    }
}
