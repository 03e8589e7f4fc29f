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

static inline uint32_t least_of(uint32_t a, uint32_t b) {
    return a < b ? a : b;
}

static inline uint32_t most_of(uint32_t a, uint32_t b) {
    return a > b ? a : b;
}

/* Two multiplications between shifts (the constants are C. Wellons' lowbias32), keyed before each: keyed before the
 * first alone, two steps would deal out the same numbers in another order. */
GLS_SIMD void gls_method_bits_draw(gls_method_bits *bits, const uint32_t key[2], uint32_t first, int64_t n) {
    uint32_t *restrict pair = bits->pair, a = key[0], b = key[1];
    int count = (int)gls_parts(n, 2);
#pragma omp simd
    for (int i = 0; i < count; i++) {
        uint32_t x = (first + (uint32_t)i) ^ a;
        x = (x ^ x >> 16) * 0x7feb352du;
        x = ((x ^ x >> 15) + b) * 0x846ca68bu;
        pair[i] = x ^ x >> 16;
    }
}

GLS_SIMD void gls_method_bits_turn(gls_method_bits *bits, int64_t n) {
    uint16_t *restrict each = bits->each;
#pragma omp simd
    for (int i = 0; i < (int)n; i++) each[i] = (uint16_t)(each[i] << 8 | each[i] >> 8);
}

/* ---- bf16 ---- */

GLS_SIMD void gls_method_bf16_widen(gls_real *restrict x, const uint16_t *restrict narrow, int64_t n) {
#pragma omp simd
    for (int i = 0; i < (int)n; i++) x[i] = (gls_real)float_of((uint32_t)narrow[i] << 16);
}

GLS_SIMD void gls_method_bf16_narrow(uint16_t *restrict narrow, const gls_real *restrict x, const gls_method_bits *bits,
                                     int64_t n) {
    const uint16_t *restrict random = bits->each;
    const uint32_t last = 0x7f7f0000; /* the largest bf16; above are infinities and NaN, which stay */
#pragma omp simd
    for (int i = 0; i < (int)n; i++) {
        uint32_t whole = bits_of((float)x[i]);
        narrow[i] = (uint16_t)((whole + ((whole & 0x7fffffff) < last ? random[i] : 0u)) >> 16);
    }
}

/* ---- codes of 8 bits ---- */

/* What the kinds differ in. t runs from `least`, a power of two whose pattern is `base`, to 7.5: neither the scale nor
 * its inverse leaves the normal numbers then. */
typedef struct coding {
    uint32_t base, largest;
    float least, top;
} coding;

static const coding codings[] = {[GLS_METHOD_CODE_SIGNED] = {(127u - 13) << 23, 127, 0x1p-13f, 7.5f - 0x1p-13f},
                                 [GLS_METHOD_CODE_POSITIVE] = {(127u - 29) << 23, 255, 0x1p-29f, 7.5f}};

static inline int block_size(int64_t n, int64_t at) {
    return (int)gls_least(n - at, GLS_METHOD_SCALED);
}

GLS_SIMD static void widen_signed(gls_real *restrict x, const uint8_t *restrict code, const gls_real *restrict scales,
                                  coding c, int64_t n) {
    for (int64_t at = 0; at < n; at += GLS_METHOD_SCALED, x += GLS_METHOD_SCALED, code += GLS_METHOD_SCALED) {
        gls_real scale = *scales++;
#pragma omp simd
        for (int i = 0; i < block_size(n, at); i++) {
            uint32_t here = code[i];
            float t = float_of(((here & 127) << CUT) + c.base) - c.least;
            x[i] = (gls_real)float_of(bits_of(t) | (here & 128) << 24) * scale;
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

/* All at once, before any code: each waits for a maximum and divisions, which have nothing to do with one another. */
GLS_SIMD static void find_scales(gls_real *restrict scale, const gls_real *restrict x, gls_real top, int64_t n) {
    for (int64_t at = 0; at < n; at += GLS_METHOD_SCALED, x += GLS_METHOD_SCALED) {
        pattern most = 0;
#pragma omp simd reduction(max : most)
        for (int i = 0; i < block_size(n, at); i++) {
            pattern here = magnitude_of(x[i]);
            most = here > most ? here : most;
        }
        gls_real largest;
        memcpy(&largest, &most, sizeof largest);
        *scale++ = scale_of(largest, top);
    }
}

/* The code of |x| = y scale, rounded by the bits. */
static inline uint32_t code_at(float y, uint16_t random, const coding *c) {
    uint32_t above = bits_of(y + c->least) - c->base;
    return least_of((above + ((uint32_t)random << (CUT - 16))) >> CUT, c->largest);
}

GLS_SIMD static void narrow_signed(uint8_t *restrict code, const gls_real *restrict scale, const gls_real *restrict x,
                                   coding c, const uint16_t *restrict random, int64_t n) {
    for (int64_t at = 0; at < n; at += GLS_METHOD_SCALED) {
        gls_real inverse = 1 / *scale++;
#pragma omp simd
        for (int i = 0; i < block_size(n, at); i++) {
            uint32_t y = bits_of((float)(x[at + i] * inverse));
            code[at + i] = (uint8_t)(code_at(float_of(y & 0x7fffffff), random[at + i], &c) | (y >> 31) << 7);
        }
    }
}

GLS_SIMD static void narrow_positive(uint8_t *restrict code, const gls_real *restrict scale, const gls_real *restrict x,
                                     coding c, const uint16_t *restrict random, int64_t n) {
    for (int64_t at = 0; at < n; at += GLS_METHOD_SCALED) {
        gls_real inverse = 1 / *scale++;
#pragma omp simd
        for (int i = 0; i < block_size(n, at); i++) {
            uint32_t here = code_at((float)(x[at + i] * inverse), random[at + i], &c);
            code[at + i] = (uint8_t)most_of(here, x[at + i] > 0);
        }
    }
}

void gls_method_q8_narrow(uint8_t *code, gls_real *scale, const gls_real *x, gls_method_code kind,
                          const gls_method_bits *bits, int64_t n) {
    find_scales(scale, x, (gls_real)codings[kind].top, n);
    (kind == GLS_METHOD_CODE_SIGNED ? narrow_signed : narrow_positive)(code, scale, x, codings[kind], bits->each, n);
}
