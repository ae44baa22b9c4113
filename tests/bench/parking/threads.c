/* threads MODE COUNT: so many threads that wait in the kernel (idle), use locks, memory and descriptors (load), or
 * compute (compute), without end. */
#include <poll.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t never = PTHREAD_COND_INITIALIZER;
static volatile double result;

static void *idle(void *argument) {
    int ends[2];
    char byte;
    if (pipe(ends) != 0) abort();
    switch ((long)argument % 4) {
    case 0:
        for (;;) pause();
    case 1:
        pthread_mutex_lock(&lock);
        for (;;) pthread_cond_wait(&never, &lock);
    case 2:
        return (void *)read(ends[0], &byte, 1);
    default:
        for (;;) poll(&(struct pollfd){ends[0], POLLIN, 0}, 1, 1000);
    }
}

static void *load(void *argument) {
    int ends[2];
    char text[256];
    if (pipe(ends) != 0) abort();
    for (long i = 0;; i++) {
        pthread_mutex_lock(&lock);
        snprintf(text, sizeof text, "%ld %f", i, result);
        pthread_mutex_unlock(&lock);
        char *copy = strdup(text);
        if (write(ends[1], copy, strlen(copy)) < 0 || read(ends[0], text, sizeof text) < 0) abort();
        free(copy);
    }
    return argument;
}

static void *compute(void *argument) {
    enum { N = 256 };
    static double a[N][N], b[N][N];
    uint32_t *table = malloc(sizeof *table << 20), hash = 1;
    for (;;) {
        double sum = 0;
        for (int i = 0; i < N; i++)
            for (int k = 0; k < N; k++)
                for (int j = 0; j < N; j++) sum += (a[i][k] + i) * (b[k][j] + j);
        for (int i = 0; i < 1 << 20; i++) table[i] = hash = (hash ^ (uint32_t)i) * 16777619;
        for (int i = 0; i < 1 << 20; i++) hash += table[hash & 0xfffff];
        result = sum + hash;
    }
    return argument;
}

int main(int argc, char **argv) {
    if (argc != 3) return 2;
    void *(*run)(void *) = argv[1][0] == 'i' ? idle : argv[1][0] == 'l' ? load : compute;
    const long count = atol(argv[2]);
    for (long i = 1; i < count; i++) {
        pthread_t thread;
        if (pthread_create(&thread, NULL, run, (void *)i) != 0) return 1;
    }
    puts("ready");
    fflush(stdout);
    run((void *)0);
    return 0;
}
