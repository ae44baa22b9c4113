/* An ordinary program of three threads, built by popcorn-cc: it says a line every PERIOD milliseconds and checks
 * itself. threads [PERIOD]
 *
 * Two workers compute, sleep, lock a mutex and count in thread-local variables and under the lock; main recurses with
 * objects on its stack, keeps text on the heap and a sum in a double, and hears of each worker through a condition. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static long rounds[2];
static __thread long own;

static void fail(const char *what) {
    printf("threads: %s is wrong\n", what);
    exit(1);
}

static double harmonic(int terms) {
    double sum = 0;
    for (int i = 1; i <= terms; ++i) sum += 1.0 / i;
    return sum;
}

static void *work(void *argument) {
    const long which = (long)argument;
    const double expected = harmonic(20000);
    for (;;) {
        if (harmonic(20000) != expected) fail("a sum");
        ++own;
        pthread_mutex_lock(&lock);
        if (++rounds[which] != own) fail("a worker's own count");
        pthread_cond_signal(&changed);
        pthread_mutex_unlock(&lock);
        if (own % 5 == 0) usleep(10000);
    }
    return NULL;
}

/* A call DEPTH deep that sleeps at the bottom; every frame has an object that the next one has the address of. */
static long descend(int depth, const long *above) {
    long mine = *above + depth;
    if (depth == 0) {
        usleep(20000);
        return mine;
    }
    const long below = descend(depth - 1, &mine);
    return below + mine - *above - depth;
}

static void wait_for_both(void) {
    pthread_mutex_lock(&lock);
    const long first = rounds[0], second = rounds[1];
    while (rounds[0] == first || rounds[1] == second) pthread_cond_wait(&changed, &lock);
    pthread_mutex_unlock(&lock);
}

int main(int argc, char **argv) {
    const long period = argc > 1 ? atol(argv[1]) : 100;
    setvbuf(stdout, NULL, _IOLBF, 0);
    for (long i = 0; i < 2; ++i) {
        pthread_t thread;
        if (pthread_create(&thread, NULL, work, (void *)i) != 0) fail("pthread_create");
    }
    double quarter = 0;
    char *text = strdup("on the heap");
    struct timespec before = {0, 0}, now;
    const long zero = 0;
    for (long i = 0;; ++i) {
        quarter += (i % 2 ? -1.0 : 1.0) / (double)(2 * i + 1);
        if (descend(40, &zero) != 40 * 41 / 2) fail("the recursion");
        wait_for_both();
        if (strcmp(text, "on the heap") != 0) fail("the heap");
        clock_gettime(CLOCK_MONOTONIC, &now);
        if (now.tv_sec < before.tv_sec || (now.tv_sec == before.tv_sec && now.tv_nsec < before.tv_nsec))
            fail("the clock");
        before = now;
        if (clock_gettime(CLOCK_MONOTONIC_COARSE, &now) != 0) fail("the coarse clock");
        printf("threads %ld pi %.6f ok\n", i, 4 * quarter);
        usleep((useconds_t)(period * 1000));
    }
}
