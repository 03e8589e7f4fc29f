/* [T] table 4.1, the non-convex column: with theorem 2's rate and threshold for each length K, the mean of E|grad F|^2
 * falls at least as fast as K^-(2 alpha - 2)/(3 alpha - 2); the table prints the rate of |grad F|, its root. */
#include "theory.h"

typedef struct tail {
    double alpha, p; /* of the stable law (2: normal); the moment that is used, below alpha where alpha < 2 */
} tail;

static double at_length(gls_problem *problem, const tail *t, double G, double gap, int64_t K, int64_t repeat) {
    const gls_constants *c = gls_analytic_constants(problem);
    const double start[5] = {0.6, -0.6, 0.5, 0.4, -0.5};
    const char *values = text("{theorem: gclip_nonconvex, G: %.12g, alpha: %.12g, L: %.12g, gap: %.12g, K: %lld}", G,
                              t->p, c->smoothness, gap, (long long)K);
    outcome o = solved(problem, (plan){.method = text("{name: gclip, beta1: 0, lr: %.12g, tau: %.12g}",
                                                      theory_value(values, "lr"), theory_value(values, "tau")),
                                       .steps = K,
                                       .repeat = repeat,
                                       .init = start,
                                       .follow = true,
                                       .seed = 17});
    double mean = 0;
    for (int64_t r = 0; r < repeat; r++) mean += o.solution[r].mean_norm2 / (double)repeat;
    outcome_free(&o);
    return mean;
}

static void test_nonconvex_rates(void **state) {
    enum { LENGTHS = 3 };
    static const tail tails[] = {{1.3, 1.25}, {1.6, 1.5}, {2, 2}};
    int64_t repeat = full ? 16 : 4, first = full ? 16000 : 4000;
    (void)state;
    for (int k = 0; k < 3; k++) {
        const tail *t = &tails[k];
        double x[LENGTHS], y[LENGTHS], rate = -(2 * t->p - 2) / (3 * t->p - 2);
        gls_problem *problem = problem_of(
            "geman_mcclure",
            t->alpha < 2
                ? text("{dim: 5, examples: 2, scale: 2, noise: {name: stable, index: %g, scale: 0.1}}", t->alpha)
                : "{dim: 5, examples: 2, scale: 2, noise: {name: gaussian, scale: 0.1}}");
        const double start[5] = {0.6, -0.6, 0.5, 0.4, -0.5};
        double gap = ask(problem, start, GLS_MODE_EVALUATE, 0, 0, NULL) - gls_analytic_constants(problem)->minimum;
        for (int i = 0; i < LENGTHS; i++) {
            int64_t K = first << (2 * i);
            x[i] = log((double)K);
            y[i] = log(at_length(problem, t, 2, gap, K, repeat));
        }
        double slope = slope_of(x, y, LENGTHS);
        verdict(text("[T] table 4.1, non-convex: exponent of K in mean E|grad F|^2 of gclip, alpha = %g, moment %g",
                     t->alpha, t->p),
                text("%.3f", slope), text("<= %.3f", rate), repeat * LENGTHS, slope <= rate + 0.03);
        gls_problem_destroy(problem);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_nonconvex_rates)};
    return cmocka_run_group_tests(tests, theory_setup, theory_teardown);
}
