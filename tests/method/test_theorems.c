/* Theorems: every value has a row that says what it is, mended values against the formulas worked out here, conditions
 * refused; and the edges of rules that those audits found. */
#include "support.h"

static double value_of(gls_context *ctx, const char *text, const char *name) {
    gls_value *given = yaml(ctx, text);
    gls_record out;
    if (gls_theory_values(ctx, given, &out) != GLS_OK) fail_msg("%s: %s", text, gls_context_message(ctx));
    gls_value_destroy(ctx, given);
    return gls_record_get(&out, name);
}

static void is_close(double x, double y) {
    if (!(fabs(x - y) <= 1e-9 * fabs(y))) fail_msg("%.12g, expected %.12g", x, y);
}

static void stability_of_single_examples(void **state) {
    gls_context *ctx = test_context(1);
    /* [D] (9) at B = 1: 2/beta; at B = 3: 2/(1 + 1/10 + 2/4); the bound is 2 lr L^2 T/n. */
    is_close(value_of(ctx, "{theorem: diversity_stability, beta: 1, n: 11, B: 1, L: 1, T: 11}", "lr"), 2);
    is_close(value_of(ctx, "{theorem: diversity_stability, beta: 1, n: 11, B: 3, BS: 4, L: 1, T: 11}", "lr"), 1.25);
    is_close(value_of(ctx, "{theorem: diversity_stability, beta: 1, n: 11, B: 1, L: 3, T: 22}", "bound"), 72);
    const char *convex = "{theorem: diversity_stability_strongly_convex, beta: 1, lambda: 1, n: 11, B: 1, L: 1}";
    is_close(value_of(ctx, convex, "bound"), 0.4);
    is_close(value_of(ctx, convex, "lr"), 0.5);
    gls_context_destroy(ctx);
}

static void constants_that_were_lost(void **state) {
    gls_context *ctx = test_context(1);
    /* [N] (6): sqrt(1e8) (1/4)/(3/2)/10 = 166.7 against 1e8^(1/4) = 100; at L = 100: 16.67. */
    is_close(value_of(ctx, "{theorem: msgd_limits, L: 10, C: 1e8, beta: 0.5}", "batch_limit"), 100);
    is_close(value_of(ctx, "{theorem: msgd_limits, L: 100, C: 1e8, beta: 0.5}", "batch_limit"), 1e4 / 600);
    /* [T] thm 4.4.1: tau >= 32 sigma, constant 60. */
    const char *noise = "{theorem: gclip_noise, sigma: 0.1, alpha: 1.5, L: 1, gap: 1, K: 1e4}";
    is_close(value_of(ctx, noise, "tau"), 3.2);
    is_close(value_of(ctx, noise, "bound"), 60 * pow(32, 1.5) / 1e4);
    /* ngd: twice clip's 20 2/0.01 + 20 16/2 */
    is_close(value_of(ctx, "{theorem: ngd, L0: 2, L1: 4, gap: 1, eps: 0.1}", "steps"), 2 * (4000 + 160));
    /* [T] thm 3.4.4: gap 1 + (5 + 0.4) 0.04 + 9 0.2 = 3.016; 4 gap^2/eps^4, eta 1/sqrt of it, gamma 1/(16 eta). */
    const char *noisy = "{theorem: clip_noise, L0: 1, L1: 1, tau: 0.2, gap: 1, eps: 0.1}";
    is_close(value_of(ctx, noisy, "steps"), 4 * 3.016 * 3.016 * 1e4);
    is_close(value_of(ctx, noisy, "lr"), 0.01 / (2 * 3.016));
    is_close(value_of(ctx, noisy, "gamma"), 2 * 3.016 / 0.16);
    is_close(value_of(ctx, "{theorem: clip_noise, L0: 1, L1: 1, tau: 0.2, gap: 1, eps: 9}", "lr"), 1 / 25.6);
    /* cclip with B_i = 1: the rate of gclip with G = 1 divided by d^(alpha/(3 alpha - 2)) = 12730^0.6 = 290.1. */
    double whole = value_of(ctx, "{theorem: gclip_nonconvex, G: 1, alpha: 1.5, L: 1, gap: 1, K: 1e4}", "lr");
    const char *each = "{theorem: cclip_nonconvex, B_i: 1, d: 12730, alpha: 1.5, L: 1, gap: 1, K: 1e4}";
    is_close(whole / value_of(ctx, each, "lr"), pow(12730, 0.6));
    is_close(value_of(ctx, each, "tau"), pow(value_of(ctx, each, "lr"), -1 / 1.5));
    gls_context_destroy(ctx);
}

static void conditions_are_refused(void **state) {
    static const char *const wrong[][2] = {
        {"{theorem: microbatch_clipped, L: 1, gap: 1, T: 100, b: 4, eps: 0.2}", "1/(b + 1) < eps"},
        {"{theorem: microbatch_clipped, L: 1, gap: 1, T: 100, b: 4, eps: 0.05}", "1/(b + 1) < eps"},
        {"{theorem: microbatch_sgd, L: 1, gap: 1, T: 100, B: 4, eps: 0.05}", "C > 0"},
        {"{theorem: sngm_relaxed, L: 1, lambda: 1, gap: 1, sigma: 1, C: 100, beta: 0.9}", "lr <= lr_limit"},
        {"{theorem: sngm_optimal, L: 1, gap: 100, sigma: 0.1, C: 100}", "batch >= 1"},
        {"{theorem: diversity_stability, beta: 1, n: 11, B: 3, L: 1, T: 11}", "BS >= 1"},
        {"{theorem: diversity_convex, M2: 1, D0: 1, eps: 0.1, delta: 0.5, B: 4, BS: 5}", "B <= 1 + delta BS"},
        {"{theorem: gclip_noise, sigma: 1, alpha: 1, L: 1, gap: 1, K: 10}", "'alpha'"},
    };
    gls_context *ctx = test_context(1);
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        gls_value *given = yaml(ctx, wrong[i][0]);
        gls_record out;
        assert_int_equal(gls_theory_values(ctx, given, &out), GLS_ERR_ARGUMENT);
        if (!strstr(gls_context_message(ctx), wrong[i][1])) fail_msg("%s", gls_context_message(ctx));
        gls_value_destroy(ctx, given);
    }
    gls_layout *layout = one_block(ctx, 1);
    gls_method *method;
    const char *other = "{name: cclip, from_theory: {theorem: gclip_nonconvex, G: 1, alpha: 1.5, L: 1, gap: 1, K: 9}}";
    assert_int_equal(try_method(ctx, layout, other, &method), GLS_ERR_ARGUMENT);
    assert_non_null(strstr(gls_context_message(ctx), "not about method cclip"));
    gls_layout_destroy(layout);
    gls_context_destroy(ctx);
}

/* With inputs that satisfy every condition, what a theorem computes is what its rows name. */
static void every_value_is_described(void **state) {
    const gls_theorem *theorem;
    gls_context *ctx = test_context(1);
    for (int64_t i = 0; (theorem = gls_theorem_at(i)); i++) {
        char text[1000] = "{theorem: ";
        strcat(text, theorem->member.name);
        for (const gls_option *o = theorem->member.options; o->key; o++) {
            if (!strchr(o->help, '[') || o->help[strlen(o->help) - 1] != ']') fail_msg("%s: no unit", o->help);
            double x = strcmp(o->key, "alpha") == 0 ? 1.5
                       : strcmp(o->key, "C") == 0   ? 100
                       : o->maximum == 1            ? 0.3
                                                    : 0.9;
            if (strcmp(o->key, "C") == 0 && strstr(theorem->member.name, "microbatch")) x = 2;
            if (strcmp(o->key, "T") == 0 || strcmp(o->key, "K") == 0) x = 1000;
            if (strcmp(o->key, "b") == 0 || strcmp(o->key, "n") == 0) x = 8;
            if (strcmp(o->key, "B") == 0 || strcmp(o->key, "d") == 0) x = 1;
            if (strcmp(o->key, "lambda") == 0 || strcmp(o->key, "mu") == 0) x = 0.05;
            if (strcmp(o->key, "eps") == 0) x = 0.3;
            snprintf(text + strlen(text), 40, ", %s: %g", o->key, x);
        }
        strcat(text, "}");
        gls_value *given = yaml(ctx, text);
        gls_record out;
        if (gls_theory_values(ctx, given, &out) != GLS_OK) fail_msg("%s: %s", text, gls_context_message(ctx));
        gls_value_destroy(ctx, given);
        int rows = 0;
        for (const gls_theorem_output *o = theorem->outputs; o->name; o++, rows++)
            if (isnan(gls_record_get(&out, o->name))) fail_msg("%s gives no %s", theorem->member.name, o->name);
        assert_int_equal(rows, out.count);
    }
    gls_context_destroy(ctx);
}

/* The first step of lars on one block of weights w and gradients g: w - w+. */
static double lars_step(const char *options, double w0, double g0) {
    gls_context *ctx = test_context(1);
    gls_layout *layout;
    int64_t size = 1;
    assert_int_equal(gls_layout_create(ctx, &layout), GLS_OK);
    assert_int_equal(gls_layout_add(layout, "bias", 1, &size, GLS_BLOCK_NO_DECAY), GLS_OK);
    gls_method *method;
    assert_int_equal(try_method(ctx, layout, options, &method), GLS_OK);
    gls_real w[1] = {(gls_real)w0}, g[1] = {(gls_real)g0};
    assert_int_equal(gls_method_step(method, w, g, NULL), GLS_OK);
    gls_method_destroy(method);
    gls_layout_destroy(layout);
    gls_context_destroy(ctx);
    return w0 - (double)w[0];
}

static void lars_has_limits(void **state) {
    /* l lambda w with l = kappa/lambda: kappa |w| */
    const char *decay = "{name: lars, lr: 1, beta: 0, kappa: 0.01, weight_decay: 0.1, decay_all: true}";
    assert_true(fabs(lars_step(decay, 2, 0) - 0.02) < 1e-6);
    assert_true(fabs(lars_step(decay, 2, 1e-30) - 0.02) < 1e-6);
    assert_true(lars_step("{name: lars, lr: 1, beta: 0, weight_decay: 0.1}", 2, 0) == 0); /* no decay of a bias */
    assert_true(fabs(lars_step("{name: lars, lr: 1, beta: 0}", 0, 3) + -3) < 1e-6);
    assert_true(lars_step("{name: lars, lr: 1, beta: 0, zero_weights: stay}", 0, 3) == 0);
}

static void long_gradients_freeze_nothing(void **state) {
    static const char *const rules[] = {"adam", "adamw", "amsgrad", "rmsprop", "adagrad", "lamb"};
    double scale = sizeof(gls_real) == 4 ? 1e20 : 1e160;
    for (size_t i = 0; i < sizeof rules / sizeof *rules; i++) {
        gls_context *ctx = test_context(1);
        gls_method *method;
        gls_real w[2] = {1, 1}, g[2] = {(gls_real)scale, 1};
        assert_int_equal(gls_method_create_named(ctx, rules[i], 2, &method), GLS_OK);
        gls_step_report report = {0};
        gls_status status = gls_method_step(method, w, g, &report);
        assert_true(status == GLS_ERR_NONFINITE || (sizeof(gls_real) == 8 && report.refused));
        assert_true(w[0] == 1 && w[1] == 1 && gls_method_steps(method) == 0);
        g[0] = 1;
        assert_int_equal(gls_method_step(method, w, g, NULL), GLS_OK);
        assert_true(w[0] < 1 && w[0] == w[1]);
        gls_method_destroy(method);
        gls_context_destroy(ctx);
    }
}

static void acclip_takes_one_of_the_two(void **state) {
    gls_context *ctx = test_context(1);
    gls_layout *layout = one_block(ctx, 1);
    gls_method *method;
    assert_int_equal(try_method(ctx, layout, "{name: acclip, tau0: 1, bias_correction: true}", &method),
                     GLS_ERR_ARGUMENT);
    assert_non_null(strstr(gls_context_message(ctx), "tau0"));
    gls_layout_destroy(layout);
    gls_context_destroy(ctx);
}

static void theorems_give_values(void **state) {
    gls_context *ctx = test_context(1);
    gls_layout *layout = one_block(ctx, 1);
    gls_method *method = make_method(ctx, layout, "{name: nag, from_theory: {theorem: nag, L: 9, mu: 1}}");
    gls_real w[1] = {1}, g[1] = {9};
    gls_step_report report;
    assert_int_equal(gls_method_step(method, w, g, &report), GLS_OK);
    assert_true(fabs(report.lr - 1.0 / 9) < 1e-12 && fabs((double)w[0] + 0.5) < 1e-6); /* beta = 1/2 */
    gls_method_destroy(method);
    /* what is given explicitly stays */
    method = make_method(ctx, layout, "{name: nag, lr: 0.3, from_theory: {theorem: nag, L: 9, mu: 1}}");
    assert_int_equal(gls_method_step(method, w, g, &report), GLS_OK);
    assert_true(report.lr == 0.3);
    gls_method_destroy(method);
    method =
        make_method(ctx, layout, "{name: singd, from_theory: {theorem: singd, L: 1, delta: 0.1, eps: 0.1, gap: 1}}");
    gls_method_destroy(method);
    const char *clip = "{theorem: clip, L0: 2, L1: 4, gap: 1, eps: 0.1}";
    assert_true(fabs(value_of(ctx, clip, "lr") - 0.05) < 1e-12 && fabs(value_of(ctx, clip, "gamma") - 0.5) < 1e-12);
    assert_true(fabs(value_of(ctx, clip, "steps") - (20 * 2 / 0.01 + 20 * 16 / 2.0)) < 1e-6);
    /* cor. 1 minimises theorem 1's bound: moving either value makes it larger. */
    const char *sngm = "{theorem: sngm_optimal, L: 3, gap: 2, sigma: 5, C: 1e6, beta: 0.5}";
    double B = value_of(ctx, sngm, "batch"), lr = value_of(ctx, sngm, "lr"), kappa = 1.5 / 0.25, least = INFINITY;
    for (int i = -2; i <= 2; i++)
        for (int j = -2; j <= 2; j++) {
            double b = B * pow(1.2, i), e = lr * pow(1.2, j);
            double bound = 2 * 0.5 * 2 / (e * 1e6 / b) + 3 * kappa * e + 2 * 5 / sqrt(b);
            if (i == 0 && j == 0) assert_true(fabs(bound - value_of(ctx, sngm, "bound")) < 1e-9 * bound);
            if (i == 0) least = fmin(least, bound);
        }
    assert_true(least >= value_of(ctx, sngm, "bound") * (1 - 1e-9));
    const char *singd = "{theorem: singd, L: 1, sigma: 0, delta: 0.5, eps: 0.5, gap: 1}";
    double p = 64 * log(32) / (0.5 * 0.25);
    assert_true(fabs(value_of(ctx, singd, "p") - p) < 1e-9 * p && fabs(value_of(ctx, singd, "q") - 4 * p) < 1e-8 * p);
    assert_true(fabs(value_of(ctx, singd, "beta") - (1 - 0.25 / 64)) < 1e-12);
    gls_layout_destroy(layout);
    gls_context_destroy(ctx);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(theorems_give_values),          cmocka_unit_test(stability_of_single_examples),
        cmocka_unit_test(constants_that_were_lost),      cmocka_unit_test(conditions_are_refused),
        cmocka_unit_test(every_value_is_described),      cmocka_unit_test(lars_has_limits),
        cmocka_unit_test(long_gradients_freeze_nothing), cmocka_unit_test(acclip_takes_one_of_the_two)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
