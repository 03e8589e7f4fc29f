/* The matrix product with dropped weights: y_t = (F * W) a_t, F [p, q] element by element, the same for all rows. A
 * group's gradient is F * sum_t e_t a_t^T, which is no sum of outer products: norms are those of the explicit form. */
#include "base/arith.h"
#include "base/kernels.h"
#include "model/use/matrix.h"

static const gls_real *factor_of(const gls_exec *x, const gls_use *use) {
    return (const gls_real *)gls_exec_aux(x, use->factor.node) + use->factor.offset;
}

/* Before its factor. */
static gls_use plain_of(const gls_use *use) {
    gls_use plain = *use;
    plain.kind = &gls_use_matrix;
    return plain;
}

/* Pieces of this many columns, and of as many rows as use/matrix.c copies, fit the stack. */
enum { COLUMNS = 64 };

static gls_status tile(gls_exec *x, const gls_use *use, const double *weights, int64_t begin, int64_t end,
                       gls_real *g) {
    gls_real made[GLS_USE_MATRIX_ROWS * COLUMNS];
    gls_factors v = gls_use_matrix.factors(x, use);
    const gls_real *factor = factor_of(x, use);
    for (int64_t first = begin; first < end; first += GLS_USE_MATRIX_ROWS)
        for (int64_t column = 0; column < v.q; column += COLUMNS) {
            gls_use_matrix_part part = {first, gls_least(end, first + GLS_USE_MATRIX_ROWS), column,
                                        gls_least(v.q - column, COLUMNS)};
            gls_fill(made, 0, GLS_USE_MATRIX_ROWS * COLUMNS);
            gls_use_matrix_add(x, &v, weights, part, made, COLUMNS);
            for (int64_t i = 0; i < part.end - first; i++) {
                int64_t at = (first + i) * v.q + column;
                for (int64_t k = 0; k < part.columns; k++) g[at + k] += factor[at + k] * made[i * COLUMNS + k];
            }
        }
    return GLS_OK;
}

static gls_status gradient(gls_exec *x, const gls_use *use, const double *weights, gls_real *g) {
    return tile(x, use, weights, 0, gls_layout_block(x->graph->layout, use->block)->shape[0], g);
}

static gls_status norms(gls_exec *x, const gls_use *use, const gls_partition *partition, double *out) {
    gls_room room = gls_room_of(x);
    int64_t *row = gls_room_take(&room, x->rows, sizeof *row);
    gls_use plain = plain_of(use);
    gls_factors v = gls_factors_of(x, &plain, &room);
    gls_real *made = gls_room_take(&room, gls_use_matrix_piece(v.p, v.q) * v.q, sizeof *made);
    for (int64_t group = 0; group < partition->groups; group++) {
        gls_factors_group of = gls_factors_group_of(x, partition, group, row);
        if (of.rows > 0) out[group] += gls_use_matrix_norm(x->graph->portable, &v, of, factor_of(x, use), made);
    }
    return GLS_OK;
}

/* Explicit too. */
static gls_status cross(gls_exec *x, const gls_use *use, const gls_use *other, const gls_partition *partition,
                        double *out) {
    int64_t size = gls_layout_block(x->graph->layout, use->block)->size;
    gls_room room = gls_room_of(x);
    double *weights = gls_room_take(&room, x->rows, sizeof *weights);
    gls_real *own = gls_room_take(&room, size, sizeof *own), *others = gls_room_take(&room, size, sizeof *others);
    for (int64_t group = 0; group < partition->groups; group++) {
        for (int64_t r = 0; r < x->rows; r++) weights[r] = partition->group[r] == group;
        gls_fill(own, 0, size);
        gls_fill(others, 0, size);
        GLS_TRY(gradient(x, use, weights, own));
        GLS_TRY(gradient(x, other, weights, others));
        out[group] += 2 * gls_dot(own, others, size);
    }
    return GLS_OK;
}

/* <F * G, V> = <G, F * V>. */
static gls_status inner(gls_exec *x, const gls_use *use, const gls_partition *partition, const gls_point *point,
                        double *out) {
    const gls_block *block = gls_layout_block(x->graph->layout, use->block);
    const gls_real *w = gls_point_w(point) + block->offset, *factor = factor_of(x, use);
    gls_room room = gls_room_of(x);
    gls_real *dropped = gls_room_take(&room, block->size, sizeof *dropped);
    for (int64_t k = 0; k < block->size; k++) dropped[k] = factor[k] * w[k];
    gls_use plain = plain_of(use);
    gls_use_matrix_inner(x, &plain, partition, dropped, room, out);
    return GLS_OK;
}

static bool shared(const gls_graph *g, const gls_use *use) {
    int uses = 0;
    for (int u = 0; u < g->uses; u++) uses += g->use[u].block == use->block;
    return uses > 1;
}

static int64_t scratch(const gls_graph *g, const gls_memory_plan *plan, const gls_use *use) {
    int64_t size = gls_layout_block(g->layout, use->block)->size, bytes = gls_use_matrix.scratch(g, plan, use);
    if (plan->want & GLS_WANT_INNER) bytes += gls_room_bytes(size, sizeof(gls_real));
    if (!(plan->want & GLS_WANT_NORMS) || !shared(g, use)) return bytes;
    int64_t both = gls_room_bytes(plan->max_rows, sizeof(double)) + 2 * gls_room_bytes(size, sizeof(gls_real));
    return both > bytes ? both : bytes;
}

const gls_use_kind gls_use_dropped = {
    .name = "matrix product with dropped weights",
    .views_input = true,
    .product = true,
    .gradient = gradient,
    .gradient_tile = tile,
    .norms = norms,
    .inner = inner,
    .cross = cross,
    .scratch = scratch,
};
