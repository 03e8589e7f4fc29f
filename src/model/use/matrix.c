/* The matrix product: y_t = W a_t at every position t of every row, W [p, q] (transposed: y_t = W^T a_t). A group's
 * gradient is sum_t e_t a_t^T. methods.md section 4 has the formulas. */
#include <math.h>
#include <string.h>

#include "base/gemm.h"
#include "base/kernels.h"
#include "model/use.h"

/* left [rows, p] and right [rows, q] with gradient = sum left^T right: (e, a), or (a, e) for a transposed use. */
typedef struct view {
    const gls_real *left, *right;
    int64_t p, q, positions;
} view;

static view view_of(const gls_exec *x, const gls_use *use) {
    const gls_block *block = gls_layout_block(x->graph->layout, use->block);
    const gls_real *a = x->value[use->input], *e = x->grad[use->node];
    view v = {e, a, block->shape[0], block->shape[1], gls_extent_positions(x->graph->node[use->node].out)};
    if (use->transposed) {
        v.left = a;
        v.right = e;
    }
    return v;
}

enum { CHUNK_ROWS = 32, TILE_ROWS = 64 };

/* Rows [begin, end) of the block; weights scale copies of the left factor, a few rows at a time. */
static gls_status tile(gls_exec *x, const gls_use *use, const double *weights, int64_t begin, int64_t end,
                       gls_real *g) {
    view v = view_of(x, use);
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
    return tile(x, use, weights, 0, view_of(x, use).p, g);
}

/* ---- norms ---- */

/* The positions of a group's rows, gathered so that its members lie one after another. */
typedef struct gathered {
    int64_t count;
    const gls_real *left, *right;
} gathered;

static gathered gather(const gls_exec *x, const view *v, const gls_partition *partition, int64_t group, gls_real *to) {
    gathered out = {0, NULL, NULL};
    int64_t first = -1, last = -1;
    for (int64_t r = 0; r < x->rows; r++)
        if (partition->group[r] == group) {
            first = first < 0 ? r : first;
            last = r;
            out.count += v->positions;
        }
    if (out.count == 0) return out;
    out.left = v->left + first * v->positions * v->p;
    out.right = v->right + first * v->positions * v->q;
    if (out.count == (last - first + 1) * v->positions) return out; /* contiguous as they lie */
    gls_real *left = to, *right = to + out.count * v->p;
    out.left = left;
    out.right = right;
    for (int64_t r = first; r <= last; r++)
        if (partition->group[r] == group) {
            size_t p = (size_t)(v->positions * v->p), q = (size_t)(v->positions * v->q);
            memcpy(left, v->left + r * v->positions * v->p, p * sizeof *left);
            memcpy(right, v->right + r * v->positions * v->q, q * sizeof *right);
            left += p;
            right += q;
        }
    return out;
}

static int64_t gather_size(const view *v, int64_t rows) {
    return rows * v->positions * (v->p + v->q);
}

static bool double_sum_pays(int64_t count, const view *v) {
    return (double)count * (double)(v->p + v->q) < (double)v->p * (double)v->q;
}

/* sum_{t,s} (l_t . l'_s)(r_t . r'_s), by Gram matrices of at most GRAM rows at a time. */
enum { GRAM = 64 };

static double gram_product(bool portable, const gls_real *l1, const gls_real *r1, int64_t n1, const gls_real *l2,
                           const gls_real *r2, int64_t n2, int64_t p, int64_t q) {
    gls_real left[GRAM * GRAM], right[GRAM * GRAM];
    double sum = 0;
    for (int64_t t = 0; t < n1; t += GRAM)
        for (int64_t s = 0; s < n2; s += GRAM) {
            int64_t rows = n1 - t < GRAM ? n1 - t : GRAM, columns = n2 - s < GRAM ? n2 - s : GRAM;
            gls_gemm(portable, false, true, rows, columns, p, 1, l1 + t * p, p, l2 + s * p, p, 0, left, columns);
            gls_gemm(portable, false, true, rows, columns, q, 1, r1 + t * q, q, r2 + s * q, q, 0, right, columns);
            sum += gls_dot(left, right, rows * columns);
        }
    return sum;
}

/* Where the double sum has cancelled below this share of (sum |e||a|)^2, the explicit form takes over. */
static const double cancelled = 1e-5;

static double group_norm(const gls_exec *x, const view *v, gathered of, gls_real *explicit_to) {
    bool portable = x->graph->portable;
    if (of.count == 1) return gls_sum_squares(of.left, v->p) * gls_sum_squares(of.right, v->q);
    if (double_sum_pays(of.count, v)) {
        double sum = gram_product(portable, of.left, of.right, of.count, of.left, of.right, of.count, v->p, v->q);
        double bound = 0;
        for (int64_t t = 0; t < of.count; t++)
            bound += sqrt(gls_sum_squares(of.left + t * v->p, v->p) * gls_sum_squares(of.right + t * v->q, v->q));
        if (sum >= cancelled * bound * bound) return sum;
    }
    gls_gemm(portable, true, false, v->p, v->q, of.count, 1, of.left, v->p, of.right, v->q, 0, explicit_to, v->q);
    return gls_sum_squares(explicit_to, v->p * v->q);
}

static gls_status norms(gls_exec *x, const gls_use *use, const gls_partition *partition, double *out) {
    view v = view_of(x, use);
    gls_real *explicit_to = x->scratch, *gather_to = explicit_to + v.p * v.q;
    for (int64_t group = 0; group < partition->groups; group++) {
        gathered of = gather(x, &v, partition, group, gather_to);
        if (of.count > 0) out[group] += group_norm(x, &v, of, explicit_to);
    }
    return GLS_OK;
}

static gls_status cross(gls_exec *x, const gls_use *a, const gls_use *b, const gls_partition *partition, double *out) {
    view va = view_of(x, a), vb = view_of(x, b);
    gls_real *to_a = (gls_real *)x->scratch + va.p * va.q, *to_b = to_a + gather_size(&va, x->rows);
    for (int64_t group = 0; group < partition->groups; group++) {
        gathered ga = gather(x, &va, partition, group, to_a), gb = gather(x, &vb, partition, group, to_b);
        if (ga.count > 0)
            out[group] += 2 * gram_product(x->graph->portable, ga.left, ga.right, ga.count, gb.left, gb.right, gb.count,
                                           va.p, va.q);
    }
    return GLS_OK;
}

/* <g, V> = sum_t l_t . (V r_t), some positions at a time. */
static gls_status inner(gls_exec *x, const gls_use *use, const gls_partition *partition, const gls_point *point,
                        double *out) {
    view v = view_of(x, use);
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
    int64_t positions = gls_extent_positions(g->node[use->node].out), p = block->shape[0], q = block->shape[1];
    int64_t bytes = 0;
    if (want & GLS_WANT_NORMS) bytes = p * q + 2 * rows * positions * (p + q);
    if ((want & GLS_WANT_INNER) && bytes < TILE_ROWS * p) bytes = TILE_ROWS * p;
    return bytes * (int64_t)sizeof(gls_real);
}

const gls_use_kind gls_use_matrix = {
    .name = "matrix product",
    .views_input = true,
    .gradient = gradient,
    .gradient_tile = tile,
    .norms = norms,
    .inner = inner,
    .cross = cross,
    .scratch = scratch,
};
