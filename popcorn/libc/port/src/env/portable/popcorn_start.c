/* The program's start: argc, argv, environment and auxiliary vector move from the kernel's stack, which differs
 * between the ISAs, to memory below 2^47, and main runs on the first of two stack regions of equal size. */
#include "popcorn_stacks.h"
#include "syscall.h"
#include <elf.h>
#include <fcntl.h>
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#define STACK_DEFAULT (8ul << 20)
#define STACK_LARGEST (1ul << 30)
#define STACK_FACTOR 4 /* frames are rebuilt beside each other, and larger */
#define STACK_GUARD (1ul << 16)

extern int main();
int __libc_start_main(int (*)(), int, char **, void (*)(), void (*)(), void (*)());
void __popcorn_without_vdso(void); /* in popcorn/runtime */
_Noreturn void __popcorn_start_process(void (*)(long *), long *, void *const[2], size_t);

hidden struct popcorn_stacks __popcorn_main_stacks;

/* What the program may use. */
static size_t stack_limit(void) {
    unsigned long limit[2];
    if (__syscall(SYS_prlimit64, 0, RLIMIT_STACK, 0, limit) < 0) return STACK_DEFAULT;
    if (limit[0] > STACK_LARGEST) return limit[0] == ~0ul ? STACK_DEFAULT : STACK_LARGEST;
    return limit[0] < STACK_GUARD ? STACK_GUARD : limit[0] & -STACK_GUARD;
}

static char *copy_text(const char *text, char **at) {
    char *copy = *at;
    while ((*(*at)++ = *text++));
    return copy;
}

static size_t length(const char *text) {
    size_t n = 0;
    while (text[n]) n++;
    return n + 1;
}

static int is_text(unsigned long key) {
    return key == AT_EXECFN || key == AT_PLATFORM || key == AT_BASE_PLATFORM;
}

/* The numbered fields of /proc/self/stat, proc(5). 0: not read. There is no thread yet that could wait. */
static int read_stat(unsigned long *field, int fields) {
    char text[1024];
    long fd = __popcorn_kernel(SYS_openat, AT_FDCWD, (long)"/proc/self/stat", O_RDONLY | O_CLOEXEC, 0, 0, 0);
    if (fd < 0) return 0;
    long size = __popcorn_kernel(SYS_read, fd, (long)text, sizeof text - 1, 0, 0, 0);
    __syscall(SYS_close, fd);
    if (size <= 0) return 0;
    text[size] = 0;
    char *at = text + size;
    while (at > text && *at != ')') at--; /* the second field is a name of any characters */
    int number = 2;
    for (; *at && number < fields; at++) {
        if (*at == ' ')
            field[++number] = 0;
        else if (*at >= '0' && *at <= '9')
            field[number] = field[number] * 10 + (*at - '0');
    }
    return number == fields;
}

/* The command line that others see is what the program makes of its copy: some write a title over it. The kernel may
 * refuse. */
static void show_texts(char *arguments, char *environment, char *end) {
    enum { start_code = 26, end_code, start_stack, start_data = 45, end_data, start_brk, fields };
    unsigned long stat[fields + 1] = {0};
    if (!read_stat(stat, fields)) return;
    struct prctl_mm_map map = {
        .start_code = stat[start_code],
        .end_code = stat[end_code],
        .start_data = stat[start_data],
        .end_data = stat[end_data],
        .start_brk = stat[start_brk],
        .brk = __syscall(SYS_brk, 0),
        .start_stack = stat[start_stack],
        .arg_start = (unsigned long)arguments,
        .arg_end = (unsigned long)environment,
        .env_start = (unsigned long)environment,
        .env_end = (unsigned long)end,
        .exe_fd = -1,
    };
    __syscall(SYS_prctl, PR_SET_MM, PR_SET_MM_MAP, &map, sizeof map, 0);
}

/* The words from argc to the end of the auxiliary vector, followed by what they point to. */
static long *copy_block(long *sp) {
    size_t texts = 16, words = 1, auxv;
    for (int terminators = 0; terminators < 2; words++) {
        if (sp[words])
            texts += length((char *)sp[words]);
        else
            terminators++;
    }
    auxv = words;
    for (; sp[words]; words += 2)
        if (is_text(sp[words])) texts += length((char *)sp[words + 1]);
    words += 2;
    long *block = mmap(0, words * sizeof *block + texts, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    char *at = (char *)(block + words), *arguments = at, *environment = at;
    for (size_t i = 0; i < auxv; i++) {
        block[i] = i && sp[i] ? (long)copy_text((char *)sp[i], &at) : sp[i];
        if (i == sp[0]) environment = at;
    }
    show_texts(arguments, environment, at);
    int vdso = 0;
    for (size_t i = auxv; i < words; i += 2) {
        vdso |= sp[i] == AT_SYSINFO_EHDR;
        block[i] = sp[i];
        block[i + 1] = is_text(sp[i]) ? (long)copy_text((char *)sp[i + 1], &at) : sp[i + 1];
        if (sp[i] == AT_RANDOM) {
            for (int k = 0; k < 16; k++) at[k] = ((char *)sp[i + 1])[k];
            block[i + 1] = (long)at;
            at += 16;
        }
    }
    if (!vdso) __popcorn_without_vdso();
    return block;
}

static void on_stack(long *block) {
    __libc_start_main(main, (int)block[0], (char **)(block + 1), 0, 0, 0);
}

_Noreturn void __popcorn_start_c(long *sp) {
    size_t size = STACK_FACTOR * stack_limit();
    __popcorn_main_stacks.size = size;
    for (int i = 0; i < 2; i++) {
        char *p = mmap(0, size + STACK_GUARD, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        if (p == MAP_FAILED || __syscall(SYS_mprotect, p + STACK_GUARD, size, PROT_READ | PROT_WRITE)) __builtin_trap();
        __popcorn_main_stacks.base[i] = p + STACK_GUARD;
    }
    __popcorn_start_process(on_stack, copy_block(sp), __popcorn_main_stacks.base, size);
}
