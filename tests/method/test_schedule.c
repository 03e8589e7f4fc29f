/* Schedules against their formulas. */
#include "support.h"

static gls_schedule *make(gls_context *ctx, const char *text, double per_epoch, double total) {
    gls_value *spec = yaml(ctx, text);
    gls_schedule *schedule;
    if (gls_schedule_create(ctx, "test", spec, 0.25, per_epoch, total, &schedule) != GLS_OK)
        fail_msg("%s: %s", text, gls_context_message(ctx));
    gls_value_destroy(ctx, spec);
    return schedule;
}

static double at(const gls_schedule *s, double step) {
    return gls_schedule_value(s, (gls_clock){step, NAN});
}

static void near(double found, double expected) {
    if (!(fabs(found - expected) <= 1e-12 * fmax(1, fabs(expected))))
        fail_msg("%.17g, expected %.17g", found, expected);
}

static void formulas(void **state) {
    const double pi = acos(-1);
    gls_context *ctx = test_context(1);
    gls_schedule *s = make(ctx, "{from: 3}", 0, 0);
    near(at(s, 0), 3);
    near(at(s, 1e6), 3);
    gls_schedule_destroy(s);
    s = make(ctx, "{name: constant}", 0, 0); /* the option's own value */
    near(at(s, 5), 0.25);
    gls_schedule_destroy(s);
    s = make(ctx, "{name: poly, from: 2, power: 1.1}", 0, 50);
    for (int t = 0; t <= 60; t++) near(at(s, t), 2 * pow(1 - fmin(t / 50.0, 1), 1.1));
    gls_schedule_destroy(s);
    s = make(ctx, "{name: poly, from: 2, power: 2, to: 1, length: 20s}", 0, 50);
    for (int t = 0; t <= 30; t++) near(at(s, t), 1 + pow(1 - fmin(t / 20.0, 1), 2));
    gls_schedule_destroy(s);
    s = make(ctx, "{name: cosine, from: 2, to: 0.5, length: 4}", 10, 0);
    for (int t = 0; t <= 50; t++) near(at(s, t), 0.5 + 0.75 * (1 + cos(pi * fmin(t / 40.0, 1))));
    gls_schedule_destroy(s);
    s = make(ctx, "{name: inverse, mu: 0.5}", 0, 0);
    for (int t = 0; t <= 20; t++) near(at(s, t), 8.0 / (t + 2)); /* k = t + 1 */
    gls_schedule_destroy(s);
    s = make(ctx, "{name: inverse, from: 3}", 0, 0);
    for (int t = 0; t <= 20; t++) near(at(s, t), 3.0 / (t + 1));
    gls_schedule_destroy(s);
    s = make(ctx, "{name: step, from: 1, at: [2, 30s], factor: 0.5}", 10, 0);
    for (int t = 0; t <= 40; t++) near(at(s, t), t < 20 ? 1 : t < 30 ? 0.5 : 0.25);
    gls_schedule_destroy(s);
    s = make(ctx, "{name: step, from: 128, at: [2s, 5s], values: [256, 100]}", 0, 0);
    for (int t = 0; t <= 9; t++) near(at(s, t), t < 2 ? 128 : t < 5 ? 256 : 100);
    gls_schedule_destroy(s);
    s = make(ctx, "{name: geometric, from: 1, every: 3s, factor: 2}", 0, 0);
    for (int t = 0; t <= 9; t++) near(at(s, t), pow(2, t / 3));
    gls_schedule_destroy(s);
    gls_context_destroy(ctx);
}

/* The last step of the warm-up has the target; poly, cosine and inverse run over the rest, milestones do not move. */
static void warm_up(void **state) {
    gls_context *ctx = test_context(1);
    gls_schedule *s = make(ctx, "{name: poly, from: 1, warmup: 5s, warmup_from: 0.1}", 0, 25);
    for (int t = 0; t < 30; t++) near(at(s, t), t < 5 ? 0.1 + 0.9 * (t + 1) / 5 : 1 - fmin((t - 5) / 20.0, 1));
    gls_schedule_destroy(s);
    s = make(ctx, "{name: poly, from: 1, warmup: 2}", 10, 100); /* epochs in front of steps */
    for (int t = 0; t < 100; t++) near(at(s, t), t < 20 ? (t + 1) / 20.0 : 1 - (t - 20) / 80.0);
    gls_schedule_destroy(s);
    s = make(ctx, "{from: 2, warmup: 3}", 10, 0);
    for (int t = 0; t < 40; t++) near(at(s, t), t < 30 ? 2 * (t + 1) / 30.0 : 2);
    gls_schedule_destroy(s);
    s = make(ctx, "{name: inverse, mu: 4, warmup: 4s}", 0, 0);
    for (int t = 0; t < 9; t++) near(at(s, t), t < 4 ? (t + 1) / 8.0 : 1.0 / (t - 4 + 2));
    gls_schedule_destroy(s);
    s = make(ctx, "{name: step, from: 1, at: [6s], factor: 0.5, warmup: 4s}", 0, 0);
    for (int t = 0; t < 9; t++) near(at(s, t), t < 4 ? (t + 1) / 4.0 : t < 6 ? 1 : 0.5);
    gls_schedule_destroy(s);
    gls_context_destroy(ctx);
}

/* A run that tells epochs (batch schedules) is followed by epochs. */
static void epochs_as_told(void **state) {
    gls_context *ctx = test_context(1);
    gls_schedule *s = make(ctx, "{name: cosine, from: 2, length: 4}", 0, 0);
    near(gls_schedule_value(s, (gls_clock){1000, 2}), 1);
    gls_schedule_destroy(s);
    gls_context_destroy(ctx);
}

/* Half waves of 4, 8 and 16 steps behind a warm-up of 2: at steps 2, 6, 14 the wave begins anew, halfway it is at 1. */
static void waves_begin_anew(void **state) {
    gls_context *ctx = test_context(1);
    gls_schedule *s = make(ctx, "{name: restarts, from: 2, length: 6s, warmup: 2s, stretch: 2}", 0, 0);
    static const double begins[] = {2, 6, 14, 30};
    for (int k = 0; k < 3; k++) {
        near(gls_schedule_value(s, (gls_clock){begins[k], NAN}), 2);
        near(gls_schedule_value(s, (gls_clock){(begins[k] + begins[k + 1]) / 2, NAN}), 1);
        near(gls_schedule_value(s, (gls_clock){begins[k + 1] - 1, NAN}), 1 + cos((1 - 0.25 / (1 << k)) * acos(-1)));
    }
    gls_schedule_destroy(s);
    s = make(ctx, "{name: restarts, from: 1, to: 0.5, length: 3}", 10, 0);
    for (int e = 0; e < 4; e++) {
        near(gls_schedule_value(s, (gls_clock){0, 3 * e}), 1);
        near(gls_schedule_value(s, (gls_clock){0, 3 * e + 1}), 0.75 + 0.25 * cos(acos(-1) / 3));
    }
    gls_schedule_destroy(s);
    gls_context_destroy(ctx);
}

static void plateaus_cut(void **state) {
    static const bool better[] = {true, false, true, false, false, false, false, false, false, true, false};
    static const double after[] = {1, 1, 1, 1, 1, 0.5, 0.5, 0.5, 0.3, 0.3, 0.3};
    gls_context *ctx = test_context(1);
    gls_schedule *s = make(ctx, "{name: plateau, from: 1, factor: 0.5, patience: 3, to: 0.3}", 0, 0);
    assert_true(gls_schedule_watches(s));
    for (int i = 0; i < 11; i++) {
        gls_schedule_validated(s, better[i]);
        near(gls_schedule_value(s, (gls_clock){i, NAN}), after[i]);
    }
    gls_schedule_destroy(s);
    gls_context_destroy(ctx);
}

static void impossible_schedules_are_refused(void **state) {
    const char *const specs[] = {"{name: poly}",
                                 "{name: poly, length: 5s, warmup: 5s}",
                                 "{name: poly, length: 5s, warmup: 1}",
                                 "{name: step, at: [1, x]}",
                                 "{name: step, at: [1, 2], values: [1]}",
                                 "{name: geometric, factor: -1}",
                                 "{name: cosine, length: -3}",
                                 "{name: restarts}",
                                 "{name: restarts, length: 3s, stretch: 0.5}",
                                 "{name: plateau, patience: 0}",
                                 "{name: plateau, factor: 1}"};
    gls_context *ctx = test_context(1);
    for (size_t i = 0; i < sizeof specs / sizeof *specs; i++) {
        gls_value *spec = yaml(ctx, specs[i]);
        gls_schedule *schedule;
        if (gls_schedule_create(ctx, "test", spec, 1, 0, 0, &schedule) != GLS_ERR_ARGUMENT) fail_msg("%s", specs[i]);
        assert_null(schedule);
        assert_true(strlen(gls_context_message(ctx)) > 10);
        gls_value_destroy(ctx, spec);
    }
    gls_context_destroy(ctx);
}

/* Inside a method: every schedulable option, groups of their own, bounds held at every step. */
static void methods_follow_schedules(void **state) {
    gls_context *ctx = test_context(1);
    gls_layout *layout = three_blocks(ctx, 2);
    gls_method *method = make_method(ctx, layout,
                                     "{name: msgd, lr: {from: 1, name: poly}, beta: {from: 0, name: step, at: [2s], "
                                     "values: [0.5]}, groups: [{match: '*.bias', lr: {from: 2, name: inverse}}]}");
    gls_real w[42] = {0}, g[42];
    for (int i = 0; i < 42; i++) g[i] = 1;
    double v = 0, x = 0, bias = 0;
    for (int t = 0; t < 5; t++) {
        gls_step_report report;
        assert_int_equal(gls_method_step(method, w, g, &report), GLS_OK);
        near(report.lr, 1 - t / 100.0);
        v = (t < 2 ? 0 : 0.5) * v + 1;
        x -= (1 - t / 100.0) * v;
        bias -= 2.0 / (t + 1) * v;
        assert_true(fabs((double)w[0] - x) < 1e-5 && fabs((double)w[41] - x) < 1e-5);
        assert_true(fabs((double)w[36] - bias) < 1e-5);
    }
    gls_method_destroy(method);
    method = make_method(ctx, layout, "{name: msgd, beta: {from: 0.9, name: step, at: [1s], factor: 2}}");
    assert_int_equal(gls_method_step(method, w, g, NULL), GLS_OK);
    assert_int_equal(gls_method_step(method, w, g, NULL), GLS_ERR_ARGUMENT);
    assert_non_null(strstr(gls_context_message(ctx), "beta"));
    gls_method_destroy(method);
    gls_layout_destroy(layout);
    gls_context_destroy(ctx);
}

/* A refused step has its rate and its place in the schedule: of ten steps along a line the fourth is refused, and the
 * fifth has the rate that it would have had. The bias correction counts the steps taken alone. */
static void refused_steps_keep_their_place(void **state) {
    gls_context *ctx = test_context(1);
    gls_layout *layout = one_block(ctx, 3);
    gls_value *spec = yaml(ctx, "{name: adam, lr: {from: 1, name: poly}}");
    gls_method_options options = {.size = sizeof options, .layout = layout, .spec = spec, .total_steps = 10};
    gls_method *method;
    assert_int_equal(gls_method_create(ctx, &options, &method), GLS_OK);
    gls_real w[3] = {0}, g[3] = {1, -2, 3}, bad[3] = {1, (gls_real)INFINITY, 3};
    double x = 0;
    for (int t = 0; t < 10; t++) {
        gls_step_report report;
        assert_int_equal(gls_method_step(method, w, t == 3 ? bad : g, &report), GLS_OK);
        assert_int_equal(report.refused, t == 3);
        near(report.lr, 1 - t / 10.0);
        if (t != 3) x -= (1 - t / 10.0) * 1 / (1 + 1e-8); /* a constant gradient: both means, corrected, are it */
        assert_true(fabs((double)w[0] - x) < 2e-5);
    }
    assert_int_equal(gls_method_steps(method), 9);
    gls_method_destroy(method);
    gls_value_destroy(ctx, spec);
    gls_layout_destroy(layout);
    gls_context_destroy(ctx);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(formulas),
                                       cmocka_unit_test(warm_up),
                                       cmocka_unit_test(epochs_as_told),
                                       cmocka_unit_test(waves_begin_anew),
                                       cmocka_unit_test(plateaus_cut),
                                       cmocka_unit_test(impossible_schedules_are_refused),
                                       cmocka_unit_test(methods_follow_schedules),
                                       cmocka_unit_test(refused_steps_keep_their_place)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
