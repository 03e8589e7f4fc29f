/* Products by the library of what is stored in bf16: convolutions, and matrix products at every position, which are
 * convolutions of images of one pixel. Verbs of a gls_op_impl, whose setup leaves gls_dnnl_weights in
 * node->stored_library. */
#ifndef GLS_MODEL_STORAGE_PRODUCT_H
#define GLS_MODEL_STORAGE_PRODUCT_H

#include "model/dnnl.h"
#include "model/op.h"

/* For setup: *fits where the products of this shape are the processor's. */
gls_status gls_storage_product_setup(const gls_graph *graph, gls_node *node, const gls_conv_shape *shape, bool *fits);
void gls_storage_product_teardown(const gls_graph *graph, gls_node *node);
int64_t gls_storage_product_pack_bytes(const gls_node *node);
gls_status gls_storage_product_pack(const gls_graph *graph, const gls_node *node, const gls_real *w, void *packed);
gls_status gls_storage_product_create(gls_exec *x, int node, void **object);
gls_status gls_storage_product_reserve(gls_exec *x, int node, int64_t rows);
void gls_storage_product_destroy(void *object);
int64_t gls_storage_product_scratch(const gls_node *node, int64_t rows);
gls_status gls_storage_product_forward(gls_exec *x, int node);
gls_status gls_storage_product_backward(gls_exec *x, int node);

#define GLS_STORAGE_PRODUCT                                                                                      \
    .full_output = true, .teardown = gls_storage_product_teardown, .pack_bytes = gls_storage_product_pack_bytes, \
    .pack = gls_storage_product_pack, .object_create = gls_storage_product_create,                               \
    .object_reserve = gls_storage_product_reserve, .object_destroy = gls_storage_product_destroy,                \
    .scratch = gls_storage_product_scratch, .forward = gls_storage_product_forward,                              \
    .backward = gls_storage_product_backward

#endif
