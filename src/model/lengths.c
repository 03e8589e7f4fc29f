/* Graphs and executions for shorter rows. Nodes, uses, parameters and packed weights are the same by number; only the
 * positions are fewer. */
#include "model/lengths.h"

#include <string.h>

#include "base/arith.h"
#include "base/context.h"
#include "model/op.h"

enum { PARTS = 8 }; /* lengths are that many parts of the whole */

struct gls_network_lengths {
    int count;
    gls_data_info info[PARTS - 1]; /* rising by length */
    gls_graph *graph[PARTS - 1];
};

/* token to label: [rows, length], x: [rows, features], NULL where the batch has none. */
struct gls_exec_lengths {
    gls_exec *exec[PARTS - 1], *present;
    gls_batch batch;
    gls_evaluate_args args;
    int32_t *token, *document, *label;
    gls_real *x;
};

/* ---- graphs ---- */

static bool leaves_padding(const gls_graph *g) {
    const unsigned flags = GLS_OP_BY_POSITION | GLS_OP_STILL | GLS_OP_NO_PADDING;
    for (int i = 1; i < g->nodes; i++)
        if (!(g->node[i].op->flags & flags) && !g->node[i].op->growth) return false;
    return true;
}

static gls_data_info shorten(const gls_data_info *data, int64_t length) {
    gls_data_info info = *data;
    info.length = length;
    if (!data->vocabulary) {
        info.features = data->features / data->length * length;
        info.shape[0] = length;
    }
    if (data->target == GLS_TARGET_SPAN) info.classes = length;
    return info;
}

static bool same_nodes(const gls_graph *a, const gls_graph *b) {
    if (a->nodes != b->nodes || a->uses != b->uses) return false;
    for (int i = 0; i < a->nodes; i++) {
        const gls_node *m = &a->node[i], *n = &b->node[i];
        if (m->op != n->op || m->impl != n->impl) return false;
        if (m->impl && m->impl->pack && m->impl->pack_bytes(m) != n->impl->pack_bytes(n)) return false;
    }
    return true;
}

/* *fits: whether the network can be made for rows of that length with the parameters that it has. */
static gls_status make(gls_network *net, const gls_family *family, const void *options, int64_t length, bool *fits) {
    gls_network_lengths *all = net->shorter;
    gls_problem *p = net->problem;
    int at = all->count;
    all->info[at] = shorten(&p->data, length);
    gls_status status = gls_graph_create(p->ctx, p->layout, p->state_layout, &all->info[at], &all->graph[at]);
    gls_graph *g = all->graph[at];
    if (status == GLS_OK) {
        g->whole = net->graph;
        g->init = net->graph->init;
        status = family->build(g, options);
    }
    if (status == GLS_OK) status = gls_graph_finish(g);
    *fits = status == GLS_OK && same_nodes(g, net->graph);
    all->count += *fits;
    if (!*fits) gls_graph_destroy(g);
    if (!*fits) all->graph[at] = NULL;
    return status == GLS_ERR_MEMORY ? status : GLS_OK;
}

/* Lengths that fail, such as those shorter than what a layer takes, are left out. */
gls_status gls_network_lengths_create(gls_network *net, const gls_family *family, const void *options) {
    const gls_data_info *data = &net->problem->data;
    if (data->documents != GLS_DOCUMENTS_PADDED || !leaves_padding(net->graph)) return GLS_OK;
    net->shorter = gls_alloc(net->problem->ctx, 1, sizeof *net->shorter);
    if (!net->shorter) return GLS_ERR_MEMORY;
    *net->shorter = (gls_network_lengths){0};
    for (int64_t k = 1, before = 0; k < PARTS; k++) {
        int64_t length = gls_parts(k * data->length, PARTS);
        bool fits = false;
        if (length > before && length < data->length) GLS_TRY(make(net, family, options, length, &fits));
        before = length;
    }
    if (net->shorter->count == 0) gls_network_lengths_destroy(net);
    return GLS_OK;
}

gls_status gls_network_lengths_finish_stored(gls_network *net) {
    bool any;
    for (int k = 0; net->shorter && k < net->shorter->count; k++)
        GLS_TRY(gls_graph_finish_stored(net->shorter->graph[k], net->graph->native, &any));
    return GLS_OK;
}

void gls_network_lengths_destroy(gls_network *net) {
    if (!net->shorter) return;
    for (int k = 0; k < net->shorter->count; k++) gls_graph_destroy(net->shorter->graph[k]);
    gls_free(net->problem->ctx, net->shorter);
    net->shorter = NULL;
}

/* ---- executions ---- */

gls_status gls_exec_lengths_create(gls_exec *x) {
    const gls_network_lengths *lengths = x->net->shorter;
    const gls_data_info *data = x->graph->data;
    const gls_memory_plan *plan = x->plan;
    if (!lengths || x->growth) return GLS_OK;
    gls_exec_lengths *s = x->shorter = gls_alloc(x->ctx, 1, sizeof *s);
    if (!s) return GLS_ERR_MEMORY;
    *s = (gls_exec_lengths){.present = x};
    int64_t positions = plan->max_rows * data->length;
    s->token = gls_alloc(x->ctx, 3 * positions, sizeof *s->token);
    s->x = gls_alloc(x->ctx, data->vocabulary ? 0 : plan->max_rows * data->features, sizeof *s->x);
    if (!s->token || !s->x) return GLS_ERR_MEMORY;
    s->document = s->token + positions;
    s->label = s->document + positions;
    for (int k = 0; k < lengths->count; k++)
        GLS_TRY(gls_exec_create(x->net, lengths->graph[k], x, plan->max_rows, plan->want, plan->mode, &s->exec[k]));
    return GLS_OK;
}

void gls_exec_lengths_destroy(gls_exec *x) {
    gls_exec_lengths *s = x->shorter;
    if (!s) return;
    for (int k = 0; k < PARTS - 1; k++) gls_exec_destroy(s->exec[k]);
    gls_free(x->ctx, s->token);
    gls_free(x->ctx, s->x);
    gls_free(x->ctx, s);
    x->shorter = NULL;
}

gls_exec *gls_exec_present(gls_exec *x) {
    return x->shorter ? x->shorter->present : x;
}

/* Positions of the longest row, of its labels too. */
static int64_t longest(const gls_batch *rows) {
    int64_t most = 1;
    for (int64_t r = 0; r < rows->rows; r++) {
        const int32_t *document = rows->document + r * rows->length;
        const int32_t *label =
            rows->label && gls_target_by_position(rows->target) ? rows->label + r * rows->length : NULL;
        int64_t n = rows->length;
        while (n > most && document[n - 1] < 0 && (!label || label[n - 1] < 0)) n--;
        most = n > most ? n : most;
    }
    return most;
}

/* Of every row the first `length` of its positions, of `each` bytes. */
static void cut(void *to, const void *from, int64_t rows, int64_t all, int64_t length, size_t each) {
    for (int64_t r = 0; r < rows; r++)
        memcpy((char *)to + (size_t)(r * length) * each, (const char *)from + (size_t)(r * all) * each,
               (size_t)length * each);
}

static void cut_batch(gls_exec_lengths *s, const gls_batch *rows, const gls_data_info *info) {
    int64_t all = rows->length, n = info->length, count = rows->rows;
    gls_batch *batch = &s->batch;
    *batch = *rows;
    batch->length = n;
    if (rows->token) cut(s->token, rows->token, count, all, n, sizeof *s->token);
    batch->token = rows->token ? s->token : NULL;
    cut(s->document, rows->document, count, all, n, sizeof *s->document);
    batch->document = s->document;
    if (rows->label && gls_target_by_position(rows->target)) {
        cut(s->label, rows->label, count, all, n, sizeof *s->label);
        batch->label = s->label;
    }
    if (!rows->x) return;
    cut(s->x, rows->x, count, all, n, (size_t)(info->features / n) * sizeof *s->x);
    batch->x = s->x;
    batch->features = info->features;
}

/* Outputs of spans are by position the other way round, and are not put together again from shorter rows. */
gls_exec *gls_exec_choose(gls_exec *x, const gls_evaluate_args *args) {
    gls_exec_lengths *s = x->shorter;
    const gls_batch *rows = args->rows;
    if (!s) return x;
    s->present = x;
    bool spans = x->graph->data->target == GLS_TARGET_SPAN && (args->want & GLS_WANT_OUTPUTS);
    if (!rows->document || rows->row || spans) return x;
    int64_t needed = longest(rows);
    const gls_network_lengths *lengths = x->net->shorter;
    for (int k = 0; k < lengths->count; k++) {
        if (lengths->info[k].length < needed) continue;
        cut_batch(s, rows, &lengths->info[k]);
        s->present = s->exec[k];
        break;
    }
    return s->present;
}

const gls_evaluate_args *gls_exec_present_args(gls_exec *x, const gls_evaluate_args *args) {
    gls_exec_lengths *s = x->shorter;
    if (!s || s->present == x) return args;
    s->args = *args;
    s->args.rows = &s->batch;
    return &s->args;
}
