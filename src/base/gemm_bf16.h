/* Sums of outer products of what is stored in bf16, by processors that multiply it (AVX512-BF16): sums are floats, and
 * numbers below 2^-126 count as zero. */
#ifndef GLS_BASE_GEMM_BF16_H
#define GLS_BASE_GEMM_BF16_H

#include <glissade/base.h>

/* Whether this processor and build have it; never in double precision. */
bool gls_gemm_bf16_here(void);
/* In front of functions that run only there. */
#define GLS_GEMM_BF16_TARGET __attribute__((target("avx512f,avx512bw,avx512vl,avx512bf16")))
/* One term a^T b of a sum: a [k, m] and b [k, n] in bf16, lda and ldb elements from row to row. */
typedef struct gls_gemm_bf16_term {
    int64_t k;
    const uint16_t *a;
    int64_t lda;
    const uint16_t *b;
    int64_t ldb;
} gls_gemm_bf16_term;

/* c [m, n] += the sum of the terms, all of which are as good as one with all their rows; ldc elements from row to row.
 * An element's bits do not depend on m and n. Only where gls_gemm_bf16_here; it takes 64 KiB of stack. */
void gls_gemm_bf16_add(int64_t m, int64_t n, const gls_gemm_bf16_term *term, int64_t terms, gls_real *c, int64_t ldc);

#endif
