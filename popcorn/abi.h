/* The portable ABI: what a migratable program, and whoever moves it, agree on. For C11 and C++. Another compiler can
 * implement it; nothing else of a program is looked at.
 *
 * A program is two static, non-PIE executables, NAME_x86-64 and NAME_aarch64. Functions and data have equal addresses
 * in both, and the program headers are equal. Both have the ELF note POPCORN_NOTE, which says where the process's
 * object is: a program may be stripped.
 *
 * Asking. Write POPCORN_PARK to `notify` of every process, then send POPCORN_SIGNAL to every thread (tgkill), and again
 * every few milliseconds until `state` is POPCORN_PARKED. A write to memory from outside is enough: no tracing.
 *
 * Answering. Each thread, at a migration point, writes its frames into records that mean the same on both ISAs, and
 * waits in the kernel. Capturing changes nothing else. A thread puts it off while it runs a signal handler, or code
 * whose frames cannot be described, and looks again at its next migration point.
 *
 * Releasing. Write POPCORN_RUN to `notify` and send POPCORN_SIGNAL to every thread: all go on as if nothing had been.
 *
 * Moving. What is to be set in a thread of a parked process, to go on with it on either ISA (also on the one that it
 * came from, and in another process that has the same memory):
 *     pc = process.resume_entry, sp = thread.resume_sp, thread pointer = thread.pointer,
 *     first argument (rdi, x0) = address of the thread, all other registers 0 (x86-64: mxcsr 0x1f80, fcw 0x37f).
 * Signal masks stay as the kernel has them: all blocked; the runtime puts the program's back. The first thread that
 * arrives sets `notify` to POPCORN_RUN.
 *
 * Parked memory promises:
 *   - all that the program uses again lies below 2^47, outside of the stack that the kernel made and of the vdso;
 *   - of code, it holds addresses of functions only, which are equal on both ISAs;
 *   - no system call is to be restarted; no signal handler is on a stack, except those of threads that are not counted;
 *   - signal actions have SA_RESTORER and a restorer at an equal address; POPCORN_SIGNAL's handler is the runtime's;
 *   - robust list, clear_child_tid and thread pointers are values of memory that is equal.
 *
 * Numbers are little endian; every structure may grow at its end: look at `size`. */
#ifndef HRUNC_POPCORN_ABI_H
#define HRUNC_POPCORN_ABI_H

#include <stdint.h>

/* The note, in a PT_NOTE segment: its owner and its type. The description has 8 bytes: the address, as linked, of the
 * program's struct popcorn_process, in writable data. */
#define POPCORN_NOTE_OWNER "POPCORN"
#define POPCORN_NOTE_PROCESS 1
/* Defines it, in C. */
#define POPCORN_NOTE(object)                                                                                           \
    static const struct {                                                                                              \
        uint32_t owner_size, description_size, type;                                                                   \
        char owner[sizeof POPCORN_NOTE_OWNER];                                                                         \
        struct popcorn_process *process;                                                                               \
    } __attribute__((packed, aligned(4))) popcorn_note __attribute__((section(".note.popcorn"), used)) = {             \
        sizeof POPCORN_NOTE_OWNER, sizeof(struct popcorn_process *), POPCORN_NOTE_PROCESS, POPCORN_NOTE_OWNER,         \
        &(object)}

#define POPCORN_PROCESS_MAGIC UINT64_C(0x4e524f4350434f50) /* "POPCORN" */
#define POPCORN_ABI_VERSION 1

/* Reserved: programs neither see nor block it. The number is the kernel's. */
#define POPCORN_SIGNAL 35

/* Values of notify. */
#define POPCORN_RUN 0
#define POPCORN_PARK 1
#define POPCORN_EXERCISE 2 /* for tests: every thread captures, and resumes from its records, again and again */

/* Values of state. */
#define POPCORN_RUNNING 0
#define POPCORN_PARKED 1 /* all threads of the process are */

/* An activation of a function, outermost last written. `resume` is called with the record as its argument; it gives
 * what the function would have returned. */
struct popcorn_frame {
    uint64_t next;   /* record of the function that it was in a call of; 0: none */
    uint64_t resume; /* address of a function, equal on both ISAs */
    uint64_t site;   /* where in the function */
    uint64_t words;  /* that follow */
    uint64_t word[];
};

struct popcorn_thread {
    uint64_t next;       /* in the process's list; 0: last */
    uint64_t pointer;    /* thread pointer, the same on both ISAs */
    uint64_t resume_sp;  /* while parked */
    uint64_t frames;     /* while parked: the outermost record */
    uint64_t stack[2];   /* lowest address of the two stack regions */
    uint64_t stack_size; /* of each */
    uint64_t mask;       /* while parked: the program's signal mask */
    uint32_t tid;        /* in the process's own pid namespace */
    uint32_t state;      /* POPCORN_RUNNING or POPCORN_PARKED */
    uint32_t rounding;   /* while parked: 0 nearest, 1 up, 2 down, 3 to zero; 4 is added where denormals are flushed */
    uint32_t raised;     /* while parked: floating-point exceptions, x86-64's bits */
    uint64_t reserved[4];
};

struct popcorn_process {
    uint64_t magic;
    uint32_t version;
    uint32_t size; /* of this structure */
    volatile uint32_t notify;
    volatile uint32_t state;
    volatile uint32_t threads; /* that run the program's code */
    volatile uint32_t parked;  /* of those */
    uint64_t first;            /* struct popcorn_thread */
    uint64_t resume_entry;
    uint64_t parks;     /* how often state has become POPCORN_PARKED */
    uint64_t deferrals; /* how often a thread could not capture at a migration point */
    uint64_t reserved[4];
};

#ifdef __cplusplus
#define POPCORN_ASSERT(condition) static_assert(condition, #condition)
#else
#define POPCORN_ASSERT(condition) _Static_assert(condition, #condition)
#endif
POPCORN_ASSERT(sizeof(struct popcorn_frame) == 32);
POPCORN_ASSERT(sizeof(struct popcorn_thread) == 112);
POPCORN_ASSERT(sizeof(struct popcorn_process) == 96);
#undef POPCORN_ASSERT

#endif
