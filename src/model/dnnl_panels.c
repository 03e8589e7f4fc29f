/* Blocks of 16 outputs and 16 inputs: rows are rounded, then pairs of inputs are transposed in registers. */
#include "model/dnnl_panels.h"

#if defined(__x86_64__) && !defined(GLS_DOUBLE)

#include <immintrin.h>

#include "base/arith.h"
#include "base/gemm_bf16.h"

#define UNROLL _Pragma("GCC unroll 8")

enum { SIDE = 16, PAIRS = SIDE / 2 };

/* Row i of the block, as pairs: w [rows, in], of which `mask` has the columns. */
GLS_GEMM_BF16_TARGET static inline __m256i pairs(const float *w, int64_t i, int64_t rows, int64_t in, __mmask16 mask) {
    return (__m256i)_mm512_cvtneps_pbh(_mm512_maskz_loadu_ps(i < rows ? mask : 0, w + (i < rows ? i * in : 0)));
}

/* Pair k of all 16 rows to to + k step, step in pairs. Lanes of a register are 4 pairs; [r + 4, r] below means that the
 * lower half is row r and the upper one row r + 4. */
GLS_GEMM_BF16_TARGET static void transpose(uint32_t *to, int64_t step, const float *w, int64_t rows, int64_t in,
                                           __mmask16 mask) {
    __m512i column[2][4]; /* of rows 0 to 7, of rows 8 to 15; lanes: pair k of 4 rows, pair k + 4 of them, and again */
    UNROLL for (int half = 0; half < 2; half++) {
        __m512i row[4];
        UNROLL for (int i = 0; i < 4; i++) {
            int r = 8 * half + i;
            row[i] = _mm512_inserti64x4(_mm512_castsi256_si512(pairs(w, r, rows, in, mask)),
                                        pairs(w, r + 4, rows, in, mask), 1);
        }
        __m512i low = _mm512_unpacklo_epi32(row[0], row[1]), high = _mm512_unpackhi_epi32(row[0], row[1]);
        __m512i low_next = _mm512_unpacklo_epi32(row[2], row[3]), high_next = _mm512_unpackhi_epi32(row[2], row[3]);
        column[half][0] = _mm512_unpacklo_epi64(low, low_next);
        column[half][1] = _mm512_unpackhi_epi64(low, low_next);
        column[half][2] = _mm512_unpacklo_epi64(high, high_next);
        column[half][3] = _mm512_unpackhi_epi64(high, high_next);
    }
    UNROLL for (int k = 0; k < 4; k++) {
        _mm512_storeu_si512(to + k * step, _mm512_shuffle_i32x4(column[0][k], column[1][k], 0x88));
        _mm512_storeu_si512(to + (k + 4) * step, _mm512_shuffle_i32x4(column[0][k], column[1][k], 0xdd));
    }
}

GLS_GEMM_BF16_TARGET void gls_dnnl_panels(uint16_t *to, const gls_real *w, int64_t out, int64_t in, int64_t panel) {
    int64_t blocks = gls_parts(in, SIDE), size = PAIRS * panel; /* of a block of a panel, in pairs */
    for (int64_t first = 0; first < out; first += panel)
        for (int64_t r = 0; r < panel; r += SIDE) {
            uint32_t *at = (uint32_t *)to + first / panel * blocks * size + r;
            int64_t row = first + r, rows = row < out ? gls_least(out - row, SIDE) : 0;
            for (int64_t column = 0; column < in; column += SIDE, at += size) {
                __mmask16 mask = (__mmask16)(0xffff >> (SIDE - gls_least(in - column, SIDE)));
                transpose(at, panel, rows > 0 ? w + row * in + column : w, rows, in, mask);
            }
        }
}

#else

void gls_dnnl_panels(uint16_t *to, const gls_real *w, int64_t out, int64_t in, int64_t panel) {}

#endif
