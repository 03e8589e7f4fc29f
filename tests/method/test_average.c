/* Averages of iterates against their closed forms. */
#include "support.h"

enum { D = 3, COUNT = 50 };

static gls_average *make(gls_context *ctx, const char *text, uint64_t seed) {
    gls_value *spec = yaml(ctx, text);
    gls_average *average;
    if (gls_average_create(ctx, D, spec, seed, &average) != GLS_OK) fail_msg("%s", gls_context_message(ctx));
    gls_value_destroy(ctx, spec);
    return average;
}

static void iterate(int64_t j, gls_real *w) {
    for (int i = 0; i < D; i++) w[i] = (gls_real)(sin((double)j * (i + 1)) * 10);
}

/* sum c_j w_j / sum c_j over the first n iterates, w_0 .. w_{n-1}. */
static void check(const gls_average *average, int64_t n, double (*weight)(int64_t j, int64_t n)) {
    double sum[D] = {0}, total = 0;
    for (int64_t j = 0; j < n; j++) {
        gls_real w[D];
        iterate(j, w);
        for (int i = 0; i < D; i++) sum[i] += weight(j, n) * (double)w[i];
        total += weight(j, n);
    }
    gls_real out[D];
    assert_true(gls_average_value(average, out));
    for (int i = 0; i < D; i++) assert_true(fabs((double)out[i] - sum[i] / total) < 10 * tolerance);
}

static double equal(int64_t j, int64_t n) {
    return 1;
}
static double rising(int64_t j, int64_t n) {
    return (double)j + 1;
}
static double fading(int64_t j, int64_t n) {
    return (j == 0 ? 1 : 0.1) * pow(0.9, (double)(n - 1 - j));
}

static void closed_forms(void **state) {
    const char *const specs[] = {"uniform", "weighted", "{name: exponential, decay: 0.9}"};
    double (*const weights[])(int64_t, int64_t) = {equal, rising, fading};
    gls_context *ctx = test_context(1);
    for (int s = 0; s < 3; s++) {
        gls_average *average = make(ctx, specs[s], 1);
        gls_real w[D];
        assert_false(gls_average_value(average, w));
        for (int64_t j = 0; j < COUNT; j++) {
            iterate(j, w);
            assert_int_equal(gls_average_update(average, w), GLS_OK);
            check(average, j + 1, weights[s]);
        }
        assert_int_equal(gls_average_count(average), COUNT);
        gls_average_destroy(average);
    }
    gls_context_destroy(ctx);
}

/* From the first validation on that does not improve. */
static void triggered_by_validation(void **state) {
    gls_context *ctx = test_context(1);
    gls_average *average = make(ctx, "triggered", 1);
    const double losses[] = {3, 2, 2.5, 1};
    double sum = 0;
    for (int64_t j = 0; j < 8; j++) {
        gls_real w[D], out[D];
        iterate(j, w);
        if (j % 2 == 0) gls_average_validated(average, losses[j / 2]);
        assert_int_equal(gls_average_update(average, w), GLS_OK);
        if (j >= 4) sum += (double)w[0];
        assert_true(gls_average_value(average, out) == (j >= 4));
        if (j >= 4) assert_true(fabs((double)out[0] - sum / (double)(j - 3)) < 10 * tolerance);
    }
    gls_average_destroy(average);
    gls_context_destroy(ctx);
}

/* The first validation that is not below all those before it but the last `patience`, by that definition. */
static void patience_passes_over_the_last(void **state) {
    static const char *const specs[] = {"triggered", "{name: triggered, patience: 1}",
                                        "{name: triggered, patience: 5}"};
    static const int patience[] = {0, 1, 5};
    enum { VALIDATIONS = 30 };
    gls_context *ctx = test_context(1);
    for (int s = 0; s < 3; s++)
        for (uint64_t seed = 0; seed < 50; seed++) {
            gls_average *average = make(ctx, specs[s], 1);
            gls_random random = gls_random_create(seed, "losses", 0, 0);
            double loss[VALIDATIONS];
            bool triggered = false;
            for (int t = 0; t < VALIDATIONS; t++) {
                gls_real w[D] = {0}, out[D];
                loss[t] = gls_random_uniform(&random) - 0.1 * t;
                double least = INFINITY;
                for (int j = 0; j < t - patience[s]; j++) least = loss[j] < least ? loss[j] : least;
                triggered |= loss[t] >= least;
                gls_average_validated(average, loss[t]);
                assert_int_equal(gls_average_update(average, w), GLS_OK);
                assert_true(gls_average_value(average, out) == triggered);
            }
            gls_average_destroy(average);
        }
    gls_context_destroy(ctx);
}

/* Over many seeds each of 5 iterates is drawn about as often. */
static void drawn_uniformly(void **state) {
    gls_context *ctx = test_context(1);
    int count[5] = {0};
    for (uint64_t seed = 0; seed < 5000; seed++) {
        gls_average *average = make(ctx, "drawn", seed);
        gls_real w[D], out[D];
        for (int64_t j = 0; j < 5; j++) {
            for (int i = 0; i < D; i++) w[i] = (gls_real)j;
            assert_int_equal(gls_average_update(average, w), GLS_OK);
        }
        assert_true(gls_average_value(average, out));
        count[(int)out[1]]++;
        gls_average_destroy(average);
    }
    for (int j = 0; j < 5; j++) assert_true(abs(count[j] - 1000) < 120); /* 4 standard deviations */
    gls_context_destroy(ctx);
}

/* Small shares do not vanish: the mean of a million values near 1 in single precision. */
static void long_averages_keep_moving(void **state) {
    gls_context *ctx = test_context(1);
    gls_average *average = make(ctx, "uniform", 1);
    gls_real w[D], out[D];
    for (int64_t j = 0; j < 1000000; j++) {
        for (int i = 0; i < D; i++) w[i] = (gls_real)(j < 500000 ? 1 : 1.001);
        assert_int_equal(gls_average_update(average, w), GLS_OK);
    }
    assert_true(gls_average_value(average, out));
    assert_true(fabs((double)out[0] - 1.0005) < 1e-6);
    gls_average_destroy(average);
    gls_context_destroy(ctx);
}

static void state_restores(void **state) {
    const char *const specs[] = {"uniform", "weighted", "exponential", "triggered", "{name: triggered, patience: 3}",
                                 "drawn"};
    gls_context *ctx = test_context(1);
    for (int s = 0; s < 6; s++) {
        gls_average *a = make(ctx, specs[s], 9), *b = make(ctx, specs[s], 9);
        gls_real w[D], x[D], y[D];
        for (int64_t j = 0; j < 20; j++) {
            gls_arrays from = {0}, to = {0};
            assert_int_equal(gls_average_arrays(a, "average.", &from), GLS_OK);
            assert_int_equal(gls_average_arrays(b, "average.", &to), GLS_OK);
            for (int64_t i = 0; i < from.count; i++)
                memcpy(to.item[i].data, from.item[i].data,
                       gls_dtype_size(from.item[i].dtype) * (size_t)from.item[i].shape[0]);
            gls_arrays_clear(ctx, &from);
            gls_arrays_clear(ctx, &to);
            iterate(j, w);
            gls_average_validated(a, j < 5 ? 1.0 / (double)(j + 1) : 1);
            gls_average_validated(b, j < 5 ? 1.0 / (double)(j + 1) : 1);
            assert_int_equal(gls_average_update(a, w), GLS_OK);
            assert_int_equal(gls_average_update(b, w), GLS_OK);
            assert_true(gls_average_value(a, x) == gls_average_value(b, y));
            if (gls_average_value(a, x)) assert_memory_equal(x, y, sizeof x);
        }
        gls_average_destroy(a);
        gls_average_destroy(b);
    }
    gls_context_destroy(ctx);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(closed_forms),
                                       cmocka_unit_test(triggered_by_validation),
                                       cmocka_unit_test(patience_passes_over_the_last),
                                       cmocka_unit_test(drawn_uniformly),
                                       cmocka_unit_test(long_averages_keep_moving),
                                       cmocka_unit_test(state_restores)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
