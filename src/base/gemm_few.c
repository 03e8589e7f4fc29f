/* A packed matrix is panels of WIDE columns, each [k, WIDE] and filled up with zeros: a panel's column of products
 * stays in registers over all of k, for four rows at a time. */
#include "base/gemm_few.h"

#include "base/arith.h"
#include "base/kernels.h"

/* Two vectors of AVX2; other instruction sets take them apart or together. */
typedef gls_real part __attribute__((vector_size(32), aligned(4), may_alias));
enum { PART = sizeof(part) / sizeof(gls_real), WIDE = 2 * PART, ROWS = 4 };

int64_t gls_gemm_few_size(int64_t k, int64_t n) {
    return gls_parts(n, WIDE) * WIDE * k;
}

void gls_gemm_few_pack(const gls_real *b, int64_t row_step, int64_t column_step, int64_t k, int64_t n, gls_real *to) {
    for (int64_t j = 0; j < n; j += WIDE, to += k * WIDE) {
        int64_t columns = gls_least(n - j, WIDE);
        for (int64_t i = 0; i < k; i++)
            for (int64_t c = 0; c < WIDE; c++)
                to[i * WIDE + c] = c < columns ? b[i * row_step + (j + c) * column_step] : 0;
    }
}

/* Sums of `rows` rows, a constant where this is inlined, over k, to sum [rows, WIDE]. */
GLS_ALWAYS_INLINE void panel(const int rows, int64_t k, const gls_real *a, int64_t lda, const gls_real *b, part *sum) {
    part s[ROWS][2] = {{{0}}};
    for (int64_t i = 0; i < k; i++, b += WIDE) {
        part left = *(const part *)b, right = *(const part *)(b + PART);
        for (int r = 0; r < rows; r++) {
            s[r][0] += a[r * lda + i] * left;
            s[r][1] += a[r * lda + i] * right;
        }
    }
    for (int r = 0; r < rows; r++) {
        sum[2 * r] = s[r][0];
        sum[2 * r + 1] = s[r][1];
    }
}

GLS_SIMD static void sums(int64_t rows, int64_t k, const gls_real *a, int64_t lda, const gls_real *b, gls_real *to) {
    part *sum = (part *)to;
    switch (rows) {
    case 4:
        panel(4, k, a, lda, b, sum);
        return;
    case 3:
        panel(3, k, a, lda, b, sum);
        return;
    case 2:
        panel(2, k, a, lda, b, sum);
        return;
    default:
        panel(1, k, a, lda, b, sum);
    }
}

void gls_gemm_few(int64_t m, int64_t n, int64_t k, const gls_real *a, int64_t lda, const gls_real *packed, bool adds,
                  gls_real *c, int64_t ldc) {
    gls_real sum[ROWS * WIDE];
    for (int64_t j = 0; j < n; j += WIDE, packed += k * WIDE)
        for (int64_t i = 0; i < m; i += ROWS) {
            int64_t rows = gls_least(m - i, ROWS), columns = gls_least(n - j, WIDE);
            sums(rows, k, a + i * lda, lda, packed, sum);
            for (int64_t r = 0; r < rows; r++)
                for (int64_t q = 0; q < columns; q++) {
                    gls_real *to = c + (i + r) * ldc + j + q, v = sum[r * WIDE + q];
                    *to = adds ? *to + v : v;
                }
        }
}
