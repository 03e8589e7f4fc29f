/* Chapters 2 and 3 of the thesis: Nesterov's bound, Adam's failure, relaxed smoothness and clipping. */
#include "theory.h"

/* ---- chapter 2 ---- */

typedef struct nesterov {
    gls_problem *problem;
    double before[10], lr, worst, base, root;
} nesterov;

/* y_k = x_{k-1} - lr grad F(x_{k-1}) against (mu + L)/2 |x_0 - x*|^2 exp(-(k - 1)/sqrt Q). */
static gls_status follow_nesterov(void *user, const gls_solve_state *state) {
    nesterov *n = user;
    double y[10];
    for (int i = 0; i < 10; i++) y[i] = n->before[i] - n->lr * state->g[i];
    double bound = n->base * exp(-(double)(state->step - 1) / n->root);
    if (bound > 1e-13) n->worst = fmax(n->worst, ask(n->problem, y, GLS_MODE_EVALUATE, 0, 0, NULL) / bound);
    memcpy(n->before, state->w, sizeof n->before);
    return GLS_OK;
}

static void test_nesterov_stays_below_its_bound(void **state) {
    static const double conditions[] = {4, 100, 10000};
    for (int k = 0; k < 3; k++) {
        double L = 2, mu = L / conditions[k];
        gls_problem *p = problem_of("quadratic", text("{dim: 10, L: %.12g, mu: %.12g, rotate: true}", L, mu));
        const char *values = text("{theorem: nag, L: %.12g, mu: %.12g}", L, mu);
        nesterov n = {.problem = p, .lr = theory_value(values, "lr"), .root = sqrt(L / mu)};
        double start[10], square = 0;
        for (int i = 0; i < 10; i++) {
            n.before[i] = start[i] = i % 2 == 0 ? 1 : -2;
            square += start[i] * start[i];
        }
        n.base = 0.5 * (mu + L) * square;
        int64_t steps = full ? 5000 : 500;
        outcome o =
            solved(p, (plan){.method = text("{name: nag, from_theory: {theorem: nag, L: %.12g, mu: %.12g}}", L, mu),
                             .steps = steps,
                             .init = start,
                             .observe = follow_nesterov,
                             .user = &n});
        verdict(text("[T] thm 2.1.3: nag, L/mu = %g", L / mu), text("largest error/bound %.3f", n.worst), "<= 1", steps,
                n.worst <= 1 && n.worst > 0);
        outcome_free(&o);
        gls_problem_destroy(p);
    }
}

static void test_adam_goes_to_the_worst_point(void **state) {
    double end[3];
    static const char *const names[] = {"adam", "amsgrad", "sgd"};
    int64_t steps = full ? 3000000 : 60000;
    for (int m = 0; m < 3; m++) {
        gls_problem *p = problem_of("adam_divergence", "{examples: 3, steep: 4}");
        const char *own = m == 2 ? "" : text(", beta1: 0, beta2: %.12g, eps: 1e-12", 1.0 / 17);
        outcome o =
            solved(p, (plan){.method = text("{name: %s, lr: {from: 0.3, name: inverse}%s, project: {box: [-1, 1]}}",
                                            names[m], own),
                             .steps = steps,
                             .batch = 1,
                             .order = GLS_ORDER_SEQUENTIAL});
        end[m] = o.point[0];
        outcome_free(&o);
        gls_problem_destroy(p);
    }
    verdict("[T] 2.2.2: adam on linear losses over [-1, 1] with minimum -1",
            text("adam %.3f, amsgrad %.3f, sgd %.3f", end[0], end[1], end[2]), "adam above 0, the others below", steps,
            end[0] > 0 && end[1] < 0 && end[2] < 0);
}

/* ---- chapter 3 ---- */

typedef struct relaxed {
    const char *name, *options;
    double (*start_of)(double M); /* where |F'| = M */
} relaxed;

static double start_exponential(double M) {
    return asinh(M);
}
static double start_power(double M) {
    return cbrt(M);
}
static double start_steep(double M) {
    return (log(M) + 1) / 2;
}
static const relaxed functions[] = {{"exponential", "{a: 1}", start_exponential},
                                    {"power", "{p: 4, L1: 1}", start_power},
                                    {"steep_exponential", "{L1: 2}", start_steep}};

static int64_t steps_to(gls_problem *p, const char *method, double start, double epsilon, int64_t most) {
    outcome o = solved(
        p, (plan){.method = method, .steps = most, .init = &start, .follow = true, .stop = true, .epsilon = epsilon});
    int64_t hit = o.solution[0].first_hit;
    outcome_free(&o);
    return hit;
}

static const char *inputs(const gls_problem *p, const char *theorem, double M, double gap, double epsilon) {
    const gls_constants *c = gls_analytic_constants(p);
    const char *more = M > 0 ? text(", M: %.15g", M) : "";
    return text("{theorem: %s, L0: %.15g, L1: %.15g, gap: %.15g, eps: %.15g%s}", theorem, c->l0, c->l1, gap, epsilon,
                more);
}

static void test_steps_of_clipped_and_fixed_descent(void **state) {
    const double epsilon = 0.01;
    int grades = full ? 5 : 3;
    for (int f = 0; f < 3; f++) {
        gls_problem *p = problem_of(functions[f].name, functions[f].options);
        const gls_constants *c = gls_analytic_constants(p);
        double logs[8], clip_steps[8], fixed_log[8], reach[8], worst_clip = 0, worst_fixed = 0;
        for (int k = 0; k < grades; k++) {
            double M = pow(10, k + 2), start = functions[f].start_of(M);
            double gap = ask(p, &start, GLS_MODE_EVALUATE, 0, 0, NULL) - c->minimum;
            const char *clip = inputs(p, "clip", 0, gap, epsilon);
            double lr = theory_value(clip, "lr"), gamma = theory_value(clip, "gamma"),
                   most = theory_value(clip, "steps");
            int64_t hit = steps_to(p, text("{name: clip, lr: %.15g, gamma: %.15g}", lr, gamma), start, epsilon,
                                   (int64_t)fmin(most + 1, 1e8));
            assert_true(hit >= 0);
            worst_clip = fmax(worst_clip, (double)hit / most);
            const char *fixed = inputs(p, "fixed_step", M, gap, epsilon);
            double fixed_most = theory_value(fixed, "steps");
            int64_t slow = steps_to(p, text("{name: sgd, lr: %.15g}", theory_value(fixed, "lr")), start, epsilon,
                                    (int64_t)fmin(fixed_most + 1, 1e8));
            assert_true(slow >= 0);
            worst_fixed = fmax(worst_fixed, (double)slow / fixed_most);
            logs[k] = log(M * c->l1 + c->l0);
            reach[k] = start / (lr * gamma); /* steps of length lr gamma from the start to the minimiser */
            clip_steps[k] = (double)hit;
            fixed_log[k] = log((double)slow);
        }
        verdict(text("[T] thm 3.4.1: steps of clip on %s, largest share of the bound", functions[f].name),
                text("%.2g", worst_clip), "<= 1", grades, worst_clip <= 1);
        verdict(text("[T] thm 3.4.3: steps of fixed-step descent on %s, largest share of the bound", functions[f].name),
                text("%.2g", worst_fixed), "<= 1", grades, worst_fixed <= 1);
        double clip_rate = slope_of(reach, clip_steps, grades), fixed_rate = slope_of(logs, fixed_log, grades);
        verdict(text("[T] 3.4: growth with M on %s: clip per start/(lr gamma) (%s), fixed step's exponent of M L1 + L0",
                     functions[f].name, f == 1 ? "M^(1/3)" : "log M"),
                text("%.3f, %.3f", clip_rate, fixed_rate), "1, 1", grades,
                fabs(clip_rate - 1) < 0.05 && fabs(fixed_rate - 1) < 0.1);
        gls_problem_destroy(p);
    }
}

/* Theorem 3.4.2: the first function forces h <= 2 (log M + 1)/(M L1); at that step the second one takes long. */
static void test_the_lower_bound_pair(void **state) {
    const double L1 = 2, epsilon = 0.05;
    int grades = full ? 4 : 3;
    double steps[8], logs[8], clip_steps[8];
    for (int k = 0; k < grades; k++) {
        double M = pow(10, k + 1), start = (log(M) + 1) / L1, limit = 2 * start / M, delta = 0.5;
        gls_problem *steep = problem_of("steep_exponential", text("{L1: %g}", L1));
        int64_t over = steps_to(steep, text("{name: sgd, lr: %.15g}", 1.01 * limit), start, epsilon, 1000000);
        int64_t under = steps_to(steep, text("{name: sgd, lr: %.15g}", 0.99 * limit), start, epsilon, 1000000);
        verdict(text("[T] thm 3.4.2, first function, M = %g: steps at 1.01 and 0.99 of h = 2(log M + 1)/(M L1)", M),
                text("%s, %lld", over < 0 ? "never" : "reached", (long long)under), "never, finite", 2,
                over < 0 && under >= 0);
        gls_problem_destroy(steep);
        gls_problem *slow = problem_of("slow_linear", text("{epsilon: %g}", epsilon));
        double far = 1 + delta / epsilon, gap = ask(slow, &far, GLS_MODE_EVALUATE, 0, 0, NULL);
        double bound = L1 * M * (gap - 1.25 * epsilon) / (8 * epsilon * epsilon * (log(M) + 1));
        int64_t hit = steps_to(slow, text("{name: sgd, lr: %.15g}", limit), far, epsilon, 100000000);
        const char *clip = inputs(slow, "clip", 0, gap, epsilon);
        /* the pair's constants: L0 = L1 = 2 serves both functions */
        clip = text("{theorem: clip, L0: %g, L1: %g, gap: %.15g, eps: %g}", L1, L1, gap, epsilon);
        clip_steps[k] = (double)steps_to(
            slow, text("{name: clip, lr: %.15g, gamma: %.15g}", theory_value(clip, "lr"), theory_value(clip, "gamma")),
            far, epsilon, 100000000);
        steps[k] = log((double)hit * (log(M) + 1));
        logs[k] = log(M);
        verdict(text("[T] thm 3.4.2, second function, M = %g (with 5 epsilon/4): steps at that h", M),
                text("%lld", (long long)hit), text(">= %.0f", bound), 1, (double)hit >= bound);
        gls_problem_destroy(slow);
    }
    double rate = slope_of(logs, steps, grades);
    verdict("[T] thm 3.4.2, second function: exponent of M in steps (log M + 1); clip's steps, least and most M",
            text("%.3f; %.0f, %.0f", rate, clip_steps[0], clip_steps[grades - 1]), "1; equal", grades,
            fabs(rate - 1) < 0.02 && clip_steps[0] == clip_steps[grades - 1]);
}

/* h_ngd against h_clip with gamma eta_c = eta_n, eta_c = eta_n/beta, at gradients of every length. */
static void test_sandwich_of_clipping_and_normalising(void **state) {
    double least = INFINITY, most = 0;
    int64_t trials = full ? 100000 : 2000;
    gls_random random = gls_random_create(2, "sandwich", 0, 0);
    for (int64_t k = 0; k < trials; k++) {
        double beta = pow(10, 4 * gls_random_uniform(&random) - 2), eta = 0.1, step[2];
        double g[3], size = pow(10, 8 * gls_random_uniform(&random) - 4), scale = size;
        for (int i = 0; i < 3; i++) g[i] = scale * gls_random_normal(&random);
        for (int m = 0; m < 2; m++) {
            gls_method *method;
            gls_step_report report;
            double w[3] = {0};
            check(gls_method_create_named(ctx, m == 0 ? "clip" : "ngd", 3, &method));
            check(gls_method_set(method, "lr", m == 0 ? eta / beta : eta));
            check(gls_method_set(method, m == 0 ? "gamma" : "beta", beta));
            check(gls_method_step(method, w, g, &report));
            step[m] = report.update_norm;
            gls_method_destroy(method);
        }
        least = fmin(least, step[1] / step[0]);
        most = fmax(most, step[1] / step[0]);
    }
    verdict("[T] (3.5), (3.6): h_ngd / h_clip", text("[%.4f, %.4f]", least, most), "inside [1/2, 1]", trials,
            least >= 0.5 * (1 - 1e-9) && most <= 1 + 1e-9);
}

/* Theorems 3.4.4 and 3.4.5: after the stated number of steps the mean gradient norm is at most epsilon. */
static double mean_norm_of(gls_problem *p, double start, int64_t steps, int64_t repeat, const char *rule) {
    gls_value *spec = value_of(rule);
    gls_method_options options = {.size = sizeof options, .layout = gls_problem_layout(p), .spec = spec};
    double total = 0;
    for (int64_t r = 0; r < repeat; r++) {
        gls_method *method;
        double w = start, g, exact;
        check(gls_method_create(ctx, &options, &method));
        for (int64_t t = 0; t < steps; t++) {
            ask(p, &w, GLS_MODE_EVALUATE, 0, 0, &exact);
            total += fabs(exact) / (double)(steps * repeat);
            ask(p, &w, GLS_MODE_TRAIN, (uint64_t)(r * steps + t), 1, &g);
            check(gls_method_step(method, &w, &g, NULL));
        }
        gls_method_destroy(method);
    }
    gls_value_destroy(ctx, spec);
    return total;
}

static void test_stochastic_bounds_under_bounded_noise(void **state) {
    const double epsilon = full ? 0.4 : 0.7, tau = 0.3, start = 1.2;
    int64_t repeat = full ? 20 : 2;
    gls_problem *p = problem_of("exponential", text("{a: 1, noise: {name: sphere, scale: %g}}", tau));
    const gls_constants *c = gls_analytic_constants(p);
    double gap = ask(p, &start, GLS_MODE_EVALUATE, 0, 0, NULL) - c->minimum;
    double delta = gap + (5 * c->l0 + 2 * c->l1 * tau) * tau * tau + 9 * tau * c->l0 * c->l0 / c->l1;
    double steps = delta * fmax(128 * c->l1 / epsilon, fmax(4 * delta / pow(epsilon, 4),
                                                            (80 * c->l0 + 512 * c->l1 * tau) / (epsilon * epsilon)));
    const char *theorem = text("{theorem: clip_noise, L0: %.15g, L1: %.15g, tau: %.15g, gap: %.15g, eps: %.15g}", c->l0,
                               c->l1, tau, gap, epsilon);
    assert_true(fabs(theory_value(theorem, "steps") / steps - 1) < 1e-9);
    double mean = mean_norm_of(p, start, (int64_t)steps, repeat, text("{name: clip, from_theory: %s}", theorem));
    verdict(text("[T] thm 3.4.4: mean E|grad F| of clipped SGD after %.0f steps", steps), text("%.3f", mean),
            text("<= %g", epsilon), repeat, mean <= epsilon);
    double M = 2 * sinh(start), count = (gap + (5 * c->l0 + 4 * c->l1 * M) * (M + tau) * (M + tau)) / pow(epsilon, 4);
    double lr = theory_value(
        text("{theorem: fixed_step_noise, L1: %.15g, M: %.15g, tau: %.15g, T: %.15g}", c->l1, M, tau, count), "lr");
    mean = mean_norm_of(p, start, (int64_t)count, repeat, text("{name: sgd, lr: %.15g}", lr));
    verdict(text("[T] thm 3.4.5: mean E|grad F| of SGD after %.0f steps", count), text("%.3f", mean),
            text("<= %g", epsilon), repeat, mean <= epsilon);
    gls_problem_destroy(p);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nesterov_stays_below_its_bound),
        cmocka_unit_test(test_adam_goes_to_the_worst_point),
        cmocka_unit_test(test_steps_of_clipped_and_fixed_descent),
        cmocka_unit_test(test_the_lower_bound_pair),
        cmocka_unit_test(test_sandwich_of_clipping_and_normalising),
        cmocka_unit_test(test_stochastic_bounds_under_bounded_noise),
    };
    return cmocka_run_group_tests(tests, theory_setup, theory_teardown);
}
