/* z_i = w . x_i is normalised over the mini-batch, u_i = (z_i - mean) / sqrt(variance + eps), and
 * f_i = 1/2 (a u_i + c - y_i)^2. Meets: sums of z; sums of squares about the mean; back: sums of du and du u.
 * `coupled` meets across slices; `grouped` does the same inside every run of four slots. */
#include "problem/awkward.h"

#include <math.h>

enum { GROUP = 4 };
static const double eps = 0.1;

typedef struct normalised {
    double *z, *u, *du, *dz, *residual, *mean, *scale; /* [rows] */
    double *block;
} normalised;

static gls_status create(gls_problem *p, const void *options, const gls_data_info *data) {
    int64_t d = data->features, one = 1;
    GLS_TRY(gls_layout_add(p->layout, "w", 1, &d, 0));
    GLS_TRY(gls_layout_add(p->layout, "a", 1, &one, 0));
    return gls_layout_add(p->layout, "c", 1, &one, 0);
}

static gls_status create_coupled(gls_problem *p, const void *options, const gls_data_info *data) {
    int64_t one = 1;
    GLS_TRY(create(p, options, data));
    GLS_TRY(gls_layout_add(p->state_layout, "running", 1, &one, 0));
    p->coupling = GLS_COUPLING_BATCH;
    p->summary = 1;
    for (int k = 0; k < 2; k++) GLS_TRY(gls_problem_add_meet(p, false, 1));
    return gls_problem_add_meet(p, true, 2);
}

static gls_status create_grouped(gls_problem *p, const void *options, const gls_data_info *data) {
    p->coupling = GLS_COUPLING_GROUPS;
    p->coupling_group = GROUP;
    return create(p, options, data);
}

static gls_status initialize(gls_problem *p, uint64_t seed, gls_real *w) {
    w[p->data.features] = 1;
    return GLS_OK;
}

static gls_status evaluation_create(gls_problem *p, int64_t rows, unsigned want, gls_mode mode, void **out) {
    normalised *e = *out = gls_alloc(p->ctx, 1, sizeof *e);
    e->block = gls_alloc(p->ctx, 7 * rows, sizeof(double));
    double **part[] = {&e->z, &e->u, &e->du, &e->dz, &e->residual, &e->mean, &e->scale};
    for (int i = 0; i < 7; i++) *part[i] = e->block + i * rows;
    return e->block ? GLS_OK : GLS_ERR_MEMORY;
}

static void evaluation_destroy(gls_problem *p, void *self) {
    gls_free(p->ctx, ((normalised *)self)->block);
    gls_free(p->ctx, self);
}

static void outputs(normalised *e, const gls_evaluate_args *args) {
    const gls_real *w = gls_point_w(args->point);
    int64_t d = args->rows->features;
    for (int64_t i = 0; i < args->rows->rows; i++) {
        e->u[i] = (e->z[i] - e->mean[i]) * e->scale[i];
        e->residual[i] = w[d] * e->u[i] + w[d + 1] - args->rows->y[i * args->rows->targets];
    }
}

static void products(normalised *e, const gls_evaluate_args *args) {
    const gls_real *w = gls_point_w(args->point);
    int64_t d = args->rows->features;
    for (int64_t i = 0; i < args->rows->rows; i++) {
        e->z[i] = 0;
        for (int64_t j = 0; j < d; j++) e->z[i] += (double)w[j] * args->rows->x[i * d + j];
    }
}

static gls_status forward_coupled(gls_problem *p, void *self, const gls_evaluate_args *args, int stage,
                                  const double *met, double *meet) {
    normalised *e = self;
    bool train = args->mode == GLS_MODE_TRAIN;
    if (stage == 0) products(e, args);
    for (int64_t s = 0; s < gls_span_count(args); s++) {
        gls_span span = gls_span_at(args, s);
        double n = (double)span.rows;
        for (int64_t i = span.begin; i < span.end; i++) {
            if (stage == 0) {
                meet[s] += e->z[i];
            } else if (stage == 1) {
                e->mean[i] = train ? met[s] / n : args->state[0];
                meet[s] += (e->z[i] - e->mean[i]) * (e->z[i] - e->mean[i]);
            } else {
                e->scale[i] = train ? 1 / sqrt(met[s] / n + eps) : 1;
            }
        }
        if (stage == 1 && args->leader && args->summary) args->summary[s] = met[s] / n;
    }
    if (stage == 2) outputs(e, args);
    return GLS_OK;
}

static void advance_coupled(gls_problem *p, const double *summary, gls_real *state) {
    state[0] = (gls_real)(0.5 * state[0] + 0.5 * summary[0]);
}

static gls_status backward_coupled(gls_problem *p, void *self, const gls_evaluate_args *args, int stage,
                                   const double *met, double *meet) {
    normalised *e = self;
    double a = gls_point_w(args->point)[args->rows->features];
    for (int64_t s = 0; s < gls_span_count(args); s++) {
        gls_span span = gls_span_at(args, s);
        double n = (double)span.rows;
        for (int64_t i = span.begin; i < span.end; i++) {
            if (stage == 0) {
                e->du[i] = a * e->residual[i];
                meet[2 * s] += e->du[i];
                meet[2 * s + 1] += e->du[i] * e->u[i];
            } else {
                e->dz[i] = e->scale[i] * (e->du[i] - met[2 * s] / n - e->u[i] * met[2 * s + 1] / n);
            }
        }
    }
    return GLS_OK;
}

/* Forward and backward of one run of slots. */
static void normalise_group(normalised *e, const gls_evaluate_args *args, int64_t begin, int64_t end) {
    double mean = 0, square = 0, n = (double)(end - begin);
    for (int64_t i = begin; i < end; i++) mean += e->z[i] / n;
    for (int64_t i = begin; i < end; i++) square += (e->z[i] - mean) * (e->z[i] - mean) / n;
    for (int64_t i = begin; i < end; i++) {
        e->mean[i] = args->mode == GLS_MODE_TRAIN ? mean : 0;
        e->scale[i] = args->mode == GLS_MODE_TRAIN ? 1 / sqrt(square + eps) : 1;
    }
}

static int64_t group_end(const gls_batch *rows, int64_t begin) {
    int64_t end = begin + 1;
    while (end < rows->rows && rows->slot[end] / GROUP == rows->slot[begin] / GROUP) end++;
    return end;
}

static gls_status forward_grouped(gls_problem *p, void *self, const gls_evaluate_args *args, int stage,
                                  const double *met, double *meet) {
    normalised *e = self;
    products(e, args);
    for (int64_t i = 0; i < args->rows->rows; i = group_end(args->rows, i))
        normalise_group(e, args, i, group_end(args->rows, i));
    outputs(e, args);
    return GLS_OK;
}

static gls_status backward_grouped(gls_problem *p, void *self, const gls_evaluate_args *args, int stage,
                                   const double *met, double *meet) {
    normalised *e = self;
    double a = gls_point_w(args->point)[args->rows->features];
    for (int64_t begin = 0, end; begin < args->rows->rows; begin = end) {
        end = group_end(args->rows, begin);
        double sum = 0, product = 0, n = (double)(end - begin);
        for (int64_t i = begin; i < end; i++) {
            e->du[i] = a * e->residual[i];
            sum += e->du[i] / n;
            product += e->du[i] * e->u[i] / n;
        }
        for (int64_t i = begin; i < end; i++) e->dz[i] = e->scale[i] * (e->du[i] - sum - e->u[i] * product);
    }
    return GLS_OK;
}

static gls_status losses(gls_problem *p, void *self, const gls_evaluate_args *args, double *out) {
    const normalised *e = self;
    for (int64_t i = 0; i < args->rows->rows; i++) out[i] = 0.5 * e->residual[i] * e->residual[i];
    return GLS_OK;
}

static gls_status gradient(gls_problem *p, void *self, const gls_evaluate_args *args, gls_product product,
                           const double *weights, gls_sink *sink) {
    const normalised *e = self;
    int64_t d = args->rows->features;
    gls_real *w = gls_sink_block(sink, 0), *a = gls_sink_block(sink, 1), *c = gls_sink_block(sink, 2);
    for (int64_t i = 0; i < args->rows->rows; i++) {
        double weight = weights ? weights[i] : 1;
        for (int64_t j = 0; j < d; j++) w[j] += (gls_real)(weight * e->dz[i] * args->rows->x[i * d + j]);
        a[0] += (gls_real)(weight * e->residual[i] * e->u[i]);
        c[0] += (gls_real)(weight * e->residual[i]);
    }
    return GLS_OK;
}

#define COMMON                                                                                                  \
    .initialize = initialize, .evaluation_create = evaluation_create, .evaluation_destroy = evaluation_destroy, \
    .losses = losses, .gradient = gradient

const gls_problem_type awkward_coupled = {.member = {.name = "coupled"},
                                          .create = create_coupled,
                                          .forward = forward_coupled,
                                          .backward = backward_coupled,
                                          .advance = advance_coupled,
                                          COMMON};
const gls_problem_type awkward_grouped = {.member = {.name = "grouped"},
                                          .create = create_grouped,
                                          .forward = forward_grouped,
                                          .backward = backward_grouped,
                                          COMMON};
