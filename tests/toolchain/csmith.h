/* What programs that csmith generates include: arithmetic without undefined behaviour, and a checksum. Own writing, as
 * Debian's package has the generator only; all that counts is that every compiler gives the same results. */
#pragma once

#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#define CS_SIGNED(T, W, MIN, MAX)                                                                                      \
    static inline T safe_unary_minus_func_##T##_s(T a) {                                                               \
        return a == MIN ? a : (T) - a;                                                                                 \
    }                                                                                                                  \
    static inline T safe_add_func_##T##_s_s(T a, T b) {                                                                \
        T r;                                                                                                           \
        return __builtin_add_overflow(a, b, &r) ? a : r;                                                               \
    }                                                                                                                  \
    static inline T safe_sub_func_##T##_s_s(T a, T b) {                                                                \
        T r;                                                                                                           \
        return __builtin_sub_overflow(a, b, &r) ? a : r;                                                               \
    }                                                                                                                  \
    static inline T safe_mul_func_##T##_s_s(T a, T b) {                                                                \
        T r;                                                                                                           \
        return __builtin_mul_overflow(a, b, &r) ? a : r;                                                               \
    }                                                                                                                  \
    static inline T safe_div_func_##T##_s_s(T a, T b) {                                                                \
        return b == 0 || (a == MIN && b == -1) ? a : (T)(a / b);                                                       \
    }                                                                                                                  \
    static inline T safe_mod_func_##T##_s_s(T a, T b) {                                                                \
        return b == 0 || (a == MIN && b == -1) ? a : (T)(a % b);                                                       \
    }                                                                                                                  \
    static inline T safe_lshift_func_##T##_s_s(T a, int b) {                                                           \
        return a < 0 || b < 0 || b >= W || a > (MAX >> b) ? a : (T)(a << b);                                           \
    }                                                                                                                  \
    static inline T safe_lshift_func_##T##_s_u(T a, unsigned b) {                                                      \
        return a < 0 || b >= W || a > (MAX >> b) ? a : (T)(a << b);                                                    \
    }                                                                                                                  \
    static inline T safe_rshift_func_##T##_s_s(T a, int b) {                                                           \
        return a < 0 || b < 0 || b >= W ? a : (T)(a >> b);                                                             \
    }                                                                                                                  \
    static inline T safe_rshift_func_##T##_s_u(T a, unsigned b) {                                                      \
        return a < 0 || b >= W ? a : (T)(a >> b);                                                                      \
    }

#define CS_UNSIGNED(T, W, MAX)                                                                                         \
    static inline T safe_unary_minus_func_##T##_u(T a) {                                                               \
        return (T)(0 - a);                                                                                             \
    }                                                                                                                  \
    static inline T safe_add_func_##T##_u_u(T a, T b) {                                                                \
        return (T)(a + b);                                                                                             \
    }                                                                                                                  \
    static inline T safe_sub_func_##T##_u_u(T a, T b) {                                                                \
        return (T)(a - b);                                                                                             \
    }                                                                                                                  \
    static inline T safe_mul_func_##T##_u_u(T a, T b) {                                                                \
        return (T)((uint64_t)a * (uint64_t)b);                                                                         \
    }                                                                                                                  \
    static inline T safe_div_func_##T##_u_u(T a, T b) {                                                                \
        return b == 0 ? a : (T)(a / b);                                                                                \
    }                                                                                                                  \
    static inline T safe_mod_func_##T##_u_u(T a, T b) {                                                                \
        return b == 0 ? a : (T)(a % b);                                                                                \
    }                                                                                                                  \
    static inline T safe_lshift_func_##T##_u_s(T a, int b) {                                                           \
        return b < 0 || b >= W || a > (MAX >> b) ? a : (T)(a << b);                                                    \
    }                                                                                                                  \
    static inline T safe_lshift_func_##T##_u_u(T a, unsigned b) {                                                      \
        return b >= W || a > (MAX >> b) ? a : (T)(a << b);                                                             \
    }                                                                                                                  \
    static inline T safe_rshift_func_##T##_u_s(T a, int b) {                                                           \
        return b < 0 || b >= W ? a : (T)(a >> b);                                                                      \
    }                                                                                                                  \
    static inline T safe_rshift_func_##T##_u_u(T a, unsigned b) {                                                      \
        return b >= W ? a : (T)(a >> b);                                                                               \
    }

CS_SIGNED(int8_t, 8, INT8_MIN, INT8_MAX)
CS_SIGNED(int16_t, 16, INT16_MIN, INT16_MAX)
CS_SIGNED(int32_t, 32, INT32_MIN, INT32_MAX)
CS_SIGNED(int64_t, 64, INT64_MIN, INT64_MAX)
CS_UNSIGNED(uint8_t, 8, UINT8_MAX)
CS_UNSIGNED(uint16_t, 16, UINT16_MAX)
CS_UNSIGNED(uint32_t, 32, UINT32_MAX)
CS_UNSIGNED(uint64_t, 64, UINT64_MAX)

static uint64_t cs_sum = UINT64_C(0xcbf29ce484222325);

static inline void crc32_gentab(void) {}
static inline void platform_main_begin(void) {}
static void transparent_crc(uint64_t value, const char *name, int print) {
    for (int i = 0; i < 8; i++) cs_sum = (cs_sum ^ (value >> 8 * i & 0xff)) * UINT64_C(0x100000001b3);
    if (print) printf("%s %llx\n", name, (unsigned long long)cs_sum);
}
static void transparent_crc_bytes(const void *bytes, int size, const char *name, int print) {
    for (int i = 0; i < size; i++) transparent_crc(((const uint8_t *)bytes)[i], name, 0);
    transparent_crc(0, name, print);
}
#define crc32_context ((uint32_t)cs_sum)
static inline void platform_main_end(uint32_t sum, int print) {
    (void)print;
    printf("checksum %x %llx\n", sum, (unsigned long long)cs_sum);
}
