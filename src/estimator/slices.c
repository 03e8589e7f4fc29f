/* The slices of one section: evaluated (unless the stages of a coupled problem did that), asked, added to their lanes;
 * then the tiles, over all slices of the section. */
#include "estimator/pass.h"

#include "base/kernels.h"

#include <sched.h>
#include <string.h>

/* Where a slice's evaluation lies in the workspace. */
static int64_t place(const gls_run *run, int64_t slice) {
    return run->held ? slice - run->section.first : (slice - run->section.first) % run->shapes.lanes;
}

void gls_pass_arguments(const gls_run *run, int64_t slice, gls_evaluate_args *args) {
    const gls_pass_request *request = run->request;
    const gls_cut *cut = &run->pass->cut[slice];
    gls_pass *pass = run->pass;
    const gls_problem *p = pass->problem;
    gls_batch *rows = &run->work->rows[place(run, slice)];
    int64_t first = request->rows->first + cut->begin, number = run->span > 0 ? first / run->span : 0;
    bool whole = !run->coupled && run->span > 0;
    *rows = gls_batch_view(&run->batch, cut->begin - run->section.begin, cut->rows);
    *args = (gls_evaluate_args){.point = run->pass->point,
                                .rows = rows,
                                .want = request->want,
                                .mode = request->mode,
                                .direction = request->direction,
                                .state = p->state,
                                .state_next = run->state_moves ? pass->state : NULL,
                                .summary = run->state_moves ? pass->summary + number * p->summary : NULL,
                                .leader = whole || first == run->section.span_begin,
                                .span = whole ? run->span : 0,
                                .batch_mass = run->span_mass,
                                .batch_rows = run->section.span_rows,
                                .seed = gls_context_seed(run->pass->ctx)};
}

static gls_partition partition(const gls_run *run, int64_t slice) {
    const gls_pass_request *request = run->request;
    const gls_cut *cut = &run->pass->cut[slice];
    int32_t *group = run->work->group + place(run, slice) * run->work->max_rows;
    int64_t g = 0, end = request->cut ? request->cut[cut->group + 1] : 0;
    for (int64_t i = 0; i < cut->rows && cut->groups > 0; i++) {
        if (request->group) g = i / request->group;
        while (request->cut && cut->begin + i >= end) end = request->cut[cut->group + ++g + 1];
        group[i] = (int32_t)g;
    }
    return (gls_partition){.groups = cut->groups, .group = group};
}

/* A lane's first slice makes its gradient in the lane itself (zero by now); the others in the worker's vector. */
static gls_status own_gradient(gls_run *run, gls_slice *slice, gls_real *lane, int worker) {
    gls_pass *pass = run->pass;
    slice->gradient = lane ? lane : pass->worker + 2 * pass->size * worker;
    if (!lane) memset(slice->gradient, 0, (size_t)pass->size * sizeof(gls_real));
    return gls_ask_gradient(slice->evaluation, run->request->product, NULL, slice->gradient);
}

static void add_own(const gls_run *run, const gls_slice *slice, gls_real *lane) {
    int64_t d = run->pass->size;
    if (slice->gradient != lane && slice->scale != 0) gls_axpy(lane, slice->scale, slice->gradient, d);
    if (slice->gradient == lane && slice->scale == 0) gls_fill(lane, 0, d); /* what was not finite is gone */
    if (slice->gradient == lane && slice->scale != 0 && slice->scale != 1) gls_scale(lane, slice->scale, d);
}

/* The questions that every slice is put, in an order that lets the short way give value and gradient together. */
static gls_status ask(gls_run *run, int64_t number, int worker) {
    gls_pass *pass = run->pass;
    const gls_pass_request *request = run->request;
    const gls_cut *cut = &pass->cut[number];
    int64_t at = place(run, number);
    gls_lane *lane = &pass->lane[number % run->shapes.lanes];
    gls_real *to = pass->lanes + (number % run->shapes.lanes) * run->lane_size;
    gls_sink sink = {to, pass->place_packed};
    gls_slice slice = {.evaluation = run->work->evaluation[at],
                       .rows = &run->work->rows[at],
                       .number = number,
                       .first = cut->begin,
                       .group = cut->group,
                       .mass = gls_batch_mass(&run->work->rows[at]),
                       .weights = run->work->weights + at * run->work->max_rows,
                       .sum = lane->sum,
                       .min = lane->min,
                       .max = lane->max,
                       .scale = 1,
                       .scratch = request->scratch ? pass->worker + 2 * pass->size * worker + pass->size : NULL};
    bool first = request->g && number < run->shapes.lanes;
    if (first) gls_fill(to, 0, run->lane_size);
    if (request->slice) slice.groups = partition(run, number);
    if (request->explicit_slices)
        GLS_TRY(own_gradient(run, &slice, first ? to : NULL, worker));
    else if (request->g && !request->weighted)
        GLS_TRY(gls_evaluation_gradient(slice.evaluation, request->product, NULL, &sink));
    double loss, score[4] = {0};
    GLS_TRY(gls_ask_loss(slice.evaluation, &loss));
    if (request->want & GLS_WANT_SCORES) GLS_TRY(gls_ask_scores(slice.evaluation, score));
    lane->loss += loss;
    lane->mass += slice.mass;
    for (int k = 0; k < 4; k++) lane->score[k] += score[k];
    if (request->slice) GLS_TRY(request->slice(request->user, &slice));
    if (request->g && request->weighted)
        GLS_TRY(gls_evaluation_gradient(slice.evaluation, request->product, slice.weights, &sink));
    if (request->g && request->explicit_slices) add_own(run, &slice, to);
    return GLS_OK;
}

/* Tasks are dealt in ascending order, so the slice waited for has begun. */
static void wait_for_lane(gls_lane *lane, int64_t turn) {
    while (atomic_load_explicit(&lane->done, memory_order_acquire) < turn) sched_yield();
}

static gls_status slice_task(void *user, int64_t task, int worker) {
    gls_run *run = user;
    int64_t number = run->section.first + task;
    /* Slices of a section need not begin at lane 0: the turn counts those of the section alone. */
    gls_lane *lane = &run->pass->lane[number % run->shapes.lanes];
    wait_for_lane(lane, task / run->shapes.lanes);
    gls_status status = GLS_OK;
    if (!run->coupled) {
        gls_evaluate_args args;
        gls_pass_arguments(run, number, &args);
        status = gls_evaluate(run->work->evaluation[place(run, number)], &args);
    }
    if (status == GLS_OK) status = ask(run, number, worker);
    atomic_fetch_add_explicit(&lane->done, 1, memory_order_release);
    return status;
}

static gls_status all_slices_task(void *user, int64_t task, int worker) {
    gls_run *run = user;
    for (int64_t slice = 0; slice < run->section.count; slice++) GLS_TRY(slice_task(user, slice, worker));
    return GLS_OK;
}

static gls_status tile_task(void *user, int64_t tile, int worker) {
    const gls_run *run = user;
    gls_problem *p = run->pass->problem;
    const gls_workspace *work = run->work;
    return p->type->gradient_tile(p, work->self, work->args, run->section.count, run->request->product,
                                  run->request->weighted ? work->weight : NULL, tile, run->request->g);
}

static gls_status all_tiles_task(void *user, int64_t task, int worker) {
    const gls_run *run = user;
    for (int64_t tile = 0; tile < gls_problem_tiles(run->pass->problem); tile++) GLS_TRY(tile_task(user, tile, worker));
    return GLS_OK;
}

gls_status gls_pass_section(gls_run *run) {
    gls_pass *pass = run->pass;
    bool serial = pass->problem->serial;
    if (run->section.count == 0) return GLS_OK;
    for (int64_t k = 0; k < run->shapes.lanes; k++) atomic_store(&pass->lane[k].done, 0);
    if (serial)
        GLS_TRY(gls_parallel(pass->ctx, 1, all_slices_task, run));
    else
        GLS_TRY(gls_parallel(pass->ctx, run->section.count, slice_task, run));
    if (!run->request->g || run->request->explicit_slices) return GLS_OK;
    int64_t tiles = gls_problem_tiles(pass->problem);
    return serial ? gls_parallel(pass->ctx, 1, all_tiles_task, run) : gls_parallel(pass->ctx, tiles, tile_task, run);
}
