/* The verbs of a network as a problem: ops run forward and backward, uses answer questions about parameters. */
#include "model/network.h"

#include <string.h>

#include "base/arith.h"
#include "base/context.h"
#include "base/kernels.h"
#include "model/grow.h"
#include "model/layers.h"
#include "model/lengths.h"
#include "model/op.h"
#include "model/use.h"
#include "model/use/factors.h"
#include "model/use/matrix.h"

/* ---- creation ---- */

/* Rows of a weight matrix in one task, whole multiples of what use/matrix.c copies at a time: every task's products
 * read all of the other factor, so taller ones cost less, but eight of a matrix keep as many threads busy. */
static int64_t tile_rows(const gls_block *block) {
    enum { UNIT = GLS_USE_MATRIX_ROWS, TILES = 8, MOST = 8 }; /* units */
    int64_t units = block->shape[0] / (UNIT * TILES);
    return UNIT * (units < 1 ? 1 : gls_least(units, MOST));
}

/* The first pass counts, the second fills in. */
static gls_status make_tiles(gls_network *net) {
    const gls_layout *layout = net->graph->layout;
    for (int pass = 0; pass < 2; pass++) {
        int64_t count = 0;
        for (int64_t b = 0; b < gls_layout_count(layout); b++) {
            const gls_block *block = gls_layout_block(layout, b);
            if (!(block->flags & GLS_BLOCK_TILED)) continue;
            int64_t rows = tile_rows(block);
            for (int64_t begin = 0; begin < block->shape[0]; begin += rows) {
                int64_t end = gls_least(begin + rows, block->shape[0]);
                if (net->tile) net->tile[count] = (gls_tile){b, begin, end};
                count++;
            }
        }
        net->tiles = count;
        if (!net->tile) net->tile = gls_alloc(net->problem->ctx, count, sizeof *net->tile);
        if (!net->tile) return GLS_ERR_MEMORY;
    }
    return GLS_OK;
}

/* Each coupling op exchanges as many sums backward as forward, in reverse order. */
static gls_status describe(gls_problem *p, const gls_graph *g, int64_t bn_group) {
    for (int i = 0; i < g->nodes; i++) {
        const gls_op *op = g->node[i].op;
        if (!op->coupling) continue;
        GLS_TRY(gls_problem_add_meet(p, false, op->coupling->size(&g->node[i])));
        int64_t least = op->coupling->least_rows ? op->coupling->least_rows(&g->node[i]) : 1;
        if (least > p->coupling_least) p->coupling_least = least;
    }
    for (int k = p->forward_meets; k-- > 0;) GLS_TRY(gls_problem_add_meet(p, true, p->forward_meet[k]));
    if (bn_group > 0 && p->forward_meets == 0)
        return gls_fail(p->ctx, GLS_ERR_ARGUMENT, "bn_group is %lld, but this network has no batch norm",
                        (long long)bn_group);
    p->coupling = p->forward_meets == 0 ? GLS_COUPLING_NONE : bn_group > 0 ? GLS_COUPLING_GROUPS : GLS_COUPLING_BATCH;
    p->coupling_group = bn_group;
    p->summary = gls_layout_size(p->state_layout);
    p->hessian_exact = gls_exec_has_tangents(g);
    GLS_TRY(gls_graph_grows(g, &p->grows));
    const gls_op *loss = g->node[g->loss].op;
    p->score_count = loss->score ? 1 : 0;
    p->score[0] = loss->score_name ? loss->score_name(g) : loss->score;
    p->outputs = gls_extent_size(g->node[g->output].out);
    p->positions = gls_data_labels(&p->data) > 1 ? gls_extent_positions(g->node[g->output].out) : 1;
    if (p->data.target == GLS_TARGET_SEQUENCE) p->blank = ((const gls_op_ctc_options *)g->node[g->loss].options)->blank;
    p->link = loss->link ? loss->link(g, &g->node[g->loss]) : GLS_LINK_NONE;
    return GLS_OK;
}

static gls_status estimate_cost(gls_network *net) {
    const gls_graph *g = net->graph;
    net->work = 0;
    for (int i = 0; i < g->nodes; i++)
        if (g->node[i].op->work) net->work += g->node[i].op->work(&g->node[i]);
    enum { ROWS = 16 }; /* enough that what does not grow with rows hardly counts */
    gls_memory_plan *plan = NULL;
    gls_status status = gls_memory_plan_create(g, ROWS, GLS_WANT_GRADIENT, GLS_MODE_TRAIN, net->storage, &plan);
    if (status == GLS_OK) net->row_bytes = (double)plan->bytes / ROWS;
    gls_memory_plan_destroy(g, plan);
    return status;
}

static gls_status create(gls_problem *p, const void *options) {
    gls_network *net = p->self;
    const gls_family *family = (const gls_family *)p->type;
    net->problem = p;
    GLS_TRY(gls_storage_rooms_create(p->ctx, &net->rooms));
    if (p->data.target == GLS_TARGET_NONE)
        return gls_fail(p->ctx, GLS_ERR_ARGUMENT, "'%s' needs data with targets, and these have none",
                        p->type->member.name);
    GLS_TRY(gls_graph_create(p->ctx, p->layout, p->state_layout, &p->data, &net->graph));
    const gls_family_options *common = options;
    net->graph->init = (gls_init)common->init;
    GLS_TRY(family->build(net->graph, options));
    GLS_TRY(gls_graph_finish(net->graph));
    GLS_TRY(describe(p, net->graph, common->bn_group));
    GLS_TRY(gls_network_lengths_create(net, family, options));
    p->shortens = net->shorter != NULL;
    GLS_TRY(make_tiles(net));
    net->seconds = gls_alloc(p->ctx, (int64_t)net->graph->nodes * GLS_EXEC_TIMES, sizeof *net->seconds);
    if (!net->seconds) return GLS_ERR_MEMORY;
    return estimate_cost(net);
}

/* Library objects are made for one thread, and every call into them comes from one: in a task of gls_parallel or not.
 */
gls_status gls_network_create(gls_problem *p, const void *options, const gls_data_info *data) {
    (void)data;
    int threads = gls_omp_one();
    gls_status status = create(p, options);
    gls_omp_restore(threads);
    return status;
}

void gls_network_destroy(gls_problem *p) {
    gls_network *net = p->self;
    gls_network_lengths_destroy(net);
    gls_storage_rooms_destroy(&net->rooms);
    gls_graph_destroy(net->graph);
    gls_free(p->ctx, net->tile);
    gls_free(p->ctx, net->seconds);
}

gls_status gls_network_initialize(gls_problem *p, uint64_t seed, gls_real *w) {
    const gls_network *net = p->self;
    return gls_graph_initialize(net->graph, seed, w);
}

gls_status gls_network_initialize_state(gls_problem *p, gls_real *state) {
    gls_graph_initialize_state(((const gls_network *)p->self)->graph, state);
    return GLS_OK;
}

void gls_network_cost(gls_problem *p, double *multiply_adds, double *bytes) {
    const gls_network *net = p->self;
    *multiply_adds = net->work;
    *bytes = net->row_bytes;
}

gls_status gls_network_set_precision(gls_problem *p, gls_precision precision, bool emulate) {
    gls_network *net = p->self;
    bool any, narrow = precision == GLS_PRECISION_BF16;
    int threads = gls_omp_one();
    gls_status status = gls_graph_finish_stored(net->graph, !emulate, &any);
    if (status == GLS_OK) status = gls_network_lengths_finish_stored(net);
    gls_omp_restore(threads);
    GLS_TRY(status);
    if (!emulate && !any)
        return gls_fail(
            p->ctx, GLS_ERR_UNSUPPORTED,
            "no product of this network is computed in bf16 here (that takes a processor with AVX512-BF16, oneDNN, "
            "and conv or dense layers); set emulate (plan.emulate: true) to round operands and multiply in float, "
            "which saves memory but no time, or stay with float");
    net->storage = narrow ? GLS_STORAGE_BF16 : GLS_STORAGE_REAL;
    return estimate_cost(net);
}

void gls_network_advance(gls_problem *p, const double *summary, gls_real *state) {
    const gls_graph *g = ((const gls_network *)p->self)->graph;
    for (int i = 0; i < g->nodes; i++)
        if (g->node[i].op->coupling && g->node[i].op->coupling->advance)
            g->node[i].op->coupling->advance(&g->node[i], summary, state);
}

/* ---- evaluations ---- */

gls_status gls_network_evaluation_create(gls_problem *p, int64_t max_rows, unsigned want, gls_mode mode, void **self) {
    gls_exec *x = NULL;
    gls_network *net = p->self;
    gls_status status = gls_exec_create(net, net->graph, NULL, max_rows, want, mode, &x);
    if (status == GLS_OK) status = gls_exec_lengths_create(x);
    *self = x;
    return status;
}

gls_status gls_network_evaluation_reserve(gls_problem *p, void *self, int64_t rows) {
    (void)p;
    return gls_exec_reserve(self, rows);
}

void gls_network_evaluation_destroy(gls_problem *p, void *self) {
    (void)p;
    gls_exec_destroy(self);
}

static const char *labels_text(gls_target_kind target) {
    return gls_target_by_position(target) ? "labels by position"
           : target == GLS_TARGET_SPAN    ? "spans"
                                          : "one label each";
}

static gls_status check_labels(gls_problem *p, const gls_batch *rows) {
    gls_target_kind target = p->data.target, found = rows->target;
    bool real = target == GLS_TARGET_REAL, alike = gls_target_by_position(found) == gls_target_by_position(target) &&
                                                   (found == GLS_TARGET_SPAN) == (target == GLS_TARGET_SPAN);
    if (real ? !rows->y : !rows->label)
        return gls_fail(p->ctx, GLS_ERR_ARGUMENT, "the rows have no %s", real ? "targets" : "labels");
    if (real || alike) return GLS_OK;
    return gls_fail(p->ctx, GLS_ERR_ARGUMENT, "the rows have %s, but the network was made for %s", labels_text(found),
                    labels_text(target));
}

/* Labels are needed only where a loss is: rows to be predicted have none. */
static gls_status check_rows(gls_problem *p, gls_exec *x, const gls_evaluate_args *args) {
    const gls_batch *rows = args->rows;
    if (rows->rows < 1) return gls_fail(p->ctx, GLS_ERR_ARGUMENT, "a batch of no rows cannot be evaluated");
    if (rows->rows > x->plan->max_rows)
        return gls_fail(p->ctx, GLS_ERR_INTERNAL, "%lld rows in an evaluation made for %lld", (long long)rows->rows,
                        (long long)x->plan->max_rows);
    const gls_data_info *data = &p->data;
    if (data->vocabulary && (!rows->token || rows->length != data->length))
        return gls_fail(p->ctx, GLS_ERR_ARGUMENT, "rows of %lld tokens, but the network was made for %lld",
                        rows->token ? (long long)rows->length : 0LL, (long long)data->length);
    if (data->documents && !rows->document)
        return gls_fail(p->ctx, GLS_ERR_ARGUMENT, "the rows do not say where their documents are");
    if (!data->vocabulary && data->length && rows->length != data->length)
        return gls_fail(p->ctx, GLS_ERR_ARGUMENT, "rows of %lld frames, but the network was made for %lld",
                        (long long)rows->length, (long long)data->length);
    if (!data->vocabulary && (rows->features != data->features || (data->sparse ? !rows->row : !rows->x)))
        return gls_fail(p->ctx, GLS_ERR_ARGUMENT, "rows of %lld %s features, but the network was made for %lld %s ones",
                        (long long)rows->features, rows->row ? "sparse" : "dense", (long long)data->features,
                        data->sparse ? "sparse" : "dense");
    return gls_want_loss(args->want) ? check_labels(p, rows) : GLS_OK;
}

gls_status gls_network_more(gls_problem *p, void *self, const gls_evaluate_args *args, int64_t from, int64_t to,
                            gls_real *out) {
    gls_exec *x = self;
    GLS_TRY(check_rows(p, x, args));
    int threads = gls_omp_one();
    gls_status status = gls_exec_extend(x, args, from, to, out);
    gls_omp_restore(threads);
    return status;
}

/* Coupling op k of the mode ends forward stage k and, counted from the end, the backward stages. */
gls_status gls_network_forward(gls_problem *p, void *self, const gls_evaluate_args *args, int stage, const double *met,
                               double *meet) {
    gls_exec *x = gls_exec_present(self);
    if (stage > x->plan->coupled) return GLS_OK; /* evaluation mode couples nothing */
    if (stage == 0) {
        GLS_TRY(check_rows(p, self, args));
        GLS_TRY(gls_network_point_check(x, args->point));
        x = gls_exec_choose(self, args);
        gls_exec_begin(x, gls_exec_present_args(self, args));
    }
    const gls_memory_plan *plan = x->plan;
    x->args = gls_exec_present_args(self, args);
    if (x->tangent) x->tangent->args = x->args;
    int begin = stage == 0 ? 0 : plan->coupling[stage - 1] + 1;
    int nodes = gls_want_loss(args->want) ? x->graph->nodes : x->graph->loss; /* the loss comes last */
    int end = stage < plan->coupled ? plan->coupling[stage] : nodes;
    int threads = gls_omp_one();
    gls_status status = stage > 0 ? gls_exec_forward_reduced(x, begin - 1, met) : GLS_OK;
    for (int i = begin; i < end && status == GLS_OK; i++) status = gls_exec_forward(x, i);
    if (status == GLS_OK && stage < plan->coupled) status = gls_exec_forward_partial(x, end, meet);
    gls_omp_restore(threads);
    return status;
}

gls_status gls_network_backward(gls_problem *p, void *self, const gls_evaluate_args *args, int stage, const double *met,
                                double *meet) {
    (void)p;
    gls_exec *x = gls_exec_present(self);
    const gls_memory_plan *plan = x->plan;
    if (stage > plan->coupled) return GLS_OK;
    x->args = gls_exec_present_args(self, args);
    if (x->tangent) x->tangent->args = x->args;
    int last = stage == 0 ? x->graph->nodes - 1 : plan->coupling[plan->coupled - stage] - 1;
    int stop = stage < plan->coupled ? plan->coupling[plan->coupled - 1 - stage] : 0;
    int threads = gls_omp_one();
    gls_status status = stage > 0 ? gls_exec_backward_reduced(x, last + 1, met) : GLS_OK;
    for (int i = last; i > stop && status == GLS_OK; i--) status = gls_exec_backward(x, i);
    if (status == GLS_OK && stage < plan->coupled) status = gls_exec_backward_partial(x, stop, meet);
    gls_omp_restore(threads);
    return status;
}

/* ---- questions ---- */

/* A loss leaves a double for each row at the beginning of its aux, and so does a penalty where it runs. */
gls_status gls_network_losses(gls_problem *p, void *self, const gls_evaluate_args *args, double *losses) {
    (void)p;
    (void)args;
    const gls_exec *x = gls_exec_present(self);
    memcpy(losses, gls_exec_aux(x, x->graph->loss), (size_t)x->rows * sizeof *losses);
    for (int i = 0; i < x->graph->loss; i++) {
        const gls_node *node = gls_exec_node(x, i);
        if (!(node->op->flags & GLS_OP_PENALTY) || gls_node_aliased(node, x->plan->mode)) continue;
        const double *added = gls_exec_aux(x, i);
        for (int64_t r = 0; r < x->rows; r++) losses[r] += added[r];
    }
    return GLS_OK;
}

gls_status gls_network_scores(gls_problem *p, void *self, const gls_evaluate_args *args, double *sums) {
    (void)p;
    (void)args;
    gls_exec *x = gls_exec_present(self);
    const gls_op *loss = x->graph->node[x->graph->loss].op;
    return loss->scores ? loss->scores(x, x->graph->loss, sums) : GLS_OK;
}

/* Positions that shorter rows do not have are padding. */
gls_status gls_network_outputs(gls_problem *p, void *self, const gls_evaluate_args *args, gls_real *out) {
    const gls_exec *x = gls_exec_present(self);
    const gls_graph *g = ((const gls_network *)p->self)->graph;
    const gls_node *loss = &g->node[g->loss];
    const gls_batch *rows = args->rows;
    int64_t made = gls_extent_size(gls_exec_node(x, g->output)->out);
    for (int64_t r = 0; r < x->rows; r++) {
        memcpy(out + r * p->outputs, gls_exec_value(x, g->output) + r * made, (size_t)made * sizeof *out);
        gls_fill(out + r * p->outputs + made, 0, p->outputs - made);
        const int32_t *document = rows->document ? rows->document + r * rows->length : NULL;
        for (int64_t t = 0; loss->op->padding && document && t < loss->in.w; t++)
            if (document[t] < 0) loss->op->padding(loss, out + r * p->outputs + t * loss->in.c);
    }
    return GLS_OK;
}

static bool tiled(const gls_graph *g, const gls_use *use) {
    return (gls_layout_block(g->layout, use->block)->flags & GLS_BLOCK_TILED) != 0;
}

/* Rows [begin, end) of a use's block, or with end -1 all of it. A Hessian product is the tangent of the gradient: with
 * the tangents of the output gradients, and where it is a product with the input, with those of the input. */
static gls_status add_gradient(gls_exec *x, const gls_use *use, const double *weights, int64_t begin, int64_t end,
                               gls_real *g) {
    return end < 0 ? use->kind->gradient(x, use, weights, g) : use->kind->gradient_tile(x, use, weights, begin, end, g);
}

static gls_status ask_use(gls_exec *x, const gls_use *use, gls_product product, const double *weights, int64_t begin,
                          int64_t end, gls_real *g) {
    if (product == GLS_PRODUCT_GRADIENT) return add_gradient(x, use, weights, begin, end, g);
    gls_exec mixed = *x; /* a copy, since several tiles of one evaluation run at a time */
    mixed.grads_of = x->tangent;
    GLS_TRY(add_gradient(&mixed, use, weights, begin, end, g));
    if (!use->kind->views_input) return GLS_OK;
    mixed.grads_of = NULL;
    mixed.inputs_of = x->tangent;
    return add_gradient(&mixed, use, weights, begin, end, g);
}

gls_status gls_network_gradient(gls_problem *p, void *self, const gls_evaluate_args *args, gls_product product,
                                const double *weights, gls_sink *sink) {
    (void)args;
    gls_exec *x = gls_exec_present(self);
    (void)p;
    int threads = gls_omp_one();
    gls_status status = gls_storage_take(x);
    for (int u = 0; u < x->graph->uses && status == GLS_OK; u++) {
        const gls_use *use = &x->graph->use[u];
        if (tiled(x->graph, use)) continue;
        double start = x->seconds ? gls_exec_clock() : 0;
        status = ask_use(x, use, product, weights, 0, -1, gls_sink_block(sink, use->block));
        if (x->seconds) x->seconds[use->node * GLS_EXEC_TIMES + 2] += gls_exec_clock() - start;
    }
    gls_storage_give(x);
    gls_omp_restore(threads);
    return status;
}

int64_t gls_network_tiles(gls_problem *p) {
    return ((gls_network *)p->self)->tiles;
}

/* Use u of the tile's block in `count` evaluations, one after another or, where that is faster, together. */
static gls_status ask_tile(const gls_network *net, int u, void *const *self, int64_t count, gls_product product,
                           const double *const *weights, const gls_tile *tile, gls_real *block) {
    gls_use_at at[GLS_USES_AT_ONCE];
    for (int64_t e = 0; e < count; e++) {
        gls_exec *x = gls_exec_present(self[e]);
        at[e] = (gls_use_at){x, &x->graph->use[u], weights ? weights[e] : NULL};
    }
    const gls_use_kind *kind = net->graph->use[u].kind;
    if (product == GLS_PRODUCT_GRADIENT && kind->gradient_tiles)
        return kind->gradient_tiles(at, count, tile->begin, tile->end, block);
    for (int64_t e = 0; e < count; e++)
        GLS_TRY(ask_use(at[e].x, at[e].use, product, at[e].weights, tile->begin, tile->end, block));
    return GLS_OK;
}

/* Evaluations follow each other in fixed order, so that the bits of a tile do not depend on threads. */
gls_status gls_network_gradient_tile(gls_problem *p, void *const *self, const gls_evaluate_args *const *args,
                                     int64_t count, gls_product product, const double *const *weights, int64_t number,
                                     gls_real *g) {
    (void)args;
    const gls_network *net = p->self;
    const gls_tile *tile = &net->tile[number];
    gls_real *block = g + gls_layout_block(net->graph->layout, tile->block)->offset;
    int threads = gls_omp_one();
    gls_status status = GLS_OK;
    for (int u = 0; u < net->graph->uses && status == GLS_OK; u++) {
        if (net->graph->use[u].block != tile->block) continue;
        for (int64_t e = 0, here; e < count && status == GLS_OK; e += here) {
            here = gls_least(count - e, GLS_USES_AT_ONCE);
            gls_exec *x = gls_exec_present(self[e]);
            double start = x->seconds ? gls_exec_clock() : 0;
            status = ask_tile(net, u, self + e, here, product, weights ? weights + e : NULL, tile, block);
            if (x->seconds) {
                double spent = gls_exec_clock() - start;
#pragma omp atomic
                x->seconds[net->graph->use[u].node * GLS_EXEC_TIMES + 2] += spent;
            }
        }
    }
    gls_omp_restore(threads);
    return status;
}

void gls_network_tile_range(gls_problem *p, int64_t number, int64_t *begin, int64_t *end) {
    const gls_network *net = p->self;
    const gls_tile *tile = &net->tile[number];
    const gls_block *block = gls_layout_block(net->graph->layout, tile->block);
    int64_t row = block->size / block->shape[0];
    *begin = block->offset + tile->begin * row;
    *end = block->offset + tile->end * row;
}

/* A block that is used several times has a sum of gradients: the norm then has a cross term for each pair of uses.
 * Rounding may leave it below 0. */
gls_status gls_network_norms(gls_problem *p, void *self, const gls_evaluate_args *args, const gls_partition *partition,
                             double *out) {
    (void)p;
    (void)args;
    gls_exec *x = gls_exec_present(self);
    const gls_graph *g = x->graph;
    for (int64_t k = 0; k < partition->groups; k++) out[k] = 0;
    int threads = gls_omp_one();
    gls_status status = gls_storage_take(x);
    for (int u = 0; u < g->uses && status == GLS_OK; u++) {
        const gls_use *use = &g->use[u];
        status = use->kind->norms(x, use, partition, out);
        for (int v = 0; v < u && status == GLS_OK; v++)
            if (g->use[v].block == use->block) status = gls_factors_cross(x, &g->use[v], use, partition, out);
    }
    gls_storage_give(x);
    gls_omp_restore(threads);
    for (int64_t k = 0; k < partition->groups; k++) out[k] = out[k] < 0 ? 0 : out[k];
    return status;
}

gls_status gls_network_inner(gls_problem *p, void *self, const gls_evaluate_args *args, const gls_partition *partition,
                             const gls_point *v, double *out) {
    (void)p;
    (void)args;
    gls_exec *x = gls_exec_present(self);
    for (int64_t k = 0; k < partition->groups; k++) out[k] = 0;
    int threads = gls_omp_one();
    gls_status status = gls_storage_take(x);
    for (int u = 0; u < x->graph->uses && status == GLS_OK; u++) {
        const gls_use *use = &x->graph->use[u];
        status = use->kind->inner(x, use, partition, v, out);
    }
    gls_storage_give(x);
    gls_omp_restore(threads);
    return status;
}
