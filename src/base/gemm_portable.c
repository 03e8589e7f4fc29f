/* The portable matrix product. Its order of additions is fixed by the block sizes alone. */
#include "base/gemm_portable.h"
#include "base/arith.h"
#include "base/kernels.h"

/* Blocks of A [MC, KC] and strips of B [KC, NR] are packed into double; a tile of C [MR, NR] is summed in registers
 * over one KC block, and the blocks are added to C in order. A tile of doubles takes eight of AVX2's sixteen registers;
 * a strip (16 KiB) fits the first-level cache, a block (128 KiB) the second. */
enum { MR = 4, NR = 8, MC = 64, KC = 256 };

static double element(const gls_operand *x, int64_t i, int64_t j) {
    int64_t at = i * x->row + j * x->column;
    return x->wide ? ((const double *)x->data)[at] : (double)((const float *)x->data)[at];
}

/* to[i / MR][p][i % MR], rows beyond the matrix zero. */
static void pack_a(const gls_operand *a, int64_t i0, int rows, int64_t p0, int depth, double *to) {
    for (int i = 0; i < rows; i += MR)
        for (int p = 0; p < depth; p++)
            for (int r = 0; r < MR; r++) *to++ = i + r < rows ? element(a, i0 + i + r, p0 + p) : 0;
}

static void pack_b(const gls_operand *b, int64_t p0, int depth, int64_t j0, int columns, double *to) {
    for (int p = 0; p < depth; p++)
        for (int r = 0; r < NR; r++) *to++ = r < columns ? element(b, p0 + p, j0 + r) : 0;
}

GLS_SIMD static void tile(int depth, const double *a, const double *b, double *out) {
    double sum[MR][NR] = {{0}};
    for (int p = 0; p < depth; p++, a += MR, b += NR)
        for (int i = 0; i < MR; i++)
            for (int j = 0; j < NR; j++) sum[i][j] += a[i] * b[j];
    for (int i = 0; i < MR; i++)
        for (int j = 0; j < NR; j++) out[i * NR + j] = sum[i][j];
}

static void store(const double *sum, int rows, int columns, double alpha, double beta, void *c, int64_t at, int64_t ldc,
                  bool wide) {
    for (int i = 0; i < rows; i++)
        for (int j = 0; j < columns; j++) {
            int64_t here = at + i * ldc + j;
            double fresh = alpha * sum[i * NR + j];
            if (wide) {
                double *to = (double *)c + here;
                *to = beta == 0 ? fresh : fresh + beta * *to;
            } else {
                float *to = (float *)c + here;
                *to = (float)(beta == 0 ? fresh : fresh + beta * (double)*to);
            }
        }
}

/* The first block of k applies beta, later ones add to C; with k = 0 one empty block still scales C. */
void gls_gemm_portable(int64_t m, int64_t n, int64_t k, double alpha, gls_operand a, gls_operand b, double beta,
                       void *c, int64_t ldc, bool wide) {
    double block_a[MC * KC], strip_b[KC * NR], sum[MR * NR];
    for (int64_t p0 = 0; p0 < k || p0 == 0; p0 += KC) {
        int depth = (int)gls_least(k - p0, KC);
        for (int64_t i0 = 0; i0 < m; i0 += MC) {
            int rows = (int)gls_least(m - i0, MC);
            pack_a(&a, i0, rows, p0, depth, block_a);
            for (int64_t j0 = 0; j0 < n; j0 += NR) {
                int columns = (int)gls_least(n - j0, NR);
                pack_b(&b, p0, depth, j0, columns, strip_b);
                for (int i = 0; i < rows; i += MR) {
                    tile(depth, block_a + i * depth, strip_b, sum);
                    store(sum, gls_least(rows - i, MR), columns, alpha, p0 == 0 ? beta : 1, c, (i0 + i) * ldc + j0, ldc,
                          wide);
                }
            }
        }
    }
}
