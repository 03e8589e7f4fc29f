/* Whole sets in order. Carried state is that of the pass over the set: it begins as a new problem's does, and nobody
 * else sees it. */
#include "estimator/streams.h"

#include <string.h>

#include "base/arith.h"
#include "data/source.h"
#include "estimator/pass.h"

bool gls_pass_carries(const gls_problem *p, const gls_data_info *info) {
    for (int64_t b = 0; info->streams > 0 && b < gls_layout_count(p->state_layout); b++)
        if (gls_layout_block(p->state_layout, b)->flags & GLS_BLOCK_BY_SLOT) return true;
    return false;
}

/* The problem's state, but with the blocks by slot of a new problem; from gls_alloc. */
static gls_status first_state(gls_problem *p, gls_real **out) {
    int64_t size = gls_layout_size(p->state_layout);
    gls_real *state = *out = gls_alloc(p->ctx, size, sizeof *state);
    if (!state) return GLS_ERR_MEMORY;
    if (p->type->initialize_state) GLS_TRY(p->type->initialize_state(p, state));
    for (int64_t b = 0; b < gls_layout_count(p->state_layout); b++) {
        const gls_block *block = gls_layout_block(p->state_layout, b);
        if (block->flags & GLS_BLOCK_BY_SLOT) continue;
        memcpy(state + block->offset, p->state + block->offset, (size_t)block->size * sizeof *state);
    }
    return GLS_OK;
}

/* Where a mini-batch's outputs go. */
typedef struct collection {
    gls_real *out;
    int64_t outputs;
} collection;

static gls_status collect(void *user, gls_slice *slice) {
    const collection *c = user;
    return gls_ask_outputs(slice->evaluation, c->out + slice->first * c->outputs);
}

static void add(gls_pass_result *sum, const gls_pass_result *one) {
    sum->loss += one->loss;
    sum->mass += one->mass;
    sum->rows += one->rows;
    for (int k = 0; k < 4; k++) sum->score[k] += one->score[k];
}

/* One mini-batch: row k of every stream that has one. */
static gls_status run_part(gls_pass *pass, gls_loader *loader, const int64_t *index, int64_t count,
                           gls_pass_request *request, collection *c, gls_pass_result *result) {
    gls_pass_result one;
    collection own = *c;
    GLS_TRY(gls_loader_push(loader, index, count, 0));
    gls_status status = gls_loader_front(loader, &request->rows);
    if (status == GLS_OK && own.out) {
        own.out += (index[0] + request->rows->first) * own.outputs;
        request->user = &own;
    }
    if (status == GLS_OK) status = gls_pass_run(pass, request, &one);
    gls_loader_pop(loader);
    if (status == GLS_OK) add(result, &one);
    return status;
}

static gls_status run_parts(gls_pass *pass, const gls_data_info *info, gls_loader *loader, gls_pass_request *request,
                            collection c, gls_pass_result *result) {
    gls_real *state = NULL;
    int64_t *index = gls_alloc(pass->ctx, info->streams, sizeof *index);
    gls_status status = index ? first_state(pass->problem, &state) : GLS_ERR_MEMORY;
    request->state = state;
    *result = (gls_pass_result){0};
    for (int64_t begin = 0; status == GLS_OK && begin < info->examples; begin += info->streams) {
        int64_t count = gls_least(info->examples - begin, info->streams);
        for (int64_t i = 0; i < count; i++) index[i] = begin + i;
        status = run_part(pass, loader, index, count, request, &c, result);
    }
    gls_free(pass->ctx, index);
    gls_free(pass->ctx, state);
    return status;
}

gls_status gls_pass_run_whole(gls_pass *pass, const gls_data_info *info, gls_loader *loader,
                              const gls_pass_request *request, gls_pass_result *result) {
    gls_pass_request own = *request;
    if (gls_pass_carries(pass->problem, info)) return run_parts(pass, info, loader, &own, (collection){0}, result);
    GLS_TRY(gls_loader_whole(loader, &own.rows));
    return gls_pass_run(pass, &own, result);
}

gls_status gls_pass_outputs_whole(gls_pass *pass, const gls_data_info *info, gls_loader *loader, const gls_real *w,
                                  gls_real *out) {
    if (!gls_pass_carries(pass->problem, info)) {
        gls_stream *rows;
        GLS_TRY(gls_loader_whole(loader, &rows));
        return gls_pass_outputs(pass, w, rows, out);
    }
    gls_comm *comm = gls_context_comm(pass->ctx);
    int64_t k = pass->problem->outputs, values = info->examples * k;
    for (int64_t i = 0; gls_comm_size(comm) > 1 && i < values; i++) out[i] = (gls_real)-0.0; /* as gls_pass_outputs */
    gls_pass_request request = {.w = w, .want = GLS_WANT_OUTPUTS, .mode = GLS_MODE_EVALUATE, .slice = collect};
    gls_pass_result result;
    gls_status status = run_parts(pass, info, loader, &request, (collection){out, k}, &result);
    return gls_comm_size(comm) > 1 ? gls_comm_reduce_real(pass->ctx, GLS_SUM, out, values, status) : status;
}
