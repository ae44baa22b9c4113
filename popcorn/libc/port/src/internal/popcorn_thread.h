/* Words of struct pthread at a fixed offset from the thread pointer that the native runtime uses. */
#define POPCORN_THREAD_WORDS 16
enum {
    POPCORN_CANCEL, /* address of the cancel word while a cancellation point may be left by cancellation, else 0 */
    POPCORN_WATCH,  /* address of the notify word while a system call is given up for it, else 0 */
    POPCORN_FIRST_FREE,
};
