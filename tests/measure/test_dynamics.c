/* Measures along a run: smoothness with known constants, the equilibrium of SGD on a quadratic, the invariance defect's
 * decay, time averages. */
#include "fixture.h"

static const char *const all[] = {"sample", "all", NULL};

/* ---- functions of one example: f(w) = sum w_k^4, and sum exp(w_k) ---- */

static int quartic(void *user, const gls_real *w, int64_t count, const int64_t *example, const double *weight,
                   double *value, gls_real *gradient) {
    *value = 0;
    for (int64_t j = 0; j < count; j++) {
        double c = weight ? weight[j] : 1;
        for (int k = 0; k < DIM; k++) {
            *value += c * pow((double)w[k], 4);
            if (gradient) gradient[k] = (gls_real)((double)gradient[k] + c * 4 * pow((double)w[k], 3));
        }
    }
    return 0;
}

static int exponential(void *user, const gls_real *w, int64_t count, const int64_t *example, const double *weight,
                       double *value, gls_real *gradient) {
    *value = 0;
    for (int64_t j = 0; j < count; j++) {
        double c = weight ? weight[j] : 1;
        *value += c * exp((double)w[0]);
        if (gradient) gradient[0] = (gls_real)((double)gradient[0] + c * exp((double)w[0]));
    }
    return 0;
}

/* Steps of the same relative (or absolute) length along a ray; the last result. */
static gls_measure_result along_a_ray(fixture *t, int64_t d, int points, double from, double ratio, double step) {
    gls_measure *m = fixture_measure(t, "smoothness", all);
    gls_measure_result r;
    gls_measure_result_init(t->ctx, &r);
    gls_real before[DIM] = {0};
    double at = from;
    for (int i = 0; i < points; i++) {
        double next = at * ratio + step;
        for (int k = 0; k < d; k++) {
            before[k] = (gls_real)at;
            t->w[k] = (gls_real)next;
        }
        t->in.w_previous = before;
        t->in.step = i;
        fixture_run(t, m, &r);
        at = next;
    }
    gls_measure_destroy(m);
    return r;
}

/* |grad| = 4 |x|^3 sqrt(d) and L ~ 12 x^2: slope 2/3 on log axes. */
static void quartic_has_slope_two_thirds(void **state) {
    fixture t = {0};
    fixture_create(&t, 1, quartic, NULL, DIM, 1);
    gls_measure_result r = along_a_ray(&t, DIM, 20, 0.5, 1.2, 0);
    double precision = sizeof(gls_real) == 4 ? 1e-3 : 1e-8;
    NEAR(gls_measure_result_get(&r, "log_slope"), 2.0 / 3, precision);
    NEAR(gls_measure_result_get(&r, "log_correlation"), 1, precision);
    /* The largest quotient of the four points is at the end: 4 (y^3 - x^3) / (y - x). */
    double x = 0.5 * pow(1.2, 19), y = 1.2 * x;
    NEAR(gls_measure_result_get(&r, "smoothness"), 4 * (y * y * y - x * x * x) / (y - x), precision);
    NEAR(gls_measure_result_get(&r, "gradient_norm_before"), 4 * x * x * x * sqrt(DIM), precision);
    assert_int_equal(gls_measure_result_find(&r, "smoothness_values")->count, 20);
    gls_measure_result_clear(&r);
    fixture_destroy(&t);
}

/* With steps of 0.1 the exponential has exactly L = |grad| (e^0.1 - 1) / 0.1: L0 = 0. */
static void exponential_is_the_exact_line(void **state) {
    fixture t = {0};
    fixture_create(&t, 1, exponential, NULL, 1, 1);
    gls_measure_result r = along_a_ray(&t, 1, 15, -1, 1, 0.1);
    double precision = sizeof(gls_real) == 4 ? 1e-4 : 1e-9;
    NEAR(gls_measure_result_get(&r, "l1"), (exp(0.1) - 1) / 0.1, precision);
    NEAR_ABS(gls_measure_result_get(&r, "l0"), 0, precision);
    NEAR(gls_measure_result_get(&r, "log_slope"), 1, precision);
    gls_measure_result_clear(&r);
    fixture_destroy(&t);
}

/* A quadratic has L = its curvature along the step, whatever the gradient. */
static void quadratic_has_constant_smoothness(void **state) {
    fixture t;
    fixture_quadratic(&t, 1);
    gls_real before[DIM];
    memcpy(before, t.w, sizeof before);
    t.w[2] += (gls_real)0.25;
    t.in.w_previous = before;
    gls_measure_result r = fixture_once(&t, "smoothness", all);
    NEAR(gls_measure_result_get(&r, "smoothness"), t.f.a[2], sizeof(gls_real) == 4 ? 1e-4 : 1e-10);
    gls_measure_result_clear(&r);
    t.w[2] = before[2];
    r = fixture_once(&t, "smoothness", all);
    assert_non_null(r.meaningless);
    gls_measure_result_clear(&r);
    fixture_destroy(&t);
}

/* ---- SGD on a quadratic at stationarity ---- */

static void sgd_step(fixture *t, gls_random *random, gls_real *g) {
    double sum[DIM] = {0}, row[DIM];
    int64_t index[SET];
    for (int i = 0; i < SET; i++) index[i] = i;
    for (int j = 0; j < 4; j++) { /* without replacement, as the measure draws its own */
        int64_t other = j + gls_random_below(random, SET - j), chosen = index[other];
        index[other] = index[j];
        quadratic_gradient(&t->f, t->w, chosen, row);
        for (int k = 0; k < DIM; k++) sum[k] += row[k] / 4;
    }
    for (int k = 0; k < DIM; k++) {
        g[k] = (gls_real)sum[k];
        t->w[k] = (gls_real)((double)t->w[k] - t->in.lr * (double)g[k]);
    }
}

static void settle(fixture *t, gls_random *random) {
    gls_real g[DIM];
    for (int i = 0; i < 2000; i++) sgd_step(t, random, g);
}

static void equilibrium_ratio_averages_to_one(void **state) {
    for (int given = 0; given < 2; given++) {
        fixture t;
        fixture_quadratic(&t, 1);
        gls_random random = gls_random_create(11, "sgd", 0, 0);
        gls_measure *m = fixture_measure(&t, "equilibrium_ratio", NULL);
        gls_measure_result r;
        gls_measure_result_init(t.ctx, &r);
        gls_real g[DIM], before[DIM];
        settle(&t, &random);
        for (int i = 0; i < 3000; i++) {
            memcpy(before, t.w, sizeof before);
            sgd_step(&t, &random, g);
            t.in.w_previous = before;
            t.in.g = given ? g : NULL;
            t.in.step = i;
            fixture_run(&t, m, &r);
        }
        NEAR_ABS(gls_measure_result_get(&r, "step_ratio"), 1, 0.05);
        double plain = gls_measure_result_get(&r, "equilibrium_ratio"), heuristic;
        heuristic = gls_measure_result_get(&r, "heuristic_ratio");
        if (given) {
            NEAR_ABS(plain, 1, 0.08);
            assert_true(heuristic > 0.05 && heuristic <= 0.5);
            NEAR(gls_measure_result_get(&r, "mean_sharpness"), t.f.a[DIM - 1], 0.02);
        } else {
            assert_true(isnan(plain) && isnan(heuristic));
        }
        NEAR(gls_measure_result_get(&r, "steps_averaged"), 3000, 0);
        gls_measure_result_clear(&r);
        gls_measure_destroy(m);
        fixture_destroy(&t);
    }
}

/* Far from equilibrium, on the way down, the ratio is well above 1. */
static void descent_is_no_equilibrium(void **state) {
    fixture t;
    fixture_quadratic(&t, 1);
    gls_random random = gls_random_create(12, "sgd", 0, 0);
    for (int k = 0; k < DIM; k++) t.w[k] = 50;
    t.in.lr = 0.01;
    gls_real before[DIM], g[DIM];
    memcpy(before, t.w, sizeof before);
    sgd_step(&t, &random, g);
    t.in.w_previous = before;
    gls_measure_result r = fixture_once(&t, "equilibrium_ratio", NULL);
    assert_true(gls_measure_result_get(&r, "step_ratio") > 10);
    gls_measure_result_clear(&r);
    fixture_destroy(&t);
}

/* sqrt(n) |defect| stays of one size: over independent chains its mean square at 1600 is that at 100 within a factor,
 * while the defect itself falls four-fold. */
static void invariance_defect_decays_like_one_over_sqrt_n(void **state) {
    enum { CHAINS = 24 };
    double early = 0, late = 0;
    for (int chain = 0; chain < CHAINS; chain++) {
        fixture t;
        fixture_quadratic(&t, 1);
        t.in.batch = 4;
        t.in.seed = (uint64_t)chain;
        gls_random random = gls_random_create(13, "sgd", (uint64_t)chain, 0);
        gls_measure *m = fixture_measure(&t, "invariance_defect", all);
        gls_measure_result r;
        gls_measure_result_init(t.ctx, &r);
        gls_real g[DIM];
        settle(&t, &random);
        for (int i = 0; i < 1600; i++) {
            sgd_step(&t, &random, g);
            t.in.step = i;
            fixture_run(&t, m, &r);
            double defect = gls_measure_result_get(&r, "invariance_defect");
            if (i == 99) early += defect * defect / CHAINS;
            if (i == 1599) late += defect * defect / CHAINS;
        }
        gls_measure_result_clear(&r);
        gls_measure_destroy(m);
        fixture_destroy(&t);
    }
    double ratio = sqrt(early / late);
    if (!(ratio > 2.4 && ratio < 6.7))
        fail_msg("the defect falls by %g from 100 to 1600 steps, expected about 4", ratio);
}

static void windows_average_what_the_run_says(void **state) {
    fixture t;
    fixture_quadratic(&t, 1);
    const char *const window[] = {"window", "3", NULL};
    gls_measure *m = fixture_measure(&t, "time_averages", window);
    gls_measure_result r;
    gls_measure_result_init(t.ctx, &r);
    for (int i = 0; i < 8; i++) {
        t.in.loss = i == 4 ? NAN : i; /* a refused step is left out */
        t.in.gradient_norm = 2 * i;
        fixture_run(&t, m, &r);
    }
    const gls_figure *loss = gls_measure_result_find(&r, "window_loss");
    assert_int_equal(loss->count, 2);
    NEAR(loss->value[0], 1, 1e-15);
    NEAR(loss->value[1], (3 + 5 + 6) / 3.0, 1e-15);
    NEAR(gls_measure_result_get(&r, "last_window_gradient_norm"), 2 * (3 + 5 + 6) / 3.0, 1e-15);
    NEAR(gls_measure_result_get(&r, "average_loss"), (0 + 1 + 2 + 3 + 5 + 6 + 7) / 7.0, 1e-15);
    gls_measure_result_clear(&r);
    gls_measure_destroy(m);
    fixture_destroy(&t);
}

/* Replacing the data by ones with a few wild examples moves the shape by more than sampling does. */
static void shape_drift_sees_a_change_of_shape(void **state) {
    fixture t;
    fixture_quadratic(&t, 1);
    const char *const options[] = {"sample", "all", "batch", "4", NULL};
    gls_measure *m = fixture_measure(&t, "noise_norm", options);
    gls_measure_result r;
    gls_measure_result_init(t.ctx, &r);
    fixture_run(&t, m, &r);
    NEAR_ABS(gls_measure_result_get(&r, "example_shape_drift"), 0, 0);
    for (int i = 0; i < SET; i += 4) t.f.x[i][DIM - 1] += 40;
    fixture_run(&t, m, &r);
    assert_true(gls_measure_result_get(&r, "example_shape_drift") >
                2 * gls_measure_result_get(&r, "example_shape_drift_expected"));
    gls_measure_result_clear(&r);
    gls_measure_destroy(m);
    fixture_destroy(&t);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(quartic_has_slope_two_thirds),
        cmocka_unit_test(exponential_is_the_exact_line),
        cmocka_unit_test(quadratic_has_constant_smoothness),
        cmocka_unit_test(equilibrium_ratio_averages_to_one),
        cmocka_unit_test(descent_is_no_equilibrium),
        cmocka_unit_test(invariance_defect_decays_like_one_over_sqrt_n),
        cmocka_unit_test(windows_average_what_the_run_says),
        cmocka_unit_test(shape_drift_sees_a_change_of_shape),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
