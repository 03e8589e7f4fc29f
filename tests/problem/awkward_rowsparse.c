/* f_i = m_i/2 |T[token_i] - y_i|^2 with T [V, k] tiled by rows: a gradient of which an example touches one row. */
#include "problem/awkward.h"

enum { TABLE_ROWS = 50, TILE_ROWS = 8 };

static gls_status create(gls_problem *p, const void *options, const gls_data_info *data) {
    int64_t shape[2] = {TABLE_ROWS, data->targets};
    return gls_layout_add(p->layout, "table", 2, shape, GLS_BLOCK_TILED);
}

static gls_status evaluation_create(gls_problem *p, int64_t rows, unsigned want, gls_mode mode, void **out) {
    *out = gls_alloc(p->ctx, rows * p->data.targets, sizeof(double)); /* residuals */
    return *out ? GLS_OK : GLS_ERR_MEMORY;
}

static void evaluation_destroy(gls_problem *p, void *self) {
    gls_free(p->ctx, self);
}

static int64_t token(const gls_batch *rows, int64_t i) {
    return rows->index[i] * 13 % TABLE_ROWS;
}

static double mass(const gls_batch *rows, int64_t i) {
    return rows->mass ? rows->mass[i] : 1;
}

static gls_status forward(gls_problem *p, void *self, const gls_evaluate_args *args, int stage, const double *met,
                          double *meet) {
    int64_t k = p->data.targets;
    const gls_real *table = gls_point_w(args->point);
    for (int64_t i = 0; i < args->rows->rows; i++)
        for (int64_t c = 0; c < k; c++)
            ((double *)self)[i * k + c] = (double)table[token(args->rows, i) * k + c] - args->rows->y[i * k + c];
    return GLS_OK;
}

static gls_status losses(gls_problem *p, void *self, const gls_evaluate_args *args, double *out) {
    int64_t k = p->data.targets;
    for (int64_t i = 0; i < args->rows->rows; i++) {
        out[i] = 0;
        for (int64_t c = 0; c < k; c++) {
            double r = ((double *)self)[i * k + c];
            out[i] += 0.5 * mass(args->rows, i) * r * r;
        }
    }
    return GLS_OK;
}

static gls_status gradient(gls_problem *p, void *self, const gls_evaluate_args *args, gls_product product,
                           const double *weights, gls_sink *sink) {
    return gls_sink_block(sink, 0) ? GLS_ERR_INTERNAL : GLS_OK;
}

static int64_t tiles(gls_problem *p) {
    return (TABLE_ROWS + TILE_ROWS - 1) / TILE_ROWS;
}

static gls_status gradient_tile(gls_problem *p, void *const *self, const gls_evaluate_args *const *args, int64_t count,
                                gls_product product, const double *const *weights, int64_t tile, gls_real *g) {
    int64_t k = p->data.targets;
    for (int64_t e = 0; e < count; e++)
        for (int64_t i = 0; i < args[e]->rows->rows; i++) {
            int64_t t = token(args[e]->rows, i);
            if (t / TILE_ROWS != tile) continue;
            double weight = mass(args[e]->rows, i) * (weights && weights[e] ? weights[e][i] : 1);
            for (int64_t c = 0; c < k; c++) g[t * k + c] += (gls_real)(weight * ((const double *)self[e])[i * k + c]);
        }
    return GLS_OK;
}

const gls_problem_type awkward_rowsparse = {
    .member = {.name = "rowsparse"},
    .create = create,
    .evaluation_create = evaluation_create,
    .evaluation_destroy = evaluation_destroy,
    .forward = forward,
    .losses = losses,
    .gradient = gradient,
    .tiles = tiles,
    .gradient_tile = gradient_tile,
};
