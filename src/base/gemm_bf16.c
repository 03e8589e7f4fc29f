/* The processor adds products of two neighbouring rows at once, so both factors are copied with these side by side, in
 * panels that a block of registers reads in order. */
#include "base/gemm_bf16.h"

#include "base/arith.h"

#if defined(__x86_64__) && !defined(GLS_DOUBLE)

#include <immintrin.h>

#define UNROLL _Pragma("GCC unroll 8")
#define TARGET __attribute__((target("avx512f,avx512bw,avx512vl,avx512bf16")))

/* A block of registers is [BLOCK_ROWS, BLOCK_COLUMNS]; copies are of DEPTH rows, half of the stack for each factor. */
enum { BLOCK_ROWS = 8, VECTOR = 16, BLOCK_COLUMNS = 2 * VECTOR, DEPTH = 64, MOST = 256 };

bool gls_gemm_bf16_here(void) {
    return __builtin_cpu_supports("avx512bf16") && __builtin_cpu_supports("avx512bw") &&
           __builtin_cpu_supports("avx512vl");
}

/* Pairs of rows of from [k, width], panel by panel: to [parts(width, panel), parts(k, 2), panel], filled up with zeros.
 */
TARGET static inline void pair_rows(uint32_t *to, const uint16_t *from, int64_t ld, int64_t k, int64_t width,
                                    int panel) {
    static const uint16_t none[BLOCK_COLUMNS];
    for (int64_t column = 0; column < width; column += panel) {
        int64_t here = gls_least(width - column, panel);
        for (int64_t i = 0; i < k; i += 2, to += panel) {
            const uint16_t *even = from + i * ld + column, *odd = i + 1 < k ? even + ld : none;
            if (here == panel) {
                for (int j = 0; j < panel; j++) to[j] = even[j] | (uint32_t)odd[j] << 16;
                continue;
            }
            for (int64_t j = 0; j < panel; j++) to[j] = j < here ? even[j] | (uint32_t)odd[j] << 16 : 0;
        }
    }
}

/* c [rows, columns] += sum over pairs of a panel of each, all of which are summed. */
TARGET static void add_block(const uint32_t *a, const uint32_t *b, int64_t pairs, int64_t rows, int64_t columns,
                             float *c, int64_t ldc) {
    __m512 sum[BLOCK_ROWS][2];
    UNROLL for (int i = 0; i < BLOCK_ROWS; i++) sum[i][0] = sum[i][1] = _mm512_setzero_ps();
    for (int64_t t = 0; t < pairs; t++, a += BLOCK_ROWS, b += BLOCK_COLUMNS) {
        __m512bh left = (__m512bh)_mm512_loadu_si512(b), right = (__m512bh)_mm512_loadu_si512(b + VECTOR);
        UNROLL for (int i = 0; i < BLOCK_ROWS; i++) {
            __m512bh row = (__m512bh)_mm512_set1_epi32((int)a[i]);
            sum[i][0] = _mm512_dpbf16_ps(sum[i][0], row, left);
            sum[i][1] = _mm512_dpbf16_ps(sum[i][1], row, right);
        }
    }
    __mmask16 left = (__mmask16)(0xffff >> (VECTOR - gls_least(columns, VECTOR)));
    __mmask16 right = columns > VECTOR ? (__mmask16)(0xffff >> (BLOCK_COLUMNS - columns)) : 0;
    UNROLL for (int i = 0; i < BLOCK_ROWS; i++) {
        if (i >= rows) break;
        float *to = c + i * ldc, *next = to + VECTOR;
        _mm512_mask_storeu_ps(to, left, _mm512_add_ps(_mm512_maskz_loadu_ps(left, to), sum[i][0]));
        _mm512_mask_storeu_ps(next, right, _mm512_add_ps(_mm512_maskz_loadu_ps(right, next), sum[i][1]));
    }
}

/* At most MOST rows and columns, DEPTH deep. */
TARGET static void add_piece(int64_t m, int64_t n, int64_t k, const uint32_t *a, const uint32_t *b, float *c,
                             int64_t ldc) {
    int64_t pairs = gls_parts(k, 2);
    for (int64_t j = 0; j < n; j += BLOCK_COLUMNS)
        for (int64_t i = 0; i < m; i += BLOCK_ROWS)
            add_block(a + i * pairs, b + j * pairs, pairs, gls_least(m - i, BLOCK_ROWS),
                      gls_least(n - j, BLOCK_COLUMNS), c + i * ldc + j, ldc);
}

TARGET void gls_gemm_bf16_add(int64_t m, int64_t n, int64_t k, const uint16_t *a, int64_t lda, const uint16_t *b,
                              int64_t ldb, float *c, int64_t ldc) {
    _Alignas(64) uint32_t left[MOST * DEPTH / 2], right[MOST * DEPTH / 2];
    for (int64_t t = 0; t < k; t += DEPTH)
        for (int64_t i = 0; i < m; i += MOST) {
            int64_t depth = gls_least(k - t, DEPTH), rows = gls_least(m - i, MOST);
            pair_rows(left, a + t * lda + i, lda, depth, rows, BLOCK_ROWS);
            for (int64_t j = 0; j < n; j += MOST) {
                int64_t columns = gls_least(n - j, MOST);
                pair_rows(right, b + t * ldb + j, ldb, depth, columns, BLOCK_COLUMNS);
                add_piece(rows, columns, depth, left, right, c + i * ldc + j, ldc);
            }
        }
}

#else

bool gls_gemm_bf16_here(void) {
    return false;
}

void gls_gemm_bf16_add(int64_t m, int64_t n, int64_t k, const uint16_t *a, int64_t lda, const uint16_t *b, int64_t ldb,
                       gls_real *c, int64_t ldc) {}

#endif
