/* From the kernel's stack to the program's own, and what a C library would give. */
#include "internal.h"

extern const uint8_t __tls_start[], __tls_file_end[], __tls_end[]; /* the linker script */
enum { kTlsMost = 4096, kArgumentsMost = 1024 * 128 };
static uint8_t tls_block[16 + kTlsMost + 8] __attribute__((aligned(16)));

void *popcorn_start(uint64_t *stack); /* gives the stack pointer to run popcorn_base() on */

void *memcpy(void *restrict to, const void *restrict from, size_t size) {
    uint8_t *at = to;
    for (const uint8_t *byte = from; size != 0; size--) *at++ = *byte++;
    return to;
}

void *memset(void *to, int value, size_t size) {
    for (uint8_t *at = to; size != 0; size--) *at++ = (uint8_t)value;
    return to;
}

uint64_t popcorn_thread_pointer(int64_t isa) {
    uint64_t block = (uint64_t)tls_block + 16;
    return isa == POPCORN_AARCH64 ? block - 16 : block + (uint64_t)(__tls_end - __tls_start);
}

static void start_thread_locals(void) {
    if (__tls_end - __tls_start > kTlsMost)
        popcorn_fail("size of thread-local variables", (uint64_t)(__tls_end - __tls_start), kTlsMost);
    memcpy(tls_block + 16, __tls_start, (size_t)(__tls_file_end - __tls_start));
    uint64_t end = popcorn_thread_pointer(POPCORN_X86_64);
    *(uint64_t *)end = end;
    popcorn_set_thread_pointer(popcorn_thread_pointer(POPCORN_HERE));
}

void *popcorn_allocate(size_t size) {
    static uint64_t next = UINT64_C(0x1000000000); /* below 2^39, which every kernel has; far from what it places */
    size = (size + 0xffff) & ~(size_t)0xffff;
    void *got = sys_map((void *)next, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE);
    if ((uint64_t)got != next) popcorn_fail("memory from the kernel", (uint64_t)got, next);
    next += size;
    return got;
}

static char **copy_strings(char **strings, char ***slots, char **bytes, const char *end) {
    char **copies = *slots;
    for (; *strings != NULL; strings++) {
        *(*slots)++ = *bytes;
        for (const char *from = *strings;; from++) {
            if (*bytes == end) popcorn_fail("size of the arguments", 0, kArgumentsMost);
            *(*bytes)++ = *from;
            if (*from == 0) break;
        }
    }
    *(*slots)++ = NULL;
    return copies;
}

void *popcorn_start(uint64_t *stack) {
    start_thread_locals();
    int argc = (int)stack[0];
    char **argv = (char **)(stack + 1), **environment = argv + argc + 1;
    size_t count = (size_t)argc + 2;
    for (char **at = environment; *at != NULL; at++) count++;
    char **slots = popcorn_allocate(count * sizeof(char *) + kArgumentsMost);
    char *bytes = (char *)(slots + count), *end = bytes + kArgumentsMost;
    argv = copy_strings(argv, &slots, &bytes, end);
    popcorn_set_arguments(argc, argv, copy_strings(environment, &slots, &bytes, end));
    return popcorn_stack[0] + kHalf;
}

_Noreturn void popcorn_fail(const char *what, uint64_t is, uint64_t should_be) {
    struct text line = {0};
    text_string(&line, "popcorn: on " POPCORN_ISA ": ");
    text_string(&line, what);
    text_string(&line, " is ");
    text_hex(&line, is);
    text_string(&line, ", not ");
    text_hex(&line, should_be);
    text_string(&line, "\n");
    text_write(&line, 2);
    sys_exit(120);
}

void popcorn_handle(int number, void (*handler)(int, void *, void *), uint64_t flags, uint64_t mask) {
    struct signal_action action = {handler, flags | kSaSiginfo | kSaRestorer, __popcorn_sigreturn, mask};
    long result = sys_signal_action(number, &action, NULL);
    if (result != 0) popcorn_fail("answer of rt_sigaction", (uint64_t)result, 0);
}
