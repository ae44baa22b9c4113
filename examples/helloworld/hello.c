/* Once a second a line: a counter, the instruction set, and whether everything that a process owns is still as it was.
 *
 * What it carries: the counter and a sum in local variables; a list on the heap that grows by an element a line; a
 * double that gathers the series for pi; bytes that wait in a pipe; a thread-local variable.
 *
 * hello [INTERVAL [LINES]]: milliseconds between lines (also HELLO_INTERVAL in the environment; 1000), and how many
 * lines (without end). */
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

struct element {
    struct element *next;
    uint64_t value;
};
enum { kElements = 4096, kWaiting = 64 };

static struct element *first; /* the list, reached through pointers only from here on */
static int pipe_ends[2];
static _Thread_local uint64_t lines_here; /* lines written, as the thread-local variable has it */

static void fail(const char *what) {
    perror(what);
    exit(1);
}

static uint64_t scramble(uint64_t value) {
    value ^= value << 13;
    value ^= value >> 7;
    return value ^ (value << 17);
}

static uint64_t checksum(void) {
    uint64_t sum = 0, i = 0;
    for (const struct element *at = first; at != NULL; at = at->next) sum = scramble(sum + at->value + ++i);
    return sum;
}

static void append(uint64_t line) {
    struct element **end = &first, *added = malloc(sizeof *added);
    if (added == NULL) fail("malloc");
    while (*end != NULL) end = &(*end)->next;
    *added = (struct element){NULL, scramble(line + 1)};
    *end = added;
}

static void clear(void) {
    while (first != NULL) {
        struct element *next = first->next;
        free(first);
        first = next;
    }
}

/* Takes one byte out of the pipe, which holds kWaiting of them, and puts another one in. */
static int pipe_is_right(uint64_t line) {
    uint8_t got = 0, next = (uint8_t)(line + kWaiting);
    return read(pipe_ends[0], &got, 1) == 1 && got == (uint8_t)line && write(pipe_ends[1], &next, 1) == 1;
}

/* The kernel's own name for the machine that the program is on now. */
static const char *isa(void) {
    static struct utsname name;
    if (uname(&name) != 0) fail("uname");
    return strcmp(name.machine, "x86_64") == 0 ? "x86-64" : name.machine;
}

static int greet(const struct timespec *interval, uint64_t most) {
    uint64_t expected = 0;
    double pi = 3, sign = 1;
    for (uint64_t line = 0; line != most; line++) {
        const uint64_t index = line % kElements;
        if (index == 0) {
            clear();
            expected = 0;
        }
        append(line);
        expected = scramble(expected + scramble(line + 1) + index + 1);
        const uint64_t sum = checksum();
        const int pipe_right = pipe_is_right(line), right = pipe_right && lines_here == line && sum == expected;
        printf("hello %llu on %s: heap %#llx%s float %.12f%s pipe %s\n", (unsigned long long)line, isa(),
               (unsigned long long)sum, sum == expected ? "" : " (WRONG)", pi,
               lines_here == line ? "" : " thread-local WRONG", pipe_right ? "ok" : "WRONG");
        if (!right) return 1;
        lines_here++;
        const double n = 2 * (double)(line + 1);
        pi += sign * 4 / (n * (n + 1) * (n + 2));
        sign = -sign;
        nanosleep(interval, NULL);
    }
    return 0;
}

/* The first process of a container gets no signal that it does not handle. */
static void on_terminate(int number) {
    (void)number;
    _exit(0);
}

int main(int argc, char **argv) {
    const char *text = argc > 1 ? argv[1] : getenv("HELLO_INTERVAL");
    const long interval = text != NULL ? strtol(text, NULL, 10) : 1000;
    const struct timespec pause = {interval / 1000, interval % 1000 * 1000000};
    setvbuf(stdout, NULL, _IOLBF, 0);
    signal(SIGTERM, on_terminate);
    if (pipe(pipe_ends) != 0) fail("pipe");
    for (unsigned i = 0; i < kWaiting; i++)
        if (write(pipe_ends[1], &(uint8_t){(uint8_t)i}, 1) != 1) fail("write");
    return greet(&pause, argc > 2 ? strtoull(argv[2], NULL, 10) : UINT64_MAX);
}
