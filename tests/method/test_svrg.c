/* svrg on a finite sum against the algorithm written down here, step by step; and what its variance reduction is for.
 */
#include "support.h"

enum { N = 4 };
static const double slope[N] = {1, 0.5, 2, 1.5}, center[N] = {1, -2, 0.5, 3};

static double gradient(double w, int64_t i) {
    return slope[i] * (w - center[i]);
}

/* The order in which both draw: example 3k mod 4 for draw k. */
static int64_t drawn(int64_t k) {
    return 3 * k % N;
}

/* Rounds of: mean over the next `average` draws at the snapshot, then `period` steps, each on the next draw. */
static double reference(double w, double lr, int64_t average, int64_t period, int64_t rounds) {
    int64_t k = 0;
    for (int64_t r = 0; r < rounds; r++) {
        double snapshot = w, mean = 0;
        for (int64_t i = 0; i < average; i++) mean += gradient(snapshot, drawn(k++)) / (double)average;
        for (int64_t i = 0; i < period; i++, k++)
            w -= lr * (gradient(w, drawn(k)) - gradient(snapshot, drawn(k)) + mean);
    }
    return w;
}

static double run(gls_context *ctx, const char *rule, double start, int64_t answers) {
    gls_layout *layout;
    assert_int_equal(gls_layout_create(ctx, &layout), GLS_OK);
    assert_int_equal(gls_layout_add(layout, "w", 1, (int64_t[]){1}, 0), GLS_OK);
    gls_method *method = make_method(ctx, layout, rule);
    gls_real w = (gls_real)start;
    int64_t k = -1;
    for (int64_t t = 0; t < answers; t++) {
        gls_query query;
        assert_int_equal(gls_method_query(method, &w, &query), GLS_OK);
        k += !query.same_batch;
        gls_real g = (gls_real)gradient((double)query.at[0], drawn(k));
        gls_answer answer = {.value = NAN, .g = &g, .norm2 = NAN, .epoch = NAN};
        assert_int_equal(gls_method_tell(method, &answer, &w, NULL), GLS_OK);
    }
    gls_method_destroy(method);
    gls_layout_destroy(layout);
    return (double)w;
}

static void follows_the_algorithm(void **state) {
    const double close = sizeof(gls_real) == 4 ? 1e-5 : 1e-13;
    gls_context *ctx = test_context(1);
    (void)state;
    for (int64_t rounds = 1; rounds <= 3; rounds++) {
        double w = run(ctx, "{name: svrg, lr: 0.2, average: 3, period: 5}", 4, rounds * (3 + 2 * 5));
        assert_true(fabs(w - reference(4, 0.2, 3, 5, rounds)) < close);
    }
    gls_context_destroy(ctx);
}

/* With whole means the rule rests at the minimum, sum a c/sum a = 1.1, where sgd at the same rate keeps moving. */
static void rests_at_the_minimum(void **state) {
    const double close = sizeof(gls_real) == 4 ? 1e-5 : 1e-9;
    gls_context *ctx = test_context(1);
    (void)state;
    double w = run(ctx, "{name: svrg, lr: 0.2, average: 4, period: 8}", 4, 20 * 60);
    assert_true(fabs(w - 1.1) < close);
    assert_true(fabs(run(ctx, "{name: sgd, lr: 0.2}", 4, 1200) - 1.1) > 0.1);
    gls_context_destroy(ctx);
}

static void asks_for_its_length(void **state) {
    gls_context *ctx = test_context(1);
    gls_method *method = NULL;
    gls_query query;
    gls_real w = 0;
    (void)state;
    assert_int_equal(gls_method_create_named(ctx, "svrg", 1, &method), GLS_OK);
    assert_int_equal(gls_method_query(method, &w, &query), GLS_ERR_ARGUMENT);
    assert_non_null(strstr(gls_context_message(ctx), "expected average"));
    gls_method_destroy(method);
    gls_context_destroy(ctx);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(follows_the_algorithm), cmocka_unit_test(rests_at_the_minimum),
                                       cmocka_unit_test(asks_for_its_length)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
