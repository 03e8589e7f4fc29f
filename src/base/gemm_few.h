/* Products of few rows with one matrix that is packed once, as recurrent networks take them position by position. */
#ifndef GLS_BASE_GEMM_FEW_H
#define GLS_BASE_GEMM_FEW_H

#include <glissade/base.h>

/* Reals of a packed matrix [k, n]. */
int64_t gls_gemm_few_size(int64_t k, int64_t n);
/* b: element (i, j) at b[i row_step + j column_step]. to begins at a multiple of 64 bytes. */
void gls_gemm_few_pack(const gls_real *b, int64_t row_step, int64_t column_step, int64_t k, int64_t n, gls_real *to);
/* C [m, n] = A B, or that added. A row's bits depend on neither m nor the instruction set. */
void gls_gemm_few(int64_t m, int64_t n, int64_t k, const gls_real *a, int64_t lda, const gls_real *packed, bool adds,
                  gls_real *c, int64_t ldc);

#endif
