#include "pthread_impl.h"

hidden int __popcorn_set_thread_pointer(void *);

int __set_thread_area(void *p) {
    return __popcorn_set_thread_pointer(p);
}
