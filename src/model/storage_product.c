/* Products of what is stored in bf16. The library's rows are images: an example's, or its positions. */
#include "model/storage_product.h"

gls_status gls_storage_product_setup(const gls_graph *g, gls_node *node, const gls_conv_shape *shape, bool *fits) {
    gls_dnnl_weights *weights = NULL;
    gls_conv_shape of = *shape;
    of.full_output = node == &g->node[g->output];
    bool readable = !of.full_output || !node->activation; /* backward reads what a relu has made as it is stored */
    if (g->native && !g->portable && readable)
        GLS_TRY(gls_dnnl_weights_create(g->ctx, &of, GLS_STORAGE_BF16, &weights));
    node->stored_library = weights;
    *fits = weights != NULL;
    return GLS_OK;
}

void gls_storage_product_teardown(const gls_graph *g, gls_node *node) {
    gls_dnnl_weights_destroy(g->ctx, node->stored_library);
}

int64_t gls_storage_product_pack_bytes(const gls_node *node) {
    return gls_dnnl_packed_bytes(node->stored_library);
}

gls_status gls_storage_product_pack(const gls_graph *g, const gls_node *node, const gls_real *w, void *packed) {
    return gls_dnnl_pack(node->stored_library, w + gls_layout_block(g->layout, node->block[0])->offset, packed);
}

static int64_t images(const gls_node *node, int64_t rows) {
    return rows * gls_extent_size(node->in) / gls_extent_size(gls_dnnl_shape(node->stored_library)->in);
}

int64_t gls_storage_product_scratch(const gls_node *node, int64_t rows) {
    int64_t count = images(node, rows);
    return gls_dnnl_scratch(node->stored_library, count) + gls_dnnl_added_bytes(node->stored_library, count);
}

gls_status gls_storage_product_create(gls_exec *x, int i, void **object) {
    const gls_node *node = gls_exec_node(x, i);
    gls_dnnl_conv_plan plan = {.rows = images(node, x->plan->max_rows),
                               .backward = x->plan->backward,
                               .single = (x->plan->want & (GLS_WANT_NORMS | GLS_WANT_INNER)) != 0,
                               .adds = gls_exec_adds(x, i, 0)};
    gls_dnnl_conv *conv = NULL;
    gls_status status = gls_dnnl_conv_create(x->ctx, node->stored_library, &plan, x->scratch, &conv);
    *object = conv;
    return status;
}

gls_status gls_storage_product_reserve(gls_exec *x, int i, int64_t rows) {
    return gls_dnnl_conv_reserve(x->object[i], images(gls_exec_node(x, i), rows), x->plan->backward);
}

void gls_storage_product_destroy(void *object) {
    gls_dnnl_conv_destroy(object);
}

gls_status gls_storage_product_forward(gls_exec *x, int i) {
    const gls_node *node = gls_exec_node(x, i);
    return gls_dnnl_conv_forward(x->object[i], images(node, x->rows), gls_exec_stored(x, node->input[0]), x->packed[i],
                                 gls_exec_weight(x, node->block[1]), gls_exec_stored(x, i));
}

gls_status gls_storage_product_backward(gls_exec *x, int i) {
    const gls_node *node = gls_exec_node(x, i);
    gls_exec_activation_backward(x, i);
    if (!gls_exec_wants(x, i, 0)) return GLS_OK;
    return gls_dnnl_conv_backward(x->object[i], images(node, x->rows), gls_exec_stored_grad(x, i), x->packed[i],
                                  gls_exec_stored_grad(x, node->input[0]));
}
