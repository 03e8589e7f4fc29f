/* The one file that calls GEMM libraries. A large float product goes to the faster of oneDNN and OpenBLAS, any other to
 * OpenBLAS; a portable context, and sizes that BLAS cannot count, get our own loops. */
#include "base/gemm.h"

#include "base/context.h"
#include "base/gemm_portable.h"
#include "base/kernels.h"

#include <cblas.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#ifdef GLS_HAVE_DNNL
#include <oneapi/dnnl/dnnl.h>
#endif

/* What OpenBLAS maps for each product under way, as measured for 0.3.21 on x86-64. */
enum { BLAS_BUFFER = 128 << 20 };

static bool fits_blas(int64_t m, int64_t n, int64_t k, int64_t lda, int64_t ldb, int64_t ldc) {
    return m <= INT_MAX && n <= INT_MAX && k <= INT_MAX && lda <= INT_MAX && ldb <= INT_MAX && ldc <= INT_MAX;
}

static CBLAS_TRANSPOSE blas_op(bool transpose) {
    return transpose ? CblasTrans : CblasNoTrans;
}

static gls_operand operand(bool transpose, const void *data, int64_t ld, bool wide) {
    return transpose ? (gls_operand){data, 1, ld, wide} : (gls_operand){data, ld, 1, wide};
}

/* One row times a large matrix, as where an example is a slice of its own: a product of matrices would copy all of it
 * into panels, which costs more than reading it. */
static bool is_row(int64_t m, int64_t n, int64_t k) {
    enum { LARGE = 1 << 15 };
    return m == 1 && k > 1 && n * k >= LARGE;
}

void gls_dgemm(bool portable, bool transpose_a, bool transpose_b, int64_t m, int64_t n, int64_t k, double alpha,
               const double *a, int64_t lda, const double *b, int64_t ldb, double beta, double *c, int64_t ldc) {
    if (m <= 0 || n <= 0) return;
    if (portable || k <= 0 || !fits_blas(m, n, k, lda, ldb, ldc)) {
        gls_gemm_portable(m, n, k, alpha, operand(transpose_a, a, lda, true), operand(transpose_b, b, ldb, true), beta,
                          c, ldc, true);
        return;
    }
    int before = gls_omp_one(); /* the libraries' bits depend on their number of threads */
    if (is_row(m, n, k))
        cblas_dgemv(CblasRowMajor, blas_op(!transpose_b), (int)(transpose_b ? n : k), (int)(transpose_b ? k : n), alpha,
                    b, (int)ldb, a, transpose_a ? (int)lda : 1, beta, c, 1);
    else
        cblas_dgemm(CblasRowMajor, blas_op(transpose_a), blas_op(transpose_b), (int)m, (int)n, (int)k, alpha, a,
                    (int)lda, b, (int)ldb, beta, c, (int)ldc);
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
/* Below this many multiplications oneDNN's call costs more than its kernels save. */
static bool small(int64_t m, int64_t n, int64_t k) {
    return (double)m * (double)n * (double)k <= 64.0 * 64.0 * 64.0;
}

/* A matrix that is read across rows which lie a multiple of 4 KiB apart has whole columns on the same lines of the
 * cache: oneDNN's kernels for AVX2, which do not copy it, then give 42 GFLOP/s of one core against OpenBLAS's 83. */
static bool blas_is_faster(bool transpose_a, int64_t lda, bool transpose_b, int64_t ldb) {
    bool aliased = (transpose_a && lda % 1024 == 0) || (!transpose_b && ldb % 1024 == 0);
    return aliased && (strcmp(gls_blas_core(), "Haswell") == 0 || strcmp(gls_blas_core(), "Zen") == 0);
}

static bool dnnl_took(bool transpose_a, bool transpose_b, int64_t m, int64_t n, int64_t k, float alpha, const float *a,
                      int64_t lda, const float *b, int64_t ldb, float beta, float *c, int64_t ldc) {
    return !small(m, n, k) && !blas_is_faster(transpose_a, lda, transpose_b, ldb) &&
           dnnl_sgemm(transpose_a ? 'T' : 'N', transpose_b ? 'T' : 'N', m, n, k, alpha, a, lda, b, ldb, beta, c, ldc) ==
               dnnl_success;
}
#else
#define dnnl_took(...) false
#endif

void gls_gemm(bool portable, bool transpose_a, bool transpose_b, int64_t m, int64_t n, int64_t k, double alpha,
              const gls_real *a, int64_t lda, const gls_real *b, int64_t ldb, double beta, gls_real *c, int64_t ldc) {
    if (m <= 0 || n <= 0) return;
    if (portable || k <= 0 || !fits_blas(m, n, k, lda, ldb, ldc)) {
        gls_gemm_portable(m, n, k, alpha, operand(transpose_a, a, lda, false), operand(transpose_b, b, ldb, false),
                          beta, c, ldc, false);
        return;
    }
    if (took_outer(transpose_a, transpose_b, m, n, k, alpha, a, lda, b, beta, c, ldc)) return;
    int before = gls_omp_one();
    if (is_row(m, n, k))
        cblas_sgemv(CblasRowMajor, blas_op(!transpose_b), (int)(transpose_b ? n : k), (int)(transpose_b ? k : n),
                    (float)alpha, b, (int)ldb, a, transpose_a ? (int)lda : 1, (float)beta, c, 1);
    else if (!dnnl_took(transpose_a, transpose_b, m, n, k, (float)alpha, a, lda, b, ldb, (float)beta, c, ldc))
        cblas_sgemm(CblasRowMajor, blas_op(transpose_a), blas_op(transpose_b), (int)m, (int)n, (int)k, (float)alpha, a,
                    (int)lda, b, (int)ldb, (float)beta, c, (int)ldc);
    gls_omp_restore(before);
}
#endif

/* OpenBLAS's own, which no header of it declares; weak, as another version may lack them. What is freed stays in its
 * pool for later products. */
__attribute__((weak)) void *blas_memory_alloc(int unused);
__attribute__((weak)) void blas_memory_free(void *buffer);

static gls_status take_buffers(gls_context *ctx) {
    if (!blas_memory_alloc || !blas_memory_free) return GLS_OK;
    void **buffer = gls_alloc(ctx, ctx->threads, sizeof *buffer);
    if (!buffer) return GLS_ERR_MEMORY;
    for (int i = 0; i < ctx->threads; i++) buffer[i] = blas_memory_alloc(0);
    for (int i = 0; i < ctx->threads; i++) blas_memory_free(buffer[i]);
    gls_free(ctx, buffer);
    return GLS_OK;
}

/* Asks the system for as much as the library may, and gives it back for the library to take. */
gls_status gls_gemm_reserve(gls_context *ctx) {
    if (ctx->portable || ctx->reserved) return GLS_OK;
    size_t bytes = (size_t)ctx->threads * BLAS_BUFFER;
    void *room = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (room == MAP_FAILED)
        return gls_fail(ctx, GLS_ERR_MEMORY,
                        "out of memory: OpenBLAS needs %zu MiB of address space for %d threads; use fewer threads, or "
                        "allow more",
                        bytes >> 20, ctx->threads);
    munmap(room, bytes);
    GLS_TRY(take_buffers(ctx));
    ctx->reserved = true;
    return GLS_OK;
}

const char *gls_blas_core(void) {
    return openblas_get_corename();
}

const char *gls_gemm_describe(gls_context *ctx) {
    if (!ctx) return NULL;
    if (ctx->described) return ctx->libraries;
    ctx->described = true;
    if (ctx->portable) {
        strcpy(ctx->libraries, "portable");
        return ctx->libraries;
    }
    size_t used = 0;
#ifdef GLS_HAVE_DNNL
    const dnnl_version_t *version = dnnl_version();
    used = (size_t)snprintf(ctx->libraries, sizeof ctx->libraries, "oneDNN %d.%d.%d, ", version->major, version->minor,
                            version->patch);
#endif
    const char *core = gls_blas_core();
    int parallel = openblas_get_parallel();
    /* The configuration begins "OpenBLAS 0.3.21 ...". */
    const char *config = openblas_get_config();
    size_t name = strcspn(config, " ");
    if (config[name]) name += 1 + strcspn(config + name + 1, " ");
    static const char *const kind[] = {"sequential", "pthread", "openmp"};
    snprintf(ctx->libraries + used, sizeof ctx->libraries - used, "%.*s (%s, %s)", (int)name, config, core,
             parallel >= 0 && parallel <= 2 ? kind[parallel] : "unknown");
    if (strcmp(core, "Prescott") == 0)
        gls_log(ctx, GLS_LOG_WARNING,
                "OpenBLAS does not know this processor and runs its Prescott kernels, several times slower: set "
                "OPENBLAS_CORETYPE=SkylakeX (with AVX-512) or Haswell before the program starts");
    if (parallel != 2)
        gls_log(ctx, GLS_LOG_WARNING,
                "OpenBLAS was built for %s, not for OpenMP: its threads compete with OpenMP's; use libopenblas0-openmp",
                parallel == 1 ? "threads of its own" : "one thread");
    return ctx->libraries;
}
