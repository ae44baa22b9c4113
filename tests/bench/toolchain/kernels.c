/* CPU-bound kernels: `kernels NAME ROUNDS` runs one and prints nanoseconds of processor time and a checksum. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static uint64_t seed = 1;
static uint32_t random32(void) {
    seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t)(seed >> 33);
}

struct body {
    double at[3], speed[3], mass;
};
static struct body bodies[5];

static void advance(struct body *all, int count, double step) {
    for (int i = 0; i < count; i++)
        for (int j = i + 1; j < count; j++) {
            double d[3], square = 0.01;
            for (int k = 0; k < 3; k++) {
                d[k] = all[i].at[k] - all[j].at[k];
                square += d[k] * d[k];
            }
            double root = square;
            for (int n = 0; n < 6; n++) root = 0.5 * (root + square / root);
            double pull = step / (square * root);
            for (int k = 0; k < 3; k++) {
                all[i].speed[k] -= d[k] * all[j].mass * pull;
                all[j].speed[k] += d[k] * all[i].mass * pull;
            }
        }
    for (int i = 0; i < count; i++)
        for (int k = 0; k < 3; k++) all[i].at[k] += step * all[i].speed[k];
}

static uint64_t nbody(int rounds) {
    for (int i = 0; i < 5; i++)
        for (int k = 0; k < 3; k++) {
            bodies[i].at[k] = i * 3 + k;
            bodies[i].speed[k] = (i - k) * 0.1;
            bodies[i].mass = 1 + i * 0.1;
        }
    for (int r = 0; r < rounds * 60000; r++) advance(bodies, 5, 0.001);
    return (uint64_t)(bodies[0].at[0] * 1e6);
}

static void sort(int32_t *a, long low, long high) {
    while (low < high) {
        int32_t pivot = a[(low + high) / 2];
        long i = low, j = high;
        while (i <= j) {
            while (a[i] < pivot) i++;
            while (a[j] > pivot) j--;
            if (i <= j) {
                int32_t t = a[i];
                a[i++] = a[j];
                a[j--] = t;
            }
        }
        sort(a, low, j);
        low = i;
    }
}

static uint64_t quicksort(int rounds) {
    enum { kCount = 100000 };
    static int32_t a[kCount];
    uint64_t sum = 0;
    for (int r = 0; r < rounds * 2; r++) {
        for (int i = 0; i < kCount; i++) a[i] = (int32_t)random32();
        sort(a, 0, kCount - 1);
        sum += (uint64_t)a[kCount / 2];
    }
    return sum;
}

static uint32_t rotate(uint32_t x, int n) {
    return x >> n | x << (32 - n);
}

static void sha256_block(uint32_t *state, const uint8_t *block) {
    static uint32_t k[64];
    if (k[0] == 0)
        for (uint32_t i = 0; i < 64; i++) k[i] = (i + 1) * 0x9e3779b9u ^ i << 13;
    uint32_t w[64], s[8];
    for (int i = 0; i < 16; i++) memcpy(&w[i], block + 4 * i, 4);
    for (int i = 16; i < 64; i++) {
        uint32_t a = rotate(w[i - 15], 7) ^ rotate(w[i - 15], 18) ^ w[i - 15] >> 3;
        uint32_t b = rotate(w[i - 2], 17) ^ rotate(w[i - 2], 19) ^ w[i - 2] >> 10;
        w[i] = w[i - 16] + a + w[i - 7] + b;
    }
    memcpy(s, state, sizeof s);
    for (int i = 0; i < 64; i++) {
        uint32_t e1 = rotate(s[4], 6) ^ rotate(s[4], 11) ^ rotate(s[4], 25);
        uint32_t t1 = s[7] + e1 + ((s[4] & s[5]) ^ (~s[4] & s[6])) + k[i] + w[i];
        uint32_t e0 = rotate(s[0], 2) ^ rotate(s[0], 13) ^ rotate(s[0], 22);
        uint32_t t2 = e0 + ((s[0] & s[1]) ^ (s[0] & s[2]) ^ (s[1] & s[2]));
        memmove(s + 1, s, 28);
        s[4] += t1;
        s[0] = t1 + t2;
    }
    for (int i = 0; i < 8; i++) state[i] += s[i];
}

static uint64_t sha256(int rounds) {
    static uint8_t data[65536];
    for (unsigned i = 0; i < sizeof data; i++) data[i] = (uint8_t)random32();
    uint32_t state[8] = {1, 2, 3, 4, 5, 6, 7, 8};
    for (int r = 0; r < rounds * 10; r++)
        for (unsigned at = 0; at < sizeof data; at += 64) sha256_block(state, data + at);
    return state[0];
}

static uint64_t matrix(int rounds) {
    enum { kSize = 128 };
    static double a[kSize][kSize], b[kSize][kSize], c[kSize][kSize];
    for (int i = 0; i < kSize; i++)
        for (int j = 0; j < kSize; j++) {
            a[i][j] = i + j;
            b[i][j] = i - j;
        }
    for (int r = 0; r < rounds * 4; r++)
        for (int i = 0; i < kSize; i++)
            for (int k = 0; k < kSize; k++)
                for (int j = 0; j < kSize; j++) c[i][j] += a[i][k] * b[k][j];
    return (uint64_t)c[3][7];
}

static uint64_t mandelbrot(int rounds) {
    uint64_t sum = 0;
    for (int r = 0; r < rounds; r++)
        for (int y = 0; y < 128; y++)
            for (int x = 0; x < 128; x++) {
                double cx = x / 64.0 - 1.5, cy = y / 64.0 - 1, zx = 0, zy = 0;
                int n = 0;
                while (n < 200 && zx * zx + zy * zy < 4) {
                    double t = zx * zx - zy * zy + cx;
                    zy = 2 * zx * zy + cy;
                    zx = t;
                    n++;
                }
                sum += (uint64_t)n;
            }
    return sum;
}

struct node {
    struct node *next;
    uint64_t value;
};
static uint64_t chase(int rounds) {
    enum { kCount = 4096 };
    static struct node nodes[kCount];
    for (uint32_t i = 0; i < kCount; i++) nodes[i] = (struct node){&nodes[(i * 1234577 + 1) % kCount], i};
    uint64_t sum = 0;
    for (int r = 0; r < rounds; r++) {
        const struct node *at = &nodes[r % kCount];
        for (int i = 0; i < 2000000; i++) {
            sum += at->value;
            at = at->next;
        }
    }
    return sum;
}

static uint64_t list(int rounds) { /* as long as the list is: no counter */
    enum { kCount = 4096 };
    static struct node nodes[kCount];
    for (uint32_t i = 0; i < kCount; i++) nodes[i] = (struct node){i + 1 < kCount ? &nodes[i + 1] : NULL, i};
    uint64_t sum = 0;
    for (int r = 0; r < rounds * 500; r++)
        for (const struct node *at = nodes; at != NULL; at = at->next) sum += at->value ^ (uint64_t)r;
    return sum;
}

enum { kPush, kAdd, kSub, kJumpIf, kDup, kSwap, kEnd };
static uint64_t interpreter(int rounds) {
    /* n = 200; sum = 0; do sum += 3; while (--n > 0) */
    static const uint8_t code[] = {kPush, 0,     kPush, 200,  kSwap, kPush,   3, kAdd,
                                   kSwap, kPush, 1,     kSub, kDup,  kJumpIf, 4, kEnd};
    uint64_t sum = 0;
    for (int r = 0; r < rounds * 3000; r++) {
        int64_t stack[16];
        int top = 0;
        const uint8_t *at = code;
        for (int steps = 0; steps < 1000; steps++) {
            uint8_t op = *at++;
            if (op == kEnd) break;
            switch (op) {
            case kPush:
                stack[top++ & 15] = *at++;
                break;
            case kAdd:
                top--;
                stack[(top - 1) & 15] += stack[top & 15];
                break;
            case kSub:
                top--;
                stack[(top - 1) & 15] -= stack[top & 15];
                break;
            case kDup:
                stack[top & 15] = stack[(top - 1) & 15];
                top++;
                break;
            case kSwap: {
                int64_t t = stack[(top - 1) & 15];
                stack[(top - 1) & 15] = stack[(top - 2) & 15];
                stack[(top - 2) & 15] = t;
                break;
            }
            case kJumpIf:
                top--;
                at = stack[top & 15] > 0 ? code + *at : at + 1;
                break;
            default:
                return 0;
            }
        }
        sum += (uint64_t)stack[0];
    }
    return sum;
}

static int fib(int n) {
    return n < 2 ? n : fib(n - 1) + fib(n - 2);
}
static uint64_t fibonacci(int rounds) {
    uint64_t sum = 0;
    for (int r = 0; r < rounds; r++) sum += (uint64_t)fib(27 + r % 2);
    return sum;
}

static uint64_t text(int rounds) {
    static char line[20000];
    for (unsigned i = 0; i < sizeof line - 1; i++) line[i] = "the quick brown fox "[random32() % 20];
    uint64_t words = 0;
    for (int r = 0; r < rounds * 100; r++) {
        int inside = 0;
        for (const char *at = line; *at != 0; at++) {
            int letter = *at != ' ';
            words += (uint64_t)(letter && !inside);
            inside = letter;
        }
    }
    return words;
}

static uint64_t add_scaled(int rounds) { /* a vector loop of a length that nobody knows */
    enum { kCount = 3000 };
    static float a[kCount], b[kCount];
    for (int i = 0; i < kCount; i++) b[i] = (float)(i % 7);
    for (int r = 0; r < rounds * 6000; r++) {
        int count = kCount - (int)(random32() % 100);
        for (int i = 0; i < count; i++) a[i] += 0.5f * b[i];
    }
    return (uint64_t)a[100];
}

static uint64_t hash(int rounds) {
    static uint8_t data[4000];
    for (unsigned i = 0; i < sizeof data; i++) data[i] = (uint8_t)random32();
    uint64_t value = 1;
    for (int r = 0; r < rounds * 1000; r++) {
        size_t count = sizeof data - random32() % 64;
        for (size_t i = 0; i < count; i++) value = (value ^ data[i]) * UINT64_C(0x100000001b3);
    }
    return value;
}

static uint64_t search(int rounds) {
    static int32_t keys[2000];
    for (unsigned i = 0; i < 2000; i++) keys[i] = (int32_t)(random32() >> 1);
    uint64_t sum = 0;
    for (int r = 0; r < rounds * 500; r++) {
        int32_t wanted = keys[random32() % 2000];
        for (int i = 0; i < 2000; i++)
            if (keys[i] == wanted) {
                sum += (uint64_t)i;
                break;
            }
    }
    return sum;
}

static uint64_t short_loops(int rounds) { /* the entry of a loop counts */
    static char words[64][8];
    for (unsigned i = 0; i < 64; i++)
        for (unsigned j = 0; j < 1 + i % 7; j++) words[i][j] = (char)('a' + (i + j) % 26);
    uint64_t sum = 0;
    for (int r = 0; r < rounds * 10000; r++)
        for (unsigned i = 0; i < 64; i++) {
            unsigned length = (unsigned)(i % 7 + (unsigned)(r & 1));
            for (unsigned j = 0; j < length; j++) sum = sum * 31 + (uint64_t)words[i][j];
        }
    return sum;
}

static const struct {
    const char *name;
    uint64_t (*run)(int);
} kernels[] = {{"nbody", nbody},   {"quicksort", quicksort},     {"sha256", sha256},
               {"matrix", matrix}, {"mandelbrot", mandelbrot},   {"chase", chase},
               {"list", list},     {"interpreter", interpreter}, {"fib", fibonacci},
               {"text", text},     {"add_scaled", add_scaled},   {"hash", hash},
               {"search", search}, {"short_loops", short_loops}};

int main(int count, char **arguments) {
    if (count != 3) return 2;
    for (unsigned i = 0; i < sizeof kernels / sizeof *kernels; i++) {
        if (strcmp(kernels[i].name, arguments[1]) != 0) continue;
        struct timespec start, end;
        clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &start);
        uint64_t sum = kernels[i].run(atoi(arguments[2]));
        clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &end);
        printf("%lld %llx\n", (end.tv_sec - start.tv_sec) * 1000000000ll + end.tv_nsec - start.tv_nsec,
               (unsigned long long)sum);
        return 0;
    }
    return 2;
}
