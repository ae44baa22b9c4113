// Stacks as deep as the program asked for, in the first thread and in others, and many threads one after the other.
#include <pthread.h>
#include <stdio.h>
#include <string.h>

enum { FRAME = 64 << 10 };

// Uses `depth` frames; each holds an object that the outer ones check after the inner ones are gone.
static unsigned long down(int depth, const unsigned char *outer) {
    volatile unsigned char frame[FRAME];
    for (int i = 0; i < FRAME; i += 4096) frame[i] = (unsigned char)(depth + i / 4096);
    unsigned long sum = outer ? *outer : 0;
    if (depth > 0) sum += down(depth - 1, (const unsigned char *)frame);
    for (int i = 0; i < FRAME; i += 4096) sum += frame[i] == (unsigned char)(depth + i / 4096);
    return sum;
}

static void *deep(void *depth) {
    return (void *)down((int)(long)depth, 0);
}

static void *shallow(void *argument) {
    return (char *)argument + 1;
}

// A call deep in the stack that needs much of it: each time that frames are rebuilt, less is left.
static int needs_much(void) {
    volatile char much[400000];
    much[0] = 1;
    much[sizeof much - 1] = 2;
    return much[0] + much[sizeof much - 1];
}

static int deepen(int levels, const int *above) {
    int here[20] = {0};
    here[levels % 20] = levels + *above % 7;
    int result = needs_much();
    if (levels > 0) result += deepen(levels - 1, here + levels % 20);
    return result + here[levels % 20] % 3;
}

int main(void) {
    printf("deepened %d\n", deepen(3000, &(int){1}));
    printf("main %lu\n", down((7 << 20) / FRAME, 0));
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    for (int megabytes = 1; megabytes <= 64; megabytes *= 4) {
        pthread_t thread;
        void *result;
        int error = pthread_attr_setstacksize(&attributes, (size_t)megabytes << 20);
        if (!error) error = pthread_create(&thread, &attributes, deep, (void *)((megabytes * 12L << 16) / FRAME));
        if (!error) error = pthread_join(thread, &result);
        printf("thread of %d MB: %d %lu\n", megabytes, error, error ? 0 : (unsigned long)result);
    }
    char *end = 0;
    for (int i = 0; i < 300; i++) {
        pthread_t thread;
        void *result;
        if (pthread_create(&thread, 0, shallow, end) || pthread_join(thread, &result)) return 1;
        end = result;
    }
    printf("threads %ld\n", (long)end);
    pthread_attr_setstacksize(&attributes, 1ul << 50);
    pthread_t thread;
    printf("too large %d\n", pthread_create(&thread, &attributes, shallow, 0) != 0);
    return 0;
}
