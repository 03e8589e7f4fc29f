/* [N]: normalised gradients with momentum. */
#include "theory.h"

/* Lemma 2: |u| <= 1/(1 - beta) whatever the gradients are. */
static void test_momentum_stays_bounded(void **state) {
    static const double betas[] = {0, 0.5, 0.9, 0.99};
    int64_t steps = full ? 100000 : 5000;
    for (int b = 0; b < 4; b++) {
        gls_method *method;
        double w[3] = {0}, g[3], most = 0;
        gls_random random = gls_random_create(4, "sngm", (uint64_t)b, 0);
        check(gls_method_create_named(ctx, "sngm", 3, &method));
        check(gls_method_set(method, "lr", 1));
        check(gls_method_set(method, "beta", betas[b]));
        for (int64_t t = 0; t < steps; t++) {
            double size = pow(10, 200 * gls_random_uniform(&random) - 100);
            for (int i = 0; i < 3; i++) g[i] = t > steps / 2 ? (i == 0) * size : size * gls_random_normal(&random);
            gls_step_report report;
            check(gls_method_step(method, w, g, &report));
            most = fmax(most, report.update_norm);
        }
        gls_method_destroy(method);
        verdict(text("[N] lemma 2: largest |u|, beta = %g", betas[b]), text("%.6f", most),
                text("<= %.6f", 1 / (1 - betas[b])), steps, most <= 1 / (1 - betas[b]) * (1 + 1e-9));
    }
}

typedef struct setting {
    gls_problem *problem;
    double L, gap, sigma, start[10];
    int64_t C;
} setting;

static setting make(double L, int64_t C) {
    setting s = {.L = L, .C = C, .sigma = 1};
    s.problem = problem_of("quadratic", text("{dim: 10, L: %g, mu: %g, noise: {name: gaussian, scale: %.12g}}", L,
                                             L / 100, s.sigma / sqrt(10.0)));
    for (int i = 0; i < 10; i++) s.start[i] = 1;
    s.gap = ask(s.problem, s.start, GLS_MODE_EVALUATE, 0, 0, NULL);
    return s;
}

/* Mean over repetitions of (1/T) sum |grad F(w_t)|; infinite if one diverged. */
static double mean_norm(const setting *s, const char *method, double beta, int64_t batch, double lr, int64_t repeat) {
    outcome o = solved(s->problem, (plan){.method = text("{name: %s, lr: %.15g, beta: %.15g}", method, lr, beta),
                                          .steps = (s->C + batch - 1) / batch,
                                          .batch = batch,
                                          .repeat = repeat,
                                          .seed = 13,
                                          .init = s->start,
                                          .follow = true});
    double mean = 0;
    for (int64_t r = 0; r < repeat; r++)
        mean += o.solution[r].diverged ? INFINITY : o.solution[r].mean_norm / (double)repeat;
    outcome_free(&o);
    return mean;
}

static double bound_of(const setting *s, double beta, double batch, double lr) {
    double kappa = (1 + beta) / ((1 - beta) * (1 - beta));
    return 2 * (1 - beta) * s->gap * batch / (lr * (double)s->C) + s->L * kappa * lr + 2 * s->sigma / sqrt(batch);
}

static const char *inputs(const setting *s, const char *theorem, double beta) {
    return text("{theorem: %s, L: %.15g, gap: %.15g, sigma: %.15g, C: %lld, beta: %.15g}", theorem, s->L, s->gap,
                s->sigma, (long long)s->C, beta);
}

static void test_bound_is_least_at_the_corollary_and_holds(void **state) {
    static const double betas[] = {0, 0.5, 0.9};
    int64_t repeat = full ? 100 : 6;
    for (int b = 0; b < 3; b++) {
        double beta = betas[b], least = INFINITY, best = INFINITY, worst_share = 0;
        setting s = make(1, full ? 40000 : 10000);
        const char *values = inputs(&s, "sngm_optimal", beta);
        double batch = theory_value(values, "batch"), lr = theory_value(values, "lr"),
               bound = theory_value(values, "bound");
        for (int i = -12; i <= 12; i++)
            for (int j = -12; j <= 12; j++)
                least = fmin(least, bound_of(&s, beta, batch * pow(1.25, i), lr * pow(1.25, j)));
        verdict(
            text("[N] thm 1, cor. 1: least bound (9) on a grid around B = %.1f, lr = %.4g, beta = %g", batch, lr, beta),
            text("%.6g", least), text("%.6g at the corollary's", bound), 625,
            least >= bound * (1 - 1e-12) && fabs(bound_of(&s, beta, batch, lr) / bound - 1) < 1e-9);
        int64_t whole = (int64_t)fmax(1, floor(batch + 0.5));
        double at = mean_norm(&s, "sngm", beta, whole, lr, repeat);
        for (int i = -2; i <= 2; i++)
            for (int j = -3; j <= 3; j++) {
                int64_t B = (int64_t)fmax(1, floor(batch * pow(3, i) + 0.5));
                double h = lr * pow(2.5, j), mean = mean_norm(&s, "sngm", beta, B, h, full ? repeat / 4 : 2);
                best = fmin(best, mean);
                worst_share = fmax(worst_share, mean / bound_of(&s, beta, (double)B, h));
            }
        verdict(text("[N] thm 1: mean E|grad F| over bound (9), largest on a grid of B and lr, beta = %g", beta),
                text("%.3f (at the corollary %.3f <= %.3f)", worst_share, at, bound), "<= 1", repeat,
                worst_share <= 1 && at <= bound_of(&s, beta, (double)whole, lr));
        verdict(text("[N] cor. 1: mean E|grad F| at its B and lr over the grid's best, beta = %g", beta),
                text("%.2f", at / best), beta < 0.9 ? "<= 2.5" : "2.5 expected, reported", repeat,
                beta >= 0.9 || at / best <= 2.5);
        gls_problem_destroy(s.problem);
    }
}

/* Cor. 2's rates with B = sqrt C: lr = B/sqrt C = 1 for momentum SGD, sqrt(B/C) for SNGM. */
static void test_large_batches_at_the_papers_rates(void **state) {
    static const double Ls[] = {1, 10, 30};
    int64_t repeat = full ? 50 : 4;
    for (int k = 0; k < 3; k++) {
        setting s = make(Ls[k], 10000);
        const char *values = inputs(&s, "sngm_simple", 0.9);
        int64_t B = (int64_t)theory_value(values, "batch");
        double sngm = mean_norm(&s, "sngm", 0.9, B, theory_value(values, "lr"), repeat);
        double msgd = mean_norm(&s, "msgd", 0.9, B, 1, repeat);
        double start = 0, g[10];
        ask(s.problem, s.start, GLS_MODE_EVALUATE, 0, 0, g);
        for (int i = 0; i < 10; i++) start += g[i] * g[i];
        bool diverges = !(msgd < 1e3 * sqrt(start));
        verdict(text("[N] cor. 2: B = sqrt C at the papers' own rates, L = %g", Ls[k]),
                text("sngm %.3g, msgd %.3g", sngm, msgd), Ls[k] >= 10 ? "msgd diverges, sngm does not" : "both settle",
                repeat, diverges == (Ls[k] >= 10) && sngm <= theory_value(values, "bound"));
        double best[2] = {INFINITY, INFINITY};
        for (int j = -6; j <= 6; j++)
            for (int m = 0; m < 2; m++)
                best[m] = fmin(best[m], mean_norm(&s, m == 0 ? "sngm" : "msgd", 0.9, B,
                                                  pow(2.5, j) * (m == 0 ? 0.02 : 0.02 / Ls[k]), full ? 10 : 2));
        verdict(text("[N] sngm against msgd, both tuned, B = sqrt C, L = %g (no claim)", Ls[k]),
                text("%.3f against %.3f", best[0], best[1]), "reported", full ? 10 : 2, true);
        gls_problem_destroy(s.problem);
    }
}

/* Cor. 2's own rate, C^(-1/4): B = sqrt C and lr = C^(-1/4) at five lengths. */
static void test_rate_of_the_simple_setting(void **state) {
    enum { LENGTHS = 4 };
    static const double betas[] = {0, 0.9};
    int64_t repeat = full ? 60 : 2, first = full ? 1600 : 100;
    (void)state;
    for (int b = 0; b < 2; b++) {
        double x[LENGTHS], y[LENGTHS], worst = 0;
        for (int i = 0; i < LENGTHS; i++) {
            setting s = make(1, first << (3 * i));
            const char *values = inputs(&s, "sngm_simple", betas[b]);
            double mean = mean_norm(&s, "sngm", betas[b], (int64_t)(theory_value(values, "batch") + 0.5),
                                    theory_value(values, "lr"), repeat);
            x[i] = log((double)s.C);
            y[i] = log(mean);
            worst = fmax(worst, mean / theory_value(values, "bound"));
            gls_problem_destroy(s.problem);
        }
        double slope = slope_of(x, y, LENGTHS);
        verdict(text("[N] cor. 2: exponent of C in mean E|grad F|, C = %lld ... %lld, beta = %g; largest share of the "
                     "bound",
                     (long long)first, (long long)(first << (3 * (LENGTHS - 1))), betas[b]),
                text("%.3f; %.2f", slope, worst), "-1/4 or below; <= 1", repeat * LENGTHS,
                slope <= -0.25 + 0.03 && worst <= 1);
    }
}

/* (4): momentum SGD at rates up to (1 - beta)^2/((1 + beta) L). */
static void test_bound_of_momentum_sgd(void **state) {
    static const double betas[] = {0, 0.5, 0.9};
    int64_t repeat = full ? 40 : 2;
    (void)state;
    for (int b = 0; b < 3; b++) {
        double beta = betas[b], worst = 0, free_of = (1 - beta) * (1 - beta);
        setting s = make(1, full ? 10000 : 2500);
        double limit = free_of / ((1 + beta) * s.L);
        for (int64_t B = 1; B <= 625; B *= 5)
            for (int j = 0; j < 4; j++) {
                double lr = limit * pow(0.3, j), steps = (double)((s.C + B - 1) / B), mean = 0;
                outcome o = solved(s.problem, (plan){.method = text("{name: msgd, lr: %.15g, beta: %.15g}", lr, beta),
                                                     .steps = (int64_t)steps,
                                                     .batch = B,
                                                     .repeat = repeat,
                                                     .seed = 14,
                                                     .init = s.start,
                                                     .follow = true});
                for (int64_t r = 0; r < repeat; r++) mean += o.solution[r].mean_norm2 / (double)repeat;
                outcome_free(&o);
                double square = s.sigma * s.sigma;
                double bound = 2 * (1 - beta) * s.gap / (lr * steps) + s.L * lr * square / (free_of * (double)B) +
                               4 * s.L * s.L * lr * lr * square / free_of;
                worst = fmax(worst, mean / bound);
            }
        verdict(text("[N] (4): mean E|grad F|^2 of momentum SGD over its bound, largest on a grid of B and lr <= %.3g, "
                     "beta = %g",
                     limit, beta),
                text("%.3f", worst), "<= 1", 20 * repeat, worst <= 1);
        gls_problem_destroy(s.problem);
    }
}

/* Theorem 2 and cor. 3 under relaxed smoothness. */
static void test_relaxed_smoothness(void **state) {
    static const double betas[] = {0, 0.5};
    int64_t repeat = full ? 50 : 2;
    for (int b = 0; b < 2; b++) {
        int64_t C = b == 0 ? 40000 : 6000000; /* lr = C^(-1/4) must be below the theorem's limit */
        double beta = betas[b], sigma = 1, start[3] = {2, -2, 1};
        gls_problem *p =
            problem_of("exponential", text("{dim: 3, a: 1, noise: {name: gaussian, scale: %.12g}}", sigma / sqrt(3.0)));
        const gls_constants *c = gls_analytic_constants(p);
        double gap = ask(p, start, GLS_MODE_EVALUATE, 0, 0, NULL) - c->minimum;
        const char *values =
            text("{theorem: sngm_relaxed, L: %g, lambda: %g, gap: %.15g, sigma: %g, C: %lld, beta: %g}", c->l0, c->l1,
                 gap, sigma, (long long)C, beta);
        double lr = theory_value(values, "lr"), limit = theory_value(values, "lr_limit"),
               bound = theory_value(values, "bound");
        int64_t B = (int64_t)theory_value(values, "batch");
        setting s = {.problem = p, .C = C};
        memcpy(s.start, start, sizeof start);
        double mean = mean_norm(&s, "sngm", beta, B, lr, repeat);
        verdict(
            text("[N] thm 2, cor. 3: mean E|grad F| of sngm on cosh, beta = %g, lr %.3g (limit %.3g)", beta, lr, limit),
            text("%.3f", mean), text("<= %.3f", bound), repeat, lr <= limit && mean <= bound);
        gls_problem_destroy(p);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_momentum_stays_bounded),
        cmocka_unit_test(test_bound_is_least_at_the_corollary_and_holds),
        cmocka_unit_test(test_large_batches_at_the_papers_rates),
        cmocka_unit_test(test_rate_of_the_simple_setting),
        cmocka_unit_test(test_bound_of_momentum_sgd),
        cmocka_unit_test(test_relaxed_smoothness),
    };
    return cmocka_run_group_tests(tests, theory_setup, theory_teardown);
}
