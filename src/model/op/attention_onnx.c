/* attention as an ONNX graph: heads as an axis of their own, two products and a softmax between them. */
#include "model/export.h"
#include "model/layers.h"

#include <math.h>

typedef struct heads {
    gls_export *x;
    int node;
    const char *in;
    int64_t dim, heads, kv_heads, length;
} heads;

/* Channels from `first` on as [batch, heads, w, dim]; keys and values once for each head of queries. */
static const char *take(const heads *h, const char *part, int64_t first, int64_t count) {
    gls_onnx *to = h->x->to;
    char name[GLS_ONNX_NAME];
    const char *y = gls_onnx_slice(to, gls_export_name(h->x, h->node, part, name), h->in, 2, first * h->dim,
                                   (first + count) * h->dim);
    y = gls_onnx_reshape(to, name, y, GLS_ONNX_EXTENTS(0, h->length, count, h->dim));
    y = gls_onnx_transpose(to, name, y, 4, (const int64_t[]){0, 2, 1, 3});
    if (count == h->heads) return y;
    int64_t *shared = gls_onnx_room(to, h->heads, sizeof *shared);
    if (!shared) return "";
    for (int64_t k = 0; k < h->heads; k++) shared[k] = k / (h->heads / h->kv_heads);
    return gls_onnx_node(to, "Gather", name, GLS_ONNX_ARGS(y, gls_onnx_ints(to, "shared", h->heads, shared)),
                         GLS_ONNX_WITH(GLS_ONNX_INT("axis", 1)));
}

/* 0 where a position sees another one, else minus infinity: [w, w]. */
static const char *mask(const heads *h) {
    int64_t w = h->length, shape[2] = {w, w};
    gls_real *table = gls_onnx_room(h->x->to, w * w, sizeof *table);
    char name[GLS_ONNX_NAME];
    if (!table) return "";
    for (int64_t q = 0; q < w; q++)
        for (int64_t k = q + 1; k < w; k++) table[q * w + k] = -INFINITY;
    return gls_onnx_reals(h->x->to, gls_export_name(h->x, h->node, "mask", name), false, 2, shape, table);
}

void gls_op_attention_onnx(gls_export *x, int i) {
    const gls_node *node = &x->graph->node[i];
    const gls_op_attention_options *o = node->options;
    gls_onnx *to = x->to;
    char name[GLS_ONNX_NAME];
    heads h = {.x = x,
               .node = i,
               .in = gls_export_in(x, i, 0, GLS_FORM_SEQUENCE),
               .dim = node->out.c / o->heads,
               .heads = o->heads,
               .kv_heads = o->kv_heads,
               .length = node->in.w};
    const char *q = take(&h, "queries", 0, o->heads), *k = take(&h, "keys", o->heads, o->kv_heads),
               *v = take(&h, "values", o->heads + o->kv_heads, o->kv_heads);
    const char *scale = gls_onnx_real(to, gls_export_name(x, i, "scale", name), 1 / sqrt((double)h.dim));
    q = gls_onnx_node(to, "Mul", gls_export_name(x, i, "scaled", name), GLS_ONNX_ARGS(q, scale), NULL);
    k = gls_onnx_transpose(to, gls_export_name(x, i, "keys_across", name), k, 4, (const int64_t[]){0, 1, 3, 2});
    const char *s = gls_onnx_node(to, "MatMul", gls_export_name(x, i, "scores", name), GLS_ONNX_ARGS(q, k), NULL);
    if (o->causal) s = gls_onnx_node(to, "Add", gls_export_name(x, i, "seen", name), GLS_ONNX_ARGS(s, mask(&h)), NULL);
    s = gls_onnx_node(to, "Softmax", gls_export_name(x, i, "shares", name), GLS_ONNX_ARGS(s),
                      GLS_ONNX_WITH(GLS_ONNX_INT("axis", -1)));
    const char *y = gls_onnx_node(to, "MatMul", gls_export_name(x, i, "heads", name), GLS_ONNX_ARGS(s, v), NULL);
    y = gls_onnx_transpose(to, gls_export_name(x, i, "by_position", name), y, 4, (const int64_t[]){0, 2, 1, 3});
    y = gls_onnx_reshape(to, node->name, y, GLS_ONNX_EXTENTS(0, h.length, node->out.c));
    gls_export_out(x, i, GLS_FORM_SEQUENCE, y);
}
