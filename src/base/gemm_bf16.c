/* The processor adds products of two neighbouring rows at once, so both factors are copied with these side by side, in
 * panels that a block of registers reads in order. */
#include "base/gemm_bf16.h"

#include "base/arith.h"

#if defined(__x86_64__) && !defined(GLS_DOUBLE)

#include <immintrin.h>

#define UNROLL _Pragma("GCC unroll 8")

/* A block of registers is [BLOCK_ROWS, BLOCK_COLUMNS]; copies are of DEPTH rows and MOST columns, half of the stack for
 * each factor. A cache line has LINE numbers as they are stored. */
enum { BLOCK_ROWS = 8, VECTOR = 16, BLOCK_COLUMNS = 2 * VECTOR, DEPTH = 128, MOST = 128, LINE = 32 };

bool gls_gemm_bf16_here(void) {
    return __builtin_cpu_supports("avx512bf16") && __builtin_cpu_supports("avx512bw") &&
           __builtin_cpu_supports("avx512vl");
}

typedef enum side { LEFT, RIGHT, SIDES } side;

/* Rows of a term, which goes on to row `end` counted from the first of these. */
typedef struct stretch {
    int64_t rows, end, ld[SIDES];
    const uint16_t *from[SIDES];
} stretch;

/* As many as are multiplied at once; pairs do not reach from one to the next. */
typedef struct stack {
    stretch stretch[DEPTH / 2];
    int count;
    int64_t pairs;
} stack;

/* Pairs of rows of from [k, panel], of which it has `columns`, the rest being zeros: to [parts(k, 2), panel]. What will
 * be copied the next time, up to row `end`, is asked for: rows lie too far apart for the processor to see it coming. */
GLS_GEMM_BF16_TARGET static inline void pair_rows(uint32_t *to, const uint16_t *from, int64_t ld, int64_t k,
                                                  int64_t end, int64_t columns, int panel) {
    static const uint16_t none[BLOCK_COLUMNS];
    for (int64_t i = 0; i < k; i += 2, to += panel) {
        const uint16_t *even = from + i * ld, *odd = i + 1 < k ? even + ld : none;
        if (i + DEPTH + 1 < end) {
            __builtin_prefetch(even + DEPTH * ld);
            __builtin_prefetch(even + (DEPTH + 1) * ld);
        }
        if (columns >= panel) {
            for (int j = 0; j < panel; j++) to[j] = even[j] | (uint32_t)odd[j] << 16;
            continue;
        }
        for (int64_t j = 0; j < panel; j++) to[j] = j < columns ? even[j] | (uint32_t)odd[j] << 16 : 0;
    }
}

/* Columns [column, column + width) of all stretches' factors on that side, panel by panel: to [parts(width, panel),
 * pairs, panel]. */
GLS_GEMM_BF16_TARGET static inline void copy(uint32_t *to, const stack *s, side of, int64_t column, int64_t width,
                                             int panel) {
    for (int64_t begin = 0; begin < width; begin += panel)
        for (int k = 0; k < s->count; k++) {
            const stretch *here = &s->stretch[k];
            int64_t end = begin % LINE ? 0 : here->end; /* a cache line is asked for once */
            pair_rows(to, here->from[of] + column + begin, here->ld[of], here->rows, end, width - begin, panel);
            to += gls_parts(here->rows, 2) * panel;
        }
}

/* c [rows, columns] += sum over pairs of a panel of each, all of which are summed. */
GLS_GEMM_BF16_TARGET static void add_block(const uint32_t *a, const uint32_t *b, int64_t pairs, int64_t rows,
                                           int64_t columns, float *c, int64_t ldc) {
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

/* At most MOST rows and columns. */
GLS_GEMM_BF16_TARGET static void add_piece(int64_t m, int64_t n, int64_t pairs, const uint32_t *a, const uint32_t *b,
                                           float *c, int64_t ldc) {
    for (int64_t j = 0; j < n; j += BLOCK_COLUMNS)
        for (int64_t i = 0; i < m; i += BLOCK_ROWS)
            add_block(a + i * pairs, b + j * pairs, pairs, gls_least(m - i, BLOCK_ROWS),
                      gls_least(n - j, BLOCK_COLUMNS), c + i * ldc + j, ldc);
}

GLS_GEMM_BF16_TARGET static void add_stack(int64_t m, int64_t n, const stack *s, float *c, int64_t ldc) {
    _Alignas(64) uint32_t left[MOST * DEPTH / 2], right[MOST * DEPTH / 2];
    for (int64_t i = 0; i < m; i += MOST) {
        int64_t rows = gls_least(m - i, MOST);
        copy(left, s, LEFT, i, rows, BLOCK_ROWS);
        for (int64_t j = 0; j < n; j += MOST) {
            int64_t columns = gls_least(n - j, MOST);
            copy(right, s, RIGHT, j, columns, BLOCK_COLUMNS);
            add_piece(rows, columns, s->pairs, left, right, c + i * ldc + j, ldc);
        }
    }
}

void gls_gemm_bf16_add(int64_t m, int64_t n, const gls_gemm_bf16_term *term, int64_t terms, gls_real *c, int64_t ldc) {
    stack s = {.count = 0};
    for (int64_t k = 0; k < terms; k++)
        for (int64_t t = 0, rows; t < term[k].k; t += rows) {
            rows = gls_least(term[k].k - t, DEPTH - 2 * s.pairs);
            s.stretch[s.count++] = (stretch){rows,
                                             term[k].k - t,
                                             {term[k].lda, term[k].ldb},
                                             {term[k].a + t * term[k].lda, term[k].b + t * term[k].ldb}};
            s.pairs += gls_parts(rows, 2);
            if (2 * s.pairs < DEPTH) continue;
            add_stack(m, n, &s, c, ldc);
            s = (stack){.count = 0};
        }
    if (s.count > 0) add_stack(m, n, &s, c, ldc);
}

#else

bool gls_gemm_bf16_here(void) {
    return false;
}

void gls_gemm_bf16_add(int64_t m, int64_t n, const gls_gemm_bf16_term *term, int64_t terms, gls_real *c, int64_t ldc) {}

#endif
