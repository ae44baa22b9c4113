// The allocator: every call, blocks of all sizes with their contents checked, threads that free each other's blocks and
// end, fork while others allocate.
#include <errno.h>
#include <malloc.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static void check(int good, const char *what) {
    if (good) return;
    printf("wrong: %s\n", what);
    fflush(stdout);
    abort();
}

static uint32_t next_random(uint64_t *seed) {
    *seed = *seed * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(*seed >> 33);
}

// A block knows its size, and all of it is filled with what follows from size and place.
struct block {
    unsigned char *start;
    size_t size;
};
static unsigned char mark(const unsigned char *start, size_t at) {
    return (unsigned char)(((uintptr_t)start >> 4) * 31 + at * 7);
}
// Of large blocks a byte in each 1021, and the last one.
static size_t step(size_t at, size_t size) {
    size_t next = at + (size > 100000 ? 1021 : size > 2000 ? 61 : 1);
    return next >= size && at + 1 < size ? size - 1 : next;
}
static void fill(struct block b) {
    for (size_t i = 0; i < b.size; i = step(i, b.size)) b.start[i] = mark(b.start, i);
}
static void verify(struct block b, size_t size, const unsigned char *start) {
    for (size_t i = 0; i < size; i = step(i, b.size)) check(b.start[i] == mark(start, i), "contents");
}

static size_t some_size(uint64_t *seed) {
    static const size_t largest[] = {16, 64, 64, 256, 256, 1024, 1024, 5000, 40000, 300000};
    return next_random(seed) % largest[next_random(seed) % 10];
}

static struct block allocate(uint64_t *seed) {
    struct block b = {0, some_size(seed)};
    switch (next_random(seed) % 6) {
    case 0:
        b.start = calloc(1, b.size);
        for (size_t i = 0; i < b.size; i = step(i, b.size)) check(b.start[i] == 0, "zero");
        break;
    case 1: {
        size_t align = (size_t)16 << next_random(seed) % 10;
        void *p = 0;
        check(posix_memalign(&p, align, b.size) == 0, "posix_memalign");
        b.start = p;
        check(((uintptr_t)p & (align - 1)) == 0, "alignment");
        break;
    }
    case 2:
        b.start = realloc(0, b.size);
        break;
    default:
        b.start = malloc(b.size);
    }
    check(b.start != 0, "memory");
    if (b.size >= 16) check(((uintptr_t)b.start & 15) == 0, "alignment of 16");
    check(malloc_usable_size(b.start) >= b.size, "usable size");
    fill(b);
    return b;
}
static struct block change(struct block b, uint64_t *seed) {
    struct block changed = {0, some_size(seed) + 1};
    const unsigned char *before = b.start;
    changed.start = realloc(b.start, changed.size);
    check(changed.start != 0, "realloc");
    b.start = changed.start;
    verify(b, b.size < changed.size ? b.size : changed.size, before);
    fill(changed);
    return changed;
}
static size_t drop(struct block b) {
    verify(b, b.size, b.start);
    free(b.start);
    return b.size;
}

static size_t churn(uint64_t seed, int steps) {
    enum { COUNT = 64 };
    struct block all[COUNT] = {{0}};
    size_t sum = 0;
    for (int i = 0; i < steps; i++) {
        struct block *b = &all[next_random(&seed) % COUNT];
        if (!b->start)
            *b = allocate(&seed);
        else if (next_random(&seed) % 3 == 0)
            *b = change(*b, &seed);
        else {
            sum += drop(*b);
            b->start = 0;
        }
    }
    for (int i = 0; i < COUNT; i++)
        if (all[i].start) sum += drop(all[i]);
    return sum;
}

// What one thread has allocated another changes and frees; threads end while their blocks are in use.
enum { SLOTS = 128, THREADS = 4, TURNS = 3 };
static struct block shared[SLOTS];
static pthread_mutex_t locks[SLOTS];
static void *exchange(void *p) {
    uint64_t seed = (uintptr_t)p;
    for (int i = 0; i < 300; i++) {
        uint32_t at = next_random(&seed) % SLOTS;
        struct block mine = allocate(&seed), other;
        pthread_mutex_lock(&locks[at]);
        other = shared[at];
        shared[at] = mine;
        pthread_mutex_unlock(&locks[at]);
        if (!other.start) continue;
        if (next_random(&seed) % 4 == 0) other = change(other, &seed);
        drop(other);
    }
    return (void *)churn(seed, 50);
}
static void drop_shared(void) {
    for (int i = 0; i < SLOTS; i++) {
        if (shared[i].start) drop(shared[i]);
        shared[i].start = 0;
    }
}
static pthread_key_t key;
static void at_end(void *p) { // allocates when other destructors have run
    free(p);
    free(malloc(100));
}
static void *short_lived(void *p) {
    pthread_setspecific(key, malloc((size_t)p));
    return malloc((size_t)p);
}
static void threads(void) {
    for (int i = 0; i < SLOTS; i++) pthread_mutex_init(&locks[i], 0);
    for (int turn = 0; turn < TURNS; turn++) {
        pthread_t t[THREADS];
        for (long i = 0; i < THREADS; i++)
            check(pthread_create(&t[i], 0, exchange, (void *)(turn * 10 + i + 1)) == 0, "thread");
        for (int i = 0; i < THREADS; i++) pthread_join(t[i], 0);
    }
    drop_shared();
    pthread_key_create(&key, at_end);
    for (long i = 1; i < 60; i++) {
        pthread_t t;
        void *result;
        check(pthread_create(&t, 0, short_lived, (void *)(i * 100)) == 0, "short thread");
        pthread_join(t, &result);
        memset(result, 1, (size_t)i * 100);
        free(result);
    }
    printf("threads\n");
}

static volatile int stop;
static void *busy(void *p) {
    uint64_t seed = (uintptr_t)p;
    while (!stop) exchange((void *)(uintptr_t)next_random(&seed));
    return 0;
}
static void *in_child(void *p) {
    return (void *)churn((uintptr_t)p, 50);
}
static void forks(void) {
    pthread_t t[2];
    for (long i = 0; i < 2; i++) pthread_create(&t[i], 0, busy, (void *)(i + 1));
    for (int i = 0; i < 10; i++) {
        struct block before = {malloc(5000), 5000};
        fill(before);
        pid_t child = fork();
        if (child == 0) {
            pthread_t own;
            drop(before);
            churn((uint64_t)i, 200);
            for (int k = 0; k < SLOTS; k++) // a block of a thread that is not here
                if (pthread_mutex_trylock(&locks[k]) == 0 && shared[k].start) drop(shared[k]);
            check(pthread_create(&own, 0, in_child, (void *)7) == 0, "child's thread");
            pthread_join(own, 0);
            _exit(7);
        }
        int status;
        check(waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 7, "child");
        drop(before);
    }
    stop = 1;
    for (int i = 0; i < 2; i++) pthread_join(t[i], 0);
    drop_shared();
    printf("forks\n");
}

static void large(void) {
    struct block all[6];
    for (int i = 0; i < 6; i++) {
        all[i].size = (size_t)(300000 << 2 * i) / (i == 5 ? 3 : 1); // up to 100 MB
        all[i].start = i & 1 ? calloc(all[i].size / 4 + 1, 4) : malloc(all[i].size);
        check(all[i].start != 0, "large");
        fill(all[i]);
    }
    for (int i = 5; i >= 0; i--) drop(all[i]);
    struct block grown = {malloc(1), 1};
    fill(grown);
    for (int i = 0; i < 40; i++) { // to 40 MB and back
        struct block next = {0, i < 20 ? (size_t)1 << i : (size_t)2000000 * (size_t)(41 - i)};
        const unsigned char *before = grown.start;
        next.start = realloc(grown.start, next.size);
        check(next.start != 0, "growth");
        size_t kept = grown.size < next.size ? grown.size : next.size;
        check(next.start[0] == mark(before, 0), "first byte");
        if (kept == grown.size) check(next.start[kept - 1] == mark(before, kept - 1), "last byte");
        fill(next);
        grown = next;
    }
    drop(grown);
    for (size_t align = 16; align <= (size_t)64 << 20; align *= 4) {
        unsigned char *p = aligned_alloc(align, 3 * align), *q = memalign(align, 1);
        check(((uintptr_t)p & (align - 1)) == 0 && ((uintptr_t)q & (align - 1)) == 0, "large alignment");
        p[0] = p[3 * align - 1] = q[0] = 1;
        p = realloc(p, 3 * align + 5);
        check(p[0] == 1 && p[3 * align - 1] == 1, "realloc of aligned");
        free(p);
        free(q);
    }
    printf("large\n");
}

// Compilers believe that malloc leaves errno alone.
static __attribute__((noinline)) int error(void) {
    int seen = errno;
    errno = 0;
    return seen;
}
static void borders(void) {
    void *volatile none = 0;
    volatile size_t most = SIZE_MAX, half = SIZE_MAX / 2;
    void *p = 0, *volatile got, *zero = malloc(0), *other = malloc(0);
    check(zero && other && zero != other, "nothing");
    free(zero);
    free(other);
    free(none);
    got = malloc(most);
    check(!got && error() == ENOMEM, "most");
    got = malloc(half);
    check(!got && error() == ENOMEM, "half");
    got = calloc(half, 3);
    check(!got && error() == ENOMEM, "product");
    got = calloc(half, 1);
    check(!got && error() == ENOMEM, "calloc");
    p = malloc(10);
    got = realloc(p, half);
    check(!got && error() == ENOMEM, "failed realloc");
    got = reallocarray(p, half, 3);
    check(!got && error() == ENOMEM, "failed reallocarray");
    errno = 77;
    free(p);
    check(errno == 77, "errno after free");
    p = 0;
    check(posix_memalign(&p, 24, 8) == EINVAL && !p, "odd alignment");
    check(posix_memalign(&p, 64, half) == ENOMEM && !p, "aligned half");
    check(posix_memalign(&p, (size_t)1 << 62, 8) == ENOMEM && !p, "largest alignment");
    printf("borders\n");
}

int main(void) {
    borders();
    printf("%zu\n", churn(1, 2000));
    large();
    threads();
    forks();
    printf("%zu\n", churn(2, 500));
    return 0;
}
