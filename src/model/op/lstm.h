/* What the files of lstm share: its blocks, its buffers, and where documents begin. */
#ifndef GLS_MODEL_OP_LSTM_H
#define GLS_MODEL_OP_LSTM_H

#include "model/elementary.h"
#include "model/exec.h"
#include "model/layers.h"
#include "model/op.h"

enum { GLS_OP_LSTM_GATES = 4, GLS_OP_LSTM_INPUT = 0, GLS_OP_LSTM_RECURRENT, GLS_OP_LSTM_BIAS, GLS_OP_LSTM_BLOCKS };

static inline bool gls_op_lstm_packed(const gls_node *node) {
    return ((const gls_op_lstm_options *)node->options)->packed;
}

/* With weight drop, reals of its factors [4 H, H], and of the recurrent weights that they leave. */
static inline int64_t gls_op_lstm_dropped_size(const gls_node *node) {
    const gls_op_lstm_options *o = node->options;
    return o->weight_drop > 0 ? GLS_OP_LSTM_GATES * node->out.c * node->out.c : 0;
}

/* Reals a position: the gates' gradient, and in packed rows the outputs one position before it, 0 where a document
 * begins. */
static inline int64_t gls_op_lstm_span(const gls_node *node) {
    return (GLS_OP_LSTM_GATES + gls_op_lstm_packed(node)) * node->out.c;
}

static inline gls_real *gls_op_lstm_gates_gradient(const gls_exec *x, int i) {
    return (gls_real *)gls_exec_aux(x, i) + 2 * gls_op_lstm_dropped_size(gls_exec_node(x, i));
}

static inline gls_real *gls_op_lstm_gates(const gls_exec *x, int i) {
    const gls_node *node = gls_exec_node(x, i);
    int64_t spans = x->plan->backward || gls_op_lstm_packed(node) ? x->plan->max_rows * node->out.w : 0;
    return gls_op_lstm_gates_gradient(x, i) + spans * gls_op_lstm_span(node);
}

static inline gls_real *gls_op_lstm_cells(const gls_exec *x, int i) {
    return gls_op_lstm_gates(x, i) + GLS_OP_LSTM_GATES * x->plan->max_rows * gls_extent_size(gls_exec_node(x, i)->out);
}

/* The documents of a row where its positions are the batch's, or NULL. */
static inline const int32_t *gls_op_lstm_document(const gls_exec *x, int i, int64_t row) {
    const gls_exec *of = gls_exec_values(x);
    return gls_exec_node(x, i)->out.w == of->args->rows->length ? gls_exec_document(of, row) : NULL;
}

static inline bool gls_op_lstm_pads(const gls_exec *x, int i, int64_t row, int64_t t) {
    const int32_t *document = gls_op_lstm_document(x, i, row);
    return document && document[t] < 0;
}

/* A document of a packed row begins at position t: what comes before is another's. */
static inline bool gls_op_lstm_begins(const gls_exec *x, int i, int64_t row, int64_t t) {
    const int32_t *document = gls_op_lstm_packed(gls_exec_node(x, i)) ? gls_op_lstm_document(x, i, row) : NULL;
    return document && (t == 0 || document[t] != document[t - 1]);
}

/* Hidden and cells, [2, H] a row, that come before the first position; NULL: zeros. */
static inline const gls_real *gls_op_lstm_carried(const gls_exec *x, int i) {
    return gls_exec_node(x, i)->inputs > 1 ? gls_exec_in(x, i, 1) : NULL;
}

/* The cells before position t of row r, NULL: zeros. */
static inline const gls_real *gls_op_lstm_cells_before(const gls_exec *x, int i, int64_t r, int64_t t) {
    int64_t h = gls_exec_node(x, i)->out.c;
    const gls_real *from = gls_op_lstm_carried(x, i);
    if (gls_op_lstm_begins(x, i, r, t)) return NULL;
    if (t > 0) return gls_op_lstm_cells(x, i) + (r * gls_exec_node(x, i)->out.w + t - 1) * h;
    return from ? from + (2 * r + 1) * h : NULL;
}

/* Without training none is dropped; a backward pass then reads them where training has them. */
static inline bool gls_op_lstm_drops(const gls_exec *x, int i) {
    return gls_op_lstm_dropped_size(gls_exec_node(x, i)) > 0 && (x->plan->mode == GLS_MODE_TRAIN || x->plan->backward);
}

/* The recurrent weights: those of forward, after drop, or for tangents the direction's, by the same factors. */
static inline const gls_real *gls_op_lstm_recurrent_weight(const gls_exec *x, int i) {
    const gls_node *node = gls_exec_node(x, i);
    return gls_op_lstm_drops(x, i) ? (const gls_real *)gls_exec_aux(x, i) + gls_op_lstm_dropped_size(node)
                                   : gls_exec_weight(x, node->block[GLS_OP_LSTM_RECURRENT]);
}

/* The weights that drop leaves, and its factors where they are drawn, into the aux. */
void gls_op_lstm_drop_weights(gls_exec *x, int i);
/* Position t of a row is padding: gates, cells and outputs of 0, or their tangents. */
bool gls_op_lstm_rests(const gls_exec *x, int i, int64_t row, int64_t t);
/* The outputs before position t, a row every `step` reals, NULL: zeros. Those of packed rows are put aside first. */
const gls_real *gls_op_lstm_outputs_before(const gls_exec *x, int i, int64_t t, int64_t *step);
/* Nothing goes back from position t of rows where a document begins: zeros to [H] of each. */
void gls_op_lstm_part(const gls_exec *x, int i, int64_t t, gls_real *back);

gls_status gls_op_lstm_forward_tangent(gls_exec *t, int i);
gls_status gls_op_lstm_backward_tangent(gls_exec *t, int i);
int64_t gls_op_lstm_tangent_scratch(const gls_node *node, int64_t rows);
#endif
