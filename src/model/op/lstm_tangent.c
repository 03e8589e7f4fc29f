/* Tangents of lstm: its values' and its gradients' derivatives along a direction of the parameters. */
#include "base/gemm.h"
#include "base/kernels.h"
#include "model/op/lstm.h"

/* One position of one row: gates [4, H], cells, and those before; and of the tangents the same. */
typedef struct place {
    const gls_real *z, *cell, *before, *before_dot;
    gls_real *z_dot, *cell_dot;
    int64_t at;
} place;

static place place_of(const gls_exec *t, int i, int64_t row, int64_t time) {
    const gls_exec *x = gls_exec_primal(t);
    int64_t h = gls_exec_node(t, i)->out.c, at = (row * gls_exec_node(t, i)->out.w + time) * h;
    const gls_real *cell = gls_op_lstm_cells(x, i) + at;
    gls_real *cell_dot = gls_op_lstm_cells(t, i) + at;
    return (place){.z = gls_op_lstm_gates(x, i) + GLS_OP_LSTM_GATES * at,
                   .cell = cell,
                   .before = gls_op_lstm_cells_before(x, i, row, time),
                   .before_dot = gls_op_lstm_cells_before(t, i, row, time),
                   .z_dot = gls_op_lstm_gates(t, i) + GLS_OP_LSTM_GATES * at,
                   .cell_dot = cell_dot,
                   .at = at};
}

/* What goes into the gates becomes the gates. */
GLS_SIMD static void step_tangent(const place *of, const gls_real *bias, int64_t h, gls_real *y) {
    gls_real *v = of->z_dot;
    const gls_real *z = of->z;
    for (int64_t k = 0; bias && k < GLS_OP_LSTM_GATES * h; k++) v[k] += bias[k];
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
    int64_t block = gls_exec_node(t, i)->block[GLS_OP_LSTM_INPUT];
    return (pair){gls_exec_weight(gls_exec_primal(t), block), gls_exec_weight(t, block)};
}

static pair recurrent_weights(const gls_exec *t, int i) {
    return (pair){gls_op_lstm_recurrent_weight(gls_exec_primal(t), i), gls_op_lstm_recurrent_weight(t, i)};
}

/* to [rows, n] = the tangent of in [rows, k] times w or its transpose, or that added. */
static void product_tangent(const gls_exec *t, pair w, bool transposed, int64_t rows, int64_t n, int64_t k, pair in,
                            int64_t step, bool adds, gls_real *to, int64_t to_step) {
    bool portable = t->graph->portable;
    int64_t wide = transposed ? k : n;
    gls_gemm(portable, false, transposed, rows, n, k, 1, in.value, step, w.dot, wide, adds, to, to_step);
    gls_gemm(portable, false, transposed, rows, n, k, 1, in.dot, step, w.value, wide, 1, to, to_step);
}

gls_status gls_op_lstm_forward_tangent(gls_exec *t, int i) {
    const gls_exec *x = gls_exec_primal(t);
    const gls_node *node = gls_exec_node(t, i);
    int64_t h = node->out.c, c = node->in.c, steps = node->out.w, width = GLS_OP_LSTM_GATES * h;
    gls_real *gates = gls_op_lstm_gates(t, i), *y = gls_exec_value(t, i);
    gls_op_lstm_drop_weights(t, i);
    product_tangent(t, input_weights(t, i), true, t->rows * steps, width, c,
                    (pair){gls_exec_in(x, i, 0), gls_exec_in(t, i, 0)}, c, false, gates, width);
    for (int64_t time = 0; time < steps; time++) {
        int64_t apart;
        pair before = {gls_op_lstm_outputs_before(x, i, time, &apart), gls_op_lstm_outputs_before(t, i, time, &apart)};
        if (before.value)
            product_tangent(t, recurrent_weights(t, i), true, t->rows, width, h, before, apart, true,
                            gates + time * width, steps * width);
        for (int64_t r = 0; r < t->rows; r++) {
            place of = place_of(t, i, r, time);
            if (!gls_op_lstm_rests(t, i, r, time))
                step_tangent(&of, gls_exec_weight(t, node->block[GLS_OP_LSTM_BIAS]), h, y + of.at);
        }
    }
    return GLS_OK;
}

/* What comes from the position after, [rows, H] each: the gradient of the cells, and the tangents of that and of y's.
 */
typedef struct after {
    gls_real *dc, *dc_dot, *dh_dot;
} after;

int64_t gls_op_lstm_tangent_scratch(const gls_node *node, int64_t rows) {
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

gls_status gls_op_lstm_backward_tangent(gls_exec *t, int i) {
    const gls_exec *x = gls_exec_primal(t);
    const gls_node *node = gls_exec_node(t, i);
    int64_t h = node->out.c, c = node->in.c, steps = node->out.w, width = GLS_OP_LSTM_GATES * h, size = t->rows * h,
            span = gls_op_lstm_span(node);
    const gls_real *dz = gls_op_lstm_gates_gradient(x, i);
    gls_real *dz_dot = gls_op_lstm_gates_gradient(t, i), *room = t->scratch;
    gls_fill(room, 0, 3 * size);
    for (int64_t time = steps - 1; time >= 0; time--) {
        for (int64_t r = 0; r < t->rows; r++) {
            place of = place_of(t, i, r, time);
            after from = {room + r * h, room + size + r * h, room + 2 * size + r * h};
            if (gls_op_lstm_pads(t, i, r, time))
                gls_fill(dz_dot + of.at / h * span, 0, width);
            else
                step_backward_tangent(&of, from, gls_exec_grad(x, i) + of.at, gls_exec_grad(t, i) + of.at, h,
                                      dz_dot + of.at / h * span);
        }
        if (time > 0)
            product_tangent(t, recurrent_weights(t, i), false, t->rows, h, width,
                            (pair){dz + time * span, dz_dot + time * span}, steps * span, false, room + 2 * size, h);
        for (int k = 0; k < 3; k++) gls_op_lstm_part(t, i, time, room + k * size);
    }
    if (gls_exec_wants(t, i, 0))
        product_tangent(t, input_weights(t, i), false, t->rows * steps, c, width, (pair){dz, dz_dot}, span,
                        gls_exec_adds(t, i, 0), gls_exec_in_grad(t, i, 0), c);
    return GLS_OK;
}
