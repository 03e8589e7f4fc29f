/* A stack of attention layers: normalised in front of each part or after its shortcut. */
#include "model/layer_stack.h"

#include "model/network.h"

typedef struct builder {
    gls_graph *g;
    const gls_layer_stack *o;
    int64_t layer;
} builder;

static const char *named(const builder *b, char text[128], const char *part) {
    return gls_layer_name(text, "layer%lld.%s", (long long)b->layer, part);
}

gls_status gls_layer_stack_check(gls_graph *g, const char *family, const gls_layer_stack *o) {
    if (o->alone || o->dim % o->heads == 0) return GLS_OK;
    gls_graph_fail(g, "%s: %lld heads do not divide dim %lld", family, (long long)o->heads, (long long)o->dim);
    return g->status;
}

int gls_layer_stack_norm(gls_graph *g, const gls_layer_stack *o, const char *name, int x) {
    gls_op_layer_norm_options options = {.eps = o->eps};
    return gls_graph_add(g, o->norm == GLS_LAYER_NORM_RMS ? "rms_norm" : "layer_norm", name, &options, 1, &x);
}

/* Drops, adds the shortcut, and normalises if that comes last. */
static int join(const builder *b, const char *drop, const char *add, const char *norm, int shortcut, int y) {
    char name[128];
    int both[2] = {gls_layer_dropout(b->g, named(b, name, drop), b->o->dropout, y), shortcut};
    int x = gls_graph_add(b->g, "add", named(b, name, add), NULL, 2, both);
    return b->o->order == GLS_LAYER_ORDER_POST ? gls_layer_stack_norm(b->g, b->o, named(b, name, norm), x) : x;
}

/* What a part reads. */
static int entry(const builder *b, const char *norm, int x) {
    char name[128];
    return b->o->order == GLS_LAYER_ORDER_PRE ? gls_layer_stack_norm(b->g, b->o, named(b, name, norm), x) : x;
}

static int project(const builder *b, int shortcut, int y) {
    char name[128];
    return join(b, "drop1", "add1", "norm1", shortcut, gls_layer_dense(b->g, named(b, name, "project"), b->o->dim, y));
}

static int mix(const builder *b, int x) {
    return join(b, "drop1", "add1", "norm1", x, b->o->mix(b->g, b->o, b->layer, x));
}

/* What is left of attention where every position takes its own values alone. */
static int keep_values(const builder *b, int x) {
    char name[128];
    int y = entry(b, "norm1", x);
    return project(b, x, gls_layer_dense(b->g, named(b, name, "value"), b->o->dim, y));
}

static int attend(const builder *b, int x) {
    char name[128];
    const gls_layer_stack *o = b->o;
    int64_t kv_heads = o->kv_heads ? o->kv_heads : o->heads;
    gls_op_attention_options attention = {.heads = o->heads, .kv_heads = kv_heads, .causal = o->causal};
    gls_op_rotary_options rotary = {.heads = o->heads, .kv_heads = kv_heads, .base = 1e4}; /* the op's default */
    int y = entry(b, "norm1", x);
    y = gls_layer_dense(b->g, named(b, name, "qkv"), o->dim / o->heads * (o->heads + 2 * kv_heads), y);
    if (o->rotary) y = gls_graph_add(b->g, "rotary", named(b, name, "rotary"), &rotary, 1, &y);
    y = gls_graph_add(b->g, "attention", named(b, name, "attention"), &attention, 1, &y);
    return project(b, x, y);
}

static int feed_forward(const builder *b, int x) {
    char name[128];
    const gls_layer_stack *o = b->o;
    int y = entry(b, "norm2", x);
    static const char *const act[] = {"gelu", "gate", "gate", "relu"}; /* by gls_layer_feed */
    bool gated = o->feed_forward == GLS_LAYER_FEED_GEGLU || o->feed_forward == GLS_LAYER_FEED_SWIGLU;
    int64_t hidden = o->hidden ? o->hidden : gated ? 8 * o->dim / 3 : 4 * o->dim;
    y = gls_layer_dense(b->g, named(b, name, "fc1"), gated ? 2 * hidden : hidden, y);
    gls_op_gate_options gate = {o->feed_forward == GLS_LAYER_FEED_SWIGLU ? GLS_GATE_SILU : GLS_GATE_GELU};
    y = gls_graph_add(b->g, act[o->feed_forward], named(b, name, "act"), gated ? &gate : NULL, 1, &y);
    y = gls_layer_dense(b->g, named(b, name, "fc2"), o->dim, y);
    return join(b, "drop2", "add2", "norm2", x, y);
}

int gls_layer_stack_add(gls_graph *g, const gls_layer_stack *o, int64_t depth, int x) {
    builder b = {.g = g, .o = o};
    for (b.layer = 1; b.layer <= depth; b.layer++)
        x = feed_forward(&b, o->alone ? keep_values(&b, x) : o->mix ? mix(&b, x) : attend(&b, x));
    return x;
}
