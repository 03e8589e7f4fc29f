/* The row lookup: y_t = W[token_t] at every position t of every row, W [p, q]. A group's gradient has in row k the sum
 * of e_t over its positions with token k; only one row of it is made at a time. */
#include <stdlib.h>

#include "base/arith.h"
#include "base/kernels.h"
#include "base/sort.h"
#include "model/use/factors.h"

static gls_factors factors(const gls_exec *x, const gls_use *use) {
    const gls_block *block = gls_layout_block(x->graph->layout, use->block);
    bool own = use->input.source == GLS_VIEW_AUX_TOKENS;
    const int32_t *token = own ? gls_exec_aux(x, use->input.node) : x->args->rows->token;
    return (gls_factors){.token = token + use->input.offset,
                         .token_row = use->input.row_stride,
                         .right = gls_view_reader_of(gls_exec_grads(x), &use->grad),
                         .p = block->shape[0],
                         .q = block->shape[1],
                         .positions = use->grad.positions};
}

/* g += weight e, [q], some columns at a time where e is stored narrow. */
static void add_position(const gls_factors *v, int64_t t, const double *weight, gls_real *g) {
    enum { COLUMNS = 256 }; /* on the stack */
    gls_real room[COLUMNS];
    int64_t most = v->right.storage == GLS_STORAGE_REAL ? v->q : COLUMNS, step;
    for (int64_t column = 0; column < v->q; column += most) {
        int64_t width = gls_least(v->q - column, most);
        const gls_real *e = gls_view_reader_columns(&v->right, t, 1, column, width, room, &step);
        if (weight)
            gls_axpy(g + column, *weight, e, width);
        else
            gls_add(g + column, e, width);
    }
}

static gls_status tile(gls_exec *x, const gls_use *use, const double *weights, int64_t begin, int64_t end,
                       gls_real *g) {
    gls_factors v = factors(x, use);
    for (int64_t r = 0; r < x->rows; r++) {
        const int32_t *token = v.token + r * v.token_row;
        for (int64_t t = 0; t < v.positions; t++)
            if (token[t] >= begin && token[t] < end)
                add_position(&v, r * v.positions + t, weights ? &weights[r] : NULL, g + token[t] * v.q);
    }
    return GLS_OK;
}

static gls_status gradient(gls_exec *x, const gls_use *use, const double *weights, gls_real *g) {
    return tile(x, use, weights, 0, gls_layout_block(x->graph->layout, use->block)->shape[0], g);
}

typedef struct place {
    int64_t token, position;
} place;

/* Positions in the order of their tokens; those of one token are summed. */
static double group_norm(const gls_factors *v, gls_factors_group of, place *order, gls_real *sum) {
    int64_t count = 0;
    for (int64_t i = 0; i < of.rows; i++)
        for (int64_t t = of.row[i] * v->positions; t < (of.row[i] + 1) * v->positions; t++)
            order[count++] = (place){gls_factors_token(v, t), t};
    qsort(order, (size_t)count, sizeof *order, gls_compare_pairs);
    double norm = 0;
    for (int64_t i = 0, run; i < count; i += run) {
        gls_fill(sum, 0, v->q);
        for (run = 0; i + run < count && order[i + run].token == order[i].token; run++)
            gls_add(sum, gls_factors_right(v, order[i + run].position), v->q);
        norm += gls_sum_squares(sum, v->q);
    }
    return norm;
}

static gls_status norms(gls_exec *x, const gls_use *use, const gls_partition *partition, double *out) {
    gls_room room = gls_room_of(x);
    int64_t *row = gls_room_take(&room, x->rows, sizeof *row);
    gls_factors v = gls_factors_of(x, use, &room);
    place *order = gls_room_take(&room, x->rows * v.positions, sizeof *order);
    gls_real *sum = gls_room_take(&room, v.q, sizeof *sum);
    for (int64_t group = 0; group < partition->groups; group++) {
        gls_factors_group of = gls_factors_group_of(x, partition, group, row);
        out[group] += group_norm(&v, of, order, sum);
    }
    return GLS_OK;
}

static gls_status inner(gls_exec *x, const gls_use *use, const gls_partition *partition, const gls_point *point,
                        double *out) {
    gls_room room = gls_room_of(x);
    gls_factors v = gls_factors_of(x, use, &room);
    const gls_real *w = gls_point_w(point) + gls_layout_block(x->graph->layout, use->block)->offset;
    for (int64_t t = 0; t < x->rows * v.positions; t++) {
        int32_t group = partition->group[t / v.positions];
        if (group >= 0) out[group] += gls_dot(gls_factors_right(&v, t), w + gls_factors_token(&v, t) * v.q, v.q);
    }
    return GLS_OK;
}

static int64_t scratch(const gls_graph *g, const gls_memory_plan *plan, const gls_use *use) {
    int64_t bytes = 2 * gls_factors_bytes(plan, use);
    if (!(plan->want & GLS_WANT_NORMS)) return bytes;
    return bytes + gls_room_bytes(plan->max_rows, sizeof(int64_t)) +
           gls_room_bytes(plan->max_rows * use->grad.positions, sizeof(place)) +
           gls_room_bytes(gls_layout_block(g->layout, use->block)->shape[1], sizeof(gls_real));
}

const gls_use_kind gls_use_lookup = {
    .name = "row lookup",
    .gradient = gradient,
    .gradient_tile = tile,
    .norms = norms,
    .inner = inner,
    .factors = factors,
    .scratch = scratch,
};
