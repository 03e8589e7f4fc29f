/* Measures on a problem: against closed forms and the same measure on the matrix of its gradients; unbiased from
 * samples. */
#include "fixture.h"

static const double precision = sizeof(gls_real) == 4 ? 2e-4 : 1e-9;
static const char *const all[] = {"sample", "all", NULL};

/* The matrix of per-example gradients at w. */
static void gradients(const fixture *t, const gls_real *w, gls_real *g) {
    for (int i = 0; i < SET; i++) {
        double row[DIM];
        quadratic_gradient(&t->f, w, i, row);
        for (int k = 0; k < DIM; k++) g[i * DIM + k] = (gls_real)row[k];
    }
}

static double full_norm2(const fixture *t, const gls_real *w) {
    double sum[DIM] = {0}, g[DIM], square = 0;
    for (int i = 0; i < SET; i++) {
        quadratic_gradient(&t->f, w, i, g);
        for (int k = 0; k < DIM; k++) sum[k] += g[k] / SET;
    }
    for (int k = 0; k < DIM; k++) square += sum[k] * sum[k];
    return square;
}

static void whole_set_agrees_with_the_matrix(void **state) {
    fixture t;
    fixture_quadratic(&t, 2);
    gls_real g[SET * DIM];
    gradients(&t, t.w, g);
    gls_measure_matrix matrix = {g, SET, DIM, false, 3};
    const char *const names[][3] = {{"gradient_diversity", "gradient_diversity", "batch_size_bound"},
                                    {"noise_scale", "noise_scale", "noise_trace"},
                                    {"dim_bounds", "quant_bound", "drop_bound"},
                                    {"gradient_norm", "gradient_norm", "gradient_norm"},
                                    {"noise_norm", "noise_rms", "example_kurtosis"}};
    for (int k = 0; k < 5; k++) {
        gls_measure_result here = fixture_once(&t, names[k][0], all), there;
        gls_measure_result_init(t.ctx, &there);
        gls_measure *m = fixture_measure(&t, names[k][0], NULL);
        GOOD(gls_measure_run_matrix(m, &matrix, &there));
        for (int i = 1; i < 3; i++)
            NEAR(gls_measure_result_get(&here, names[k][i]), gls_measure_result_get(&there, names[k][i]), precision);
        assert_int_equal(here.sample, SET);
        assert_int_equal(here.population, SET);
        gls_measure_destroy(m);
        gls_measure_result_clear(&here);
        gls_measure_result_clear(&there);
    }
    fixture_destroy(&t);
}

/* The mean of a figure over many draws of a sample, and its standard error. */
static double mean_figure(fixture *t, const char *name, const char *const *options, const char *figure, int repeats,
                          double truth, double *error, int *inside) {
    gls_measure_result r;
    gls_measure_result_init(t->ctx, &r);
    gls_measure *m = fixture_measure(t, name, options);
    double mean = 0, square = 0;
    *inside = 0;
    for (int i = 0; i < repeats; i++) {
        t->in.step = i;
        fixture_run(t, m, &r);
        const gls_figure *f = gls_measure_result_find(&r, figure);
        mean += f->value[0] / repeats;
        square += f->value[0] * f->value[0] / repeats;
        *inside += f->low <= truth && truth <= f->high;
    }
    gls_measure_destroy(m);
    gls_measure_result_clear(&r);
    *error = sqrt(fmax(0, square - mean * mean) / repeats);
    return mean;
}

static void samples_are_unbiased_and_intervals_cover(void **state) {
    fixture t;
    fixture_quadratic(&t, 1);
    const char *const some[] = {"sample", "24", NULL};
    double g2 = full_norm2(&t, t.w), m2 = 0, loss = 0, error, row[DIM];
    int inside, repeats = 300;
    for (int i = 0; i < SET; i++) {
        quadratic_gradient(&t.f, t.w, i, row);
        for (int k = 0; k < DIM; k++) m2 += row[k] * row[k] / SET;
        loss += quadratic_value(&t.f, t.w, i) / SET;
    }
    double got = mean_figure(&t, "gradient_diversity", some, "mean_gradient_norm2", repeats, g2, &error, &inside);
    NEAR_ABS(got, g2, 4 * error);
    assert_true(inside > 0.88 * repeats);
    got = mean_figure(&t, "gradient_diversity", some, "second_moment", repeats, m2, &error, &inside);
    NEAR_ABS(got, m2, 4 * error);
    assert_true(inside > 0.88 * repeats);
    mean_figure(&t, "gradient_diversity", some, "batch_size_bound", repeats, m2 / g2, &error, &inside);
    assert_true(inside > 0.88 * repeats);
    got = mean_figure(&t, "gradient_norm", some, "gradient_norm2", repeats, g2, &error, &inside);
    NEAR_ABS(got, g2, 4 * error);
    assert_true(inside > 0.88 * repeats);
    got = mean_figure(&t, "loss", some, "loss", repeats, loss, &error, &inside);
    NEAR_ABS(got, loss, 4 * error);
    assert_true(inside > 0.88 * repeats);
    fixture_destroy(&t);
}

static void loss_of_the_whole_set_is_the_mean(void **state) {
    fixture t;
    fixture_quadratic(&t, 2);
    double loss = 0;
    for (int i = 0; i < SET; i++) loss += quadratic_value(&t.f, t.w, i) / SET;
    gls_measure_result r = fixture_once(&t, "loss", NULL);
    NEAR(gls_measure_result_get(&r, "loss"), loss, precision);
    gls_measure_result_clear(&r);
    /* Only the training examples named by an index list. */
    const int64_t index[] = {3, 11, 40};
    t.in.index = index;
    t.in.examples = 3;
    r = fixture_once(&t, "loss", NULL);
    loss = (quadratic_value(&t.f, t.w, 3) + quadratic_value(&t.f, t.w, 11) + quadratic_value(&t.f, t.w, 40)) / 3;
    NEAR(gls_measure_result_get(&r, "loss"), loss, precision);
    assert_int_equal(r.population, 3);
    gls_measure_result_clear(&r);
    fixture_destroy(&t);
}

/* Mini-batches of B from the whole set have noise tr(S) / B * (n - B) / (n - 1). */
static void batch_noise_shrinks_with_the_batch(void **state) {
    fixture t;
    fixture_quadratic(&t, 1);
    const char *const few[] = {"sample", "all", "batches", "2000", "batch", "4", NULL};
    gls_measure_result r = fixture_once(&t, "noise_norm", few), curve = fixture_once(&t, "variance_curve", few);
    double single = gls_measure_result_get(&r, "noise_rms");
    double expected = single * single / 4 * (SET - 4) / (SET - 1.0);
    NEAR(pow(gls_measure_result_get(&r, "batch_noise_rms"), 2), expected, 0.1);
    NEAR(gls_measure_result_get(&curve, "variance"), expected, 0.1);
    assert_true(fabs(gls_measure_result_get(&curve, "change_in_second_half")) < 0.1);
    assert_true(gls_measure_result_get(&curve, "largest_share") < 0.02);
    gls_measure_result_clear(&r);
    gls_measure_result_clear(&curve);
    /* A sample of two mini-batches has the whole set's noise, not its own. */
    double from_samples = 0;
    enum { SAMPLES = 40 };
    for (int k = 0; k < SAMPLES; k++) {
        const char *const small[] = {"sample", "3", "batches", "200", "batch", "12", NULL};
        t.in.seed = (uint64_t)k;
        r = fixture_once(&t, "noise_norm", small);
        assert_int_equal(r.sample, 24);
        from_samples += pow(gls_measure_result_get(&r, "batch_noise_rms"), 2) / SAMPLES;
        gls_measure_result_clear(&r);
    }
    NEAR(from_samples, single * single / 12 * (SET - 12) / (SET - 1.0), 0.1);
    /* A mini-batch that the set does not hold is said to have become another. */
    const char *const names[] = {"noise_norm", "variance_curve"};
    for (int k = 0; k < 2; k++) {
        const char *const large[] = {"sample", "all", "batches", "20", "batch", "61", NULL};
        r = fixture_once(&t, names[k], large);
        assert_non_null(r.note);
        assert_non_null(strstr(r.note, "no mini-batch of 61: its 60 examples were read in mini-batches of 30"));
        gls_measure_result_clear(&r);
        const char *const fits[] = {"sample", "all", "batches", "20", "batch", "60", NULL};
        r = fixture_once(&t, names[k], fits);
        assert_true(!r.note || !strstr(r.note, "no mini-batch"));
        gls_measure_result_clear(&r);
    }
    const char *const single_examples[] = {"sample", "all", "batch", "1", NULL};
    curve = fixture_once(&t, "variance_curve", single_examples);
    NEAR(gls_measure_result_get(&curve, "variance"), single * single, precision);
    gls_measure_result_clear(&curve);
    fixture_destroy(&t);
}

/* Along a path the smallest bound is kept, with its step; a checkpoint carries it on. */
static void the_least_bound_along_a_path(void **state) {
    fixture t;
    fixture_quadratic(&t, 1);
    t.f.quartic = 0.3;
    gls_measure *m = fixture_measure(&t, "gradient_diversity", all), *again = NULL;
    gls_measure_result r;
    gls_measure_result_init(t.ctx, &r);
    double least = INFINITY;
    const double places[] = {1.2, 3, 0.6, 2};
    int at = -1;
    for (int k = 0; k < 4; k++) {
        for (int i = 0; i < DIM; i++) t.w[i] = (gls_real)(places[k] + 0.1 * i);
        double m2 = 0, row[DIM];
        for (int i = 0; i < SET; i++) {
            quadratic_gradient(&t.f, t.w, i, row);
            for (int d = 0; d < DIM; d++) m2 += row[d] * row[d] / SET;
        }
        double bound = m2 / full_norm2(&t, t.w);
        if (bound < least) at = 10 * k;
        least = fmin(least, bound);
        t.in.step = 10 * k;
        if (k == 3) { /* in a fresh measure with the state of the old one */
            gls_arrays from = {0}, to = {0};
            again = fixture_measure(&t, "gradient_diversity", all);
            GOOD(gls_measure_arrays(m, "x/", &from));
            GOOD(gls_measure_arrays(again, "x/", &to));
            assert_int_equal(from.count, to.count);
            for (int64_t i = 0; i < from.count; i++)
                memcpy(to.item[i].data, from.item[i].data, (size_t)from.item[i].shape[0] * sizeof(double));
            gls_arrays_clear(t.ctx, &from);
            gls_arrays_clear(t.ctx, &to);
        }
        fixture_run(&t, again ? again : m, &r);
        NEAR(gls_measure_result_get(&r, "least_batch_size_bound"), least, precision);
        assert_true(gls_measure_result_get(&r, "least_batch_size_bound_step") == at);
    }
    assert_int_equal(at, 10); /* neither the first nor the last */
    gls_measure_destroy(m);
    gls_measure_destroy(again);
    gls_measure_result_clear(&r);
    fixture_destroy(&t);
}

static void sharpness_is_the_largest_curvature(void **state) {
    fixture t;
    fixture_quadratic(&t, 2);
    t.f.a[1] = -7; /* a saddle */
    const char *const fine[] = {"sample", "all", "tolerance", "1e-9", NULL};
    gls_measure_result r = fixture_once(&t, "sharpness", fine);
    double exact = sizeof(gls_real) == 4 ? 3e-3 : 1e-6;
    NEAR(gls_measure_result_get(&r, "lambda_max"), DIM - 0.5, exact);
    NEAR(gls_measure_result_get(&r, "lambda_min"), -7, exact);
    NEAR(gls_measure_result_get(&r, "hessian_norm"), 7, exact);
    NEAR(gls_measure_result_get(&r, "two_over_lr"), 20, 1e-12);
    gls_measure_result_clear(&r);
    fixture_destroy(&t);
}

/* |g_i(w) - g_i(w')| is the same for all examples of a quadratic: diversity of differences 1 / n, bound 1. */
static void differential_diversity_of_a_quadratic(void **state) {
    fixture t;
    fixture_quadratic(&t, 2);
    gls_real other[DIM];
    for (int k = 0; k < DIM; k++) other[k] = t.w[k] + (gls_real)(0.3 - 0.2 * k);
    t.in.w_other = other;
    gls_measure_result r = fixture_once(&t, "differential_diversity", all);
    NEAR(gls_measure_result_get(&r, "differential_diversity"), 1.0 / SET, precision);
    NEAR(gls_measure_result_get(&r, "step_bound_times_beta"), 2 / (1 + 1.0 / (SET - 1) + 7), precision);
    gls_measure_result_clear(&r);
    const char *const some[] = {"sample", "24", "beta", "4", NULL};
    r = fixture_once(&t, "differential_diversity", some);
    NEAR(gls_measure_result_get(&r, "differential_batch_size_bound"), 1, 20 * precision);
    NEAR(gls_measure_result_get(&r, "step_bound"), 0.5 / (1 + 1.0 / (SET - 1) + 7), 20 * precision);
    gls_measure_result_clear(&r);
    fixture_destroy(&t);
}

/* An estimator that keeps norms hands them over: the mini-batch's own figures, smoothed over steps. */
static void norms_at_hand_every_step_give_diversity(void **state) {
    fixture t;
    fixture_quadratic(&t, 1);
    gls_value *spec = gls_value_create(t.ctx, GLS_VALUE_MAP, NULL, NULL);
    GOOD(gls_value_append(t.ctx, spec, gls_value_create(t.ctx, GLS_VALUE_TEXT, "name", "mean")));
    GOOD(gls_value_append(t.ctx, spec, gls_value_create(t.ctx, GLS_VALUE_TEXT, "ledger", "true")));
    gls_estimator *estimator;
    GOOD(gls_estimator_create(t.problem, spec, 1, &estimator));
    gls_value_destroy(t.ctx, spec);
    gls_loader *loader;
    gls_loader_options options = {.size = sizeof options, .wave = SET, .align = 1, .seed = 1};
    GOOD(gls_loader_create(t.ctx, t.source, &options, &loader));
    const char *const step[] = {"from", "step", "smoothing", "1", NULL};
    gls_measure *m = fixture_measure(&t, "gradient_diversity", step), *scale = fixture_measure(&t, "noise_scale", step),
                *test = fixture_measure(&t, "norm_test", step);
    gls_measure_result r, of_scale, of_test;
    double traces = 0, norms = 0, passed = 0;
    gls_measure_result_init(t.ctx, &r);
    gls_measure_result_init(t.ctx, &of_scale);
    gls_measure_result_init(t.ctx, &of_test);
    assert_int_equal(gls_measure_run(m, &t.in, &r), GLS_ERR_ARGUMENT);
    assert_int_equal(gls_measure_run(test, &t.in, &r), GLS_ERR_ARGUMENT);
    assert_non_null(strstr(gls_context_message(t.ctx), "ledger: true"));
    int64_t index[SET];
    gls_random random = gls_random_create(5, "batches", 0, 0);
    for (int i = 0; i < SET; i++) index[i] = i;
    for (int k = 0; k < 400; k++) {
        for (int i = 0; i < 16; i++) {
            int64_t other = i + gls_random_below(&random, SET - i), chosen = index[other];
            index[other] = index[i];
            index[i] = chosen;
        }
        gls_stream *rows;
        gls_estimate estimate;
        gls_record record = {0};
        gls_real g[DIM];
        GOOD(gls_loader_push(loader, index, 16, (uint64_t)k));
        GOOD(gls_loader_front(loader, &rows));
        GOOD(gls_estimator_estimate(estimator, t.pass, t.w, rows, 0, g, &estimate, &record));
        gls_loader_pop(loader);
        double second = 0, row[DIM];
        for (int i = 0; i < 16; i++) {
            quadratic_gradient(&t.f, t.w, index[i], row);
            for (int d = 0; d < DIM; d++) second += row[d] * row[d] / 16;
        }
        NEAR(gls_record_get(&record, "second_moment"), second, precision);
        t.in.step_examples = estimate.rows;
        t.in.step_second_moment = gls_record_get(&record, "second_moment");
        t.in.step_norm2 = estimate.norm2;
        fixture_run(&t, m, &r);
        fixture_run(&t, scale, &of_scale);
        fixture_run(&t, test, &of_test);
        /* The norm test by its definition, 16 of SET without replacement. */
        double trace = (second - estimate.norm2) * 16 / 15, left = (SET - 16) / (SET - 1.0);
        double ratio = sqrt(trace * left / 16 / estimate.norm2) / 0.9;
        NEAR(gls_measure_result_get(&of_test, "norm_test"), ratio, 100 * precision);
        traces += trace;
        norms += estimate.norm2;
        passed += ratio <= 1;
    }
    NEAR(gls_measure_result_get(&of_test, "norm_test_batch"), traces / norms / 0.81, 100 * precision);
    NEAR(gls_measure_result_get(&of_test, "norm_test_share"), passed / 400, 1e-12);
    NEAR(gls_measure_result_get(&of_scale, "noise_scale"), gls_measure_result_get(&r, "batch_size_bound") - 1, 1e-12);
    gls_measure_result_clear(&of_scale);
    gls_measure_result_clear(&of_test);
    gls_measure_destroy(scale);
    gls_measure_destroy(test);
    double m2 = 0, row[DIM];
    for (int i = 0; i < SET; i++) {
        quadratic_gradient(&t.f, t.w, i, row);
        for (int k = 0; k < DIM; k++) m2 += row[k] * row[k] / SET;
    }
    const gls_figure *bound = gls_measure_result_find(&r, "batch_size_bound");
    double truth = m2 / full_norm2(&t, t.w);
    assert_true(bound->low <= truth && truth <= bound->high);
    NEAR(bound->value[0], truth, 0.05);
    gls_measure_result_clear(&r);
    gls_measure_destroy(m);
    gls_loader_destroy(loader);
    gls_estimator_destroy(estimator);
    fixture_destroy(&t);
}

static void stability_compares_two_runs(void **state) {
    fixture t;
    fixture_quadratic(&t, 1);
    gls_real other[DIM];
    double apart = 0, sizes = 0;
    for (int k = 0; k < DIM; k++) {
        other[k] = t.w[k] + (gls_real)(0.1 * (k + 1));
        apart += pow((double)other[k] - (double)t.w[k], 2);
        sizes += pow((double)other[k], 2) + pow((double)t.w[k], 2);
    }
    t.in.w_other = other;
    t.in.exchanged = 17;
    t.in.test_source = t.source;
    gls_measure_result r = fixture_once(&t, "stability", NULL);
    NEAR(gls_measure_result_get(&r, "parameter_distance"), sqrt(apart / sizes), precision);
    NEAR(gls_measure_result_get(&r, "exchanged_loss"), quadratic_value(&t.f, t.w, 17), precision);
    NEAR(gls_measure_result_get(&r, "exchanged_loss_difference"),
         quadratic_value(&t.f, t.w, 17) - quadratic_value(&t.f, other, 17), precision);
    NEAR_ABS(gls_measure_result_get(&r, "generalisation_gap"), 0, 1e-6);
    gls_measure_result_clear(&r);
    fixture_destroy(&t);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whole_set_agrees_with_the_matrix),
        cmocka_unit_test(samples_are_unbiased_and_intervals_cover),
        cmocka_unit_test(loss_of_the_whole_set_is_the_mean),
        cmocka_unit_test(batch_noise_shrinks_with_the_batch),
        cmocka_unit_test(the_least_bound_along_a_path),
        cmocka_unit_test(sharpness_is_the_largest_curvature),
        cmocka_unit_test(differential_diversity_of_a_quadratic),
        cmocka_unit_test(stability_compares_two_runs),
        cmocka_unit_test(norms_at_hand_every_step_give_diversity),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
