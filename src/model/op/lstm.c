/* lstm: long short-term memory over a whole sequence, from a zero state or from what its second input, a `carry`, has.
 * Gates and weights are in PyTorch's order: input, forget, new, output. The recurrent product is a matrix use of y one
 * position before and of the gates' gradient. */
#include <string.h>

#include "base/gemm.h"
#include "base/kernels.h"
#include "model/elementary.h"
#include "model/layers.h"
#include "model/op.h"
#include "model/op/carry.h"
#include "model/use.h"

static const gls_option options[] = {
    GLS_INT("units", gls_op_lstm_options, units, NULL, 1, 1e6, "number of outputs", .flags = GLS_OPTION_REQUIRED),
    GLS_BOOL("bias", gls_op_lstm_options, bias, "true", "add a bias to the gates"),
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

/* With a backward pass the gates' gradient [rows, T, 4 H]; then the gates, and the cells [rows, T, H]. */
static int64_t aux(const gls_node *node, int64_t rows, bool backward) {
    return rows * gls_extent_size(node->out) * ((backward ? 2 : 1) * GATES + 1) * (int64_t)sizeof(gls_real);
}

static gls_real *gates_of(const gls_exec *x, int i) {
    int64_t size = x->plan->max_rows * gls_extent_size(gls_exec_node(x, i)->out);
    return (gls_real *)gls_exec_aux(x, i) + (x->plan->backward ? GATES * size : 0);
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
                            .stride = width,
                            .row_stride = steps * width}};
    GLS_TRY(gls_graph_use(g, use));
    use.block = node->block[RECURRENT_WEIGHT];
    use.input = gls_view_value(g, i);
    use.input.lag = 1;
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

/* ---- forward ---- */

static gls_real sigmoid(gls_real z) {
    return 1 / (1 + gls_elementary_exp(-z));
}

/* One position of one row: z [4, H] becomes the gates. before: the cells one position before, or NULL. */
GLS_SIMD static void step(gls_real *z, const gls_real *bias, const gls_real *before, int64_t h, gls_real *cell,
                          gls_real *y) {
    for (int64_t k = 0; bias && k < GATES * h; k++) z[k] += bias[k];
    for (int64_t k = 0; k < 2 * h; k++) z[k] = sigmoid(z[k]);
    for (int64_t k = 2 * h; k < 3 * h; k++) z[k] = gls_elementary_tanh(z[k]);
    for (int64_t k = 3 * h; k < 4 * h; k++) z[k] = sigmoid(z[k]);
    for (int64_t k = 0; k < h; k++) {
        gls_real new = z[k] * z[2 * h + k];
        cell[k] = before ? z[h + k] * before[k] + new : new;
        y[k] = z[3 * h + k] * gls_elementary_tanh(cell[k]);
    }
}

static gls_status forward(gls_exec *x, int i) {
    const gls_node *node = gls_exec_node(x, i);
    int64_t h = node->out.c, c = node->in.c, steps = node->out.w, width = GATES * h;
    const gls_real *w = gls_exec_weight(x, node->block[INPUT_WEIGHT]);
    const gls_real *u = gls_exec_weight(x, node->block[RECURRENT_WEIGHT]),
                   *bias = gls_exec_weight(x, node->block[BIAS]);
    gls_real *gates = gates_of(x, i), *cell = cells_of(x, i), *y = gls_exec_value(x, i);
    gls_gemm(x->graph->portable, false, true, x->rows * steps, width, c, 1, gls_exec_in(x, i, 0), c, w, c, 0, gates,
             width);
    for (int64_t t = 0; t < steps; t++) {
        const gls_real *before = t > 0 ? y + (t - 1) * h : carried(x, i);
        if (before)
            gls_gemm(x->graph->portable, false, true, x->rows, width, h, 1, before, t > 0 ? steps * h : 2 * h, u, h, 1,
                     gates + t * width, steps * width);
        for (int64_t r = 0; r < x->rows; r++) {
            int64_t at = r * steps + t;
            step(gates + at * width, bias, cells_before(x, i, r, t), h, cell + at * h, y + at * h);
        }
    }
    for (int64_t r = 0; carried(x, i) && r < x->rows; r++) {
        int64_t last = (r * steps + steps - 1) * h;
        gls_op_carry_leave(x, node->input[1], r, y + last, cell + last);
    }
    return GLS_OK;
}

/* ---- backward ---- */

/* What comes from the position after, [rows, H] each: the gradients of y and of the cells. */
static int64_t scratch(const gls_node *node, int64_t rows) {
    return 2 * rows * node->out.c * (int64_t)sizeof(gls_real);
}

/* One position of one row: dz [4, H] is made, dc turned into that of the position before. */
GLS_SIMD static void step_backward(const gls_real *e, const gls_real *dh, const gls_real *z, const gls_real *cell,
                                   const gls_real *before, int64_t h, gls_real *dz, gls_real *dc) {
    for (int64_t k = 0; k < h; k++) {
        gls_real in = z[k], forget = z[h + k], new = z[2 * h + k], out = z[3 * h + k];
        gls_real y = gls_elementary_tanh(cell[k]), d = e[k] + dh[k], inside = dc[k] + d * out * (1 - y * y);
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
    const gls_real *gates = gates_of(x, i), *cell = cells_of(x, i), *e = gls_exec_grad(x, i);
    gls_real *dz = gls_exec_aux(x, i), *dh = x->scratch, *dc = dh + x->rows * h;
    gls_fill(dh, 0, 2 * x->rows * h);
    for (int64_t t = steps - 1; t >= 0; t--) {
        for (int64_t r = 0; r < x->rows; r++) {
            int64_t at = r * steps + t;
            step_backward(e + at * h, dh + r * h, gates + at * width, cell + at * h, cells_before(x, i, r, t), h,
                          dz + at * width, dc + r * h);
        }
        if (t > 0)
            gls_gemm(x->graph->portable, false, false, x->rows, h, width, 1, dz + t * width, steps * width,
                     gls_exec_weight(x, node->block[RECURRENT_WEIGHT]), h, 0, dh, h);
    }
    if (gls_exec_wants(x, i, 0))
        gls_gemm(x->graph->portable, false, false, x->rows * steps, c, width, 1, dz, width,
                 gls_exec_weight(x, node->block[INPUT_WEIGHT]), c, gls_exec_adds(x, i, 0) ? 1 : 0,
                 gls_exec_in_grad(x, i, 0), c);
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
               "s(o) tanh(c_t), s the sigmoid; y and c begin at 0, or as a carry has them",
    .shapes = "[features, 1, w] -> [units, 1, w]",
    .parameters = "weight_ih [4 units, features] matrix product; weight_hh [4 units, units] matrix product; bias [4 "
                  "units] scale and shift",
    .blocks = BLOCKS,
    .inputs_min = 1,
    .inputs_max = 2,
    .flags = GLS_OP_OWN_LAYOUT,
    .shape = shape,
    .impl =
        GLS_OP_PORTABLE(.setup = gls_op_keeps_positions, .scratch = scratch, .forward = forward, .backward = backward),
    .uses = uses,
    .aux = aux,
    .work = work,
};
