/* Growth of a row. Nodes run in order, each for the positions that have become ready; an op that treats positions alike
 * runs its forward on them as on a shorter row. */
#include "model/grow.h"

#include <string.h>

#include "base/arith.h"
#include "base/context.h"
#include "model/network.h"
#include "model/op.h"

struct gls_growth {
    gls_graph graph; /* a copy, whose nodes have the extents of a part while an op runs on one */
    gls_node *node;
    const gls_graph *whole;
    int64_t *ready; /* [nodes] positions made */
    int64_t seen;   /* tokens */
    gls_batch part;
    gls_evaluate_args part_args;
};

/* ---- what is ready ---- */

static bool complete(const gls_graph *g, const gls_node *node, const int64_t *ready) {
    for (int k = 0; k < node->inputs; k++)
        if (ready[node->input[k]] < (node->input[k] ? g->node[node->input[k]].out.w : g->data->length)) return false;
    return true;
}

static int64_t least_ready(const gls_node *node, const int64_t *ready) {
    int64_t least = ready[node->input[0]];
    for (int k = 1; k < node->inputs; k++) least = gls_least(least, ready[node->input[k]]);
    return least;
}

/* Positions of node i that follow from those of its inputs. */
static int64_t ready_of(const gls_graph *g, int i, const int64_t *ready) {
    const gls_node *node = &g->node[i];
    bool alike = gls_extent_equal(node->in, node->out) && gls_node_aliased(node, GLS_MODE_EVALUATE);
    if (node->op->flags & GLS_OP_STILL) return node->out.w;
    if (node->op->growth) return node->op->growth->ready(g, node, ready);
    if (alike || (node->op->flags & GLS_OP_BY_POSITION)) return least_ready(node, ready);
    return complete(g, node, ready) ? node->out.w : 0;
}

gls_status gls_graph_grows(const gls_graph *g, bool *possible) {
    *possible = false;
    int64_t length = g->data ? g->data->length : 0, unsaid = length - g->node[g->output].out.w;
    if (length < 1 || !g->data->vocabulary || unsaid < 0) return GLS_OK;
    int64_t *ready = gls_alloc(g->ctx, g->nodes, sizeof *ready), tried[] = {unsaid + 1, length - 1, length};
    if (!ready) return GLS_ERR_MEMORY;
    *possible = true;
    for (int i = 1; i < g->loss; i++)
        *possible &= g->node[i].inner == g->node[i].out.c; /* else positions do not follow
                                                              each other in memory */
    for (int k = 0; k < 3; k++) {
        ready[0] = tried[k];
        for (int i = 1; i < g->loss; i++) ready[i] = ready_of(g, i, ready);
        *possible &= tried[k] <= unsaid || ready[g->output] >= tried[k] - unsaid;
    }
    gls_free(g->ctx, ready);
    return GLS_OK;
}

/* ---- creation ---- */

gls_status gls_exec_growth_create(gls_exec *x) {
    const gls_graph *g = x->graph;
    gls_growth *w = x->growth = gls_alloc(x->ctx, 1, sizeof *w);
    if (!w) return GLS_ERR_MEMORY;
    *w = (gls_growth){.graph = *g, .whole = g};
    w->node = gls_alloc(x->ctx, g->nodes, sizeof *w->node);
    w->ready = gls_alloc(x->ctx, g->nodes, sizeof *w->ready);
    if (!w->node || !w->ready) return GLS_ERR_MEMORY;
    memcpy(w->node, g->node, (size_t)g->nodes * sizeof *w->node);
    w->graph.node = w->node;
    x->graph = &w->graph;
    return GLS_OK;
}

void gls_exec_growth_destroy(gls_exec *x) {
    gls_growth *w = x->growth;
    if (!w) return;
    x->graph = w->whole;
    gls_free(x->ctx, w->node);
    gls_free(x->ctx, w->ready);
    gls_free(x->ctx, w);
    x->growth = NULL;
}

/* ---- extension ---- */

static gls_real *whole_value(const gls_exec *x, int i) {
    return x->plan->value[i] < 0 ? NULL : (gls_real *)(x->memory + x->plan->value[i]);
}

/* The op sees `count` positions of node j from `from` on as all of it. */
static void show_part(gls_exec *x, int j, int64_t from, int64_t count) {
    gls_node *node = &x->growth->node[j];
    if (x->plan->value[j] >= 0) x->value[j] = whole_value(x, j) + from * node->out.c;
    node->out.w = count;
}

static void show_whole(gls_exec *x, int j) {
    x->value[j] = whole_value(x, j);
    x->growth->node[j].out = x->growth->whole->node[j].out;
}

static gls_status run_part(gls_exec *x, int i, int64_t from, int64_t to) {
    gls_growth *w = x->growth;
    gls_node *node = &w->node[i];
    const gls_evaluate_args *args = x->args;
    w->part = *args->rows;
    w->part.token += from;
    w->part.document += args->rows->document ? from : 0;
    w->part.length = to - from;
    w->part_args = *args;
    w->part_args.rows = &w->part;
    for (int k = 0; k < node->inputs; k++) show_part(x, node->input[k], from, to - from);
    show_part(x, i, from, to - from);
    node->in.w = to - from;
    x->args = &w->part_args;
    gls_status status = gls_exec_forward(x, i);
    for (int k = 0; k < node->inputs; k++) show_whole(x, node->input[k]);
    show_whole(x, i);
    node->in = w->whole->node[i].in;
    x->args = args;
    return status;
}

static gls_status extend(gls_exec *x, int i, int64_t from, int64_t to) {
    const gls_node *node = gls_exec_node(x, i);
    if (gls_node_aliased(node, GLS_MODE_EVALUATE)) return GLS_OK;
    if (node->op->growth) return node->op->growth->extend(x, i, from, to);
    bool part = from > 0 || to < node->out.w;
    return part ? run_part(x, i, from, to) : gls_exec_forward(x, i);
}

static gls_status check(const gls_exec *x, const gls_evaluate_args *args, int64_t from, int64_t to) {
    if (args->rows->rows != 1)
        return gls_fail(x->ctx, GLS_ERR_ARGUMENT, "%lld rows grow, expected one", (long long)args->rows->rows);
    if ((from == 0 || from == x->growth->seen) && from < to && to <= x->graph->data->length) return GLS_OK;
    return gls_fail(x->ctx, GLS_ERR_ARGUMENT,
                    "tokens %lld to %lld are new in a row of %lld that has %lld; expected some after these, or all",
                    (long long)from, (long long)to, (long long)x->graph->data->length, (long long)x->growth->seen);
}

gls_status gls_exec_extend(gls_exec *x, const gls_evaluate_args *args, int64_t from, int64_t to, gls_real *out) {
    gls_growth *w = x->growth;
    const gls_graph *g = &w->graph;
    GLS_TRY(check(x, args, from, to));
    gls_exec_begin(x, args);
    if (from == 0) memset(w->ready, 0, (size_t)g->nodes * sizeof *w->ready);
    w->ready[0] = to;
    w->seen = 0; /* until all is well */
    for (int i = 1; i < g->loss; i++) {
        int64_t ready = ready_of(g, i, w->ready);
        if (ready > w->ready[i]) GLS_TRY(extend(x, i, w->ready[i], ready));
        w->ready[i] = ready;
    }
    w->seen = to;
    int64_t c = g->node[g->output].out.c, last = to - 1 - (g->data->length - g->node[g->output].out.w);
    if (last < 0)
        return gls_fail(x->ctx, GLS_ERR_ARGUMENT, "there is no output after %lld tokens of a row", (long long)to);
    memcpy(out, gls_exec_value(x, g->output) + last * c, (size_t)c * sizeof *out);
    return GLS_OK;
}
