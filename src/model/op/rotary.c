/* rotary: turns queries and keys by angles that grow with the position, so that their products depend on distances.
 * Halves of a head make the pairs. The input is that of attention: queries, keys, values side by side. */
#include <math.h>

#include "model/export.h"
#include "model/layers.h"
#include "model/op.h"

static const gls_option options[] = {
    GLS_INT("heads", gls_op_rotary_options, heads, "1", 1, 1e6, "heads of queries"),
    GLS_INT("kv_heads", gls_op_rotary_options, kv_heads, "0", 0, 1e6, "heads of keys and values; 0: as many as heads"),
    GLS_REAL("base", gls_op_rotary_options, base, "10000", 1, 1e12, "the slowest pair's period over 2 pi, about"),
    {0},
};

static gls_status shape(gls_graph *g, gls_node *node) {
    gls_op_rotary_options *o = node->options;
    if (o->kv_heads == 0) o->kv_heads = o->heads;
    int64_t pairs = 2 * (o->heads + 2 * o->kv_heads);
    GLS_TRY(gls_op_takes_positions(g, node));
    if (node->in.c % pairs != 0)
        return gls_node_fail(g, node, "takes heads of an even length, a multiple of %lld channels, got %lld",
                             (long long)pairs, (long long)node->in.c);
    node->out = node->in;
    return GLS_OK;
}

/* One position's channels, turned by direction times its angles. */
static void turn(const gls_node *node, int64_t t, int direction, const gls_real *from, gls_real *to, bool adds) {
    const gls_op_rotary_options *o = node->options;
    int64_t dim = node->in.c / (o->heads + 2 * o->kv_heads), half = dim / 2, turned = (o->heads + o->kv_heads) * dim;
    for (int64_t k = 0; k < half; k++) {
        double angle = (double)(direction * t) * pow(o->base, -(double)k / (double)half);
        gls_real c = (gls_real)cos(angle), s = (gls_real)sin(angle);
        for (int64_t at = k; at < turned; at += dim) {
            gls_real a = from[at], b = from[at + half];
            to[at] = (adds ? to[at] : 0) + c * a - s * b;
            to[at + half] = (adds ? to[at + half] : 0) + s * a + c * b;
        }
    }
    for (int64_t at = turned; at < node->in.c; at++) to[at] = (adds ? to[at] : 0) + from[at];
}

/* Positions [first, end) of every row. */
static void turn_all(const gls_exec *x, int i, int direction, int64_t first, int64_t end, const gls_real *from,
                     gls_real *to, bool adds) {
    const gls_node *node = gls_exec_node(x, i);
    int64_t c = node->in.c;
    for (int64_t p = 0, place = 0; p < x->rows * node->in.w; p++) {
        int64_t t = p % node->in.w;
        place = gls_exec_place(gls_exec_document(x, p / node->in.w), t, place);
        if (t >= first && t < end) turn(node, place, direction, from + p * c, to + p * c, adds);
    }
}

static gls_status extend(gls_exec *x, int i, int64_t from, int64_t to) {
    turn_all(x, i, 1, from, to, gls_exec_in(x, i, 0), gls_exec_value(x, i), false);
    return GLS_OK;
}

static gls_status forward(gls_exec *x, int i) {
    return extend(x, i, 0, gls_exec_node(x, i)->in.w);
}

static gls_status backward(gls_exec *x, int i) {
    if (!gls_exec_wants(x, i, 0)) return GLS_OK;
    turn_all(x, i, -1, 0, gls_exec_node(x, i)->in.w, gls_exec_grad(x, i), gls_exec_in_grad(x, i, 0),
             gls_exec_adds(x, i, 0));
    return GLS_OK;
}

/* Every channel's own factor, its partner in the pair and the partner's factor: y = x cos + partner sin. */
static void tables(const gls_node *node, gls_real *cosine, gls_real *sine, int64_t *partner) {
    const gls_op_rotary_options *o = node->options;
    int64_t c = node->in.c, dim = c / (o->heads + 2 * o->kv_heads), half = dim / 2,
            turned = (o->heads + o->kv_heads) * dim;
    for (int64_t at = 0; at < c; at++) {
        int64_t k = at % dim % half;
        bool second = at % dim >= half;
        partner[at] = second ? at - half : at + half < c ? at + half : at;
        for (int64_t t = 0; t < node->in.w; t++) {
            double angle = at < turned ? (double)t * pow(o->base, -(double)k / (double)half) : 0;
            cosine[t * c + at] = (gls_real)cos(angle);
            sine[t * c + at] = (gls_real)(second ? sin(angle) : -sin(angle));
        }
    }
}

static void onnx(gls_export *x, int i) {
    const gls_node *node = &x->graph->node[i];
    int64_t size = gls_extent_size(node->out), shape[2] = {node->in.w, node->in.c};
    char name[GLS_ONNX_NAME];
    gls_real *table = gls_onnx_room(x->to, 2 * size, sizeof *table);
    int64_t *partner = gls_onnx_room(x->to, node->in.c, sizeof *partner);
    if (!table || !partner) return;
    tables(node, table, table + size, partner);
    const char *in = gls_export_in(x, i, 0, GLS_FORM_SEQUENCE);
    const char *cosine = gls_onnx_reals(x->to, gls_export_name(x, i, "cos", name), false, 2, shape, table);
    const char *sine = gls_onnx_reals(x->to, gls_export_name(x, i, "sin", name), false, 2, shape, table + size);
    const char *order = gls_onnx_ints(x->to, gls_export_name(x, i, "partner", name), node->in.c, partner);
    const char *a = gls_onnx_node(x->to, "Mul", gls_export_name(x, i, "own", name), GLS_ONNX_ARGS(in, cosine), NULL);
    const char *b = gls_onnx_node(x->to, "Gather", gls_export_name(x, i, "other", name), GLS_ONNX_ARGS(in, order),
                                  GLS_ONNX_WITH(GLS_ONNX_INT("axis", 2)));
    b = gls_onnx_node(x->to, "Mul", gls_export_name(x, i, "turned", name), GLS_ONNX_ARGS(b, sine), NULL);
    gls_export_out(x, i, GLS_FORM_SEQUENCE, gls_onnx_node(x->to, "Add", node->name, GLS_ONNX_ARGS(a, b), NULL));
}

const gls_op gls_op_rotary = {
    .member = {.name = "rotary",
               .help = "turns queries and keys by their position, in front of attention",
               .source = "Su et al. 2021",
               .options = options,
               .options_size = sizeof(gls_op_rotary_options)},
    .formula = "per head of queries and keys (y_k, y_{k+dim/2}) = (x_k, x_{k+dim/2}) turned by t base^(-2 k / dim)",
    .shapes = "[(heads + 2 kv_heads) dim, 1, w] -> the same",
    .parameters = "",
    GLS_OP_ONE_INPUT,
    .flags = GLS_OP_OWN_LAYOUT | GLS_OP_LINEAR,
    .shape = shape,
    .impl = GLS_OP_PORTABLE(.setup = gls_op_keeps_positions, .forward = forward, .backward = backward),
    .growth = &(const gls_op_growth){gls_op_ready_so_far, extend},
    .onnx = onnx,
};
