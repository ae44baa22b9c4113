/* Patterns of allocation: `allocations NAME ROUNDS` runs one and prints nanoseconds of processor time and a checksum.
 */
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static uint32_t next_random(uint64_t *seed) {
    *seed = *seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t)(*seed >> 33);
}

static uint64_t pairs(int rounds) { /* what is allocated is freed next */
    static char *volatile place;    /* or compilers leave both calls out */
    uint64_t sum = 0;
    for (int r = 0; r < rounds * 500000; r++) {
        place = malloc(16 + (size_t)(r & 15) * 16);
        place[0] = (char)r;
        sum += (uint64_t)place[0];
        free(place);
    }
    return sum;
}

struct node {
    struct node *left, *right;
};
static struct node *grow(int depth) {
    struct node *node = malloc(sizeof *node);
    node->left = depth > 0 ? grow(depth - 1) : NULL;
    node->right = depth > 0 ? grow(depth - 1) : NULL;
    return node;
}
static uint64_t cut(struct node *node) {
    uint64_t count = 1;
    if (node->left != NULL) count += cut(node->left) + cut(node->right);
    free(node);
    return count;
}
static uint64_t trees(int rounds) { /* many of one size, freed in another order */
    uint64_t sum = 0;
    for (int r = 0; r < rounds; r++) sum += cut(grow(16));
    return sum;
}

/* Blocks of random sizes and lives: small ones most often, as in larson and in most programs. */
static uint64_t churn(uint64_t seed, int steps, uint32_t largest) {
    enum { kBlocks = 4000 };
    char **blocks = calloc(kBlocks, sizeof *blocks);
    uint64_t sum = 0;
    for (int i = 0; i < steps; i++) {
        uint32_t at = next_random(&seed) % kBlocks, size = next_random(&seed) % largest;
        size = 8 + (size >> next_random(&seed) % 6);
        if (blocks[at] != NULL) sum += (uint64_t)blocks[at][0];
        free(blocks[at]);
        blocks[at] = malloc(size);
        blocks[at][0] = (char)i;
        blocks[at][size - 1] = (char)i;
    }
    for (int i = 0; i < kBlocks; i++) free(blocks[i]);
    free(blocks);
    return sum;
}
static uint64_t mixed(int rounds) {
    return churn(1, rounds * 200000, 1000);
}
static uint64_t pages(int rounds) {
    return churn(2, rounds * 20000, 30000);
}

static uint64_t strings(int rounds) { /* as a parser has them: built up, kept in a table, dropped together */
    enum { kWords = 20000 };
    static char *words[kWords];
    uint64_t sum = 0, seed = 3;
    for (int r = 0; r < rounds * 5; r++) {
        for (int i = 0; i < kWords; i++) {
            size_t length = 1 + next_random(&seed) % 40, room = 8, used = 0;
            char *text = malloc(room);
            while (used < length) {
                if (used + 1 == room) text = realloc(text, room *= 2);
                text[used] = (char)('a' + used % 26);
                used++;
            }
            text[used] = 0;
            words[i] = realloc(text, used + 1);
        }
        for (int i = 0; i < kWords; i++) {
            sum += strlen(words[i]);
            free(words[i]);
        }
    }
    return sum;
}

static uint64_t vectors(int rounds) { /* arrays that grow by doubling */
    uint64_t sum = 0;
    for (int r = 0; r < rounds * 10; r++) {
        size_t room = 4;
        uint64_t *array = malloc(room * sizeof *array);
        for (size_t i = 0; i < 200000; i++) {
            if (i == room) array = realloc(array, (room *= 2) * sizeof *array);
            array[i] = i;
        }
        sum += array[r];
        free(array);
    }
    return sum;
}

static uint64_t buffers(int rounds) { /* large ones, one at a time, and zeroed ones of which little is used */
    uint64_t sum = 0;
    for (int r = 0; r < rounds * 5000; r++) {
        size_t size = (size_t)(4096 + (r & 63) * 8192);
        char *volatile plain = malloc(size), *volatile zero = calloc(1, size / 16);
        plain[0] = plain[size - 1] = (char)r;
        zero[r & 255] = 1;
        sum += (uint64_t)(plain[0] + zero[1]);
        free(plain);
        free(zero);
    }
    return sum;
}

static void *churning(void *seed) {
    return (void *)churn((uint64_t)seed, 100000, 1000);
}
static uint64_t threads(int rounds) {
    uint64_t sum = 0;
    for (int r = 0; r < rounds; r++) {
        pthread_t all[2];
        for (uintptr_t i = 0; i < 2; i++)
            if (pthread_create(&all[i], NULL, churning, (void *)(i + 1)) != 0) abort();
        for (int i = 0; i < 2; i++) {
            void *result;
            pthread_join(all[i], &result);
            sum += (uint64_t)result;
        }
    }
    return sum;
}

/* One thread allocates, another frees. */
struct channel {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    char *batch[1000];
    int filled, ends;
};
static void *freeing(void *argument) {
    struct channel *channel = argument;
    char *batch[1000];
    for (;;) {
        pthread_mutex_lock(&channel->lock);
        while (!channel->filled && !channel->ends) pthread_cond_wait(&channel->changed, &channel->lock);
        int filled = channel->filled;
        if (filled) memcpy(batch, channel->batch, sizeof batch);
        channel->filled = 0;
        pthread_cond_signal(&channel->changed);
        pthread_mutex_unlock(&channel->lock);
        if (!filled) return NULL;
        for (int i = 0; i < 1000; i++) free(batch[i]);
    }
}
static uint64_t handover(int rounds) {
    struct channel channel = {.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};
    pthread_t other;
    uint64_t sum = 0, seed = 5;
    if (pthread_create(&other, NULL, freeing, &channel) != 0) abort();
    for (int r = 0; r < rounds * 200; r++) {
        char *batch[1000];
        for (int i = 0; i < 1000; i++) {
            batch[i] = malloc(16 + next_random(&seed) % 200);
            batch[i][0] = (char)i;
        }
        pthread_mutex_lock(&channel.lock);
        while (channel.filled) pthread_cond_wait(&channel.changed, &channel.lock);
        memcpy(channel.batch, batch, sizeof batch);
        channel.filled = 1;
        sum += 1000;
        pthread_cond_signal(&channel.changed);
        pthread_mutex_unlock(&channel.lock);
    }
    pthread_mutex_lock(&channel.lock);
    channel.ends = 1;
    pthread_cond_signal(&channel.changed);
    pthread_mutex_unlock(&channel.lock);
    pthread_join(other, NULL);
    return sum;
}

static const struct {
    const char *name;
    uint64_t (*run)(int);
} patterns[] = {{"pairs", pairs},     {"trees", trees},     {"mixed", mixed},
                {"pages", pages},     {"strings", strings}, {"vectors", vectors},
                {"buffers", buffers}, {"threads", threads}, {"handover", handover}};

int main(int count, char **arguments) {
    if (count != 3) return 2;
    for (unsigned i = 0; i < sizeof patterns / sizeof *patterns; i++) {
        if (strcmp(patterns[i].name, arguments[1]) != 0) continue;
        struct timespec start, end;
        clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &start);
        uint64_t sum = patterns[i].run(atoi(arguments[2]));
        clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &end);
        printf("%lld %llx\n", (end.tv_sec - start.tv_sec) * 1000000000ll + end.tv_nsec - start.tv_nsec,
               (unsigned long long)sum);
        return 0;
    }
    return 2;
}
