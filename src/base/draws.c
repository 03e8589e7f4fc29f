/* The laws of noise.h for whole vectors. Each step is a loop over independent elements without branches, so that
 * compilers vectorise it. */
#include "base/draws.h"

#include "base/kernels.h"
#include "base/arith.h"

#include <math.h>

/* glibc has these for whole vectors (libmvec, 4 ulp) but says so only under -ffast-math. */
#if defined(__GLIBC__) && defined(__x86_64__) && defined(__OPTIMIZE__) && !defined(__clang__)
#pragma omp declare simd notinbranch
double exp(double);
#pragma omp declare simd notinbranch
double log(double);
#pragma omp declare simd notinbranch
double sin(double);
#pragma omp declare simd notinbranch
double cos(double);
#pragma omp declare simd notinbranch
float expf(float);
#pragma omp declare simd notinbranch
float logf(float);
#pragma omp declare simd notinbranch
float sinf(float);
#pragma omp declare simd notinbranch
float cosf(float);
#endif

/* Clang warns about loops that it cannot vectorise. */
#ifdef __clang__
#define SIDE_BY_SIDE
#else
#define SIDE_BY_SIDE _Pragma("omp simd")
#endif

#ifdef GLS_DOUBLE
#define EXP exp
#define LOG log
#define SIN sin
#define COS cos
#define SQRT sqrt
#define ABS fabs
#else
#define EXP expf
#define LOG logf
#define SIN sinf
#define COS cosf
#define SQRT sqrtf
#define ABS fabsf
#endif

/* LANES blocks are computed at a time, so that their words stay in the first-level cache. One block of four words gives
 * PER_BLOCK elements: a uniform takes two words in double, one in float. */
enum { LANES = 128, PER_BLOCK = sizeof(gls_real) == sizeof(double) ? 1 : 2 };

/* tiny keeps logarithms and quotients finite where a uniform is 0. */
static const gls_real tiny = (gls_real)1e-30, pi = (gls_real)M_PI;

/* Philox4x32-10 (Salmon et al. 2011) on n consecutive blocks, written so that loops over blocks vectorise. The
 * multipliers and key increments are the paper's. */
GLS_SIMD static void blocks(const gls_random *random, uint32_t first, int64_t n, uint32_t word[4][LANES]) {
    const uint32_t slot = random->slot, draw0 = (uint32_t)random->draw, draw1 = (uint32_t)(random->draw >> 32);
    const uint32_t key0 = random->key[0], key1 = random->key[1];
    SIDE_BY_SIDE
    for (int64_t i = 0; i < n; i++) {
        uint32_t c0 = first + (uint32_t)i, c1 = slot, c2 = draw0, c3 = draw1, k0 = key0, k1 = key1;
        for (int round = 0; round < 10; round++) {
            uint64_t p0 = (uint64_t)0xD2511F53u * c0, p1 = (uint64_t)0xCD9E8D57u * c2;
            c0 = (uint32_t)(p1 >> 32) ^ c1 ^ k0;
            c1 = (uint32_t)p1;
            c2 = (uint32_t)(p0 >> 32) ^ c3 ^ k1;
            c3 = (uint32_t)p0;
            k0 += 0x9E3779B9u;
            k1 += 0xBB67AE85u;
        }
        word[0][i] = c0;
        word[1][i] = c1;
        word[2][i] = c2;
        word[3][i] = c3;
    }
}

/* A uniform on (0, 1]: 1 less that of the stream, whose words become doubles through signed integers, which every
 * instruction set converts. A float has one word, and its small values all their digits. */
#ifdef GLS_DOUBLE
GLS_SIMD static void uniforms(int64_t n, const uint32_t *high, const uint32_t *low, gls_real *u) {
    SIDE_BY_SIDE
    for (int64_t i = 0; i < n; i++) {
        double top = (double)(int32_t)(high[i] ^ 0x80000000u) + 0x1p31;
        u[i] = 1 - (top * 0x1p-32 + (double)(int32_t)(low[i] >> 11) * 0x1p-53);
    }
}
#else
GLS_SIMD static void uniforms(int64_t n, const uint32_t *word, gls_real *u) {
    SIDE_BY_SIDE
    for (int64_t i = 0; i < n; i++) {
        int32_t upper = (int32_t)(word[i] >> 8), lower = (int32_t)(word[i] & 0xff);
        u[i] = (float)upper * 0x1p-24f + ((float)lower + 0.5f) * 0x1p-32f;
    }
}
#endif

/* Each turns the uniforms u, v of n elements into n draws in u. */
GLS_SIMD static void normal(gls_real index, int64_t n, gls_real *u, const gls_real *v) {
    SIDE_BY_SIDE
    for (int64_t i = 0; i < n; i++) u[i] = SQRT(-2 * LOG(u[i])) * COS(2 * pi * (1 - v[i]));
}

GLS_SIMD static void student(gls_real index, int64_t n, gls_real *u, const gls_real *v) {
    gls_real power = -2 / index;
    SIDE_BY_SIDE
    for (int64_t i = 0; i < n; i++) u[i] = SQRT(index * (EXP(power * LOG(u[i])) - 1)) * COS(2 * pi * (1 - v[i]));
}

GLS_SIMD static void pareto(gls_real index, int64_t n, gls_real *u, const gls_real *v) {
    gls_real power = -1 / index;
    SIDE_BY_SIDE
    for (int64_t i = 0; i < n; i++) u[i] = (v[i] > (gls_real)0.5 ? -1 : 1) * EXP(power * LOG(u[i]));
}

GLS_SIMD static void pareto_centred(gls_real index, int64_t n, gls_real *u, const gls_real *v) {
    gls_real power = -1 / index, mean = index / (index - 1);
    SIDE_BY_SIDE
    for (int64_t i = 0; i < n; i++) u[i] = EXP(power * LOG(u[i])) - mean;
}

/* Chambers, Mallows and Stuck (1976). The cosine of the angle makes the tail: it is computed as the sine of the
 * complement, so that its small values keep their digits. */
GLS_SIMD static void stable(gls_real index, int64_t n, gls_real *u, const gls_real *v) {
    gls_real rest = 1 - index, power = rest / index, inverse = -1 / index, half = (gls_real)0.5;
    SIDE_BY_SIDE
    for (int64_t i = 0; i < n; i++) {
        gls_real turn = half - u[i], left = u[i] < half ? u[i] : 1 - u[i], wait = -LOG(v[i]);
        gls_real c = SIN(pi * left), s = SIN(index * pi * turn), far = COS(rest * pi * turn);
        wait = wait > tiny ? wait : tiny;
        c = c > tiny ? c : tiny;
        u[i] = s * EXP(power * LOG(far / wait) + inverse * LOG(c));
    }
}

GLS_SIMD static void add(int64_t n, double scale, const gls_real *u, gls_real *x) {
    SIDE_BY_SIDE
    for (int64_t i = 0; i < n; i++) x[i] = (gls_real)((double)x[i] + scale * (double)u[i]);
}

typedef void (*transform_fn)(gls_real index, int64_t n, gls_real *u, const gls_real *v);

/* In float a block serves two elements of a batch: words 0 and 1 element i, words 2 and 3 element whole + i. */
void gls_add_draws(gls_law law, double index, const gls_random *random, double scale, int64_t n, gls_real *x) {
    static const transform_fn transform[] = {
        [GLS_LAW_NORMAL] = normal, [GLS_LAW_STUDENT] = student,
        [GLS_LAW_PARETO] = pareto, [GLS_LAW_PARETO_CENTRED] = pareto_centred,
        [GLS_LAW_STABLE] = stable,
    };
    uint32_t word[4][LANES];
    gls_real u[PER_BLOCK * LANES], v[PER_BLOCK * LANES];
    for (int64_t begin = 0; begin < n; begin += PER_BLOCK * LANES) {
        int64_t count = gls_least(n - begin, PER_BLOCK * LANES);
        int64_t whole = gls_parts(count, PER_BLOCK);
        blocks(random, (uint32_t)(begin / PER_BLOCK), whole, word);
#ifdef GLS_DOUBLE
        uniforms(whole, word[0], word[1], u);
        uniforms(whole, word[2], word[3], v);
#else
        uniforms(whole, word[0], u);
        uniforms(whole, word[1], v);
        uniforms(count - whole, word[2], u + whole);
        uniforms(count - whole, word[3], v + whole);
#endif
        transform[law]((gls_real)index, count, u, v);
        add(count, scale, u, x + begin);
    }
}

void gls_draw_words(const gls_random *random, uint32_t first, int64_t count, uint32_t *word) {
    uint32_t part[4][LANES];
    for (int64_t begin = 0; begin < count; begin += LANES) {
        int64_t n = gls_least(count - begin, LANES);
        blocks(random, first + (uint32_t)begin, n, part);
        for (int64_t i = 0; i < n; i++)
            for (int k = 0; k < 4; k++) word[4 * (begin + i) + k] = part[k][i];
    }
}
