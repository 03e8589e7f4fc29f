/* What tests of measures on matrices share: a small matrix, and a measure run on one. */
#ifndef GLS_TESTS_MEASURE_MATRIX_H
#define GLS_TESTS_MEASURE_MATRIX_H

#include "check.h"
#include "base/noise.h"

static gls_context *ctx;
static const double precision = sizeof(gls_real) == 4 ? 2e-5 : 1e-11;

enum { N = 37, D = 11 };
static gls_real g[N * D];

static inline void fill(double shift) {
    gls_random random = gls_random_create(1, "matrix", 0, 0);
    for (int i = 0; i < N * D; i++)
        g[i] = (gls_real)(gls_random_normal(&random) * (1 + i % D) + (i % D == 2 ? shift : 0));
}

static inline gls_measure_matrix matrix(bool sample) {
    return (gls_measure_matrix){g, N, D, sample, 3};
}

/* Runs a measure with one option (or none) on a matrix; clear the result afterwards. */
static inline gls_measure_result run(const char *name, const char *key, const char *text, const gls_measure_matrix *m) {
    gls_value *options = gls_value_create(ctx, GLS_VALUE_MAP, NULL, NULL);
    if (key) GOOD(gls_value_append(ctx, options, gls_value_create(ctx, GLS_VALUE_TEXT, key, text)));
    gls_measure *measure;
    gls_measure_result result;
    gls_measure_result_init(ctx, &result);
    GOOD(gls_measure_create(ctx, name, options, NULL, 0, 0, &measure));
    gls_value_destroy(ctx, options);
    GOOD(gls_measure_run_matrix(measure, m, &result));
    gls_measure_destroy(measure);
    return result;
}

static inline int ascending(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static inline int set_up(void **state) {
    ctx = make_context();
    return 0;
}
static inline int tear_down(void **state) {
    gls_context_destroy(ctx);
    return 0;
}

#endif
