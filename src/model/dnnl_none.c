/* Without oneDNN, and in double precision, which it does not have: every layer is declined. */
#include "model/dnnl.h"

#if !defined(GLS_HAVE_DNNL) || defined(GLS_DOUBLE)

#pragma GCC diagnostic ignored "-Wunused-parameter" /* who declines reads nothing */

int64_t gls_dnnl_channels(void) {
    return 0;
}

gls_status gls_dnnl_weights_create(gls_context *ctx, const gls_conv_shape *shape, gls_storage storage,
                                   gls_dnnl_weights **out) {
    *out = NULL;
    return GLS_OK;
}

void gls_dnnl_weights_destroy(gls_context *ctx, gls_dnnl_weights *weights) {}

const gls_conv_shape *gls_dnnl_shape(const gls_dnnl_weights *weights) {
    return NULL;
}

int64_t gls_dnnl_packed_bytes(const gls_dnnl_weights *weights) {
    return 0;
}

int64_t gls_dnnl_scratch(const gls_dnnl_weights *weights, int64_t rows) {
    return 0;
}

int64_t gls_dnnl_added_bytes(const gls_dnnl_weights *weights, int64_t rows) {
    return 0;
}

/* No layer has weights to make these of. */
static gls_status never(void) {
    return GLS_ERR_INTERNAL;
}

gls_status gls_dnnl_pack(gls_dnnl_weights *weights, const gls_real *w, void *packed) {
    return never();
}

gls_status gls_dnnl_conv_create(gls_context *ctx, const gls_dnnl_weights *weights, const gls_dnnl_conv_plan *plan,
                                void *scratch, gls_dnnl_conv **out) {
    *out = NULL;
    return never();
}

gls_status gls_dnnl_conv_reserve(gls_dnnl_conv *conv, int64_t rows, bool backward) {
    return never();
}

void gls_dnnl_conv_destroy(gls_dnnl_conv *conv) {}

int64_t gls_dnnl_conv_scratch(const gls_dnnl_conv *conv) {
    return 0;
}

gls_status gls_dnnl_conv_forward(gls_dnnl_conv *conv, int64_t rows, const void *x, const void *packed,
                                 const gls_real *bias, void *y) {
    return never();
}

gls_status gls_dnnl_conv_backward(gls_dnnl_conv *conv, int64_t rows, const void *e, const void *packed, void *dx) {
    return never();
}

gls_status gls_dnnl_conv_weights(gls_dnnl_conv *conv, int64_t rows, const void *x, const void *e, gls_real *own) {
    return never();
}

int64_t gls_dnnl_own_size(const gls_dnnl_weights *weights) {
    return 0;
}

gls_status gls_dnnl_conv_plain(gls_dnnl_conv *conv, const gls_real *own, gls_real *plain) {
    return never();
}
#else
typedef int with_dnnl; /* a translation unit is never empty */
#endif
