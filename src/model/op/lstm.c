/* lstm: long short-term memory over a whole sequence, from a zero state or from what its second input, a `carry`, has.
 * Padding behind a row has outputs, cells and gates of 0, and no gradient. Documents packed into a row begin at zero
 * each; the outputs before a position, without those of another document, are then put aside for the recurrent use.
 * Gates and weights are in PyTorch's order: input, forget, new, output. The recurrent product is a matrix use of y one
 * position before and of the gates' gradient. With weight drop its weights are those that training left, times
 * 1 / (1 - p); weight k is decided by (seed, "weight_drop.NAME", draw, 0, k) for all examples of a mini-batch. */
#include <stdio.h>
#include <string.h>

#include "base/arith.h"
#include "base/gemm.h"
#include "base/gemm_few.h"
#include "base/kernels.h"
#include "model/op/carry.h"
#include "model/op/lstm.h"
#include "model/use.h"

static const gls_option options[] = {
    GLS_INT("units", gls_op_lstm_options, units, NULL, 1, 1e6, "number of outputs", .flags = GLS_OPTION_REQUIRED),
    GLS_BOOL("bias", gls_op_lstm_options, bias, "true", "add a bias to the gates"),
    GLS_REAL("weight_drop", gls_op_lstm_options, weight_drop, "0", 0, 1,
             "share of the recurrent weights dropped in training, the same for all examples of a mini-batch",
             .flags = GLS_OPTION_BELOW_MAX),
    {0},
};

static gls_status shape(gls_graph *g, gls_node *node) {
    gls_op_lstm_options *o = node->options;
    int64_t h = o->units, w[] = {GLS_OP_LSTM_GATES * h, node->in.c}, u[] = {GLS_OP_LSTM_GATES * h, h},
            b = GLS_OP_LSTM_GATES * h;
    node->out = (gls_extent){h, 1, node->in.w};
    o->packed = g->data->documents == GLS_DOCUMENTS_PACKED;
    if (node->inputs > 1) GLS_TRY(gls_op_takes_one_document(g, node));
    if (node->inputs > 1 && strcmp(g->node[node->input[1]].op->member.name, "carry") != 0)
        return gls_node_fail(g, node, "takes a carry as its second input");
    if (node->inputs > 1 && g->node[node->input[1]].out.c != 2 * h)
        return gls_node_fail(g, node, "has %lld units, but its carry another number", (long long)h);
    gls_parameter how = {g->init, node->in.c, h}, over_time = {g->init, h, h};
    GLS_TRY(gls_graph_parameter(g, node, GLS_OP_LSTM_INPUT, "weight_ih", 2, w, gls_use_matrix_flags(w), how));
    GLS_TRY(gls_graph_parameter(g, node, GLS_OP_LSTM_RECURRENT, "weight_hh", 2, u, gls_use_matrix_flags(u), over_time));
    if (!o->bias) return GLS_OK;
    over_time.init = g->init == GLS_INIT_TORCH ? GLS_INIT_TORCH : GLS_INIT_ZEROS;
    return gls_graph_parameter(g, node, GLS_OP_LSTM_BIAS, "bias", 1, &b, GLS_BLOCK_NO_DECAY, over_time);
}

/* Those two; with a backward pass, or documents packed into rows, spans [rows, T]; then the gates [rows, T, 4 H], and
 * the cells [rows, T, H]. */
static int64_t aux(const gls_node *node, int64_t rows, bool backward) {
    int64_t places = rows * node->out.w,
            spans = backward || gls_op_lstm_packed(node) ? places * gls_op_lstm_span(node) : 0;
    return (2 * gls_op_lstm_dropped_size(node) + spans + places * (GLS_OP_LSTM_GATES + 1) * node->out.c) *
           (int64_t)sizeof(gls_real);
}

static gls_status uses(gls_graph *g, int i) {
    const gls_node *node = &g->node[i];
    int64_t h = node->out.c, width = GLS_OP_LSTM_GATES * h, steps = node->out.w, span = gls_op_lstm_span(node);
    gls_use use = {.kind = &gls_use_matrix,
                   .node = i,
                   .block = node->block[GLS_OP_LSTM_INPUT],
                   .input = gls_view_value(g, node->input[0]),
                   .grad = {.source = GLS_VIEW_AUX_REAL,
                            .node = i,
                            .positions = steps,
                            .width = width,
                            .inner = width,
                            .offset = 2 * gls_op_lstm_dropped_size(node),
                            .stride = span,
                            .row_stride = steps * span}};
    GLS_TRY(gls_graph_use(g, use));
    use.block = node->block[GLS_OP_LSTM_RECURRENT];
    use.input = gls_view_value(g, i);
    use.input.lag = 1;
    if (gls_op_lstm_packed(node)) { /* put aside beside the gates' gradient */
        use.input = use.grad;
        use.input.offset += width;
        use.input.width = use.input.inner = h;
    }
    use.factor = (gls_view){.source = GLS_VIEW_AUX_REAL, .node = i};
    if (gls_op_lstm_dropped_size(node)) use.kind = &gls_use_dropped;
    GLS_TRY(gls_graph_use(g, use));
    if (node->inputs > 1) { /* the first position, whose y before is not this row's */
        gls_use first = use;
        first.input = gls_view_value(g, node->input[1]);
        first.input.width = first.input.inner = h;
        first.grad.positions = 1;
        GLS_TRY(gls_graph_use(g, first));
    }
    if (node->block[GLS_OP_LSTM_BIAS] < 0) return GLS_OK;
    use.kind = &gls_use_scale_shift;
    use.block = node->block[GLS_OP_LSTM_BIAS];
    return gls_graph_use(g, use);
}

/* ---- the recurrent weights as products of few rows read them: their transpose for forward, and themselves ---- */

static int64_t packed_size(const gls_node *node, bool back) {
    int64_t h = node->out.c;
    return back ? gls_gemm_few_size(GLS_OP_LSTM_GATES * h, h) : gls_gemm_few_size(h, GLS_OP_LSTM_GATES * h);
}

static void pack_weights(const gls_node *node, const gls_real *u, bool back, gls_real *to) {
    int64_t h = node->out.c;
    if (back)
        gls_gemm_few_pack(u, h, 1, GLS_OP_LSTM_GATES * h, h, to);
    else
        gls_gemm_few_pack(u, 1, h, h, GLS_OP_LSTM_GATES * h, to);
}

static int64_t pack_bytes(const gls_node *node) {
    return (packed_size(node, false) + packed_size(node, true)) * (int64_t)sizeof(gls_real);
}

static gls_status pack(const gls_graph *g, const gls_node *node, const gls_real *w, void *packed) {
    const gls_real *u = w + gls_layout_block(g->layout, node->block[GLS_OP_LSTM_RECURRENT])->offset;
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
    for (int64_t k = 0; k < gls_op_lstm_dropped_size(node); k++) {
        if (k % 4 == 0) gls_random_block(&random, (uint32_t)(k / 4), bits);
        factor[k] = bits[k % 4] >= bound ? (gls_real)(1 / (1 - p)) : 0;
    }
}

void gls_op_lstm_drop_weights(gls_exec *x, int i) {
    const gls_node *node = gls_exec_node(x, i);
    int64_t size = gls_op_lstm_drops(x, i) ? gls_op_lstm_dropped_size(node) : 0;
    const gls_real *u = gls_exec_weight(x, node->block[GLS_OP_LSTM_RECURRENT]);
    gls_real *factor = gls_exec_aux(gls_exec_values(x), i),
             *dropped = size ? (gls_real *)gls_exec_aux(x, i) + size : NULL;
    if (size && !gls_exec_primal(x)) {
        if (x->plan->mode == GLS_MODE_TRAIN)
            draw_factors(x, i, factor);
        else
            gls_fill(factor, 1, size);
    }
    for (int64_t k = 0; k < size; k++) dropped[k] = factor[k] * u[k];
    gls_exec_round(x, dropped, size);
}

/* ---- forward ---- */

bool gls_op_lstm_rests(const gls_exec *x, int i, int64_t row, int64_t t) {
    if (!gls_op_lstm_pads(x, i, row, t)) return false;
    int64_t h = gls_exec_node(x, i)->out.c, at = row * gls_exec_node(x, i)->out.w + t;
    gls_fill(gls_op_lstm_gates(x, i) + at * GLS_OP_LSTM_GATES * h, 0, GLS_OP_LSTM_GATES * h);
    gls_fill(gls_op_lstm_cells(x, i) + at * h, 0, h);
    gls_fill(gls_exec_value(x, i) + at * h, 0, h);
    return true;
}

const gls_real *gls_op_lstm_outputs_before(const gls_exec *x, int i, int64_t t, int64_t *step) {
    const gls_node *node = gls_exec_node(x, i);
    int64_t h = node->out.c, steps = node->out.w, span = gls_op_lstm_span(node);
    const gls_real *y = gls_exec_value(x, i);
    *step = t > 0 ? steps * h : 2 * h;
    if (!gls_op_lstm_packed(node)) return t > 0 ? y + (t - 1) * h : gls_op_lstm_carried(x, i);
    gls_real *before = gls_op_lstm_gates_gradient(x, i) + t * span + GLS_OP_LSTM_GATES * h;
    *step = steps * span;
    for (int64_t r = 0; r < x->rows; r++)
        if (t == 0 || gls_op_lstm_begins(x, i, r, t))
            gls_fill(before + r * *step, 0, h);
        else
            memcpy(before + r * *step, y + (r * steps + t - 1) * h, (size_t)h * sizeof *y);
    return t > 0 ? before : NULL;
}

void gls_op_lstm_part(const gls_exec *x, int i, int64_t t, gls_real *back) {
    int64_t h = gls_exec_node(x, i)->out.c;
    for (int64_t r = 0; r < x->rows; r++)
        if (gls_op_lstm_begins(x, i, r, t)) gls_fill(back + r * h, 0, h);
}

/* One position of one row: z [4, H] becomes the gates. before: the cells one position before, or NULL. */
GLS_SIMD static void step(gls_real *z, const gls_real *bias, const gls_real *before, int64_t h, gls_real *cell,
                          gls_real *y) {
    for (int64_t k = 0; bias && k < GLS_OP_LSTM_GATES * h; k++) z[k] += bias[k];
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
    if (!gls_op_lstm_drops(x, i)) return (const gls_real *)x->packed[i] + (back ? packed_size(node, false) : 0);
    pack_weights(node, gls_op_lstm_recurrent_weight(x, i), back, room);
    return room;
}

/* z [rows, 4 H] += y U^T, or dy [rows, H] = dz U. */
static void recur(const gls_exec *x, int i, bool back, const gls_real *from, int64_t from_step, const gls_real *packed,
                  gls_real *to, int64_t to_step) {
    int64_t h = gls_exec_node(x, i)->out.c, n = back ? h : GLS_OP_LSTM_GATES * h, k = back ? GLS_OP_LSTM_GATES * h : h;
    if (x->graph->portable)
        gls_gemm(true, false, !back, x->rows, n, k, 1, from, from_step, gls_op_lstm_recurrent_weight(x, i), h, !back,
                 to, to_step);
    else
        gls_gemm_few(x->rows, n, k, from, from_step, packed, !back, to, to_step);
}

/* Positions [from, to) of all rows; a part of them of one row. */
static gls_status extend(gls_exec *x, int i, int64_t from, int64_t to) {
    const gls_node *node = gls_exec_node(x, i);
    int64_t h = node->out.c, c = node->in.c, steps = node->out.w, width = GLS_OP_LSTM_GATES * h;
    const gls_real *w = gls_exec_weight(x, node->block[GLS_OP_LSTM_INPUT]);
    const gls_real *bias = gls_exec_weight(x, node->block[GLS_OP_LSTM_BIAS]);
    gls_real *gates = gls_op_lstm_gates(x, i), *cell = gls_op_lstm_cells(x, i), *y = gls_exec_value(x, i);
    gls_op_lstm_drop_weights(x, i);
    const gls_real *u = packed_of(x, i, false, x->scratch);
    gls_gemm(x->graph->portable, false, true, x->rows * (to - from), width, c, 1, gls_exec_in(x, i, 0) + from * c, c, w,
             c, 0, gates + from * width, width);
    for (int64_t t = from; t < to; t++) {
        int64_t apart;
        const gls_real *before = gls_op_lstm_outputs_before(x, i, t, &apart);
        if (before) recur(x, i, false, before, apart, u, gates + t * width, steps * width);
        for (int64_t r = 0; r < x->rows; r++) {
            int64_t at = r * steps + t;
            if (gls_op_lstm_rests(x, i, r, t)) continue;
            step(gates + at * width, bias, gls_op_lstm_cells_before(x, i, r, t), h, cell + at * h, y + at * h);
            gls_exec_round(x, y + at * h, h);
        }
    }
    for (int64_t r = 0; gls_op_lstm_carried(x, i) && to == steps && r < x->rows; r++) {
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
    return !gls_op_lstm_dropped_size(node) ? 0 : forward > back ? forward : back;
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
    int64_t h = node->out.c, c = node->in.c, steps = node->out.w, width = GLS_OP_LSTM_GATES * h,
            span = gls_op_lstm_span(node);
    const gls_real *gates = gls_op_lstm_gates(x, i), *cell = gls_op_lstm_cells(x, i);
    gls_real *e = gls_exec_grad(x, i), *dz = gls_op_lstm_gates_gradient(x, i);
    gls_real *dh = (gls_real *)x->scratch + scratch_packed(node), *dc = dh + x->rows * h;
    const gls_real *u = packed_of(x, i, true, x->scratch);
    gls_fill(dh, 0, 2 * x->rows * h);
    for (int64_t t = steps - 1; t >= 0; t--) {
        for (int64_t r = 0; r < x->rows; r++) {
            int64_t at = r * steps + t;
            if (gls_op_lstm_pads(x, i, r, t))
                gls_fill(dz + at * span, 0, width);
            else
                step_backward(e + at * h, dh + r * h, gates + at * width, cell + at * h,
                              gls_op_lstm_cells_before(x, i, r, t), h, dz + at * span, dc + r * h);
            gls_exec_round(x, dz + at * span, width);
        }
        if (t > 0) recur(x, i, true, dz + t * span, steps * span, u, dh, h);
        gls_op_lstm_part(x, i, t, dh);
        gls_op_lstm_part(x, i, t, dc);
    }
    if (gls_exec_wants(x, i, 0))
        gls_gemm(x->graph->portable, false, false, x->rows * steps, c, width, 1, dz, span,
                 gls_exec_weight(x, node->block[GLS_OP_LSTM_INPUT]), c, gls_exec_adds(x, i, 0) ? 1 : 0,
                 gls_exec_in_grad(x, i, 0), c);
    return GLS_OK;
}

static double work(const gls_node *node) {
    return (double)GLS_OP_LSTM_GATES * (double)node->out.c * (double)(node->in.c + node->out.c) * (double)node->out.w;
}

const gls_op gls_op_lstm = {
    .member = {.name = "lstm",
               .help = "long short-term memory over the positions",
               .source = "Hochreiter and Schmidhuber 1997",
               .options = options,
               .options_size = sizeof(gls_op_lstm_options)},
    .formula =
        "(i, f, g, o)_t = weight_ih x_t + weight_hh y_{t-1} + bias; c_t = s(f) c_{t-1} + s(i) tanh(g), y_t = "
        "s(o) tanh(c_t), s the sigmoid; y and c begin at 0 with every document, or as a carry has them; 0 in padding",
    .shapes = "[features, 1, w] -> [units, 1, w]",
    .parameters = "weight_ih [4 units, features] matrix product; weight_hh [4 units, units] matrix product, by "
                  "weight_drop with dropped weights; bias [4 units] scale and shift",
    .blocks = GLS_OP_LSTM_BLOCKS,
    .inputs_min = 1,
    .inputs_max = 2,
    .flags = GLS_OP_OWN_LAYOUT | GLS_OP_KEEPS_INPUT, /* the cells that were carried */
    .shape = shape,
    .impl = GLS_OP_PORTABLE(.setup = gls_op_keeps_positions, .pack_bytes = pack_bytes, .pack = pack, .scratch = scratch,
                            .forward = forward, .backward = backward, .forward_tangent = gls_op_lstm_forward_tangent,
                            .backward_tangent = gls_op_lstm_backward_tangent,
                            .tangent_scratch = gls_op_lstm_tangent_scratch),
    .uses = uses,
    .aux = aux,
    .work = work,
    .growth = &(const gls_op_growth){gls_op_ready_so_far, extend},
    .onnx = gls_op_lstm_onnx,
};
