/* Building a network's graph, and what follows when it is complete: activations fused into their producers, a layout
 * for every node, an implementation, the parameters' uses. */
#include "model/graph.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/table.h"
#include "model/dnnl.h"
#include "model/op.h"
#include "model/use.h"

const char *gls_extent_text(gls_extent e, char text[64]) {
    if (e.h == 1 && e.w == 1)
        snprintf(text, 64, "[%lld]", (long long)e.c);
    else
        snprintf(text, 64, "[%lld, %lld, %lld]", (long long)e.c, (long long)e.h, (long long)e.w);
    return text;
}

/* ---- ops ---- */

gls_status gls_op_register(gls_context *ctx, const gls_op *op) {
    return gls_member_register(ctx, &gls_op_kind, &op->member);
}

const gls_op *gls_op_find(gls_context *ctx, const char *name) {
    return (const gls_op *)gls_member_find(ctx, &gls_op_kind, name);
}

gls_status gls_op_same_shape(gls_graph *graph, gls_node *node) {
    (void)graph;
    node->out = node->in;
    return GLS_OK;
}

gls_status gls_op_takes_positions(const gls_graph *graph, const gls_node *node) {
    char text[64];
    if (node->in.h == 1) return GLS_OK;
    return gls_node_fail(graph, node, "takes a row of positions, but its input is %s", gls_extent_text(node->in, text));
}

gls_status gls_op_takes_one_document(const gls_graph *graph, const gls_node *node) {
    GLS_TRY(gls_op_takes_positions(graph, node));
    if (graph->data->documents != GLS_DOCUMENTS_PACKED) return GLS_OK;
    return gls_node_fail(graph, node,
                         "documents packed into one row would see each other here; expected rows of one "
                         "document (data.rows: lines)");
}

int64_t gls_op_ready_so_far(const gls_graph *graph, const gls_node *node, const int64_t *ready) {
    (void)graph;
    return ready[node->input[0]];
}

gls_status gls_op_keeps_positions(const gls_graph *graph, gls_node *node, bool *fits) {
    (void)fits;
    for (int k = 0; k < node->inputs; k++)
        if (graph->node[node->input[k]].inner != graph->node[node->input[k]].out.c)
            return gls_node_fail(graph, node, "its input is stored channel by channel; put a dense layer before it");
    return GLS_OK;
}

/* ---- building ---- */

gls_status gls_graph_create(gls_context *ctx, gls_layout *layout, gls_layout *state_layout, const gls_data_info *data,
                            gls_graph **out) {
    gls_graph *g = gls_alloc(ctx, 1, sizeof *g);
    if (!g) return GLS_ERR_MEMORY;
    *out = g;
    g->ctx = ctx;
    g->layout = layout;
    g->state_layout = state_layout;
    g->data = data;
    g->portable = gls_context_portable(ctx);
    g->output = g->loss = -1;
    return gls_arena_create(ctx, &g->arena);
}

void gls_graph_destroy(gls_graph *g) {
    if (!g) return;
    for (int i = 0; i < g->nodes; i++) {
        gls_node *node = &g->node[i];
        if (node->impl && node->impl->teardown) node->impl->teardown(g, node);
        if (node->stored && node->stored->teardown) node->stored->teardown(g, node);
    }
    gls_arena_destroy(g->arena);
    gls_free(g->ctx, g->node);
    gls_free(g->ctx, g->parameter);
    gls_free(g->ctx, g->start);
    gls_free(g->ctx, g->use);
    gls_free(g->ctx, g);
}

int gls_graph_fail(gls_graph *g, const char *format, ...) {
    if (g->status != GLS_OK) return -1;
    char text[512];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    g->status = gls_fail(g->ctx, GLS_ERR_ARGUMENT, "%s", text);
    return -1;
}

gls_status gls_node_fail(const gls_graph *g, const gls_node *node, const char *format, ...) {
    char text[512];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    return gls_fail(g->ctx, GLS_ERR_ARGUMENT, "layer '%s' (%s): %s", node->name, node->op->member.name, text);
}

static const char *copy_name(gls_graph *g, const char *name) {
    char *to = gls_arena_alloc(g->arena, (int64_t)strlen(name) + 1, 1);
    if (to) strcpy(to, name);
    return to;
}

/* The node is counted only when it is complete (add_node), so that a failure leaves a graph of whole nodes. */
static gls_node *append(gls_graph *g, const gls_op *op, const char *name) {
    if (g->nodes == g->node_capacity) {
        int capacity = g->node_capacity ? 2 * g->node_capacity : 32;
        gls_node *grown = gls_resize(g->ctx, g->node, capacity, sizeof *grown);
        if (!grown) {
            g->status = GLS_ERR_MEMORY;
            return NULL;
        }
        g->node = grown;
        g->node_capacity = capacity;
    }
    gls_node *node = &g->node[g->nodes];
    memset(node, 0, sizeof *node);
    node->op = op;
    node->name = copy_name(g, name);
    node->block = gls_arena_alloc(g->arena, op->blocks, sizeof *node->block);
    node->state = gls_arena_alloc(g->arena, op->states, sizeof *node->state);
    if (!node->name || !node->block || !node->state) {
        g->status = GLS_ERR_MEMORY;
        return NULL;
    }
    for (int k = 0; k < GLS_NODE_INPUTS; k++) node->input[k] = -1;
    for (int k = 0; k < op->blocks; k++) node->block[k] = -1;
    for (int k = 0; k < op->states; k++) node->state[k] = -1;
    return node;
}

static gls_status data_extent(const gls_graph *g, gls_extent *out) {
    const gls_data_info *data = g->data;
    if (data && data->vocabulary) {
        *out = (gls_extent){1, 1, data->length};
        return GLS_OK;
    }
    if (!data || data->features < 1)
        return gls_fail(g->ctx, GLS_ERR_ARGUMENT,
                        "a network needs examples with features or tokens; these data have none");
    *out = (gls_extent){data->features, 1, 1};
    if (data->sparse) return GLS_OK;
    if (data->length)
        *out = (gls_extent){data->features / data->length, 1, data->length};
    else if (data->dims == 2)
        *out = (gls_extent){1, data->shape[0], data->shape[1]};
    if (data->dims == 3) *out = (gls_extent){data->shape[0], data->shape[1], data->shape[2]};
    if (gls_extent_size(*out) != data->features)
        return gls_fail(g->ctx, GLS_ERR_ARGUMENT, "the data's shape has %lld values, but an example has %lld features",
                        (long long)gls_extent_size(*out), (long long)data->features);
    return GLS_OK;
}

int gls_graph_input(gls_graph *g) {
    if (g->status != GLS_OK) return -1;
    if (g->nodes > 0) return gls_graph_fail(g, "a network has one input, and it is the first node");
    gls_node *node = append(g, &gls_op_input, "input");
    if (!node) return -1;
    g->status = data_extent(g, &node->out);
    if (g->status != GLS_OK) return -1;
    node->in = node->out;
    return g->nodes++;
}

static gls_status default_options(gls_graph *g, const gls_op *op, void *to) {
    gls_options *options = NULL;
    GLS_TRY(gls_member_options(g->ctx, &op->member, op->member.name, NULL, NULL, &options));
    memcpy(to, gls_options_struct(options), op->member.options_size);
    gls_options_destroy(options);
    return GLS_OK;
}

/* A copy of the op's options, or of its defaults, that lives as long as the graph; NULL after a failure. */
static void *own_options(gls_graph *g, const gls_op *op, const void *options) {
    void *own = gls_arena_alloc(g->arena, (int64_t)op->member.options_size, 1);
    if (!own) g->status = GLS_ERR_MEMORY;
    if (g->status == GLS_OK && op->member.options_size > 0) {
        if (options)
            memcpy(own, options, op->member.options_size);
        else
            g->status = default_options(g, op, own);
    }
    return g->status == GLS_OK ? own : NULL;
}

/* An op's shape verb declares its parameters and state, and may refuse its inputs. */
static int add_node(gls_graph *g, const gls_op *op, const char *name, const void *given, int inputs, const int *input) {
    if (inputs < op->inputs_min || inputs > op->inputs_max)
        return gls_graph_fail(g, "layer '%s' (%s) takes %d to %d inputs, got %d", name, op->member.name, op->inputs_min,
                              op->inputs_max, inputs);
    void *options = own_options(g, op, given);
    if (!options) return -1;
    if (op->compose) return op->compose(g, name, options, input);
    gls_node *node = append(g, op, name);
    if (!node) return -1;
    for (int k = 0; k < inputs; k++) {
        if (input[k] < 0 || input[k] >= g->nodes)
            return gls_graph_fail(g, "layer '%s': input %d is not a layer of this network", name, k);
        if (g->node[input[k]].op->flags & GLS_OP_LOSS)
            return gls_graph_fail(g, "layer '%s' comes after the loss", name);
        if (input[k] == 0 && g->data->vocabulary && !(op->flags & GLS_OP_TOKENS))
            return gls_graph_fail(g,
                                  "layer '%s' (%s) takes features, but the data are tokens; put an embedding before it",
                                  name, op->member.name);
        node->input[k] = input[k];
    }
    node->inputs = inputs;
    node->in = g->node[input[0]].out;
    node->options = options;
    g->status = op->shape(g, node);
    if (g->status != GLS_OK) return -1;
    for (int k = 0; k < inputs; k++) g->node[input[k]].consumers++;
    return g->nodes++;
}

int gls_graph_add(gls_graph *g, const char *op_name, const char *name, const void *options, int inputs,
                  const int *input) {
    if (g->status != GLS_OK) return -1;
    const gls_op *op = gls_op_find(g->ctx, op_name);
    if (!op) {
        g->status = GLS_ERR_ARGUMENT;
        return -1;
    }
    return add_node(g, op, name, options, inputs, input);
}

/* Ops without options have no table to check a map against, hence the loop. */
int gls_graph_add_value(gls_graph *g, const char *op_name, const char *name, const gls_value *value, int input) {
    if (g->status != GLS_OK) return -1;
    const gls_op *op = gls_op_find(g->ctx, op_name);
    if (!op) {
        g->status = GLS_ERR_ARGUMENT;
        return -1;
    }
    if (op->member.options_size == 0) {
        for (int64_t k = 0; value && k < value->count; k++)
            if (strcmp(value->items[k]->key, gls_member_but_name[0]) != 0)
                return gls_graph_fail(g, "layer '%s' (%s) takes no option '%s'", name, op_name, value->items[k]->key);
        return add_node(g, op, name, NULL, 1, &input);
    }
    gls_options *options = NULL;
    g->status = gls_member_options(g->ctx, &op->member, op_name, value, gls_member_but_name, &options);
    int node = -1;
    if (g->status == GLS_OK) node = add_node(g, op, name, gls_options_struct(options), 1, &input);
    gls_options_destroy(options);
    return node;
}

/* A graph for shorter rows has the parameters and state of that for all rows. */
static gls_status find_block(const gls_graph *g, const gls_node *node, const gls_layout *layout, const char *name,
                             int dims, const int64_t *shape, int64_t *number) {
    for (int64_t b = 0; b < gls_layout_count(layout); b++) {
        const gls_block *block = gls_layout_block(layout, b);
        if (strcmp(block->name, name) != 0) continue;
        bool same = block->dims == dims;
        for (int k = 0; same && k < dims; k++) same = block->shape[k] == shape[k];
        if (!same) break;
        *number = b;
        return GLS_OK;
    }
    return gls_node_fail(g, node, "'%s' has another shape for shorter rows", name);
}

gls_status gls_graph_parameter(gls_graph *g, gls_node *node, int i, const char *suffix, int dims, const int64_t *shape,
                               unsigned flags, gls_parameter parameter) {
    char name[256];
    snprintf(name, sizeof name, "%s.%s", node->name, suffix);
    if (g->whole) return find_block(g, node, g->layout, name, dims, shape, &node->block[i]);
    int64_t count = gls_layout_count(g->layout);
    if (count >= g->parameter_capacity) {
        int64_t capacity = 2 * count + 16;
        gls_parameter *grown = gls_resize(g->ctx, g->parameter, capacity, sizeof *grown);
        if (!grown) return GLS_ERR_MEMORY;
        g->parameter = grown;
        g->parameter_capacity = capacity;
    }
    GLS_TRY(gls_layout_add(g->layout, name, dims, shape, flags));
    g->parameter[count] = parameter;
    node->block[i] = count;
    return GLS_OK;
}

gls_status gls_graph_tie(gls_graph *g, gls_node *node, int i, const char *name, int64_t rows, int64_t columns) {
    for (int64_t b = 0; b < gls_layout_count(g->layout); b++) {
        const gls_block *block = gls_layout_block(g->layout, b);
        if (strcmp(block->name, name) != 0) continue;
        if (block->dims != 2 || (rows && block->shape[0] != rows) || (columns && block->shape[1] != columns))
            return gls_node_fail(g, node, "tied to '%s', which is not a matrix of %lld x %lld (0: any)", name,
                                 (long long)rows, (long long)columns);
        node->block[i] = b;
        return GLS_OK;
    }
    return gls_node_fail(g, node, "tied to '%s', which is not a parameter of an earlier layer", name);
}

gls_status gls_graph_state(gls_graph *g, gls_node *node, int i, const gls_graph_state_block *block) {
    char name[256];
    snprintf(name, sizeof name, "%s.%s", node->name, block->suffix);
    if (g->whole) {
        GLS_TRY(find_block(g, node, g->state_layout, name, block->dims, block->shape, &node->state[i]));
        node->state[i] = gls_layout_block(g->state_layout, node->state[i])->offset;
        return GLS_OK;
    }
    int64_t count = gls_layout_count(g->state_layout);
    if (count >= g->start_capacity) {
        int64_t capacity = 2 * count + 16;
        double *grown = gls_resize(g->ctx, g->start, capacity, sizeof *grown);
        if (!grown) return GLS_ERR_MEMORY;
        g->start = grown;
        g->start_capacity = capacity;
    }
    g->start[count] = block->start;
    node->state[i] = gls_layout_size(g->state_layout);
    return gls_layout_add(g->state_layout, name, block->dims, block->shape, block->flags);
}

/* ---- uses ---- */

static gls_view whole(const gls_graph *g, gls_view_source source, int node) {
    const gls_node *of = &g->node[node];
    return (gls_view){.source = source,
                      .node = node,
                      .positions = gls_extent_positions(of->out),
                      .width = of->out.c,
                      .inner = of->inner,
                      .row_stride = gls_extent_size(of->out),
                      .stride = of->inner};
}

gls_view gls_view_value(const gls_graph *g, int node) {
    return whole(g, GLS_VIEW_VALUE, node);
}

gls_view gls_view_grad(const gls_graph *g, int node) {
    return whole(g, GLS_VIEW_GRAD, node);
}

gls_view gls_view_tokens(const gls_graph *g) {
    int64_t length = g->data->length;
    return (gls_view){
        .source = GLS_VIEW_TOKENS, .positions = length, .width = 1, .inner = 1, .row_stride = length, .stride = 1};
}

gls_status gls_graph_use(gls_graph *g, gls_use use) {
    if (g->uses == g->use_capacity) {
        int capacity = g->use_capacity ? 2 * g->use_capacity : 32;
        gls_use *grown = gls_resize(g->ctx, g->use, capacity, sizeof *grown);
        if (!grown) return GLS_ERR_MEMORY;
        g->use = grown;
        g->use_capacity = capacity;
    }
    g->use[g->uses++] = use;
    return GLS_OK;
}

/* ---- finishing ---- */

/* A (leaky) relu whose producer has no other reader becomes part of it. */
static void fuse_activation(gls_graph *g, gls_node *node) {
    gls_node *producer = &g->node[node->input[0]];
    if (!(node->op->flags & GLS_OP_ACTIVATION) || !(producer->op->flags & GLS_OP_FUSES) || producer->consumers != 1 ||
        producer->activation)
        return;
    producer->activation = true;
    producer->slope = node->op->slope ? node->op->slope(node) : 0;
    node->alias = true;
}

/* Behind an op that chooses, an activation that rises has fewer values to see, and those chosen are the same. Where all
 * of them are cut to 0 another one may be chosen, and its gradient is 0. */
static void defer_activation(gls_graph *g, gls_node *node) {
    gls_node *between = &g->node[node->input[0]];
    gls_node *producer =
        between->alias && (between->op->flags & GLS_OP_ACTIVATION) ? &g->node[between->input[0]] : NULL;
    if (!(node->op->flags & GLS_OP_MONOTONE) || node->activation || !producer || !producer->activation ||
        producer->slope < 0 || between->consumers != 1 || producer->consumers != 1)
        return;
    node->activation = true;
    node->slope = producer->slope;
    producer->activation = false;
    producer->slope = 0;
}

static gls_status choose_impl(gls_graph *g, gls_node *node) {
    for (const gls_op_impl *const *impl = node->op->impl; *impl; impl++) {
        bool fits = true;
        if ((*impl)->setup) GLS_TRY((*impl)->setup(g, node, &fits));
        node->impl = *impl;
        if (fits) return GLS_OK;
    }
    return gls_node_fail(g, node, "no implementation fits");
}

/* The network's outputs are stored in full, so whoever may write into their memory gets wide copies, but for those who
 * know it. */
static bool may_be_output(const gls_graph *g, int i) {
    int at = g->output;
    while (at != i && at > 0 && (g->node[at].op->flags & (GLS_OP_VIEW | GLS_OP_IN_PLACE | GLS_OP_EVALUATE_ALIAS)))
        at = g->node[at].input[0];
    return at == i;
}

gls_status gls_graph_finish_stored(gls_graph *g, bool native, bool *any) {
    *any = false;
    g->native = native;
    for (int i = 1; i < g->nodes; i++) {
        gls_node *node = &g->node[i];
        const gls_op_impl *impl = node->op->stored;
        bool fits = impl && (!may_be_output(g, i) || (i == g->output && impl->full_output));
        if (fits && impl->setup) GLS_TRY(impl->setup(g, node, &fits));
        if (fits) node->stored = impl;
        *any |= fits && impl->pack;
    }
    return GLS_OK;
}

/* Channels kept together by layers that choose: as many as the library's vector kernels take, where the input has the
 * same layout or is an image of at most 3 channels; else all of them. A sequence (height 1) keeps each position's
 * features together. */
static int64_t own_inner(const gls_graph *g, const gls_node *node, const gls_node *in) {
    int64_t c = node->out.c;
    int64_t lanes = g->portable ? 0 : gls_dnnl_channels();
    bool fits = in->inner == lanes || (in->inner == 1 && in->out.c <= 3);
    return lanes > 0 && fits && node->out.h > 1 && c % lanes == 0 ? lanes : c;
}

static void choose_layout(const gls_graph *g, gls_node *node) {
    const gls_node *in = node->inputs > 0 ? &g->node[node->input[0]] : NULL;
    if (in) node->in_inner = in->inner;
    if (gls_extent_positions(node->out) == 1)
        node->inner = node->out.c;
    else if (!in)
        node->inner = g->data->length ? node->out.c : 1; /* frames keep their values together */
    else if (node->op->flags & GLS_OP_OWN_LAYOUT)
        node->inner = own_inner(g, node, in);
    else
        node->inner = in->inner;
    /* A flattened image shares its input's memory only where channels are the slowest axis. */
    if (node->op->flags & GLS_OP_VIEW)
        node->alias = gls_extent_positions(in->out) == 1 || in->inner == 1 || in->out.c == 1;
}

/* All fusing comes before implementations are chosen, since they ask a node whether it has an activation. */
gls_status gls_graph_finish(gls_graph *g) {
    GLS_TRY(g->status);
    g->loss = g->nodes - 1;
    if (g->loss < 1 || !(g->node[g->loss].op->flags & GLS_OP_LOSS))
        return gls_fail(g->ctx, GLS_ERR_ARGUMENT, "a network must end with a loss");
    g->output = g->node[g->loss].input[0];
    for (int i = 0; i < g->loss; i++)
        if (g->node[i].consumers == 0) return gls_node_fail(g, &g->node[i], "no layer reads its output");
    for (int i = 0; i < g->nodes; i++) {
        gls_node *node = &g->node[i];
        if (i > 0) fuse_activation(g, node);
        choose_layout(g, node);
    }
    for (int i = 1; i < g->nodes; i++) defer_activation(g, &g->node[i]);
    for (int i = 0; i < g->nodes; i++) {
        gls_node *node = &g->node[i];
        for (int k = 1; k < node->inputs && !(node->op->flags & GLS_OP_OWN_LAYOUT); k++)
            if (gls_extent_positions(g->node[node->input[k]].out) > 1 &&
                g->node[node->input[k]].inner != g->node[node->input[0]].inner)
                return gls_node_fail(g, node,
                                     "its inputs have different layouts in memory (one of them is the data's own)");
        GLS_TRY(choose_impl(g, node));
        if (node->op->uses) GLS_TRY(node->op->uses(g, i));
    }
    return GLS_OK;
}
