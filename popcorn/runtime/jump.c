/* longjmp to a frame that has been rebuilt since its setjmp: the frames from there outwards are rebuilt once more. */
#include "internal.h"

enum { kMaskWord = 23, kObjectWord = 31, kHasMaskWord = 33, kSetMask = 2 };

#if defined(__x86_64__)
enum { kWrite = 1 };
#else
enum { kWrite = 64 };
#endif

static _Noreturn void refuse(void) {
    static const char text[] = "longjmp: the frame of the setjmp is not on the stack, or a signal handler is above it "
                               "and the process has been moved since\n";
    raw(kWrite, 2, (long)text, sizeof text - 1, 0, 0, 0);
    __builtin_trap();
}

_Noreturn void popcorn_jump_from(const uint64_t *buffer, int value, const struct popcorn_registers *from) {
    struct thread *thread = popcorn_thread_at(from->gpr[kStackPointer]);
    uint64_t words[2] = {(uint64_t)buffer, (uint64_t)(value == 0 ? 1 : value)}, all = ~UINT64_C(0), mask;
    if (thread == NULL || thread->busy) refuse();
    /* No handler may run on a stack that is given up. */
    set_mask(&all, &mask);
    thread->abi.mask = buffer[kHasMaskWord] != 0 ? buffer[kMaskWord] : mask;
    thread->busy = 1;
    if (!popcorn_capture_jump(thread, from, buffer[kObjectWord], (uint64_t)__popcorn_resume_setjmp, words, 2)) refuse();
    popcorn_rebuild(thread);
}

int __popcorn_resume_setjmp(struct popcorn_frame *record) {
    struct thread *thread = popcorn_thread_at((uint64_t)__builtin_frame_address(0));
    int value = (int)record->word[1];
    popcorn_rebuilt();
    set_mask(&thread->abi.mask, NULL);
    return value;
}
