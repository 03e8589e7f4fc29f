/* Analytic functions as problems. Values and gradients of an evaluation are exact; noise is added when a gradient is
 * asked for in training, so that losses stay exact. */
#include "problem/analytic/analytic.h"

#include "base/kernels.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* What an evaluation holds: value and exact gradient of every row, or of the one function that all rows share. */
typedef struct evaluation {
    int64_t kept;
    double *value;   /* [kept] */
    gls_real *exact; /* [kept, dim], or NULL where no gradient is wanted */
    gls_real *noisy; /* [dim] */
} evaluation;

gls_status gls_function_create(gls_problem *p, const void *options, const gls_data_info *data) {
    gls_function *f = p->self;
    f->type = (const gls_function_type *)p->type;
    f->ctx = p->ctx;
    f->examples = 1;
    const double unknown = NAN;
    f->known = (gls_constants){unknown, NULL, unknown, unknown, unknown, unknown, unknown, unknown, INFINITY};
    GLS_TRY(f->type->setup(p, options));
    if (data && data->examples != f->examples)
        return gls_fail(p->ctx, GLS_ERR_ARGUMENT, "problem '%s' has %lld examples of its own; the data have %lld",
                        p->type->member.name, (long long)f->examples, (long long)data->examples);
    p->data.examples = f->examples;
    p->oracle_exact = true;
    if (gls_layout_count(p->layout) == 0) GLS_TRY(gls_layout_add(p->layout, "w", 1, &f->dim, 0));
    const gls_function_options *common = options;
    return gls_oracle_noise_create(p->ctx, common ? common->noise : NULL, f->dim, &f->noise);
}

void gls_function_destroy(gls_problem *p) {
    gls_function *f = p->self;
    if (!f) return;
    if (f->type && f->type->dispose) f->type->dispose(p);
    gls_oracle_noise_destroy(f->noise);
    gls_free(p->ctx, f->minimizer);
}

gls_status gls_function_initialize(gls_problem *p, uint64_t seed, gls_real *w) {
    const gls_function *f = p->self;
    if (f->type->start) {
        f->type->start(f, seed, w);
        return GLS_OK;
    }
    gls_random random = gls_random_create(seed, "start", 0, 0);
    for (int64_t i = 0; i < f->dim; i++) w[i] = (gls_real)gls_random_normal(&random);
    return GLS_OK;
}

gls_status gls_function_evaluation_create(gls_problem *p, int64_t max_rows, unsigned want, gls_mode mode, void **self) {
    const gls_function *f = p->self;
    evaluation *e = gls_alloc(p->ctx, 1, sizeof *e);
    if (!e) return GLS_ERR_MEMORY;
    *self = e;
    e->kept = f->examples == 1 ? 1 : max_rows;
    bool gradient = (want & ~(unsigned)(GLS_WANT_LOSSES | GLS_WANT_SCORES | GLS_WANT_OUTPUTS)) != 0;
    if (gradient && f->dim > 0 && e->kept > INT64_MAX / f->dim)
        return gls_fail(p->ctx, GLS_ERR_MEMORY, "%lld rows of %lld gradients overflow", (long long)e->kept,
                        (long long)f->dim);
    e->value = gls_alloc(p->ctx, e->kept, sizeof *e->value);
    if (gradient) {
        e->exact = gls_alloc(p->ctx, e->kept * f->dim, sizeof *e->exact);
        e->noisy = gls_alloc(p->ctx, f->dim, sizeof *e->noisy);
    }
    if (!e->value || (gradient && (!e->exact || !e->noisy))) return GLS_ERR_MEMORY;
    return GLS_OK;
}

void gls_function_evaluation_destroy(gls_problem *p, void *self) {
    evaluation *e = self;
    if (!e) return;
    gls_free(p->ctx, e->value);
    gls_free(p->ctx, e->exact);
    gls_free(p->ctx, e->noisy);
    gls_free(p->ctx, e);
}

gls_status gls_function_forward(gls_problem *p, void *self, const gls_evaluate_args *args, int stage, const double *met,
                                double *meet) {
    const gls_function *f = p->self;
    evaluation *e = self;
    const gls_real *w = gls_point_w(args->point);
    const gls_real *direction = (args->want & GLS_WANT_ORACLE) && args->direction ? gls_point_w(args->direction) : NULL;
    int64_t rows = f->examples == 1 ? 1 : args->rows->rows;
    for (int64_t r = 0; r < rows; r++) {
        int64_t example = f->examples == 1 ? 0 : args->rows->index[r];
        if (example < 0 || example >= f->examples)
            return gls_fail(p->ctx, GLS_ERR_ARGUMENT, "example %lld is outside problem '%s', which has %lld",
                            (long long)example, p->type->member.name, (long long)f->examples);
        e->value[r] = f->type->evaluate(f, example, w, direction, e->exact ? e->exact + r * f->dim : NULL);
    }
    return GLS_OK;
}

gls_status gls_function_losses(gls_problem *p, void *self, const gls_evaluate_args *args, double *losses) {
    const gls_function *f = p->self;
    const evaluation *e = self;
    for (int64_t r = 0; r < args->rows->rows; r++) losses[r] = e->value[f->examples == 1 ? 0 : r];
    return GLS_OK;
}

static void add_to_sink(const gls_problem *p, gls_sink *sink, double c, const gls_real *x) {
    for (int64_t b = 0; b < gls_layout_count(p->layout); b++) {
        const gls_block *block = gls_layout_block(p->layout, b);
        gls_axpy(gls_sink_block(sink, b), c, x + block->offset, block->size);
    }
}

/* A function with no examples of its own has one exact gradient for all rows; with noise, every slot draws its own. */
gls_status gls_function_gradient(gls_problem *p, void *self, const gls_evaluate_args *args, gls_product product,
                                 const double *weights, gls_sink *sink) {
    const gls_function *f = p->self;
    evaluation *e = self;
    if (product == GLS_PRODUCT_HESSIAN)
        return gls_fail(p->ctx, GLS_ERR_UNSUPPORTED, "problem '%s' has no Hessian product in closed form",
                        p->type->member.name);
    int64_t rows = args->rows->rows;
    bool noisy = f->noise && args->mode == GLS_MODE_TRAIN;
    if (f->examples == 1 && !noisy) {
        double total = 0;
        for (int64_t r = 0; r < rows; r++) total += weights ? weights[r] : 1;
        add_to_sink(p, sink, total, e->exact);
        return GLS_OK;
    }
    for (int64_t r = 0; r < rows; r++) {
        double c = weights ? weights[r] : 1;
        if (c == 0) continue;
        const gls_real *exact = f->examples == 1 ? e->exact : e->exact + r * f->dim;
        if (noisy) {
            gls_oracle_noise_place place = {args->seed, args->rows->draw,         args->rows->slot[r],
                                            f->dim,     gls_point_w(args->point), exact};
            gls_oracle_noise_draw(f->noise, &place, e->noisy);
            exact = e->noisy;
        }
        add_to_sink(p, sink, c, exact);
    }
    return GLS_OK;
}

const gls_constants *gls_analytic_constants(const gls_problem *problem) {
    if (!problem) return NULL;
    if (problem->type->create != gls_function_create) return NULL;
    return &((const gls_function *)problem->self)->known;
}

gls_status gls_function_minimizer(gls_function *f, double x) {
    f->minimizer = gls_alloc(f->ctx, f->dim, sizeof *f->minimizer);
    if (!f->minimizer) return GLS_ERR_MEMORY;
    gls_fill(f->minimizer, (gls_real)x, f->dim);
    f->known.minimizer = f->minimizer;
    return GLS_OK;
}

void gls_function_direction(uint64_t seed, const char *purpose, uint32_t slot, int64_t dim, gls_real *x) {
    gls_random random = gls_random_create(seed, purpose, 0, slot);
    double square = 0;
    do {
        for (int64_t i = 0; i < dim; i++) x[i] = (gls_real)gls_random_normal(&random);
        square = gls_sum_squares(x, dim);
    } while (square == 0);
    gls_scale(x, 1 / sqrt(square), dim);
}
