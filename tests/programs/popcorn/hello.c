/* Once a second a line: a counter, the ISA, and whether everything that a process owns is still as it was.
 *
 * What it carries: the counter and the sum in registers and native frames; a list on the heap that grows by an element
 * a line; a double that gathers the series for pi; bytes that wait in a pipe; a thread-local variable; a file offset.
 *
 * hello [INTERVAL [LINES]]: milliseconds between lines (also HELLO_INTERVAL in the environment; 1000), and how many
 * lines (without end). */
#include "runtime.h"

struct element {
    struct element *next;
    uint64_t value;
};
enum { kElements = 4096, kWaiting = 64 };

static struct element *heap; /* a ring of elements, reached through pointers only from here on */
static int pipe_ends[2];
static __thread uint64_t lines_here; /* lines written, as the thread-local variable has it */

static uint64_t scramble(uint64_t value) {
    value ^= value << 13;
    value ^= value >> 7;
    return value ^ (value << 17);
}

static uint64_t checksum(const struct element *first, uint64_t count) {
    uint64_t sum = 0;
    for (uint64_t i = 0; i < count; i++, first = first->next) sum = scramble(sum + first->value + i + 1);
    return sum;
}

/* Takes one byte out of the pipe, which holds kWaiting of them, and puts another one in. */
static int pipe_is_right(uint64_t line) {
    uint8_t got = 0, next = (uint8_t)(line + kWaiting);
    return sys_read(pipe_ends[0], &got, 1) == 1 && got == (uint8_t)line && sys_write(pipe_ends[1], &next, 1) == 1;
}

static int write_line(uint64_t line, uint64_t sum, uint64_t expected, double pi) {
    int right = pipe_is_right(line) && lines_here == line && sum == expected;
    struct text text = {0};
    text_string(&text, "hello ");
    text_decimal(&text, (int64_t)line);
    text_string(&text, " on " POPCORN_ISA ": heap ");
    text_hex(&text, sum);
    text_string(&text, sum == expected ? " float " : " (WRONG) float ");
    text_double(&text, pi, 12);
    text_string(&text, lines_here == line ? "" : " thread-local WRONG");
    text_string(&text, right ? " pipe ok\n" : " something is WRONG\n");
    text_write(&text, 1);
    lines_here++;
    return right;
}

/* The element for each line goes where the last one points. */
static struct element *append(struct element *last, uint64_t line) {
    struct element *next = last->next;
    next->value = scramble(line + 1);
    return next;
}

POPCORN_FUNCTION static uint64_t greet(int64_t interval, uint64_t most) {
    uint64_t line = 0, expected = 0;
    struct element *last = heap;
    double pi = 3, sign = 1;
    long slept = 0;
#define LIVE interval, most, line, expected, last, pi, sign
    POPCORN_BEGIN(greet)
    for (; line != most; line++) {
        expected = scramble(expected + scramble(line + 1) + line % kElements + 1);
        last = append(last, line);
        if (!write_line(line, checksum(heap->next, line % kElements + 1), expected, pi)) return 1;
        if (line % kElements == kElements - 1) expected = 0;
        double n = 2 * (double)(line + 1);
        pi += sign * 4 / (n * (n + 1) * (n + 2));
        sign = -sign;
        POPCORN_CALL(1, slept, popcorn_sleep(interval));
    }
    POPCORN_END
#undef LIVE
    return 0;
}

/* The first process of a container gets no signal that it does not handle. */
static void on_terminate(int number, void *information, void *context) {
    (void)number, (void)information, (void)context;
    sys_exit(0);
}

static void prepare(void) {
    popcorn_handle(kSigterm, on_terminate, 0, 0);
    heap = popcorn_allocate(kElements * sizeof(struct element));
    for (uint64_t i = 0; i < kElements; i++) heap[i].next = &heap[(i + 1) % kElements];
    long result = sys_pipe(pipe_ends);
    if (result != 0) popcorn_fail("answer of pipe2", (uint64_t)result, 0);
    for (unsigned i = 0; i < kWaiting; i++) sys_write(pipe_ends[1], &(uint8_t){(uint8_t)i}, 1);
}

static int64_t interval_from(int argc, char **argv, char **environment) {
    static const char name[] = "HELLO_INTERVAL=";
    for (; *environment != NULL; environment++) {
        unsigned i = 0;
        while (name[i] != 0 && (*environment)[i] == name[i]) i++;
        if (name[i] == 0 && argc < 2) return number_from(*environment + i, 1000);
    }
    return argc > 1 ? number_from(argv[1], 1000) : 1000;
}

POPCORN_FUNCTION int popcorn_main(int argc, char **argv, char **environment) {
    int64_t interval = 0;
    uint64_t status = 0;
#define LIVE argc, argv, interval
    POPCORN_BEGIN(popcorn_main)
    interval = interval_from(argc, argv, environment);
    prepare();
    POPCORN_CALL(1, status, greet(interval, argc > 2 ? (uint64_t)number_from(argv[2], 0) : UINT64_MAX));
    POPCORN_END
#undef LIVE
    return (int)status;
}
