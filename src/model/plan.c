/* The memory of an evaluation: which nodes share a buffer, how long each buffer is needed, and where it is placed. */
#include "model/plan.h"

#include "model/op.h"
#include "model/use.h"
#include "problem/evaluation.h"

/* Time runs forward through the nodes, 0 .. n-1, and backward through them, n .. 2n-1. A buffer lives from its first
 * writing to its last reading; what uses view lives to the end. Buffers whose lives do not overlap share
 * memory. */
typedef struct buffer {
    int64_t bytes, offset;
    int birth, death;
} buffer;

typedef struct planner {
    const gls_graph *g;
    gls_memory_plan *plan;
    int n, end;
    int *value_root, *grad_root;      /* [n] the node whose buffer it is; -1: none */
    bool *value_viewed, *grad_viewed; /* [n] a use reads it to the end */
    bool *needs_grad, *written;
    buffer *buffers; /* [2 n] values, then gradients */
} planner;

static int backward_time(const planner *p, int node) {
    return 2 * p->n - 1 - node;
}

static bool couples(const planner *p, int node) {
    return p->plan->mode == GLS_MODE_TRAIN && p->g->node[node].op->coupling;
}

bool gls_node_aliased(const gls_node *node, gls_mode mode) {
    return node->alias || ((node->op->flags & GLS_OP_EVALUATE_ALIAS) && mode == GLS_MODE_EVALUATE);
}

bool gls_node_keeps_output(const gls_node *node) {
    return (node->op->flags & GLS_OP_KEEPS_OUTPUT) || node->activation;
}

bool gls_memory_plan_narrow(const gls_memory_plan *plan, const gls_view *view) {
    return view->source == GLS_VIEW_VALUE  ? plan->narrow_value[view->node]
           : view->source == GLS_VIEW_GRAD ? plan->narrow_grad[view->node]
                                           : false;
}

static bool is_alias(const planner *p, const gls_node *node) {
    return gls_node_aliased(node, p->plan->mode);
}

static bool keeps_output(const planner *p, int node) {
    return p->plan->backward && gls_node_keeps_output(&p->g->node[node]);
}

static void views(planner *p) {
    for (int u = 0; u < p->g->uses && p->plan->backward; u++) {
        const gls_use *use = &p->g->use[u];
        const gls_view *read[] = {&use->grad, use->kind->views_input ? &use->input : NULL};
        for (int k = 0; k < 2 && read[k]; k++) {
            if (read[k]->source == GLS_VIEW_VALUE) p->value_viewed[read[k]->node] = true;
            if (read[k]->source == GLS_VIEW_GRAD) p->grad_viewed[read[k]->node] = true;
        }
    }
}

/* Whether node's forward may write over node j's value: j's own buffer, neither the batch's nor read again by its other
 * consumers, by a backward pass or by a use. */
static bool may_overwrite(const planner *p, const gls_node *node, int j) {
    bool kept = p->plan->backward && (node->op->flags & GLS_OP_KEEPS_INPUT);
    return !p->plan->kept && (node->op->flags & GLS_OP_IN_PLACE) && p->value_root[j] == j &&
           p->g->node[j].consumers == 1 && j != 0 && !kept && !keeps_output(p, j) && !p->value_viewed[j];
}

/* A node writes into a buffer of its own, unless it is its input's memory or may overwrite it. */
static void value_roots(planner *p) {
    p->value_root[0] = 0;
    for (int i = 1; i < p->n; i++) {
        const gls_node *node = &p->g->node[i];
        int j = node->input[0];
        bool shares = is_alias(p, node) || may_overwrite(p, node, j);
        p->value_root[i] = shares ? p->value_root[j] : i;
    }
}

/* A gradient reaches a node only if there are parameters at or below it. A node and its input share a gradient's buffer
 * where backward turns the one into the other; of an input's consumers the first to run backward writes, the others
 * add. */
static void grad_roots(planner *p) {
    for (int i = 0; i < p->n; i++) {
        const gls_node *node = &p->g->node[i];
        p->needs_grad[i] = false;
        for (int k = 0; k < node->op->blocks; k++) p->needs_grad[i] |= node->block[k] >= 0;
        for (int k = 0; k < node->inputs; k++) p->needs_grad[i] |= p->needs_grad[node->input[k]];
        p->grad_root[i] = p->plan->backward && p->needs_grad[i] && i != p->g->loss ? i : -1;
    }
    /* From the end, so that a chain of aliases has one root. */
    for (int i = p->n - 1; i > 0; i--) {
        const gls_node *node = &p->g->node[i];
        int j = node->input[0];
        if (p->grad_root[i] < 0 || p->grad_root[j] < 0 || p->g->node[j].consumers != 1) continue;
        bool turned = (node->op->flags & GLS_OP_GRAD_IN_PLACE) && !p->grad_viewed[i] && !p->plan->kept;
        if (is_alias(p, node) || turned) p->grad_root[j] = p->grad_root[i];
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

/* Whether node 0 has a buffer: sparse rows are written out, and reals that are to be narrow are a copy of the batch's.
 */
static bool owns_input(const planner *p) {
    const gls_data_info *data = p->g->data;
    return data && !data->vocabulary && (data->sparse || p->plan->storage != GLS_STORAGE_REAL);
}

/* All but the network's outputs are stored narrow: losses, scores and answers are made of full ones. Tokens are no
 * reals. */
static void storage(planner *p) {
    int output = p->value_root[p->g->output], loss = p->value_root[p->g->loss];
    bool narrow = p->plan->storage != GLS_STORAGE_REAL;
    for (int i = 0; i < p->n; i++) {
        int root = p->value_root[i];
        p->plan->narrow_value[i] = narrow && (root != 0 || owns_input(p)) && root != output && root != loss;
        p->plan->narrow_grad[i] = narrow && p->grad_root[i] >= 0;
    }
}

static int64_t bytes_of(const planner *p, const gls_node *node, bool narrow) {
    size_t element = narrow ? sizeof(uint16_t) : sizeof(gls_real);
    return p->plan->max_rows * gls_extent_size(node->out) * (int64_t)element;
}

/* What node i's forward and backward read and write. */
static void node_lifetimes(planner *p, int i) {
    const gls_node *node = &p->g->node[i];
    buffer *value = &p->buffers[p->value_root[i]];
    if (p->value_root[i] == i && (i > 0 || owns_input(p))) value->bytes = bytes_of(p, node, p->plan->narrow_value[i]);
    live(value, i);
    if (keeps_output(p, i)) live(value, backward_time(p, i));
    for (int k = 0; k < node->inputs; k++) {
        buffer *in = &p->buffers[p->value_root[node->input[k]]];
        live(in, i);
        if (p->plan->backward && (node->op->flags & GLS_OP_KEEPS_INPUT)) live(in, backward_time(p, i));
        int root = p->grad_root[node->input[k]];
        if (root >= 0) live(&p->buffers[p->n + root], backward_time(p, i));
    }
    if (p->grad_root[i] < 0) return;
    buffer *grad = &p->buffers[p->n + p->grad_root[i]];
    if (p->grad_root[i] == i) grad->bytes = bytes_of(p, node, p->plan->narrow_grad[i]);
    live(grad, backward_time(p, i));
}

/* The largest buffers of a model with many outputs are those and their gradient. Where no question is about outputs and
 * the loss is the last to read them, the gradient takes their place. */
static void loss_in_place(planner *p) {
    const unsigned others = GLS_WANT_SCORES | GLS_WANT_OUTPUTS | GLS_WANT_HESSIAN | GLS_WANT_ORACLE;
    const gls_graph *g = p->g;
    int to = p->grad_root[g->output];
    if (!(g->node[g->loss].op->flags & GLS_OP_GRAD_OVER_INPUT) || (p->plan->want & others) || to < 0) return;
    buffer *value = &p->buffers[p->value_root[g->output]], *grad = &p->buffers[p->n + to];
    int64_t most = p->plan->narrow_grad[g->output] && gls_node_takes(&g->node[g->loss], p->plan->storage)
                       ? value->bytes / (int64_t)sizeof(gls_real) * (int64_t)sizeof(uint16_t)
                       : value->bytes;
    if (grad->bytes != most || value->death > g->loss) return;
    value->death = grad->death;
    grad->bytes = 0;
    p->plan->loss_in_place = true;
}

/* Outputs and losses are read by questions, after all calls. */
static void lifetimes(planner *p) {
    for (int i = 0; i < 2 * p->n; i++) p->buffers[i] = (buffer){.birth = -1, .death = -1};
    for (int i = 0; i < p->n; i++) node_lifetimes(p, i);
    for (int i = 0; i < p->n; i++) {
        if (p->value_viewed[i]) live(&p->buffers[p->value_root[i]], p->end);
        if (p->grad_viewed[i]) live(&p->buffers[p->n + p->grad_root[i]], p->end);
        if (!p->plan->kept) continue;
        live(&p->buffers[p->value_root[i]], p->end);
        if (p->grad_root[i] >= 0) live(&p->buffers[p->n + p->grad_root[i]], p->end);
    }
    loss_in_place(p);
    live(&p->buffers[p->value_root[p->g->output]], p->end);
    live(&p->buffers[p->value_root[p->g->loss]], p->end);
}

/* First fit in order of birth: a buffer goes to the lowest place that is free during its whole life. */
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

/* Reals of a wide copy, 64 bytes aligned; 0: the buffer is not narrow. */
static int64_t wide(const planner *p, int node, const bool *narrow) {
    return narrow[node] ? (p->plan->max_rows * gls_extent_size(p->g->node[node].out) + 15) & ~(int64_t)15 : 0;
}

/* Wide copies of all narrow buffers that one call of a node's forward or backward touches (gls_storage_stage_forward,
 * gls_storage_stage_backward), or a question about a use. */
static int64_t wide_reals(const planner *p) {
    int64_t most = 0;
    for (int i = 0; i < p->n; i++) {
        const gls_node *node = &p->g->node[i];
        const bool *value = p->plan->narrow_value, *grad = p->plan->narrow_grad;
        if (gls_node_takes(node, p->plan->storage)) continue;
        int64_t forward = wide(p, i, value), backward = wide(p, i, grad);
        if (gls_node_keeps_output(node)) backward += wide(p, i, value);
        for (int k = 0; k < node->inputs; k++) {
            forward += wide(p, node->input[k], value);
            backward += wide(p, node->input[k], grad);
            if (node->op->flags & GLS_OP_KEEPS_INPUT) backward += wide(p, node->input[k], value);
        }
        if (forward > most) most = forward;
        if (p->plan->backward && backward > most) most = backward;
    }
    for (int u = 0; u < p->g->uses && p->plan->backward; u++) {
        const gls_use *use = &p->g->use[u];
        int64_t reals = use->kind->wide ? use->kind->wide(p->g, p->plan, use) : 0;
        if (reals > most) most = reals;
    }
    return most;
}

static int64_t op_scratch(const planner *p) {
    int64_t most = 0;
    for (int i = 1; i < p->n; i++) {
        const gls_op_impl *impl = gls_node_impl(&p->g->node[i], p->plan->storage);
        int64_t bytes = impl->scratch ? impl->scratch(&p->g->node[i], p->plan->max_rows) : 0;
        if (bytes > most) most = bytes;
        if (!p->plan->tangents || !impl->tangent_scratch) continue;
        bytes = impl->tangent_scratch(&p->g->node[i], p->plan->max_rows);
        if (bytes > most) most = bytes;
    }
    return most;
}

static int64_t use_scratch(const planner *p) {
    int64_t most = 0;
    for (int u = 0; u < p->g->uses && p->plan->backward; u++) {
        int64_t bytes = p->g->use[u].kind->scratch(p->g, p->plan, &p->g->use[u]);
        if (bytes > most) most = bytes;
    }
    return most;
}

static int64_t take(gls_memory_plan *plan, int64_t bytes) {
    int64_t at = plan->bytes;
    plan->bytes += (bytes + 63) & ~(int64_t)63;
    return at;
}

static void offsets(planner *p) {
    gls_memory_plan *plan = p->plan;
    const gls_graph *g = p->g;
    plan->bytes = place(p);
    if (plan->loss_in_place)
        p->buffers[p->n + p->grad_root[g->output]].offset = p->buffers[p->value_root[g->output]].offset;
    for (int i = 0; i < p->n; i++) {
        const gls_node *node = &g->node[i];
        const buffer *value = &p->buffers[p->value_root[i]];
        plan->value[i] = value->bytes > 0 ? value->offset : -1;
        plan->grad[i] = p->grad_root[i] >= 0 ? p->buffers[p->n + p->grad_root[i]].offset : -1;
        bool runs = node->op->aux && !is_alias(p, node) && (i != g->loss || gls_want_loss(plan->want));
        int64_t aux = runs ? node->op->aux(node, plan->max_rows, plan->backward) : 0;
        plan->aux[i] = aux > 0 ? take(plan, aux) : -1;
        if (couples(p, i)) plan->coupling[plan->coupled++] = i;
    }
    /* A call has its scratch; questions come after all calls, and use that place again. */
    plan->scratch = take(plan, op_scratch(p));
    plan->wide = wide_reals(p);
    int64_t calls = plan->bytes - plan->scratch, questions = use_scratch(p);
    if (questions > calls) take(plan, questions - calls);
}

static void sums(planner *p) {
    const unsigned shared = GLS_WANT_NORMS | GLS_WANT_GRADIENT | GLS_WANT_SHARED;
    for (int u = 0; u < p->g->uses; u++) {
        const gls_use *use = &p->g->use[u];
        bool wanted = use->kind->summed && (p->plan->want & shared) == shared;
        p->plan->sum[u] = wanted ? take(p->plan, use->kind->summed(p->g, use) * (int64_t)sizeof(gls_real)) : -1;
    }
}

static gls_status plan_alloc(gls_context *ctx, int n, int uses, gls_memory_plan *plan) {
    plan->value = gls_alloc(ctx, n, sizeof *plan->value);
    plan->grad = gls_alloc(ctx, n, sizeof *plan->grad);
    plan->aux = gls_alloc(ctx, n, sizeof *plan->aux);
    plan->narrow_value = gls_alloc(ctx, n, sizeof *plan->narrow_value);
    plan->narrow_grad = gls_alloc(ctx, n, sizeof *plan->narrow_grad);
    plan->adds = gls_alloc(ctx, (int64_t)n * GLS_NODE_INPUTS, sizeof *plan->adds);
    plan->coupling = gls_alloc(ctx, n, sizeof *plan->coupling);
    plan->sum = gls_alloc(ctx, uses, sizeof *plan->sum);
    bool have = plan->value && plan->grad && plan->aux && plan->narrow_value && plan->narrow_grad && plan->adds &&
                plan->coupling && plan->sum;
    return have ? GLS_OK : GLS_ERR_MEMORY;
}

static gls_status planner_alloc(planner *p) {
    gls_context *ctx = p->g->ctx;
    p->value_root = gls_alloc(ctx, p->n, sizeof *p->value_root);
    p->grad_root = gls_alloc(ctx, p->n, sizeof *p->grad_root);
    p->value_viewed = gls_alloc(ctx, p->n, sizeof *p->value_viewed);
    p->grad_viewed = gls_alloc(ctx, p->n, sizeof *p->grad_viewed);
    p->needs_grad = gls_alloc(ctx, p->n, sizeof *p->needs_grad);
    p->written = gls_alloc(ctx, p->n, sizeof *p->written);
    p->buffers = gls_alloc(ctx, 2 * (int64_t)p->n, sizeof *p->buffers);
    bool have =
        p->value_root && p->grad_root && p->value_viewed && p->grad_viewed && p->needs_grad && p->written && p->buffers;
    return have ? GLS_OK : GLS_ERR_MEMORY;
}

static void planner_free(planner *p) {
    gls_context *ctx = p->g->ctx;
    gls_free(ctx, p->value_root);
    gls_free(ctx, p->grad_root);
    gls_free(ctx, p->value_viewed);
    gls_free(ctx, p->grad_viewed);
    gls_free(ctx, p->needs_grad);
    gls_free(ctx, p->written);
    gls_free(ctx, p->buffers);
}

/* The order matters: views decide what may be overwritten, shared buffers decide storage, and storage decides sizes. */
gls_status gls_memory_plan_create(const gls_graph *g, int64_t max_rows, unsigned want, gls_mode mode,
                                  gls_storage storage_of, gls_memory_plan **out) {
    gls_memory_plan *plan = gls_alloc(g->ctx, 1, sizeof *plan);
    if (!plan) return GLS_ERR_MEMORY;
    *out = plan;
    bool tangents = (want & GLS_WANT_HESSIAN) != 0, kept = tangents || (want & GLS_WANT_NEXT);
    bool predicts = mode == GLS_MODE_EVALUATE && !gls_want_backward(want);
    *plan = (gls_memory_plan){.max_rows = max_rows,
                              .want = want,
                              .mode = mode,
                              .storage = kept || predicts ? GLS_STORAGE_REAL : storage_of,
                              .backward = gls_want_backward(want),
                              .tangents = tangents,
                              .kept = kept};
    GLS_TRY(plan_alloc(g->ctx, g->nodes, g->uses, plan));
    planner p = {.g = g, .plan = plan, .n = g->nodes, .end = 2 * g->nodes};
    gls_status status = planner_alloc(&p);
    if (status == GLS_OK) {
        views(&p);
        value_roots(&p);
        grad_roots(&p);
        storage(&p);
        lifetimes(&p);
        offsets(&p);
        sums(&p);
    }
    planner_free(&p);
    return status;
}

void gls_memory_plan_destroy(const gls_graph *g, gls_memory_plan *plan) {
    if (!plan) return;
    gls_free(g->ctx, plan->value);
    gls_free(g->ctx, plan->grad);
    gls_free(g->ctx, plan->aux);
    gls_free(g->ctx, plan->narrow_value);
    gls_free(g->ctx, plan->narrow_grad);
    gls_free(g->ctx, plan->adds);
    gls_free(g->ctx, plan->coupling);
    gls_free(g->ctx, plan->sum);
    gls_free(g->ctx, plan);
}
