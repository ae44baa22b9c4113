/* Words of struct pthread at a fixed offset from the thread pointer that the native runtime uses:
 * popcorn/runtime/internal.h names them too. */
#define POPCORN_THREAD_WORDS 16
enum {
    POPCORN_CANCEL,   /* address of the cancel word while a cancellation point may be left by cancellation, else 0 */
    POPCORN_WATCH,    /* address of the notify word while a system call is given up for it, else 0 */
    POPCORN_REBUILDS, /* how often the thread's frames have been rebuilt */
    POPCORN_HANDLERS, /* which kinds of signal handlers have run */
    POPCORN_COUNTED,  /* which of them make a system call give EINTR */
    POPCORN_STACK,    /* stack size asked for the thread that this one is making */
    POPCORN_SELF,     /* the runtime's record of the thread */
    POPCORN_FIRST_FREE,
};
