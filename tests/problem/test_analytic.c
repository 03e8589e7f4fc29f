/* Analytic problems: gradients against central differences, oracles at kinks against one-sided ones, optimum and
 * constants by sampling, noise against its moments. In double. */
#include <glissade/glissade.h>
#include <glissade/run.h>

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { MOST = 64 };

typedef struct subject {
    const char *name, *options;
    bool smooth;
    double reach; /* points are drawn with coordinates of this size */
} subject;

static const subject subjects[] = {
    {"quadratic", "{dim: 5, L: 3, mu: 0.2}", true, 2},
    {"quadratic", "{dim: 6, L: 3, mu: 0.2, rotate: true, center: 0.5, spacing: linear}", true, 2},
    {"quadratic", "{spectrum: [1, 2, 4], center: -1}", true, 2},
    {"sphere_sum", "{dim: 12, examples: 20, lambda: 2}", true, 2},
    {"sines", "{}", true, 4},
    {"power", "{dim: 3, p: 4}", true, 3},
    {"power", "{dim: 2, p: 6, L1: 2}", true, 2},
    {"exponential", "{dim: 3, a: 1.5}", true, 2},
    {"steep_exponential", "{L1: 3}", true, 2},
    {"slow_linear", "{epsilon: 0.2}", true, 2},
    {"zero_chain", "{dim: 6}", true, 1.5},
    {"zero_chain", "{dim: 4, L: 10, epsilon: 0.1}", true, 4},
    {"geman_mcclure", "{dim: 4, examples: 15, scale: 2, center: 0.3}", true, 2},
    {"geman_mcclure", "{dim: 3, examples: 9, whole: true}", true, 2},
    {"rosenbrock", "{dim: 4}", true, 1.5},
    {"adam_divergence", "{examples: 5, steep: 6}", true, 0.5},
    {"bent_quadratic", "{L: 9, mu: 0.5}", true, 3},
    {"sawtooth", "{n: 7}", false, 1},
    {"clipped_norm", "{dim: 1}", false, 1},
    {"clipped_norm", "{dim: 4, depth: 2}", false, 1},
    {"max_affine", "{dim: 4, pieces: 9}", false, 2},
    {"zigzag", "{dim: 3, period: 0.5}", false, 2},
    {"resisting", "{points: [0, 1.5, -1, 0.25], theta: 0.3, L: 2}", false, 2},
    {"resisting_gradient", "{points: [0, 1.5, -1, 0.25], delta: 0.1, shift: 0.15}", false, 2},
    {"relu_net", "{hidden: 3, examples: 12, radius: 6}", false, 1},
};
enum { SUBJECTS = sizeof subjects / sizeof *subjects };

static gls_context *ctx;

static void check(gls_status status) {
    if (status != GLS_OK) fail_msg("%s: %s", gls_status_name(status), gls_context_message(ctx));
}

static gls_value *parsed(const char *text) {
    gls_value *value;
    check(gls_config_parse(ctx, "test", text, (int64_t)strlen(text), &value));
    return value;
}

static gls_problem *made(const char *name, const char *options) {
    gls_value *value = parsed(options);
    gls_problem *problem;
    check(gls_problem_create(ctx, name, value, NULL, &problem));
    gls_value_destroy(ctx, value);
    return problem;
}

/* Mean value and gradient over all examples; direction NULL: none. */
static double ask(gls_problem *p, const double *w, const double *direction, gls_mode mode, uint64_t draw, int64_t slot0,
                  double *g) {
    int64_t n = p->data.examples, d = gls_problem_size(p), index[MOST], slot[MOST];
    assert_true(n <= MOST);
    for (int64_t i = 0; i < n; i++) {
        index[i] = i;
        slot[i] = slot0 + i;
    }
    gls_batch rows = {.rows = n, .index = index, .slot = slot, .draw = draw};
    gls_point *at, *to;
    gls_evaluation *e;
    unsigned want = GLS_WANT_GRADIENT | (direction ? GLS_WANT_ORACLE : 0);
    check(gls_point_create(p, &at));
    check(gls_point_create(p, &to));
    check(gls_point_set(at, w));
    if (direction) check(gls_point_set(to, direction));
    check(gls_evaluation_create(p, n, want, mode, &e));
    gls_evaluate_args args = {.point = at,
                              .rows = &rows,
                              .want = want,
                              .mode = mode,
                              .direction = direction ? to : NULL,
                              .batch_mass = (double)n,
                              .batch_rows = n,
                              .seed = 7};
    check(gls_evaluate(e, &args));
    double value;
    check(gls_ask_loss(e, &value));
    if (g) {
        memset(g, 0, (size_t)d * sizeof *g);
        check(gls_ask_gradient(e, GLS_PRODUCT_GRADIENT, NULL, g));
        for (int64_t i = 0; i < d; i++) g[i] /= (double)n;
    }
    gls_evaluation_destroy(e);
    gls_point_destroy(at);
    gls_point_destroy(to);
    return value / (double)n;
}

static double value_at(gls_problem *p, const double *w, double *g) {
    return ask(p, w, NULL, GLS_MODE_EVALUATE, 0, 0, g);
}

static double dot(const double *x, const double *y, int64_t n) {
    double sum = 0;
    for (int64_t i = 0; i < n; i++) sum += x[i] * y[i];
    return sum;
}

static double along(gls_problem *p, const double *w, const double *direction, double t) {
    double x[MOST];
    for (int64_t i = 0; i < gls_problem_size(p); i++) x[i] = w[i] + t * direction[i];
    return value_at(p, x, NULL);
}

static void draw_point(gls_random *random, double reach, int64_t n, double *x) {
    for (int64_t i = 0; i < n; i++) x[i] = reach * (2 * gls_random_uniform(random) - 1);
}

static int every_subject(void (*test)(gls_problem *p, const subject *s, gls_random *random)) {
    for (int k = 0; k < SUBJECTS; k++) {
        gls_problem *p = made(subjects[k].name, subjects[k].options);
        gls_random random = gls_random_create(3, "test", (uint64_t)k, 0);
        test(p, &subjects[k], &random);
        gls_problem_destroy(p);
    }
    return 0;
}

static void gradient_of(gls_problem *p, const subject *s, gls_random *random) {
    int64_t d = gls_problem_size(p);
    int checked = 0;
    for (int trial = 0; trial < 40; trial++) {
        double w[MOST], u[MOST], g[MOST];
        draw_point(random, s->reach, d, w);
        draw_point(random, 1, d, u);
        double value = value_at(p, w, g), h = 1e-5;
        double right = (along(p, w, u, h) - value) / h, left = (value - along(p, w, u, -h)) / h;
        double slope = dot(g, u, d), scale = 1 + fabs(slope) + fabs(value);
        if (!s->smooth && fabs(right - left) > 1e-3) continue; /* a kink between */
        checked++;
        if (fabs(slope - 0.5 * (left + right)) > 2e-6 * scale)
            fail_msg("%s %s: <g, u> = %.12g, difference quotient %.12g", s->name, s->options, slope,
                     0.5 * (left + right));
    }
    assert_true(checked > 20);
}
static void test_gradients_are_central_differences(void **state) {
    every_subject(gradient_of);
}

/* Points at kinks: coordinates at 0, at a period, where a unit of the network closes exactly. */
static void kink_point(const subject *s, gls_random *random, int64_t d, double *w) {
    draw_point(random, s->reach, d, w);
    int64_t pick = gls_random_below(random, 5);
    for (int64_t i = 0; i < d; i++)
        if (pick == 0 || gls_random_uniform(random) < 0.3) w[i] = 0;
    if (strcmp(s->name, "zigzag") == 0)
        for (int64_t i = 0; i < d; i++) w[i] = 0.25 * (double)gls_random_below(random, 9) - 1;
    if (strcmp(s->name, "clipped_norm") == 0 && pick == 1) {
        for (int64_t i = 0; i < d; i++) w[i] = 0;
        w[0] = d == 1 ? -1 : 2;
    }
    static const double knots[] = {0 - 0.3 * 0.25, 0.125 - 0.3 * 0.25, 1.5 - 0.3 * 0.25, 0, 0.25};
    if (strcmp(s->name, "resisting") == 0) w[0] = knots[pick];
    static const double turns[] = {-1.2 + 0.15, -0.8 + 0.15, -0.5 + 0.15, 0.45 + 0.15, 0.875 + 0.15};
    if (strcmp(s->name, "resisting_gradient") == 0) w[0] = turns[pick];
    if (strcmp(s->name, "relu_net") == 0) /* units with w = b = 0 are closed by every point */
        for (int64_t j = 0; j < 3; j++)
            if (gls_random_uniform(random) < 0.5) w[2 * j] = w[2 * j + 1] = w[6 + j] = 0;
}

static void oracle_of(gls_problem *p, const subject *s, gls_random *random) {
    int64_t d = gls_problem_size(p);
    assert_true(p->oracle_exact);
    for (int trial = 0; trial < 60; trial++) {
        double w[MOST], u[MOST], g[MOST];
        kink_point(s, random, d, w);
        draw_point(random, 1, d, u);
        double value = ask(p, w, u, GLS_MODE_EVALUATE, 0, 0, g), h = 1e-7;
        double slope = dot(g, u, d), quotient = (along(p, w, u, h) - value) / h;
        if (fabs(slope - quotient) > 1e-5 * (1 + fabs(slope)) * (1 + fabs(value)))
            fail_msg("%s %s: <g, u> = %.9g, f'(w; u) = %.9g at w[0] = %.17g, u[0] = %g", s->name, s->options, slope,
                     quotient, w[0], u[0]);
        if (!isnan(gls_analytic_constants(p)->lipschitz) && sqrt(dot(w, w, d)) <= gls_analytic_constants(p)->radius)
            assert_true(sqrt(dot(g, g, d)) <= gls_analytic_constants(p)->lipschitz * (1 + 1e-12));
    }
}
static void test_oracles_are_directional_derivatives(void **state) {
    every_subject(oracle_of);
}

static void optimum_of(gls_problem *p, const subject *s, gls_random *random) {
    const gls_constants *c = gls_analytic_constants(p);
    int64_t d = gls_problem_size(p);
    if (isnan(c->minimum)) return;
    if (c->minimizer) assert_true(fabs(value_at(p, c->minimizer, NULL) - c->minimum) < 1e-9);
    for (int trial = 0; trial < 200; trial++) {
        double w[MOST];
        draw_point(random, s->reach * (trial % 2 == 0 ? 1 : 0.1), d, w);
        if (c->minimizer && trial % 4 < 2)
            for (int64_t i = 0; i < d; i++) w[i] = c->minimizer[i] + 0.1 * w[i];
        if (sqrt(dot(w, w, d)) > c->radius) continue;
        assert_true(value_at(p, w, NULL) >= c->minimum - 1e-12);
    }
}
static void test_the_minimum_is_one(void **state) {
    every_subject(optimum_of);
}

static void bound(const subject *s, const char *what, double measured, double most) {
    if (measured > most + 1e-6 * fabs(most) + 1e-9)
        fail_msg("%s %s: %s is %g, bound %g", s->name, s->options, what, measured, most);
}

static void constants_of(gls_problem *p, const subject *s, gls_random *random) {
    const gls_constants *c = gls_analytic_constants(p);
    int64_t d = gls_problem_size(p);
    double tightest = 0;
    for (int trial = 0; trial < 300; trial++) {
        double x[MOST], y[MOST], gx[MOST], gy[MOST], difference[MOST], near = trial % 3 == 0 ? 1e-4 : 1;
        draw_point(random, s->reach, d, x);
        draw_point(random, s->reach, d, y);
        for (int64_t i = 0; i < d; i++) y[i] = x[i] + near * (y[i] - x[i]);
        if (sqrt(dot(x, x, d)) > c->radius || sqrt(dot(y, y, d)) > c->radius) continue;
        double fx = value_at(p, x, gx), fy = value_at(p, y, gy), distance = 0, turn = 0;
        for (int64_t i = 0; i < d; i++) {
            difference[i] = y[i] - x[i];
            distance += difference[i] * difference[i];
            turn += (gy[i] - gx[i]) * (gy[i] - gx[i]);
        }
        distance = sqrt(distance);
        turn = sqrt(turn);
        double norm = sqrt(dot(gx, gx, d));
        if (!isnan(c->smoothness)) {
            bound(s, "|g(x) - g(y)|", turn, c->smoothness * distance);
            tightest = fmax(tightest, turn / (c->smoothness * distance + 1e-300));
        }
        if (!isnan(c->lipschitz)) bound(s, "|F(x) - F(y)|", fabs(fx - fy), c->lipschitz * distance);
        if (!isnan(c->convexity))
            bound(s, "strong convexity", fx + dot(gx, difference, d) + 0.5 * c->convexity * distance * distance,
                  fy + 1e-9);
        if (!isnan(c->pl)) bound(s, "2 pl (F - F*)", 2 * c->pl * (fx - c->minimum), norm * norm);
        if (!isnan(c->l0) && near < 1) bound(s, "curvature", turn / distance, (c->l0 + c->l1 * norm) * (1 + 1e-2));
    }
    if (c->smoothness > 0) assert_true(tightest > 0.15); /* not a constant that says nothing */
}
static void test_constants_bound_what_is_sampled(void **state) {
    every_subject(constants_of);
}

/* ---- noise ---- */

/* Noise of one draw at the minimum of a quadratic, where the exact gradient is zero. */
static void sample(gls_problem *p, const double *w, uint64_t draw, int64_t slot, double *noise) {
    double exact[MOST];
    value_at(p, w, exact);
    ask(p, w, NULL, GLS_MODE_TRAIN, draw, slot, noise);
    for (int64_t i = 0; i < gls_problem_size(p); i++) noise[i] -= exact[i];
}

static double mean_of(const char *noise, double (*of)(double)) {
    char text[200];
    snprintf(text, sizeof text, "{dim: 50, noise: %s}", noise);
    gls_problem *p = made("quadratic", text);
    double w[MOST] = {0}, x[MOST], sum = 0;
    for (uint64_t draw = 0; draw < 4000; draw++) {
        sample(p, w, draw, 0, x);
        for (int i = 0; i < 50; i++) sum += of(x[i]);
    }
    gls_problem_destroy(p);
    return sum / 200000;
}
static double itself(double x) {
    return x;
}
static double squared(double x) {
    return x * x;
}
static double wave(double x) {
    return cos(0.7 * x);
}
static double beyond(double x) {
    return fabs(x) > 4;
}
static double positive_beyond(double x) {
    return x > 4;
}

static void test_laws_of_noise(void **state) {
    assert_true(fabs(mean_of("{name: gaussian, scale: 2}", itself)) < 4 * 2 / sqrt(200000));
    assert_true(fabs(mean_of("{name: gaussian, scale: 2}", squared) - 4) < 4 * 4 * sqrt(2.0 / 200000));
    assert_true(fabs(mean_of("{name: sphere, scale: 3}", squared) - 9.0 / 50) < 1e-9);
    assert_true(fabs(mean_of("{name: sphere, scale: 3}", itself)) < 0.006);
    assert_true(fabs(mean_of("{name: student, dof: 5}", squared) - 5.0 / 3) < 0.05);
    assert_true(fabs(mean_of("{name: stable, index: 1.5}", wave) - exp(-pow(0.7, 1.5))) < 0.006);
    assert_true(fabs(mean_of("{name: stable, index: 1.2, scale: 2}", wave) - exp(-pow(1.4, 1.2))) < 0.006);
    assert_true(fabs(mean_of("{name: stable, index: 2}", squared) - 2) < 0.04);
    assert_true(fabs(mean_of("{name: pareto, index: 1.5}", beyond) - pow(4, -1.5)) < 0.004);
    assert_true(fabs(mean_of("{name: pareto, index: 1.5}", positive_beyond) - 0.5 * pow(4, -1.5)) < 0.003);
    assert_true(fabs(mean_of("{name: pareto_centred, index: 2.5}", itself)) < 0.03);
    /* 4 + mean 5/3 */
    assert_true(fabs(mean_of("{name: pareto_centred, index: 2.5}", positive_beyond) - pow(4 + 5.0 / 3, -2.5)) < 0.002);
}

static void test_noise_is_keyed_and_only_in_training(void **state) {
    gls_problem *p = made("quadratic", "{dim: 5, noise: gaussian}");
    double w[MOST] = {1, 2, 3, 4, 5}, a[MOST], b[MOST], exact[MOST];
    ask(p, w, NULL, GLS_MODE_TRAIN, 3, 0, a);
    ask(p, w, NULL, GLS_MODE_TRAIN, 3, 0, b);
    assert_memory_equal(a, b, 5 * sizeof *a);
    ask(p, w, NULL, GLS_MODE_TRAIN, 4, 0, b);
    assert_true(a[0] != b[0]);
    ask(p, w, NULL, GLS_MODE_TRAIN, 3, 1, b);
    assert_true(a[0] != b[0]);
    value_at(p, w, a);
    gls_problem *quiet = made("quadratic", "{dim: 5, noise: none}");
    ask(quiet, w, NULL, GLS_MODE_TRAIN, 3, 0, exact);
    assert_memory_equal(a, exact, 5 * sizeof *a);
    gls_problem_destroy(quiet);
    gls_problem_destroy(p);
}

static void test_two_point_noise_is_centred_with_moment_one(void **state) {
    gls_problem *p = made("quadratic", "{dim: 1, L: 1, mu: 1, center: 0.04, noise: {name: two_point, index: 1.5, "
                                       "epsilon: 0.04, nu: 1}}");
    double w[MOST] = {0.3}, x[MOST], sum = 0, moment = 0;
    for (uint64_t draw = 0; draw < 200000; draw++) {
        ask(p, w, NULL, GLS_MODE_TRAIN, draw, 0, x);
        sum += x[0];
        moment += pow(fabs(x[0]), 1.5);
    }
    gls_problem_destroy(p);
    assert_true(fabs(sum / 200000 - 0.26) < 0.03);
    assert_true(moment / 200000 < 1);
}

static void test_chance_noise_is_unbiased_on_the_next_coordinate(void **state) {
    gls_problem *p = made("zero_chain", "{dim: 6, noise: {name: chance, p: 0.2}}");
    double w[MOST] = {0.9, 0.6, 0.1}, exact[MOST], x[MOST], sum[6] = {0};
    value_at(p, w, exact);
    for (uint64_t draw = 0; draw < 20000; draw++) {
        ask(p, w, NULL, GLS_MODE_TRAIN, draw, 0, x);
        for (int i = 0; i < 6; i++) sum[i] += x[i] / 20000;
        for (int i = 0; i < 6; i++)
            if (i != 2) assert_true(x[i] == exact[i]);
        assert_true(x[2] == 0 || fabs(x[2] - 5 * exact[2]) < 1e-12);
    }
    gls_problem_destroy(p);
    assert_true(exact[2] != 0 && exact[3] == 0);
    assert_true(fabs(sum[2] / exact[2] - 1) < 0.06);
}

static void test_dragger_oracle_keeps_its_assumptions(void **state) {
    gls_problem *p = made("quadratic", "{dim: 6, L: 3, mu: 1, noise: {name: dragger, epsilon: 0.3, sigma: 2, c: 1.5, "
                                       "C: 2.5}}");
    double w[MOST] = {1, -2, 0.5, 3, 1, 1}, g[MOST], x[MOST], mean[6] = {0}, variance = 0, mu[6];
    value_at(p, w, g);
    double norm = sqrt(dot(g, g, 6));
    int draggers = 0, benign = 0, draws = 20000;
    for (int draw = 0; draw < draws; draw++) {
        ask(p, w, NULL, GLS_MODE_TRAIN, (uint64_t)draw, 0, x);
        double size = sqrt(dot(x, x, 6));
        if (fabs(dot(x, g, 6)) < 1e-9 * norm * size && size > 1.4 * norm && size < 2.6 * norm) {
            assert_true(size >= 1.5 * norm * (1 - 1e-12) && size <= 2.5 * norm * (1 + 1e-12));
            for (int i = 0; i < 6; i++) mu[i] = x[i] / size;
            draggers++;
            continue;
        }
        if (draggers > 0) assert_true(fabs(dot(x, mu, 6)) < 1e-9 * (size + 1));
        for (int i = 0; i < 6; i++) {
            mean[i] += x[i];
            variance += (x[i] - g[i]) * (x[i] - g[i]);
        }
        benign++;
    }
    gls_problem_destroy(p);
    assert_true(fabs((double)draggers / draws - 0.3) < 0.015);
    assert_true(fabs(variance / benign - 4) < 0.15);
    for (int i = 0; i < 6; i++) assert_true(fabs(mean[i] / benign - g[i]) < 0.05);
}

/* L = 25, mu = 1: 25 x^2/2 to 1, then slopes 25 to 26, then 26 and 25 more for each unit. */
static void test_a_bent_quadratic_by_hand(void **state) {
    static const double at[][3] = {{-2, 50, -50}, {0.5, 3.125, 12.5}, {1.5, 25.125, 25.5}, {3, 76.5, 51}};
    gls_problem *p = made("bent_quadratic", "{}");
    for (size_t i = 0; i < sizeof at / sizeof *at; i++) {
        double w[MOST] = {at[i][0]}, g[MOST];
        assert_true(fabs(value_at(p, w, g) - at[i][1]) < 1e-12);
        assert_true(fabs(g[0] - at[i][2]) < 1e-12);
    }
    gls_problem_destroy(p);
}

static void refused(const char *name, const char *options, const char *says) {
    gls_value *value = parsed(options);
    gls_problem *p = NULL;
    assert_int_equal(gls_problem_create(ctx, name, value, NULL, &p), GLS_ERR_ARGUMENT);
    assert_null(p);
    if (strstr(gls_context_message(ctx), says) == NULL) fail_msg("message: %s", gls_context_message(ctx));
    gls_value_destroy(ctx, value);
}

static void test_wrong_options_are_refused_by_name(void **state) {
    refused("quadratic", "{mu: 2, L: 1}", "above L");
    refused("quadratic", "{spectrum: [1, x]}", "spectrum[1]");
    refused("quadratic", "{noise: gausian}", "gaussian");
    refused("quadratic", "{noise: {name: stable, index: 2.5}}", "index");
    refused("quadratic", "{dim: 1, noise: dragger}", "two dimensions");
    refused("sphere_sum", "{examples: 7}", "even");
    refused("adam_divergence", "{examples: 5, steep: 3}", "steep");
    refused("bent_quadratic", "{mu: 30}", "at most L");
    refused("resisting", "{points: [3, inf]}", "points[1]");
    refused("quadratic", "{spectrum: [1, -1]}", "spectrum[1]");
    refused("quadratic", "{spectrum: []}", "at least 1 item");
}

static int setup(void **state) {
    gls_context_options options = {.size = sizeof options, .threads = 1, .seed = 1};
    return gls_context_create(&ctx, &options);
}
static int teardown(void **state) {
    gls_context_destroy(ctx);
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_gradients_are_central_differences),
        cmocka_unit_test(test_oracles_are_directional_derivatives),
        cmocka_unit_test(test_the_minimum_is_one),
        cmocka_unit_test(test_constants_bound_what_is_sampled),
        cmocka_unit_test(test_laws_of_noise),
        cmocka_unit_test(test_noise_is_keyed_and_only_in_training),
        cmocka_unit_test(test_two_point_noise_is_centred_with_moment_one),
        cmocka_unit_test(test_chance_noise_is_unbiased_on_the_next_coordinate),
        cmocka_unit_test(test_dragger_oracle_keeps_its_assumptions),
        cmocka_unit_test(test_a_bent_quadratic_by_hand),
        cmocka_unit_test(test_wrong_options_are_refused_by_name),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
