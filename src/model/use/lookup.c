/* The row lookup: y_t = W[token_t] at every position t of every row, W [p, q]. A group's gradient has in row k the sum
 * of e_t over its positions with token k; no more of it is ever made than one row at a time. */
#include <stdlib.h>

#include "base/kernels.h"
#include "model/use/factors.h"

static gls_factors factors(const gls_exec *x, const gls_use *use) {
    const gls_block *block = gls_layout_block(x->graph->layout, use->block);
    return (gls_factors){.token = x->args->rows->token,
                         .right = x->grad[use->node],
                         .p = block->shape[0],
                         .q = block->shape[1],
                         .positions = gls_extent_positions(x->graph->node[use->node].out)};
}

static gls_status tile(gls_exec *x, const gls_use *use, const double *weights, int64_t begin, int64_t end,
                       gls_real *g) {
    gls_factors v = factors(x, use);
    for (int64_t t = 0; t < x->rows * v.positions; t++) {
        if (v.token[t] < begin || v.token[t] >= end) continue;
        if (weights)
            gls_axpy(g + v.token[t] * v.q, weights[t / v.positions], v.right + t * v.q, v.q);
        else
            gls_add(g + v.token[t] * v.q, v.right + t * v.q, v.q);
    }
    return GLS_OK;
}

static gls_status gradient(gls_exec *x, const gls_use *use, const double *weights, gls_real *g) {
    return tile(x, use, weights, 0, factors(x, use).p, g);
}

typedef struct place {
    int64_t token, position;
} place;

static int by_token(const void *a, const void *b) {
    const place *x = a, *y = b;
    if (x->token != y->token) return x->token < y->token ? -1 : 1;
    return (x->position > y->position) - (x->position < y->position);
}

/* Positions in the order of their tokens; those of one token are summed. */
static double group_norm(const gls_factors *v, gls_group_rows of, place *order, gls_real *sum) {
    int64_t count = 0;
    for (int64_t i = 0; i < of.rows; i++)
        for (int64_t t = of.row[i] * v->positions; t < (of.row[i] + 1) * v->positions; t++)
            order[count++] = (place){v->token[t], t};
    qsort(order, (size_t)count, sizeof *order, by_token);
    double norm = 0;
    for (int64_t i = 0, run; i < count; i += run) {
        gls_fill(sum, 0, v->q);
        for (run = 0; i + run < count && order[i + run].token == order[i].token; run++)
            gls_add(sum, v->right + order[i + run].position * v->q, v->q);
        norm += gls_sum_squares(sum, v->q);
    }
    return norm;
}

static gls_status norms(gls_exec *x, const gls_use *use, const gls_partition *partition, double *out) {
    gls_factors v = factors(x, use);
    int64_t *row = x->scratch;
    place *order = (place *)gls_group_room(x);
    gls_real *sum = (gls_real *)(order + x->rows * v.positions);
    for (int64_t group = 0; group < partition->groups; group++) {
        gls_group_rows of = gls_group_rows_of(x, partition, group, row);
        out[group] += group_norm(&v, of, order, sum);
    }
    return GLS_OK;
}

static gls_status inner(gls_exec *x, const gls_use *use, const gls_partition *partition, const gls_point *point,
                        double *out) {
    gls_factors v = factors(x, use);
    const gls_real *w = gls_point_w(point) + gls_layout_block(x->graph->layout, use->block)->offset;
    for (int64_t t = 0; t < x->rows * v.positions; t++) {
        int32_t group = partition->group[t / v.positions];
        if (group >= 0) out[group] += gls_dot(v.right + t * v.q, w + v.token[t] * v.q, v.q);
    }
    return GLS_OK;
}

static int64_t scratch(const gls_graph *g, const gls_use *use, int64_t rows, unsigned want) {
    if (!(want & GLS_WANT_NORMS)) return 0;
    const gls_node *node = &g->node[use->node];
    return gls_group_bytes(rows) + rows * gls_extent_positions(node->out) * (int64_t)sizeof(place) +
           node->out.c * (int64_t)sizeof(gls_real);
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
