/* OpenBLAS: the one file that calls it. */
#include "base/openblas.h"

#include <cblas.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

/* What OpenBLAS maps for each product under way, as measured for 0.3.21 on x86-64. */
enum { BLAS_BUFFER = 128 << 20 };

static bool fits_blas(int64_t m, int64_t n, int64_t k, int64_t lda, int64_t ldb, int64_t ldc) {
    return m <= INT_MAX && n <= INT_MAX && k <= INT_MAX && lda <= INT_MAX && ldb <= INT_MAX && ldc <= INT_MAX;
}

static CBLAS_TRANSPOSE blas_op(bool transpose) {
    return transpose ? CblasTrans : CblasNoTrans;
}

bool gls_blas_dgemm(bool transpose_a, bool transpose_b, int64_t m, int64_t n, int64_t k, double alpha, const double *a,
                    int64_t lda, const double *b, int64_t ldb, double beta, double *c, int64_t ldc) {
    if (!fits_blas(m, n, k, lda, ldb, ldc)) return false;
    if (gls_blas_is_row(m, n, k))
        cblas_dgemv(CblasRowMajor, blas_op(!transpose_b), (int)(transpose_b ? n : k), (int)(transpose_b ? k : n), alpha,
                    b, (int)ldb, a, transpose_a ? (int)lda : 1, beta, c, 1);
    else
        cblas_dgemm(CblasRowMajor, blas_op(transpose_a), blas_op(transpose_b), (int)m, (int)n, (int)k, alpha, a,
                    (int)lda, b, (int)ldb, beta, c, (int)ldc);
    return true;
}

bool gls_blas_sgemm(bool transpose_a, bool transpose_b, int64_t m, int64_t n, int64_t k, float alpha, const float *a,
                    int64_t lda, const float *b, int64_t ldb, float beta, float *c, int64_t ldc) {
    if (!fits_blas(m, n, k, lda, ldb, ldc)) return false;
    if (gls_blas_is_row(m, n, k))
        cblas_sgemv(CblasRowMajor, blas_op(!transpose_b), (int)(transpose_b ? n : k), (int)(transpose_b ? k : n), alpha,
                    b, (int)ldb, a, transpose_a ? (int)lda : 1, beta, c, 1);
    else
        cblas_sgemm(CblasRowMajor, blas_op(transpose_a), blas_op(transpose_b), (int)m, (int)n, (int)k, alpha, a,
                    (int)lda, b, (int)ldb, beta, c, (int)ldc);
    return true;
}

/* OpenBLAS's own, which no header of it declares; weak, as another version may lack them. What is freed stays in its
 * pool for later products. */
__attribute__((weak)) void *blas_memory_alloc(int unused);
__attribute__((weak)) void blas_memory_free(void *buffer);

static gls_status take_buffers(gls_context *ctx, int threads) {
    if (!blas_memory_alloc || !blas_memory_free) return GLS_OK;
    void **buffer = gls_alloc(ctx, threads, sizeof *buffer);
    if (!buffer) return GLS_ERR_MEMORY;
    for (int i = 0; i < threads; i++) buffer[i] = blas_memory_alloc(0);
    for (int i = 0; i < threads; i++) blas_memory_free(buffer[i]);
    gls_free(ctx, buffer);
    return GLS_OK;
}

/* Asks the system for as much as the library may, and gives it back for the library to take. */
gls_status gls_blas_reserve(gls_context *ctx, int threads) {
    size_t bytes = (size_t)threads * BLAS_BUFFER;
    void *room = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (room == MAP_FAILED)
        return gls_fail(ctx, GLS_ERR_MEMORY,
                        "out of memory: OpenBLAS needs %zu MiB of address space for %d threads; use fewer threads, or "
                        "allow more",
                        bytes >> 20, threads);
    munmap(room, bytes);
    return take_buffers(ctx, threads);
}

const char *gls_blas_core(void) {
    return openblas_get_corename();
}

static void warn(gls_context *ctx, const char *core, int parallel) {
    if (strcmp(core, "Prescott") == 0)
        gls_log(ctx, GLS_LOG_WARNING,
                "OpenBLAS does not know this processor and runs its Prescott kernels, several times slower: set "
                "OPENBLAS_CORETYPE=SkylakeX (with AVX-512) or Haswell before the program starts");
    if (parallel != 2)
        gls_log(ctx, GLS_LOG_WARNING,
                "OpenBLAS was built for %s, not for OpenMP: its threads compete with OpenMP's; use libopenblas0-openmp",
                parallel == 1 ? "threads of its own" : "one thread");
}

void gls_blas_describe(gls_context *ctx, char *text, size_t size) {
    static const char *const kind[] = {"sequential", "pthread", "openmp"};
    const char *core = gls_blas_core(), *config = openblas_get_config(); /* begins "OpenBLAS 0.3.21 ..." */
    int parallel = openblas_get_parallel();
    size_t name = strcspn(config, " "), used = strlen(text);
    if (config[name]) name += 1 + strcspn(config + name + 1, " ");
    snprintf(text + used, size - used, "%.*s (%s, %s)", (int)name, config, core,
             parallel >= 0 && parallel <= 2 ? kind[parallel] : "unknown");
    warn(ctx, core, parallel);
}
