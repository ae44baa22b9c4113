// Calls that end their function, of functions with the same and with other parameters and results: those that become
// jumps and those that cannot.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define APART __attribute__((noinline))

static volatile int zero;

/* A migration point in each iteration. */
static APART long step(long value) {
    return (long)((unsigned long)value * 31 + (unsigned long)zero);
}
static APART long work(long value, int rounds) {
    for (int i = 0; i < rounds; i++) value = step(value) ^ i;
    return value;
}

static APART void store(long *place, int rounds, char letter) {
    *place = work(*place + letter, rounds);
}
static APART int counted(long *place, short rounds) {
    *place = work(*place, rounds);
    return (int)*place;
}
static APART void more_parameters(long *place) {
    store(place, 3 + zero, (char)('x' + zero));
}
static APART void fewer_parameters(long *place, int rounds, double ignored, long *other) {
    *other = (long)ignored;
    more_parameters(place);
}
static APART void result_dropped(long *place) {
    counted(place, (short)(4 + zero));
}

static APART signed char narrow(signed char a, unsigned short b, _Bool c) {
    return (signed char)work(a + b + c, 2);
}
static APART signed char narrow_from_wide(long value) {
    return narrow((signed char)value, (unsigned short)(value >> 3), value & 1);
}
static APART unsigned short widened(unsigned char value) {
    return (unsigned short)work(value, 2);
}
static APART unsigned widen(unsigned char value, int unused) {
    return widened((unsigned char)(value + unused));
}

static APART long eight(long a, long b, long c, long d, long e, long f, long g, long h) {
    return work(a - b + c - d + e - f + g - h, 3);
}
static APART long too_many(long a) {
    return eight(a, 2 + zero, 3 + zero, 4 + zero, 5 + zero, 6 + zero, 7 + zero, a ^ 1);
}
static APART double mixed(double a, int b, float c, long d, double e, char f) {
    return a + (double)work(b + d + f, 2) + c * e;
}
static APART double from_one(double a) {
    return mixed(a, 1 + zero, 2.5f + (float)zero, 3 + zero, a, (char)('c' + zero));
}
static APART float numbers(float a, double b, float c, double d, float e, double f, float g, double h, float i) {
    return a + (float)b + c + (float)d + e + (float)f + g + (float)h + i + (float)(work(1, 3) % 100);
}
static APART float nine_numbers(float a) {
    float b = (float)zero;
    return numbers(a, 1 + b, 2 + b, 3 + b, 4 + b, 5 + b, 6 + b, 7 + b, a);
}
static APART long double extended(int a, long double b) {
    return b + (long double)(work(a, 2) % 1000);
}
static APART long double give_extended(long double b) {
    return extended(7 + zero, b);
}

struct large {
    long at[5];
};
static APART struct large make(long a, int b) {
    struct large made;
    for (int i = 0; i < 5; i++) made.at[i] = work(a + i, b);
    return made;
}
static APART struct large give_large(int b) {
    return make(11 + zero, b);
}
static APART long take_large(struct large taken, int more) {
    return work(taken.at[more], more);
}
static APART long pass_large(struct large taken) {
    return take_large(taken, 2 + zero);
}

static APART long sum(const long *values, int count) {
    long result = 0;
    for (int i = 0; i < count; i++) result ^= work(values[i], 2);
    return result;
}
static APART long keeps_object(int count) {
    long values[8];
    for (int i = 0; i < 8; i++) values[i] = i * count;
    return sum(values, 8);
}
static APART long object_is_done(int count) {
    volatile char text[40];
    memset((char *)text, count, sizeof text);
    return work(text[count], count);
}
static APART long aligned_object(int count) {
    _Alignas(64) volatile char text[64];
    text[count] = (char)count;
    return work(text[count], count);
}
static APART long sized_object(int count) {
    volatile char text[count + 1];
    text[count] = (char)count;
    return work(text[count], count);
}

/* As free(3) ends: three ways out, and one without a call. */
static APART void three_ways(long *place) {
    if (place == NULL) return;
    if (*place % 3 == 0)
        store(place, 2, 'a');
    else if (*place % 3 == 1)
        counted(place, 3);
    else if (*place % 5 != 0)
        more_parameters(place);
}
static APART int chosen(long *place, int way) {
    switch (way) {
    case 0:
        return counted(place, 1);
    case 1:
        return (int)work(*place, 2);
    case 2:
        return narrow_from_wide(*place);
    case 3:
        return -1;
    default:
        return printf("%ld\n", work(*place, 2));
    }
}

static APART long odd(int count, long so_far);
static APART long even(long so_far, char *unused, int count) {
    return count == 0 ? work(so_far, 2) : odd(count - 1, (long)((unsigned long)so_far * 3 + (unused != NULL)));
}
static APART long odd(int count, long so_far) {
    return count == 0 ? -work(so_far, 2) : even(so_far + 1, count & 2 ? "" : NULL, count - 1);
}

static long (*volatile pointed_at)(long, int) = work;
static APART long by_pointer(int rounds) {
    return pointed_at(rounds, rounds);
}

int main(void) {
    long place = 5, other = 0;
    more_parameters(&place);
    fewer_parameters(&place, 1, 17.5, &other);
    result_dropped(&place);
    printf("%ld %ld\n", place, other);
    printf("%d %u\n", narrow_from_wide(place), widen(200, 100));
    printf("%ld %.3f %.3f %.6Lf\n", too_many(9 + zero), from_one(1.5), (double)nine_numbers(1.25f + (float)zero),
           give_extended(0.5L));
    struct large made = give_large(3);
    printf("%ld %ld %ld\n", made.at[0], made.at[4], pass_large(made));
    printf("%ld %ld %ld %ld\n", keeps_object(3), object_is_done(4), aligned_object(5), sized_object(6));
    for (long i = 0; i < 12; i++) {
        long value = i;
        three_ways(i == 11 ? NULL : &value);
        printf("%ld ", value);
    }
    for (int way = 0; way < 5; way++) printf("%d ", chosen(&place, way));
    printf("\n%ld %ld %ld\n", even(1, NULL, 300), odd(300, 1), by_pointer(4));
    return 0;
}
