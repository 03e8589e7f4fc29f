/* Convolutions by oneDNN 2.6 or 3, behind one face: dnnl.c is the one file that calls the library's primitives,
 * dnnl_form.c says what a layer is in its terms, and dnnl_api.h what differs between its versions. In float, or with
 * operands in bf16 and sums in float; where there is no library, dnnl_none.c declines every layer.
 *
 * Every object is created and used by one thread at a time, under an OpenMP thread count of 1: a backward-weights
 * primitive made for a team hangs inside a parallel region. */
#ifndef GLS_MODEL_DNNL_H
#define GLS_MODEL_DNNL_H

#include "model/conv.h"
#include "model/plan.h"

/* Channels kept together for the library's fast kernels on this processor; 0: there is no library. */
int64_t gls_dnnl_channels(void);

/* A layer's weights in the library's layouts, forward and backward: made once for each graph and storage of
 * activations, which is that of the packed weights too. */
typedef struct gls_dnnl_weights gls_dnnl_weights;
/* *out is NULL if the library has no fast way for this shape, or the processor none for this storage. */
gls_status gls_dnnl_weights_create(gls_context *ctx, const gls_conv_shape *shape, gls_storage storage,
                                   gls_dnnl_weights **out);
void gls_dnnl_weights_destroy(gls_context *ctx, gls_dnnl_weights *weights);
const gls_conv_shape *gls_dnnl_shape(const gls_dnnl_weights *weights);
int64_t gls_dnnl_packed_bytes(const gls_dnnl_weights *weights);
/* Bytes of scratch for calls with that many rows. */
int64_t gls_dnnl_scratch(const gls_dnnl_weights *weights, int64_t rows);
/* And behind them, where the input's gradient is added. */
int64_t gls_dnnl_added_bytes(const gls_dnnl_weights *weights, int64_t rows);
gls_status gls_dnnl_pack(gls_dnnl_weights *weights, const gls_real *w, void *packed);

/* One evaluation's primitives for a layer; those for another number of rows are made when they are reserved, or at the
 * first call, and kept. */
typedef struct gls_dnnl_conv gls_dnnl_conv;
typedef struct gls_dnnl_conv_plan {
    int64_t rows;
    bool backward;
    bool single; /* weight gradients of single rows will be asked */
    bool linear; /* forward without bias and activation */
    bool adds;   /* the input's gradient is added to what is there, in pieces that stay in cache */
} gls_dnnl_conv_plan;
/* scratch: gls_dnnl_scratch(rows) bytes, with `adds` gls_dnnl_added_bytes(rows) more, borrowed. */
gls_status gls_dnnl_conv_create(gls_context *ctx, const gls_dnnl_weights *weights, const gls_dnnl_conv_plan *plan,
                                void *scratch, gls_dnnl_conv **out);
/* The primitives for another number of rows. */
gls_status gls_dnnl_conv_reserve(gls_dnnl_conv *conv, int64_t rows, bool backward);
void gls_dnnl_conv_destroy(gls_dnnl_conv *conv);
int64_t gls_dnnl_conv_scratch(const gls_dnnl_conv *conv); /* gls_dnnl_scratch of what it was made with */
gls_status gls_dnnl_conv_forward(gls_dnnl_conv *conv, int64_t rows, const void *x, const void *packed,
                                 const gls_real *bias, void *y);
/* dx, in the weights' storage, is written or added to; a sum in bf16 is rounded once. */
gls_status gls_dnnl_conv_backward(gls_dnnl_conv *conv, int64_t rows, const void *e, const void *packed, void *dx);
/* own is written, in the library's layout: gls_dnnl_own_size reals, padding is zero. */
gls_status gls_dnnl_conv_weights(gls_dnnl_conv *conv, int64_t rows, const void *x, const void *e, gls_real *own);
int64_t gls_dnnl_own_size(const gls_dnnl_weights *weights);
/* From the library's layout to [out.c, in.c / groups, kernel, kernel]. */
gls_status gls_dnnl_conv_plain(gls_dnnl_conv *conv, const gls_real *own, gls_real *plain);

#endif
