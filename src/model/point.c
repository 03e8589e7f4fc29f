/* Points of a network: weights packed for their implementations, and for products in bf16 a second time, rounded. */
#include <string.h>

#include "base/arith.h"
#include "base/context.h"
#include "base/kernels.h"
#include "model/network.h"
#include "model/op.h"
#include "model/storage.h"
#include "model/use.h"

/* ---- creation ---- */

static void packed_destroy(gls_context *ctx, const gls_graph *g, void **packed) {
    for (int i = 0; packed && i < g->nodes; i++) gls_free(ctx, packed[i]);
    gls_free(ctx, packed);
}

/* Who packs a node's weights, for plans that store narrow or not. */
static const gls_op_impl *packs(const gls_node *node, gls_storage storage) {
    const gls_op_impl *impl = gls_node_impl(node, storage);
    return impl->pack ? impl : NULL;
}

static gls_status packed_create(gls_context *ctx, const gls_graph *g, gls_storage storage, void ***out) {
    void **packed = *out = gls_alloc(ctx, g->nodes, sizeof *packed);
    if (!packed) return GLS_ERR_MEMORY;
    for (int i = 0; i < g->nodes; i++) {
        const gls_op_impl *impl = packs(&g->node[i], storage);
        if (!impl) continue;
        packed[i] = gls_alloc(ctx, impl->pack_bytes(&g->node[i]), 1);
        if (!packed[i]) return GLS_ERR_MEMORY;
    }
    return GLS_OK;
}

void gls_network_point_destroy(gls_problem *p, void *prepared) {
    const gls_graph *g = ((gls_network *)p->self)->graph;
    gls_network_point *point = prepared;
    if (!point) return;
    packed_destroy(p->ctx, g, point->full.packed);
    packed_destroy(p->ctx, g, point->rounded.packed);
    gls_free(p->ctx, point->copy);
    gls_free(p->ctx, point);
}

static gls_status create(gls_problem *p, gls_network_point *point) {
    const gls_network *net = p->self;
    GLS_TRY(packed_create(p->ctx, net->graph, GLS_STORAGE_REAL, &point->full.packed));
    if (net->storage == GLS_STORAGE_REAL) return GLS_OK;
    point->rounded.w = point->copy = gls_alloc(p->ctx, gls_problem_size(p), sizeof *point->copy);
    return point->copy ? packed_create(p->ctx, net->graph, net->storage, &point->rounded.packed) : GLS_ERR_MEMORY;
}

gls_status gls_network_point_create(gls_problem *p, void **prepared) {
    gls_network_point *point = gls_alloc(p->ctx, 1, sizeof *point);
    if (!point) return GLS_ERR_MEMORY;
    *point = (gls_network_point){0};
    gls_status status = create(p, point);
    if (status == GLS_OK)
        *prepared = point;
    else
        gls_network_point_destroy(p, point);
    return status;
}

gls_status gls_network_point_check(const gls_exec *x, const gls_point *point) {
    const gls_network_point *prepared = gls_point_prepared(point);
    if (x->plan->storage == GLS_STORAGE_REAL || prepared->copy) return GLS_OK;
    return gls_fail(x->ctx, GLS_ERR_ARGUMENT, "a point made before the problem's precision was set is of no use to it");
}

/* ---- setting ---- */

typedef struct job {
    const gls_graph *g;
    gls_network_point *point;
    const gls_real *w;
} job;

/* Whether an op reads the copy of this block: packing for products of what is stored rounds by itself. */
static bool is_read(const gls_graph *g, int64_t block) {
    for (int i = 1; i < g->nodes; i++) {
        const gls_node *node = &g->node[i];
        bool packed = node->stored && node->stored->pack;
        for (int k = packed ? 1 : 0; k < node->op->blocks; k++)
            if (node->block[k] == block) return true;
    }
    return false;
}

/* Whether a block is an operand of products, at all of its places. */
static bool multiplies(const gls_graph *g, int64_t block) {
    for (int u = 0; u < g->uses; u++)
        if (g->use[u].block == block && g->use[u].kind->product) return true;
    return false;
}

/* Chunk `task` of the copy, block by block. */
static gls_status round_task(void *user, int64_t task, int worker) {
    (void)worker;
    const job *j = user;
    const gls_layout *layout = j->g->layout;
    int64_t begin = task * GLS_CHUNK, end = gls_least(begin + GLS_CHUNK, gls_layout_size(layout));
    for (int64_t b = 0; b < gls_layout_count(layout); b++) {
        const gls_block *block = gls_layout_block(layout, b);
        int64_t from = block->offset > begin ? block->offset : begin, to = gls_least(block->offset + block->size, end);
        if (from >= to || !is_read(j->g, b)) continue;
        memcpy(j->point->copy + from, j->w + from, (size_t)(to - from) * sizeof *j->w);
        if (multiplies(j->g, b)) gls_storage_round(j->point->copy + from, to - from);
    }
    return GLS_OK;
}

static gls_status pack_task(void *user, int64_t task, int worker) {
    (void)worker;
    const job *j = user;
    const gls_node *node = &j->g->node[task];
    const gls_op_impl *full = packs(node, GLS_STORAGE_REAL), *rounded = packs(node, GLS_STORAGE_BF16);
    if (full) GLS_TRY(full->pack(j->g, node, j->w, j->point->full.packed[task]));
    if (!rounded || !j->point->copy) return GLS_OK;
    const gls_real *from = rounded == node->stored ? j->w : j->point->copy;
    return rounded->pack(j->g, node, from, j->point->rounded.packed[task]);
}

gls_status gls_network_point_set(gls_problem *p, void *prepared, const gls_real *w) {
    const gls_graph *g = ((gls_network *)p->self)->graph;
    job j = {g, prepared, w};
    bool any = false;
    j.point->full.w = w;
    if (j.point->copy) GLS_TRY(gls_parallel(p->ctx, gls_parts(gls_layout_size(g->layout), GLS_CHUNK), round_task, &j));
    for (int i = 0; i < g->nodes; i++)
        any |= packs(&g->node[i], GLS_STORAGE_REAL) || (j.point->copy && packs(&g->node[i], GLS_STORAGE_BF16));
    return any ? gls_parallel(p->ctx, g->nodes, pack_task, &j) : GLS_OK;
}
