/* Numbers of a state in less memory than gls_real: bf16, or codes of 8 bits with a scale for every 256 of them. Kernels
 * over one range; bits say how each number is rounded. */
#ifndef GLS_METHOD_NARROW_H
#define GLS_METHOD_NARROW_H

#include <glissade/method.h>
#include "base/bf16.h"
#include "base/kernels.h"

#include <string.h>

enum { GLS_METHOD_SCALED = 256 }; /* codes that share a scale */

/* Sixteen random bits for every number of a range. */
typedef union gls_method_bits {
    uint32_t pair[GLS_METHOD_RANGE / 2];
    uint16_t each[GLS_METHOD_RANGE];
} gls_method_bits;

/* The bits of n numbers. They depend on the key and on `first`, a number that no two numbers of a vector share. */
void gls_method_bits_draw(gls_method_bits *bits, const uint32_t key[2], uint32_t first, int64_t n);
/* Other bits from them for a second vector, with which they have next to nothing in common: halves exchanged. */
void gls_method_bits_turn(gls_method_bits *bits, int64_t n);

/* Two multiplications between shifts (the constants are C. Wellons' lowbias32), keyed before each: keyed before the
 * first alone, two steps would deal out the same numbers in another order. */
static inline uint32_t gls_method_bits_of(uint32_t number, const uint32_t key[2]) {
    uint32_t x = number ^ key[0];
    x = (x ^ x >> 16) * 0x7feb352du;
    x = ((x ^ x >> 15) + key[1]) * 0x846ca68bu;
    return x ^ x >> 16;
}

static inline uint16_t gls_method_bits_turned(uint16_t bits) {
    return (uint16_t)(bits << 8 | bits >> 8);
}

/* ---- bf16 ---- */

static inline uint16_t gls_method_bf16_round(gls_real x, uint16_t random) {
    const uint32_t last = 0x7f7f0000; /* the largest bf16; above are infinities and NaN, which stay */
    float narrow = (float)x;
    uint32_t whole;
    memcpy(&whole, &narrow, sizeof whole);
    return (uint16_t)((whole + ((whole & 0x7fffffff) < last ? random : 0u)) >> 16);
}

/* Narrow state as a rule's loop takes it, from a range's first coordinate on, where a scale begins. */
typedef struct gls_method_narrow {
    int vectors, precision;           /* GLS_STATE_BF16, GLS_STATE_Q8 */
    void *vector[GLS_METHOD_VECTORS]; /* uint16_t, or uint8_t and */
    gls_real *scale[GLS_METHOD_VECTORS];
    unsigned not_negative;                      /* as a type has it */
    uint32_t key[GLS_METHOD_VECTORS][2], first; /* of the random bits, as gls_method_bits_draw has them */
} gls_method_narrow;

enum { GLS_METHOD_BLOCK = 32 };

/* n <= GLS_METHOD_BLOCK numbers of one vector from `at` on. */
GLS_ALWAYS_INLINE void gls_method_halves_widen_one(const gls_method_narrow *state, int vector, gls_real *wide,
                                                   int64_t at, int n) {
    const uint16_t *narrow = (const uint16_t *)state->vector[vector] + at;
    __builtin_prefetch((const char *)narrow + GLS_AHEAD / 4);
    GLS_LANE_LOOP
    for (int i = 0; i < n; i++) wide[i] = gls_bf16_widen(narrow[i]);
}

GLS_ALWAYS_INLINE void gls_method_halves_narrow_one(const gls_method_narrow *state, int vector, const gls_real *wide,
                                                    const uint16_t *random, int64_t at, int n) {
    uint16_t *narrow = (uint16_t *)state->vector[vector] + at;
    GLS_LANE_LOOP
    for (int i = 0; i < n; i++) narrow[i] = gls_method_bf16_round(wide[i], random[i]);
}

/* Vectors number `first` and, where there are that many, the next, which share random bits. */
GLS_ALWAYS_INLINE void gls_method_halves_narrow_two(const gls_method_narrow *state, int first, int count,
                                                    gls_real (*wide)[GLS_METHOD_BLOCK], int64_t at, int n) {
    union {
        uint32_t pair[GLS_METHOD_BLOCK / 2];
        uint16_t each[GLS_METHOD_BLOCK];
    } bits;
    uint16_t turned[GLS_METHOD_BLOCK];
    const uint32_t key[2] = {state->key[first][0], state->key[first][1]};
    uint32_t number = state->first + (uint32_t)(at - at % GLS_METHOD_RANGE / 2); /* as drawn by ranges */
    GLS_LANE_LOOP
    for (int i = 0; i < GLS_METHOD_BLOCK / 2; i++) bits.pair[i] = gls_method_bits_of(number + (uint32_t)i, key);
    gls_method_halves_narrow_one(state, first, wide[first], bits.each, at, n);
    if (first + 1 >= count) return;
    GLS_LANE_LOOP
    for (int i = 0; i < GLS_METHOD_BLOCK; i++) turned[i] = gls_method_bits_turned(bits.each[i]);
    gls_method_halves_narrow_one(state, first + 1, wide[first + 1], turned, at, n);
}

/* A block of all `count` vectors. Where count and n are constants everything stays in registers, hence no loops here.
 */
GLS_ALWAYS_INLINE void gls_method_halves_widen(const gls_method_narrow *state, int count,
                                               gls_real (*wide)[GLS_METHOD_BLOCK], int64_t at, int n) {
    gls_method_halves_widen_one(state, 0, wide[0], at, n);
    if (count > 1) gls_method_halves_widen_one(state, 1, wide[1], at, n);
    if (count > 2) gls_method_halves_widen_one(state, 2, wide[2], at, n);
    if (count > 3) gls_method_halves_widen_one(state, 3, wide[3], at, n);
}

GLS_ALWAYS_INLINE void gls_method_halves_narrow(const gls_method_narrow *state, int count,
                                                gls_real (*wide)[GLS_METHOD_BLOCK], int64_t at, int n) {
    gls_method_halves_narrow_two(state, 0, count, wide, at, n);
    if (count > 2) gls_method_halves_narrow_two(state, 2, count, wide, at, n);
}

void gls_method_bf16_widen(gls_real *x, const uint16_t *narrow, int64_t n);
/* Up or down at random, so that the mean is x. What is finite stays so; 0, infinities and NaN stay what they are. */
void gls_method_bf16_narrow(uint16_t *narrow, const gls_real *x, const gls_method_bits *bits, int64_t n);

/* How 8 bits are spent: a sign, 4 of exponent and 3 of fraction; or, where nothing is negative, 5 of exponent. */
typedef enum gls_method_code { GLS_METHOD_CODE_SIGNED, GLS_METHOD_CODE_POSITIVE } gls_method_code;

/* n numbers and gls_parts(n, GLS_METHOD_SCALED) scales. */
void gls_method_q8_widen(gls_real *x, const uint8_t *code, const gls_real *scale, gls_method_code kind, int64_t n);
/* The scales, of n numbers: the largest of those that share one stays as it is. */
void gls_method_q8_scale(gls_real *scale, const gls_real *x, gls_method_code kind, int64_t n);
/* Up or down at random likewise, in units of the scales. Where nothing is negative, what is above 0 stays above 0, as
 * roots of it will be divided by. An infinity or NaN spoils those it shares with. */
void gls_method_q8_narrow(uint8_t *code, const gls_real *scale, const gls_real *x, gls_method_code kind,
                          const gls_method_bits *bits, int64_t n);

/* n <= GLS_METHOD_RANGE numbers of every vector, the first at `at`, where a scale begins; and rounded back. */
void gls_method_narrow_widen(const gls_method_narrow *state, gls_real (*wide)[GLS_METHOD_RANGE], int64_t at, int64_t n);
void gls_method_narrow_round(const gls_method_narrow *state, gls_real (*wide)[GLS_METHOD_RANGE], int64_t at, int64_t n);

#endif
