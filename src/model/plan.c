#include "model/plan.h"

#include <string.h>

#include "model/op.h"
#include "model/use.h"

/* Time runs forward through the nodes, 0 .. n-1, and backward through them, n .. 2n-1. A buffer lives from its first
 * writing to its last reading; what uses view lives to the end. Buffers whose lives do not meet share memory. */
typedef struct buffer {
    int64_t bytes, offset;
    int birth, death;
} buffer;

typedef struct planner {
    const gls_graph *g;
    gls_memory_plan *plan;
    int n, end;
    int *value_root, *grad_root; /* [n] the node whose buffer it is; -1: none */
    bool *needs_grad, *written;
    buffer *buffers; /* [2 n] values, then gradients */
} planner;

static int backward_time(const planner *p, int node) {
    return 2 * p->n - 1 - node;
}

static bool couples(const planner *p, int node) {
    return p->plan->mode == GLS_MODE_TRAIN && p->g->node[node].op->meet != NULL;
}

static bool is_alias(const planner *p, const gls_node *node) {
    return node->alias || ((node->op->flags & GLS_OP_EVALUATE_ALIAS) && p->plan->mode == GLS_MODE_EVALUATE);
}

static bool keeps_output(const planner *p, int node) {
    const gls_node *n = &p->g->node[node];
    return p->plan->backward && ((n->op->flags & GLS_OP_KEEPS_OUTPUT) || n->activation);
}

static void value_roots(planner *p) {
    for (int i = 0; i < p->n; i++) {
        const gls_node *node = &p->g->node[i];
        p->value_root[i] = i;
        if (i == 0) continue;
        int j = node->input[0];
        if (is_alias(p, node)) {
            p->value_root[i] = p->value_root[j];
            continue;
        }
        bool kept = p->plan->backward && (node->op->flags & GLS_OP_KEEPS_INPUT);
        if ((node->op->flags & GLS_OP_IN_PLACE) && p->value_root[j] == j && p->g->node[j].consumers == 1 && j != 0 &&
            !kept && !keeps_output(p, j) && p->g->node[j].op != &gls_op_input)
            p->value_root[i] = p->value_root[j];
    }
}

static void grad_roots(planner *p) {
    for (int i = 0; i < p->n; i++) {
        const gls_node *node = &p->g->node[i];
        p->needs_grad[i] = false;
        for (int k = 0; k < GLS_NODE_BLOCKS; k++) p->needs_grad[i] |= node->block[k] >= 0;
        for (int k = 0; k < node->inputs; k++) p->needs_grad[i] |= p->needs_grad[node->input[k]];
        p->grad_root[i] = p->plan->backward && p->needs_grad[i] && i != p->g->loss ? i : -1;
    }
    /* From the end, so that a chain of aliases has one root. */
    for (int i = p->n - 1; i > 0; i--) {
        const gls_node *node = &p->g->node[i];
        int j = node->input[0];
        if (p->grad_root[i] < 0 || p->grad_root[j] < 0 || p->g->node[j].consumers != 1) continue;
        if (is_alias(p, node) || (node->op->flags & GLS_OP_GRAD_IN_PLACE)) p->grad_root[j] = p->grad_root[i];
    }
    for (int i = p->n - 1; i > 0; i--)
        for (int k = 0; k < p->g->node[i].inputs; k++) {
            int root = p->grad_root[p->g->node[i].input[k]];
            if (root < 0) continue;
            bool shared = root == p->grad_root[i];
            p->plan->adds[i * GLS_NODE_INPUTS + k] = !shared && p->written[root];
            p->written[root] = true;
        }
}

static void live(buffer *b, int time) {
    if (b->birth < 0 || time < b->birth) b->birth = time;
    if (time > b->death) b->death = time;
}

static void lifetimes(planner *p) {
    const gls_graph *g = p->g;
    for (int i = 0; i < 2 * p->n; i++) p->buffers[i] = (buffer){.birth = -1, .death = -1};
    for (int i = 0; i < p->n; i++) {
        const gls_node *node = &g->node[i];
        int64_t bytes = p->plan->max_rows * gls_extent_size(node->out) * (int64_t)sizeof(gls_real);
        buffer *value = &p->buffers[p->value_root[i]];
        if (p->value_root[i] == i && (i > 0 || (g->data && g->data->sparse))) value->bytes = bytes;
        live(value, i);
        if (keeps_output(p, i)) live(value, backward_time(p, i));
        for (int k = 0; k < node->inputs; k++) {
            buffer *in = &p->buffers[p->value_root[node->input[k]]];
            live(in, i);
            if (p->plan->backward && (node->op->flags & GLS_OP_KEEPS_INPUT)) live(in, backward_time(p, i));
            int root = p->grad_root[node->input[k]];
            if (root >= 0) live(&p->buffers[p->n + root], backward_time(p, i));
        }
        if (p->grad_root[i] >= 0) {
            buffer *grad = &p->buffers[p->n + p->grad_root[i]];
            if (p->grad_root[i] == i) grad->bytes = bytes;
            live(grad, backward_time(p, i));
        }
    }
    live(&p->buffers[p->value_root[g->output]], p->end);
    live(&p->buffers[p->value_root[g->loss]], p->end);
    for (int u = 0; u < g->uses && p->plan->backward; u++) {
        const gls_use *use = &g->use[u];
        if (use->kind->views_input) live(&p->buffers[p->value_root[use->input]], p->end);
        if (use->sums_row < 0) live(&p->buffers[p->n + p->grad_root[use->node]], p->end);
    }
}

/* First fit in order of birth. */
static int64_t place(planner *p) {
    buffer *const all = p->buffers;
    int count = 2 * p->n;
    int64_t total = 0;
    for (int time = 0; time <= p->end; time++)
        for (int i = 0; i < count; i++) {
            buffer *b = &all[i];
            if (b->bytes == 0 || b->birth != time) continue;
            b->bytes = (b->bytes + 63) & ~(int64_t)63;
            b->offset = 0;
            for (int j = 0; j < count; j++) {
                const buffer *o = &all[j];
                bool placed = o->bytes > 0 && j != i && (o->birth < time || (o->birth == time && j < i));
                if (!placed || o->death < b->birth || o->birth > b->death) continue;
                if (b->offset < o->offset + o->bytes && o->offset < b->offset + b->bytes) {
                    b->offset = o->offset + o->bytes;
                    j = -1; /* look at all again from the new place */
                }
            }
            if (b->offset + b->bytes > total) total = b->offset + b->bytes;
        }
    return total;
}

static int64_t scratch_bytes(const planner *p) {
    const gls_graph *g = p->g;
    int64_t most = 0;
    for (int i = 1; i < p->n; i++) {
        const gls_op_impl *impl = g->node[i].impl;
        int64_t bytes = impl->scratch ? impl->scratch(g, &g->node[i], p->plan->max_rows) : 0;
        if (bytes > most) most = bytes;
    }
    for (int u = 0; u < g->uses && p->plan->backward; u++) {
        int64_t bytes = g->use[u].kind->scratch(g, &g->use[u], p->plan->max_rows, p->plan->want);
        if (bytes > most) most = bytes;
    }
    return most;
}

static void offsets(planner *p) {
    gls_memory_plan *plan = p->plan;
    const gls_graph *g = p->g;
    plan->bytes = place(p);
    for (int i = 0; i < p->n; i++) {
        const buffer *value = &p->buffers[p->value_root[i]];
        plan->value[i] = value->bytes > 0 ? value->offset : -1;
        plan->grad[i] = p->grad_root[i] >= 0 ? p->buffers[p->n + p->grad_root[i]].offset : -1;
        bool runs = !is_alias(p, &g->node[i]) && (i != g->loss || gls_want_loss(plan->want));
        int64_t aux = g->node[i].op->aux && runs ? g->node[i].op->aux(g, &g->node[i], plan->max_rows) : 0;
        plan->aux[i] = aux > 0 ? plan->bytes : -1;
        plan->bytes += (aux + 63) & ~(int64_t)63;
        if (couples(p, i)) plan->coupling[plan->coupled++] = i;
    }
    plan->scratch = plan->bytes;
    plan->bytes += (scratch_bytes(p) + 63) & ~(int64_t)63;
}

static gls_status plan_alloc(gls_context *ctx, int n, gls_memory_plan *plan) {
    plan->value = gls_alloc(ctx, n, sizeof *plan->value);
    plan->grad = gls_alloc(ctx, n, sizeof *plan->grad);
    plan->aux = gls_alloc(ctx, n, sizeof *plan->aux);
    plan->adds = gls_alloc(ctx, (int64_t)n * GLS_NODE_INPUTS, sizeof *plan->adds);
    plan->coupling = gls_alloc(ctx, n, sizeof *plan->coupling);
    bool have = plan->value && plan->grad && plan->aux && plan->adds && plan->coupling;
    return have ? GLS_OK : GLS_ERR_MEMORY;
}

gls_status gls_memory_plan_create(const gls_graph *g, int64_t max_rows, unsigned want, gls_mode mode,
                                  gls_memory_plan **out) {
    gls_memory_plan *plan = gls_alloc(g->ctx, 1, sizeof *plan);
    if (!plan) return GLS_ERR_MEMORY;
    *out = plan;
    plan->max_rows = max_rows;
    plan->want = want;
    plan->mode = mode;
    plan->backward =
        (want & (GLS_WANT_GRADIENT | GLS_WANT_NORMS | GLS_WANT_INNER | GLS_WANT_HESSIAN | GLS_WANT_ORACLE)) != 0;
    GLS_TRY(plan_alloc(g->ctx, g->nodes, plan));
    planner p = {.g = g, .plan = plan, .n = g->nodes, .end = 2 * g->nodes};
    p.value_root = gls_alloc(g->ctx, p.n, sizeof *p.value_root);
    p.grad_root = gls_alloc(g->ctx, p.n, sizeof *p.grad_root);
    p.needs_grad = gls_alloc(g->ctx, p.n, sizeof *p.needs_grad);
    p.written = gls_alloc(g->ctx, p.n, sizeof *p.written);
    p.buffers = gls_alloc(g->ctx, 2 * (int64_t)p.n, sizeof *p.buffers);
    gls_status status = GLS_ERR_MEMORY;
    if (p.value_root && p.grad_root && p.needs_grad && p.written && p.buffers) {
        value_roots(&p);
        grad_roots(&p);
        lifetimes(&p);
        offsets(&p);
        status = GLS_OK;
    }
    gls_free(g->ctx, p.value_root);
    gls_free(g->ctx, p.grad_root);
    gls_free(g->ctx, p.needs_grad);
    gls_free(g->ctx, p.written);
    gls_free(g->ctx, p.buffers);
    return status;
}

void gls_memory_plan_destroy(const gls_graph *g, gls_memory_plan *plan) {
    if (!plan) return;
    gls_free(g->ctx, plan->value);
    gls_free(g->ctx, plan->grad);
    gls_free(g->ctx, plan->aux);
    gls_free(g->ctx, plan->adds);
    gls_free(g->ctx, plan->coupling);
    gls_free(g->ctx, plan);
}
