/* Products of what is stored in bf16. The library's rows are images: an example's, or its positions. */
#include "model/storage_product.h"

#include "base/arith.h"
#include "model/storage.h"

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

static bool adds(const gls_exec *x, int i) {
    return x->plan->backward && gls_exec_wants(x, i, 0) && gls_exec_adds(x, i, 0);
}

/* Images of an input gradient that is to be added: so many that they are still in cache when they are. */
static int64_t at_once(const gls_node *node, int64_t count) {
    enum { REALS = 1 << 15 };
    int64_t fit = REALS / gls_extent_size(gls_dnnl_shape(node->stored_library)->in);
    return fit < 1 ? 1 : gls_least(fit, count);
}

/* The library's own, then an input gradient to be added. */
int64_t gls_storage_product_scratch(const gls_node *node, int64_t rows) {
    int64_t count = images(node, rows), in = gls_extent_size(gls_dnnl_shape(node->stored_library)->in);
    return gls_dnnl_scratch(node->stored_library, count) + at_once(node, count) * in * (int64_t)sizeof(gls_real);
}

gls_status gls_storage_product_create(gls_exec *x, int i, void **object) {
    const gls_node *node = gls_exec_node(x, i);
    gls_dnnl_conv_plan plan = {.rows = images(node, x->plan->max_rows),
                               .backward = x->plan->backward,
                               .single = (x->plan->want & (GLS_WANT_NORMS | GLS_WANT_INNER)) != 0,
                               .adds = adds(x, i)};
    gls_dnnl_conv *conv = NULL;
    gls_status status = gls_dnnl_conv_create(x->ctx, node->stored_library, &plan, x->scratch, &conv);
    *object = conv;
    return status;
}

/* An input gradient that is added comes in pieces, and in a rest of them. */
gls_status gls_storage_product_reserve(gls_exec *x, int i, int64_t rows) {
    const gls_node *node = gls_exec_node(x, i);
    bool back = x->plan->backward;
    int64_t count = images(node, rows), each = adds(x, i) ? at_once(node, count) : count;
    GLS_TRY(gls_dnnl_conv_reserve(x->object[i], count, back ? each : 0, back));
    return count % each ? gls_dnnl_conv_reserve(x->object[i], count, count % each, back) : GLS_OK;
}

void gls_storage_product_destroy(void *object) {
    gls_dnnl_conv_destroy(object);
}

gls_status gls_storage_product_forward(gls_exec *x, int i) {
    const gls_node *node = gls_exec_node(x, i);
    return gls_dnnl_conv_forward(x->object[i], images(node, x->rows), gls_exec_stored(x, node->input[0]), x->packed[i],
                                 gls_exec_weight(x, node->block[1]), gls_exec_stored(x, i));
}

/* An input gradient that is added comes as floats, so that the sum is rounded once. */
gls_status gls_storage_product_backward(gls_exec *x, int i) {
    const gls_node *node = gls_exec_node(x, i);
    const gls_conv_shape *shape = gls_dnnl_shape(node->stored_library);
    gls_exec_activation_backward(x, i);
    if (!gls_exec_wants(x, i, 0)) return GLS_OK;
    uint16_t *dx = gls_exec_stored_grad(x, node->input[0]), *e = gls_exec_stored_grad(x, i);
    int64_t count = images(node, x->rows), in = gls_extent_size(shape->in), out = gls_extent_size(shape->out);
    if (!adds(x, i)) return gls_dnnl_conv_backward(x->object[i], count, e, x->packed[i], dx);
    gls_real *part = (gls_real *)((char *)x->scratch + gls_dnnl_conv_scratch(x->object[i]));
    int64_t each = at_once(node, count);
    for (int64_t r = 0; r < count; r += each) {
        int64_t n = gls_least(count - r, each);
        GLS_TRY(gls_dnnl_conv_backward(x->object[i], n, e + r * out, x->packed[i], part));
        gls_storage_add(dx + r * in, part, n * in);
    }
    return GLS_OK;
}
