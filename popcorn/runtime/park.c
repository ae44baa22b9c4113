/* Migration points. */
#include "internal.h"

static const uint64_t all_signals = ~UINT64_C(0);

#if defined(__x86_64__)
static uint32_t get_control(void) {
    uint32_t value;
    __asm__ volatile("stmxcsr %0" : "=m"(value));
    return value;
}
static void save_floating_point(struct popcorn_thread *thread) {
    static const uint8_t neutral[4] = {0, 2, 1, 3}; /* nearest, down, up, to zero */
    uint32_t control = get_control();
    thread->rounding = neutral[control >> 13 & 3] | (control >> 15 & 1) << 2;
    thread->raised = control & 0x3f;
}
static void restore_floating_point(const struct popcorn_thread *thread) {
    static const uint8_t mode[4] = {0, 2, 1, 3};
    uint32_t rounding = mode[thread->rounding & 3];
    uint32_t control = 0x1f80 | rounding << 13 | (thread->raised & 0x3f);
    if (thread->rounding & 4) control |= 0x8040;
    uint16_t x87 = (uint16_t)(0x37f | rounding << 10);
    __asm__ volatile("ldmxcsr %0\n\tfldcw %1" ::"m"(control), "m"(x87));
}
#else
/* fpsr: invalid, divide, overflow, underflow, inexact in bits 0 to 4, denormal in 7. */
static void save_floating_point(struct popcorn_thread *thread) {
    uint64_t control, status;
    __asm__ volatile("mrs %0, fpcr\n\tmrs %1, fpsr" : "=r"(control), "=r"(status));
    thread->rounding = (uint32_t)((control >> 22 & 3) | (control >> 24 & 1) << 2);
    thread->raised = (uint32_t)((status & 1) | (status >> 7 & 1) << 1 | (status >> 1 & 15) << 2);
}
static void restore_floating_point(const struct popcorn_thread *thread) {
    uint64_t control = (uint64_t)(thread->rounding & 3) << 22 | (uint64_t)(thread->rounding >> 2 & 1) << 24;
    uint64_t raised = thread->raised;
    uint64_t status = (raised & 1) | (raised >> 1 & 1) << 7 | (raised >> 2 & 15) << 1;
    __asm__ volatile("msr fpcr, %0\n\tmsr fpsr, %1" ::"r"(control), "r"(status));
}
#endif

static void set_parked(struct thread *thread, uint32_t state) {
    popcorn_lock();
    if (thread->abi.state != state) __popcorn_process.parked += state == POPCORN_PARKED ? 1 : UINT32_MAX;
    thread->abi.state = state;
    popcorn_update_state();
    popcorn_unlock();
}

/* Until it is released here, or dumped and set to __popcorn_resume elsewhere. */
static void park(struct thread *thread) {
    static const uint64_t only = UINT64_C(1) << (POPCORN_SIGNAL - 1);
    const struct {
        int64_t seconds, nanoseconds;
    } patience = {1, 0};
    save_floating_point(&thread->abi);
    thread->abi.pointer = thread_pointer();
    thread->abi.tid = (uint32_t)raw(kGettid, 0, 0, 0, 0, 0, 0);
    set_parked(thread, POPCORN_PARKED);
    while (__atomic_load_n(&__popcorn_notify_flag, __ATOMIC_SEQ_CST) == POPCORN_PARK)
        raw(kTimedWait, (long)&only, 0, (long)&patience, 8, 0, 0);
    set_parked(thread, POPCORN_RUNNING);
}

/* One of so many migration points, at random: no loop is always at the same point of its body when it is captured. */
static int chosen(struct thread *thread) {
    thread->chance = thread->chance * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (thread->chance >> 33) % __popcorn_exercise_interval == 0;
}

int popcorn_point(const struct popcorn_registers *from, uint64_t resume, const uint64_t *words, unsigned count) {
    struct thread *thread = popcorn_thread_at(from->gpr[kStackPointer]);
    uint32_t notify = __popcorn_notify_flag;
    if (thread == NULL || notify == POPCORN_RUN || thread->busy) return 0;
    if (notify == POPCORN_EXERCISE && !chosen(thread)) return 1;
    set_mask(&all_signals, &thread->abi.mask);
    thread->busy = 1;
    int captured = popcorn_capture(thread, from, resume, words, count);
    if (captured && notify == POPCORN_EXERCISE) popcorn_rebuild(thread);
    if (captured)
        park(thread);
    else
        __popcorn_process.deferrals++;
    thread->busy = 0;
    set_mask(&thread->abi.mask, NULL);
    return captured;
}

/* From __popcorn_resume. */
_Noreturn void popcorn_resumed(struct thread *thread) {
    popcorn_forget_clock();
    uint32_t parked = POPCORN_PARK;
    __atomic_compare_exchange_n(&__popcorn_notify_flag, &parked, POPCORN_RUN, 0, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
    restore_floating_point(&thread->abi);
    popcorn_rebuild(thread);
}

void popcorn_rebuilt(void) {
    struct thread *thread = popcorn_thread_at((uint64_t)__builtin_frame_address(0));
    thread->busy = 0;
    if (thread->abi.state == POPCORN_PARKED) set_parked(thread, POPCORN_RUNNING);
    set_mask(&thread->abi.mask, NULL);
}

void popcorn_poll_from(const struct popcorn_registers *from) {
    popcorn_point(from, (uint64_t)__popcorn_resume_poll, NULL, 0);
}

void __popcorn_resume_poll(struct popcorn_frame *record) {
    (void)record;
    popcorn_rebuilt();
}
