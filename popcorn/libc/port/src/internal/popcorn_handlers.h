/* The program's signal handlers by number. The kernel knows __popcorn_handler in their place, which calls them and
 * keeps account of what they interrupt; it has SA_SIGINFO always. */
#include <signal.h>
struct popcorn_handler {
    void (*function)(int);
    unsigned long flags;
};
extern hidden struct popcorn_handler __popcorn_handlers[_NSIG];
hidden void __popcorn_handler(int);
