/* longjmp to a frame that has been rebuilt since its setjmp. Its resume function has called setjmp again, into an
 * object of the frame that the jmp_buf names: popcorn/passes/jumps.cpp. */
#include "internal.h"

enum { kMaskWord = 23, kObjectWord = 31, kRebuildsOfSetjmp = 32, kHasMaskWord = 33 };

#if defined(__x86_64__)
enum { kWrite = 1 };
#else
enum { kWrite = 64 };
#endif

_Noreturn void longjmp(const uint64_t *buffer, int value);

/* From longjmp, if the frames have been rebuilt since the buffer's setjmp. */
_Noreturn void popcorn_jump(const uint64_t *buffer, int value) {
    static const char gone[] = "longjmp: the frame of the setjmp is not on the stack\n";
    const uint64_t *again = (const uint64_t *)buffer[kObjectWord];
    struct thread *thread = popcorn_thread_at((uint64_t)again);
    if (thread == NULL || again[kRebuildsOfSetjmp] != *thread_word(kRebuildsWord)) {
        raw(kWrite, 2, (long)gone, sizeof gone - 1, 0, 0, 0);
        __builtin_trap();
    }
    if (buffer[kHasMaskWord] != 0) set_mask(&buffer[kMaskWord], NULL);
    longjmp(again, value);
}
