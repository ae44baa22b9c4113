/* The two stack regions of the main thread, each `size` bytes from its base up. */
#include <features.h>
struct popcorn_stacks {
    void *base[2];
    unsigned long size;
};
extern hidden struct popcorn_stacks __popcorn_main_stacks;
