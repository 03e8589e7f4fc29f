/* The matrix product: y_t = W a_t at every position t of every row, W [p, q] (transposed: y_t = W^T a_t). A group's
 * gradient is sum_t e_t a_t^T. methods.md section 4 has the formulas. */
#include <math.h>

#include "base/arith.h"
#include "base/gemm.h"
#include "base/gemm_bf16.h"
#include "base/kernels.h"
#include "model/use/matrix.h"

/* (e, a), or (a, e) for a transposed use. Positions that one of them does not have, since it is looked at with a lag,
 * contribute nothing. */
static gls_factors factors(const gls_exec *x, const gls_use *use) {
    const gls_block *block = gls_layout_block(x->graph->layout, use->block);
    gls_view_reader a = gls_view_reader_of(gls_exec_inputs(x), &use->input),
                    e = gls_view_reader_of(gls_exec_grads(x), &use->grad);
    int64_t lag = use->input.lag > use->grad.lag ? use->input.lag : use->grad.lag;
    gls_view_reader_skip(&a, lag - use->input.lag);
    gls_view_reader_skip(&e, lag - use->grad.lag);
    return (gls_factors){.left = use->transposed ? a : e,
                         .right = use->transposed ? e : a,
                         .p = block->shape[0],
                         .q = block->shape[1],
                         .positions = a.positions};
}

/* Of a block's rows, columns of the left factor are copied, CHUNK_ROWS positions at a time; with NARROW_COLUMNS of the
 * right factor, where that is stored narrow, they fill 44 KiB of stack. */
enum { CHUNK_ROWS = 32, TILE_ROWS = GLS_USE_MATRIX_ROWS, NARROW_COLUMNS = 256 };

/* One product a run, where nothing needs a copy. */
static void add_plain(const gls_exec *x, const gls_factors *v, gls_use_matrix_part part, gls_real *to, int64_t step) {
    int64_t total = x->rows * v->positions, run, left_step, right_step, rows = part.end - part.begin;
    for (int64_t t = 0; t < total; t += run) {
        run = gls_factors_run(v, t, total - t);
        const gls_real *left = gls_view_reader_columns(&v->left, t, run, part.begin, rows, NULL, &left_step);
        const gls_real *right =
            gls_view_reader_columns(&v->right, t, run, part.column, part.columns, NULL, &right_step);
        gls_gemm(x->graph->portable, true, false, rows, part.columns, run, 1, left, left_step, right, right_step, 1, to,
                 step);
    }
}

/* Copies of the left factor's columns [column, column + width), scaled by the rows' weights. */
static void copy_scaled(const gls_factors *v, int64_t t, int64_t count, int64_t column, int64_t width,
                        const double *weights, gls_real *to) {
    int64_t step;
    const gls_real *from = gls_view_reader_columns(&v->left, t, count, column, width, to, &step);
    for (int64_t i = 0; i < count; i++) {
        gls_real c = weights ? (gls_real)weights[(t + i) / v->positions] : 1;
        for (int64_t k = 0; k < width; k++) to[i * width + k] = c * from[i * step + k];
    }
}

/* A few positions at a time. */
static void add_copied(const gls_exec *x, const gls_factors *v, const double *weights, gls_use_matrix_part part,
                       gls_real *to, int64_t to_step) {
    gls_real left[CHUNK_ROWS * TILE_ROWS], room[CHUNK_ROWS * NARROW_COLUMNS];
    int64_t total = x->rows * v->positions, count, step, rows = part.end - part.begin;
    for (int64_t t = 0; t < total; t += count) {
        count = gls_factors_run(v, t, gls_least(total - t, CHUNK_ROWS));
        copy_scaled(v, t, count, part.begin, rows, weights, left);
        const gls_real *right = gls_view_reader_columns(&v->right, t, count, part.column, part.columns, room, &step);
        gls_gemm(x->graph->portable, true, false, rows, part.columns, count, 1, left, rows, right, step, 1, to,
                 to_step);
    }
}

/* Weights would have to be rounded once more to be factors of products in bf16. */
static bool multiplies_stored(const gls_exec *x, const gls_factors *v, const double *weights) {
    return !weights && v->left.storage == GLS_STORAGE_BF16 && v->right.storage == GLS_STORAGE_BF16 &&
           x->graph->native && gls_gemm_bf16_here();
}

/* Products of what is stored, kept until there are enough for the processor: of a part, to be added to `to`. */
enum { TERMS = 32 };
typedef struct stored_terms {
    gls_gemm_bf16_term term[TERMS];
    int64_t count;
    gls_use_matrix_part part;
    gls_real *to;
    int64_t step;
} stored_terms;

static void flush_stored(stored_terms *s) {
    gls_gemm_bf16_add(s->part.end - s->part.begin, s->part.columns, s->term, s->count, s->to, s->step);
    s->count = 0;
}

static void add_stored(stored_terms *s, const gls_exec *x, const gls_factors *v) {
    int64_t total = x->rows * v->positions, run;
    for (int64_t t = 0; t < total; t += run) {
        run = gls_factors_run(v, t, total - t);
        if (s->count == TERMS) flush_stored(s);
        s->term[s->count++] =
            (gls_gemm_bf16_term){run, gls_view_reader_stored_at(&v->left, t, s->part.begin), v->left.stride,
                                 gls_view_reader_stored_at(&v->right, t, s->part.column), v->right.stride};
    }
}

static bool needs_copy(const gls_exec *x, const gls_factors *v, const double *weights) {
    bool narrow = v->left.storage != GLS_STORAGE_REAL || v->right.storage != GLS_STORAGE_REAL;
    return weights || (narrow && !multiplies_stored(x, v, weights));
}

void gls_use_matrix_add(const gls_exec *x, const gls_factors *v, const double *weights, gls_use_matrix_part part,
                        gls_real *to, int64_t step) {
    if (multiplies_stored(x, v, weights)) {
        stored_terms terms = {.part = part, .to = to, .step = step};
        add_stored(&terms, x, v);
        flush_stored(&terms);
    } else if (needs_copy(x, v, weights)) {
        add_copied(x, v, weights, part, to, step);
    } else {
        add_plain(x, v, part, to, step);
    }
}

/* Reals, or copies of them, in parts that fit the stack. */
static void add_reals(const gls_exec *x, const gls_factors *v, const double *weights, int64_t begin, int64_t end,
                      gls_real *g) {
    bool copies = needs_copy(x, v, weights), narrow = copies && v->right.storage != GLS_STORAGE_REAL;
    int64_t height = copies ? TILE_ROWS : end - begin, most = narrow ? NARROW_COLUMNS : v->q;
    for (int64_t first = begin; first < end; first += height)
        for (int64_t column = 0; column < v->q; column += most) {
            gls_use_matrix_part part = {first, gls_least(end, first + height), column, gls_least(v->q - column, most)};
            gls_use_matrix_add(x, v, weights, part, g + first * v->q + column, v->q);
        }
}

/* Evaluations of few rows each are one product, which reads and writes g once. */
static gls_status tiles(const gls_use_at *at, int64_t count, int64_t begin, int64_t end, gls_real *g) {
    int64_t q = gls_layout_block(at->x->graph->layout, at->use->block)->shape[1];
    stored_terms terms = {.part = {begin, end, 0, q}, .to = g + begin * q, .step = q};
    for (int64_t e = 0; e < count; e++) {
        gls_factors v = factors(at[e].x, at[e].use);
        if (multiplies_stored(at[e].x, &v, at[e].weights))
            add_stored(&terms, at[e].x, &v);
        else
            add_reals(at[e].x, &v, at[e].weights, begin, end, g);
    }
    flush_stored(&terms);
    return GLS_OK;
}

static gls_status tile(gls_exec *x, const gls_use *use, const double *weights, int64_t begin, int64_t end,
                       gls_real *g) {
    const gls_use_at at = {x, use, weights};
    return tiles(&at, 1, begin, end, g);
}

static gls_status gradient(gls_exec *x, const gls_use *use, const double *weights, gls_real *g) {
    return tile(x, use, weights, 0, gls_layout_block(x->graph->layout, use->block)->shape[0], g);
}

/* ---- norms ---- */

/* The explicit form is made some rows of the block at a time, in room for this many reals, or TILE_ROWS rows. */
enum { EXPLICIT_SIZE = 1 << 20 }; /* 4 MiB of floats */

int64_t gls_use_matrix_piece(int64_t p, int64_t q) {
    int64_t rows = EXPLICIT_SIZE / q < TILE_ROWS ? TILE_ROWS : EXPLICIT_SIZE / q;
    return gls_least(rows, p);
}

/* Multiply-adds: of half the squares of pieces, and those of the diagonal, count (count + piece) (p + q) / 2; against
 * count p q. */
static bool double_sum_pays(int64_t count, const gls_factors *v) {
    double each = (double)(count + gls_least(count, GLS_FACTOR_PIECE)) / 2;
    return each * (double)(v->p + v->q) < (double)v->p * (double)v->q;
}

/* Where the double sum has cancelled below this share of (sum |e||a|)^2, the explicit form takes over: float products
 * are rounded to 6e-8 of it, so that fewer than two digits would be right. */
static const double cancelled = 1e-5;

static double squares_at(const gls_factors *v, int64_t t) {
    return gls_sum_squares(gls_factors_left(v, t), v->p) * gls_sum_squares(gls_factors_right(v, t), v->q);
}

/* sum |e||a| over the group's positions. */
static double bound_of(const gls_factors *v, gls_factors_group of) {
    double sum = 0;
    for (int64_t i = 0; i < of.rows; i++)
        for (int64_t t = of.row[i] * v->positions; t < (of.row[i] + 1) * v->positions; t++)
            sum += sqrt(squares_at(v, t));
    return sum;
}

/* made [rows, q] = rows [begin, begin + rows) of positions [t, t + count)'s gradient, or that added. */
static void make_rows(bool portable, const gls_factors *v, int64_t begin, int64_t rows, int64_t t, int64_t count,
                      bool adds, gls_real *made) {
    int64_t left_step, right_step, run;
    bool narrow = v->left_room || v->right_room;
    for (int64_t end = t + count; t < end; t += run, adds = true) {
        run = gls_factors_run(v, t, narrow ? gls_least(end - t, GLS_FACTOR_PIECE) : end - t);
        const gls_real *left = gls_view_reader_columns(&v->left, t, run, begin, rows, v->left_room, &left_step);
        const gls_real *right = gls_view_reader_columns(&v->right, t, run, 0, v->q, v->right_room, &right_step);
        gls_gemm(portable, true, false, rows, v->q, run, 1, left, left_step, right, right_step, adds, made, v->q);
    }
}

/* Runs of consecutive rows are one product each. */
double gls_use_matrix_norm(bool portable, const gls_factors *v, gls_factors_group of, const gls_real *factor,
                           gls_real *made) {
    double sum = 0;
    int64_t height = gls_use_matrix_piece(v->p, v->q);
    for (int64_t begin = 0; begin < v->p; begin += height) {
        int64_t rows = gls_least(v->p - begin, height);
        for (int64_t i = 0, run; i < of.rows; i += run) {
            for (run = 1; i + run < of.rows && of.row[i + run] == of.row[i] + run; run++) continue;
            make_rows(portable, v, begin, rows, of.row[i] * v->positions, run * v->positions, i > 0, made);
        }
        for (int64_t k = 0; factor && k < rows * v->q; k++) made[k] *= factor[begin * v->q + k];
        sum += gls_sum_squares(made, rows * v->q);
    }
    return sum;
}

/* again: the same factors with room of their own. */
static double group_norm(bool portable, const gls_factors *v, const gls_factors *again, gls_factors_group of,
                         gls_real *made) {
    int64_t count = of.rows * v->positions;
    if (count == 1) return squares_at(v, of.row[0]);
    if (double_sum_pays(count, v)) {
        double sum = gls_factors_square(portable, v, again, of), bound = bound_of(v, of);
        if (sum >= cancelled * bound * bound) return sum;
    }
    return gls_use_matrix_norm(portable, v, of, NULL, made);
}

static gls_status norms(gls_exec *x, const gls_use *use, const gls_partition *partition, double *out) {
    gls_room room = gls_room_of(x);
    int64_t *row = gls_room_take(&room, x->rows, sizeof *row);
    gls_factors v = gls_factors_of(x, use, &room), again = gls_factors_of(x, use, &room);
    gls_real *made = gls_room_take(&room, gls_use_matrix_piece(v.p, v.q) * v.q, sizeof *made);
    for (int64_t group = 0; group < partition->groups; group++) {
        gls_factors_group of = gls_factors_group_of(x, partition, group, row);
        if (of.rows > 0) out[group] += group_norm(x->graph->portable, &v, &again, of, made);
    }
    return GLS_OK;
}

/* <g, V> = sum_t l_t . (V r_t), some positions at a time. */
void gls_use_matrix_inner(const gls_exec *x, const gls_use *use, const gls_partition *partition, const gls_real *w,
                          gls_room room, double *out) {
    gls_factors v = gls_factors_of(x, use, &room);
    int64_t total = x->rows * v.positions, count, step;
    gls_real *z = gls_room_take(&room, GLS_FACTOR_PIECE * v.p, sizeof *z);
    for (int64_t t = 0; t < total; t += count) {
        count = gls_factors_run(&v, t, gls_least(total - t, GLS_FACTOR_PIECE));
        const gls_real *right = gls_view_reader_columns(&v.right, t, count, 0, v.q, v.right_room, &step);
        gls_gemm(x->graph->portable, false, true, count, v.p, v.q, 1, right, step, w, v.q, 0, z, v.p);
        for (int64_t i = 0; i < count; i++) {
            int32_t group = partition->group[(t + i) / v.positions];
            if (group >= 0) out[group] += gls_dot(gls_factors_left(&v, t + i), z + i * v.p, v.p);
        }
    }
}

static gls_status inner(gls_exec *x, const gls_use *use, const gls_partition *partition, const gls_point *point,
                        double *out) {
    const gls_real *w = gls_point_w(point) + gls_layout_block(x->graph->layout, use->block)->offset;
    gls_use_matrix_inner(x, use, partition, w, gls_room_of(x), out);
    return GLS_OK;
}

static int64_t scratch(const gls_graph *g, const gls_memory_plan *plan, const gls_use *use) {
    const gls_block *block = gls_layout_block(g->layout, use->block);
    int64_t p = block->shape[0], q = block->shape[1], reals = 0;
    if (plan->want & GLS_WANT_NORMS) reals = gls_use_matrix_piece(p, q) * q;
    if ((plan->want & GLS_WANT_INNER) && reals < GLS_FACTOR_PIECE * p) reals = GLS_FACTOR_PIECE * p;
    return gls_room_bytes(plan->max_rows, sizeof(int64_t)) + 2 * gls_factors_bytes(plan, use) +
           gls_room_bytes(reals, sizeof(gls_real));
}

const gls_use_kind gls_use_matrix = {
    .name = "matrix product",
    .views_input = true,
    .product = true,
    .gradient = gradient,
    .gradient_tile = tile,
    .gradient_tiles = tiles,
    .norms = norms,
    .inner = inner,
    .factors = factors,
    .scratch = scratch,
};
