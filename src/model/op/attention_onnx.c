/* attention as an ONNX graph: heads as an axis of their own, two products and a softmax between them. Terms by distance
 * are gathered from a table of them. */
#include <math.h>

#include "model/export.h"
#include "model/op/attention.h"

typedef struct heads {
    gls_export *x;
    int node;
    const gls_op_attention_options *o;
    int64_t dim, queries, keys;
} heads;

/* `count` heads of input k from channel first dim on, as [batch, heads, w, dim]; each for `shared` heads of queries. */
static const char *take(const heads *h, const char *part, int k, int64_t first, int64_t count, int64_t shared) {
    gls_onnx *to = h->x->to;
    char name[GLS_ONNX_NAME];
    int64_t width = h->x->graph->node[h->x->graph->node[h->node].input[k]].out.w, *of = NULL;
    const char *y =
        gls_onnx_slice(to, gls_export_name(h->x, h->node, part, name),
                       gls_export_in(h->x, h->node, k, GLS_FORM_SEQUENCE), 2, first * h->dim, (first + count) * h->dim);
    y = gls_onnx_reshape(to, name, y, GLS_ONNX_EXTENTS(0, width, count, h->dim));
    y = gls_onnx_transpose(to, name, y, 4, (const int64_t[]){0, 2, 1, 3});
    if (shared == 1) return y;
    of = gls_onnx_room(to, h->o->heads, sizeof *of);
    if (!of) return "";
    for (int64_t j = 0; j < h->o->heads; j++) of[j] = j / shared;
    return gls_onnx_node(to, "Gather", name, GLS_ONNX_ARGS(y, gls_onnx_ints(to, "shared", h->o->heads, of)),
                         GLS_ONNX_WITH(GLS_ONNX_INT("axis", 1)));
}

static const char *across(const heads *h, const char *part, const char *x) {
    char name[GLS_ONNX_NAME];
    return gls_onnx_transpose(h->x->to, gls_export_name(h->x, h->node, part, name), x, 4,
                              (const int64_t[]){0, 1, 3, 2});
}

static const char *combine(const heads *h, const char *type, const char *part, const char *a, const char *b) {
    char name[GLS_ONNX_NAME];
    return gls_onnx_node(h->x->to, type, gls_export_name(h->x, h->node, part, name), GLS_ONNX_ARGS(a, b), NULL);
}

/* 0 where a position sees another one, else minus infinity: [queries, keys]. */
static const char *mask(const heads *h) {
    int64_t shape[2] = {h->queries, h->keys};
    gls_real *table = gls_onnx_room(h->x->to, h->queries * h->keys, sizeof *table);
    char name[GLS_ONNX_NAME];
    if (!table) return "";
    for (int64_t q = 0; q < h->queries; q++)
        for (int64_t k = q + h->keys - h->queries + 1; k < h->keys; k++) table[q * h->keys + k] = -INFINITY;
    return gls_onnx_reals(h->x->to, gls_export_name(h->x, h->node, "mask", name), false, 2, shape, table);
}

/* Places of the distances of all queries and keys, `step` more for each query; of keys that are not seen any. */
static const char *places(const heads *h, int64_t step) {
    int64_t count = gls_op_distance_count(h->o->causal, h->queries, h->keys);
    int64_t *table = gls_onnx_room(h->x->to, h->queries * h->keys, sizeof *table);
    char name[GLS_ONNX_NAME];
    if (!table) return "";
    for (int64_t q = 0; q < h->queries; q++)
        for (int64_t k = 0; k < h->keys; k++) {
            int64_t j = k + h->queries - 1 - q;
            table[q * h->keys + k] = q * step + (j < count ? j : count - 1);
        }
    return gls_onnx_ints(h->x->to, gls_export_name(h->x, h->node, "distances", name), h->queries * h->keys, table);
}

static const char *gather(const heads *h, const char *x, const char *of, int64_t axis) {
    char name[GLS_ONNX_NAME];
    return gls_onnx_node(h->x->to, "Gather", gls_export_name(h->x, h->node, "by_distance", name), GLS_ONNX_ARGS(x, of),
                         GLS_ONNX_WITH(GLS_ONNX_INT("axis", axis)));
}

/* [1, heads, queries, keys] from numbers [1, distances, heads]. */
static const char *numbers(const heads *h) {
    gls_onnx *to = h->x->to;
    char name[GLS_ONNX_NAME];
    const gls_node *node = &h->x->graph->node[h->node];
    const char *y = gather(h, gls_export_in(h->x, h->node, node->inputs - 1, GLS_FORM_SEQUENCE), places(h, 0), 1);
    y = gls_onnx_reshape(to, gls_export_name(h->x, h->node, "bias_by_place", name), y,
                         GLS_ONNX_EXTENTS(0, h->queries, h->keys, h->o->heads));
    return gls_onnx_transpose(to, gls_export_name(h->x, h->node, "bias", name), y, 4, (const int64_t[]){0, 3, 1, 2});
}

/* [batch, heads, queries, keys]: products of the second queries with the rows of all distances, and of these the right
 * ones. */
static const char *rows(const heads *h, const char *scale) {
    char name[GLS_ONNX_NAME];
    int last = h->x->graph->node[h->node].inputs - 1;
    int64_t count = gls_op_distance_count(h->o->causal, h->queries, h->keys), all = h->queries * count;
    const char *q = take(h, "place_queries", 0, h->o->heads, h->o->heads, 1);
    const char *r = across(h, "rows_across", take(h, "rows", last, 0, h->o->heads, 1));
    q = *scale ? combine(h, "Mul", "place_scaled", q, scale) : q;
    const char *y = combine(h, "MatMul", "place_products", q, r);
    y = gls_onnx_reshape(h->x->to, gls_export_name(h->x, h->node, "place_flat", name), y,
                         GLS_ONNX_EXTENTS(0, h->o->heads, all));
    return gls_onnx_reshape(h->x->to, gls_export_name(h->x, h->node, "place_scores", name),
                            gather(h, y, places(h, count), 2), GLS_ONNX_EXTENTS(0, h->o->heads, h->queries, h->keys));
}

/* s, minus infinity where `hidden` [batch, keys] is true. */
static const char *hide(const heads *h, const char *hidden, const char *s) {
    char name[GLS_ONNX_NAME];
    hidden = gls_onnx_reshape(h->x->to, gls_export_name(h->x, h->node, "hidden", name), hidden,
                              GLS_ONNX_EXTENTS(0, 1, 1, h->keys));
    const char *far = gls_onnx_real(h->x->to, gls_export_name(h->x, h->node, "far", name), -INFINITY);
    return gls_onnx_node(h->x->to, "Where", gls_export_name(h->x, h->node, "near", name), GLS_ONNX_ARGS(hidden, far, s),
                         NULL);
}

/* Padding is seen by nobody. */
static const char *hide_padding(const heads *h, const char *s) {
    const char *counted = h->queries == h->keys ? gls_export_counted(h->x, h->keys) : NULL;
    char name[GLS_ONNX_NAME];
    if (!counted) return s;
    return hide(
        h,
        gls_onnx_node(h->x->to, "Not", gls_export_name(h->x, h->node, "padding", name), GLS_ONNX_ARGS(counted), NULL),
        s);
}

/* Nor is the part of a memory that is not full: its first `keys - queries - remembered` positions. */
static const char *hide_memory(const heads *h, const char *s) {
    gls_onnx *to = h->x->to;
    char name[GLS_ONNX_NAME];
    int64_t all = h->keys - h->queries, *place = h->o->memory ? gls_onnx_room(to, h->keys, sizeof *place) : NULL;
    if (!place) return s;
    for (int64_t k = 0; k < h->keys; k++) place[k] = k;
    const char *length = gls_onnx_ints(to, gls_export_name(h->x, h->node, "memory", name), 1, &all);
    const char *empty = gls_onnx_node(to, "Sub", gls_export_name(h->x, h->node, "empty", name),
                                      GLS_ONNX_ARGS(length, gls_export_remembered(h->x)), NULL);
    empty = gls_onnx_reshape(to, name, empty, GLS_ONNX_EXTENTS(-1, 1));
    const char *places = gls_onnx_ints(to, gls_export_name(h->x, h->node, "places", name), h->keys, place);
    return hide(h,
                gls_onnx_node(to, "Less", gls_export_name(h->x, h->node, "forgotten", name),
                              GLS_ONNX_ARGS(places, empty), NULL),
                s);
}

static const char *scores(const heads *h, int64_t kv_first) {
    const gls_op_attention_options *o = h->o;
    char name[GLS_ONNX_NAME];
    const char *scale = "", *q = take(h, "queries", 0, 0, o->heads, 1);
    const char *k = take(h, "keys", o->cross, kv_first, o->kv_heads, o->heads / o->kv_heads);
    if (!o->unscaled)
        scale = gls_onnx_real(h->x->to, gls_export_name(h->x, h->node, "scale", name), 1 / sqrt((double)h->dim));
    q = *scale ? combine(h, "Mul", "scaled", q, scale) : q;
    const char *s = combine(h, "MatMul", "scores", q, across(h, "keys_across", k));
    if (o->relative == GLS_RELATIVE_BIAS) s = combine(h, "Add", "biased", s, numbers(h));
    if (o->relative == GLS_RELATIVE_ROWS) s = combine(h, "Add", "placed", s, rows(h, scale));
    s = hide_memory(h, hide_padding(h, s));
    return o->causal ? combine(h, "Add", "seen", s, mask(h)) : s;
}

void gls_op_attention_onnx(gls_export *x, int i) {
    const gls_node *node = &x->graph->node[i];
    const gls_op_attention_options *o = node->options;
    gls_onnx *to = x->to;
    char name[GLS_ONNX_NAME];
    heads h = {.x = x, .node = i, .o = o, .dim = node->out.c / o->heads, .queries = node->in.w, .keys = o->keys};
    int64_t first = o->cross ? 0 : o->heads;
    const char *v = take(&h, "values", o->cross, first + o->kv_heads, o->kv_heads, o->heads / o->kv_heads);
    const char *s = gls_onnx_node(to, "Softmax", gls_export_name(x, i, "shares", name),
                                  GLS_ONNX_ARGS(scores(&h, first)), GLS_ONNX_WITH(GLS_ONNX_INT("axis", -1)));
    const char *y = combine(&h, "MatMul", "heads", s, v);
    y = gls_onnx_transpose(to, gls_export_name(x, i, "by_position", name), y, 4, (const int64_t[]){0, 2, 1, 3});
    y = gls_onnx_reshape(to, node->name, y, GLS_ONNX_EXTENTS(0, h.queries, node->out.c));
    gls_export_out(x, i, GLS_FORM_SEQUENCE, y);
}
