/* [D] 5: stability of mini-batch SGD, theorems 12 and 13, and the generalisation errors of corollaries 3 to 6. */
#include "diversity.h"

/* ---- theorem 12: stability ---- */

/* One run of mini-batch SGD (summed gradients) over a set; the same examples in every run with the same seed. */
static void train(gls_problem *p, const data *set, const char *rule, int64_t B, int64_t T, uint64_t seed, double *w) {
    gls_method *method;
    gls_point *at;
    gls_evaluation *e;
    int64_t d = gls_problem_size(p), index[64], slot[64];
    int32_t label[64];
    double *x = malloc((size_t)(B * set->d) * sizeof *x), g[WIDE];
    assert_non_null(x);
    memset(w, 0, (size_t)d * sizeof *w);
    gls_value *spec = value_of(rule);
    gls_method_options options = {.size = sizeof options, .layout = gls_problem_layout(p), .spec = spec};
    check(gls_method_create(ctx, &options, &method));
    gls_value_destroy(ctx, spec);
    check(gls_point_create(p, &at));
    check(gls_evaluation_create(p, B, GLS_WANT_GRADIENT, GLS_MODE_TRAIN, &e));
    gls_random random = gls_random_create(seed, "stability", 0, 0);
    for (int64_t t = 0; t < T / B; t++) {
        for (int64_t k = 0; k < B; k++) {
            index[k] = gls_random_below(&random, set->n);
            slot[k] = k;
            label[k] = set->label[index[k]];
            memcpy(x + k * set->d, set->x + index[k] * set->d, (size_t)set->d * sizeof *x);
        }
        gls_batch rows = {.rows = B, .features = set->d, .x = x, .label = label, .index = index, .slot = slot};
        gls_evaluate_args args = {.point = at,
                                  .rows = &rows,
                                  .want = GLS_WANT_GRADIENT,
                                  .mode = GLS_MODE_TRAIN,
                                  .batch_mass = (double)B,
                                  .batch_rows = B};
        check(gls_point_set(at, w));
        check(gls_evaluate(e, &args));
        memset(g, 0, sizeof g);
        check(gls_ask_gradient(e, GLS_PRODUCT_GRADIENT, NULL, g));
        check(gls_method_step(method, w, g, NULL));
    }
    gls_evaluation_destroy(e);
    gls_point_destroy(at);
    gls_method_destroy(method);
    free(x);
}

static double loss_at(gls_problem *p, const double *w, const double *x, int32_t label, int64_t d) {
    gls_point *at;
    gls_evaluation *e;
    gls_batch rows = all_of(1);
    rows.features = d;
    rows.x = x;
    rows.label = &label;
    double loss;
    check(gls_point_create(p, &at));
    check(gls_point_set(at, w));
    check(gls_evaluation_create(p, 1, 0, GLS_MODE_EVALUATE, &e));
    gls_evaluate_args args = {.point = at, .rows = &rows, .mode = GLS_MODE_EVALUATE, .batch_mass = 1, .batch_rows = 1};
    check(gls_evaluate(e, &args));
    check(gls_ask_loss(e, &loss));
    gls_evaluation_destroy(e);
    gls_point_destroy(at);
    return loss;
}

/* |x| = 1: L = 1, beta = 1/4 (with a bias: sqrt 2, 1/2). */
static void draw_unit_rows(data *set, data *fresh) {
    gls_random random = gls_random_create(6, "stability data", 0, 0);
    data *both[] = {set, fresh};
    for (int s = 0; s < 2; s++)
        for (int64_t i = 0; i < set->n; i++) {
            double square = 0, *x = both[s]->x + i * set->d;
            for (int64_t j = 0; j < set->d; j++) {
                x[j] = gls_random_normal(&random);
                square += pow(x[j], 2);
            }
            for (int64_t j = 0; j < set->d; j++) x[j] /= sqrt(square);
            both[s]->label[i] = (int32_t)gls_random_below(&random, 2);
        }
}

/* lambda 0: theorem 12; else theorem 13, projected onto the ball of radius 2. */
static void stability(double lambda) {
    static const int64_t sizes[] = {1, 8};
    int64_t n = 60, d = 20, exchanged = full ? 60 : 8, seeds = full ? 20 : 2;
    for (int k = 0; k < 2; k++) {
        data set = {.n = n, .d = d}, fresh = {.n = n, .d = d};
        set.x = malloc((size_t)(n * d) * sizeof *set.x);
        fresh.x = malloc((size_t)(n * d) * sizeof *fresh.x);
        assert_true(set.x && fresh.x);
        draw_unit_rows(&set, &fresh);
        gls_problem *p = logistic_for(&set, lambda, true);
        bool bias = gls_problem_size(p) > d;
        double lipschitz = bias ? sqrt(2.0) : 1, beta = (bias ? 0.5 : 0.25) + 2 * lambda, B = (double)sizes[k], T = 480,
               mean = 0;
        double least = glm_bound(&set, bias); /* bounds differential diversity too */
        const char *in = text("{theorem: diversity_stability, beta: %g, n: %lld, B: %g, BS: %.15g, L: %.15g, T: %g}",
                              beta, (long long)n, B, least, lipschitz, T);
        double step = theory_value(in, "lr"), bound = theory_value(in, "bound"), w[WIDE], other[WIDE], spread = 0;
        if (lambda > 0) { /* also B <= 1/(2 gamma lambda); L on the ball */
            step = fmin(step, 1 / (2 * B * lambda));
            bound = 4 * pow(lipschitz + 2 * lambda, 2) / (lambda * (double)(n - 1)); /* (42) mended */
        }
        char rule[100];
        snprintf(rule, sizeof rule, "{name: sgd, lr: %.15g%s}", step, lambda > 0 ? ", project: {ball: 2}" : "");
        for (int64_t seed = 0; seed < seeds; seed++) {
            train(p, &set, rule, sizes[k], (int64_t)T, (uint64_t)seed, w);
            for (int64_t i = 0; i < exchanged; i++) {
                double kept[WIDE];
                int32_t label = set.label[i];
                memcpy(kept, set.x + i * d, (size_t)d * sizeof *kept);
                memcpy(set.x + i * d, fresh.x + i * d, (size_t)d * sizeof *kept);
                set.label[i] = fresh.label[i];
                train(p, &set, rule, sizes[k], (int64_t)T, (uint64_t)seed, other);
                memcpy(set.x + i * d, kept, (size_t)d * sizeof *kept);
                set.label[i] = label;
                double difference = loss_at(p, other, fresh.x + i * d, fresh.label[i], d) -
                                    loss_at(p, w, fresh.x + i * d, fresh.label[i], d);
                mean += difference / (double)(exchanged * seeds);
                spread = fmax(spread, fabs(difference));
            }
        }
        verdict(text("[D] thm %d: |eps_stab| at the largest step %.3f, B = %g (largest single difference %.3f)",
                     lambda > 0 ? 13 : 12, step, B, spread),
                text("%.4f", fabs(mean)), text("<= %.4f", bound), exchanged * seeds, fabs(mean) <= bound);
        gls_problem_destroy(p);
        free(set.x);
        free(fresh.x);
    }
}

static void test_stability_of_minibatch_sgd(void **state) {
    stability(0);
    stability(0.2);
}

/* ---- corollaries 3 to 6: generalisation errors over random sets ---- */

/* |x| = 1 along normal or Rademacher entries, labels by a noisy linear rule. */
static void draw_row(gls_random *random, bool signs, double *x, int32_t *label, int64_t d) {
    double square = 0, score = 0;
    for (int64_t j = 0; j < d; j++) {
        x[j] = signs ? (gls_random_uniform(random) < 0.5 ? -1 : 1) : gls_random_normal(random);
        square += x[j] * x[j];
        score += x[j] * (j % 3 ? 1 : -1);
    }
    for (int64_t j = 0; j < d; j++) x[j] /= sqrt(square);
    *label = score + 2 * gls_random_normal(random) > 0;
}

static double risk(gls_problem *p, const double *w, const double *x, const int32_t *label, int64_t n, int64_t d) {
    double sum = 0;
    for (int64_t i = 0; i < n; i++) sum += loss_at(p, w, x + i * d, label[i], d) / (double)n;
    return sum;
}

typedef struct error_of {
    double gap, eta, step, bound;
} error_of;

/* Mean over sets of R - R_S after T gradients in batches of B, at the greatest step that (9) or (11) allows where the
 * differential B_S is at least `least`; eta: share of the sets whose data do not guarantee that. */
static error_of generalise(double lambda, bool signs, int64_t B, double least, int64_t sets) {
    enum { SET = 60, FRESH = 400, DIMS = 20 };
    static double x[(SET + FRESH) * DIMS];
    static int32_t label[SET + FRESH];
    error_of out = {0};
    const double T = 480;
    double lipschitz = 1, beta = 0.25 + 2 * lambda;
    const char *in =
        text("{theorem: %s, beta: %.15g, n: %d, B: %lld, BS: %.15g, L: %.15g%s}",
             lambda > 0 ? "diversity_stability_strongly_convex" : "diversity_stability", beta, SET, (long long)B, least,
             lambda > 0 ? lipschitz + 2 * lambda : lipschitz, lambda > 0 ? text(", lambda: %g", lambda) : ", T: 480");
    out.step = theory_value(in, "lr");
    double stable = theory_value(in, "bound");
    char rule[120];
    snprintf(rule, sizeof rule, "{name: sgd, lr: %.15g%s}", out.step, lambda > 0 ? ", project: {ball: 2}" : "");
    for (int64_t s = 0; s < sets; s++) {
        gls_random random = gls_random_create(21, "generalisation", (uint64_t)s, signs);
        for (int i = 0; i < SET + FRESH; i++) draw_row(&random, signs, x + i * DIMS, &label[i], DIMS);
        data set = {.n = SET, .d = DIMS, .x = x};
        memcpy(set.label, label, SET * sizeof *label);
        gls_problem *p = logistic_for(&set, lambda, false);
        double w[WIDE];
        out.eta += (glm_bound(&set, false) < least) / (double)sets;
        train(p, &set, rule, B, (int64_t)T, (uint64_t)s, w);
        out.gap +=
            (risk(p, w, x + SET * DIMS, label + SET, FRESH, DIMS) - risk(p, w, x, label, SET, DIMS)) / (double)sets;
        gls_problem_destroy(p);
    }
    double whole = 2 * out.step * lipschitz * lipschitz * T;
    out.bound = stable * (1 - out.eta) + whole * out.eta;
    return out;
}

/* With the bound that holds for most sets, and with one that a part of them misses. */
static void test_generalisation_errors(void **state) {
    static const double lambdas[] = {0, 0.2};
    static const double leasts[] = {8, 9.5};
    int64_t sets = full ? 400 : 12;
    (void)state;
    for (int l = 0; l < 2; l++)
        for (int signs = 0; signs < 2; signs++)
            for (int k = 0; k < 2; k++) {
                error_of e = generalise(lambdas[l], signs, 8, leasts[k], sets);
                verdict(text("[D] cor. %d, %d: |mean R - R_S| of logistic regression on %s rows, B = 8, step %.3f for "
                             "differential B_S >= %g (eta = %.2f)",
                             l ? 4 : 3, l ? 6 : 5, signs ? "Rademacher" : "normal", e.step, leasts[k], e.eta),
                        text("%.4f", fabs(e.gap)), text("<= %.4f", e.bound), sets, fabs(e.gap) <= e.bound);
            }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_stability_of_minibatch_sgd),
                                       cmocka_unit_test(test_generalisation_errors)};
    return cmocka_run_group_tests(tests, theory_setup, theory_teardown);
}
