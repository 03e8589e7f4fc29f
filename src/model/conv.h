/* A 2-D convolution's shape, and the portable way to compute it: every row's patches as a matrix, then products. */
#ifndef GLS_MODEL_CONV_H
#define GLS_MODEL_CONV_H

#include "model/graph.h"

/* Weights are [out.c, in.c / groups, kernel, kernel]; activations are laid out as [c / inner, h w, inner]. */
typedef struct gls_conv_shape {
    gls_extent in, out;
    int64_t in_inner, out_inner;
    int64_t kernel, stride, pad, groups;
    bool bias, relu;     /* of the forward product; relu with slope */
    bool input_gradient; /* the input has one */
    double slope;
    bool matrix;      /* of images of one pixel, as the library's own kind of layer: a product with [out.c, in.c] */
    bool transposed;  /* that matrix is stored as [in.c, out.c] */
    bool full_output; /* the output is one of gls_real, however its gradient is stored */
} gls_conv_shape;

gls_conv_shape gls_conv_shape_of(const gls_node *node);
static inline int64_t gls_conv_patch(const gls_conv_shape *s) {
    return s->in.c / s->groups * s->kernel * s->kernel;
}
static inline int64_t gls_conv_weights(const gls_conv_shape *s) {
    return s->out.c * gls_conv_patch(s);
}

/* Reals of scratch that each of the calls below needs. */
int64_t gls_conv_scratch(const gls_conv_shape *s);
/* One row: y = conv(x, w) without bias. */
void gls_conv_forward(bool portable, const gls_conv_shape *s, const gls_real *x, const gls_real *w, gls_real *y,
                      gls_real *scratch);
/* One row: dx += the gradient with respect to x, given that of y. */
void gls_conv_backward(bool portable, const gls_conv_shape *s, const gls_real *e, const gls_real *w, gls_real *dx,
                       gls_real *scratch);
/* One row: dw += the gradient with respect to w. */
void gls_conv_weights_add(bool portable, const gls_conv_shape *s, const gls_real *x, const gls_real *e, gls_real *dw,
                          gls_real *scratch);

#endif
