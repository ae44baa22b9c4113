// What processes and threads share: robust and process-shared locks, C11 threads, timers that start threads, locked
// streams, and objects on one thread's stack that others, the heap and globals point to.
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <threads.h>
#include <time.h>
#include <unistd.h>

#define CHECK(x)                                                                                                       \
    do {                                                                                                               \
        if (!(x)) {                                                                                                    \
            printf("line %d: %s, errno %d\n", __LINE__, #x, errno);                                                    \
            exit(1);                                                                                                   \
        }                                                                                                              \
    } while (0)

enum { ROUNDS = 200 };

struct shared {
    pthread_mutex_t lock, robust;
    pthread_cond_t changed;
    pthread_barrier_t barrier;
    sem_t items;
    long turn, total;
};

// User-mode emulation has no robust lists: what needs them is taken as done there.
static int has_robust_lists(void) {
    pthread_mutexattr_t attributes;
    pthread_mutexattr_init(&attributes);
    return pthread_mutexattr_setrobust(&attributes, PTHREAD_MUTEX_ROBUST) != ENOSYS;
}

static void init_shared(struct shared *shared) {
    pthread_mutexattr_t mutex;
    pthread_condattr_t condition;
    pthread_barrierattr_t barrier;
    pthread_mutexattr_init(&mutex);
    CHECK(!pthread_mutexattr_setpshared(&mutex, PTHREAD_PROCESS_SHARED));
    CHECK(!pthread_mutex_init(&shared->lock, &mutex));
    if (has_robust_lists()) CHECK(!pthread_mutexattr_setrobust(&mutex, PTHREAD_MUTEX_ROBUST));
    CHECK(!pthread_mutex_init(&shared->robust, &mutex));
    pthread_condattr_init(&condition);
    CHECK(!pthread_condattr_setpshared(&condition, PTHREAD_PROCESS_SHARED));
    CHECK(!pthread_cond_init(&shared->changed, &condition));
    pthread_barrierattr_init(&barrier);
    CHECK(!pthread_barrierattr_setpshared(&barrier, PTHREAD_PROCESS_SHARED));
    CHECK(!pthread_barrier_init(&shared->barrier, &barrier, 2));
    CHECK(!sem_init(&shared->items, 1, 0));
}

static void take_turns(struct shared *shared, long me) {
    for (int i = 0; i < ROUNDS; i++) {
        pthread_mutex_lock(&shared->lock);
        while (shared->turn != me) pthread_cond_wait(&shared->changed, &shared->lock);
        shared->turn = !me;
        shared->total += me + 1;
        pthread_cond_broadcast(&shared->changed);
        pthread_mutex_unlock(&shared->lock);
    }
}

static void processes(void) {
    struct shared *shared = mmap(0, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    CHECK(shared != MAP_FAILED);
    init_shared(shared);
    pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0) {
        take_turns(shared, 1);
        for (int i = 0; i < ROUNDS; i++) sem_post(&shared->items);
        int last = pthread_barrier_wait(&shared->barrier);
        pthread_mutex_lock(&shared->robust);
        _exit(last == 0 || last == PTHREAD_BARRIER_SERIAL_THREAD ? 7 : 8); // and never unlocks
    }
    take_turns(shared, 0);
    for (int i = 0; i < ROUNDS; i++) CHECK(!sem_wait(&shared->items));
    pthread_barrier_wait(&shared->barrier);
    int status;
    CHECK(waitpid(child, &status, 0) == child);
    int got = has_robust_lists() ? pthread_mutex_lock(&shared->robust) : EOWNERDEAD;
    printf("shared %ld status %d owner died %d\n", shared->total, WEXITSTATUS(status), got == EOWNERDEAD);
    if (has_robust_lists()) {
        CHECK(!pthread_mutex_consistent(&shared->robust) && !pthread_mutex_unlock(&shared->robust));
        CHECK(!pthread_mutex_lock(&shared->robust) && !pthread_mutex_unlock(&shared->robust));
    }
    munmap(shared, sizeof *shared);
}

static pthread_mutex_t abandoned;

static void *abandon(void *argument) {
    pthread_mutex_lock(&abandoned);
    return argument;
}

static void robust_threads(void) {
    if (!has_robust_lists()) {
        puts("owner died 1, not recoverable 1");
        return;
    }
    pthread_mutexattr_t attributes;
    pthread_t thread;
    pthread_mutexattr_init(&attributes);
    pthread_mutexattr_setrobust(&attributes, PTHREAD_MUTEX_ROBUST);
    pthread_mutex_init(&abandoned, &attributes);
    CHECK(!pthread_create(&thread, 0, abandon, 0) && !pthread_join(thread, 0));
    int got = pthread_mutex_lock(&abandoned);
    pthread_mutex_unlock(&abandoned);
    printf("owner died %d, not recoverable %d\n", got == EOWNERDEAD, pthread_mutex_lock(&abandoned) == ENOTRECOVERABLE);
    CHECK(got == EOWNERDEAD);
}

static mtx_t mutex;
static cnd_t condition;
static tss_t storage;
static once_flag once = ONCE_FLAG_INIT;
static int begun, destroyed;

static void begin(void) {
    begun++;
}
static void destroy(void *value) {
    destroyed += *(int *)value;
}
static int c11_thread(void *argument) {
    int *mine = argument;
    call_once(&once, begin);
    tss_set(storage, mine);
    mtx_lock(&mutex);
    begun += 10;
    cnd_signal(&condition);
    mtx_unlock(&mutex);
    thrd_yield();
    return *(int *)tss_get(storage) * 2;
}

static void c11(void) {
    thrd_t threads[3];
    int values[3] = {1, 2, 3}, sum = 0;
    mtx_init(&mutex, mtx_plain);
    cnd_init(&condition);
    tss_create(&storage, destroy);
    for (int i = 0; i < 3; i++) CHECK(thrd_create(threads + i, c11_thread, values + i) == thrd_success);
    mtx_lock(&mutex);
    while (begun != 31) cnd_wait(&condition, &mutex);
    mtx_unlock(&mutex);
    for (int i = 0; i < 3; i++) {
        int result;
        CHECK(thrd_join(threads[i], &result) == thrd_success);
        sum += result;
    }
    printf("C11 %d %d\n", sum, destroyed);
}

static sem_t expired;
static void on_timer(union sigval value) {
    *(volatile int *)value.sival_ptr += 1;
    sem_post(&expired);
}

static void timers(void) {
    volatile int count = 0; // on this stack, and counted by the timer's thread
    timer_t timer;
    struct sigevent event = {
        .sigev_notify = SIGEV_THREAD, .sigev_notify_function = on_timer, .sigev_value.sival_ptr = (void *)&count};
    sem_init(&expired, 0, 0);
    CHECK(!timer_create(CLOCK_MONOTONIC, &event, &timer));
    CHECK(!timer_settime(timer, 0, &(struct itimerspec){{0, 3000000}, {0, 3000000}}, 0));
    for (int i = 0; i < 3; i++)
        while (sem_wait(&expired) != 0) CHECK(errno == EINTR);
    CHECK(!timer_delete(timer));
    printf("timer %d\n", count >= 3);
}

struct job {
    long *cell; // on main's stack
    long add;
};
static long *global_cell;

static void *worker(void *argument) {
    struct job *job = argument;
    for (int i = 0; i < ROUNDS; i++) {
        __atomic_fetch_add(job->cell, job->add, __ATOMIC_RELAXED);
        __atomic_fetch_add(global_cell, 1, __ATOMIC_RELAXED);
        if (i % 50 == 0) usleep(1);
    }
    long *mine = job->cell;
    free(job);
    return mine;
}

static void *chatter(void *argument) {
    for (int i = 0; i < 50; i++) {
        flockfile(stdout);
        fputs((const char *)argument, stdout);
        putc_unlocked('.', stdout);
        putc_unlocked('\n', stdout);
        funlockfile(stdout);
    }
    return 0;
}

static void pointers(void) {
    long cells[4] = {0}, counted = 0;
    pthread_t threads[4];
    global_cell = &counted;
    for (int i = 0; i < 4; i++) {
        struct job *job = malloc(sizeof *job);
        *job = (struct job){cells + i, i + 1};
        CHECK(!pthread_create(threads + i, 0, worker, job));
    }
    for (int i = 0; i < 4; i++) {
        void *cell;
        CHECK(!pthread_join(threads[i], &cell) && cell == cells + i);
    }
    printf("cells %ld %ld %ld %ld, counted %ld\n", cells[0], cells[1], cells[2], cells[3], counted);
    for (int i = 0; i < 2; i++) CHECK(!pthread_create(threads + i, 0, chatter, "a whole line"));
    for (int i = 0; i < 2; i++) pthread_join(threads[i], 0);
}

int main(void) {
    setvbuf(stdout, 0, _IOLBF, 0);
    processes();
    robust_threads();
    c11();
    timers();
    pointers();
    return 0;
}
