/* Helpers of the model room's tests: contexts, random data, options from text, networks and gradient checks. */
#ifndef GLS_TESTS_MODEL_CHECK_H
#define GLS_TESTS_MODEL_CHECK_H

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <glissade/model.h>

#include "base/kernels.h"
#include "base/yaml.h"

static inline gls_context *check_context(int threads, bool portable) {
    gls_context_options options = {.size = sizeof options, .threads = threads, .seed = 7, .portable = portable};
    gls_context *ctx = NULL;
    assert_int_equal(gls_context_create(&ctx, &options), GLS_OK);
    return ctx;
}

/* rows examples of shape [c, h, w] (h = 0: [c]) with normal features and random labels, or real targets if classes is
 * 0. */
typedef struct check_data {
    gls_data_info info;
    gls_batch batch;
    gls_real *x, *y;
    int32_t *label, *token;
    int64_t *index, *slot;
    double *mass, *share;
    int32_t *other;
} check_data;

/* rows of `length` random tokens, small ones more often, each twice in a row now and then; one label a row, or if
 * classes is 0 next tokens, the last row's end being left out. */
static inline check_data check_tokens_create(int64_t rows, int64_t vocabulary, int64_t length, int64_t classes) {
    check_data d = {0};
    gls_random random = gls_random_create(12, "check tokens", (uint64_t)length, 0);
    d.info = (gls_data_info){.examples = rows,
                             .length = length,
                             .vocabulary = vocabulary,
                             .target = classes ? GLS_TARGET_CLASS : GLS_TARGET_TOKENS,
                             .classes = classes ? classes : vocabulary};
    d.token = calloc((size_t)(rows * length), sizeof *d.token);
    d.label = calloc((size_t)(rows * length), sizeof *d.label);
    d.index = calloc((size_t)rows, sizeof *d.index);
    d.slot = calloc((size_t)rows, sizeof *d.slot);
    d.mass = calloc((size_t)rows, sizeof *d.mass);
    for (int64_t t = 0; t < rows * length; t++) {
        double u = gls_random_uniform(&random);
        d.token[t] = (int32_t)(u * u * (double)vocabulary);
        d.label[t] = (int32_t)gls_random_below(&random, d.info.classes);
    }
    for (int64_t i = 0; i < rows; i++) {
        d.index[i] = d.slot[i] = i;
        d.mass[i] = 1;
    }
    if (!classes && rows > 1)
        for (int64_t t = (rows - 1) * length + length / 2; t < rows * length; t++) d.label[t] = -1;
    d.mass[rows - 1] = !classes && rows > 1 ? (double)(length / 2) / (double)length : 1;
    d.batch = (gls_batch){.rows = rows,
                          .token = d.token,
                          .length = length,
                          .label = d.label,
                          .target = classes ? GLS_TARGET_CLASS : GLS_TARGET_TOKENS,
                          .index = d.index,
                          .slot = d.slot,
                          .mass = d.mass,
                          .draw = 3};
    return d;
}

/* w -1: check_tokens_create with a vocabulary of c and h tokens a row. */
static inline check_data check_data_create(int64_t rows, int64_t c, int64_t h, int64_t w, int64_t classes,
                                           int64_t targets) {
    if (w < 0) return check_tokens_create(rows, c, h, classes);
    check_data d = {0};
    int64_t features = c * (h ? h * w : 1);
    gls_random random = gls_random_create(11, "check data", (uint64_t)features, 0);
    d.info = (gls_data_info){.examples = rows,
                             .features = features,
                             .dims = h ? 3 : 1,
                             .shape = {c, h, w},
                             .target = classes ? GLS_TARGET_CLASS : GLS_TARGET_REAL,
                             .classes = classes,
                             .targets = targets};
    d.x = calloc((size_t)(rows * features), sizeof *d.x);
    d.y = calloc((size_t)(rows * (targets + 1)), sizeof *d.y);
    d.label = calloc((size_t)rows, sizeof *d.label);
    d.index = calloc((size_t)rows, sizeof *d.index);
    d.slot = calloc((size_t)rows, sizeof *d.slot);
    d.mass = calloc((size_t)rows, sizeof *d.mass);
    for (int64_t i = 0; i < rows * features; i++) d.x[i] = (gls_real)gls_random_normal(&random);
    for (int64_t i = 0; i < rows * targets; i++) d.y[i] = (gls_real)gls_random_normal(&random);
    for (int64_t i = 0; i < rows; i++) {
        d.label[i] = classes ? (int32_t)gls_random_below(&random, classes) : 0;
        d.index[i] = d.slot[i] = i;
        d.mass[i] = 1;
    }
    d.batch = (gls_batch){.rows = rows,
                          .features = features,
                          .x = d.x,
                          .label = classes ? d.label : NULL,
                          .y = classes ? NULL : d.y,
                          .targets = targets,
                          .index = d.index,
                          .slot = d.slot,
                          .draw = 3};
    return d;
}

/* Gives rows of one class a second one, and shares. */
static inline void check_data_mix(check_data *d) {
    int64_t rows = d->batch.rows;
    gls_random random = gls_random_create(13, "check mix", (uint64_t)rows, 0);
    d->share = calloc((size_t)rows, sizeof *d->share);
    d->other = calloc((size_t)rows, sizeof *d->other);
    for (int64_t i = 0; i < rows; i++) {
        d->share[i] = gls_random_uniform(&random);
        d->other[i] = (int32_t)gls_random_below(&random, d->info.classes);
    }
    d->info.mixed = true;
    d->batch.other_label = d->other;
    d->batch.label_share = d->share;
}

static inline void check_data_destroy(check_data *d) {
    free(d->x);
    free(d->y);
    free(d->label);
    free(d->token);
    free(d->index);
    free(d->slot);
    free(d->mass);
    free(d->share);
    free(d->other);
}

static inline gls_problem *check_model(gls_context *ctx, const char *name, const char *options,
                                       const gls_data_info *info) {
    gls_value *value = NULL;
    if (options) assert_int_equal(gls_yaml_parse(ctx, "test", options, (int64_t)strlen(options), &value), GLS_OK);
    gls_problem *p = NULL;
    gls_status status = gls_model_create(ctx, name, value, info, &p);
    if (status != GLS_OK) print_error("%s\n", gls_context_message(ctx));
    assert_int_equal(status, GLS_OK);
    gls_value_destroy(ctx, value);
    return p;
}

/* An evaluation of the whole batch by itself, at w. */
typedef struct check_run {
    gls_problem *p;
    gls_point *point;
    gls_evaluation *e;
    gls_evaluate_args args;
    gls_real *state_next;
} check_run;

static inline check_run check_run_create(gls_problem *p, const gls_batch *batch, unsigned want, gls_mode mode) {
    check_run r = {.p = p};
    assert_int_equal(gls_point_create(p, &r.point), GLS_OK);
    gls_status status = gls_evaluation_create(p, batch->rows, want, mode, &r.e);
    if (status != GLS_OK) print_error("%s\n", gls_context_message(p->ctx));
    assert_int_equal(status, GLS_OK);
    r.state_next = calloc((size_t)gls_layout_size(p->state_layout) + 1, sizeof *r.state_next);
    r.args = (gls_evaluate_args){.point = r.point,
                                 .rows = batch,
                                 .want = want,
                                 .mode = mode,
                                 .state = p->state,
                                 .state_next = r.state_next,
                                 .batch_mass = gls_batch_mass(batch),
                                 .batch_rows = batch->rows,
                                 .leader = true,
                                 .seed = 5};
    return r;
}

static inline void check_run_at(check_run *r, const gls_real *w) {
    assert_int_equal(gls_point_set(r->point, w), GLS_OK);
    gls_status status = gls_evaluate(r->e, &r->args);
    if (status != GLS_OK) print_error("%s\n", gls_context_message(r->p->ctx));
    assert_int_equal(status, GLS_OK);
}

static inline double check_loss(check_run *r, const gls_real *w) {
    double loss = 0;
    check_run_at(r, w);
    assert_int_equal(gls_ask_loss(r->e, &loss), GLS_OK);
    return loss;
}

/* Of two streams, after rows 0 and 1 in slots 0 and 1: only rows 2 and 3 in the same slots go on from what was carried.
 * `fresh` is the loss of rows that do not. */
static inline void check_who_goes_on(check_run *r, check_data *d, const gls_real *w, double fresh) {
    static const struct {
        int64_t index[2], slot[2];
        bool fresh;
    } cases[] = {{{2, 3}, {0, 1}, false},
                 {{0, 1}, {0, 1}, true},
                 {{4, 5}, {0, 1}, true},
                 {{2, 3}, {1, 0}, true},
                 {{2, 3}, {2, 3}, true}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        memcpy(d->index, cases[i].index, sizeof cases[i].index);
        memcpy(d->slot, cases[i].slot, sizeof cases[i].slot);
        r->args.state_next = NULL;
        assert_true((check_loss(r, w) == fresh) == cases[i].fresh);
    }
}

static inline void check_gradient_at(check_run *r, const gls_real *w, gls_real *g) {
    check_run_at(r, w);
    memset(g, 0, (size_t)gls_problem_size(r->p) * sizeof *g);
    gls_status status = gls_ask_gradient(r->e, GLS_PRODUCT_GRADIENT, NULL, g);
    if (status != GLS_OK) print_error("%s\n", gls_context_message(r->p->ctx));
    assert_int_equal(status, GLS_OK);
}

static inline void check_run_destroy(check_run *r) {
    gls_evaluation_destroy(r->e);
    gls_point_destroy(r->point);
    free(r->state_next);
}

static inline gls_real *check_weights(gls_problem *p) {
    gls_real *w = calloc((size_t)gls_problem_size(p), sizeof *w);
    assert_int_equal(gls_problem_initialize(p, 3, w), GLS_OK);
    gls_random random = gls_random_create(4, "perturb", 0, 0);
    for (int64_t i = 0; i < gls_problem_size(p); i++) w[i] += (gls_real)(0.1 * gls_random_normal(&random));
    return w;
}

/* Norms and inner products of groups of 1, 3, 4, all, and of one that is scattered and leaves rows out, against the
 * groups' explicit gradients. An evaluation of 12 rows that was made for all these questions. */
static inline void check_questions(check_run *run, int64_t rows, double tolerance) {
    enum { ROWS = 12 };
    assert_int_equal(rows, ROWS);
    int64_t d = gls_problem_size(run->p);
    gls_real *v = check_weights(run->p), *g = calloc((size_t)d, sizeof *g);
    gls_point *point = NULL;
    assert_int_equal(gls_point_create(run->p, &point), GLS_OK);
    assert_int_equal(gls_point_set(point, v), GLS_OK);
    gls_real *all = calloc((size_t)d, sizeof *all); /* before norms were asked, which may leave it */
    assert_int_equal(gls_ask_gradient(run->e, GLS_PRODUCT_GRADIENT, NULL, all), GLS_OK);
    static const int64_t size[] = {1, 3, 4, ROWS, 0};
    for (int k = 0; k < 5; k++) {
        int32_t group[ROWS];
        for (int32_t r = 0; r < ROWS; r++) group[r] = size[k] ? (int32_t)(r / size[k]) : r % 5 == 4 ? -1 : r % 3;
        gls_partition partition = {size[k] ? ROWS / size[k] : 3, group};
        double norms[ROWS], inner[ROWS], weights[ROWS];
        gls_status status = gls_ask_norms(run->e, &partition, norms);
        if (status != GLS_OK) print_error("%s\n", gls_context_message(run->p->ctx));
        assert_int_equal(status, GLS_OK);
        assert_int_equal(gls_ask_inner(run->e, &partition, point, inner), GLS_OK);
        memset(g, 0, (size_t)d * sizeof *g);
        assert_int_equal(gls_ask_gradient(run->e, GLS_PRODUCT_GRADIENT, NULL, g), GLS_OK);
        assert_true(sqrt(gls_distance_squares(g, all, d)) <= tolerance * sqrt(gls_sum_squares(all, d)));
        for (int64_t q = 0; q < partition.groups; q++) {
            for (int64_t r = 0; r < ROWS; r++) weights[r] = group[r] == q;
            memset(g, 0, (size_t)d * sizeof *g);
            assert_int_equal(gls_ask_gradient(run->e, GLS_PRODUCT_GRADIENT, weights, g), GLS_OK);
            double norm = 0, dot = 0, norm_v = 0;
            for (int64_t j = 0; j < d; j++) {
                norm += (double)g[j] * g[j];
                dot += (double)g[j] * v[j];
                norm_v += (double)v[j] * v[j];
            }
            assert_true(fabs(norms[q] - norm) <= tolerance * norm);
            assert_true(fabs(inner[q] - dot) <= tolerance * sqrt(norm * norm_v));
        }
    }
    gls_point_destroy(point);
    free(v);
    free(g);
    free(all);
}

/* The same of a problem at check_weights, in training mode. */
static inline void check_questions_of(gls_problem *p, const gls_batch *batch, double tolerance) {
    check_run r = check_run_create(p, batch, GLS_WANT_GRADIENT | GLS_WANT_NORMS | GLS_WANT_INNER | GLS_WANT_SHARED,
                                   GLS_MODE_TRAIN);
    gls_real *w = check_weights(p);
    check_run_at(&r, w);
    check_questions(&r, batch->rows, tolerance);
    free(w);
    check_run_destroy(&r);
}

/* Largest relative error of <g, v> against a difference quotient of order 4 in several random directions, for the whole
 * vector and for every block by itself. Double build. */
static inline double check_differences(gls_problem *p, const gls_batch *batch, gls_mode mode, double step) {
    int64_t d = gls_problem_size(p);
    check_run r = check_run_create(p, batch, GLS_WANT_GRADIENT, mode);
    gls_real *w = check_weights(p), *g = calloc((size_t)d, sizeof *g), *at = calloc((size_t)d, sizeof *at);
    gls_real *v = calloc((size_t)d, sizeof *v);
    check_gradient_at(&r, w, g);
    double worst = 0;
    int64_t blocks = gls_layout_count(gls_problem_layout(p));
    for (int64_t b = -2; b < blocks; b++) {
        const gls_block *block = b < 0 ? NULL : gls_layout_block(gls_problem_layout(p), b);
        gls_random random = gls_random_create(9, "direction", (uint64_t)(b + 2), 0);
        double slope = 0, sum = 0, norm = 0, norm_g = 0, size = 0;
        for (int64_t i = 0; i < d; i++) {
            bool inside = !block || (i >= block->offset && i < block->offset + block->size);
            v[i] = inside ? (gls_real)gls_random_normal(&random) : 0;
            norm += v[i] * v[i];
            size += inside;
        }
        for (int64_t i = 0; i < d; i++) {
            v[i] /= (gls_real)sqrt(norm);
            slope += g[i] * v[i];
            if (v[i] != 0) norm_g += g[i] * g[i];
        }
        static const double at_step[] = {1, -1, 2, -2}, weight[] = {8, -8, -1, 1};
        for (int k = 0; k < 4; k++) {
            for (int64_t i = 0; i < d; i++) at[i] = w[i] + (gls_real)(at_step[k] * step) * v[i];
            sum += weight[k] * check_loss(&r, at);
        }
        double quotient = sum / (12 * step), error = fabs(quotient - slope) / sqrt(norm_g / size + 1e-24);
        if (norm_g > 1e-16 && error > worst) worst = error;
        if (error > 1e-5 && norm_g > 1e-16)
            print_error("%s: slope %.12g, difference quotient %.12g\n", block ? block->name : "whole", slope, quotient);
    }
    free(w);
    free(g);
    free(at);
    free(v);
    check_run_destroy(&r);
    return worst;
}

static inline double check_dot(const gls_real *a, const gls_real *b, int64_t n) {
    double sum = 0;
    for (int64_t i = 0; i < n; i++) sum += (double)a[i] * b[i];
    return sum;
}

static inline double check_distance(const gls_real *a, const gls_real *b, int64_t n) {
    double sum = 0;
    for (int64_t i = 0; i < n; i++) sum += ((double)a[i] - b[i]) * ((double)a[i] - b[i]);
    return sqrt(sum / (check_dot(b, b, n) + 1e-300));
}

/* Normal numbers of norm 1, in one block or in all. */
static inline gls_real *check_direction(const gls_problem *p, int64_t number, const gls_block *block) {
    int64_t d = gls_problem_size(p);
    gls_real *v = calloc((size_t)d, sizeof *v);
    gls_random random = gls_random_create(17, "direction", (uint64_t)number, 0);
    for (int64_t i = 0; i < d; i++) {
        bool inside = !block || (i >= block->offset && i < block->offset + block->size);
        v[i] = inside ? (gls_real)gls_random_normal(&random) : 0;
    }
    double norm = sqrt(check_dot(v, v, d));
    for (int64_t i = 0; i < d; i++) v[i] = (gls_real)(v[i] / norm);
    return v;
}

static inline void check_product(check_run *r, gls_point *at, const gls_real *w, const gls_real *v,
                                 const double *weights, gls_real *out) {
    assert_int_equal(gls_point_set(at, v), GLS_OK);
    r->args.direction = at;
    check_run_at(r, w);
    memset(out, 0, (size_t)gls_problem_size(r->p) * sizeof *out);
    gls_status status = gls_ask_gradient(r->e, GLS_PRODUCT_HESSIAN, weights, out);
    if (status != GLS_OK) print_error("%s\n", gls_context_message(r->p->ctx));
    assert_int_equal(status, GLS_OK);
}

/* (g(w + h v) - g(w - h v)) / 2h: so short a step crosses no kink of these networks, and loses six digits of sixteen.
 */
static inline void check_quotient(check_run *r, const gls_real *w, const gls_real *v, gls_real *out) {
    enum { SIDES = 2 };
    const double h = 1e-6;
    int64_t d = gls_problem_size(r->p);
    gls_real *at = calloc((size_t)d, sizeof *at), *g[SIDES];
    for (int side = 0; side < SIDES; side++) {
        g[side] = calloc((size_t)d, sizeof **g);
        for (int64_t i = 0; i < d; i++) at[i] = (gls_real)(w[i] + (side ? -h : h) * v[i]);
        check_gradient_at(r, at, g[side]);
    }
    for (int64_t i = 0; i < d; i++) out[i] = (gls_real)((g[0][i] - g[1][i]) / (2 * h));
    for (int side = 0; side < SIDES; side++) free(g[side]);
    free(at);
}

/* Largest relative error over directions in all parameters and in each block. */
static inline double check_hessian(gls_problem *p, const gls_batch *batch, gls_mode mode) {
    int64_t d = gls_problem_size(p), blocks = gls_layout_count(gls_problem_layout(p));
    check_run plain = check_run_create(p, batch, GLS_WANT_GRADIENT, mode);
    check_run both = check_run_create(p, batch, GLS_WANT_GRADIENT | GLS_WANT_HESSIAN, mode);
    gls_real *w = check_weights(p), *product = calloc((size_t)d, sizeof *w), *quotient = calloc((size_t)d, sizeof *w);
    gls_real *g = calloc((size_t)d, sizeof *g), *beside = calloc((size_t)d, sizeof *g);
    gls_point *at = NULL;
    assert_int_equal(gls_point_create(p, &at), GLS_OK);
    double worst = 0, largest = 0;
    for (int64_t b = -1; b < blocks; b++) {
        gls_real *v = check_direction(p, b + 1, b < 0 ? NULL : gls_layout_block(gls_problem_layout(p), b));
        check_product(&both, at, w, v, NULL, product);
        check_quotient(&plain, w, v, quotient);
        double size = sqrt(check_dot(product, product, d)), error = check_distance(quotient, product, d);
        if (b < 0) largest = size;
        /* A block before a normalisation may have no curvature of its own. */
        if (size < 1e-7 * largest) error *= size / largest;
        if (error > worst) worst = error;
        if (error > 1e-6) print_error("block %lld: relative error %.3g of %.3g\n", (long long)b, error, size);
        free(v);
    }
    /* The plain gradient beside it has the bits that it has alone. */
    assert_int_equal(gls_ask_gradient(both.e, GLS_PRODUCT_GRADIENT, NULL, beside), GLS_OK);
    check_gradient_at(&plain, w, g);
    assert_memory_equal(g, beside, (size_t)d * sizeof *g);
    gls_point_destroy(at);
    check_run_destroy(&plain);
    check_run_destroy(&both);
    free(w);
    free(product);
    free(quotient);
    free(g);
    free(beside);
    return worst;
}

#endif
