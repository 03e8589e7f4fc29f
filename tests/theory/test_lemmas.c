/* Small statements that the theorems stand on: gradient descent's rate [T] (2.3), growth of gradients [N] lemma 1,
 * scatter of micro-batches with draggers [M] lemmas 4.3, 4.4, clipped estimates near a stationary point [T]
 * lemma 4.7.2.
 */
#include "theory.h"

enum { MOST = 16 };

static double norm(const double *x, int64_t d) {
    double square = 0;
    for (int64_t i = 0; i < d; i++) square += x[i] * x[i];
    return sqrt(square);
}

static double dot(const double *x, const double *y, int64_t d) {
    double sum = 0;
    for (int64_t i = 0; i < d; i++) sum += x[i] * y[i];
    return sum;
}

/* F(x_k) - F* <= L/2 (L/(mu + L))^(2k) |x_0 - x*|^2 with the rate 1/L. */
static void test_gradient_descent(void **state) {
    static const char *const kappa[] = {"dim: 10, L: 1, mu: 0.1", "dim: 10, L: 4, mu: 0.01"};
    enum { MARKS = 6 };
    static const int64_t mark[MARKS] = {1, 3, 10, 30, 100, 300};
    double worst = 0;
    (void)state;
    for (int k = 0; k < 2; k++) {
        gls_problem *p = problem_of("quadratic", text("{%s}", kappa[k]));
        const gls_constants *c = gls_analytic_constants(p);
        double start[MOST], away[MOST];
        for (int i = 0; i < 10; i++) {
            start[i] = i % 2 ? -1 : 1.5;
            away[i] = start[i] - (c->minimizer ? (double)c->minimizer[i] : 0);
        }
        double L = c->smoothness, square = dot(away, away, 10);
        outcome o = solved(p, (plan){.method = text("{name: sgd, lr: %.15g}", 1 / L),
                                     .steps = 300,
                                     .repeat = 1,
                                     .init = start,
                                     .marks = MARKS,
                                     .mark = mark});
        for (int m = 0; m < MARKS; m++) {
            double bound = L / 2 * pow(L / (c->convexity + L), 2 * (double)mark[m]) * square;
            worst = fmax(worst, (o.figures[m].value - c->minimum) / bound);
        }
        outcome_free(&o);
        gls_problem_destroy(p);
    }
    verdict("[T] (2.3): F(x_k) - F* of gradient descent on quadratics over its bound, largest", text("%.3f", worst),
            "<= 1", 2 * MARKS, worst <= 1 + 1e-9 && worst > 0);
}

/* |grad F(u)| <= (L a + |grad F(w)|) e^(lambda a) wherever |u - w| <= a. */
static void test_gradients_grow_at_most(void **state) {
    static const char *const names[] = {"exponential", "power", "steep_exponential"};
    int64_t draws = full ? 100000 : 5000;
    double worst = 0;
    (void)state;
    gls_random random = gls_random_create(51, "lemma 1", 0, 0);
    for (int k = 0; k < 3; k++) {
        gls_problem *p = problem_of(names[k], "{}");
        const gls_constants *c = gls_analytic_constants(p);
        int64_t d = gls_problem_size(p);
        assert_true(d <= MOST);
        for (int64_t n = 0; n < draws; n++) {
            double w[MOST], u[MOST], g[2][MOST], a = 3 * gls_random_uniform(&random), step[MOST];
            for (int64_t i = 0; i < d; i++) {
                w[i] = 2 * gls_random_normal(&random) / sqrt((double)d);
                step[i] = gls_random_normal(&random);
            }
            double length = norm(step, d);
            for (int64_t i = 0; i < d; i++) u[i] = w[i] + a * step[i] / length;
            ask(p, w, GLS_MODE_EVALUATE, 0, 0, g[0]);
            ask(p, u, GLS_MODE_EVALUATE, 0, 0, g[1]);
            worst = fmax(worst, norm(g[1], d) / ((c->l0 * a + norm(g[0], d)) * exp(c->l1 * a)));
        }
        gls_problem_destroy(p);
    }
    verdict("[N] lemma 1: |grad F(u)| over its bound from w, largest over pairs on three functions",
            text("%.3f", worst), "<= 1", 3 * draws, worst <= 1 + 1e-9 && worst > 0.1);
}

/* E|Delta| of the mean of b gradients, a share epsilon of them draggers mu orthogonal to g. */
static void test_scatter_with_draggers(void **state) {
    static const int64_t groups[] = {1, 4, 16};
    const double w[6] = {1, -1, 1, -1, 0.5, 0.5};
    int64_t draws = full ? 100000 : 4000;
    double worst = 0, epsilon = 0.2, sigma = 0.7, ratio = 3, g[MOST];
    gls_problem *p =
        problem_of("quadratic", text("{dim: 6, L: 1, mu: 0.3, noise: {name: dragger, epsilon: %g, sigma: %g, "
                                     "c: %g, C: %g}}",
                                     epsilon, sigma, ratio, ratio));
    (void)state;
    ask(p, w, GLS_MODE_EVALUATE, 0, 0, g);
    double size = norm(g, 6);
    for (int k = 0; k < 3; k++) {
        double mean[6] = {0}, scatter = 0, one[MOST], b = (double)groups[k];
        for (int64_t n = 0; n < draws; n++) {
            ask(p, w, GLS_MODE_TRAIN, (uint64_t)n, groups[k], one);
            for (int i = 0; i < 6; i++) mean[i] += one[i] / (double)draws;
        }
        for (int64_t n = 0; n < draws; n++) {
            ask(p, w, GLS_MODE_TRAIN, (uint64_t)n, groups[k], one);
            for (int i = 0; i < 6; i++) one[i] -= mean[i];
            scatter += norm(one, 6) / (double)draws;
        }
        double square = epsilon * (1 - epsilon) * size * size * (1 + ratio * ratio) + (1 - epsilon) * sigma * sigma;
        worst = fmax(worst, scatter / sqrt(square / b));
    }
    gls_problem_destroy(p);
    verdict("[M] lemma 4.3: E|Delta| of 1, 4 and 16 gradients with draggers over its bound, largest",
            text("%.3f", worst), "<= 1", 3 * draws, worst <= 1.01 && worst > 0.5);
}

/* The sum of both signs of Delta is not negative where mu is orthogonal to g and Delta. */
static void test_both_signs(void **state) {
    enum { D = 5 };
    int64_t draws = full ? 1000000 : 100000, negative = 0, skewed = 0;
    gls_random random = gls_random_create(52, "lemma 4.4", 0, 0);
    (void)state;
    for (int64_t n = 0; n < draws; n++) {
        double g[D], mu[D] = {0}, delta[D], leaning[D], epsilon = gls_random_uniform(&random), scale[2];
        for (int i = 0; i < 2; i++) scale[i] = pow(10, 3 * gls_random_uniform(&random) - 1.5);
        for (int i = 0; i < D; i++) {
            g[i] = i ? gls_random_normal(&random) : 0; /* mu is the first axis */
            delta[i] = i ? scale[0] * gls_random_normal(&random) : 0;
            leaning[i] = i ? delta[i] : scale[0] * gls_random_normal(&random);
        }
        mu[0] = scale[1];
        for (int form = 0; form < 2; form++) {
            const double *turned = form ? leaning : delta;
            double sum = 0;
            for (int sign = -1; sign <= 1; sign += 2) {
                double whole[D];
                for (int i = 0; i < D; i++) whole[i] = (1 - epsilon) * g[i] + epsilon * mu[i] + sign * turned[i];
                sum += ((1 - epsilon) * dot(g, g, D) + sign * dot(g, turned, D)) / norm(whole, D);
            }
            *(form ? &skewed : &negative) += sum < -1e-12;
        }
    }
    verdict("[M] lemma 4.4: draws with a negative sum; the same with a Delta that leans on mu",
            text("%lld; %lld of %lld", (long long)negative, (long long)skewed, (long long)draws),
            "0; some (the proof needs it orthogonal)", draws, negative == 0 && skewed > 0);
}

/* Where |grad F| <= tau/2: E|g^|^2 <= 2|grad F|^2 + 4 sigma^a tau^(2-a), |E g^ - grad F|^2 <= 4 sigma^2a tau^(2-2a). */
static void clipped_at(gls_problem *p, const double *w, double sigma, double a, double tau, int64_t draws,
                       double *second, double *bias) {
    double g[MOST], one[MOST], mean[4] = {0}, square = 0;
    ask(p, w, GLS_MODE_EVALUATE, 0, 0, g);
    for (int64_t n = 0; n < draws; n++) {
        ask(p, w, GLS_MODE_TRAIN, (uint64_t)n, 1, one);
        double size = norm(one, 4), keep = size > tau ? tau / size : 1;
        square += keep * keep * size * size / (double)draws;
        for (int i = 0; i < 4; i++) mean[i] += keep * one[i] / (double)draws;
    }
    for (int i = 0; i < 4; i++) mean[i] -= g[i];
    assert_true(norm(g, 4) <= tau / 2);
    *second = fmax(*second, square / (2 * dot(g, g, 4) + 4 * pow(sigma, a) * pow(tau, 2 - a)));
    *bias = fmax(*bias, dot(mean, mean, 4) / (4 * pow(sigma, 2 * a) * pow(tau, 2 - 2 * a)));
}

static void test_clipping_near_a_stationary_point(void **state) {
    static const double alphas[] = {1.3, 1.6, 1.9};
    const double w[4] = {0.3, -0.2, 0.1, 0.2};
    int64_t draws = full ? 100000 : 8000;
    double second = 0, bias = 0;
    (void)state;
    for (int k = 0; k < 3; k++) {
        double a = 1 + 0.8 * (alphas[k] - 1), moment = 0, g[MOST], one[MOST];
        gls_problem *p =
            problem_of("quadratic", text("{dim: 4, L: 1, mu: 1, noise: {name: stable, index: %g}}", alphas[k]));
        ask(p, w, GLS_MODE_EVALUATE, 0, 0, g);
        for (int64_t n = 0; n < draws; n++) {
            ask(p, w, GLS_MODE_TRAIN, (uint64_t)n, 1, one);
            for (int i = 0; i < 4; i++) one[i] -= g[i];
            moment += pow(norm(one, 4), a) / (double)draws;
        }
        for (double tau = 1; tau < 20; tau *= 2) clipped_at(p, w, pow(moment, 1 / a), a, tau, draws, &second, &bias);
        gls_problem_destroy(p);
    }
    verdict("[T] lemma 4.7.2: second moment and squared bias of clipped gradients over their bounds, largest, alpha = "
            "1.3 ... "
            "1.9",
            text("%.3f, %.2g", second, bias), "<= 1, <= 1", 15 * draws, second <= 1 && bias <= 1 && second > 0.05);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_gradient_descent),
        cmocka_unit_test(test_gradients_grow_at_most),
        cmocka_unit_test(test_scatter_with_draggers),
        cmocka_unit_test(test_both_signs),
        cmocka_unit_test(test_clipping_near_a_stationary_point),
    };
    return cmocka_run_group_tests(tests, theory_setup, theory_teardown);
}
