/* Clocks, read without a system call where the kernel offers that: vdso(7).
 *
 * The kernel's functions lie at another address after the process has moved. They are looked for at the first call, and
 * again at the first one after frames have been rebuilt elsewhere. */
#include "internal.h"

#include <elf.h>

#if defined(__x86_64__)
enum { kOpenat = 257, kRead = 0, kClose = 3, kPrctl = 157 };
static const char kName[24] = "__vdso_clock_gettime";
#else
enum { kOpenat = 56, kRead = 63, kClose = 57, kPrctl = 167 };
static const char kName[24] = "__kernel_clock_gettime";
#endif
enum { kGetAuxv = 0x41555856, kCurrentDirectory = -100, kCloseOnExec = 02000000 };

typedef int clock_function(int clock, void *time);

static clock_function *function; /* NULL: not looked for */

static int ask_kernel(int clock, void *time) {
    return (int)raw(kClockGettime, clock, (long)time, 0, 0, 0, 0);
}

static uint64_t vdso_address(void) {
    uint64_t words[128];
    long got = raw(kPrctl, kGetAuxv, (long)words, sizeof words, 0, 0, 0);
    if (got < 0) { /* Linux before 6.4 */
        long file = raw(kOpenat, kCurrentDirectory, (long)"/proc/self/auxv", kCloseOnExec, 0, 0, 0);
        if (file < 0) return 0;
        got = raw(kRead, file, (long)words, sizeof words, 0, 0, 0);
        raw(kClose, file, 0, 0, 0, 0, 0);
    }
    for (long i = 0; i + 1 < (long)(sizeof words / sizeof *words) && 8 * (i + 1) < got && words[i] != AT_NULL; i += 2)
        if (words[i] == AT_SYSINFO_EHDR) return words[i + 1];
    return 0;
}

static int same_text(const char *a, const char *b) {
    while (*a != 0 && *a == *b) a++, b++;
    return *a == *b;
}

static clock_function *find(void) {
    const uint64_t base = vdso_address();
    if (base == 0) return ask_kernel;
    const Elf64_Ehdr *header = (const Elf64_Ehdr *)base;
    const Elf64_Shdr *sections = (const Elf64_Shdr *)(base + header->e_shoff);
    for (unsigned i = 0; header->e_shoff != 0 && i < header->e_shnum; i++) {
        if (sections[i].sh_type != SHT_DYNSYM) continue;
        const Elf64_Sym *symbols = (const Elf64_Sym *)(base + sections[i].sh_offset);
        const char *names = (const char *)(base + sections[sections[i].sh_link].sh_offset);
        for (uint64_t k = 0; k < sections[i].sh_size / sizeof *symbols; k++)
            if (symbols[k].st_shndx != SHN_UNDEF && same_text(names + symbols[k].st_name, kName))
                return (clock_function *)(base + symbols[k].st_value);
    }
    return ask_kernel;
}

long __popcorn_clock_gettime(int clock, void *time) {
    clock_function *to_call = __atomic_load_n(&function, __ATOMIC_RELAXED);
    if (to_call == NULL) {
        to_call = find();
        __atomic_store_n(&function, to_call, __ATOMIC_RELAXED);
    }
    return to_call(clock, time);
}

void popcorn_forget_clock(void) {
    __atomic_store_n(&function, NULL, __ATOMIC_RELAXED);
}
