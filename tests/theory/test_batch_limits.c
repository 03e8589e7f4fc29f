/* [D] theorems 4 to 7 with the batch at 1 + delta B_S, where they would first fail, and theorem 8 with varying batches.
 */
#include "diversity.h"

static const double delta = 0.5;

/* E of what end gives after the theorem's number of gradients, in batches of B: the rate is that of sums. */
static double reached(gls_problem *p, const char *in, int64_t B, const char *project, const char *average,
                      const double *start, int64_t repeat, double (*of)(const gls_solution *), double *T) {
    double lr = theory_value(in, "lr"), mean = 0;
    *T = theory_value(in, "gradients");
    outcome o = solved(p, (plan){.method = text("{name: sgd, lr: %.15g%s}", lr * (double)B, project),
                                 .average = average,
                                 .steps = (int64_t)ceil(*T / (double)B),
                                 .batch = B,
                                 .repeat = repeat,
                                 .seed = 3,
                                 .init = start});
    for (int64_t i = 0; i < repeat; i++) mean += of(&o.solution[i]) / (double)repeat;
    outcome_free(&o);
    return mean;
}

static double square_distance(const gls_solution *s) {
    return s->end.distance * s->end.distance;
}
static double value(const gls_solution *s) {
    return s->end.value;
}

/* The sphere inside |w| <= 0.1: B_S = 1 + 1/|w|^2 >= 101, M^2 = 1 + |w|^2 <= 1.01. */
static void test_strongly_convex(void **state) {
    (void)state;
    int64_t repeat = full ? 4000 : 200, B = (int64_t)(1 + delta * 101);
    gls_problem *p = problem_of("sphere_sum", "{dim: 12, examples: 60, lambda: 1}");
    const double start[12] = {0.1}, eps = 0.002;
    double T;
    const char *in = text("{theorem: diversity_strongly_convex, lambda: 1, M2: 1.01, D0: 0.01, eps: %g, B: %lld, "
                          "BS: 101, delta: %g}",
                          eps, (long long)B, delta);
    double mean = reached(p, in, B, ", project: {ball: 0.1}", NULL, start, repeat, square_distance, &T);
    verdict(text("[D] thm 4, B = %lld = 1 + delta B_S, gamma/(1+delta): E|w_T - w*|^2 after %.0f gradients",
                 (long long)B, T),
            text("%.5f", mean), text("<= %.5f", eps), repeat, mean <= eps);
    gls_problem_destroy(p);
}

/* slow_linear with slope 0.1: noise of variance 1 gives B_S = 1 + 1/|grad F|^2 >= 101. */
static void test_convex(void **state) {
    (void)state;
    int64_t repeat = full ? 1000 : 50, B = (int64_t)(1 + delta * 101);
    gls_problem *p = problem_of("slow_linear", "{epsilon: 0.05, noise: {name: sphere, scale: 1}}");
    const double far[1] = {3}, eps = 0.05;
    double T;
    const char *in = text("{theorem: diversity_convex, M2: 1.01, D0: 9, eps: %g, B: %lld, BS: 101, delta: %g}", eps,
                          (long long)B, delta);
    double mean = reached(p, in, B, "", "{name: uniform}", far, repeat, value, &T);
    verdict(text("[D] thm 5, B = %lld = 1 + delta B_S, gamma/(1+delta): E F(average) - F* after %.0f gradients",
                 (long long)B, T),
            text("%.4f", mean), text("<= %.4f", eps), repeat, mean <= eps);
    gls_problem_destroy(p);
}

/* A non-convex function with |grad F| <= l and noise of variance 1: B_S >= 1 + 1/l^2. */
static void test_smooth(void **state) {
    (void)state;
    enum { MARKS = 40 };
    int64_t repeat = full ? 400 : 20, mark[MARKS];
    gls_problem *p = problem_of("geman_mcclure", "{dim: 4, examples: 40, scale: 0.3, center: 0.3, noise: {name: "
                                                 "sphere, scale: 1}}");
    const gls_constants *c = gls_analytic_constants(p);
    double w[4] = {1.2, -0.5, 0.9, -0.2}, gap = ask(p, w, GLS_MODE_EVALUATE, 0, 0, NULL) - c->minimum;
    double limit = 1 + 1 / (c->lipschitz * c->lipschitz), eps = 0.2 * c->lipschitz * c->lipschitz, least = INFINITY;
    int64_t B = (int64_t)(1 + delta * limit);
    const char *in = text("{theorem: diversity_smooth, beta: %.15g, M2: %.15g, gap: %.15g, eps: %.15g, B: %lld, BS: "
                          "%.15g, delta: %g}",
                          c->smoothness, 1 + c->lipschitz * c->lipschitz, gap, eps, (long long)B, limit, delta);
    double T = theory_value(in, "gradients");
    int64_t steps = (int64_t)ceil(T / (double)B);
    for (int m = 0; m < MARKS; m++) mark[m] = steps * (m + 1) / MARKS;
    outcome o = solved(p, (plan){.method = text("{name: sgd, lr: %.15g}", theory_value(in, "lr") * (double)B),
                                 .steps = steps,
                                 .batch = B,
                                 .repeat = repeat,
                                 .seed = 3,
                                 .init = w,
                                 .marks = MARKS,
                                 .mark = mark});
    for (int m = 0; m < MARKS; m++) {
        double mean = 0;
        for (int64_t i = 0; i < repeat; i++) mean += pow(o.figures[i * MARKS + m].gradient_norm, 2) / (double)repeat;
        least = fmin(least, mean);
    }
    verdict(text("[D] thm 6, B = %lld = 1 + delta B_S, gamma/(1+delta): min E|grad F|^2 after %.0f gradients",
                 (long long)B, T),
            text("%.5f", least), text("<= %.5f", eps), repeat, least <= eps);
    outcome_free(&o);
    gls_problem_destroy(p);
}

/* A quadratic inside |w| <= 0.1 with noise of variance 1: |grad F|^2 <= 0.01, B_S >= 101. */
static void test_pl(void **state) {
    (void)state;
    int64_t repeat = full ? 2000 : 100, B = (int64_t)(1 + delta * 101);
    gls_problem *p = problem_of("quadratic", "{dim: 4, L: 1, mu: 0.25, noise: {name: sphere, scale: 1}}");
    const double corner[4] = {0.05, 0.05, 0.05, 0.05}, eps = 0.001;
    double T, gap = ask(p, corner, GLS_MODE_EVALUATE, 0, 0, NULL);
    const char *in = text("{theorem: diversity_pl, mu: 0.25, beta: 1, M2: 1.01, gap: %.15g, eps: %g, B: %lld, BS: 101, "
                          "delta: %g}",
                          gap, eps, (long long)B, delta);
    double mean = reached(p, in, B, ", project: {ball: 0.1}", NULL, corner, repeat, value, &T);
    verdict(
        text("[D] thm 7, B = %lld = 1 + delta B_S, gamma/(1+delta): E F - F* after %.0f gradients", (long long)B, T),
        text("%.6f", mean), text("<= %.6f", eps), repeat, mean <= eps);
    gls_problem_destroy(p);
}

/* ---- theorem 8 with varying batches ---- */

enum { DIM = 12, EXAMPLES = 60, MOST_ROWS = 8 };

/* w - step times the sum of the gradients of B examples drawn with replacement. */
static void descend(gls_evaluation *e, gls_point *at, int64_t B, double step, gls_random *random, double *w) {
    int64_t index[MOST_ROWS], slot[MOST_ROWS];
    double g[DIM] = {0};
    for (int64_t k = 0; k < B; k++) {
        index[k] = gls_random_below(random, EXAMPLES);
        slot[k] = k;
    }
    gls_batch rows = {.rows = B, .index = index, .slot = slot};
    gls_evaluate_args args = {.point = at,
                              .rows = &rows,
                              .want = GLS_WANT_GRADIENT,
                              .mode = GLS_MODE_EVALUATE,
                              .batch_mass = (double)B,
                              .batch_rows = B};
    check(gls_point_set(at, w));
    check(gls_evaluate(e, &args));
    check(gls_ask_gradient(e, GLS_PRODUCT_GRADIENT, NULL, g));
    for (int i = 0; i < DIM; i++) w[i] -= step * g[i];
}

/* f_i = (lambda/2)|w - x_i|^2 with |x_i| = 1, sum x_i = 0: E|w+|^2 = (1 - a B)^2 |w|^2 + a^2 B with a = step lambda,
 * for any order of batches. The lower bound c'(1 + delta) step M^2/lambda, delta = (min B - 1)/E B_S, leaves c' open.
 */
static void test_varying_batches(void **state) {
    (void)state;
    static const int64_t sizes[] = {1, 5, 2, 4, 5, 3};
    const double step = 0.05, lambda = 2;
    int64_t repeat = full ? 40000 : 2000, steps = 90;
    double *squares = malloc((size_t)repeat * sizeof *squares), want = 0.09, bound = 0, error;
    assert_non_null(squares);
    gls_problem *p = problem_of("sphere_sum", "{dim: 12, examples: 60, lambda: 2}");
    gls_point *at;
    gls_evaluation *e;
    check(gls_point_create(p, &at));
    check(gls_evaluation_create(p, MOST_ROWS, GLS_WANT_GRADIENT, GLS_MODE_EVALUATE, &e));
    for (int64_t t = 0; t < steps; t++) {
        double a = step * lambda, B = (double)sizes[t % 6];
        want = (1 - a * B) * (1 - a * B) * want + a * a * B;
    }
    for (int64_t i = 0; i < repeat; i++) {
        double w[DIM] = {0.3};
        gls_random random = gls_random_create(12, "varying batches", (uint64_t)i, 0);
        for (int64_t t = 0; t < steps; t++) descend(e, at, sizes[t % 6], step, &random, w);
        squares[i] = 0;
        for (int k = 0; k < DIM; k++) squares[i] += w[k] * w[k];
        bound += (1 + 1 / squares[i]) / (double)repeat; /* E B_S */
    }
    double mean = mean_of(squares, repeat, &error);
    verdict("[D] thm 8: E|w_T|^2 with batches 1, 5, 2, 4, 5, 3, 1, ... at step 0.05, lambda = 2",
            text("%.5f +- %.5f", mean, 1.96 * error), text("%.5f", want), repeat, fabs(mean - want) < 4.5 * error);
    verdict("[D] thm 8: that over (1 + delta) step M^2/lambda, delta = 0 as the least batch is 1",
            text("%.3f (E B_S = %.0f)", mean * lambda / (step * lambda * lambda * (1 + mean)), bound),
            "above a constant c', reported", repeat, true);
    gls_evaluation_destroy(e);
    gls_point_destroy(at);
    gls_problem_destroy(p);
    free(squares);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_strongly_convex), cmocka_unit_test(test_convex),
                                       cmocka_unit_test(test_smooth), cmocka_unit_test(test_pl),
                                       cmocka_unit_test(test_varying_batches)};
    return cmocka_run_group_tests(tests, theory_setup, theory_teardown);
}
