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

/* In a hash table of either kind: elf(5). */
static uint64_t count_symbols(const uint32_t *hash, const uint32_t *gnu_hash) {
    if (hash != NULL) return hash[1];
    if (gnu_hash == NULL) return 0;
    const uint32_t buckets = gnu_hash[0], first = gnu_hash[1];
    const uint32_t *bucket = gnu_hash + 4 + 2 * (uint64_t)gnu_hash[2], *chain = bucket + buckets;
    uint64_t last = 0;
    for (uint32_t i = 0; i < buckets; i++)
        if (bucket[i] > last) last = bucket[i];
    if (last < first) return 0;
    while ((chain[last - first] & 1) == 0) last++;
    return last + 1;
}

/* By what is loaded alone: sections need not be. */
static clock_function *find(void) {
    const uint64_t base = vdso_address();
    if (base == 0) return ask_kernel;
    const Elf64_Ehdr *header = (const Elf64_Ehdr *)base;
    const Elf64_Phdr *segments = (const Elf64_Phdr *)(base + header->e_phoff);
    const Elf64_Dyn *dynamic = NULL;
    uint64_t bias = base;
    for (unsigned i = 0; i < header->e_phnum; i++) {
        if (segments[i].p_type == PT_LOAD && segments[i].p_offset == 0) bias = base - segments[i].p_vaddr;
        if (segments[i].p_type == PT_DYNAMIC) dynamic = (const Elf64_Dyn *)(base + segments[i].p_offset);
    }
    const Elf64_Sym *symbols = NULL;
    const char *names = NULL;
    const uint32_t *hash = NULL, *gnu_hash = NULL;
    for (; dynamic != NULL && dynamic->d_tag != DT_NULL; dynamic++) {
        /* A loader that is not the kernel may have added the bias already. */
        const uint64_t at = dynamic->d_un.d_ptr < base ? bias + dynamic->d_un.d_ptr : dynamic->d_un.d_ptr;
        if (dynamic->d_tag == DT_SYMTAB) symbols = (const Elf64_Sym *)at;
        if (dynamic->d_tag == DT_STRTAB) names = (const char *)at;
        if (dynamic->d_tag == DT_HASH) hash = (const uint32_t *)at;
        if (dynamic->d_tag == DT_GNU_HASH) gnu_hash = (const uint32_t *)at;
    }
    const uint64_t count = symbols != NULL && names != NULL ? count_symbols(hash, gnu_hash) : 0;
    for (uint64_t i = 0; i < count; i++)
        if (symbols[i].st_shndx != SHN_UNDEF && same_text(names + symbols[i].st_name, kName))
            return (clock_function *)(bias + symbols[i].st_value);
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

void __popcorn_without_vdso(void) {
    function = ask_kernel;
}

void popcorn_forget_clock(void) {
    __atomic_store_n(&function, NULL, __ATOMIC_RELAXED);
}
