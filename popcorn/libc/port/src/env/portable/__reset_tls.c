#include "popcorn_tls.h"
#include "pthread_impl.h"
#include <string.h>

hidden void __malloc_thread_exit(void);

void __reset_tls() {
    __malloc_thread_exit(); /* its heap is in a thread-local variable */
    unsigned char *start = (unsigned char *)__pthread_self() - __popcorn_tls.size;
    memcpy(start, __popcorn_tls.image, __popcorn_tls.filled);
    memset(start + __popcorn_tls.filled, 0, __popcorn_tls.size - __popcorn_tls.filled);
}
