/* [T] table 5.1, all cells but the two that chapter 5 proves (test_nonsmooth.c): the gradients asked for grow with the
 * accuracy eps to the power that the table prints, each method with the rate that its proof sets for K gradients. Where
 * the instance is hard the power is attained, so a wrong one would show on both sides. */
#include "theory.h"

typedef struct cell {
    const char *name, *problem, *options, *method, *average;
    double lr, lr_power, momentum; /* rate lr K^lr_power, beta = 1 - momentum/K (0: no beta) */
    double exponent, slack;        /* of the table; it is attained within the slack where `attained` */
    double sigma;                  /* of the noise in every coordinate */
    bool attained, norm;           /* error: |grad F|, averaged over the way, or F - min F at the result */
    int64_t first;
} cell;

enum { GRADES = 4, MOST = 64 };

/* Eigenvalues from L down to 1e-7 L and a start of equal coordinates: gradient descent gains K^-1, no more. */
static const char long_valley[] = "dim: 60, L: 1, mu: 1e-7";

static const cell cells[] = {
    {"convex, smooth: nag", "quadratic", long_valley, "nag", NULL, 1, 0, 8, -0.5, 0.04, 0, true, false, 100},
    {"convex, smooth: sgd, which is not accelerated", "quadratic", long_valley, "sgd", NULL, 1, 0, 0, -1, 0.05, 0, true,
     false, 100},
    {"convex, Lipschitz: sgd, averaged", "max_affine", "dim: 5, pieces: 20", "sgd", "{name: uniform}", 0.5, -0.5, 0, -2,
     0.1, 0, false, false, 400},
    {"convex, smooth, stochastic: sgd, averaged", "quadratic", long_valley, "sgd", "{name: uniform}", 1, -0.5, 0, -2,
     0.15, 0.3, true, false, 400},
    {"convex, Lipschitz, stochastic: sgd, averaged", "max_affine", "dim: 5, pieces: 20", "sgd", "{name: uniform}", 0.5,
     -0.5, 0, -2, 0.1, 0.3, false, false, 400},
    {"non-convex, smooth, stochastic: sgd", "geman_mcclure", "dim: 5, examples: 2, scale: 2", "sgd", NULL, 4, -0.5, 0,
     -4, 0.4, 1, true, true, 4000},
};
enum { CELLS = sizeof cells / sizeof *cells };

static double error_after(const cell *c, gls_problem *problem, int64_t K, int64_t repeat) {
    double start[MOST], error = 0, lr = c->lr * pow((double)K, c->lr_power);
    for (int i = 0; i < MOST; i++) start[i] = i % 2 == 0 ? 1 : -0.8;
    const char *beta = c->momentum > 0 ? text(", beta: %.12g", 1 - c->momentum / (double)K) : "";
    outcome o = solved(problem, (plan){.method = text("{name: %s, lr: %.12g%s}", c->method, lr, beta),
                                       .average = c->average,
                                       .steps = K,
                                       .batch = c->sigma > 0 && !c->norm ? 1 : 0,
                                       .repeat = repeat,
                                       .init = start,
                                       .follow = c->norm,
                                       .seed = 23});
    for (int64_t r = 0; r < repeat; r++)
        error += (c->norm ? o.solution[r].mean_norm : o.solution[r].end.value) / (double)repeat;
    outcome_free(&o);
    return c->norm ? error : error - gls_analytic_constants(problem)->minimum;
}

static void test_gradients_against_accuracy(void **state) {
    for (int k = 0; k < CELLS; k++) {
        const cell *c = &cells[k];
        int64_t repeat = c->sigma > 0 ? (full ? 32 : 6) : 1, first = full ? 4 * c->first : c->first;
        double accuracy[GRADES], gradients[GRADES];
        gls_problem *problem =
            problem_of(c->problem, text("{%s%s}", c->options,
                                        c->sigma > 0 ? text(", noise: {name: gaussian, scale: %g}", c->sigma) : ""));
        for (int i = 0; i < GRADES; i++) {
            int64_t K = first << i;
            gradients[i] = log((double)K);
            accuracy[i] = log(error_after(c, problem, K, repeat));
        }
        double power = 1 / slope_of(gradients, accuracy, GRADES);
        verdict(text("[T] table 5.1, %s: exponent of eps in the gradients asked for", c->name), text("%.2f", power),
                text(c->attained ? "%g" : ">= %g", c->exponent), GRADES * repeat,
                power >= c->exponent - c->slack && (!c->attained || power <= c->exponent + c->slack));
        gls_problem_destroy(problem);
    }
}

/* Non-convex and smooth: the chain of [T] 4.7.7 with F(0) - min F and L fixed, so of a length that grows like eps^-2.
 */
static void test_gradients_along_a_chain(void **state) {
    enum { LENGTHS = 3 };
    double accuracy[LENGTHS], gradients[LENGTHS];
    int64_t first = full ? 128 : 32;
    for (int i = 0; i < LENGTHS; i++) {
        int64_t dim = first << (2 * i);
        double eps = 0.5 * pow(0.5, i);
        gls_problem *problem = problem_of("zero_chain", text("{dim: %lld, L: 152, epsilon: %g}", (long long)dim, eps));
        outcome o = solved(problem, (plan){.method = text("{name: sgd, lr: %.12g}", 1 / 152.0),
                                           .steps = 400000,
                                           .repeat = 1,
                                           .follow = true,
                                           .epsilon = 2 * eps,
                                           .stop = true});
        assert_true(o.solution[0].first_hit > dim);
        accuracy[i] = log(eps);
        gradients[i] = log((double)o.solution[0].first_hit);
        outcome_free(&o);
        gls_problem_destroy(problem);
    }
    double power = slope_of(accuracy, gradients, LENGTHS);
    verdict("[T] table 5.1, non-convex, smooth: exponent of eps in the gradients that descent asks for, zero chain",
            text("%.2f", power), "-2", LENGTHS, fabs(power + 2) < 0.15);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_gradients_against_accuracy),
        cmocka_unit_test(test_gradients_along_a_chain),
    };
    return cmocka_run_group_tests(tests, theory_setup, theory_teardown);
}
