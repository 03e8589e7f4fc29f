/* Rows of two classes against their definition: everything asked of them is share times that of the first class and
 * 1 - share times that of the second, from two batches of one class each at the same features. */
#include "check.h"

enum { ROWS = 12, MOST = 8192 };
static const double close_to = sizeof(gls_real) == 4 ? 2e-5 : 1e-12;

typedef struct answers {
    double losses[ROWS], accuracy;
    gls_real g[MOST], h[MOST];
} answers;

/* weights: of the rows in the gradient and the Hessian product along w itself. */
static void ask(gls_problem *p, const gls_batch *batch, const gls_real *w, const double *weights, answers *out) {
    unsigned want = GLS_WANT_GRADIENT | GLS_WANT_LOSSES | GLS_WANT_HESSIAN | (p->score_count ? GLS_WANT_SCORES : 0);
    gls_point *direction = NULL;
    assert_int_equal(gls_point_create(p, &direction), GLS_OK);
    assert_int_equal(gls_point_set(direction, w), GLS_OK);
    check_run run = check_run_create(p, batch, want, GLS_MODE_TRAIN);
    run.args.direction = direction;
    check_run_at(&run, w);
    memset(out, 0, sizeof *out);
    assert_int_equal(gls_ask_losses(run.e, out->losses), GLS_OK);
    if (p->score_count) assert_int_equal(gls_ask_scores(run.e, &out->accuracy), GLS_OK);
    assert_int_equal(gls_ask_gradient(run.e, GLS_PRODUCT_GRADIENT, weights, out->g), GLS_OK);
    assert_int_equal(gls_ask_gradient(run.e, GLS_PRODUCT_HESSIAN, weights, out->h), GLS_OK);
    check_run_destroy(&run);
    gls_point_destroy(direction);
}

static void assert_near(const char *name, double found, double expected, double scale) {
    if (!(fabs(found - expected) <= close_to * scale)) fail_msg("%s: %.17g, expected %.17g", name, found, expected);
}

/* One row at a time, so that its share is the weight of all that is compared. */
static void check_rows_of(const char *name, gls_problem *p, const check_data *d, const gls_real *w) {
    static answers mixed, one, other;
    gls_batch first = d->batch, second = d->batch;
    first.other_label = second.other_label = NULL;
    first.label_share = second.label_share = NULL;
    second.label = d->other;
    double accuracy[3] = {0};
    for (int i = 0; i < ROWS; i++) {
        double weights[ROWS] = {0}, s = d->share[i], scale = 1e-3;
        weights[i] = 1;
        ask(p, &d->batch, w, weights, &mixed);
        ask(p, &first, w, weights, &one);
        ask(p, &second, w, weights, &other);
        assert_near(name, mixed.losses[i], s * one.losses[i] + (1 - s) * other.losses[i], 1 + one.losses[i]);
        for (int64_t j = 0; j < gls_problem_size(p); j++) scale += fabs((double)one.g[j]) + fabs((double)one.h[j]);
        for (int64_t j = 0; j < gls_problem_size(p); j++) {
            assert_near(name, mixed.g[j], s * one.g[j] + (1 - s) * other.g[j], scale);
            assert_near(name, mixed.h[j], s * one.h[j] + (1 - s) * other.h[j], scale);
        }
        accuracy[0] = mixed.accuracy;
        /* The sums of the parts know of no shares: rows whose class is found are counted by hand. */
        gls_batch row = gls_batch_view(&first, i, 1), row2 = gls_batch_view(&second, i, 1);
        double alone[1] = {1};
        if (!p->score_count) continue;
        ask(p, &row, w, alone, &one);
        ask(p, &row2, w, alone, &other);
        accuracy[1] += s * one.accuracy + (1 - s) * other.accuracy;
    }
    assert_near(name, accuracy[0], accuracy[1], ROWS);
}

static void mixtures_are_what_they_are_defined_to_be(void **state) {
    static const struct {
        const char *name, *options;
        int64_t classes;
    } cases[] = {
        {"mlp", "{hidden: [6], activation: tanh}", 4},
        {"mlp", "{hidden: [6], activation: tanh, label_smoothing: 0.2}", 3},
        {"mlp", "{hidden: [6], activation: tanh, loss: squared}", 3},
        {"mlp", "{hidden: [6], activation: tanh, loss: logistic}", 2},
        {"softmax", "{l2: 0.1}", 4},
        {"logistic", NULL, 2},
        {"least_squares", NULL, 3},
        {"least_squares", NULL, 2},
        {"smoothed_hinge", NULL, 2},
    };
    for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
        gls_context *ctx = check_context(1, false);
        check_data d = check_data_create(ROWS, 5, 0, 0, cases[k].classes, 0);
        check_data_mix(&d);
        gls_problem *p = check_model(ctx, cases[k].name, cases[k].options, &d.info);
        assert_true(gls_problem_size(p) <= MOST);
        gls_real *w = check_weights(p);
        check_rows_of(cases[k].name, p, &d, w);
        free(w);
        gls_problem_destroy(p);
        check_data_destroy(&d);
        gls_context_destroy(ctx);
    }
}

/* Who regresses numbers has no loss for them, and a label that is no class is seen. */
static void what_does_not_fit_is_refused(void **state) {
    gls_context *ctx = check_context(1, false);
    check_data d = check_data_create(ROWS, 5, 0, 0, 3, 0);
    check_data_mix(&d);
    gls_data_info numbers = d.info;
    numbers.targets = 1;
    gls_problem *p = NULL;
    assert_int_equal(gls_model_create(ctx, "least_squares", NULL, &numbers, &p), GLS_ERR_ARGUMENT);
    assert_non_null(strstr(gls_context_message(ctx), "mixup"));
    assert_null(p);
    static const char *const names[] = {"softmax", "mlp"};
    for (int k = 0; k < 2; k++) {
        p = check_model(ctx, names[k], NULL, &d.info);
        gls_real *w = check_weights(p);
        check_run run = check_run_create(p, &d.batch, GLS_WANT_GRADIENT, GLS_MODE_TRAIN);
        int32_t kept = d.other[2];
        d.other[2] = 3;
        assert_int_equal(gls_point_set(run.point, w), GLS_OK);
        assert_int_equal(gls_evaluate(run.e, &run.args), GLS_ERR_INPUT);
        d.other[2] = kept;
        check_run_destroy(&run);
        free(w);
        gls_problem_destroy(p);
    }
    check_data_destroy(&d);
    gls_context_destroy(ctx);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(mixtures_are_what_they_are_defined_to_be),
                                       cmocka_unit_test(what_does_not_fit_is_refused)};
    return cmocka_run_group_tests_name("mixed", tests, NULL, NULL);
}
