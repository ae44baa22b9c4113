/* On both ISAs the thread pointer is the address of struct pthread, whose first word is that address; thread-local
 * variables lie below it. */
static inline uintptr_t __get_tp() {
    return (uintptr_t)__builtin_thread_pointer();
}
