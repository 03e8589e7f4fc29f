/* Linear regression that has settled: there E[F(w+) - F(w)] = 0 for every method, and the loss is quadratic, so that
 * step_ratio is 1 exactly in expectation, and the defect of the method's own map is 0. */
#include <math.h>

#include "support.h"

enum { SETTLE = 3000, LOOKS = 4000, APART = 3 }; /* APART: steps from one look to the next */

#define PROBLEM                                                                            \
    "data: {format: gaussians, train_size: 400, test_size: 20, classes: 2, features: 8}\n" \
    "model: {name: least_squares}\n"                                                       \
    "train: {steps: 100000, batch: 8, threads: 1, replacement: true}\n"

typedef struct found {
    double step, plain, low, high, heuristic;
} found;

static gls_measure *measure(gls_context *ctx, gls_run *run, const char *name, const char *options) {
    gls_measure *m = NULL;
    gls_value *value = config_from(ctx, options);
    assert_ok(ctx, gls_measure_create(ctx, name, value, NULL, gls_problem_size(gls_run_problem(run)), 400, &m));
    gls_value_destroy(ctx, value);
    return m;
}

static void look(gls_context *ctx, gls_run *run, gls_measure *m, gls_measure_result *result) {
    gls_measure_input in;
    assert_ok(ctx, gls_run_measure_input(run, &in));
    assert_ok(ctx, gls_measure_run(m, &in, result));
}

static void watch(gls_context *ctx, gls_run *run, bool plain, found *out) {
    bool done = false;
    gls_measure *balance =
        measure(ctx, run, "equilibrium_ratio", plain ? "{sample: all, products: 2}" : "{sample: all, products: 0}");
    gls_measure *defect = measure(ctx, run, "invariance_defect", "{sample: all}");
    gls_measure_result of_steps, of_map;
    gls_measure_result_init(ctx, &of_steps);
    gls_measure_result_init(ctx, &of_map);
    for (int i = 0; i < SETTLE; i++) assert_ok(ctx, gls_run_step(run, &done));
    for (int i = 0; i < LOOKS; i++) {
        for (int k = 0; k < APART; k++) assert_ok(ctx, gls_run_step(run, &done));
        look(ctx, run, balance, &of_steps);
        look(ctx, run, defect, &of_map);
    }
    const gls_figure *mean = gls_measure_result_find(&of_map, "invariance_defect");
    *out = (found){.step = gls_measure_result_get(&of_steps, "step_ratio"),
                   .plain = gls_measure_result_get(&of_steps, "equilibrium_ratio"),
                   .heuristic = gls_measure_result_get(&of_steps, "heuristic_ratio"),
                   .low = mean->low,
                   .high = mean->high};
    gls_measure_result_clear(&of_steps);
    gls_measure_result_clear(&of_map);
    gls_measure_destroy(balance);
    gls_measure_destroy(defect);
}

static found settled(const char *method, bool plain) {
    char text[1024];
    found out;
    snprintf(text, sizeof text, "%smethod: %s\n", PROBLEM, method);
    gls_context *ctx = make_context(1, 1);
    gls_value *config = config_from(ctx, text);
    gls_run *run = NULL;
    assert_ok(ctx, gls_run_create(ctx, &(gls_run_options){.size = sizeof(gls_run_options), .config = config}, &run));
    assert_ok(ctx, gls_run_begin(run));
    assert_ok(ctx, gls_run_keep_previous(run));
    watch(ctx, run, plain, &out);
    gls_run_destroy(run);
    gls_value_destroy(ctx, config);
    gls_context_destroy(ctx);
    return out;
}

static void the_step_ratio_is_one(void **state) {
    static const char *const methods[] = {
        "{name: sgd, lr: 0.05}",
        "{name: msgd, lr: 0.01, beta: 0.8}",
        "{name: adam, lr: 0.005}",
        "{name: sgd, lr: 0.05, weight_decay: 0.5}",
        "{name: clip, lr: 0.05, gamma: 1}",
        "{name: nag, lr: 0.02, beta: 0.5}",
        "{name: rmsprop, lr: 0.005}",
        "{name: adamw, lr: 0.005, weight_decay: 0.1}",
        "{name: amsgrad, lr: 0.01, beta2: 0.9}",
        "{name: sngd, lr: 0.02}",
        "{name: sngm, lr: 0.002}",
        "{name: ngd, lr: 0.02, beta: 0.1}",
        "{name: gclip, lr: 0.02, tau: 0.5}",
        "{name: cclip, lr: 0.02, tau: 0.2}",
        "{name: acclip, lr: 0.02}",
        "{name: lars, lr: 1, kappa: 0.01}",
    };
    for (size_t i = 0; i < sizeof methods / sizeof *methods; i++) {
        found f = settled(methods[i], i == 0);
        if (!(fabs(f.step - 1) < 0.05)) fail_msg("%s: step_ratio is %g, expected 1", methods[i], f.step);
        /* Three standard errors: 95% alone would fail one method in twenty. */
        if (!(fabs(f.low + f.high) / 2 < 1.5 * (f.high - f.low) / 2))
            fail_msg("%s: the defect is %g to %g, expected 0", methods[i], f.low, f.high);
        if (i == 0 && !(fabs(f.plain - 1) < 0.15)) fail_msg("equilibrium_ratio is %g, expected 1", f.plain);
        if ((i > 0) != isnan(f.plain)) fail_msg("%s: equilibrium_ratio is plain SGD's alone", methods[i]);
        if (i == 0 && !(f.heuristic > 0.05 && f.heuristic <= 0.5))
            fail_msg("heuristic_ratio is %g; with the largest curvature it is at most 1/2 at rest", f.heuristic);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(the_step_ratio_is_one)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
