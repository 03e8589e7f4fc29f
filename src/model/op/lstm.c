/* lstm: long short-term memory over a whole sequence, from a zero state or from what its second input, a `carry`, has.
 * Padding behind a row has outputs, cells and gates of 0, and no gradient.
 * Gates and weights are in PyTorch's order: input, forget, new, output. The recurrent product is a matrix use of y one
 * position before and of the gates' gradient. With weight drop its weights are those that training left, times
 * 1 / (1 - p); weight k is decided by (seed, "weight_drop.NAME", draw, 0, k) for all examples of a mini-batch. */
#include <stdio.h>
#include <string.h>

#include "base/arith.h"
#include "base/gemm.h"
#include "base/gemm_few.h"
#include "base/kernels.h"
#include "model/elementary.h"
#include "model/layers.h"
#include "model/op.h"
#include "model/op/carry.h"
#include "model/use.h"

static const gls_option options[] = {
    GLS_INT("units", gls_op_lstm_options, units, NULL, 1, 1e6, "number of outputs", .flags = GLS_OPTION_REQUIRED),
    GLS_BOOL("bias", gls_op_lstm_options, bias, "true", "add a bias to the gates"),
    GLS_REAL("weight_drop", gls_op_lstm_options, weight_drop, "0", 0, 1,
             "share of the recurrent weights dropped in training, the same for all examples of a mini-batch",
             .flags = GLS_OPTION_BELOW_MAX),
    {0},
};

enum { GATES = 4, INPUT_WEIGHT = 0, RECURRENT_WEIGHT, BIAS, BLOCKS };

static gls_status shape(gls_graph *g, gls_node *node) {
    const gls_op_lstm_options *o = node->options;
    int64_t h = o->units, w[] = {GATES * h, node->in.c}, u[] = {GATES * h, h}, b = GATES * h;
    GLS_TRY(gls_op_takes_one_document(g, node));
    node->out = (gls_extent){h, 1, node->in.w};
    if (node->inputs > 1 && strcmp(g->node[node->input[1]].op->member.name, "carry") != 0)
        return gls_node_fail(g, node, "takes a carry as its second input");
    if (node->inputs > 1 && g->node[node->input[1]].out.c != 2 * h)
        return gls_node_fail(g, node, "has %lld units, but its carry another number", (long long)h);
    gls_parameter how = {g->init, node->in.c, h}, over_time = {g->init, h, h};
    GLS_TRY(gls_graph_parameter(g, node, INPUT_WEIGHT, "weight_ih", 2, w, gls_use_matrix_flags(w), how));
    GLS_TRY(gls_graph_parameter(g, node, RECURRENT_WEIGHT, "weight_hh", 2, u, gls_use_matrix_flags(u), over_time));
    if (!o->bias) return GLS_OK;
    over_time.init = g->init == GLS_INIT_TORCH ? GLS_INIT_TORCH : GLS_INIT_ZEROS;
    return gls_graph_parameter(g, node, BIAS, "bias", 1, &b, GLS_BLOCK_NO_DECAY, over_time);
}

/* With weight drop, reals of its factors [4 H, H], and of the recurrent weights that they leave. */
static int64_t dropped_size(const gls_node *node) {
    const gls_op_lstm_options *o = node->options;
    return o->weight_drop > 0 ? GATES * node->out.c * node->out.c : 0;
}

/* Those two; with a backward pass the gates' gradient [rows, T, 4 H]; then the gates, and the cells [rows, T, H]. */
static int64_t aux(const gls_node *node, int64_t rows, bool backward) {
    int64_t reals = rows * gls_extent_size(node->out) * ((backward ? 2 : 1) * GATES + 1);
    return (2 * dropped_size(node) + reals) * (int64_t)sizeof(gls_real);
}

static gls_real *gates_gradient_of(const gls_exec *x, int i) {
    return (gls_real *)gls_exec_aux(x, i) + 2 * dropped_size(gls_exec_node(x, i));
}

static gls_real *gates_of(const gls_exec *x, int i) {
    int64_t size = x->plan->max_rows * gls_extent_size(gls_exec_node(x, i)->out);
    return gates_gradient_of(x, i) + (x->plan->backward ? GATES * size : 0);
}

static gls_real *cells_of(const gls_exec *x, int i) {
    return gates_of(x, i) + GATES * x->plan->max_rows * gls_extent_size(gls_exec_node(x, i)->out);
}

static gls_status uses(gls_graph *g, int i) {
    const gls_node *node = &g->node[i];
    int64_t width = GATES * node->out.c, steps = node->out.w;
    gls_use use = {.kind = &gls_use_matrix,
                   .node = i,
                   .block = node->block[INPUT_WEIGHT],
                   .input = gls_view_value(g, node->input[0]),
                   .grad = {.source = GLS_VIEW_AUX_REAL,
                            .node = i,
                            .positions = steps,
                            .width = width,
                            .inner = width,
                            .offset = 2 * dropped_size(node),
                            .stride = width,
                            .row_stride = steps * width}};
    GLS_TRY(gls_graph_use(g, use));
    use.block = node->block[RECURRENT_WEIGHT];
    use.input = gls_view_value(g, i);
    use.input.lag = 1;
    use.factor = (gls_view){.source = GLS_VIEW_AUX_REAL, .node = i};
    if (dropped_size(node)) use.kind = &gls_use_dropped;
    GLS_TRY(gls_graph_use(g, use));
    if (node->inputs > 1) { /* the first position, whose y before is not this row's */
        gls_use first = use;
        first.input = gls_view_value(g, node->input[1]);
        first.input.width = first.input.inner = node->out.c;
        first.grad.positions = 1;
        GLS_TRY(gls_graph_use(g, first));
    }
    if (node->block[BIAS] < 0) return GLS_OK;
    use.kind = &gls_use_scale_shift;
    use.block = node->block[BIAS];
    return gls_graph_use(g, use);
}

/* Hidden and cells, [2, H] a row, that come before the first position; NULL: zeros. */
static const gls_real *carried(const gls_exec *x, int i) {
    return gls_exec_node(x, i)->inputs > 1 ? gls_exec_in(x, i, 1) : NULL;
}

/* The cells before position t of row r, NULL: zeros. */
static const gls_real *cells_before(const gls_exec *x, int i, int64_t r, int64_t t) {
    int64_t h = gls_exec_node(x, i)->out.c;
    const gls_real *from = carried(x, i);
    if (t > 0) return cells_of(x, i) + (r * gls_exec_node(x, i)->out.w + t - 1) * h;
    return from ? from + (2 * r + 1) * h : NULL;
}

/* ---- the recurrent weights as products of few rows read them: their transpose for forward, and themselves ---- */

static int64_t packed_size(const gls_node *node, bool back) {
    int64_t h = node->out.c;
    return back ? gls_gemm_few_size(GATES * h, h) : gls_gemm_few_size(h, GATES * h);
}

static void pack_weights(const gls_node *node, const gls_real *u, bool back, gls_real *to) {
    int64_t h = node->out.c;
    if (back)
        gls_gemm_few_pack(u, h, 1, GATES * h, h, to);
    else
        gls_gemm_few_pack(u, 1, h, h, GATES * h, to);
}

static int64_t pack_bytes(const gls_node *node) {
    return (packed_size(node, false) + packed_size(node, true)) * (int64_t)sizeof(gls_real);
}

static gls_status pack(const gls_graph *g, const gls_node *node, const gls_real *w, void *packed) {
    const gls_real *u = w + gls_layout_block(g->layout, node->block[RECURRENT_WEIGHT])->offset;
    pack_weights(node, u, false, packed);
    pack_weights(node, u, true, (gls_real *)packed + packed_size(node, false));
    return GLS_OK;
}

/* ---- weight drop ---- */

/* Four weights a block of random bits; one is kept where its 32 bits reach p 2^32. */
static void draw_factors(const gls_exec *x, int i, gls_real *factor) {
    const gls_node *node = gls_exec_node(x, i);
    double p = ((const gls_op_lstm_options *)node->options)->weight_drop;
    uint32_t bound = (uint32_t)(p * 4294967296.0), bits[4];
    char purpose[256];
    snprintf(purpose, sizeof purpose, "weight_drop.%s", node->name);
    gls_random random = gls_random_create(x->args->seed, purpose, x->args->rows->draw, 0);
    for (int64_t k = 0; k < dropped_size(node); k++) {
        if (k % 4 == 0) gls_random_block(&random, (uint32_t)(k / 4), bits);
        factor[k] = bits[k % 4] >= bound ? (gls_real)(1 / (1 - p)) : 0;
    }
}

/* Without training none is dropped; a backward pass then reads them where training has them. */
static bool drops(const gls_exec *x, int i) {
    return dropped_size(gls_exec_node(x, i)) > 0 && (x->plan->mode == GLS_MODE_TRAIN || x->plan->backward);
}

/* The recurrent weights: those of forward, after drop, or for tangents the direction's, by the same factors. */
static const gls_real *recurrent_weight(const gls_exec *x, int i) {
    const gls_node *node = gls_exec_node(x, i);
    return drops(x, i) ? (const gls_real *)gls_exec_aux(x, i) + dropped_size(node)
                       : gls_exec_weight(x, node->block[RECURRENT_WEIGHT]);
}

static void drop_weights(gls_exec *x, int i) {
    const gls_node *node = gls_exec_node(x, i);
    int64_t size = drops(x, i) ? dropped_size(node) : 0;
    const gls_real *u = gls_exec_weight(x, node->block[RECURRENT_WEIGHT]);
    gls_real *factor = gls_exec_aux(gls_exec_values(x), i),
             *dropped = size ? (gls_real *)gls_exec_aux(x, i) + size : NULL;
    if (size && !gls_exec_primal(x)) {
        if (x->plan->mode == GLS_MODE_TRAIN)
            draw_factors(x, i, factor);
        else
            gls_fill(factor, 1, size);
    }
    for (int64_t k = 0; k < size; k++) dropped[k] = factor[k] * u[k];
}

/* ---- forward ---- */

static bool pads(const gls_exec *x, int i, int64_t row, int64_t t) {
    const gls_exec *of = gls_exec_values(x);
    bool whole = gls_exec_node(x, i)->out.w == of->args->rows->length;
    const int32_t *document = whole ? gls_exec_document(of, row) : NULL;
    return document && document[t] < 0;
}

/* Position t of a row is padding: gates, cells and outputs of 0, or their tangents. */
static bool rests(const gls_exec *x, int i, int64_t row, int64_t t) {
    if (!pads(x, i, row, t)) return false;
    int64_t h = gls_exec_node(x, i)->out.c, at = row * gls_exec_node(x, i)->out.w + t;
    gls_fill(gates_of(x, i) + at * GATES * h, 0, GATES * h);
    gls_fill(cells_of(x, i) + at * h, 0, h);
    gls_fill(gls_exec_value(x, i) + at * h, 0, h);
    return true;
}

/* One position of one row: z [4, H] becomes the gates. before: the cells one position before, or NULL. */
GLS_SIMD static void step(gls_real *z, const gls_real *bias, const gls_real *before, int64_t h, gls_real *cell,
                          gls_real *y) {
    for (int64_t k = 0; bias && k < GATES * h; k++) z[k] += bias[k];
    for (int64_t k = 0; k < 2 * h; k++) z[k] = gls_elementary_sigmoid(z[k]);
    for (int64_t k = 2 * h; k < 3 * h; k++) z[k] = gls_elementary_tanh(z[k]);
    for (int64_t k = 3 * h; k < 4 * h; k++) z[k] = gls_elementary_sigmoid(z[k]);
    GLS_LANE_LOOP
    for (int64_t k = 0; k < h; k++) {
        gls_real new = z[k] * z[2 * h + k];
        cell[k] = before ? z[h + k] * before[k] + new : new;
        y[k] = z[3 * h + k] * gls_elementary_tanh(cell[k]);
    }
}

/* The packed weights: the point's, or those that drop left, which are packed into room. */
static const gls_real *packed_of(const gls_exec *x, int i, bool back, gls_real *room) {
    const gls_node *node = gls_exec_node(x, i);
    if (!drops(x, i)) return (const gls_real *)x->packed[i] + (back ? packed_size(node, false) : 0);
    pack_weights(node, recurrent_weight(x, i), back, room);
    return room;
}

/* z [rows, 4 H] += y U^T, or dy [rows, H] = dz U. */
static void recur(const gls_exec *x, int i, bool back, const gls_real *from, int64_t from_step, const gls_real *packed,
                  gls_real *to, int64_t to_step) {
    int64_t h = gls_exec_node(x, i)->out.c, n = back ? h : GATES * h, k = back ? GATES * h : h;
    if (x->graph->portable)
        gls_gemm(true, false, !back, x->rows, n, k, 1, from, from_step, recurrent_weight(x, i), h, !back, to, to_step);
    else
        gls_gemm_few(x->rows, n, k, from, from_step, packed, !back, to, to_step);
}

/* Positions [from, to) of all rows; a part of them of one row. */
static gls_status extend(gls_exec *x, int i, int64_t from, int64_t to) {
    const gls_node *node = gls_exec_node(x, i);
    int64_t h = node->out.c, c = node->in.c, steps = node->out.w, width = GATES * h;
    const gls_real *w = gls_exec_weight(x, node->block[INPUT_WEIGHT]);
    const gls_real *bias = gls_exec_weight(x, node->block[BIAS]);
    gls_real *gates = gates_of(x, i), *cell = cells_of(x, i), *y = gls_exec_value(x, i);
    drop_weights(x, i);
    const gls_real *u = packed_of(x, i, false, x->scratch);
    gls_gemm(x->graph->portable, false, true, x->rows * (to - from), width, c, 1, gls_exec_in(x, i, 0) + from * c, c, w,
             c, 0, gates + from * width, width);
    for (int64_t t = from; t < to; t++) {
        const gls_real *before = t > 0 ? y + (t - 1) * h : carried(x, i);
        if (before) recur(x, i, false, before, t > 0 ? steps * h : 2 * h, u, gates + t * width, steps * width);
        for (int64_t r = 0; r < x->rows; r++) {
            int64_t at = r * steps + t;
            if (!rests(x, i, r, t))
                step(gates + at * width, bias, cells_before(x, i, r, t), h, cell + at * h, y + at * h);
        }
    }
    for (int64_t r = 0; carried(x, i) && to == steps && r < x->rows; r++) {
        int64_t last = (r * steps + steps - 1) * h;
        gls_op_carry_leave(x, node->input[1], r, y + last, cell + last);
    }
    return GLS_OK;
}

static gls_status forward(gls_exec *x, int i) {
    return extend(x, i, 0, gls_exec_node(x, i)->out.w);
}

/* ---- backward ---- */

/* The larger one of the packed weights that drop left; then, for backward, what comes from the position after, [rows,
 * H] each: the gradients of y and of the cells. */
static int64_t scratch_packed(const gls_node *node) {
    int64_t forward = packed_size(node, false), back = packed_size(node, true);
    return !dropped_size(node) ? 0 : forward > back ? forward : back;
}

static int64_t scratch(const gls_node *node, int64_t rows) {
    return (scratch_packed(node) + 2 * rows * node->out.c) * (int64_t)sizeof(gls_real);
}

/* One position of one row: dz [4, H] is made, dc turned into that of the position before, e into all that reaches y,
 * which tangents read. */
GLS_SIMD static void step_backward(gls_real *e, const gls_real *dh, const gls_real *z, const gls_real *cell,
                                   const gls_real *before, int64_t h, gls_real *dz, gls_real *dc) {
    GLS_LANE_LOOP
    for (int64_t k = 0; k < h; k++) {
        gls_real in = z[k], forget = z[h + k], new = z[2 * h + k], out = z[3 * h + k];
        gls_real y = gls_elementary_tanh(cell[k]), d = e[k] += dh[k], inside = dc[k] + d * out * (1 - y * y);
        dz[k] = inside * new *in *(1 - in);
        dz[h + k] = before ? inside * before[k] * forget * (1 - forget) : 0;
        dz[2 * h + k] = inside * in * (1 - new *new);
        dz[3 * h + k] = d * y * out * (1 - out);
        dc[k] = inside * forget;
    }
}

static gls_status backward(gls_exec *x, int i) {
    const gls_node *node = gls_exec_node(x, i);
    int64_t h = node->out.c, c = node->in.c, steps = node->out.w, width = GATES * h;
    const gls_real *gates = gates_of(x, i), *cell = cells_of(x, i);
    gls_real *e = gls_exec_grad(x, i), *dz = gates_gradient_of(x, i);
    gls_real *dh = (gls_real *)x->scratch + scratch_packed(node), *dc = dh + x->rows * h;
    const gls_real *u = packed_of(x, i, true, x->scratch);
    gls_fill(dh, 0, 2 * x->rows * h);
    for (int64_t t = steps - 1; t >= 0; t--) {
        for (int64_t r = 0; r < x->rows; r++) {
            int64_t at = r * steps + t;
            if (pads(x, i, r, t))
                gls_fill(dz + at * width, 0, width);
            else
                step_backward(e + at * h, dh + r * h, gates + at * width, cell + at * h, cells_before(x, i, r, t), h,
                              dz + at * width, dc + r * h);
        }
        if (t > 0) recur(x, i, true, dz + t * width, steps * width, u, dh, h);
    }
    if (gls_exec_wants(x, i, 0))
        gls_gemm(x->graph->portable, false, false, x->rows * steps, c, width, 1, dz, width,
                 gls_exec_weight(x, node->block[INPUT_WEIGHT]), c, gls_exec_adds(x, i, 0) ? 1 : 0,
                 gls_exec_in_grad(x, i, 0), c);
    return GLS_OK;
}

/* ---- tangents ---- */

/* One position of one row: gates [4, H], cells, and those before; and of the tangents the same. */
typedef struct place {
    const gls_real *z, *cell, *before, *before_dot;
    gls_real *z_dot, *cell_dot;
    int64_t at;
} place;

static place place_of(const gls_exec *t, int i, int64_t row, int64_t time) {
    const gls_exec *x = gls_exec_primal(t);
    int64_t h = gls_exec_node(t, i)->out.c, at = (row * gls_exec_node(t, i)->out.w + time) * h;
    const gls_real *cell = cells_of(x, i) + at;
    gls_real *cell_dot = cells_of(t, i) + at;
    return (place){.z = gates_of(x, i) + GATES * at,
                   .cell = cell,
                   .before = cells_before(x, i, row, time),
                   .before_dot = cells_before(t, i, row, time),
                   .z_dot = gates_of(t, i) + GATES * at,
                   .cell_dot = cell_dot,
                   .at = at};
}

/* What goes into the gates becomes the gates. */
GLS_SIMD static void step_tangent(const place *of, const gls_real *bias, int64_t h, gls_real *y) {
    gls_real *v = of->z_dot;
    const gls_real *z = of->z;
    for (int64_t k = 0; bias && k < GATES * h; k++) v[k] += bias[k];
    for (int64_t k = 0; k < 2 * h; k++) v[k] *= z[k] * (1 - z[k]);
    for (int64_t k = 2 * h; k < 3 * h; k++) v[k] *= 1 - z[k] * z[k];
    for (int64_t k = 3 * h; k < 4 * h; k++) v[k] *= z[k] * (1 - z[k]);
    for (int64_t k = 0; k < h; k++) {
        gls_real moved = v[k] * z[2 * h + k] + z[k] * v[2 * h + k], shown = gls_elementary_tanh(of->cell[k]);
        if (of->before) moved += v[h + k] * of->before[k] + z[h + k] * of->before_dot[k];
        of->cell_dot[k] = moved;
        y[k] = v[3 * h + k] * shown + z[3 * h + k] * (1 - shown * shown) * moved;
    }
}

/* Reals and their tangents. */
typedef struct pair {
    const gls_real *value, *dot;
} pair;

static pair input_weights(const gls_exec *t, int i) {
    int64_t block = gls_exec_node(t, i)->block[INPUT_WEIGHT];
    return (pair){gls_exec_weight(gls_exec_primal(t), block), gls_exec_weight(t, block)};
}

static pair recurrent_weights(const gls_exec *t, int i) {
    return (pair){recurrent_weight(gls_exec_primal(t), i), recurrent_weight(t, i)};
}

/* to [rows, n] = the tangent of in [rows, k] times w or its transpose, or that added. */
static void product_tangent(const gls_exec *t, pair w, bool transposed, int64_t rows, int64_t n, int64_t k, pair in,
                            int64_t step, bool adds, gls_real *to, int64_t to_step) {
    bool portable = t->graph->portable;
    int64_t wide = transposed ? k : n;
    gls_gemm(portable, false, transposed, rows, n, k, 1, in.value, step, w.dot, wide, adds, to, to_step);
    gls_gemm(portable, false, transposed, rows, n, k, 1, in.dot, step, w.value, wide, 1, to, to_step);
}

static gls_status forward_tangent(gls_exec *t, int i) {
    const gls_exec *x = gls_exec_primal(t);
    const gls_node *node = gls_exec_node(t, i);
    int64_t h = node->out.c, c = node->in.c, steps = node->out.w, width = GATES * h;
    gls_real *gates = gates_of(t, i), *y = gls_exec_value(t, i);
    drop_weights(t, i);
    product_tangent(t, input_weights(t, i), true, t->rows * steps, width, c,
                    (pair){gls_exec_in(x, i, 0), gls_exec_in(t, i, 0)}, c, false, gates, width);
    for (int64_t time = 0; time < steps; time++) {
        pair before = {carried(x, i), carried(t, i)};
        if (time > 0) before = (pair){gls_exec_value(x, i) + (time - 1) * h, y + (time - 1) * h};
        if (before.value)
            product_tangent(t, recurrent_weights(t, i), true, t->rows, width, h, before, time > 0 ? steps * h : 2 * h,
                            true, gates + time * width, steps * width);
        for (int64_t r = 0; r < t->rows; r++) {
            place of = place_of(t, i, r, time);
            if (!rests(t, i, r, time)) step_tangent(&of, gls_exec_weight(t, node->block[BIAS]), h, y + of.at);
        }
    }
    return GLS_OK;
}

/* What comes from the position after, [rows, H] each: the gradient of the cells, and the tangents of that and of y's.
 */
typedef struct after {
    gls_real *dc, *dc_dot, *dh_dot;
} after;

static int64_t tangent_scratch(const gls_node *node, int64_t rows) {
    return 3 * rows * node->out.c * (int64_t)sizeof(gls_real);
}

/* d: all that reaches y, as backward left it; e_dot: the tangent of the output's gradient. Products of derivatives are
 * those of step_backward, each factor moved in turn. */
GLS_SIMD static void step_backward_tangent(const place *of, after from, const gls_real *d, const gls_real *e_dot,
                                           int64_t h, gls_real *dz_dot) {
    const gls_real *z = of->z, *v = of->z_dot;
    for (int64_t k = 0; k < h; k++) {
        gls_real in = z[k], forget = z[h + k], new = z[2 * h + k], out = z[3 * h + k];
        gls_real in_dot = v[k], forget_dot = v[h + k], new_dot = v[2 * h + k], out_dot = v[3 * h + k];
        gls_real y = gls_elementary_tanh(of->cell[k]), slope = 1 - y * y, y_dot = slope * of->cell_dot[k];
        gls_real d_dot = e_dot[k] + from.dh_dot[k], inside = from.dc[k] + d[k] * out * slope;
        gls_real inside_dot =
            from.dc_dot[k] + d_dot * out * slope + d[k] * out_dot * slope - 2 * d[k] * out * y * y_dot;
        gls_real before = of->before ? of->before[k] : 0, before_dot = of->before ? of->before_dot[k] : 0;
        dz_dot[k] = (inside_dot * new + inside *new_dot) * in * (1 - in) + inside * new *(1 - 2 * in) * in_dot;
        dz_dot[h + k] = (inside_dot * before + inside * before_dot) * forget * (1 - forget) +
                        inside * before * (1 - 2 * forget) * forget_dot;
        dz_dot[2 * h + k] = (inside_dot * in + inside * in_dot) * (1 - new *new) - 2 * inside * in * new *new_dot;
        dz_dot[3 * h + k] = (d_dot * y + d[k] * y_dot) * out * (1 - out) + d[k] * y * (1 - 2 * out) * out_dot;
        from.dc_dot[k] = inside_dot * forget + inside * forget_dot;
        from.dc[k] = inside * forget;
    }
}

static gls_status backward_tangent(gls_exec *t, int i) {
    const gls_exec *x = gls_exec_primal(t);
    const gls_node *node = gls_exec_node(t, i);
    int64_t h = node->out.c, c = node->in.c, steps = node->out.w, width = GATES * h, size = t->rows * h;
    const gls_real *dz = gates_gradient_of(x, i);
    gls_real *dz_dot = gates_gradient_of(t, i), *room = t->scratch;
    gls_fill(room, 0, 3 * size);
    for (int64_t time = steps - 1; time >= 0; time--) {
        for (int64_t r = 0; r < t->rows; r++) {
            place of = place_of(t, i, r, time);
            after from = {room + r * h, room + size + r * h, room + 2 * size + r * h};
            if (pads(t, i, r, time))
                gls_fill(dz_dot + GATES * of.at, 0, width);
            else
                step_backward_tangent(&of, from, gls_exec_grad(x, i) + of.at, gls_exec_grad(t, i) + of.at, h,
                                      dz_dot + GATES * of.at);
        }
        if (time > 0)
            product_tangent(t, recurrent_weights(t, i), false, t->rows, h, width,
                            (pair){dz + time * width, dz_dot + time * width}, steps * width, false, room + 2 * size, h);
    }
    if (gls_exec_wants(t, i, 0))
        product_tangent(t, input_weights(t, i), false, t->rows * steps, c, width, (pair){dz, dz_dot}, width,
                        gls_exec_adds(t, i, 0), gls_exec_in_grad(t, i, 0), c);
    return GLS_OK;
}

static double work(const gls_node *node) {
    return (double)GATES * (double)node->out.c * (double)(node->in.c + node->out.c) * (double)node->out.w;
}

const gls_op gls_op_lstm = {
    .member = {.name = "lstm",
               .help = "long short-term memory over the positions",
               .source = "Hochreiter and Schmidhuber 1997",
               .options = options,
               .options_size = sizeof(gls_op_lstm_options)},
    .formula = "(i, f, g, o)_t = weight_ih x_t + weight_hh y_{t-1} + bias; c_t = s(f) c_{t-1} + s(i) tanh(g), y_t = "
               "s(o) tanh(c_t), s the sigmoid; y and c begin at 0, or as a carry has them; 0 in padding",
    .shapes = "[features, 1, w] -> [units, 1, w]",
    .parameters = "weight_ih [4 units, features] matrix product; weight_hh [4 units, units] matrix product, by "
                  "weight_drop with dropped weights; bias [4 units] scale and shift",
    .blocks = BLOCKS,
    .inputs_min = 1,
    .inputs_max = 2,
    .flags = GLS_OP_OWN_LAYOUT,
    .shape = shape,
    .impl = GLS_OP_PORTABLE(.setup = gls_op_keeps_positions, .pack_bytes = pack_bytes, .pack = pack, .scratch = scratch,
                            .forward = forward, .backward = backward, .forward_tangent = forward_tangent,
                            .backward_tangent = backward_tangent, .tangent_scratch = tangent_scratch),
    .uses = uses,
    .aux = aux,
    .work = work,
    .growth = &(const gls_op_growth){gls_op_ready_so_far, extend},
    .onnx = gls_op_lstm_onnx,
};
