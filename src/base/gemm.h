/* Matrix products, by oneDNN, OpenBLAS or our own loops. Call shapes are part of the result's bits. */
#ifndef GLS_BASE_GEMM_H
#define GLS_BASE_GEMM_H

#include <glissade/base.h>

/* C [m, n] = alpha op(A) op(B) + beta C, row-major with leading dimensions; op is the transpose where the flag is set.
 * Always on the calling thread alone, so that bits do not depend on threads: cut large products into fixed tiles and
 * hand those to gls_parallel. portable: own loops, no library, sums in double. beta 0 does not read C. */
void gls_gemm(bool portable, bool transpose_a, bool transpose_b, int64_t m, int64_t n, int64_t k, double alpha,
              const gls_real *a, int64_t lda, const gls_real *b, int64_t ldb, double beta, gls_real *c, int64_t ldc);
/* Room in the library for a product in each of the context's threads at once, to be had before the first: where memory
 * is lacking then, the library does not come back. GLS_ERR_MEMORY. */
gls_status gls_gemm_reserve(gls_context *ctx);
/* The same in double in both builds (Lanczos, statistics). */
void gls_dgemm(bool portable, bool transpose_a, bool transpose_b, int64_t m, int64_t n, int64_t k, double alpha,
               const double *a, int64_t lda, const double *b, int64_t ldb, double beta, double *c, int64_t ldc);

#endif
