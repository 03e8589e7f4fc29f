/* OpenBLAS behind gemm.c: openblas.c, or openblas_none.c in a build without it, which takes no product. */
#ifndef GLS_BASE_OPENBLAS_H
#define GLS_BASE_OPENBLAS_H

#include <glissade/base.h>

/* One row times a large matrix, as where an example is a slice of its own: a product of matrices would copy all of it
 * into panels, which costs more than reading it. */
static inline bool gls_blas_is_row(int64_t m, int64_t n, int64_t k) {
    enum { LARGE = 1 << 15 };
    return m == 1 && k > 1 && n * k >= LARGE;
}

/* As gls_gemm on this thread; false: not taken (sizes that BLAS cannot count, or no OpenBLAS). */
bool gls_blas_dgemm(bool transpose_a, bool transpose_b, int64_t m, int64_t n, int64_t k, double alpha, const double *a,
                    int64_t lda, const double *b, int64_t ldb, double beta, double *c, int64_t ldc);
bool gls_blas_sgemm(bool transpose_a, bool transpose_b, int64_t m, int64_t n, int64_t k, float alpha, const float *a,
                    int64_t lda, const float *b, int64_t ldb, float beta, float *c, int64_t ldc);
/* Buffers for that many threads; GLS_ERR_MEMORY. */
gls_status gls_blas_reserve(gls_context *ctx, int threads);
/* Appends its version, core and way of threads to text; logs a warning where those make it slow. */
void gls_blas_describe(gls_context *ctx, char *text, size_t size);

#endif
