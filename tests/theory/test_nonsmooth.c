/* Chapter 5 of the thesis: interpolated normalised gradient descent, its certificates, and what no method can do. */
#include "theory.h"

typedef struct subject {
    const char *name, *options;
    double start, delta, eps, L, gap; /* L, gap 0: from the problem's constants */
} subject;

static const subject subjects[] = {{"max_affine", "{dim: 5, pieces: 20}", 0.7, 0.05, 0.2, 0, 0},
                                   {"zigzag", "{dim: 6, period: 0.5}", 0.21, 0.1, 0.1, 0, 0},
                                   {"clipped_norm", "{dim: 4, depth: 1}", 0.01, 0.1, 0.1, 0, 0},
                                   {"clipped_norm", "{dim: 1, depth: 1}", 0.3, 0.02, 0.05, 0, 0},
                                   {"sawtooth", "{n: 4}", 0.9, 0.05, 0.1, 0, 0},
                                   {"relu_net", "{hidden: 3, examples: 20, radius: 3}", 0.5, 0.1, 0.3, 0, 2}};
enum { SUBJECTS = sizeof subjects / sizeof *subjects, MOST_TRIES = 400 };

typedef struct search {
    gls_problem *problem;
    double square[MOST_TRIES + 2]; /* sum of |m_k|^2 by k */
    int64_t searches;
    double worst_norm, worst_apart, worst_weights; /* over the certificate */
    double accepted, inner, certified, delta;
} search;

/* What a certificate claims, recomputed from its points and weights alone. */
static void verify(search *s, const gls_solve_state *state) {
    gls_certificate c;
    int64_t d = gls_problem_size(s->problem);
    check(gls_method_certificate(state->method, &c));
    double m[64] = {0}, g[64], total = 0, norm = 0;
    assert_true(d <= 64);
    for (int64_t j = 0; j < c.count; j++) {
        const double *y = c.points + j * d;
        double apart = 0;
        for (int64_t i = 0; i < d; i++) apart += (y[i] - state->w[i]) * (y[i] - state->w[i]);
        ask(s->problem, y, GLS_MODE_EVALUATE, 0, 0, g);
        for (int64_t i = 0; i < d; i++) m[i] += c.weights[j] * g[i];
        total += c.weights[j];
        if (c.weights[j] < 0) s->worst_weights = INFINITY;
        s->worst_apart = fmax(s->worst_apart, sqrt(apart) / c.delta);
    }
    for (int64_t i = 0; i < d; i++) norm += m[i] * m[i];
    s->worst_weights = fmax(s->worst_weights, fabs(total - 1));
    s->worst_norm = fmax(s->worst_norm, sqrt(norm) / c.eps);
    s->certified++;
    s->delta = c.delta;
}

static gls_status follow_search(void *user, const gls_solve_state *state) {
    search *s = (search *)user + state->repetition;
    if (!state->g) return GLS_OK;
    gls_record record;
    gls_record_clear(&record);
    gls_method_record(state->method, &record);
    int64_t k = (int64_t)gls_record_get(&record, "search");
    double norm = gls_record_get(&record, "m_norm");
    if (k == 1) s->searches++;
    if (k <= MOST_TRIES) s->square[k] += norm * norm;
    return GLS_OK;
}

static gls_status end_search(void *user, const gls_solve_state *state) {
    search *s = (search *)user + state->repetition;
    gls_record record;
    gls_record_clear(&record);
    gls_method_record(state->method, &record);
    s->accepted = gls_record_get(&record, "accepted");
    s->inner = gls_record_get(&record, "inner");
    return GLS_OK;
}

static void ingd_on(const subject *u) {
    int64_t repeat = full ? 200 : 20;
    search *s = calloc((size_t)repeat, sizeof *s);
    assert_non_null(s);
    gls_problem *p = problem_of(u->name, u->options);
    const gls_constants *c = gls_analytic_constants(p);
    int64_t d = gls_problem_size(p);
    double start[64];
    for (int64_t i = 0; i < d; i++) start[i] = u->start * (1 + 0.1 * (double)i) * (i % 2 == 0 ? 1 : -1);
    double L = u->L > 0 ? u->L : c->lipschitz, value = ask(p, start, GLS_MODE_EVALUATE, 0, 0, NULL);
    double gap = u->gap > 0 ? u->gap : value - c->minimum;
    const char *method =
        text("{name: ingd, from_theory: {theorem: ingd, delta: %g, eps: %g, L: %.15g, gap: %.15g}, certificate: 20000}",
             u->delta, u->eps, L, gap);
    for (int64_t r = 0; r < repeat; r++) s[r].problem = p;
    outcome o = solved(p, (plan){.method = method,
                                 .steps = 1000000,
                                 .repeat = repeat,
                                 .seed = 31,
                                 .init = start,
                                 .observe = follow_search,
                                 .finish = end_search,
                                 .user = s});
    double accepted = 0, share = 0, searches = 0, calls[2] = {0}, limit = 4 * gap / (u->eps * u->delta);
    int64_t ended = 0;
    for (int64_t r = 0; r < repeat; r++) {
        ended += o.solution[r].ended;
        accepted = fmax(accepted, s[r].accepted);
        searches += (double)s[r].searches;
        calls[0] += (double)o.solution[r].values / (double)repeat;
        calls[1] += (double)o.solution[r].gradients / (double)repeat;
    }
    for (int64_t k = 2; k <= MOST_TRIES; k++) { /* at k = 1 both sides are L^2 */
        double mean = 0;
        for (int64_t r = 0; r < repeat; r++) mean += s[r].square[k] / searches;
        share = fmax(share, mean * (double)(k + 2) / (3 * L * L));
    }
    verdict(text("[T] thm 5.4.1: most accepted steps of ingd on %s %s", u->name, u->options), text("%.0f", accepted),
            text("<= %.0f", ceil(limit)), repeat, ended == repeat && accepted <= ceil(limit));
    double bound = 192 * gap * L * L / (pow(u->eps, 3) * u->delta) * log(4 * gap / (0.05 * u->delta * u->eps));
    verdict(text("[T] thm 5.4.1: mean oracle calls of ingd on %s d = %lld (values, gradients)", u->name, (long long)d),
            text("%.0f, %.0f", calls[0], calls[1]), text("<= %.2g each", bound), repeat,
            calls[0] <= bound && calls[1] <= bound);
    verdict(text("[T] lemma 5.7.2: largest E|m_k|^2 over 3L^2/(k+2), ingd on %s d = %lld", u->name, (long long)d),
            text("%.3f", share), "<= 1", (int64_t)searches, share <= 1);
    outcome_free(&o);
    free(s);
    gls_problem_destroy(p);
}

/* Oracle calls of ingd until it ends, its constants from the theorem. */
static double calls_of_ingd(gls_problem *p, double eps, double radius, const double *start, int64_t repeat) {
    const gls_constants *c = gls_analytic_constants(p);
    double gap = ask(p, start, GLS_MODE_EVALUATE, 0, 0, NULL) - c->minimum, calls = 0;
    outcome o = solved(p, (plan){.method = text("{name: ingd, L: %.15g, gap: %.15g, delta: %.15g, eps: %.15g}",
                                                c->lipschitz, gap, radius, eps),
                                 .steps = 10000000,
                                 .repeat = repeat,
                                 .seed = 37,
                                 .init = start});
    for (int64_t r = 0; r < repeat; r++) {
        assert_true(o.solution[r].ended);
        calls += (double)o.solution[r].gradients / (double)repeat;
    }
    outcome_free(&o);
    return calls;
}

/* Table 5.1, Lipschitz and non-convex: at most eps^-3 delta^-1, up to a logarithm. */
static void test_exponents_of_table_one(void **state) {
    enum { GRADES = 4 };
    int64_t repeat = full ? 200 : 10;
    double start[10], x[GRADES], y[2][GRADES];
    gls_problem *p = problem_of("zigzag", "{dim: 10, period: 0.5}");
    (void)state;
    for (int i = 0; i < 10; i++) start[i] = 2.1 + 0.17 * i;
    for (int k = 0; k < GRADES; k++) {
        double size = 0.4 * pow(0.5, k);
        x[k] = log(size);
        y[0][k] = log(calls_of_ingd(p, size, 0.05, start, repeat));
        y[1][k] = log(calls_of_ingd(p, 0.1, size / 8, start, repeat));
    }
    double eps = slope_of(x, y[0], GRADES), radius = slope_of(x, y[1], GRADES);
    verdict("[T] table 5.1: exponents of eps and delta in the gradients that ingd asks for, zigzag d = 10",
            text("%.2f, %.2f", eps, radius), ">= -3, >= -1", 2 * GRADES * repeat, eps >= -3.05 && radius >= -1.05);
    gls_problem_destroy(p);
}

static gls_status verify_at_end(void *user, const gls_solve_state *state) {
    verify(user, state);
    return GLS_OK;
}

static void test_ingd_keeps_its_bounds(void **state) {
    for (int k = 0; k < SUBJECTS; k++) ingd_on(&subjects[k]);
}

static void test_certificates_hold_when_recomputed(void **state) {
    double norm = 0, apart = 0, weights = 0, rounds = 0;
    int64_t certified = 0, seeds = full ? 50 : 8;
    for (int k = 0; k < SUBJECTS; k++) {
        const subject *u = &subjects[k];
        for (int64_t seed = 0; seed < seeds; seed++) {
            gls_problem *p = problem_of(u->name, u->options);
            const gls_constants *c = gls_analytic_constants(p);
            double start[64], gap;
            for (int64_t i = 0; i < gls_problem_size(p); i++)
                start[i] = u->start * (1 + 0.1 * (double)i) * (i % 2 == 0 ? 1 : -1);
            gap = u->gap > 0 ? u->gap : ask(p, start, GLS_MODE_EVALUATE, 0, 0, NULL) - c->minimum;
            bool rounds_of = seed % 2 == 1; /* delta_k = 1/k */
            search s = {.problem = p};
            outcome o = solved(
                p, (plan){.method = text("{name: ingd, delta: %g, eps: %g, L: %.15g, gap: %.15g, "
                                         "certificate: 20000%s}",
                                         u->delta, u->eps, c->lipschitz, 10 * gap, rounds_of ? ", repeat: 8" : ""),
                          .steps = 1000000,
                          .seed = (uint64_t)seed,
                          .init = start,
                          .finish = verify_at_end,
                          .user = &s});
            if (rounds_of) rounds = fmax(rounds, fabs(s.delta - 0.125));
            norm = fmax(norm, s.worst_norm);
            apart = fmax(apart, s.worst_apart);
            weights = fmax(weights, s.worst_weights);
            certified++;
            outcome_free(&o);
            gls_problem_destroy(p);
        }
    }
    verdict("[T] 5.3.1, alg. 2: certificates recomputed from their points: largest |sum weight g|/eps, distance/delta, "
            "|sum of weights - 1|",
            text("%.6f, %.6f, %.1e", norm, apart, weights), "<= 1, <= 1, 0", certified,
            norm <= 1 + 1e-9 && apart <= 1 + 1e-9 && weights < 1e-9);
    verdict("[T] lemma 5.3.2: eight rounds with delta_k = 1/k end with a certificate of radius 1/8",
            text("off by %.1e", rounds), "0", certified / 2, rounds < 1e-12);
}

/* Smooth functions: with delta <= 1.5 eps/L every first try descends; (eps/3L, eps/3)-stationary implies
 * eps-stationary. */
static void test_smooth_functions_take_one_try(void **state) {
    static const char *const problems[][2] = {{"quadratic", "{dim: 6, L: 4, mu: 0.2, rotate: true}"},
                                              {"geman_mcclure", "{dim: 4, examples: 20, scale: 2}"},
                                              {"sines", "{height: 3}"}};
    for (int k = 0; k < 3; k++) {
        gls_problem *p = problem_of(problems[k][0], problems[k][1]);
        const gls_constants *c = gls_analytic_constants(p);
        double start[6] = {0.9, -0.4, 0.3, 0.8, -0.7, 0.2}, eps = 0.05, g[6], L = 0;
        double gap = ask(p, start, GLS_MODE_EVALUATE, 0, 0, g) - c->minimum;
        L = isnan(c->lipschitz) ? c->smoothness * 3 : c->lipschitz;
        search s = {.problem = p};
        outcome o = solved(p, (plan){.method = text("{name: ingd, delta: %.15g, eps: %g, L: %.15g, gap: %.15g}",
                                                    1.5 * eps / c->smoothness, eps, L, gap),
                                     .steps = 1000000,
                                     .init = start,
                                     .finish = end_search,
                                     .user = &s});
        verdict(text("[T] remark 5.4.1: tries beyond the first on %s, delta = 1.5 eps/L", problems[k][0]),
                text("%.0f in %.0f steps", s.inner, s.accepted), "0", (int64_t)s.accepted,
                s.inner == 0 && s.accepted > 3);
        outcome_free(&o);
        o = solved(p, (plan){.method = text("{name: ingd, delta: %.15g, eps: %.15g, L: %.15g, gap: %.15g}",
                                            eps / (3 * c->smoothness), eps / 3, L, gap),
                             .steps = 10000000,
                             .init = start});
        verdict(text("[T] prop. 5.3.1: |grad F| at ingd's (eps/3L, eps/3)-stationary point of %s", problems[k][0]),
                text("%.4f", o.solution[0].end.gradient_norm), text("<= %g", eps), 1,
                o.solution[0].ended && o.solution[0].end.gradient_norm <= eps);
        outcome_free(&o);
        gls_problem_destroy(p);
    }
}

/* ---- the stochastic form ---- */

typedef struct total {
    double sum;
    int64_t count;
} total;

static gls_status follow_m(void *user, const gls_solve_state *state) {
    total *t = (total *)user + state->repetition;
    if (state->report->lr > 0) {
        t->sum += state->report->update_norm / state->report->lr;
        t->count++;
    }
    return GLS_OK;
}

typedef struct settling {
    double bound, sum;
    int64_t count, settled; /* the step from which on the mean of |m_t| stays at or below the bound */
} settling;

static gls_status wait_for_m(void *user, const gls_solve_state *state) {
    settling *t = (settling *)user + state->repetition;
    if (!(state->report->lr > 0)) return GLS_OK;
    t->sum += state->report->update_norm / state->report->lr;
    t->count++;
    if (t->sum > t->bound * (double)t->count) t->settled = t->count + 1;
    return GLS_OK;
}

/* Gradients that singd asks for, its constants from the theorem, until the mean of |m_t| is what the theorem says at
 * its T. */
static double calls_of_singd(double eps, double delta, int64_t repeat) {
    enum { MOST = 20 };
    const double start[2] = {4.3, -5.1};
    const char *values = text("{theorem: singd, L: 1, sigma: 0.1, delta: %.15g, eps: %.15g, gap: 1}", delta, eps);
    gls_problem *problem = problem_of("zigzag", "{dim: 2, period: 2, noise: {name: sphere, scale: 0.1}}");
    settling t[MOST];
    double calls = 0;
    for (int64_t r = 0; r < repeat; r++) t[r] = (settling){.bound = eps / 4};
    outcome o = solved(
        problem, (plan){.method = text("{name: singd, beta: %.15g, p: %.15g, q: %.15g}", theory_value(values, "beta"),
                                       theory_value(values, "p"), theory_value(values, "q")),
                        .steps = (int64_t)theory_value(values, "T"),
                        .batch = 1,
                        .repeat = repeat,
                        .seed = 41,
                        .init = start,
                        .observe = wait_for_m,
                        .user = t});
    for (int64_t r = 0; r < repeat; r++) calls += (double)t[r].settled / (double)repeat;
    for (int64_t r = 0; r < repeat; r++) assert_true(t[r].settled <= t[r].count);
    outcome_free(&o);
    gls_problem_destroy(problem);
    return calls;
}

/* Table 5.1, stochastic, Lipschitz and non-convex: at most eps^-4 delta^-1, up to a logarithm. */
static void test_exponents_of_the_stochastic_form(void **state) {
    enum { GRADES = 3 };
    int64_t repeat = full ? 10 : 1;
    double x[GRADES], y[2][GRADES];
    for (int k = 0; k < GRADES; k++) {
        x[k] = log(full ? 0.5 : 1) + k * log(1.25);
        y[0][k] = log(calls_of_singd(exp(x[k]), 1, repeat));
        y[1][k] = log(calls_of_singd(1, exp(x[k]), repeat));
    }
    double eps = slope_of(x, y[0], GRADES), delta = slope_of(x, y[1], GRADES);
    verdict("[T] table 5.1: exponents of eps and delta in the gradients that singd asks for, zigzag d = 2",
            text("%.2f, %.2f", eps, delta), ">= -4, >= -1", 2 * GRADES * repeat, eps >= -4.2 && delta >= -1.1);
}

static void test_singd_at_the_theorems_constants(void **state) {
    static const char *const problems[][2] = {{"zigzag", "dim: 2, period: 2"}, {"max_affine", "dim: 3, pieces: 10"}};
    double eps = full ? 0.5 : 1, delta = full ? 0.5 : 1, sigma = 0.1;
    for (int k = 0; k < 2; k++) {
        const char *values = text("{theorem: singd, L: 1, sigma: %g, delta: %g, eps: %g, gap: 1}", sigma, delta, eps);
        double p = theory_value(values, "p"), q = theory_value(values, "q"), T = theory_value(values, "T");
        double beta = theory_value(values, "beta"), start[3] = {0.4, -0.5, 0.3};
        enum { REPEAT = 2 };
        total t[REPEAT] = {{0}};
        gls_problem *problem =
            problem_of(problems[k][0], text("{%s, noise: {name: sphere, scale: %g}}", problems[k][1], sigma));
        const char *qs[] = {text("%.15g", q), "0"};
        for (int m = 0; m < 2; m++) {
            memset(t, 0, sizeof t);
            outcome o =
                solved(problem, (plan){.method = text("{name: singd, beta: %.15g, p: %.15g, q: %s}", beta, p, qs[m]),
                                       .steps = (int64_t)T,
                                       .batch = 1,
                                       .repeat = REPEAT,
                                       .seed = 5,
                                       .init = start,
                                       .observe = follow_m,
                                       .user = t});
            double mean = 0;
            for (int r = 0; r < REPEAT; r++) mean += t[r].sum / (double)t[r].count / REPEAT;
            verdict(text("[T] thm 5.5.1: mean |m_t| of singd on %s, q = %s, eps = delta = %g, T = %.3g", problems[k][0],
                         m == 0 ? "4Gp" : "0", eps, T),
                    text("%.4f", mean), m == 0 ? text("<= %g", eps / 4) : "reported", REPEAT,
                    m == 1 || mean <= eps / 4);
            outcome_free(&o);
        }
        gls_problem_destroy(problem);
    }
}

/* ---- what no method can do ---- */

enum { POINTS = 4096 };
typedef struct resisting {
    double slope, at[POINTS]; /* every point that was asked */
    int64_t count;
} resisting;

/* The oracle that always says value 0, gradient `slope`. */
static int resist(void *user, const gls_real *w, int64_t count, const int64_t *example, const double *weight,
                  double *value, gls_real *g) {
    resisting *r = user;
    double c = 0;
    bool known = false;
    for (int64_t i = 0; i < r->count; i++) known |= r->at[i] == w[0];
    if (!known && r->count < POINTS) r->at[r->count++] = w[0];
    for (int64_t k = 0; k < count; k++) c += weight ? weight[k] : 1;
    if (!g) return 0;
    g[0] += c * r->slope;
    return 0;
}

typedef struct path {
    double at[POINTS];
    int64_t count;
} path;

static gls_status remember(void *user, const gls_solve_state *state) {
    path *p = user;
    if (p->count < POINTS) p->at[p->count++] = state->w[0];
    return GLS_OK;
}

static gls_problem *with_points(const char *name, const resisting *r, const char *more) {
    gls_value *options = value_of(more), *list = gls_value_create(ctx, GLS_VALUE_LIST, "points", NULL);
    for (int64_t i = 0; i < r->count; i++)
        check(gls_value_append(ctx, list, gls_value_create(ctx, GLS_VALUE_TEXT, NULL, text("%.17g", r->at[i]))));
    check(gls_value_append(ctx, options, list));
    gls_problem *p;
    check(gls_problem_create(ctx, name, options, NULL, &p));
    gls_value_destroy(ctx, options);
    return p;
}

/* Runs a method against the oracle, then on the two functions that it leaves possible. Returns the number of asked
 * points at which a function differs from the oracle or is stationary, and of iterates that differ. */
static int64_t defeated(const char *method, bool values, int64_t steps, double *range) {
    static resisting r;
    static path first, second;
    r = (resisting){.slope = 1};
    first.count = 0;
    gls_objective objective = {
        .size = sizeof objective, .parameters = 1, .examples = 1, .evaluate = resist, .user = &r};
    double start[1] = {0};
    gls_problem *oracle;
    check(gls_problem_create_objective(ctx, &objective, &oracle));
    plan how = {
        .method = method, .steps = steps, .batch = 1, .init = start, .observe = remember, .user = &first, .seed = 3};
    outcome run = solved(oracle, how);
    outcome_free(&run);
    gls_problem_destroy(oracle);
    int64_t wrong = 0;
    double delta = 1.0 / 8 / (double)r.count; /* as many queries as theorem 5.5.2 allows */
    *range = 0;
    for (int which = 0; which < 2; which++) {
        gls_problem *p = values
                             ? with_points("resisting", &r, text("{theta: %g, L: 1, delta: 1}", which == 0 ? 0.2 : 0.4))
                             : with_points("resisting_gradient", &r,
                                           text("{delta: %.15g, shift: %.15g}", delta, which == 0 ? 0 : 1.5 * delta));
        second.count = 0;
        how.user = &second;
        run = solved(p, how);
        outcome_free(&run);
        for (int64_t i = 0; i < first.count; i++) wrong += second.at[i] != first.at[i];
        double highest = -INFINITY;
        for (int64_t i = 0; i < r.count; i++) {
            double g, value = ask(p, &r.at[i], GLS_MODE_EVALUATE, 0, 0, &g);
            highest = fmax(highest, value);
            wrong += g != 1 || (values && fabs(value) > 1e-12);
            for (int side = -1; side <= 1 && !values && which == 0; side++) { /* not even near a kink, for the first */
                double near = r.at[i] + side * delta, slope;
                ask(p, &near, GLS_MODE_EVALUATE, 0, 0, &slope);
                wrong += slope != 1;
            }
        }
        *range = fmax(*range, highest - gls_analytic_constants(p)->minimum);
        gls_problem_destroy(p);
    }
    return wrong;
}

static void test_resisting_pairs_defeat_every_method(void **state) {
    static const char *const methods[] = {"{name: sgd, lr: 0.07}",
                                          "{name: adam, lr: 0.05}",
                                          "{name: gclip, lr: 0.1, tau: 0.5}",
                                          "{name: msgd, lr: 0.02, beta: 0.9}",
                                          "{name: ngd, lr: 0.03, beta: 0.1}",
                                          "{name: sngm, lr: 0.02, beta: 0.9}",
                                          "{name: acclip, lr: 0.1}",
                                          "{name: singd, p: 3, q: 10}",
                                          "{name: ingd, L: 1, delta: 0.3, eps: 0.1, gap: 1}"};
    enum { METHODS = 9 };
    int64_t failures[2] = {0}, steps = full ? 300 : 60;
    double range, widest[2] = {0};
    for (int m = 0; m < METHODS; m++) {
        failures[0] += defeated(methods[m], true, steps, &range);
        widest[0] = fmax(widest[0], range);
        if (m == METHODS - 1) continue; /* ingd asks for values */
        failures[1] += defeated(methods[m], false, steps, &range);
        widest[1] = fmax(widest[1], range);
    }
    verdict(
        "[T] thm 5.3.1: queries at which either of two functions differs from the oracle or is stationary (9 methods)",
        text("%lld, f - inf f <= %.3f", (long long)failures[0], widest[0]), "0, <= 1", METHODS * steps,
        failures[0] == 0 && widest[0] <= 1);
    verdict("[T] thm 5.5.2: the same without values, Delta/(8 delta) queries; the first is not even near stationary (8 "
            "methods)",
            text("%lld, f - inf f <= %.3f", (long long)failures[1], widest[1]), "0, <= 1", 8 * steps,
            failures[1] == 0 && widest[1] <= 1 + 1e-9);
    /* Printed: moved by 1.5 delta the function shares no (delta, eps)-stationary point. 3/4 delta behind the first kink
     * both have slopes -1 and 1 within delta. */
    resisting one = {.at = {0}, .count = 1};
    int64_t shared = 0;
    for (int which = 0; which < 2; which++) {
        gls_problem *p =
            with_points("resisting_gradient", &one, text("{delta: 0.1, shift: %g}", which == 0 ? 0 : 0.15));
        double left = -0.2 + 0.075 - 0.0999, right = -0.2 + 0.075 + 0.0999, slope[2];
        ask(p, &left, GLS_MODE_EVALUATE, 0, 0, &slope[0]);
        ask(p, &right, GLS_MODE_EVALUATE, 0, 0, &slope[1]);
        shared += slope[0] == -1 && slope[1] == 1;
        gls_problem_destroy(p);
    }
    verdict("[T] thm 5.5.2: points that are (delta, eps)-stationary for both functions at the printed shift 1.5 delta",
            shared == 2 ? "some" : "none", "none (the proof leaves a gap)", 1, shared == 2);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ingd_keeps_its_bounds),
        cmocka_unit_test(test_exponents_of_table_one),
        cmocka_unit_test(test_exponents_of_the_stochastic_form),
        cmocka_unit_test(test_certificates_hold_when_recomputed),
        cmocka_unit_test(test_smooth_functions_take_one_try),
        cmocka_unit_test(test_singd_at_the_theorems_constants),
        cmocka_unit_test(test_resisting_pairs_defeat_every_method),
    };
    return cmocka_run_group_tests(tests, theory_setup, theory_teardown);
}
