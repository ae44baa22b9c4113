/* Runs programs one after the other, over and over, each as a child with a pipe for its output, and says of each run
 * whether it printed what its file of expected output has, and exited with 0. again DIRECTORY NAME...: the program is
 * DIRECTORY/NAME, the file DIRECTORY/NAME.txt. */
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

struct text {
    char *bytes;
    size_t size;
};

static void fail(const char *what) {
    perror(what);
    exit(1);
}

static struct text read_all(int descriptor) {
    struct text text = {malloc(1 << 20), 0};
    ssize_t got;
    while ((got = read(descriptor, text.bytes + text.size, (1 << 20) - text.size)) > 0) text.size += (size_t)got;
    if (got < 0) fail("read");
    close(descriptor);
    return text;
}

static struct text read_file(const char *path) {
    int descriptor = open(path, O_RDONLY | O_CLOEXEC);
    if (descriptor < 0) fail(path);
    return read_all(descriptor);
}

static struct text run(const char *path, int *status) {
    int ends[2];
    pid_t pid;
    posix_spawn_file_actions_t actions;
    if (pipe2(ends, O_CLOEXEC) != 0) fail("pipe2");
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, ends[1], 1);
    if (posix_spawn(&pid, path, &actions, NULL, (char *[]){(char *)path, NULL}, environ) != 0) fail(path);
    posix_spawn_file_actions_destroy(&actions);
    close(ends[1]);
    struct text text = read_all(ends[0]);
    if (waitpid(pid, status, 0) != pid) fail("waitpid");
    return text;
}

int main(int argc, char **argv) {
    setvbuf(stdout, NULL, _IOLBF, 0);
    for (long line = 0;; line++) {
        char path[4096], file[4096];
        const char *name = argv[2 + line % (argc - 2)];
        snprintf(path, sizeof path, "%s/%s", argv[1], name);
        snprintf(file, sizeof file, "%s/%s.txt", argv[1], name);
        int status;
        struct text expected = read_file(file), text = run(path, &status);
        int same = expected.size == text.size && memcmp(expected.bytes, text.bytes, text.size) == 0;
        printf("run %ld of %s: status %d, %s\n", line, name, status, same ? "ok" : "prints something else");
        if (!same) fwrite(text.bytes, 1, text.size, stderr);
        free(expected.bytes);
        free(text.bytes);
    }
}
