/* A build without OpenBLAS (-Dopenblas=disabled): no product is taken, and nothing is held for one. */
#include "base/openblas.h"

#include <string.h>

bool gls_blas_dgemm(bool transpose_a, bool transpose_b, int64_t m, int64_t n, int64_t k, double alpha, const double *a,
                    int64_t lda, const double *b, int64_t ldb, double beta, double *c, int64_t ldc) {
    return false;
}

bool gls_blas_sgemm(bool transpose_a, bool transpose_b, int64_t m, int64_t n, int64_t k, float alpha, const float *a,
                    int64_t lda, const float *b, int64_t ldb, float beta, float *c, int64_t ldc) {
    return false;
}

gls_status gls_blas_reserve(gls_context *ctx, int threads) {
    return GLS_OK;
}

const char *gls_blas_core(void) {
    return "none";
}

void gls_blas_describe(gls_context *ctx, char *text, size_t size) {
    strncat(text, "portable products", size - strlen(text) - 1);
}
