/* Sums of outer products of what is stored in bf16, by processors that multiply it (AVX512-BF16): sums are floats, and
 * numbers below 2^-126 count as zero. */
#ifndef GLS_BASE_GEMM_BF16_H
#define GLS_BASE_GEMM_BF16_H

#include <glissade/base.h>

/* Whether this processor and build have it; never in double precision. */
bool gls_gemm_bf16_here(void);
/* c [m, n] += a^T b for a [k, m] and b [k, n] in bf16; lda, ldb and ldc elements from row to row. An element's bits do
 * not depend on m and n. Only where gls_gemm_bf16_here; it takes 64 KiB of stack. */
void gls_gemm_bf16_add(int64_t m, int64_t n, int64_t k, const uint16_t *a, int64_t lda, const uint16_t *b, int64_t ldb,
                       gls_real *c, int64_t ldc);

#endif
