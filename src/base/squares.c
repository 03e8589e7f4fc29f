/* The sum of squares at the speed of reading. A float's square is exact in double, so a fused multiply-add gives the
 * bits of a product and a sum: processors that have it and those that do not agree. */
#include "base/kernels.h"

#if !defined(GLS_DOUBLE) && !defined(GLS_NO_CLONES) && defined(__x86_64__)
#define FUSED 1
#include <immintrin.h>
#endif

enum { LANES = GLS_LANES };

/* Whole groups of LANES elements. */
typedef void (*groups_fn)(double part[LANES], const gls_real *x, int64_t n);

static void add_groups(double sum[LANES], const gls_real *x, int64_t n) {
    double part[LANES];
    for (int j = 0; j < LANES; j++) part[j] = sum[j];
    for (int64_t i = 0; i < n; i += LANES) {
        GLS_LANE_LOOP
        for (int j = 0; j < LANES; j++) part[j] += (double)x[i + j] * (double)x[i + j];
    }
    for (int j = 0; j < LANES; j++) sum[j] = part[j];
}

#ifdef FUSED
/* Compilers keep the sums of the plain loop in memory, which halves its speed. */
__attribute__((target("avx2,fma"))) static void add_groups_avx2(double sum[LANES], const gls_real *x, int64_t n) {
    __m256d a = _mm256_loadu_pd(sum), b = _mm256_loadu_pd(sum + 4), c = _mm256_loadu_pd(sum + 8),
            d = _mm256_loadu_pd(sum + 12);
    for (int64_t i = 0; i < n; i += LANES) {
        __builtin_prefetch(x + i + GLS_AHEAD / sizeof *x);
        __m256d p = _mm256_cvtps_pd(_mm_loadu_ps(x + i)), q = _mm256_cvtps_pd(_mm_loadu_ps(x + i + 4)),
                r = _mm256_cvtps_pd(_mm_loadu_ps(x + i + 8)), s = _mm256_cvtps_pd(_mm_loadu_ps(x + i + 12));
        a = _mm256_fmadd_pd(p, p, a);
        b = _mm256_fmadd_pd(q, q, b);
        c = _mm256_fmadd_pd(r, r, c);
        d = _mm256_fmadd_pd(s, s, d);
    }
    _mm256_storeu_pd(sum, a);
    _mm256_storeu_pd(sum + 4, b);
    _mm256_storeu_pd(sum + 8, c);
    _mm256_storeu_pd(sum + 12, d);
}

__attribute__((target("avx512f"))) static void add_groups_avx512(double sum[LANES], const gls_real *x, int64_t n) {
    __m512d a = _mm512_loadu_pd(sum), b = _mm512_loadu_pd(sum + 8);
    for (int64_t i = 0; i < n; i += LANES) {
        __builtin_prefetch(x + i + GLS_AHEAD / sizeof *x);
        __m512d p = _mm512_cvtps_pd(_mm256_loadu_ps(x + i)), q = _mm512_cvtps_pd(_mm256_loadu_ps(x + i + 8));
        a = _mm512_fmadd_pd(p, p, a);
        b = _mm512_fmadd_pd(q, q, b);
    }
    _mm512_storeu_pd(sum, a);
    _mm512_storeu_pd(sum + 8, b);
}
#endif

static groups_fn best(void) {
#ifdef FUSED
    if (__builtin_cpu_supports("avx512f")) return add_groups_avx512;
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) return add_groups_avx2;
#endif
    return add_groups;
}

void gls_add_squares(double sum[GLS_LANES], int64_t before, const gls_real *x, int64_t n) {
    int64_t i = 0;
    for (int64_t j = before % LANES; j > 0 && j < LANES && i < n; j++, i++) sum[j] += (double)x[i] * (double)x[i];
    int64_t whole = (n - i) / LANES * LANES;
    best()(sum, x + i, whole);
    i += whole;
    for (int64_t j = 0; i + j < n; j++) sum[j] += (double)x[i + j] * (double)x[i + j];
}
