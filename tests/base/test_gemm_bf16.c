/* Sums of products in bf16 by the processor, against products in double of what is stored. */
#include "support.h"

#include "base/bf16.h"
#include "base/gemm_bf16.h"

#include <math.h>

enum { GUARD = 3, MOST_TERMS = 70 };

static void skip_where_there_are_none(void) {
    if (!gls_gemm_bf16_here()) skip();
}

/* [rows, width], ld apart; what is not part of it is NaN. */
static uint16_t *factor(int64_t rows, int64_t width, int64_t ld, uint64_t seed) {
    uint16_t *x = malloc(sizeof *x * (size_t)((rows + 1) * ld));
    assert_non_null(x);
    gls_random random = gls_random_create(seed, "gemm_bf16", 0, 0);
    for (int64_t i = 0; i < (rows + 1) * ld; i++) {
        float value = (float)gls_random_normal(&random);
        x[i] = i / ld < rows && i % ld < width ? gls_bf16_narrow(value) : 0x7fc0;
    }
    return x;
}

typedef struct sum {
    gls_gemm_bf16_term term[MOST_TERMS];
    int64_t terms;
} sum;

static sum sum_create(int64_t m, int64_t n, const int64_t *k, int64_t terms) {
    sum s = {.terms = terms};
    for (int64_t t = 0; t < terms; t++) {
        int64_t lda = m + t % 5, ldb = n + t % 3;
        s.term[t] = (gls_gemm_bf16_term){k[t], factor(k[t], m, lda, (uint64_t)(2 * t)), lda,
                                         factor(k[t], n, ldb, (uint64_t)(2 * t + 1)), ldb};
    }
    return s;
}

static void sum_destroy(sum *s) {
    for (int64_t t = 0; t < s->terms; t++) {
        free((void *)(uintptr_t)s->term[t].a);
        free((void *)(uintptr_t)s->term[t].b);
    }
}

/* In double, with the sum of absolute terms as the scale of its rounding. */
static double expected(const sum *s, int64_t i, int64_t j, double *scale) {
    double value = 0;
    *scale = 0;
    for (int64_t t = 0; t < s->terms; t++)
        for (int64_t l = 0; l < s->term[t].k; l++) {
            double product = (double)gls_bf16_widen(s->term[t].a[l * s->term[t].lda + i]) *
                             (double)gls_bf16_widen(s->term[t].b[l * s->term[t].ldb + j]);
            value += product;
            *scale += fabs(product);
        }
    return value;
}

/* What was there, the same at every call: [m + 1, ldc]. */
static gls_real *before(int64_t m, int64_t ldc) {
    gls_real *c = malloc(sizeof *c * (size_t)((m + 1) * ldc));
    assert_non_null(c);
    for (int64_t i = 0; i < (m + 1) * ldc; i++) c[i] = (gls_real)(i % 7) - 3;
    return c;
}

static void check_sum(int64_t m, int64_t n, const int64_t *k, int64_t terms) {
    sum s = sum_create(m, n, k, terms);
    int64_t ldc = n + GUARD;
    gls_real *c = before(m, ldc), *old = before(m, ldc);
    gls_gemm_bf16_add(m, n, s.term, s.terms, c, ldc);
    for (int64_t i = 0; i <= m; i++)
        for (int64_t j = 0; j < ldc; j++) {
            int64_t at = i * ldc + j;
            if (i == m || j >= n) {
                if (c[at] != old[at]) fail_msg("a guard was overwritten");
                continue;
            }
            double scale, value = old[at] + expected(&s, i, j, &scale);
            if (!(fabs(c[at] - value) <= 1e-6 * (scale + fabs((double)old[at]))))
                fail_msg("%dx%d, %d terms, (%d, %d): expected %.9g, found %.9g", (int)m, (int)n, (int)terms, (int)i,
                         (int)j, value, (double)c[at]);
        }
    sum_destroy(&s);
    free(c);
    free(old);
}

static void every_shape(void **state) {
    skip_where_there_are_none();
    static const int64_t width[][2] = {{1, 1},   {7, 5},   {8, 32},   {9, 33},   {16, 16},   {3, 17},   {64, 31},
                                       {70, 64}, {65, 48}, {257, 40}, {10, 300}, {130, 256}, {300, 513}},
                         depth[] = {0, 1, 2, 3, 63, 64, 127, 128, 129, 261};
    for (size_t s = 0; s < sizeof width / sizeof *width; s++)
        for (size_t k = 0; k < sizeof depth / sizeof *depth; k++) check_sum(width[s][0], width[s][1], &depth[k], 1);
    check_sum(9, 33, depth, 0);
}

/* Terms of odd and even lengths, short ones that are put together and long ones that are divided. */
static void several_terms(void **state) {
    skip_where_there_are_none();
    int64_t mixed[] = {1, 8, 0, 63, 2, 65, 300, 7, 7, 7}, ones[MOST_TERMS], eights[MOST_TERMS];
    for (int t = 0; t < MOST_TERMS; t++) {
        ones[t] = 1;
        eights[t] = 8;
    }
    check_sum(20, 45, mixed, sizeof mixed / sizeof *mixed);
    check_sum(20, 45, ones, MOST_TERMS);
    check_sum(70, 300, eights, MOST_TERMS);
}

/* A tile has the bits that it has in the whole; terms of even length those of one with all rows. */
static void bits_do_not_depend_on_tiles(void **state) {
    skip_where_there_are_none();
    enum { M = 100, N = 290, K = 230 };
    int64_t k = K;
    sum s = sum_create(M, N, &k, 1);
    const gls_gemm_bf16_term *whole = s.term;
    gls_real *c = before(M, N), *tiles = before(M, N), *parts = before(M, N);
    gls_gemm_bf16_add(M, N, whole, 1, c, N);
    for (int64_t i = 0, rows; i < M; i += rows)
        for (int64_t j = 0, columns; j < N; j += columns) {
            rows = i ? 13 : 22;
            columns = j ? 50 : 140;
            gls_gemm_bf16_term tile = {K, whole->a + i, whole->lda, whole->b + j, whole->ldb};
            gls_gemm_bf16_add(rows, columns, &tile, 1, tiles + i * N + j, N);
        }
    gls_gemm_bf16_term part[3] = {{10, whole->a, M, whole->b, N},
                                  {188, whole->a + 10 * M, M, whole->b + 10 * N, N},
                                  {32, whole->a + 198 * M, M, whole->b + 198 * N, N}};
    gls_gemm_bf16_add(M, N, part, 3, parts, N);
    assert_memory_equal(c, tiles, sizeof *c * M * N);
    assert_memory_equal(c, parts, sizeof *c * M * N);
    sum_destroy(&s);
    free(c);
    free(tiles);
    free(parts);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_shape),
        cmocka_unit_test(several_terms),
        cmocka_unit_test(bits_do_not_depend_on_tiles),
    };
    return cmocka_run_group_tests_name("gemm_bf16", tests, NULL, NULL);
}
