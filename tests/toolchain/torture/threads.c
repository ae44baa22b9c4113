// Threads, every kind of lock, thread-local variables, keys, once, cancellation, atomics.
#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { N = 4, ROUNDS = 2000 };
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t cond = PTHREAD_COND_INITIALIZER;
static pthread_barrier_t barrier;
static pthread_rwlock_t rw = PTHREAD_RWLOCK_INITIALIZER;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static pthread_key_t key;
static sem_t sem;
static long total, plain, turns, inits, destroyed, cleaned;
static _Atomic long atomic_total;
static _Atomic unsigned char narrow;
static __thread long mine = 7;
static _Thread_local char big[1000] = "big";
static _Thread_local long zero;
static _Alignas(64) _Thread_local long aligned = 3;

static void init(void) {
    inits++;
    pthread_key_create(&key, free);
}
static void on_cancel(void *p) {
    (void)p;
    cleaned++;
}
static void *worker(void *p) {
    long id = (long)p;
    pthread_once(&once, init);
    pthread_setspecific(key, malloc(10));
    for (int i = 0; i < ROUNDS; i++) {
        pthread_mutex_lock(&lock);
        total += id;
        pthread_mutex_unlock(&lock);
        atomic_fetch_add(&atomic_total, id);
        atomic_fetch_add(&narrow, 1);
        mine++;
        zero += id;
    }
    pthread_barrier_wait(&barrier);
    pthread_rwlock_rdlock(&rw);
    long seen = total;
    pthread_rwlock_unlock(&rw);
    pthread_mutex_lock(&lock);
    while (turns != id) pthread_cond_wait(&cond, &lock);
    turns++;
    plain += seen;
    pthread_cond_broadcast(&cond);
    pthread_mutex_unlock(&lock);
    sem_post(&sem);
    return (void *)(mine + zero + (strcmp(big, "big") != 0) + aligned + (((long)&aligned & 63) != 0));
}
static void *sleeper(void *p) {
    pthread_cleanup_push(on_cancel, p);
    if (p)
        for (;;) pause();
    else {
        char c;
        int fd[2];
        if (pipe(fd)) abort();
        (void)!read(fd[0], &c, 1);
    }
    pthread_cleanup_pop(0);
    return 0;
}
static void *spinner(void *p) {
    int old;
    (void)p;
    pthread_setcanceltype(PTHREAD_CANCEL_ASYNCHRONOUS, &old);
    for (volatile int i = 0;; i++);
    return 0;
}

int main(void) {
    pthread_t t[N];
    pthread_barrier_init(&barrier, 0, N);
    sem_init(&sem, 0, 0);
    for (long i = 0; i < N; i++) pthread_create(t + i, 0, worker, (void *)i);
    for (int i = 0; i < N; i++) sem_wait(&sem);
    for (int i = 0; i < N; i++) {
        void *r;
        pthread_join(t[i], &r);
        printf("%ld ", (long)r);
    }
    printf("\n%ld %ld %d %ld %ld %ld mine %ld\n", total, (long)atomic_total, narrow, plain, turns, inits, mine);
    for (int i = 0; i < 3; i++) {
        pthread_t s;
        void *r;
        pthread_create(&s, 0, i == 2 ? spinner : sleeper, (void *)(long)i);
        usleep(20000);
        pthread_cancel(s);
        pthread_join(s, &r);
        printf("cancelled %d cleaned %ld\n", r == PTHREAD_CANCELED, cleaned);
    }
    struct timespec when;
    clock_gettime(CLOCK_REALTIME, &when);
    when.tv_nsec += 20000000;
    if (when.tv_nsec >= 1000000000) when.tv_sec++, when.tv_nsec -= 1000000000;
    pthread_mutex_lock(&lock);
    printf("timedwait %d\n", pthread_cond_timedwait(&cond, &lock, &when) == ETIMEDOUT);
    pthread_mutex_unlock(&lock);
    pthread_mutexattr_t attr;
    pthread_mutex_t recursive;
    pthread_mutexattr_init(&attr);
    pthread_mutexattr_settype(&attr, PTHREAD_MUTEX_RECURSIVE);
    pthread_mutex_init(&recursive, &attr);
    printf("recursive %d\n", pthread_mutex_lock(&recursive) + pthread_mutex_lock(&recursive));
    pthread_attr_t detached;
    pthread_attr_init(&detached);
    pthread_attr_setdetachstate(&detached, PTHREAD_CREATE_DETACHED);
    long expected = 5;
    _Atomic long word = 5;
    printf("%d ", atomic_compare_exchange_strong(&word, &expected, 9));
    printf("%ld\n", (long)word);
    return 0;
}
