/* [D]: lemma 1, theorems 4 to 8 and 14. */
#include "diversity.h"

static gradients r; /* large */

/* ---- lemma 1 ---- */

static void test_one_step_is_an_equality(void **state) {
    static const int64_t sizes[] = {1, 4, 16, 64};
    int64_t repeat = full ? 200000 : 20000;
    gls_problem *p = problem_of("geman_mcclure", "{dim: 4, examples: 20, scale: 2, center: 0.2}");
    double w[4] = {1.5, -1, 0.5, 1}, distance = 0, along = 0, step = 0.02;
    gls_batch rows = all_of(20);
    gradients_of(p, &rows, w, &r);
    for (int i = 0; i < 4; i++) {
        distance += (w[i] - 0.2) * (w[i] - 0.2);
        along += r.mean[i] * (w[i] - 0.2);
    }
    for (int k = 0; k < 4; k++) {
        double B = (double)sizes[k], delta = (B - 1) / r.batch_bound, error;
        double want = distance - B * (2 * step * along - (1 + delta) * step * step * r.M2);
        outcome o = solved(p, (plan){.method = text("{name: sgd, lr: %.15g}", step * B),
                                     .steps = 1,
                                     .batch = sizes[k],
                                     .repeat = repeat,
                                     .seed = 7,
                                     .init = w});
        double *squares = malloc((size_t)repeat * sizeof *squares);
        assert_non_null(squares);
        for (int64_t i = 0; i < repeat; i++) squares[i] = o.solution[i].end.distance * o.solution[i].end.distance;
        double mean = mean_of(squares, repeat, &error);
        verdict(text("[D] lemma 1: E|w+ - w*|^2, B = %lld, B_S = %.2f", (long long)sizes[k], r.batch_bound),
                text("%.5f +- %.5f", mean, 1.96 * error), text("%.5f", want), repeat, fabs(mean - want) < 4.5 * error);
        free(squares);
        outcome_free(&o);
    }
    gls_problem_destroy(p);
}

/* ---- theorem 8's instance: stationary law, and where it ends ---- */

static void test_stationary_law_on_the_sphere(void **state) {
    const double step = 0.05, lambda = 2; /* B < 2/(step lambda) = 20 */
    static const int64_t sizes[] = {1, 5, 10, 15, 18, 19};
    int64_t repeat = full ? 20000 : 1000;
    gls_problem *p = problem_of("sphere_sum", "{dim: 12, examples: 60, lambda: 2}");
    double start[12] = {0.3};
    for (int k = 0; k < 6; k++) {
        double B = (double)sizes[k], want = step * lambda / (2 - step * lambda * B), mean = 0, error,
               shrink = 1 - step * lambda * B;
        int64_t steps = (int64_t)(log(1e-8) / log(fmax(shrink * shrink, 1e-2))) + 20;
        outcome o = solved(p, (plan){.method = text("{name: sgd, lr: %.15g}", step * B),
                                     .steps = steps,
                                     .batch = sizes[k],
                                     .repeat = repeat,
                                     .seed = 9,
                                     .init = start});
        double *squares = malloc((size_t)repeat * sizeof *squares);
        assert_non_null(squares);
        for (int64_t i = 0; i < repeat; i++) squares[i] = o.solution[i].end.distance * o.solution[i].end.distance;
        mean = mean_of(squares, repeat, &error);
        verdict(text("[D] thm 8's instance: E|w|^2 at stationarity, d = 12, B = %lld of 20", (long long)sizes[k]),
                text("%.5f +- %.5f", mean, 1.96 * error), text("%.5f", want), repeat, fabs(mean - want) < 4.5 * error);
        free(squares);
        outcome_free(&o);
    }
    double ends[2];
    for (int k = 0; k < 2; k++) {
        outcome o = solved(p, (plan){.method = text("{name: sgd, lr: %.15g}", step * (k == 0 ? 19 : 21)),
                                     .steps = 2000,
                                     .batch = k == 0 ? 19 : 21,
                                     .repeat = 50,
                                     .seed = 9,
                                     .init = start});
        ends[k] = o.solution[0].diverged ? INFINITY : o.solution[0].end.distance;
        outcome_free(&o);
    }
    verdict("[D] thm 14: |w| after 2000 steps with B = 19 and 21, 2/(gamma lambda) = 20",
            text("%.2f, %.1e", ends[0], ends[1]), "bounded, diverges", 50, ends[0] < 10 && ends[1] > 1e30);
    gls_problem_destroy(p);
}

/* ---- table 1 ---- */

static void test_table_one(void **state) {
    int64_t repeat = full ? 400 : 40;
    const double delta = 0.5;
    /* strongly convex: the sphere from |w_0| = 1; M^2 = lambda^2 (|w|^2 + 1) <= 2.2, B_S = 1 + 1/|w|^2 */
    gls_problem *p = problem_of("sphere_sum", "{dim: 12, examples: 60, lambda: 1}");
    double start[12] = {1}, eps = 0.05, M2 = 2.2;
    for (int slow = 0; slow < 2; slow++) {
        const char *in = text("{theorem: diversity_strongly_convex, lambda: 1, M2: %g, D0: 1, eps: %g, delta: %g}", M2,
                              eps, slow ? delta : 0);
        double lr = theory_value(in, "lr"), T = theory_value(in, "gradients");
        int64_t B = 2; /* 1 + delta B_S with B_S >= 2 on |w| <= 1 */
        outcome o = solved(p, (plan){.method = text("{name: sgd, lr: %.15g}", lr * (double)B),
                                     .steps = (int64_t)ceil(T / (double)B),
                                     .batch = B,
                                     .repeat = repeat,
                                     .seed = 3,
                                     .init = start});
        double mean = 0;
        for (int64_t i = 0; i < repeat; i++)
            mean += o.solution[i].end.distance * o.solution[i].end.distance / (double)repeat;
        double want = slow ? eps : (1 + delta / 2) * eps;
        verdict(text("[D] thm 4, strongly convex, B = 2: E|w_T - w*|^2 after %.0f gradients%s", T,
                     slow ? ", gamma/(1+delta)" : ""),
                text("%.4f", mean), text("<= %.4f", want), repeat, mean <= want);
        outcome_free(&o);
    }
    gls_problem_destroy(p);
    /* convex: slow_linear, D_0 = 9, noise of variance 1: M^2 <= (2 epsilon)^2 + 1 */
    p = problem_of("slow_linear", "{epsilon: 0.5, noise: {name: sphere, scale: 1}}");
    double far[1] = {3};
    eps = 0.1;
    M2 = 2;
    for (int slow = 0; slow < 2; slow++) {
        const char *in =
            text("{theorem: diversity_convex, M2: %g, D0: 9, eps: %g, delta: %g}", M2, eps, slow ? delta : 0);
        double lr = theory_value(in, "lr"), T = theory_value(in, "gradients");
        int64_t B = 2; /* B_S = 1 + 1/|grad F|^2 >= 2 */
        outcome o = solved(p, (plan){.method = text("{name: sgd, lr: %.15g}", lr * (double)B),
                                     .average = "{name: uniform}",
                                     .steps = (int64_t)ceil(T / (double)B),
                                     .batch = B,
                                     .repeat = repeat,
                                     .seed = 3,
                                     .init = far});
        double mean = mean_end(&o, 0), want = slow ? eps : (1 + delta / 2) * eps;
        verdict(text("[D] thm 5, convex, B = 2: E F(average) - F* after %.0f gradients%s", T,
                     slow ? ", gamma/(1+delta)" : ""),
                text("%.4f", mean), text("<= %.4f", want), repeat, mean <= want);
        outcome_free(&o);
    }
    gls_problem_destroy(p);
    /* smooth: the non-convex sum; M^2 and B_S bounded by what the gradients can be */
    p = problem_of("geman_mcclure", "{dim: 4, examples: 40, scale: 1.5, center: 0.3}");
    const gls_constants *c = gls_analytic_constants(p);
    double w[4] = {1.5, -1, 1, -0.5}, gap = ask(p, w, GLS_MODE_EVALUATE, 0, 0, NULL);
    M2 = c->lipschitz * c->lipschitz; /* |g_i| <= scale 3 sqrt 3/16 */
    eps = 0.003;
    for (int slow = 0; slow < 2; slow++) {
        const char *in = text("{theorem: diversity_smooth, beta: %.15g, M2: %.15g, gap: %.15g, eps: %g, delta: %g}",
                              c->smoothness, M2, gap, eps, slow ? delta : 0);
        double lr = theory_value(in, "lr"), T = theory_value(in, "gradients"), least = INFINITY;
        int64_t B = 2, steps = (int64_t)ceil(T / 2),
                mark[60]; /* B_S >= 1 always; delta = 1/B_S <= 1: take 1 + delta/2 with delta = 1 */
        for (int m = 0; m < 60; m++) mark[m] = steps * (m + 1) / 60;
        outcome o = solved(p, (plan){.method = text("{name: sgd, lr: %.15g}", lr * (double)B),
                                     .steps = steps,
                                     .batch = B,
                                     .repeat = repeat,
                                     .seed = 3,
                                     .init = w,
                                     .marks = 60,
                                     .mark = mark});
        for (int m = 0; m < 60; m++) {
            double mean = 0;
            for (int64_t i = 0; i < repeat; i++) mean += pow(o.figures[i * 60 + m].gradient_norm, 2) / (double)repeat;
            least = fmin(least, mean);
        }
        double want = slow ? eps : 1.5 * eps;
        verdict(text("[D] thm 6, smooth, B = 2: min E|grad F|^2 after %.0f gradients%s", T,
                     slow ? ", gamma/(1+delta)" : ""),
                text("%.5f", least), text("<= %.5f", want), repeat, least <= want);
        outcome_free(&o);
    }
    gls_problem_destroy(p);
    /* PL: a quadratic with noise of variance 1; |grad F|^2 <= 4 on the way */
    p = problem_of("quadratic", "{dim: 4, L: 1, mu: 0.25, noise: {name: sphere, scale: 1}}");
    double corner[4] = {1, 1, 1, 1};
    gap = ask(p, corner, GLS_MODE_EVALUATE, 0, 0, NULL);
    eps = 0.05;
    M2 = 1 + 2.5;
    for (int slow = 0; slow < 2; slow++) {
        const char *in = text("{theorem: diversity_pl, mu: 0.25, beta: 1, M2: %g, gap: %.15g, eps: %g, delta: %g}", M2,
                              gap, eps, slow ? delta : 0);
        double lr = theory_value(in, "lr"), T = theory_value(in, "gradients");
        outcome o = solved(p, (plan){.method = text("{name: sgd, lr: %.15g}", lr * 1),
                                     .steps = (int64_t)ceil(T),
                                     .batch = 1,
                                     .repeat = repeat,
                                     .seed = 3,
                                     .init = corner});
        double mean = mean_end(&o, 0), want = slow ? eps : (1 + delta / 2) * eps;
        verdict(text("[D] thm 7, PL, B = 1: E F - F* after %.0f gradients%s", T, slow ? ", gamma/(1+delta)" : ""),
                text("%.4f", mean), text("<= %.4f", want), repeat, mean <= want);
        outcome_free(&o);
    }
    gls_problem_destroy(p);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one_step_is_an_equality),
        cmocka_unit_test(test_stationary_law_on_the_sphere),
        cmocka_unit_test(test_table_one),
    };
    return cmocka_run_group_tests(tests, theory_setup, theory_teardown);
}
