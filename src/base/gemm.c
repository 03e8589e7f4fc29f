/* Who does a product: a large float one the faster of oneDNN and OpenBLAS, any other OpenBLAS; a portable context,
 * sizes that BLAS cannot count, and a build without these libraries have our own loops. */
#include "base/gemm.h"

#include "base/context.h"
#include "base/gemm_portable.h"
#include "base/kernels.h"
#include "base/openblas.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>
#ifdef GLS_HAVE_DNNL
#include <oneapi/dnnl/dnnl.h>
#endif

static gls_operand operand(bool transpose, const void *data, int64_t ld, bool wide) {
    return transpose ? (gls_operand){data, 1, ld, wide} : (gls_operand){data, ld, 1, wide};
}

void gls_dgemm(bool portable, bool transpose_a, bool transpose_b, int64_t m, int64_t n, int64_t k, double alpha,
               const double *a, int64_t lda, const double *b, int64_t ldb, double beta, double *c, int64_t ldc) {
    if (m <= 0 || n <= 0) return;
    int before = gls_omp_one(); /* the libraries' bits depend on their number of threads */
    if (portable || k <= 0 || !gls_blas_dgemm(transpose_a, transpose_b, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc))
        gls_gemm_portable(m, n, k, alpha, operand(transpose_a, a, lda, true), operand(transpose_b, b, ldb, true), beta,
                          c, ldc, true);
    gls_omp_restore(before);
}

GLS_SIMD static void add_row(gls_real *restrict c, gls_real a, const gls_real *restrict b, int64_t n) {
    for (int64_t j = 0; j < n; j++) c[j] += a * b[j];
}

GLS_SIMD static void set_row(gls_real *restrict c, gls_real a, const gls_real *restrict b, int64_t n) {
    for (int64_t j = 0; j < n; j++) c[j] = a * b[j];
}

/* A column times a row, the gradient of one example's matrix: the libraries would first copy both into panels. The
 * same bits as theirs. */
static bool took_outer(bool transpose_a, bool transpose_b, int64_t m, int64_t n, int64_t k, double alpha,
                       const gls_real *a, int64_t lda, const gls_real *b, double beta, gls_real *c, int64_t ldc) {
    if (k != 1 || transpose_b || alpha != 1 || (beta != 0 && beta != 1)) return false;
    for (int64_t i = 0; i < m; i++) {
        gls_real factor = a[transpose_a ? i : i * lda];
        if (beta == 0)
            set_row(c + i * ldc, factor, b, n);
        else
            add_row(c + i * ldc, factor, b, n);
    }
    return true;
}

#ifdef GLS_DOUBLE
void gls_gemm(bool portable, bool transpose_a, bool transpose_b, int64_t m, int64_t n, int64_t k, double alpha,
              const gls_real *a, int64_t lda, const gls_real *b, int64_t ldb, double beta, gls_real *c, int64_t ldc) {
    if (!portable && took_outer(transpose_a, transpose_b, m, n, k, alpha, a, lda, b, beta, c, ldc)) return;
    gls_dgemm(portable, transpose_a, transpose_b, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc);
}
#else
#ifdef GLS_HAVE_DNNL
/* Below this many multiplications oneDNN's call costs more than its kernels save, and above INT_MAX OpenBLAS has no
 * sizes: there both leave the product to our loops. */
static bool is_small(int64_t m, int64_t n, int64_t k) {
    return (double)m * (double)n * (double)k <= 64.0 * 64.0 * 64.0;
}

/* A matrix that is read across rows which lie a multiple of 4 KiB apart has whole columns on the same lines of the
 * cache: oneDNN's kernels for AVX2, which do not copy it, then give 42 GFLOP/s of one core against OpenBLAS's 83. */
static bool blas_is_faster(bool transpose_a, int64_t lda, bool transpose_b, int64_t ldb) {
    bool aliased = (transpose_a && lda % 1024 == 0) || (!transpose_b && ldb % 1024 == 0);
    return aliased && (strcmp(gls_blas_core(), "Haswell") == 0 || strcmp(gls_blas_core(), "Zen") == 0);
}

static bool fits(int64_t m, int64_t n, int64_t k, int64_t lda, int64_t ldb, int64_t ldc) {
    return m <= INT_MAX && n <= INT_MAX && k <= INT_MAX && lda <= INT_MAX && ldb <= INT_MAX && ldc <= INT_MAX;
}

static bool dnnl_took(bool transpose_a, bool transpose_b, int64_t m, int64_t n, int64_t k, float alpha, const float *a,
                      int64_t lda, const float *b, int64_t ldb, float beta, float *c, int64_t ldc) {
    return !is_small(m, n, k) && fits(m, n, k, lda, ldb, ldc) && !blas_is_faster(transpose_a, lda, transpose_b, ldb) &&
           dnnl_sgemm(transpose_a ? 'T' : 'N', transpose_b ? 'T' : 'N', m, n, k, alpha, a, lda, b, ldb, beta, c, ldc) ==
               dnnl_success;
}
#else
#define dnnl_took(...) false
#endif

void gls_gemm(bool portable, bool transpose_a, bool transpose_b, int64_t m, int64_t n, int64_t k, double alpha,
              const gls_real *a, int64_t lda, const gls_real *b, int64_t ldb, double beta, gls_real *c, int64_t ldc) {
    if (m <= 0 || n <= 0) return;
    if (!portable && took_outer(transpose_a, transpose_b, m, n, k, alpha, a, lda, b, beta, c, ldc)) return;
    int before = gls_omp_one();
    float alpha_s = (float)alpha, beta_s = (float)beta;
    if (portable || k <= 0 ||
        ((gls_blas_is_row(m, n, k) ||
          !dnnl_took(transpose_a, transpose_b, m, n, k, alpha_s, a, lda, b, ldb, beta_s, c, ldc)) &&
         !gls_blas_sgemm(transpose_a, transpose_b, m, n, k, alpha_s, a, lda, b, ldb, beta_s, c, ldc)))
        gls_gemm_portable(m, n, k, alpha, operand(transpose_a, a, lda, false), operand(transpose_b, b, ldb, false),
                          beta, c, ldc, false);
    gls_omp_restore(before);
}
#endif

gls_status gls_gemm_reserve(gls_context *ctx) {
    if (ctx->portable || ctx->reserved) return GLS_OK;
    GLS_TRY(gls_blas_reserve(ctx, ctx->threads));
    ctx->reserved = true;
    return GLS_OK;
}

const char *gls_gemm_describe(gls_context *ctx) {
    if (!ctx) return NULL;
    if (ctx->described) return ctx->libraries;
    ctx->described = true;
    ctx->libraries[0] = 0;
    if (ctx->portable) {
        strcpy(ctx->libraries, "portable");
        return ctx->libraries;
    }
#ifdef GLS_HAVE_DNNL
    const dnnl_version_t *version = dnnl_version();
    snprintf(ctx->libraries, sizeof ctx->libraries, "oneDNN %d.%d.%d, ", version->major, version->minor,
             version->patch);
#endif
    gls_blas_describe(ctx, ctx->libraries, sizeof ctx->libraries);
    return ctx->libraries;
}
