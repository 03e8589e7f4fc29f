/* f_i = 1/2 (w . x_i + v s_slot - y_i)^2 with a carried value s for every slot, whose successor is tanh(w . x_i + s),
 * and a running mean of the first target of each mini-batch, which the leader leaves. */
#include "problem/awkward.h"

#include <math.h>

enum { SLOTS = 64 };

static gls_status create(gls_problem *p, const void *options, const gls_data_info *data) {
    int64_t d = data->features, one = 1, slots = SLOTS;
    GLS_TRY(gls_layout_add(p->layout, "w", 1, &d, 0));
    GLS_TRY(gls_layout_add(p->layout, "v", 1, &one, 0));
    GLS_TRY(gls_layout_add(p->state_layout, "running", 1, &one, 0));
    p->summary = 1;
    return gls_layout_add(p->state_layout, "carried", 1, &slots, GLS_BLOCK_BY_SLOT);
}

static gls_status initialize_state(gls_problem *p, gls_real *state) {
    for (int64_t i = 0; i <= SLOTS; i++) state[i] = (gls_real)(0.1 * (double)i);
    return GLS_OK;
}

static gls_status evaluation_create(gls_problem *p, int64_t rows, unsigned want, gls_mode mode, void **out) {
    *out = gls_alloc(p->ctx, rows, sizeof(double)); /* residuals */
    return *out ? GLS_OK : GLS_ERR_MEMORY;
}

static void evaluation_destroy(gls_problem *p, void *self) {
    gls_free(p->ctx, self);
}

static gls_status forward(gls_problem *p, void *self, const gls_evaluate_args *args, int stage, const double *met,
                          double *meet) {
    const gls_batch *rows = args->rows;
    const gls_real *w = gls_point_w(args->point);
    int64_t d = rows->features;
    for (int64_t i = 0; i < rows->rows; i++) {
        double z = 0, s = args->state[1 + rows->slot[i]];
        for (int64_t j = 0; j < d; j++) z += (double)w[j] * rows->x[i * d + j];
        ((double *)self)[i] = z + w[d] * s - rows->y[i * rows->targets];
        if (args->state_next) args->state_next[1 + rows->slot[i]] = (gls_real)tanh(z + s);
    }
    if (args->summary && args->leader) args->summary[0] = rows->y[0];
    return GLS_OK;
}

static void advance(gls_problem *p, const double *summary, gls_real *state) {
    state[0] = (gls_real)(0.9 * state[0] + 0.1 * summary[0]);
}

static gls_status losses(gls_problem *p, void *self, const gls_evaluate_args *args, double *out) {
    for (int64_t i = 0; i < args->rows->rows; i++) out[i] = 0.5 * ((double *)self)[i] * ((double *)self)[i];
    return GLS_OK;
}

static gls_status gradient(gls_problem *p, void *self, const gls_evaluate_args *args, gls_product product,
                           const double *weights, gls_sink *sink) {
    const gls_batch *rows = args->rows;
    int64_t d = rows->features;
    gls_real *w = gls_sink_block(sink, 0), *v = gls_sink_block(sink, 1);
    for (int64_t i = 0; i < rows->rows; i++) {
        double r = (weights ? weights[i] : 1) * ((double *)self)[i];
        for (int64_t j = 0; j < d; j++) w[j] += (gls_real)(r * rows->x[i * d + j]);
        v[0] += (gls_real)(r * args->state[1 + rows->slot[i]]);
    }
    return GLS_OK;
}

const gls_problem_type awkward_stateful = {
    .member = {.name = "stateful"},
    .create = create,
    .initialize_state = initialize_state,
    .evaluation_create = evaluation_create,
    .evaluation_destroy = evaluation_destroy,
    .forward = forward,
    .advance = advance,
    .losses = losses,
    .gradient = gradient,
};
