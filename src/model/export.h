/* A network as an ONNX graph: what the ops' onnx verbs write into. */
#ifndef GLS_MODEL_EXPORT_H
#define GLS_MODEL_EXPORT_H

#include "model/graph.h"
#include "onnx/onnx.h"

/* How a node's value lies in the ONNX graph, by its extents [c, h, w] here. */
typedef enum gls_form {
    GLS_FORM_FEATURES, /* [batch, c], of one position */
    GLS_FORM_IMAGE,    /* [batch, c, h, w] */
    GLS_FORM_SEQUENCE  /* [batch, w, c], h is 1 */
} gls_form;

typedef struct gls_export {
    gls_onnx *to;
    const gls_graph *graph;
    const gls_real *w, *state;
    const char **value;            /* [nodes] names */
    gls_form *form;                /* [nodes] */
    const char *lengths, *counted; /* of padded rows: the input of their lengths, and which positions count (below) */
    const char *remembered;        /* the input of positions that came before the rows, or NULL */
} gls_export;

/* The form of input k of a node as it is, and its name in the form that is asked for. */
gls_form gls_export_form(const gls_export *x, int node, int k);
const char *gls_export_in(gls_export *x, int node, int k, gls_form form);
/* The rows themselves: the first node's value. */
static inline const char *gls_export_rows(const gls_export *x) {
    return x->value[0];
}
/* Form for an op over the channels of each position: features, or a sequence. */
gls_form gls_export_by_position(const gls_export *x, int node);
/* What a node gives; its fused activation is added. */
void gls_export_out(gls_export *x, int node, gls_form form, const char *value);
/* Of padded rows, where `positions` are theirs: bool [batch, positions], true in front of the padding; and 1 or 0,
 * [batch, positions, 1]; NULL: all count. */
const char *gls_export_counted(gls_export *x, int64_t positions);
const char *gls_export_ones(gls_export *x, int node, int64_t positions);
/* The input `remembered` [batch]: how many positions a memory has seen. */
const char *gls_export_remembered(gls_export *x);
/* Parameter i of a node as the constant of the block's name; "" where there is none. */
const char *gls_export_weight(gls_export *x, int node, int i);
/* The same data with other extents, under a name of its own. */
const char *gls_export_weight_as(gls_export *x, int node, int i, int dims, const int64_t *shape);
/* The node's name with a part behind it, for values inside of an op; text holds it. */
const char *gls_export_name(const gls_export *x, int node, const char *part, char text[GLS_ONNX_NAME]);
/* y = x weight + bias, both by channel (the last axis, or the second of an image); a node without bias has no block 1.
 */
const char *gls_export_scale_shift(gls_export *x, int node, gls_form form, const char *value);

/* Functions that ONNX has no operator for: x Phi(x), and x times the logistic function. */
const char *gls_export_gelu(gls_export *x, int node, const char *value);
const char *gls_export_silu(gls_export *x, int node, const char *value);

/* Verbs of ops in files of their own. */
void gls_op_lstm_onnx(gls_export *x, int node);
void gls_op_attention_onnx(gls_export *x, int node);

/* The network up to the loss, from `input`: [batch, shape of an example], or tokens. */
gls_status gls_export_network(gls_export *x, const char *input);

#endif
