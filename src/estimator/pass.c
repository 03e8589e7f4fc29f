/* A pass: made once for a problem, then run over batches. It has the only parallel loop over examples. */
#include "estimator/pass.h"

#include "base/kernels.h"
#include "base/arith.h"
#include "base/gemm.h"

#include <math.h>
#include <string.h>

gls_status gls_pass_room(gls_context *ctx, void *block, int64_t *room, int64_t wanted, size_t size) {
    void **at = block;
    if (*at && wanted <= *room) return GLS_OK;
    gls_free(ctx, *at);
    *at = gls_alloc(ctx, wanted, size);
    *room = *at ? wanted : 0;
    return *at ? GLS_OK : GLS_ERR_MEMORY;
}

/* Pieces of at most GLS_CHUNK values, no piece across blocks of different kind. */
static gls_status make_pieces(gls_pass *pass, const int64_t *place, gls_pass_piece **out, int64_t *count) {
    const gls_layout *layout = pass->problem->layout;
    int64_t room = 0;
    for (int64_t b = 0; b < gls_layout_count(layout); b++)
        room += gls_parts(gls_layout_block(layout, b)->size, GLS_CHUNK);
    gls_pass_piece *piece = *out = gls_alloc(pass->ctx, room, sizeof **out);
    if (!piece) return GLS_ERR_MEMORY;
    for (int64_t b = 0; b < gls_layout_count(layout); b++) {
        const gls_block *block = gls_layout_block(layout, b);
        for (int64_t i = 0; i < block->size; i += GLS_CHUNK)
            *piece++ = (gls_pass_piece){.at = block->offset + i,
                                        .lane_at = place[b] < 0 ? -1 : place[b] + i,
                                        .length = gls_least(block->size - i, GLS_CHUNK)};
    }
    *count = room;
    return GLS_OK;
}

static gls_status make(gls_pass *pass) {
    gls_problem *p = pass->problem;
    int64_t blocks = gls_layout_count(p->layout), states = gls_layout_size(p->state_layout);
    pass->size = gls_problem_size(p);
    pass->place_full = gls_alloc(pass->ctx, blocks, sizeof(int64_t));
    pass->place_packed = gls_alloc(pass->ctx, blocks, sizeof(int64_t));
    if (!pass->place_full || !pass->place_packed) return GLS_ERR_MEMORY;
    for (int64_t b = 0; b < blocks; b++) pass->place_full[b] = gls_layout_block(p->layout, b)->offset;
    pass->packed = gls_problem_places(p, true, pass->place_packed);
    GLS_TRY(make_pieces(pass, pass->place_full, &pass->piece_full, &pass->pieces_full));
    GLS_TRY(make_pieces(pass, pass->place_packed, &pass->piece_packed, &pass->pieces_packed));
    pass->norm2 = gls_alloc(pass->ctx, pass->pieces_full, sizeof(double));
    pass->met = gls_alloc(pass->ctx, 2 * gls_problem_meet_size(p), sizeof(double));
    if (!pass->norm2 || !pass->met) return GLS_ERR_MEMORY;
    pass->state = gls_alloc(pass->ctx, states, sizeof(gls_real));
    if (!pass->state) return GLS_ERR_MEMORY;
    GLS_TRY(gls_pass_parts_create(pass));
    return gls_point_create(p, &pass->point);
}

static gls_status check_options(const gls_problem *problem, const gls_pass_options *options) {
    gls_context *ctx = problem->ctx;
    if (options->size != sizeof *options)
        return gls_fail(ctx, GLS_ERR_ARGUMENT, "gls_pass_options: size is %zu, this library's is %zu", options->size,
                        sizeof *options);
    if (options->slice < 0 || options->wave < 0 || options->span < 0)
        return gls_fail(ctx, GLS_ERR_ARGUMENT, "pass: slice %lld, wave %lld and span %lld must not be negative",
                        (long long)options->slice, (long long)options->wave, (long long)options->span);
    if (options->span && problem->coupling == GLS_COUPLING_GROUPS && options->span != problem->coupling_group)
        return gls_fail(
            ctx, GLS_ERR_ARGUMENT,
            "pass: span (train.bn_span) is %lld, but '%s' couples groups of %lld (bn_group): give only one of them",
            (long long)options->span, problem->type->member.name, (long long)problem->coupling_group);
    if (options->lanes < 0 || options->lanes > GLS_MAX_LANES || (options->lanes & (options->lanes - 1)))
        return gls_fail(ctx, GLS_ERR_ARGUMENT, "pass: lanes is %lld; expected a power of two up to %d",
                        (long long)options->lanes, GLS_MAX_LANES);
    return GLS_OK;
}

gls_status gls_pass_create(gls_problem *problem, const gls_pass_options *options, gls_pass **out) {
    GLS_GIVEN(problem ? problem->ctx : NULL, problem, out);
    *out = NULL;
    gls_pass_options none = {.size = sizeof(none)};
    if (!options) options = &none;
    GLS_TRY(check_options(problem, options));
    GLS_TRY(gls_gemm_reserve(problem->ctx));
    gls_pass *pass = gls_alloc(problem->ctx, 1, sizeof *pass);
    if (!pass) return GLS_ERR_MEMORY;
    pass->problem = problem;
    pass->ctx = problem->ctx;
    pass->options = *options;
    gls_status status = make(pass);
    if (status != GLS_OK) {
        gls_pass_destroy(pass);
        return status;
    }
    *out = pass;
    return GLS_OK;
}

void gls_pass_destroy(gls_pass *pass) {
    if (!pass) return;
    gls_pass_workspaces_destroy(pass);
    gls_pass_parts_destroy(pass);
    gls_point_destroy(pass->point);
    gls_point_destroy(pass->direction);
    void *block[] = {pass->place_full, pass->place_packed, pass->piece_full, pass->piece_packed, pass->norm2,
                     pass->lanes,      pass->accumulators, pass->message,    pass->worker,       pass->cut,
                     pass->section,    pass->met,          pass->state,      pass->summary,      pass->difference};
    for (size_t i = 0; i < sizeof(block) / sizeof *block; i++) gls_free(pass->ctx, block[i]);
    gls_free(pass->ctx, pass);
}

static gls_status check_request(const gls_pass *pass, const gls_pass_request *request) {
    gls_context *ctx = pass->ctx;
    unsigned gradient = request->product == GLS_PRODUCT_HESSIAN ? GLS_WANT_HESSIAN : GLS_WANT_GRADIENT;
    if ((request->g || request->explicit_slices) && !(request->want & (gradient | GLS_WANT_ORACLE)))
        return gls_fail(ctx, GLS_ERR_ARGUMENT, "pass: a gradient is asked for but not declared in want");
    if ((request->want & GLS_WANT_HESSIAN) && !request->direction)
        return gls_fail(ctx, GLS_ERR_ARGUMENT, "pass: Hessian products need a direction");
    if ((request->weighted || request->explicit_slices) && !request->slice)
        return gls_fail(ctx, GLS_ERR_ARGUMENT, "pass: weights or explicit slices need slice()");
    if (request->weighted && request->explicit_slices)
        return gls_fail(ctx, GLS_ERR_ARGUMENT, "pass: explicit slices are scaled, not weighted");
    if (request->slice_rows < 0)
        return gls_fail(ctx, GLS_ERR_ARGUMENT, "pass: slice_rows is %lld; it must not be negative",
                        (long long)request->slice_rows);
    if (request->cut && request->group)
        return gls_fail(ctx, GLS_ERR_ARGUMENT, "pass: groups are either of one size or cut by a list");
    return GLS_OK;
}

/* The rows of one section, its stages, its questions, its tiles. Ranks agree at the end of a coupled one. */
static gls_status run_section(gls_pass_job *job, int64_t number) {
    gls_pass *pass = job->pass;
    job->section = pass->section[number];
    job->last_section = number == pass->sections - 1;
    gls_status status = GLS_OK;
    if (job->section.count > 0)
        status = job->request->rows->ops->get(job->request->rows, job->section.begin, job->section.rows, &job->batch);
    if (!job->coupled) return status == GLS_OK ? gls_pass_run_section(job) : status;
    job->span_mass = status == GLS_OK && job->section.count > 0 ? gls_batch_mass(&job->batch) : 0;
    if (!job->request->local) status = gls_comm_reduce_double(pass->ctx, GLS_SUM, &job->span_mass, 1, status);
    if (status != GLS_OK) return status;
    status = gls_pass_stages(job);
    if (status == GLS_OK) status = gls_pass_run_section(job);
    return job->request->local ? status : gls_comm_agree(pass->ctx, status);
}

/* All ranks go through the same exchanges in the same order, also when one of them fails: its status travels along. So
 * only what all ranks decide alike, or allocate for the messages, may return before the merge. */
gls_status gls_pass_run(gls_pass *pass, const gls_pass_request *request, gls_pass_result *result) {
    GLS_GIVEN(pass ? pass->ctx : NULL, pass, request, result);
    gls_pass_job job = {.pass = pass, .request = request, .result = result, .factor = 1};
    *result = (gls_pass_result){0};
    job.lane_size = !request->g ? 0 : request->explicit_slices ? pass->size : pass->packed;
    if (!request->w || !request->rows)
        return gls_fail(pass->ctx, GLS_ERR_ARGUMENT, "pass: weights and rows must be given");
    gls_pass_couple(&job);
    job.held = job.coupled || (gls_problem_tiles(pass->problem) > 0 && request->g && !request->explicit_slices);
    job.team = gls_pass_wants_team(&job);
    GLS_TRY(gls_pass_message(pass, request));
    GLS_TRY(gls_pass_state_begin(&job));
    GLS_TRY(gls_pass_parts_begin(&job));
    pass->tile_seconds = 0;
    gls_status status = check_request(pass, request);
    if (status == GLS_OK) status = gls_point_set(pass->point, request->w);
    if (status == GLS_OK) status = gls_pass_cut(&job);
    if (status == GLS_OK) status = gls_pass_workspace(&job);
    if (status == GLS_OK) status = gls_pass_lanes(&job);
    if (!request->local && job.coupled) status = gls_comm_agree(pass->ctx, status);
    for (int64_t s = 0; status == GLS_OK && s < pass->sections; s++) status = run_section(&job, s);
    status = gls_pass_state_end(&job, status);
    return gls_pass_merge(&job, status);
}

gls_pass_options gls_pass_plan(const gls_pass *pass, int64_t rows) {
    if (!pass) return (gls_pass_options){0};
    int64_t ranks = gls_comm_size(gls_context_comm(pass->ctx));
    gls_shapes shapes = gls_pass_shapes(pass, gls_parts(rows, ranks), false);
    gls_pass_options plan = pass->options;
    plan.slice = shapes.slice;
    plan.wave = shapes.wave;
    plan.lanes = shapes.lanes;
    return plan;
}

const gls_real *gls_pass_state_next(const gls_pass *pass) {
    if (!pass) return NULL;
    return pass->state_made ? pass->state : NULL;
}
