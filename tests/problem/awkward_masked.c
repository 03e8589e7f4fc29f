/* f_i = 1/2 (sum_j mask_ij w_j x_ij - y_i)^2: dropout. The same draw must be the same function however it is cut. */
#include "problem/awkward.h"

#include <string.h>

typedef struct masked {
    int64_t p;
} masked;

typedef struct kept {
    gls_real *x; /* [rows, p] masked features */
    double *residual;
} kept;

static gls_status create(gls_problem *p, const void *options, const gls_data_info *data) {
    masked *self = p->self;
    self->p = data->features;
    return gls_layout_add(p->layout, "w", 1, &self->p, 0);
}

static gls_status evaluation_create(gls_problem *p, int64_t rows, unsigned want, gls_mode mode, void **out) {
    kept *e = *out = gls_alloc(p->ctx, 1, sizeof *e);
    e->x = gls_alloc(p->ctx, rows * ((masked *)p->self)->p, sizeof *e->x);
    e->residual = gls_alloc(p->ctx, rows, sizeof *e->residual);
    return e->x && e->residual ? GLS_OK : GLS_ERR_MEMORY;
}

static void evaluation_destroy(gls_problem *p, void *self) {
    kept *e = self;
    gls_free(p->ctx, e->x);
    gls_free(p->ctx, e->residual);
    gls_free(p->ctx, e);
}

static gls_status forward(gls_problem *p, void *self, const gls_evaluate_args *args, int stage, const double *met,
                          double *meet) {
    kept *e = self;
    int64_t d = ((masked *)p->self)->p;
    const gls_real *w = gls_point_w(args->point);
    for (int64_t i = 0; i < args->rows->rows; i++) {
        gls_random random = gls_random_create(args->seed, "mask", args->rows->draw, (uint32_t)args->rows->slot[i]);
        double z = 0;
        for (int64_t j = 0; j < d; j++) {
            bool keep = args->mode == GLS_MODE_EVALUATE || gls_random_uniform(&random) < 0.7;
            e->x[i * d + j] = keep ? args->rows->x[i * d + j] : 0;
            z += (double)w[j] * e->x[i * d + j];
        }
        e->residual[i] = z - args->rows->y[i * args->rows->targets];
    }
    return GLS_OK;
}

static gls_status losses(gls_problem *p, void *self, const gls_evaluate_args *args, double *out) {
    for (int64_t i = 0; i < args->rows->rows; i++)
        out[i] = 0.5 * ((kept *)self)->residual[i] * ((kept *)self)->residual[i];
    return GLS_OK;
}

static gls_status gradient(gls_problem *p, void *self, const gls_evaluate_args *args, gls_product product,
                           const double *weights, gls_sink *sink) {
    const kept *e = self;
    int64_t d = ((masked *)p->self)->p;
    gls_real *g = gls_sink_block(sink, 0);
    for (int64_t i = 0; i < args->rows->rows; i++)
        for (int64_t j = 0; j < d; j++)
            g[j] += (gls_real)((weights ? weights[i] : 1) * e->residual[i] * e->x[i * d + j]);
    return GLS_OK;
}

const gls_problem_type awkward_masked = {
    .member = {.name = "masked"},
    .self_size = sizeof(masked),
    .create = create,
    .evaluation_create = evaluation_create,
    .evaluation_destroy = evaluation_destroy,
    .forward = forward,
    .losses = losses,
    .gradient = gradient,
};
