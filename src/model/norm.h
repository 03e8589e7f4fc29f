/* Loops of the normalisations, over one block of channels of one row: [positions, inner]. Per-channel arrays are
 * [inner]. */
#ifndef GLS_MODEL_NORM_H
#define GLS_MODEL_NORM_H

#include "model/export.h"
#include "model/op.h"

/* sum += x, square += x^2 over positions. */
void gls_norm_moments(const gls_real *x, int64_t positions, int64_t inner, double *sum, double *square);
/* y = f((x - mean) a + shift + r), f a leaky relu or the identity; r NULL: 0. */
void gls_norm_apply(gls_real *y, const gls_real *x, const gls_real *r, int64_t positions, int64_t inner,
                    const gls_real *mean, const gls_real *a, const gls_real *shift, bool relu, double slope);
/* Per-channel figures of one row, [c] each. */
typedef struct gls_norm_channels {
    gls_real *mean, *a, *shift, *c1, *c2;
} gls_norm_channels;
/* Those of channels c on. */
static inline gls_norm_channels gls_norm_channels_from(const gls_norm_channels *with, int64_t c) {
    return (gls_norm_channels){with->mean + c, with->a + c, with->shift + c, with->c1 + c, with->c2 + c};
}

/* The output's gradient e on its way back, at one block of channels of one row. */
typedef struct gls_norm_gradient {
    gls_real *e;
    const gls_real *x; /* the input */
    bool sign;         /* a (leaky) relu lies behind, of (x - mean) a + shift */
    const gls_real *y; /* the output of one, of whatever is before it; NULL: none, or sign */
    bool keeps;        /* with y: e is taken through it in place */
    gls_real *r;       /* the residual's gradient: e through the activation is written there, or added; NULL: none */
    bool adds;
    double slope;
} gls_norm_gradient;
/* In one pass: that, and total += e through the activation, moment += the same times (x - mean), over positions. */
void gls_norm_sums(const gls_norm_gradient *gradient, int64_t positions, int64_t inner, const gls_norm_channels *with,
                   double *moment, double *total);
/* dx = a e - c1 - (x - mean) c2, or added; dx may be e. With `sign` e is taken through the activation once more; y and
 * r are not read. */
void gls_norm_backward(gls_real *dx, const gls_norm_gradient *gradient, int64_t positions, int64_t inner,
                       const gls_norm_channels *with, bool adds);

/* In scratch, for c channels. */
gls_norm_channels gls_norm_room(void *scratch, int64_t c);
int64_t gls_norm_room_bytes(int64_t c);
/* mean, a = scale rstd, shift of channel k. */
void gls_norm_set(const gls_norm_channels *to, int64_t k, double mean, double rstd, const gls_real *scale,
                  const gls_real *shift);

/* Where channel k of position p lies in one row. */
static inline int64_t gls_norm_place(const gls_node *node, int64_t k, int64_t p) {
    return (k / node->inner * gls_extent_positions(node->out) + p) * node->inner + k % node->inner;
}

/* Positions of a row that count: batch norm leaves padding out, which then stands behind them, with the output 0. */
int64_t gls_norm_row_positions(const gls_exec *x, int node, int64_t row);
/* Zeros at a row's padding, of all rows' outputs or gradients; all channels of a position lie side by side there. */
void gls_norm_clear_padding(const gls_exec *x, int node, int64_t row, gls_real *of);

/* All blocks of one row. */
void gls_norm_row_moments(const gls_exec *x, int node, int64_t row, double *sum, double *square);
void gls_norm_row_forward(gls_exec *x, int node, int64_t row, const gls_norm_channels *with);
/* The start of backward for one row: takes the output's gradient through the activation, in place, and into that of the
 * residual; on an execution of tangents their tangents. */
void gls_norm_row_through(gls_exec *x, int node, int64_t row);
/* That, and the row's sums. */
void gls_norm_row_sums(gls_exec *x, int node, int64_t row, const gls_norm_channels *with, double *moment,
                       double *total);
void gls_norm_row_backward(gls_exec *x, int node, int64_t row, const gls_norm_channels *with);

/* y plus the residual, where the node has one. */
const char *gls_norm_onnx_residual(gls_export *x, int node, gls_form form, const char *y);

/* What the normalisations share as ops: inputs x and, if given, a residual that is added before the activation. */
gls_status gls_norm_shape(gls_graph *graph, gls_node *node);
gls_status gls_norm_uses(gls_graph *graph, int node);
/* Where a backward pass follows, aux begins with every row's sums, c of scale and c of shift: what that takes, those of
 * one row, and the statistics behind them. */
int64_t gls_norm_sums_bytes(const gls_node *node, int64_t rows, bool backward);
double *gls_norm_row_aux(const gls_exec *x, int node, int64_t row);
double *gls_norm_statistics(const gls_exec *x, int node);

/* What their descriptors have in common. */
#define GLS_NORM_OP(how)                                                                                    \
    .shapes = "[c, h, w], and a residual [c, h, w] that is added -> [c, h, w]",                             \
    .parameters = "weight [c] scale and shift; bias [c] scale and shift", .inputs_min = 1, .inputs_max = 2, \
    .blocks = 2, .flags = GLS_OP_KEEPS_INPUT | GLS_OP_FUSES | GLS_OP_GRAD_IN_PLACE | (how), .uses = gls_norm_uses

#endif
