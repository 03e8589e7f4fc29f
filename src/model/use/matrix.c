/* The matrix product: y_t = W a_t at every position t of every row, W [p, q] (transposed: y_t = W^T a_t). A group's
 * gradient is sum_t e_t a_t^T. methods.md section 4 has the formulas. */
#include <math.h>
#include <string.h>

#include "base/gemm.h"
#include "base/kernels.h"
#include "model/use/factors.h"

/* (e, a), or (a, e) for a transposed use. */
static gls_factors factors(const gls_exec *x, const gls_use *use) {
    const gls_block *block = gls_layout_block(x->graph->layout, use->block);
    const gls_real *a = x->value[use->input], *e = x->grad[use->node];
    return (gls_factors){.left = use->transposed ? a : e,
                         .right = use->transposed ? e : a,
                         .p = block->shape[0],
                         .q = block->shape[1],
                         .positions = gls_extent_positions(x->graph->node[use->node].out)};
}

enum { CHUNK_ROWS = 32, TILE_ROWS = 64 };

/* Rows [begin, end) of the block; weights scale copies of the left factor, a few rows at a time. */
static gls_status tile(gls_exec *x, const gls_use *use, const double *weights, int64_t begin, int64_t end,
                       gls_real *g) {
    gls_factors v = factors(x, use);
    int64_t total = x->rows * v.positions;
    if (!weights) {
        gls_gemm(x->graph->portable, true, false, end - begin, v.q, total, 1, v.left + begin, v.p, v.right, v.q, 1,
                 g + begin * v.q, v.q);
        return GLS_OK;
    }
    gls_real scaled[CHUNK_ROWS * TILE_ROWS];
    for (int64_t first = begin; first < end; first += TILE_ROWS) {
        int64_t width = end - first < TILE_ROWS ? end - first : TILE_ROWS;
        for (int64_t t = 0; t < total; t += CHUNK_ROWS) {
            int64_t count = total - t < CHUNK_ROWS ? total - t : CHUNK_ROWS;
            for (int64_t i = 0; i < count; i++) {
                gls_real c = (gls_real)weights[(t + i) / v.positions];
                const gls_real *from = v.left + (t + i) * v.p + first;
                for (int64_t k = 0; k < width; k++) scaled[i * width + k] = c * from[k];
            }
            gls_gemm(x->graph->portable, true, false, width, v.q, count, 1, scaled, width, v.right + t * v.q, v.q, 1,
                     g + first * v.q, v.q);
        }
    }
    return GLS_OK;
}

static gls_status gradient(gls_exec *x, const gls_use *use, const double *weights, gls_real *g) {
    return tile(x, use, weights, 0, factors(x, use).p, g);
}

/* ---- norms ---- */

/* The explicit form is made some rows of the block at a time, in room for this many reals, or TILE_ROWS rows. */
enum { EXPLICIT_SIZE = 1 << 20 };

static int64_t explicit_rows(int64_t p, int64_t q) {
    int64_t rows = EXPLICIT_SIZE / q < TILE_ROWS ? TILE_ROWS : EXPLICIT_SIZE / q;
    return rows < p ? rows : p;
}

static bool double_sum_pays(int64_t count, const gls_factors *v) {
    return (double)count * (double)(v->p + v->q) < (double)v->p * (double)v->q;
}

/* Where the double sum has cancelled below this share of (sum |e||a|)^2, the explicit form takes over. */
static const double cancelled = 1e-5;

/* sum |e||a| over the group's positions. */
static double bound_of(const gls_factors *v, gls_group_rows of) {
    double sum = 0;
    for (int64_t i = 0; i < of.rows; i++)
        for (int64_t t = of.row[i] * v->positions; t < (of.row[i] + 1) * v->positions; t++)
            sum += sqrt(gls_sum_squares(v->left + t * v->p, v->p) * gls_sum_squares(v->right + t * v->q, v->q));
    return sum;
}

/* Runs of rows that lie one behind another are one product each. */
static double explicit_norm(bool portable, const gls_factors *v, gls_group_rows of, gls_real *made) {
    double sum = 0;
    int64_t height = explicit_rows(v->p, v->q);
    for (int64_t begin = 0; begin < v->p; begin += height) {
        int64_t rows = v->p - begin < height ? v->p - begin : height;
        for (int64_t i = 0, run; i < of.rows; i += run) {
            for (run = 1; i + run < of.rows && of.row[i + run] == of.row[i] + run; run++) continue;
            int64_t first = of.row[i] * v->positions;
            gls_gemm(portable, true, false, rows, v->q, run * v->positions, 1, v->left + first * v->p + begin, v->p,
                     v->right + first * v->q, v->q, i > 0, made, v->q);
        }
        sum += gls_sum_squares(made, rows * v->q);
    }
    return sum;
}

static double group_norm(bool portable, const gls_factors *v, gls_group_rows of, gls_real *made) {
    int64_t count = of.rows * v->positions;
    if (count == 1)
        return gls_sum_squares(v->left + of.row[0] * v->p, v->p) * gls_sum_squares(v->right + of.row[0] * v->q, v->q);
    if (double_sum_pays(count, v)) {
        double sum = gls_factors_dot(portable, v, v, of), bound = bound_of(v, of);
        if (sum >= cancelled * bound * bound) return sum;
    }
    return explicit_norm(portable, v, of, made);
}

static gls_status norms(gls_exec *x, const gls_use *use, const gls_partition *partition, double *out) {
    gls_factors v = factors(x, use);
    int64_t *row = x->scratch;
    for (int64_t group = 0; group < partition->groups; group++) {
        gls_group_rows of = gls_group_rows_of(x, partition, group, row);
        if (of.rows > 0) out[group] += group_norm(x->graph->portable, &v, of, gls_group_room(x));
    }
    return GLS_OK;
}

/* <g, V> = sum_t l_t . (V r_t), some positions at a time. */
static gls_status inner(gls_exec *x, const gls_use *use, const gls_partition *partition, const gls_point *point,
                        double *out) {
    gls_factors v = factors(x, use);
    const gls_real *w = gls_point_w(point) + gls_layout_block(x->graph->layout, use->block)->offset;
    int64_t total = x->rows * v.positions;
    gls_real *z = x->scratch;
    for (int64_t t = 0; t < total; t += TILE_ROWS) {
        int64_t count = total - t < TILE_ROWS ? total - t : TILE_ROWS;
        gls_gemm(x->graph->portable, false, true, count, v.p, v.q, 1, v.right + t * v.q, v.q, w, v.q, 0, z, v.p);
        for (int64_t i = 0; i < count; i++) {
            int32_t group = partition->group[(t + i) / v.positions];
            if (group >= 0) out[group] += gls_dot(v.left + (t + i) * v.p, z + i * v.p, v.p);
        }
    }
    return GLS_OK;
}

static int64_t scratch(const gls_graph *g, const gls_use *use, int64_t rows, unsigned want) {
    const gls_block *block = gls_layout_block(g->layout, use->block);
    int64_t p = block->shape[0], q = block->shape[1], reals = 0;
    if (want & GLS_WANT_NORMS) reals = explicit_rows(p, q) * q;
    if ((want & GLS_WANT_INNER) && reals < TILE_ROWS * p) reals = TILE_ROWS * p;
    return gls_group_bytes(rows) + reals * (int64_t)sizeof(gls_real);
}

const gls_use_kind gls_use_matrix = {
    .name = "matrix product",
    .views_input = true,
    .gradient = gradient,
    .gradient_tile = tile,
    .norms = norms,
    .inner = inner,
    .factors = factors,
    .scratch = scratch,
};
