/* The slices of one section: evaluated (unless the stages of a coupled problem did that), asked, added to their lanes;
 * then the tiles, over all slices of the section. */
#include "estimator/pass.h"

#include "base/arith.h"
#include "base/clock.h"
#include "base/kernels.h"
#include "base/parallel.h"

#include <math.h>
#include <sched.h>
#include <string.h>

/* The number of a slice's evaluation in the workspace: its own if all are held, else one that no slice has just now,
 * until it is left. There is one for each that may be at work. */
static int64_t take_place(gls_pass_job *job, int64_t slice) {
    if (job->held) return slice - job->section.first;
    uint_fast64_t taken = atomic_load(&job->taken), with;
    do with = taken | (taken + 1);
    while (!atomic_compare_exchange_weak(&job->taken, &taken, with));
    return __builtin_ctzll(~(unsigned long long)taken);
}

static void leave_place(gls_pass_job *job, int64_t at) {
    if (!job->held) atomic_fetch_and(&job->taken, ~((uint_fast64_t)1 << at));
}

/* whole: the slice holds whole spans by itself, so it leads each and names their length. Else the slice with the span's
 * first row leads: it writes the span's summary for all. */
void gls_pass_arguments(const gls_pass_job *job, int64_t slice, int64_t at, gls_evaluate_args *args) {
    const gls_pass_request *request = job->request;
    const gls_cut *cut = &job->pass->cut[slice];
    gls_pass *pass = job->pass;
    const gls_problem *p = pass->problem;
    gls_batch *rows = &job->work->rows[at];
    int64_t first = request->rows->first + cut->begin, number = job->span > 0 ? first / job->span : 0;
    bool whole = !job->coupled && job->span > 0;
    *rows = gls_batch_view(&job->batch, cut->begin - job->section.begin, cut->rows);
    *args = (gls_evaluate_args){.point = job->pass->point,
                                .rows = rows,
                                .want = request->want,
                                .mode = request->mode,
                                .direction = request->direction,
                                .state = job->state,
                                .state_next = job->state_moves ? pass->state : NULL,
                                .summary = job->state_moves ? pass->summary + number * p->summary : NULL,
                                .leader = whole || first == job->section.span_begin,
                                .span = whole ? job->span : 0,
                                .batch_mass = job->span_mass,
                                .batch_rows = job->section.span_rows,
                                .seed = gls_context_seed(job->pass->ctx)};
}

static gls_partition partition(const gls_pass_job *job, int64_t slice, int64_t at) {
    const gls_pass_request *request = job->request;
    const gls_cut *cut = &job->pass->cut[slice];
    int32_t *group = job->work->group + at * job->work->max_rows;
    int64_t g = 0, end = request->cut ? request->cut[cut->group + 1] : 0;
    for (int64_t i = 0; i < cut->rows && cut->groups > 0; i++) {
        if (request->group) g = i / request->group;
        while (request->cut && cut->begin + i >= end) end = request->cut[cut->group + ++g + 1];
        group[i] = (int32_t)g;
    }
    return (gls_partition){.groups = cut->groups, .group = group};
}

/* What every slice is asked, added up over its parts. */
typedef struct answers {
    double loss, score[GLS_MAX_SCORES];
} answers;

static gls_status ask_sums(const gls_pass_job *job, gls_evaluation *evaluation, answers *to) {
    double loss = 0, score[GLS_MAX_SCORES] = {0};
    if (gls_want_loss(job->request->want)) GLS_TRY(gls_ask_loss(evaluation, &loss));
    if (job->request->want & GLS_WANT_SCORES) GLS_TRY(gls_ask_scores(evaluation, score));
    to->loss += loss;
    for (int k = 0; k < GLS_MAX_SCORES; k++) to->score[k] += score[k];
    return GLS_OK;
}

static gls_status ask_part(const gls_pass_job *job, gls_slice *part, answers *to) {
    const gls_pass_request *request = job->request;
    if (request->part) GLS_TRY(request->part(request->user, part));
    GLS_TRY(gls_ask_gradient(part->evaluation, request->product, NULL, part->gradient));
    return ask_sums(job, part->evaluation, to);
}

/* Evaluated part by part, each as long as a slice of the plan; the parts' gradients are added up. */
static gls_status ask_parts(gls_pass_job *job, const gls_slice *slice, int64_t at, answers *to) {
    for (int64_t begin = 0; begin < slice->rows->rows; begin += job->shapes.slice) {
        gls_evaluate_args args;
        gls_batch rows = gls_batch_view(slice->rows, begin, gls_least(slice->rows->rows - begin, job->shapes.slice));
        gls_pass_arguments(job, slice->number, at, &args);
        args.rows = &rows;
        GLS_TRY(gls_evaluate(slice->evaluation, &args));
        gls_slice part = *slice;
        part.rows = &rows;
        part.first += begin;
        GLS_TRY(ask_part(job, &part, to));
    }
    return GLS_OK;
}

/* A lane's first slice makes its gradient in the lane itself (zero by now); the others in the worker's vector. */
static gls_status own_gradient(gls_pass_job *job, gls_slice *slice, int64_t at, gls_real *lane, int worker,
                               answers *to) {
    gls_pass *pass = job->pass;
    slice->gradient = lane ? lane : pass->worker + 2 * pass->size * worker;
    if (!lane) memset(slice->gradient, 0, (size_t)pass->size * sizeof(gls_real));
    return job->divided ? ask_parts(job, slice, at, to) : ask_part(job, slice, to);
}

static void add_own(const gls_pass_job *job, const gls_slice *slice, gls_real *lane) {
    int64_t d = job->pass->size;
    if (slice->gradient != lane && slice->scale != 0) gls_axpy(lane, slice->scale, slice->gradient, d);
    if (slice->gradient == lane && slice->scale == 0) gls_fill(lane, 0, d); /* what was not finite is gone */
    if (slice->gradient == lane && slice->scale != 0 && slice->scale != 1) gls_scale(lane, slice->scale, d);
}

static void take_sums(gls_lane *lane, const answers *sums, double mass) {
    lane->loss += sums->loss;
    lane->mass += mass;
    for (int k = 0; k < GLS_MAX_SCORES; k++) lane->score[k] += sums->score[k];
}

/* The questions put to every slice. The gradient comes before the loss: a problem with a short way then gives both. */
static gls_status ask(gls_pass_job *job, int64_t number, int64_t at, int worker) {
    gls_pass *pass = job->pass;
    const gls_pass_request *request = job->request;
    const gls_cut *cut = &pass->cut[number];
    gls_lane *lane = &pass->lane[number % job->shapes.lanes];
    gls_real *to = pass->lanes + (number % job->shapes.lanes) * job->lane_size;
    gls_sink sink = {to, pass->place_packed};
    gls_slice slice = {.evaluation = job->work->evaluation[at],
                       .rows = &job->work->rows[at],
                       .number = number,
                       .first = cut->begin,
                       .group = cut->group,
                       .mass = gls_batch_mass(&job->work->rows[at]),
                       .weights = job->work->weights + at * job->work->max_rows,
                       .sum = lane->sum,
                       .min = lane->min,
                       .max = lane->max,
                       .scale = 1,
                       .scratch = request->scratch ? pass->worker + 2 * pass->size * worker + pass->size : NULL};
    bool first = request->g && number < job->shapes.lanes;
    if (first) gls_fill(to, 0, job->lane_size);
    /* Norms may leave what the gradient is made of. */
    bool early = request->slice && (request->want & GLS_WANT_NORMS) && !request->weighted && !request->explicit_slices;
    answers sums = {.loss = gls_want_loss(request->want) ? 0 : NAN};
    if (request->slice && !job->divided) slice.groups = partition(job, number, at);
    if (early) GLS_TRY(request->slice(request->user, &slice));
    if (request->explicit_slices)
        GLS_TRY(own_gradient(job, &slice, at, first ? to : NULL, worker, &sums));
    else if (request->g && !request->weighted)
        GLS_TRY(gls_evaluation_gradient(slice.evaluation, request->product, NULL, &sink));
    if (!request->explicit_slices) GLS_TRY(ask_sums(job, slice.evaluation, &sums));
    take_sums(lane, &sums, slice.mass);
    if (request->slice && !early) GLS_TRY(request->slice(request->user, &slice));
    if (request->g && request->weighted)
        GLS_TRY(gls_evaluation_gradient(slice.evaluation, request->product, slice.weights, &sink));
    if (request->g && request->explicit_slices) add_own(job, &slice, to);
    return GLS_OK;
}

/* Threads take tasks in ascending order, so the lane's previous slice is done or runs on another thread; that one waits
 * for none after it. The wait is therefore bounded by the work of slices that have begun. */
static void wait_for_lane(gls_lane *lane, int64_t turn) {
    while (atomic_load_explicit(&lane->done, memory_order_acquire) < turn) sched_yield();
}

static gls_status slice_task(void *user, int64_t task, int worker) {
    gls_pass_job *job = user;
    int64_t number = job->section.first + task;
    /* Slices of a section need not begin at lane 0: the turn counts those of the section alone. */
    gls_lane *lane = &job->pass->lane[number % job->shapes.lanes];
    wait_for_lane(lane, task / job->shapes.lanes);
    gls_status status = GLS_OK;
    int64_t at = take_place(job, number);
    if (!job->coupled) {
        gls_evaluate_args args;
        gls_pass_arguments(job, number, at, &args);
        if (!job->divided) status = gls_evaluate(job->work->evaluation[at], &args);
    }
    if (status == GLS_OK) status = ask(job, number, at, worker);
    leave_place(job, at);
    atomic_fetch_add_explicit(&lane->done, 1, memory_order_release);
    return status;
}

static gls_status tile_task(void *user, int64_t tile, int worker) {
    gls_pass_job *job = user;
    gls_problem *p = job->pass->problem;
    const gls_workspace *work = job->work;
    if (job->clears) {
        int64_t begin, end;
        p->type->tile_range(p, tile, &begin, &end);
        gls_fill(job->request->g + begin, 0, end - begin);
    }
    GLS_TRY(p->type->gradient_tile(p, work->self, work->args, job->section.count, job->request->product,
                                   job->request->weighted ? work->weight : NULL, tile, job->request->g));
    if (job->parted && job->last_section) gls_pass_parts_made(job, tile, worker);
    return GLS_OK;
}

gls_status gls_pass_run_section(gls_pass_job *job) {
    gls_pass *pass = job->pass;
    if (job->section.count == 0) return GLS_OK;
    for (int64_t k = 0; k < job->shapes.lanes; k++) atomic_store(&pass->lane[k].done, 0);
    GLS_TRY(gls_parallel_if(pass->ctx, job->team, job->section.count, slice_task, job));
    if (!job->request->g || job->request->explicit_slices) return GLS_OK;
    double began = gls_seconds();
    gls_status status = gls_parallel_if(pass->ctx, job->team, gls_problem_tiles(pass->problem), tile_task, job);
    pass->tile_seconds += gls_seconds() - began;
    job->clears = false;
    return status;
}
