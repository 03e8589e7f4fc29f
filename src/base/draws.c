#include "base/draws.h"

#include "base/kernels.h"

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
#endif

/* clang warns where it does not follow. */
#ifdef __clang__
#define SIDE_BY_SIDE
#else
#define SIDE_BY_SIDE _Pragma("omp simd")
#endif

enum { LANES = 128 };

/* Philox4x32-10 (Salmon et al. 2011) on n consecutive blocks, written so that loops over blocks vectorise: 32-bit
 * words, and words to doubles through signed integers, which every instruction set converts. */
GLS_SIMD void gls_uniform_pairs(const gls_random *random, uint32_t first, int64_t n, double *u, double *v) {
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
        double high0 = (double)(int32_t)(c0 ^ 0x80000000u) + 0x1p31,
               high1 = (double)(int32_t)(c2 ^ 0x80000000u) + 0x1p31;
        u[i] = high0 * 0x1p-32 + (double)(int32_t)(c1 >> 11) * 0x1p-53;
        v[i] = high1 * 0x1p-32 + (double)(int32_t)(c3 >> 11) * 0x1p-53;
    }
}

/* Each turns the uniforms u, v of n elements into n draws in u. */
GLS_SIMD static void normal(double index, int64_t n, double *u, const double *v) {
    SIDE_BY_SIDE
    for (int64_t i = 0; i < n; i++) u[i] = sqrt(-2 * log(1 - u[i])) * cos(2 * M_PI * v[i]);
}

GLS_SIMD static void student(double index, int64_t n, double *u, const double *v) {
    double power = -2 / index;
    SIDE_BY_SIDE
    for (int64_t i = 0; i < n; i++) u[i] = sqrt(index * (exp(power * log(1 - u[i])) - 1)) * cos(2 * M_PI * v[i]);
}

GLS_SIMD static void pareto(double index, int64_t n, double *u, const double *v) {
    double power = -1 / index;
    SIDE_BY_SIDE
    for (int64_t i = 0; i < n; i++) u[i] = (v[i] < 0.5 ? -1.0 : 1.0) * exp(power * log(1 - u[i]));
}

GLS_SIMD static void pareto_centred(double index, int64_t n, double *u, const double *v) {
    double power = -1 / index, mean = index / (index - 1);
    SIDE_BY_SIDE
    for (int64_t i = 0; i < n; i++) u[i] = exp(power * log(1 - u[i])) - mean;
}

GLS_SIMD static void stable(double index, int64_t n, double *u, const double *v) {
    double rest = 1 - index, power = rest / index, inverse = -1 / index;
    const double tiny = 1e-300;
    SIDE_BY_SIDE
    for (int64_t i = 0; i < n; i++) {
        double angle = M_PI * (u[i] - 0.5), wait = -log(1 - v[i]);
        double c = cos(angle), s = sin(index * angle), far = cos(rest * angle);
        wait = wait > tiny ? wait : tiny;
        c = c > tiny ? c : tiny;
        u[i] = s * exp(power * log(far / wait) + inverse * log(c));
    }
}

GLS_SIMD static void add(int64_t n, double scale, const double *u, gls_real *x) {
    SIDE_BY_SIDE
    for (int64_t i = 0; i < n; i++) x[i] = (gls_real)((double)x[i] + scale * u[i]);
}

void gls_add_draws(gls_law law, double index, const gls_random *random, double scale, int64_t n, gls_real *x) {
    static void (*const transform[])(double, int64_t, double *, const double *) = {
        [GLS_LAW_NORMAL] = normal, [GLS_LAW_STUDENT] = student,
        [GLS_LAW_PARETO] = pareto, [GLS_LAW_PARETO_CENTRED] = pareto_centred,
        [GLS_LAW_STABLE] = stable,
    };
    double u[LANES], v[LANES];
    for (int64_t begin = 0; begin < n; begin += LANES) {
        int64_t count = n - begin < LANES ? n - begin : LANES;
        gls_uniform_pairs(random, (uint32_t)begin, count, u, v);
        transform[law](index, count, u, v);
        add(count, scale, u, x + begin);
    }
}
