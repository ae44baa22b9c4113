#include "atomic.h"
#include "libc.h"
#include "popcorn_map.h"
#include "popcorn_tls.h"
#include "pthread_impl.h"
#include "syscall.h"
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>

volatile int __thread_list_lock;

static _Alignas(64) unsigned char first_block[1024];

int __init_tp(void *p) {
    pthread_t td = p;
    td->self = td;
    if (__set_thread_area(td) < 0) return -1;
    libc.can_do_threads = 1;
    td->detach_state = DT_JOINABLE;
    td->tid = __syscall(SYS_set_tid_address, &__thread_list_lock);
    td->locale = &libc.global_locale;
    td->robust_list.head = &td->robust_list.head;
    td->next = td->prev = td;
    return 0;
}

void *__copy_tls(unsigned char *mem) {
    size_t align = libc.tls_align;
    unsigned char *tp = mem + __popcorn_tls.size;
    tp += -(uintptr_t)tp & (align - 1);
    memcpy(tp - __popcorn_tls.size, __popcorn_tls.image, __popcorn_tls.filled);
    ((pthread_t)tp)->dtv = 0;
    return tp;
}

void __init_tls(size_t *aux) {
    void *mem = first_block;
    libc.tls_align = __popcorn_tls.align < 64 ? 64 : __popcorn_tls.align;
    libc.tls_size = __popcorn_tls.size + libc.tls_align - 1 + sizeof(struct pthread) + 15 & -16ul;
    if (libc.tls_size > sizeof first_block)
        mem = (void *)__popcorn_map(libc.tls_size, PROT_READ | PROT_WRITE, MAP_ANONYMOUS | MAP_PRIVATE, -1, 0);
    if (__init_tp(__copy_tls(mem)) < 0) a_crash();
}
