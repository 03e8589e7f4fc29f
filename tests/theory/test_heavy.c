/* Clipping under heavy tails: [A] (ACClip) and chapter 4 of the thesis, with the corrections of docs/methods.md. */
#include "theory.h"

#include "base/draws.h"

/* (E|xi|^p)^(1/p) of d independent coordinates, by sampling. */
static double moment(gls_law law, double index, double p, int64_t d) {
    enum { MOST = 128 };
    int64_t draws = full ? 400000 : 100000;
    double sum = 0, x[MOST];
    assert_true(d <= MOST);
    gls_random random = gls_random_create(99, "moment", 0, 0);
    for (int64_t k = 0; k < draws; k++) {
        memset(x, 0, sizeof x);
        random.draw = (uint64_t)k;
        gls_add_draws(law, index, &random, 1, d, x);
        double square = 0;
        for (int64_t i = 0; i < d; i++) square += x[i] * x[i];
        sum += pow(square, p / 2);
    }
    return pow(sum / (double)draws, 1 / p);
}

/* Of one symmetric alpha-stable coordinate of unit scale, in closed form. */
static double stable_moment(double alpha, double p) {
    double value = pow(2, p) * tgamma((1 + p) / 2) * tgamma(1 - p / alpha) / (sqrt(M_PI) * tgamma(1 - p / 2));
    return pow(value, 1 / p);
}

static const int64_t marks[] = {100, 178, 316, 562, 1000, 1778, 3162, 5623, 10000};
static const int64_t short_marks[] = {100, 178, 316, 562, 1000, 1778, 3162};

static plan decaying(const char *method, int64_t repeat) {
    return (plan){.method = method,
                  .average = "{name: weighted}",
                  .steps = full ? 10000 : 3162,
                  .batch = 1,
                  .repeat = repeat,
                  .seed = 11,
                  .marks = full ? 9 : 7,
                  .mark = full ? marks : short_marks};
}

static const char *clipping(const char *name, double mu, double tau, double exponent) {
    return text("{name: %s, beta1: 0, lr: {name: inverse, mu: %g}, tau: %.12g, tau_exponent: %.12g}", name, mu, tau,
                exponent);
}

/* [A] theorems 1 and 3, slope: stable noise, no projection, threshold scale one noise scale. */
static void slope_under_stable_noise(const char *method, double alpha) {
    gls_problem *p = problem_of("quadratic", text("{dim: 4, L: 1, mu: 1, noise: {name: stable, index: %g}}", alpha));
    int64_t repeat = full ? 1000 : 200;
    double start[4] = {0}, error;
    plan how = decaying(clipping(method, 1, 1, 1 / alpha), repeat);
    how.init = start;
    outcome o = solved(p, how);
    double slope = decay_of(&o, how.mark, 2, 0, &error), want = -2 * (alpha - 1) / alpha;
    double slack = full ? 0.04 : 0.08;
    verdict(text("[A] thm 1/3: slope of %s, stable noise, alpha = %g", method, alpha),
            text("%.3f +- %.3f", slope, 1.96 * error), text("%.3f", want), repeat,
            fabs(slope - want) < 3 * error + slack);
    outcome_free(&o);
    gls_problem_destroy(p);
}

static void test_clipping_decays_at_the_proved_slope(void **state) {
    static const double alphas[] = {1.2, 1.5, 1.8, 2};
    for (int k = 0; k < 4; k++) {
        slope_under_stable_noise("gclip", alphas[k]);
        slope_under_stable_noise("cclip", alphas[k]);
    }
}

/* [A] theorem 1, bound: inside a ball of radius R the p-th moment of the gradients is at most G^p, p < alpha. */
static void bound_inside_a_ball(double alpha, int64_t d) {
    double p = 1 + 0.8 * (alpha - 1), radius = 2;
    double noise = d == 1 ? stable_moment(alpha, p) : moment(GLS_LAW_STABLE, alpha, p, d), G = radius + noise;
    gls_problem *problem = problem_of(
        "quadratic", text("{dim: %lld, L: 1, mu: 1, noise: {name: stable, index: %g}}", (long long)d, alpha));
    int64_t repeat = full ? 300 : 100;
    double start[16] = {1};
    const char *values = text("{theorem: gclip_strongly_convex, G: %.12g, alpha: %.12g, mu: 1, K: %d}", G, p, 1);
    const char *method = text("{name: gclip, beta1: 0, lr: {name: inverse, mu: 1}, tau: %.12g, tau_exponent: %.12g, "
                              "project: {ball: %g}}",
                              theory_value(values, "tau"), theory_value(values, "tau_exponent"), radius);
    plan how = decaying(method, repeat);
    how.init = start;
    outcome o = solved(problem, how);
    double worst = 0, last = 0, last_bound = 0;
    for (int64_t k = 0; k < how.marks; k++) {
        double mean = 0;
        for (int64_t r = 0; r < repeat; r++) mean += o.figures[r * o.marks + k].value / (double)repeat;
        last_bound = theory_value(text("{theorem: gclip_strongly_convex, G: %.12g, alpha: %.12g, mu: 1, K: %lld}", G, p,
                                       (long long)how.mark[k]),
                                  "bound");
        worst = fmax(worst, mean / last_bound);
        last = mean;
    }
    verdict(text("[A] thm 1: error in a ball, alpha = %g, p = %.2f, d = %lld", alpha, p, (long long)d),
            text("%.3g at k = %lld (at most %.2g of the bound)", last, (long long)how.mark[how.marks - 1], worst),
            text("<= %.3g", last_bound), repeat, worst <= 1);
    outcome_free(&o);
    gls_problem_destroy(problem);
}

/* [A] theorem 3: the same for cclip in a box, with B_i for every coordinate and |B|^2 in the bound. */
static void coordinate_bound_inside_a_box(double alpha, int64_t d) {
    double p = 1 + 0.8 * (alpha - 1), radius = 2, B = radius + stable_moment(alpha, p), start[16], worst = 0, last = 0,
           bound = 0;
    for (int i = 0; i < 16; i++) start[i] = 1;
    gls_problem *problem = problem_of(
        "quadratic", text("{dim: %lld, L: 1, mu: 1, noise: {name: stable, index: %g}}", (long long)d, alpha));
    int64_t repeat = full ? 300 : 100;
    plan how = decaying(text("{name: cclip, beta1: 0, lr: {name: inverse, mu: 1}, tau: %.12g, tau_exponent: %.12g, "
                             "project: {box: [%g, %g]}}",
                             B, 1 / p, -radius, radius),
                        repeat);
    how.init = start;
    outcome o = solved(problem, how);
    for (int64_t k = 0; k < how.marks; k++) {
        double mean = 0;
        for (int64_t r = 0; r < repeat; r++) mean += o.figures[r * o.marks + k].value / (double)repeat;
        bound = theory_value(text("{theorem: cclip_strongly_convex, B_i: %.12g, d: %lld, alpha: %.12g, mu: 1, K: %lld}",
                                  B, (long long)d, p, (long long)how.mark[k]),
                             "bound");
        worst = fmax(worst, mean / bound);
        last = mean;
    }
    verdict(text("[A] thm 3: error of cclip in a box, alpha = %g, p = %.2f, d = %lld", alpha, p, (long long)d),
            text("%.3g at k = %lld (at most %.2g of the bound)", last, (long long)how.mark[how.marks - 1], worst),
            text("<= %.3g", bound), repeat, worst <= 1);
    outcome_free(&o);
    gls_problem_destroy(problem);
}

static void test_errors_stay_below_the_bound(void **state) {
    static const double alphas[] = {1.3, 1.5, 1.8};
    for (int k = 0; k < 3; k++) {
        bound_inside_a_ball(alphas[k], 1);
        bound_inside_a_ball(alphas[k], 10);
        coordinate_bound_inside_a_box(alphas[k], 10);
    }
}

/* The statement prints tau_k = G k^(alpha - 1), the proof uses G k^(1/alpha): one-sided noise tells them apart. */
static void test_printed_threshold_fails_under_skewed_noise(void **state) {
    static const double alphas[] = {1.2, 1.5};
    for (int k = 0; k < 2; k++) {
        double alpha = alphas[k], want = -2 * (alpha - 1) / alpha, error, slope[2];
        int64_t repeat = full ? 1000 : 200;
        gls_problem *p =
            problem_of("quadratic", text("{dim: 1, L: 1, mu: 1, noise: {name: pareto_centred, index: %g}}", alpha));
        const double exponent[] = {alpha - 1, 1 / alpha};
        double start[1] = {0};
        for (int which = 0; which < 2; which++) {
            plan how = decaying(clipping("gclip", 1, 1, exponent[which]), repeat);
            how.init = start;
            outcome o = solved(p, how);
            slope[which] = decay_of(&o, how.mark, 2, 0, &error);
            outcome_free(&o);
        }
        verdict(text("[A] thm 1, printed tau = G k^(alpha-1), one-sided Pareto, alpha = %g", alpha),
                text("slope %.3f", slope[0]), text("%.3f if the statement held", want), repeat, slope[0] > want + 0.1);
        verdict(text("[A] thm 1, the proof's tau = G k^(1/alpha), one-sided Pareto, alpha = %g", alpha),
                text("slope %.3f +- %.3f", slope[1], 1.96 * error), text("%.3f or below", want), repeat,
                slope[1] < want + 3 * error + 0.06);
        gls_problem_destroy(p);
    }
}

/* Median over groups of the mean of R errors, over R. */
static double growth(const outcome *o) {
    double x[16], y[16], means[4096];
    int n = 0;
    for (int64_t size = 8; size * 16 <= o->repeat; size *= 2, n++) {
        int64_t groups = o->repeat / size;
        if (groups > 4096) groups = 4096;
        for (int64_t g = 0; g < groups; g++) {
            means[g] = 0;
            for (int64_t r = 0; r < size; r++) means[g] += o->solution[g * size + r].end.value / (double)size;
        }
        x[n] = log((double)size);
        y[n] = log(quantile_of(means, groups, 0.5));
    }
    return slope_of(x, y, n);
}

/* [A] appendix A: without clipping the mean is infinite, so that the mean of R repetitions grows like R^(2/alpha-1). */
static void test_mean_error_of_sgd_grows_with_repetitions(void **state) {
    static const double alphas[] = {1.2, 1.5, 1.8};
    for (int k = 0; k < 3; k++) {
        double alpha = alphas[k], want = 2 / alpha - 1, start[1] = {0};
        int64_t repeat = full ? 65536 : 8192;
        gls_problem *p =
            problem_of("quadratic", text("{dim: 1, L: 1, mu: 1, noise: {name: stable, index: %g}}", alpha));
        plan how = {
            .steps = 100, .batch = 1, .repeat = repeat, .seed = 3, .init = start, .average = "{name: weighted}"};
        how.method = "{name: sgd, lr: {name: inverse, mu: 1}}";
        outcome free_of = solved(p, how);
        how.method = clipping("gclip", 1, 1, 1 / alpha);
        outcome clipped = solved(p, how);
        double sgd = growth(&free_of), gclip = growth(&clipped);
        verdict(text("[A] app. A: growth exponent of sgd's mean error with repetitions, alpha = %g", alpha),
                text("sgd %.3f, gclip %.3f", sgd, gclip), text("sgd about %.3f, gclip 0", want), repeat,
                fabs(sgd - want) < (full ? 0.12 : 0.25) && fabs(gclip) < 0.06);
        outcome_free(&free_of);
        outcome_free(&clipped);
        gls_problem_destroy(p);
    }
}

/* [A] lemma 4, cor. 1, corrected: for equal B_i the two bounds are d^(2/alpha - 1) apart, not d. Both moments are taken
 * over the same draws: under tails this heavy their ratio is far better known than either. */
static void moments_of(double alpha, double p, int64_t d, double *one, double *all) {
    enum { MOST = 128 };
    int64_t draws = full ? 400000 : 50000;
    double x[MOST], single = 0, whole = 0;
    assert_true(d <= MOST);
    gls_random random = gls_random_create(98, "moments", 0, 0);
    for (int64_t k = 0; k < draws; k++) {
        double square = 0;
        memset(x, 0, sizeof x);
        random.draw = (uint64_t)k;
        gls_add_draws(GLS_LAW_STABLE, alpha, &random, 1, d, x);
        for (int64_t i = 0; i < d; i++) {
            square += x[i] * x[i];
            single += pow(fabs(x[i]), p) / (double)(draws * d);
        }
        whole += pow(square, p / 2) / (double)draws;
    }
    *one = pow(single, 1 / p);
    *all = pow(whole, 1 / p);
}

static void test_coordinate_wise_against_global(void **state) {
    static const double alphas[] = {1.3, 1.6, 2};
    static const int64_t dims[] = {10, 100};
    for (int a = 0; a < 3; a++)
        for (int k = 0; k < 2; k++) {
            double alpha = alphas[a], p = alpha == 2 ? 2 : 1 + 0.8 * (alpha - 1), start[128] = {0}, one, all;
            int64_t d = dims[k], repeat = full ? 100 : 40;
            moments_of(alpha, p, d, &one, &all);
            double bounds = all * all / ((double)d * one * one), most = pow((double)d, 2 / p - 1);
            verdict(text("[A] lemma 4: bound of gclip over that of cclip, alpha = %g, p = %.2f, d = %lld", alpha, p,
                         (long long)d),
                    text("%.3f", bounds), text("<= d^(2/p-1) = %.3f", most), full ? 400000 : 50000,
                    bounds <= most * (1 + 1e-9) && (alpha < 2 || bounds > 1 - 1e-9));
            gls_problem *problem = problem_of(
                "quadratic", text("{dim: %lld, L: 1, mu: 1, noise: {name: stable, index: %g}}", (long long)d, alpha));
            plan how = decaying(clipping("gclip", 1, all, 1 / p), repeat);
            how.marks = 0;
            how.steps = full ? 10000 : 1000;
            how.init = start;
            outcome global = solved(problem, how);
            how.method = clipping("cclip", 1, one, 1 / p);
            outcome own = solved(problem, how);
            verdict(text("[A] lemma 4: error of gclip over that of cclip, alpha = %g, d = %lld", alpha, (long long)d),
                    text("%.3f", mean_end(&global, 0) / mean_end(&own, 0)), "reported", repeat, true);
            outcome_free(&global);
            outcome_free(&own);
            gls_problem_destroy(problem);
        }
}

/* ---- RMSProp is clipping up to a factor in [1/2, 1] ([A] 3.1, with a/A in place of 2a/A) ---- */

typedef struct rms {
    double v[8], before[8], least, most;
} rms;

static gls_status follow_rmsprop(void *user, const gls_solve_state *state) {
    rms *r = user;
    const double lr = 0.01, rho = 0.9, eps = 1e-3;
    for (int i = 0; i < 8; i++) {
        double g = state->g[i], size = fabs(g), A = eps + sqrt(rho * r->v[i]);
        double h_clip = lr / A * fmin(A / sqrt(1 - rho) / size, 1);
        double h = (r->before[i] - state->w[i]) / g;
        if (size > 1e-9) {
            r->least = fmin(r->least, h / h_clip);
            r->most = fmax(r->most, h / h_clip);
        }
        r->v[i] = rho * r->v[i] + (1 - rho) * g * g;
        r->before[i] = state->w[i];
    }
    return GLS_OK;
}

static void test_rmsprop_lies_between_half_and_all_of_clipping(void **state) {
    rms r = {.least = INFINITY, .before = {1, 1, 1, 1, 1, 1, 1, 1}};
    double start[8] = {1, 1, 1, 1, 1, 1, 1, 1};
    gls_problem *p = problem_of("quadratic", "{dim: 8, noise: {name: stable, index: 1.5}}");
    int64_t steps = full ? 1000000 : 20000;
    outcome o = solved(p, (plan){.method = "{name: rmsprop, lr: 0.01, rho: 0.9, eps: 1e-3}",
                                 .steps = steps,
                                 .batch = 1,
                                 .init = start,
                                 .observe = follow_rmsprop,
                                 .user = &r});
    verdict("[A] 3.1: h_rmsprop / h_clip", text("[%.4f, %.4f]", r.least, r.most), "inside [1/2, 1]", steps,
            r.least >= 0.5 - 1e-7 && r.most <= 1 + 1e-7);
    outcome_free(&o);
    gls_problem_destroy(p);
}

/* [A] theorem 2 (with the L that its statement lost) and [T] theorem 4.4.1 on a smooth non-convex sum. */
static void test_nonconvex_bounds(void **state) {
    static const double alphas[] = {1.3, 1.6, 1.9};
    int64_t steps = full ? 20000 : 2000, repeat = full ? 40 : 20;
    for (int k = 0; k < 3; k++) {
        double alpha = alphas[k], p = 1 + 0.8 * (alpha - 1), scale = 0.2, start[5] = {2, -2, 1, 1, -1};
        gls_problem *problem = problem_of(
            "geman_mcclure",
            text("{dim: 5, examples: 50, scale: 2, noise: {name: stable, index: %g, scale: %g}}", alpha, scale));
        const gls_constants *c = gls_analytic_constants(problem);
        outcome begin = solved(problem, (plan){.method = "{name: sgd, lr: 0.1}", .init = start});
        double gap = begin.solution[0].end.value - c->minimum, noise = scale * moment(GLS_LAW_STABLE, alpha, p, 5);
        double G = c->lipschitz + noise;
        outcome_free(&begin);
        const char *values = text("{theorem: gclip_nonconvex, G: %.12g, alpha: %.12g, L: %.12g, gap: %.12g, K: %lld}",
                                  G, p, c->smoothness, gap, (long long)steps);
        plan how = {.steps = steps, .batch = 0, .repeat = repeat, .init = start, .follow = true, .seed = 5};
        how.method = text("{name: gclip, beta1: 0, lr: %.12g, tau: %.12g}", theory_value(values, "lr"),
                          theory_value(values, "tau"));
        outcome o = solved(problem, how);
        double mean = 0, bound = theory_value(values, "bound");
        for (int64_t r = 0; r < repeat; r++) mean += o.solution[r].mean_norm2 / (double)repeat;
        outcome_free(&o);
        verdict(text("[A] thm 2: mean E|grad F|^2, alpha = %g, p = %.2f", alpha, p), text("%.3g", mean),
                text("<= %.3g", bound), repeat, mean <= bound);
        const char *noisy = text("{theorem: gclip_noise, sigma: %.12g, alpha: %.12g, L: %.12g, gap: %.12g, K: %lld}",
                                 noise, p, c->smoothness, gap, (long long)steps);
        double lr = theory_value(noisy, "lr");
        how.method = text("{name: gclip, beta1: 0, lr: %.12g, tau: %.12g}", lr, theory_value(noisy, "tau"));
        o = solved(problem, how);
        mean = 0;
        bound = theory_value(noisy, "bound");
        for (int64_t r = 0; r < repeat; r++) mean += fmin(o.solution[r].mean_norm, 1e9) / (double)repeat;
        /* min(|g|, |g|^2) <= |g|: the looser left side suffices where it holds. */
        verdict(text("[T] thm 4.4.1: mean E min(|g|, |g|^2) (|g| shown), alpha = %g", alpha), text("%.3g", mean),
                text("<= %.3g", bound), repeat, mean <= bound);
        outcome_free(&o);
        gls_problem_destroy(problem);
    }
}

/* [A] theorem 4: on one of the two problems every method's error is at least epsilon^2/64 = 2^-14
 * k^(-2(alpha-1)/alpha). */
static void test_lower_bound_of_two_points(void **state) {
    const double alpha = 1.5;
    static const int64_t ks[] = {100, 1000, 10000};
    for (int k = 0; k < (full ? 3 : 2); k++) {
        double K = (double)ks[k], epsilon = 1 / (16 * pow(K, (alpha - 1) / alpha)), bound = epsilon * epsilon / 64;
        const char *const methods[] = {"{name: sgd, lr: {name: inverse, mu: 1}, project: {box: [0, 0.5]}}",
                                       text("{name: gclip, beta1: 0, lr: {name: inverse, mu: 1}, tau: 1, tau_exponent: "
                                            "%.12g, project: {box: [0, 0.5]}}",
                                            1 / alpha),
                                       "{name: adam, lr: 0.01, project: {box: [0, 0.5]}}"};
        double least = INFINITY, start[1] = {0.25};
        int64_t repeat = full ? 2000 : 200;
        for (int m = 0; m < 3; m++) {
            double worst = 0;
            for (int nu = 0; nu < 2; nu++) {
                gls_problem *p =
                    problem_of("quadratic", text("{dim: 1, L: 1, mu: 1, center: %.12g, noise: {name: two_point, "
                                                 "index: %g, epsilon: %.12g, nu: %d}}",
                                                 (2 - nu) * epsilon, alpha, epsilon, nu));
                outcome o = solved(p, (plan){.method = methods[m],
                                             .average = "{name: weighted}",
                                             .steps = ks[k],
                                             .batch = 1,
                                             .repeat = repeat,
                                             .seed = 21,
                                             .init = start});
                worst = fmax(worst, mean_end(&o, 0));
                outcome_free(&o);
                gls_problem_destroy(p);
            }
            least = fmin(least, worst);
        }
        verdict(
            text("[A] thm 4: least error of sgd, gclip, adam on the worse of two problems, k = %lld", (long long)ks[k]),
            text("%.3g", least), text(">= %.3g", bound), 6 * repeat, least >= bound);
    }
}

/* [T] 4.7.7: |grad F| >= 2 epsilon until the end of the chain shows, which takes (d - 1)/(2p) steps in half the runs.
 */
static void test_zero_chain_holds_back_zero_respecting_methods(void **state) {
    const double p = 0.05, epsilon = 0.5;
    const int64_t d = 20, steps = (int64_t)((double)(d - 1) / (2 * p)), repeat = full ? 2000 : 200;
    static const char *const methods[] = {"{name: sgd, lr: 0.1}", "{name: gclip, beta1: 0, lr: 1, tau: 2}",
                                          "{name: adam, lr: 0.5}"};
    for (int m = 0; m < 3; m++) {
        gls_problem *problem =
            problem_of("zero_chain", text("{dim: %lld, L: 152, epsilon: %g, noise: {name: chance, p: %g, unit: 1}}",
                                          (long long)d, epsilon, p));
        outcome o = solved(
            problem,
            (plan){.method = methods[m], .steps = steps, .batch = 1, .repeat = repeat, .seed = 8, .follow = true});
        double norm = 0, open = 0;
        for (int64_t r = 0; r < repeat; r++) {
            norm += o.solution[r].end.gradient_norm / (double)repeat;
            open += (o.point[r * d + d - 1] == 0) / (double)repeat;
        }
        verdict(text("[T] 4.7.7: %s on the chain after (d-1)/(2p) = %lld steps", methods[m], (long long)steps),
                text("E|grad F| = %.3f, end unseen in %.2f", norm, open), text(">= %.2f, in >= 0.50", epsilon), repeat,
                norm >= epsilon && open >= 0.5);
        outcome_free(&o);
        gls_problem_destroy(problem);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_clipping_decays_at_the_proved_slope),
        cmocka_unit_test(test_errors_stay_below_the_bound),
        cmocka_unit_test(test_printed_threshold_fails_under_skewed_noise),
        cmocka_unit_test(test_mean_error_of_sgd_grows_with_repetitions),
        cmocka_unit_test(test_coordinate_wise_against_global),
        cmocka_unit_test(test_rmsprop_lies_between_half_and_all_of_clipping),
        cmocka_unit_test(test_nonconvex_bounds),
        cmocka_unit_test(test_lower_bound_of_two_points),
        cmocka_unit_test(test_zero_chain_holds_back_zero_respecting_methods),
    };
    return cmocka_run_group_tests(tests, theory_setup, theory_teardown);
}
