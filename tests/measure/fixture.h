/* Problems for tests of measures, with every example's gradient known in closed form. */
#ifndef TESTS_MEASURE_FIXTURE_H
#define TESTS_MEASURE_FIXTURE_H

#include "check.h"

enum { SET = 60, DIM = 6 };

/* f_i(w) = 1/2 sum_k a_k (w_k - x_ik)^2 + 1/4 q sum_k w_k^4: the gradient is a_k (w_k - x_ik) + q w_k^3. */
typedef struct quadratic {
    double a[DIM], x[SET][DIM], quartic;
} quadratic;

typedef struct fixture {
    gls_context *ctx;
    gls_problem *problem;
    gls_pass *pass;
    gls_source *source;
    quadratic f;
    gls_real w[DIM];
    gls_measure_input in;
} fixture;

static inline void quadratic_gradient(const quadratic *f, const gls_real *w, int64_t i, double *g) {
    for (int k = 0; k < DIM; k++) g[k] = f->a[k] * ((double)w[k] - f->x[i][k]) + f->quartic * pow((double)w[k], 3);
}

static inline double quadratic_value(const quadratic *f, const gls_real *w, int64_t i) {
    double value = 0;
    for (int k = 0; k < DIM; k++)
        value += 0.5 * f->a[k] * pow((double)w[k] - f->x[i][k], 2) + 0.25 * f->quartic * pow((double)w[k], 4);
    return value;
}

static inline int quadratic_evaluate(void *user, const gls_real *w, int64_t count, const int64_t *example,
                                     const double *weight, double *value, gls_real *gradient) {
    const quadratic *f = user;
    *value = 0;
    for (int64_t j = 0; j < count; j++) {
        double c = weight ? weight[j] : 1, g[DIM];
        *value += c * quadratic_value(f, w, example[j]);
        quadratic_gradient(f, w, example[j], g);
        for (int k = 0; gradient && k < DIM; k++) gradient[k] = (gls_real)((double)gradient[k] + c * g[k]);
    }
    return 0;
}

static inline void fixture_create_comm(fixture *t, int threads, gls_comm *comm, gls_objective_fn evaluate, void *user,
                                       int64_t parameters, int64_t examples) {
    gls_context_options options = {.size = sizeof options, .threads = threads, .seed = 1, .comm = comm};
    GOOD(gls_context_create(&t->ctx, &options));
    gls_objective objective = {
        .size = sizeof objective, .parameters = parameters, .examples = examples, .evaluate = evaluate, .user = user};
    GOOD(gls_problem_create_objective(t->ctx, &objective, &t->problem));
    gls_pass_options pass = {.size = sizeof pass};
    GOOD(gls_pass_create(t->problem, &pass, &t->pass));
    GOOD(gls_source_indices(t->ctx, examples, NULL, &t->source));
    t->in = (gls_measure_input){.size = sizeof t->in,
                                .problem = t->problem,
                                .pass = t->pass,
                                .source = t->source,
                                .w = t->w,
                                .lr = 0.1,
                                .batch = 8,
                                .seed = 3,
                                .exchanged = -1,
                                .loss = NAN,
                                .gradient_norm = NAN};
}

static inline void fixture_create(fixture *t, int threads, gls_objective_fn evaluate, void *user, int64_t parameters,
                                  int64_t examples) {
    fixture_create_comm(t, threads, NULL, evaluate, user, parameters, examples);
}

static inline void fixture_quadratic(fixture *t, int threads) {
    *t = (fixture){0};
    gls_random random = gls_random_create(2, "fixture", 0, 0);
    for (int k = 0; k < DIM; k++) {
        t->f.a[k] = 0.5 + k;
        t->w[k] = (gls_real)(0.1 * k);
        for (int i = 0; i < SET; i++) t->f.x[i][k] = gls_random_normal(&random) + 1;
    }
    fixture_create(t, threads, quadratic_evaluate, &t->f, DIM, SET);
}

static inline void fixture_destroy(fixture *t) {
    gls_source_destroy(t->source);
    gls_pass_destroy(t->pass);
    gls_problem_destroy(t->problem);
    gls_context_destroy(t->ctx);
}

/* A measure with options as pairs of key and text, NULL-terminated. */
static inline gls_measure *fixture_measure(fixture *t, const char *name, const char *const *pairs) {
    gls_value *options = gls_value_create(t->ctx, GLS_VALUE_MAP, NULL, NULL);
    for (int i = 0; pairs && pairs[i]; i += 2)
        GOOD(gls_value_append(t->ctx, options, gls_value_create(t->ctx, GLS_VALUE_TEXT, pairs[i], pairs[i + 1])));
    gls_measure *m;
    gls_status status = gls_measure_create(t->ctx, name, options, NULL, gls_problem_size(t->problem),
                                           gls_source_info(t->source)->examples, &m);
    if (status != GLS_OK) fail_msg("%s: %s", name, gls_context_message(t->ctx));
    gls_value_destroy(t->ctx, options);
    return m;
}

static inline void fixture_run(fixture *t, gls_measure *m, gls_measure_result *result) {
    gls_status status = gls_measure_run(m, &t->in, result);
    if (status != GLS_OK) fail_msg("%s: %s", m->type->member.name, gls_context_message(t->ctx));
}

/* Made, run once and destroyed. */
static inline gls_measure_result fixture_once(fixture *t, const char *name, const char *const *pairs) {
    gls_measure_result result;
    gls_measure_result_init(t->ctx, &result);
    gls_measure *m = fixture_measure(t, name, pairs);
    fixture_run(t, m, &result);
    gls_measure_destroy(m);
    return result;
}

#endif
