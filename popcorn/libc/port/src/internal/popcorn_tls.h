/* Thread-local variables: the link step lays them out below the thread pointer and describes them here. */
#include <features.h>
#include <stddef.h>
extern hidden const struct {
    const void *image;
    size_t filled, size, align; /* size is a multiple of align */
} __popcorn_tls;
