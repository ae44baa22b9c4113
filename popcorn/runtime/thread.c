/* Threads: their stack regions, their list, their lowest frame. */
#include "internal.h"

struct cloned;
int __clone(int (*function)(void *), void *stack, int flags, void *argument, void *const *variadic);
_Noreturn void popcorn_cloned(const struct cloned *cloned);
int __popcorn_set_thread_pointer(void *pointer);
_Noreturn void __popcorn_start_c(long *sp);
_Noreturn void popcorn_start(long *sp);

struct popcorn_process __popcorn_process __attribute__((section(".data"))) = {
    .magic = POPCORN_PROCESS_MAGIC,
    .version = POPCORN_ABI_VERSION,
    .size = sizeof(struct popcorn_process),
    .resume_entry = (uint64_t)__popcorn_resume,
};
POPCORN_NOTE(__popcorn_process);
__asm__(".globl __popcorn_notify_flag\n.set __popcorn_notify_flag, __popcorn_process+16");

volatile uint32_t __popcorn_exercise_interval = 1;

enum {
    kPrivateAnonymous = 0x22,
    kNoReserve = 0x4000,
    kFixedNoReplace = 0x100000,
    kGuard = 65536,
    kLeastStack = 2 << 20,       /* of a region */
    kCloneThread = 0x10000,      /* CLONE_THREAD */
    kCloneArguments = 0x1381000, /* those flags of clone that have an argument: the variadic ones */
    kEagain = 11
};

static uint32_t lock_word;

void popcorn_lock(void) {
    while (__atomic_exchange_n(&lock_word, 1, __ATOMIC_ACQUIRE) != 0) raw(kSchedYield, 0, 0, 0, 0, 0, 0);
}

void popcorn_unlock(void) {
    __atomic_store_n(&lock_word, 0, __ATOMIC_RELEASE);
}

/* Memory below 2^38, which the kernels of both ISAs have: above the last that was given, from the start again at the
 * end. */
void *popcorn_map(uint64_t size) {
    static const uint64_t begin = UINT64_C(0x1000000000), end = UINT64_C(0x4000000000);
    static uint64_t next = UINT64_C(0x1000000000);
    size = (size + 0xffff) & ~UINT64_C(0xffff);
    if (size > (end - begin) / 4) return NULL;
    for (unsigned tries = 0; tries < 65536; tries++) {
        uint64_t at = __atomic_load_n(&next, __ATOMIC_RELAXED);
        uint64_t after = at + size + kGuard <= end ? at + size + kGuard : begin;
        if (!__atomic_compare_exchange_n(&next, &at, after, 0, __ATOMIC_RELAXED, __ATOMIC_RELAXED) || after == begin)
            continue;
        long got = raw(kMmap, (long)at, (long)size, 3, kPrivateAnonymous | kNoReserve | kFixedNoReplace, -1, 0);
        if ((uint64_t)got == at) return (void *)at;
        if (got > 0) raw(kMunmap, got, (long)size, 0, 0, 0, 0); /* a kernel that does not know the flag */
        if (got < 0 && got != -kEexist) return NULL;
    }
    return NULL;
}

/* Not looked for in the list: threads leave that, and their memory goes, at any time. */
struct thread *popcorn_thread_at(uint64_t sp) {
    struct thread *thread = (struct thread *)*thread_word(kThreadWord);
    for (int i = 0; thread != NULL && i < 2; i++)
        if (sp - thread->abi.stack[i] <= thread->abi.stack_size) return thread;
    return NULL;
}

static struct thread *current(void) {
    return popcorn_thread_at((uint64_t)__builtin_frame_address(0));
}

void popcorn_update_state(void) {
    struct popcorn_process *process = &__popcorn_process;
    uint32_t state = process->threads != 0 && process->parked == process->threads ? POPCORN_PARKED : POPCORN_RUNNING;
    if (state == POPCORN_PARKED && process->state != state) process->parks++;
    __atomic_store_n(&process->state, state, __ATOMIC_SEQ_CST);
}

struct signal_action {
    void (*handler)(int, void *, void *);
    uint64_t flags;
    void (*restorer)(void);
    uint64_t mask;
};

static void start_process(void) {
    enum { kSiginfo = 4, kRestorer = 0x04000000 };
    struct signal_action action = {popcorn_on_signal, kSiginfo | kRestorer, popcorn_restorer, ~UINT64_C(0)};
    raw(kSigaction, POPCORN_SIGNAL, (long)&action, 0, 8, 0, 0);
}

enum {
    kMprotect =
#if defined(__x86_64__)
        10
#else
        226
#endif
};

/* The structure, and a guard below each region. */
static struct thread *make_thread(uint64_t stack_size) {
    if (stack_size > (UINT64_C(1) << 38)) return NULL;
    stack_size = stack_size < kLeastStack ? kLeastStack : (stack_size + 0xffff) & ~UINT64_C(0xffff);
    uint64_t size = 2 * kGuard + 2 * stack_size, at = (uint64_t)popcorn_map(size);
    if (at == 0) return NULL;
    raw(kMprotect, (long)(at + kGuard / 2), kGuard / 2, 0, 0, 0, 0);
    raw(kMprotect, (long)(at + kGuard + stack_size), kGuard, 0, 0, 0, 0);
    struct thread *thread = (struct thread *)at;
    thread->block = at;
    thread->block_size = size;
    thread->abi.stack[0] = at + kGuard;
    thread->abi.stack[1] = at + 2 * kGuard + stack_size;
    thread->abi.stack_size = stack_size;
    return thread;
}

/* What stands at a thread pointer before the C library has set up its own. */
static uint64_t first_words[32];

/* From _start. */
_Noreturn void popcorn_start(long *sp) {
    first_words[0] = (uint64_t)first_words;
    popcorn_load_thread_pointer(first_words);
    __popcorn_start_c(sp);
}

int __popcorn_set_thread_pointer(void *pointer) {
    *(uint64_t *)((uint64_t)pointer + kThreadWord) = *thread_word(kThreadWord);
    return popcorn_load_thread_pointer(pointer);
}

static void enter(struct thread *thread) {
    *thread_word(kThreadWord) = (uint64_t)thread;
    thread->abi.tid = (uint32_t)raw(kGettid, 0, 0, 0, 0, 0, 0);
    popcorn_lock();
    thread->abi.next = __popcorn_process.first;
    __popcorn_process.first = (uint64_t)thread;
    __popcorn_process.threads++;
    popcorn_update_state();
    popcorn_unlock();
}

static void leave(struct thread *thread) {
    popcorn_lock();
    uint64_t *link = &__popcorn_process.first;
    while (*link != 0 && *link != (uint64_t)thread) link = &((struct thread *)*link)->abi.next;
    if (*link != 0) {
        *link = thread->abi.next;
        __popcorn_process.threads--;
    }
    popcorn_update_state();
    popcorn_unlock();
}

void __popcorn_forked(void) {
    struct thread *thread = current();
    lock_word = 0;
    __popcorn_process.parked = 0;
    __popcorn_process.threads = thread != NULL;
    __popcorn_process.first = (uint64_t)thread;
    __popcorn_process.state = POPCORN_RUNNING;
    if (thread == NULL) return;
    thread->abi.next = 0;
    thread->abi.tid = (uint32_t)raw(kGettid, 0, 0, 0, 0, 0, 0);
}

_Noreturn void __popcorn_start_process(void (*function)(void *), void *argument, void *const stacks[2], size_t size) {
    static struct thread thread;
    thread.abi.stack[0] = (uint64_t)stacks[0];
    thread.abi.stack[1] = (uint64_t)stacks[1];
    thread.abi.stack_size = size;
    start_process();
    enter(&thread);
    popcorn_call_on_stack((uint64_t)function, (uint64_t)argument, thread.abi.stack[0] + size);
}

/* What a thread or process that __clone makes finds at the top of its stack. */
struct cloned {
    int (*function)(void *);
    void *argument;
    struct thread *thread; /* NULL: a process, whose frames are not captured */
    uint64_t padding;
};

/* The variadic arguments of portable code are an array: pid_t *parent, void *tls, pid_t *child. */
int __clone(int (*function)(void *), void *stack, int flags, void *argument, void *const *variadic) {
    struct thread *thread = NULL;
    if (flags & kCloneThread) {
        uint64_t size = *thread_word(kStackWord);
        thread = make_thread(size > UINT64_MAX / kStackFactor ? UINT64_MAX : size * kStackFactor);
        if (thread == NULL) return -kEagain;
    }
    struct cloned *cloned = (struct cloned *)((uint64_t)stack & ~UINT64_C(15)) - 1;
    *cloned = (struct cloned){function, argument, thread, 0};
    static void *const none[3];
    if (!(flags & kCloneArguments)) variadic = none;
    long made = popcorn_clone((uint64_t)(uint32_t)flags, cloned, variadic[0], variadic[1], variadic[2]);
    if (made < 0 && thread != NULL) raw(kMunmap, (long)thread->block, (long)thread->block_size, 0, 0, 0, 0);
    return (int)made;
}

/* From popcorn_clone, in what it made. */
_Noreturn void popcorn_cloned(const struct cloned *cloned) {
    struct thread *thread = cloned->thread;
    if (thread == NULL) {
        raw(kExit, cloned->function(cloned->argument), 0, 0, 0, 0, 0);
        __builtin_trap();
    }
    enter(thread);
    popcorn_call_on_stack((uint64_t)cloned->function, (uint64_t)cloned->argument,
                          thread->abi.stack[0] + thread->abi.stack_size);
}

_Noreturn void __popcorn_unmap_and_exit(void *map, size_t size) {
    static const uint64_t all_signals = ~UINT64_C(0);
    set_mask(&all_signals, NULL);
    struct thread *thread = current();
    uint64_t block = 0, block_size = 0;
    if (thread != NULL) {
        leave(thread);
        if (thread->buffer != 0) raw(kMunmap, (long)thread->buffer, (long)thread->buffer_size, 0, 0, 0, 0);
        block = thread->block;
        block_size = thread->block_size;
    }
    popcorn_unmap_and_exit((uint64_t)map, size, block, block_size);
}

_Noreturn void __popcorn_exit_thread(void) {
    __popcorn_unmap_and_exit(NULL, 0);
}

_Noreturn void popcorn_base_returned(uint64_t result) {
    (void)result;
    __popcorn_exit_thread();
}

_Noreturn void popcorn_rebuild(struct thread *thread) {
    /* How often that has happened, for setjmp-*.S: native contexts from before are void. */
    ++*thread_word(kRebuildsWord);
    const struct popcorn_frame *frame = (const struct popcorn_frame *)thread->abi.frames;
    popcorn_call_on_stack(frame->resume, thread->abi.frames, thread->abi.resume_sp);
}
