// Loops of each kind: by what they count, how they end, how they are nested, and whether they call.
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define APART __attribute__((noinline))

static uint64_t hash;
static void mix(uint64_t value) {
    hash = (hash ^ value) * UINT64_C(0x100000001b3) + (hash >> 29);
}

/* Nothing that a compiler could leave out. */
static volatile int zero;
static unsigned char bytes[200000];

static APART uint64_t up(int count) {
    uint64_t sum = 0;
    for (int i = 0; i < count; i++) sum = sum * 3 + bytes[i];
    return sum;
}
static APART uint64_t down(int count) {
    uint64_t sum = 0;
    for (int i = count; i > 0; i--) sum = sum * 5 + bytes[i - 1];
    return sum;
}
static APART uint64_t no_sign(unsigned count) {
    uint64_t sum = 0;
    for (unsigned i = 0; i != count; i++) sum = sum * 7 ^ bytes[i];
    return sum;
}
static APART uint64_t steps(long count) {
    uint64_t sum = 0;
    for (long i = 2; i < count; i += 7) sum = sum * 3 + bytes[i];
    for (long i = count - 1; i >= 0; i -= 11) sum = sum * 3 + bytes[i];
    return sum;
}
static APART uint64_t addresses(const unsigned char *from, const unsigned char *end) {
    uint64_t sum = 0;
    for (; from != end; from++) sum = sum * 9 + *from;
    return sum;
}
static APART uint64_t addresses_down(const unsigned char *from, const unsigned char *first) {
    uint64_t sum = 0;
    while (from > first) sum = sum * 9 + *--from;
    return sum;
}
static APART uint64_t limits(int around) {
    uint64_t sum = 0;
    for (int i = INT32_MAX - around; i < INT32_MAX; i++) sum += (unsigned)i ^ sum << 1;
    for (unsigned i = UINT32_MAX - (unsigned)around; i != 0; i++) sum += i ^ sum << 1;
    for (int64_t i = INT64_MIN + around; i > INT64_MIN; i--) sum += (uint64_t)i ^ sum << 1;
    for (int64_t i = -around; i <= around; i++) sum += (uint64_t)i ^ sum << 1;
    return sum;
}
static APART uint64_t until_found(const unsigned char *at, unsigned char wanted) {
    const unsigned char *start = at;
    while (*at != wanted) at++;
    return (uint64_t)(at - start);
}
static APART uint64_t two_exits(int count, unsigned char wanted) {
    uint64_t sum = 0;
    for (int i = 0; i < count; i++) {
        sum = sum * 3 + bytes[i];
        if (bytes[i] == wanted && sum % 16 == 3) return sum + (uint64_t)i;
    }
    return sum;
}
static APART uint64_t numbers(int count) {
    double sum = 0, scale = 1;
    for (int i = 0; i < count; i++) {
        sum += bytes[i] * scale;
        scale *= 0.999;
    }
    return (uint64_t)(sum * 1000);
}
static APART uint64_t vectors(int count) {
    static float a[200000];
    for (int i = 0; i < count; i++) a[i] = 0.5f * bytes[i];
    float sum = 0;
    for (int i = 0; i < count; i++) a[i] += a[i] * 2;
    for (int i = 0; i < count; i += 1000) sum += a[i];
    return (uint64_t)sum;
}

static APART uint64_t called(uint64_t value) {
    return value * 13 + (unsigned)zero;
}
static APART uint64_t calls_always(int count) {
    uint64_t sum = 0;
    for (int i = 0; i < count; i++) sum = called(sum) + bytes[i];
    return sum;
}
static APART uint64_t calls_rarely(int count) {
    uint64_t sum = 0;
    for (int i = 0; i < count; i++) {
        if (bytes[i] == 3) sum = called(sum);
        sum = sum * 3 + bytes[i];
    }
    return sum;
}
static APART uint64_t calls_two(int count) {
    uint64_t sum = 0;
    for (int i = 0; i < count; i++) {
        if (bytes[i] == 3)
            sum = called(sum) + 1;
        else if (bytes[i] == 5)
            sum ^= called(sum + 2);
        sum += sum >> 3 ^ bytes[i];
    }
    return sum;
}
static APART uint64_t grows(int count) {
    uint64_t sum = 0;
    int room = 4, used = 0;
    int *all = malloc((size_t)room * sizeof *all);
    for (int i = 0; i < count; i++) {
        if (used == room) all = realloc(all, (size_t)(room *= 2) * sizeof *all);
        all[used++] = bytes[i] + i;
    }
    for (int i = 0; i < used; i += 17) sum = sum * 3 + (unsigned)all[i];
    free(all);
    return sum;
}

static APART uint64_t nest(int outer, int middle, int inner) {
    uint64_t sum = 0;
    for (int i = 0; i < outer; i++)
        for (int j = 0; j < middle; j++) {
            for (int k = 0; k < inner; k++) sum = sum * 3 + bytes[i * 31 + j * 7 + k];
            sum ^= (unsigned)j;
        }
    return sum;
}
static APART uint64_t nest_of_known(int inner) {
    uint64_t sum = 0;
    for (int i = 0; i < 20; i++)
        for (int j = 0; j < 9; j++)
            for (int k = 0; k < inner + j % 3; k++) sum = sum * 3 + bytes[i + j + k];
    return sum;
}
static APART uint64_t triangle(int count) {
    uint64_t sum = 0;
    for (int i = 0; i < count; i++)
        for (int j = i; j < count; j++) {
            if ((i ^ j) % 61 == 0) continue;
            if (bytes[j] == 7 && j > count / 2) break;
            sum = sum * 3 + bytes[i] * bytes[j];
        }
    return sum;
}

struct node {
    struct node *next;
    unsigned value;
};
static APART uint64_t list(const struct node *at) {
    uint64_t sum = 0;
    for (; at != NULL; at = at->next) sum = sum * 3 + at->value;
    return sum;
}

/* The cycle goes through two functions, and ends before, between and after other calls. */
static APART uint64_t second(const struct node *at, int depth);
static APART uint64_t first(const struct node *at, int depth) {
    if (at == NULL || depth == 0) return 1;
    uint64_t sum = called(at->value);
    if (at->value % 3 == 0) return sum;
    for (int i = 0; i < 2; i++) sum += second(at->next, depth - 1);
    return called(sum);
}
static APART uint64_t second(const struct node *at, int depth) {
    return depth < 2 ? called(3) : first(at, depth - 1) * 3 + 1;
}

int main(void) {
    for (size_t i = 0; i < sizeof bytes; i++) bytes[i] = (unsigned char)(i * i % 251 + i % 7);
    bytes[sizeof bytes - 1] = 255;
    static const int counts[] = {0, 1, 2, 3, 7, 16, 17, 100, 819, 1024, 4095, 4096, 4097, 9000, 70000};
    static struct node nodes[9000];
    for (size_t c = 0; c < sizeof counts / sizeof *counts; c++) {
        int n = counts[c];
        hash = (uint64_t)n;
        mix(up(n)), mix(down(n)), mix(no_sign((unsigned)n)), mix(steps(n));
        mix(addresses(bytes, bytes + n)), mix(addresses_down(bytes + n, bytes)), mix(limits(n));
        mix(until_found(bytes + sizeof bytes - 1 - n, 255)), mix(two_exits(n, (unsigned char)n));
        mix(numbers(n)), mix(vectors(n)), mix(grows(n));
        int fewer = n < 3000 ? n : n / 10;
        mix(calls_always(fewer)), mix(calls_rarely(n)), mix(calls_two(n));
        int few = n < 20 ? n : 20;
        mix(nest(few, few, n < 900 ? n : 900)), mix(nest(n < 900 ? n : 900, few, few)), mix(nest_of_known(n));
        mix(triangle(n < 200 ? n : 200));
        int chained = n < 9000 ? n : 9000;
        for (int i = 0; i < chained; i++)
            nodes[i] = (struct node){i + 1 < chained ? &nodes[i + 1] : NULL, (unsigned)i * 7};
        mix(list(chained == 0 ? NULL : nodes)), mix(first(chained < 2 ? NULL : nodes + 1, few));
        printf("%d %016llx\n", n, (unsigned long long)hash);
    }
    return 0;
}
