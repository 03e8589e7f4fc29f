/* An evaluation's memory, and the calls into ops. Every call of an op's verb passes through begin and end, which
 * take its time where the network is profiled, and widen and narrow buffers that are stored narrow. */
#include "model/exec.h"

#include <math.h>
#include <string.h>
#include <time.h>

#include "base/context.h"
#include "base/kernels.h"
#include "model/grow.h"
#include "model/kernels.h"
#include "model/lengths.h"
#include "model/network.h"
#include "model/op.h"
#include "model/storage.h"

/* ---- memory ---- */

static gls_status allocate(gls_exec *x, const gls_exec *lender) {
    gls_context *ctx = x->ctx;
    int nodes = x->graph->nodes;
    x->borrows = lender && lender->plan->bytes >= x->plan->bytes;
    x->memory = x->borrows ? lender->memory : gls_alloc(ctx, x->plan->bytes, 1);
    x->value = gls_alloc(ctx, nodes, sizeof *x->value);
    x->grad = gls_alloc(ctx, nodes, sizeof *x->grad);
    x->aux = gls_alloc(ctx, nodes, sizeof *x->aux);
    x->object = gls_alloc(ctx, nodes, sizeof *x->object);
    x->summed = gls_alloc(ctx, x->graph->uses, sizeof *x->summed);
    bool have = x->memory && x->value && x->grad && x->aux && x->object && x->summed;
    if (!have || !x->net->profile) return have ? GLS_OK : GLS_ERR_MEMORY;
    x->seconds = gls_alloc(ctx, (int64_t)nodes * GLS_EXEC_TIMES, sizeof *x->seconds);
    return x->seconds ? GLS_OK : GLS_ERR_MEMORY;
}

static void point(gls_exec *x) {
    const gls_memory_plan *plan = x->plan;
#ifdef GLS_POISON
    for (int64_t i = 0; i < plan->bytes / (int64_t)sizeof(gls_real); i++) ((gls_real *)x->memory)[i] = NAN;
#endif
    for (int i = 0; i < x->graph->nodes; i++) {
        if (plan->value[i] >= 0 && !plan->narrow_value[i]) x->value[i] = (gls_real *)(x->memory + plan->value[i]);
        if (plan->grad[i] >= 0 && !plan->narrow_grad[i]) x->grad[i] = (gls_real *)(x->memory + plan->grad[i]);
        if (plan->aux[i] >= 0) x->aux[i] = x->memory + plan->aux[i];
    }
    x->scratch = x->memory + plan->scratch;
}

static gls_exec *empty(gls_network *net, const gls_graph *graph) {
    gls_context *ctx = net->problem->ctx;
    gls_exec *x = gls_alloc(ctx, 1, sizeof *x);
    if (x) *x = (gls_exec){.net = net, .ctx = ctx, .graph = graph};
    return x;
}

/* With x->plan. */
static gls_status create(gls_exec *x, const gls_exec *lender) {
    GLS_TRY(allocate(x, lender));
    point(x);
    for (int i = 0; i < x->graph->nodes; i++) {
        const gls_op_impl *impl = gls_node_impl(&x->graph->node[i], x->plan->storage);
        if (impl->object_create) GLS_TRY(impl->object_create(x, i, &x->object[i]));
    }
    return GLS_OK;
}

/* The network's input has tangent 0, and an op that is linear the aux of the values. */
static gls_status create_tangent(gls_exec *x, const gls_exec *lender) {
    gls_exec *t = x->tangent = empty(x->net, x->graph);
    if (!t) return GLS_ERR_MEMORY;
    t->plan = x->plan;
    t->primal = x;
    GLS_TRY(create(t, lender ? lender->tangent : NULL));
    t->zeros = gls_alloc(x->ctx, x->plan->max_rows * gls_extent_size(x->graph->node[0].out), sizeof *t->zeros);
    if (!t->zeros) return GLS_ERR_MEMORY;
    for (int i = 0; i < x->graph->nodes; i++) {
        if (i == 0 || x->plan->value[i] < 0) t->value[i] = t->zeros;
        if (x->graph->node[i].op->flags & GLS_OP_LINEAR) t->aux[i] = x->aux[i];
    }
    return GLS_OK;
}

gls_status gls_exec_create(gls_network *net, const gls_graph *graph, gls_exec *lender, int64_t max_rows, unsigned want,
                           gls_mode mode, gls_exec **out) {
    gls_exec *x = *out = empty(net, graph);
    if (!x) return GLS_ERR_MEMORY;
    int threads = gls_omp_one();
    gls_status status = gls_memory_plan_create(x->graph, max_rows, want, mode, net->storage, &x->plan);
    if (status == GLS_OK) status = create(x, lender);
    if (status == GLS_OK && x->plan->tangents) status = create_tangent(x, lender);
    if (status == GLS_OK && (want & GLS_WANT_NEXT)) status = gls_exec_growth_create(x);
    gls_omp_restore(threads);
    return status;
}

gls_status gls_exec_reserve(gls_exec *x, int64_t rows) {
    int threads = gls_omp_one();
    gls_status status = GLS_OK;
    for (gls_exec *e = x; e; e = e->tangent)
        for (int i = 0; status == GLS_OK && i < e->graph->nodes; i++) {
            const gls_op_impl *impl = gls_node_impl(&e->graph->node[i], e->plan->storage);
            if (impl->object_reserve) status = impl->object_reserve(e, i, rows);
        }
    gls_omp_restore(threads);
    return status;
}

void gls_exec_destroy(gls_exec *x) {
    if (!x) return;
    gls_exec_growth_destroy(x);
    gls_exec_lengths_destroy(x);
    gls_exec_destroy(x->tangent);
    int nodes = x->graph->nodes;
    for (int i = 0; i < nodes && x->object; i++) {
        const gls_op_impl *impl = gls_node_impl(&x->graph->node[i], x->plan->storage);
        if (impl->object_destroy && x->object[i]) impl->object_destroy(x->object[i]);
    }
    for (int k = 0; k < nodes * GLS_EXEC_TIMES && x->seconds; k++) x->net->seconds[k] += x->seconds[k];
    if (!x->primal) gls_memory_plan_destroy(x->graph, x->plan);
    gls_free(x->ctx, x->zeros);
    if (!x->borrows) gls_free(x->ctx, x->memory);
    gls_free(x->ctx, x->value);
    gls_free(x->ctx, x->grad);
    gls_free(x->ctx, x->aux);
    gls_free(x->ctx, x->object);
    gls_free(x->ctx, x->summed);
    gls_free(x->ctx, x->seconds);
    gls_free(x->ctx, x);
}

static void read_weights(gls_exec *x, const gls_point *point) {
    const gls_network_point *prepared = gls_point_prepared(point);
    const gls_network_weights *of = x->plan->storage == GLS_STORAGE_REAL ? &prepared->full : &prepared->rounded;
    x->w = of->w;
    x->packed = of->packed;
}

void gls_exec_begin(gls_exec *x, const gls_evaluate_args *args) {
    x->args = args;
    x->rows = args->rows->rows;
    read_weights(x, args->point);
    for (int i = 0; i < x->graph->nodes; i++)
        if (x->plan->value[i] < 0) x->value[i] = (gls_real *)args->rows->x; /* read only: the data's own */
    for (int u = 0; u < x->graph->uses; u++) x->summed[u] = false;
    if (!gls_exec_tangents(x)) return;
    x->tangent->args = args;
    x->tangent->rows = x->rows;
    read_weights(x->tangent, args->direction);
}

/* ---- calls ---- */

double gls_exec_clock(void) {
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

typedef struct span {
    double start;
    bool backward;
} span;

static bool staged(const gls_exec *x, int i) {
    return x->plan->storage != GLS_STORAGE_REAL && !gls_node_takes(gls_exec_node(x, i), x->plan->storage);
}

static gls_status begin(gls_exec *x, int i, bool backward, span *s) {
    *s = (span){x->seconds ? gls_exec_clock() : 0, backward};
    if (!staged(x, i)) return GLS_OK;
    return backward ? gls_storage_stage_backward(x, i) : gls_storage_stage_forward(x, i);
}

static gls_status end(gls_exec *x, int i, span s, gls_status status) {
    if (staged(x, i)) gls_storage_unstage(x, i);
    if (x->seconds) x->seconds[i * GLS_EXEC_TIMES + s.backward] += gls_exec_clock() - s.start;
    return status;
}

static bool runs_nothing(const gls_exec *x, int i) {
    return gls_node_aliased(gls_exec_node(x, i), x->plan->mode);
}

/* Doubles of the values' exchange, before those of the tangents. */
static int64_t sums(const gls_exec *x, int i) {
    const gls_node *node = gls_exec_node(x, i);
    return gls_span_count(x->args) * node->op->coupling->size(node);
}

static gls_status forward_tangent(gls_exec *t, int i) {
    const gls_op_impl *impl = gls_exec_node(t, i)->impl;
    if (i == 0 || i == t->graph->loss) return GLS_OK;
    return impl->forward_tangent ? impl->forward_tangent(t, i) : impl->forward(t, i);
}

gls_status gls_exec_forward(gls_exec *x, int i) {
    if (runs_nothing(x, i)) return GLS_OK;
    span s;
    GLS_TRY(begin(x, i, false, &s));
    gls_status status = gls_node_impl(gls_exec_node(x, i), x->plan->storage)->forward(x, i);
    if (status == GLS_OK && gls_exec_tangents(x)) status = forward_tangent(x->tangent, i);
    return end(x, i, s, status);
}

gls_status gls_exec_forward_partial(gls_exec *x, int i, double *partial) {
    const gls_op_coupling *op = gls_exec_node(x, i)->op->coupling;
    span s;
    GLS_TRY(begin(x, i, false, &s));
    gls_status status = op->forward_partial(x, i, partial);
    if (status == GLS_OK && gls_exec_tangents(x))
        status = op->forward_tangent_partial(x->tangent, i, partial + sums(x, i));
    return end(x, i, s, status);
}

gls_status gls_exec_forward_reduced(gls_exec *x, int i, const double *reduced) {
    const gls_op_coupling *op = gls_exec_node(x, i)->op->coupling;
    span s;
    GLS_TRY(begin(x, i, false, &s));
    gls_status status = op->forward_reduced(x, i, reduced);
    if (status == GLS_OK && gls_exec_tangents(x))
        status = op->forward_tangent_reduced(x->tangent, i, reduced + sums(x, i));
    return end(x, i, s, status);
}

gls_status gls_exec_pass_grad(gls_exec *x, int i) {
    gls_real *to = gls_exec_in_grad(x, i, 0);
    const gls_real *e = gls_exec_grad(x, i);
    if (!to || to == e) return GLS_OK;
    if (gls_exec_adds(x, i, 0))
        gls_add(to, e, gls_exec_size(x, i));
    else
        memcpy(to, e, (size_t)gls_exec_size(x, i) * sizeof *to);
    return GLS_OK;
}

/* Whether a gradient reaches the node at all: below it there are parameters. */
static bool reached(const gls_exec *x, int i) {
    return i == x->graph->loss || x->plan->grad[i] >= 0;
}

/* A linear op without a backward has an input that nothing reaches. */
static gls_status backward_tangent(gls_exec *t, int i) {
    const gls_op_impl *impl = gls_exec_node(t, i)->impl;
    if (runs_nothing(t, i)) return gls_exec_pass_grad(t, i);
    return impl->backward_tangent ? impl->backward_tangent(t, i) : impl->backward(t, i);
}

/* Whether the gradient of a node that is an alias is its input's, where that lies. */
static bool passes_by_place(const gls_exec *x, int i) {
    if (!runs_nothing(x, i) || gls_exec_tangents(x)) return false;
    return x->plan->grad[i] == x->plan->grad[gls_exec_node(x, i)->input[0]];
}

gls_status gls_exec_backward(gls_exec *x, int i) {
    const gls_op_impl *impl = gls_node_impl(gls_exec_node(x, i), x->plan->storage);
    if (!reached(x, i) || !impl->backward || passes_by_place(x, i)) return GLS_OK;
    span s;
    GLS_TRY(begin(x, i, true, &s));
    gls_status status = runs_nothing(x, i) ? gls_exec_pass_grad(x, i) : impl->backward(x, i);
    if (status == GLS_OK && gls_exec_tangents(x)) status = backward_tangent(x->tangent, i);
    return end(x, i, s, status);
}

gls_status gls_exec_backward_partial(gls_exec *x, int i, double *partial) {
    const gls_op_coupling *op = gls_exec_node(x, i)->op->coupling;
    if (!reached(x, i)) return GLS_OK;
    span s;
    GLS_TRY(begin(x, i, true, &s));
    gls_status status = op->backward_partial(x, i, partial);
    if (status == GLS_OK && gls_exec_tangents(x))
        status = op->backward_tangent_partial(x->tangent, i, partial + sums(x, i));
    return end(x, i, s, status);
}

gls_status gls_exec_backward_reduced(gls_exec *x, int i, const double *reduced) {
    const gls_op_coupling *op = gls_exec_node(x, i)->op->coupling;
    if (!reached(x, i)) return GLS_OK;
    span s;
    GLS_TRY(begin(x, i, true, &s));
    gls_status status = op->backward_reduced(x, i, reduced);
    if (status == GLS_OK && gls_exec_tangents(x))
        status = op->backward_tangent_reduced(x->tangent, i, reduced, reduced + sums(x, i));
    return end(x, i, s, status);
}

/* ---- sums that norms leave ---- */

gls_real *gls_exec_sum_begin(gls_exec *x, const gls_use *use) {
    int64_t at = x->plan->sum[use - x->graph->use];
    bool mixed = x->inputs_of || x->grads_of;
    return at < 0 || mixed ? NULL : (gls_real *)(x->memory + at);
}

void gls_exec_sum_end(gls_exec *x, const gls_use *use, bool made) {
    x->summed[use - x->graph->use] = made;
}

const gls_real *gls_exec_sum(const gls_exec *x, const gls_use *use) {
    bool there = x->summed[use - x->graph->use] && !x->inputs_of && !x->grads_of;
    return there ? (gls_real *)(x->memory + x->plan->sum[use - x->graph->use]) : NULL;
}

/* ---- what ops take as it is stored ---- */

gls_exec_sides gls_exec_sides_of(const gls_exec *x, int i, bool backward) {
    int j = gls_exec_node(x, i)->input[0];
    gls_exec_sides s = {.narrow = gls_node_takes(gls_exec_node(x, i), x->plan->storage)};
    s.element = (int64_t)(s.narrow ? sizeof(uint16_t) : sizeof(gls_real));
    if (s.narrow) {
        s.in = backward ? gls_exec_stored_grad(x, j) : gls_exec_stored(x, j);
        s.out = backward ? gls_exec_stored_grad(x, i) : gls_exec_stored(x, i);
    } else {
        s.in = (char *)(backward ? gls_exec_in_grad(x, i, 0) : gls_exec_in(x, i, 0));
        s.out = (char *)(backward ? gls_exec_grad(x, i) : gls_exec_value(x, i));
    }
    return s;
}

/* ---- fused activations ---- */

void gls_exec_round(const gls_exec *x, gls_real *v, int64_t n) {
    if (x->plan->storage != GLS_STORAGE_REAL) gls_storage_round(v, n);
}

/* The slope is that at the output's value, whatever v is. */
static void through_activation(const gls_exec *x, int i, gls_real *v) {
    const gls_node *node = gls_exec_node(x, i);
    if (node->activation)
        gls_activation_grad(v, v, gls_exec_value(gls_exec_values(x), i), gls_exec_size(x, i), node->slope, false);
}

void gls_exec_activation_backward(gls_exec *x, int i) {
    const gls_node *node = gls_exec_node(x, i);
    if (gls_node_takes(node, x->plan->storage)) {
        if (node->activation)
            gls_storage_activation_grad(gls_exec_stored_grad(x, i), gls_exec_stored(x, i), gls_exec_size(x, i),
                                        node->slope);
        return;
    }
    through_activation(x, i, gls_exec_grad(x, i));
    if (node->activation && node->slope != 0) gls_exec_round(x, gls_exec_grad(x, i), gls_exec_size(x, i));
}

void gls_exec_activation_tangent(gls_exec *t, int i) {
    through_activation(t, i, gls_exec_value(t, i));
}

bool gls_exec_has_tangents(const gls_graph *graph) {
    for (int i = 1; i < graph->nodes; i++) {
        const gls_op *op = graph->node[i].op;
        const gls_op_impl *impl = graph->node[i].impl;
        if (op->coupling && !op->coupling->backward_tangent_reduced) return false;
        if (!(op->flags & GLS_OP_LINEAR) && !impl->backward_tangent) return false;
    }
    return true;
}
