#include "diversity.h"

static void finish(gradients *r) {
    r->M2 = r->G = 0;
    memset(r->mean, 0, sizeof r->mean);
    for (int64_t i = 0; i < r->n; i++)
        for (int64_t k = 0; k < r->d; k++) {
            r->M2 += r->g[i][k] * r->g[i][k] / (double)r->n;
            r->mean[k] += r->g[i][k] / (double)r->n;
        }
    for (int64_t k = 0; k < r->d; k++) r->G += r->mean[k] * r->mean[k];
    r->batch_bound = r->M2 / r->G;
}

void gradients_of(gls_problem *p, const gls_batch *rows, const double *w, gradients *out) {
    gls_point *at;
    gls_evaluation *e;
    double pick[MOST] = {0};
    out->n = rows->rows;
    out->d = gls_problem_size(p);
    assert_true(out->n <= MOST && out->d <= WIDE);
    check(gls_point_create(p, &at));
    check(gls_point_set(at, w));
    check(gls_evaluation_create(p, rows->rows, GLS_WANT_GRADIENT, GLS_MODE_EVALUATE, &e));
    gls_evaluate_args args = {.point = at,
                              .rows = rows,
                              .want = GLS_WANT_GRADIENT,
                              .mode = GLS_MODE_EVALUATE,
                              .batch_mass = (double)rows->rows,
                              .batch_rows = rows->rows};
    check(gls_evaluate(e, &args));
    memset(out->g, 0, sizeof out->g);
    for (int64_t i = 0; i < rows->rows; i++) {
        pick[i] = 1;
        check(gls_ask_gradient(e, GLS_PRODUCT_GRADIENT, pick, out->g[i]));
        pick[i] = 0;
    }
    gls_evaluation_destroy(e);
    gls_point_destroy(at);
    finish(out);
}

gls_batch all_of(int64_t n) {
    static int64_t number[MOST];
    for (int64_t i = 0; i < n; i++) number[i] = i;
    return (gls_batch){.rows = n, .index = number, .slot = number};
}

gls_batch rows_of(const data *set) {
    gls_batch rows = all_of(set->n);
    rows.features = set->d;
    rows.x = set->x;
    rows.label = set->label;
    return rows;
}

gls_problem *logistic_for(const data *set, double l2, bool bias) {
    gls_data_info info = {
        .examples = set->n, .features = set->d, .dims = 1, .shape = {set->d}, .target = GLS_TARGET_CLASS, .classes = 2};
    gls_value *options = value_of(text("{l2: %g, bias: %s}", l2, bias ? "true" : "false"));
    gls_problem *p;
    check(gls_problem_create(ctx, "logistic", options, &info, &p));
    gls_value_destroy(ctx, options);
    return p;
}

double glm_bound(const data *set, bool bias) {
    double least = INFINITY, v[WIDE], u[WIDE], top = 0;
    int64_t d = set->d + bias;
    for (int64_t i = 0; i < set->n; i++) {
        double square = bias;
        for (int64_t k = 0; k < set->d; k++) square += set->x[i * set->d + k] * set->x[i * set->d + k];
        least = fmin(least, square);
    }
    for (int64_t k = 0; k < d; k++) v[k] = 1 + 0.01 * (double)k;
    for (int step = 0; step < 300; step++) {
        memset(u, 0, sizeof u);
        for (int64_t i = 0; i < set->n; i++) {
            double s = bias ? v[set->d] : 0;
            for (int64_t k = 0; k < set->d; k++) s += set->x[i * set->d + k] * v[k];
            for (int64_t k = 0; k < set->d; k++) u[k] += s * set->x[i * set->d + k];
            if (bias) u[set->d] += s;
        }
        top = 0;
        for (int64_t k = 0; k < d; k++) top += u[k] * u[k];
        top = sqrt(top);
        for (int64_t k = 0; k < d; k++) v[k] = u[k] / top;
    }
    return (double)set->n * least / (top * 1.0001);
}
