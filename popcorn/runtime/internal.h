/* What the files of the capture runtime share. Freestanding C11. */
#pragma once

#include "popcorn/runtime/capture.h"
#include "popcorn/runtime/sites.h"

#if defined(__x86_64__)
enum { kStackPointer = 7, kVectors = 16, kContextPc = 168, kContextResult = 144 };
enum { kMmap = 9, kMunmap = 11, kSigaction = 13, kSigprocmask = 14, kGettid = 186, kExit = 60, kExitGroup = 231 };
enum { kTimedWait = 128, kClockGettime = 228, kSchedYield = 24 };
#elif defined(__aarch64__)
/* uc_mcontext lies at 176: fault address, x0..x30, sp, pc. */
enum { kStackPointer = 31, kVectors = 32, kContextPc = 440, kContextResult = 184 };
enum { kMmap = 222, kMunmap = 215, kSigaction = 134, kSigprocmask = 135, kGettid = 178, kExit = 93, kExitGroup = 94 };
enum { kTimedWait = 137, kClockGettime = 113, kSchedYield = 124 };
#else
#error "x86-64 and aarch64 only"
#endif

enum { kEintr = 4, kEexist = 17 };

/* What __popcorn_waiting may give beside the kernel's results: the call is to be made again, and had not been entered,
 * or had been, and was interrupted by the reserved signal. */
enum { kNotMade = -4095, kInterrupted = -4093 };

/* Words at the thread pointer: popcorn_thread.h has their meaning. */
enum {
    kCancelWord = 48,
    kWatchWord = 56,
    kRebuildsWord = 64,
    kHandlersWord = 72,
    kCountedWord = 80,
    kStackWord = 88,
    kThreadWord = 96
};
/* Bits of kHandlersWord; those of them that make the call give EINTR are in kCountedWord. */
enum { kHandlerRan = 1, kPlainHandlerRan = 2 /* without SA_RESTART */ };

struct popcorn_u128 {
    uint64_t low, high;
};

/* A frame's registers, at a return address. capture-*.S fills in what can be known. */
struct popcorn_registers {
    uint64_t gpr[32];
    struct popcorn_u128 vector[32];
    uint64_t pc, padding;
};

struct thread {
    struct popcorn_thread abi;  /* first */
    uint64_t block, block_size; /* with the structure and the stack regions; the first thread's: 0 */
    uint64_t busy;              /* capturing: records are being written */
    uint64_t buffer, buffer_size;
    uint64_t chance; /* under POPCORN_EXERCISE: the state of a generator of random numbers */
};

struct system_call {
    uint64_t number, argument[6], deadline; /* nanoseconds of CLOCK_MONOTONIC, 0: none */
    uint64_t interrupted;                   /* 1: it was in the kernel once */
};

extern struct popcorn_process __popcorn_process;
extern volatile uint32_t __popcorn_notify_flag;

/* capture.c: writes the frames from `from` outwards, after `count` words for `resume`. 1: thread->abi.frames and
 * resume_sp are set. 0: put off. */
int popcorn_capture(struct thread *thread, const struct popcorn_registers *from, uint64_t resume, const uint64_t *words,
                    unsigned count);

/* A stack region has so many times the size that the program asked for: frames are rebuilt beside each other, and are
 * larger. That of the process has it from the C library. */
enum { kStackFactor = 4 };

/* thread.c */
struct thread *popcorn_thread_at(uint64_t sp); /* the calling one, if that is on its stack; else NULL */
void *popcorn_map(uint64_t size);
void popcorn_lock(void);
void popcorn_unlock(void);
void popcorn_update_state(void); /* locked */
_Noreturn void popcorn_rebuild(struct thread *thread);

/* park.c: acts on the notify word at a migration point. 0: it has to be put off. */
int popcorn_point(const struct popcorn_registers *from, uint64_t resume, const uint64_t *words, unsigned count);
void popcorn_rebuilt(void); /* all frames stand again */

/* clock.c. `time` is a struct timespec; returns -errno. */
long __popcorn_clock_gettime(int clock, void *time);
void __popcorn_without_vdso(void); /* at the start of a process that has been told of no vdso: by valgrind, for one */
void popcorn_forget_clock(void);   /* where the kernel's functions lie is found out anew */

/* signals.c */
void popcorn_on_signal(int number, void *information, void *context);

/* Assembly. */
extern const char popcorn_base[];
extern const char __popcorn_window_begin[], __popcorn_window_end[]; /* right after the kernel's entry */
extern const char __popcorn_window_again[], __popcorn_window_interrupted[], __popcorn_window_eintr[];
extern const char __popcorn_raw_end[], __popcorn_raw_again[];
void popcorn_restorer(void);
void __popcorn_resume(void);
long __popcorn_resume_syscall(struct popcorn_frame *record);
void __popcorn_resume_poll(struct popcorn_frame *record);
int popcorn_load_thread_pointer(void *pointer);
long popcorn_clone(uint64_t flags, void *stack, void *parent, void *tls, void *child);
_Noreturn void popcorn_call_on_stack(uint64_t function, uint64_t argument, uint64_t top);
_Noreturn void popcorn_unmap_and_exit(uint64_t address, uint64_t size, uint64_t other, uint64_t other_size);

/* The call with a portable number and portable structures. */
long __popcorn_waiting(long number, long a, long b, long c, long d, long e, long f);

static inline long raw(long number, long a, long b, long c, long d, long e, long f) {
#if defined(__x86_64__)
    register long r10 __asm__("r10") = d;
    register long r8 __asm__("r8") = e;
    register long r9 __asm__("r9") = f;
    long result;
    __asm__ volatile("syscall"
                     : "=a"(result)
                     : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
                     : "rcx", "r11", "memory");
    return result;
#else
    register long x8 __asm__("x8") = number;
    register long x0 __asm__("x0") = a;
    register long x1 __asm__("x1") = b;
    register long x2 __asm__("x2") = c;
    register long x3 __asm__("x3") = d;
    register long x4 __asm__("x4") = e;
    register long x5 __asm__("x5") = f;
    __asm__ volatile("svc 0" : "+r"(x0) : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4), "r"(x5) : "memory");
    return x0;
#endif
}

static inline uint64_t thread_pointer(void) {
    uint64_t pointer;
#if defined(__x86_64__)
    __asm__("movq %%fs:0, %0" : "=r"(pointer));
#else
    __asm__("mrs %0, tpidr_el0" : "=r"(pointer));
#endif
    return pointer;
}

static inline volatile uint64_t *thread_word(unsigned offset) {
    return (volatile uint64_t *)(thread_pointer() + offset);
}

static inline void set_mask(const uint64_t *mask, uint64_t *old) {
    raw(kSigprocmask, 2, (long)mask, (long)old, 8, 0, 0);
}
