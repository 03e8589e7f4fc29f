/* Stochastic rounding: random bits below the last one that is kept are added, and the rest is cut off. A code of 8 bits
 * is the top of a float's pattern: of t = |x|/scale + least, whose exponent and fraction together grow as the logarithm
 * of large x and, by `least`, in proportion to small x; between two codes it is linear in x, so that the mean is exact.
 */
#include "method/narrow.h"
#include "base/arith.h"
#include "base/kernels.h"

#include <float.h>
#include <string.h>

enum { CUT = 20 }; /* bits of a float's pattern below an 8-bit code */
#define SIGN 0x80000000u

#ifdef GLS_DOUBLE
typedef uint64_t pattern;
static const gls_real smallest = DBL_MIN, greatest = DBL_MAX, epsilon = DBL_EPSILON;
#else
typedef uint32_t pattern;
static const gls_real smallest = FLT_MIN, greatest = FLT_MAX, epsilon = FLT_EPSILON;
#endif

static inline uint32_t bits_of(float x) {
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    return bits;
}

static inline float float_of(uint32_t bits) {
    float x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

/* Of |x|: in the order of the numbers, NaN above all. */
static inline pattern magnitude_of(gls_real x) {
    pattern bits;
    memcpy(&bits, &x, sizeof bits);
    return bits & ~(pattern)0 >> 1;
}

static inline pattern least_of(pattern a, pattern b) {
    return a < b ? a : b;
}

static inline pattern most_of(pattern a, pattern b) {
    return a > b ? a : b;
}

GLS_SIMD void gls_method_bits_draw(gls_method_bits *bits, const uint32_t key[2], uint32_t first, int64_t n) {
    uint32_t *restrict pair = bits->pair;
    const uint32_t own[2] = {key[0], key[1]};
    int count = (int)gls_parts(n, 2);
#pragma omp simd
    for (int i = 0; i < count; i++) pair[i] = gls_method_bits_of(first + (uint32_t)i, own);
}

GLS_SIMD void gls_method_bits_turn(gls_method_bits *bits, int64_t n) {
    uint16_t *restrict each = bits->each;
#pragma omp simd
    for (int i = 0; i < (int)n; i++) each[i] = gls_method_bits_turned(each[i]);
}

/* ---- bf16 ---- */

GLS_SIMD void gls_method_bf16_widen(gls_real *restrict x, const uint16_t *restrict narrow, int64_t n) {
#pragma omp simd
    for (int i = 0; i < (int)n; i++) x[i] = gls_bf16_widen(narrow[i]);
}

GLS_SIMD void gls_method_bf16_narrow(uint16_t *restrict narrow, const gls_real *restrict x, const gls_method_bits *bits,
                                     int64_t n) {
    const uint16_t *restrict random = bits->each;
#pragma omp simd
    for (int i = 0; i < (int)n; i++) narrow[i] = gls_method_bf16_round(x[i], random[i]);
}

/* ---- codes of 8 bits ---- */

/* What the kinds differ in. t runs from `least`, a power of two whose pattern is `base`, to 7.5: neither the scale nor
 * its inverse leaves the normal numbers then. */
typedef struct coding {
    uint32_t base;
    float least, top;
} coding;

static const coding codings[] = {[GLS_METHOD_CODE_SIGNED] = {(127u - 13) << 23, 0x1p-13f, 7.5f - 0x1p-13f},
                                 [GLS_METHOD_CODE_POSITIVE] = {(127u - 29) << 23, 0x1p-29f, 7.5f}};

static inline int block_size(int64_t n, int64_t at) {
    return (int)gls_least(n - at, GLS_METHOD_SCALED);
}

/* The sign is moved to its place with the rest, as a number that is extended by it. */
GLS_SIMD static void widen_signed(gls_real *restrict x, const uint8_t *restrict code, const gls_real *restrict scales,
                                  coding c, int64_t n) {
    for (int64_t at = 0; at < n; at += GLS_METHOD_SCALED, x += GLS_METHOD_SCALED, code += GLS_METHOD_SCALED) {
        gls_real scale = *scales++;
#pragma omp simd
        for (int i = 0; i < block_size(n, at); i++) {
            uint32_t here = (uint32_t)(int8_t)code[i] << CUT;
            float t = float_of((here & (SIGN | 127u << CUT)) + c.base) - float_of((here & SIGN) | bits_of(c.least));
            x[i] = (gls_real)t * scale;
        }
    }
}

GLS_SIMD static void widen_positive(gls_real *restrict x, const uint8_t *restrict code, const gls_real *restrict scales,
                                    coding c, int64_t n) {
    for (int64_t at = 0; at < n; at += GLS_METHOD_SCALED, x += GLS_METHOD_SCALED, code += GLS_METHOD_SCALED) {
        gls_real scale = *scales++;
#pragma omp simd
        for (int i = 0; i < block_size(n, at); i++)
            x[i] = (gls_real)(float_of(((uint32_t)code[i] << CUT) + c.base) - c.least) * scale;
    }
}

void gls_method_q8_widen(gls_real *x, const uint8_t *code, const gls_real *scale, gls_method_code kind, int64_t n) {
    (kind == GLS_METHOD_CODE_SIGNED ? widen_signed : widen_positive)(x, code, scale, codings[kind], n);
}

/* Such that neither it nor its inverse leaves the normal numbers, and top times it no finite one. */
static gls_real scale_of(gls_real largest, gls_real top) {
    gls_real scale = largest / top, most = greatest / top * (1 - 4 * epsilon);
    if (scale < smallest) return smallest;
    return scale > most && largest <= greatest ? most : scale;
}

/* The largest magnitude: of a whole block in a loop of constant length, whose lanes stay in registers. */
static inline gls_real largest_of(const gls_real *restrict x, int n) {
    pattern most[GLS_LANES] = {0};
    gls_real largest;
    int i = 0;
    for (; n == GLS_METHOD_SCALED && i < GLS_METHOD_SCALED; i += GLS_LANES) {
        GLS_LANE_LOOP
        for (int j = 0; j < GLS_LANES; j++) most[j] = most_of(most[j], magnitude_of(x[i + j]));
    }
    for (; i < n; i++) most[0] = most_of(most[0], magnitude_of(x[i]));
    for (int j = 0; j < 8; j++) most[j] = most_of(most[j], most[j + 8]);
    for (int j = 0; j < 4; j++) most[j] = most_of(most[j], most[j + 4]);
    most[0] = most_of(most_of(most[0], most[1]), most_of(most[2], most[3]));
    memcpy(&largest, &most[0], sizeof largest);
    return largest;
}

/* All at once, before any code: each waits for a maximum and divisions, which have nothing to do with one another. */
GLS_SIMD static void find_scales(gls_real *restrict scale, const gls_real *restrict x, gls_real top, int64_t n) {
    for (int64_t at = 0; at < n; at += GLS_METHOD_SCALED)
        *scale++ = scale_of(largest_of(x + at, block_size(n, at)), top);
}

/* The pattern of t with bits added that decide about its code, which is the bits from CUT on, above those of the base:
 * t is at most 10 units in its last place above the top, which random bits shifted by 4 do not carry over. */
static inline uint32_t above_cut(float t, uint16_t random) {
    return (bits_of(t) + ((uint32_t)random << (CUT - 16))) >> CUT;
}

GLS_SIMD static void narrow_signed(uint8_t *restrict code, const gls_real *restrict scale, const gls_real *restrict x,
                                   coding c, const uint16_t *restrict random, int64_t n) {
    for (int64_t at = 0; at < n; at += GLS_METHOD_SCALED) {
        gls_real inverse = 1 / *scale++;
        uint16_t base = (uint16_t)(c.base >> CUT);
#pragma omp simd
        for (int i = 0; i < block_size(n, at); i++) {
            float y = (float)(x[at + i] * inverse);
            uint16_t here = (uint16_t)above_cut(y + float_of((bits_of(y) & SIGN) | bits_of(c.least)), random[at + i]);
            code[at + i] = (uint8_t)(((here - base) & 127) | (here >> 4 & 128));
        }
    }
}

GLS_SIMD static void narrow_positive(uint8_t *restrict code, const gls_real *restrict scale, const gls_real *restrict x,
                                     coding c, const uint16_t *restrict random, int64_t n) {
    for (int64_t at = 0; at < n; at += GLS_METHOD_SCALED) {
        gls_real inverse = 1 / *scale++;
        uint16_t base = (uint16_t)(c.base >> CUT);
#pragma omp simd
        for (int i = 0; i < block_size(n, at); i++) {
            uint32_t here = above_cut((float)(x[at + i] * inverse) + c.least, random[at + i]) - base;
            code[at + i] = (uint8_t)most_of(here, (uint32_t)least_of(magnitude_of(x[at + i]), 1));
        }
    }
}

void gls_method_q8_scale(gls_real *scale, const gls_real *x, gls_method_code kind, int64_t n) {
    find_scales(scale, x, (gls_real)codings[kind].top, n);
}

void gls_method_q8_narrow(uint8_t *code, const gls_real *scale, const gls_real *x, gls_method_code kind,
                          const gls_method_bits *bits, int64_t n) {
    (kind == GLS_METHOD_CODE_SIGNED ? narrow_signed : narrow_positive)(code, scale, x, codings[kind], bits->each, n);
}

/* ---- all vectors of a range ---- */

static gls_method_code code_of(const gls_method_narrow *state, int vector) {
    return state->not_negative >> vector & 1 ? GLS_METHOD_CODE_POSITIVE : GLS_METHOD_CODE_SIGNED;
}

/* Asks for the next range of a vector: one of the streams that a step waits for. */
static void ask_ahead(const char *narrow, int64_t bytes) {
    enum { LINE = 64 };
    for (int64_t k = 0; k < bytes; k += LINE) __builtin_prefetch(narrow + bytes + k);
}

void gls_method_narrow_widen(const gls_method_narrow *state, gls_real (*wide)[GLS_METHOD_RANGE], int64_t at,
                             int64_t n) {
    for (int i = 0; i < state->vectors; i++)
        if (state->precision == GLS_STATE_BF16) {
            const uint16_t *half = (const uint16_t *)state->vector[i] + at;
            ask_ahead((const char *)half, n * (int64_t)sizeof *half);
            gls_method_bf16_widen(wide[i], half, n);
        } else {
            const uint8_t *code = (const uint8_t *)state->vector[i] + at;
            ask_ahead((const char *)code, n);
            gls_method_q8_widen(wide[i], code, state->scale[i] + at / GLS_METHOD_SCALED, code_of(state, i), n);
        }
}

/* Scales of all vectors before any codes, which wait for them. */
void gls_method_narrow_round(const gls_method_narrow *state, gls_real (*wide)[GLS_METHOD_RANGE], int64_t at,
                             int64_t n) {
    gls_method_bits bits;
    for (int i = 0; i < state->vectors && state->precision == GLS_STATE_Q8; i++)
        gls_method_q8_scale(state->scale[i] + at / GLS_METHOD_SCALED, wide[i], code_of(state, i), n);
    for (int i = 0; i < state->vectors; i++) {
        if (i % 2)
            gls_method_bits_turn(&bits, n);
        else
            gls_method_bits_draw(&bits, state->key[i], state->first + (uint32_t)at, n);
        if (state->precision == GLS_STATE_BF16)
            gls_method_bf16_narrow((uint16_t *)state->vector[i] + at, wide[i], &bits, n);
        else
            gls_method_q8_narrow((uint8_t *)state->vector[i] + at, state->scale[i] + at / GLS_METHOD_SCALED, wide[i],
                                 code_of(state, i), &bits, n);
    }
}
