/* How a mini-batch is cut. The cut fixes the order of every sum and so a run's bits: it follows from shapes alone,
 * never from a stopwatch or the number of threads. */
#include "estimator/pass.h"
#include "base/arith.h"

#include <string.h>

/* The cost model. All values are ours, round on purpose: they fix the bits, so no machine may tune them for itself. A
 * run stores the shapes it got; a later version may therefore choose others. */
enum {
    SLICE_WORK = 1 << 26,  /* multiply-adds of a slice at most: some milliseconds of a core, far above a task's cost */
    SLICE_BYTES = 1 << 26, /* of one evaluation at most: every thread holds one at the same time */
    SLICE_MOST = 1024,     /* rows; a matrix product gains little beyond */
    SLICE_LEAST = 8,       /* rows, memory permitting; below this a matrix product reads its weights for too little */
    OUTPUT_MOST = 128,     /* rows of a slice for outputs alone; a single row is filled up to these, so they are few */
    SLICES_WANTED = 2,     /* of a mini-batch, at least: one slice would leave all threads but one idle */
    LANES_MOST = 8,        /* each lane costs a gradient's memory and its share of the merge */
    LANES_BYTES = 1 << 29, /* gradients of all lanes */
    WAVE_BYTES = 1 << 28,  /* evaluations of a wave, were all alive */
    WAVE_SLICES = 64,      /* of a wave at most: enough for any number of threads to share evenly */
    TEAM_WORK = 1 << 18    /* multiply-adds of a pass, forward, from which on a team is woken; bits do not follow */
};

/* The problem's figures for one row: multiply-adds of a forward pass, bytes of an evaluation. */
static void row_cost(const gls_pass *pass, double *work, double *bytes) {
    gls_problem *p = pass->problem;
    *work = (double)pass->size;
    *bytes = 8 * (double)pass->size;
    if (p->type->cost) p->type->cost(p, work, bytes);
}

/* Slices are halved until their work fits and the rows make two of them; memory may halve them to a single row. Lanes
 * are doubled while each gets a slice; two are taken whatever they weigh. Waves begin at a slice a lane and are doubled
 * while memory holds them. An option that was given (not 0) stays as it is. */
gls_shapes gls_pass_shapes(const gls_pass *pass, int64_t rows, bool explicit_slices) {
    double work, bytes;
    row_cost(pass, &work, &bytes);
    gls_shapes shapes = {.slice = pass->options.slice, .wave = pass->options.wave, .lanes = pass->options.lanes};
    if (shapes.slice == 0) {
        int64_t slice = SLICE_MOST;
        while (slice > SLICE_LEAST && ((double)slice * work > SLICE_WORK || rows < SLICES_WANTED * slice)) slice /= 2;
        while (slice > 1 && (double)slice * bytes > SLICE_BYTES) slice /= 2;
        shapes.slice = slice;
    }
    if (shapes.lanes == 0) {
        double lane = (double)(explicit_slices ? pass->size : pass->packed) * sizeof(gls_real);
        int64_t slices = gls_parts(rows, shapes.slice);
        if (explicit_slices) slices = LANES_MOST;
        shapes.lanes = 1;
        while (shapes.lanes < LANES_MOST && 2 * shapes.lanes <= slices &&
               (shapes.lanes == 1 || 2 * (double)shapes.lanes * lane <= LANES_BYTES))
            shapes.lanes *= 2;
    }
    if (shapes.wave == 0) {
        int64_t wave = shapes.slice * shapes.lanes;
        while (wave < rows && 2 * (double)wave * bytes <= WAVE_BYTES && 2 * wave <= WAVE_SLICES * shapes.slice)
            wave *= 2;
        shapes.wave = wave;
    }
    return shapes;
}

/* A problem that does not know its cost may be as dear as it likes. */
bool gls_pass_wants_team(const gls_pass_job *job) {
    const gls_pass *pass = job->pass;
    double work, bytes;
    if (pass->problem->serial || !pass->problem->type->cost) return !pass->problem->serial;
    row_cost(pass, &work, &bytes);
    return work * (double)job->request->rows->rows >= TEAM_WORK;
}

int64_t gls_pass_output_rows(const gls_pass *pass) {
    double work, bytes;
    row_cost(pass, &work, &bytes);
    int64_t rows = OUTPUT_MOST;
    while (rows > SLICE_LEAST && (double)rows * work > SLICE_WORK) rows /= 2;
    while (rows > 1 && (double)rows * bytes > SLICE_BYTES) rows /= 2;
    return rows;
}

/* Slices meet where a span is larger than a slice. They do not where the request needs gradients of groups of whole
 * spans, or memory holds as many spans side by side as one has slices: each slice then holds whole spans and none
 * waits. The shares of ranks are aligned to the problem's own groups only. */
void gls_pass_couple(gls_pass_job *job) {
    const gls_pass_request *request = job->request;
    const gls_problem *p = job->pass->problem;
    int64_t rows = request->rows->global_rows, ranks = request->local ? 1 : gls_comm_size(gls_context_comm(p->ctx));
    job->span = 0;
    if (request->mode == GLS_MODE_EVALUATE || p->coupling == GLS_COUPLING_NONE) return;
    job->span = p->coupling == GLS_COUPLING_GROUPS ? p->coupling_group : job->pass->options.span;
    if (job->span == 0 || job->span > rows) job->span = rows > 0 ? rows : 1;
    if (!gls_problem_coupled(p, request->mode)) return;
    if (request->weighted || request->explicit_slices || (request->group > 0 && request->group % job->span == 0))
        return;
    gls_shapes shapes = gls_pass_shapes(job->pass, gls_parts(rows, ranks), false);
    int64_t spans = gls_parts(rows, job->span), slices = gls_parts(job->span, shapes.slice);
    int64_t aside = gls_least(spans, shapes.wave / job->span);
    bool aligned = p->coupling == GLS_COUPLING_GROUPS || ranks == 1;
    job->coupled = !aligned || (slices > 1 && aside < slices);
}

static gls_status grow(gls_context *ctx, void *block, int64_t *room, int64_t used, size_t size) {
    void **at = block;
    if (used < *room) return GLS_OK;
    int64_t wanted = *room ? 2 * *room : 64;
    void *grown = gls_resize(ctx, *at, wanted, size);
    if (!grown) return GLS_ERR_MEMORY;
    *at = grown;
    *room = wanted;
    return GLS_OK;
}

static gls_status add_slice(gls_pass *pass, int64_t begin, int64_t rows, int64_t group, int64_t groups) {
    GLS_TRY(grow(pass->ctx, &pass->cut, &pass->cut_room, pass->cuts, sizeof *pass->cut));
    pass->cut[pass->cuts++] = (gls_cut){.begin = begin, .rows = rows, .group = group, .groups = groups};
    return GLS_OK;
}

static gls_status add_section(gls_pass *pass, gls_pass_section section) {
    GLS_TRY(grow(pass->ctx, &pass->section, &pass->section_room, pass->sections, sizeof *pass->section));
    pass->section[pass->sections++] = section;
    return GLS_OK;
}

/* The end of the group that holds row `at` of this rank. */
static int64_t group_end(const gls_pass_job *job, int64_t at, int64_t group) {
    const gls_pass_request *request = job->request;
    if (request->cut) return request->cut[group + 1];
    if (request->group) return at + request->group;
    return at + (job->span > 0 && !job->coupled ? job->span : 1);
}

/* Slices of whole groups over rows [begin, end) of this rank; each one group, if they are explicit. A group larger than
 * a slice is a slice by itself: groups and spans are never divided. */
static gls_status cut_rows(gls_pass_job *job, int64_t begin, int64_t end, int64_t *group) {
    bool grouped = job->request->group > 0 || job->request->cut, single = grouped && job->request->explicit_slices;
    for (int64_t at = begin; at < end;) {
        int64_t first = *group, stop = at;
        do {
            int64_t next = group_end(job, stop, *group);
            if (next > end) next = end;
            if (stop > at && next - at > job->shapes.slice) break;
            stop = next;
            (*group)++;
        } while (stop < end && !single);
        GLS_TRY(add_slice(job->pass, at, stop - at, grouped ? first : 0, grouped ? *group - first : 0));
        at = stop;
    }
    return GLS_OK;
}

/* Whether this rank's rows stop inside a span. */
static bool ends_inside(const gls_pass_job *job) {
    const gls_stream *rows = job->request->rows;
    int64_t end = rows->first + rows->rows;
    return rows->rows > 0 && end < rows->global_rows && end % job->span;
}

static gls_status refuse_misaligned(const gls_pass_job *job, int64_t unit, const char *what) {
    return gls_fail(
        job->pass->ctx, GLS_ERR_ARGUMENT,
        "pass: this rank's rows begin at slot %lld and end before %lld, inside a %s of %lld rows; the ranks' "
        "shares must be aligned to it",
        (long long)job->request->rows->first, (long long)(job->request->rows->first + job->request->rows->rows), what,
        (long long)unit);
}

static gls_status check_groups(const gls_pass_job *job) {
    const gls_pass_request *request = job->request;
    const gls_problem *p = job->pass->problem;
    int64_t first = request->rows->rows > 0 ? request->rows->first : 0;
    if (request->cut && (request->cut[0] != 0 || request->cut[request->cuts] != request->rows->rows))
        return gls_fail(p->ctx, GLS_ERR_ARGUMENT, "pass: a cut must run from 0 to this rank's %lld rows",
                        (long long)request->rows->rows);
    if (request->group > 0 && first % request->group) return refuse_misaligned(job, request->group, "group");
    if (job->span == 0) return GLS_OK;
    if (request->cut || (request->group % job->span && request->group < request->rows->global_rows))
        return gls_coupling_refuse(p, "groups of examples");
    if (!job->coupled && (first % job->span || ends_inside(job))) return refuse_misaligned(job, job->span, "span");
    return GLS_OK;
}

/* One section a span, on every rank the same number of them, also where a rank has no rows of one: all meet in it. */
static gls_status cut_spans(gls_pass_job *job) {
    gls_pass *pass = job->pass;
    const gls_stream *rows = job->request->rows;
    int64_t group = 0;
    for (int64_t begin = 0; begin < rows->global_rows; begin += job->span) {
        int64_t end = gls_least(begin + job->span, rows->global_rows);
        int64_t low = begin - rows->first, high = end - rows->first;
        low = low < 0 ? 0 : low > rows->rows ? rows->rows : low;
        high = high < 0 ? 0 : high > rows->rows ? rows->rows : high;
        gls_pass_section section = {.first = pass->cuts, .begin = low, .rows = high - low};
        section.span_begin = begin;
        section.span_rows = end - begin;
        GLS_TRY(cut_rows(job, low, high, &group));
        section.count = pass->cuts - section.first;
        GLS_TRY(add_section(pass, section));
    }
    return GLS_OK;
}

/* Sections of whole slices, as many as a wave holds; a slice larger than a wave is a section by itself. */
static gls_status cut_waves(gls_pass_job *job) {
    gls_pass *pass = job->pass;
    const gls_stream *rows = job->request->rows;
    int64_t group = 0;
    GLS_TRY(cut_rows(job, 0, rows->rows, &group));
    for (int64_t first = 0; first < pass->cuts;) {
        gls_pass_section section = {.first = first, .begin = pass->cut[first].begin, .span_rows = rows->global_rows};
        while (first < pass->cuts) {
            const gls_cut *cut = &pass->cut[first];
            if (section.count > 0 && section.rows + cut->rows > job->shapes.wave) break;
            section.rows += cut->rows;
            section.count++;
            first++;
        }
        GLS_TRY(add_section(pass, section));
    }
    return GLS_OK;
}

gls_status gls_pass_cut(gls_pass_job *job) {
    gls_pass *pass = job->pass;
    const gls_stream *rows = job->request->rows;
    job->shapes = gls_pass_shapes(pass, rows->rows, job->request->explicit_slices);
    if (job->request->slice_rows > 0) job->shapes.slice = job->request->slice_rows;
    /* A slice may have grown to a whole span: fewer lanes, so that a span for each still fits a wave. */
    while (!job->coupled && !job->request->explicit_slices && job->shapes.lanes > 1 &&
           job->shapes.lanes * job->span > job->shapes.wave)
        job->shapes.lanes /= 2;
    pass->cuts = pass->sections = 0;
    GLS_TRY(check_groups(job));
    return job->coupled ? cut_spans(job) : cut_waves(job);
}

/* ---- evaluations ---- */

static void workspace_destroy(gls_context *ctx, gls_workspace *work) {
    for (int64_t i = 0; work->evaluation && i < work->count; i++) gls_evaluation_destroy(work->evaluation[i]);
    void *block[] = {work->evaluation, work->self,   work->args,  work->rows,
                     work->weights,    work->weight, work->group, work->meets};
    for (size_t i = 0; i < sizeof(block) / sizeof *block; i++) gls_free(ctx, block[i]);
    gls_free(ctx, work);
}

void gls_pass_workspaces_destroy(gls_pass *pass) {
    for (gls_workspace *work = pass->workspace, *next; work; work = next) {
        next = work->next;
        workspace_destroy(pass->ctx, work);
    }
}

static gls_status workspace_fill(gls_pass *pass, gls_workspace *work) {
    int64_t n = work->count, meet = gls_problem_meet_size(pass->problem), cells;
    if (__builtin_mul_overflow(n, work->max_rows, &cells))
        return gls_fail(pass->ctx, GLS_ERR_MEMORY, "pass: %lld evaluations of %lld rows do not fit", (long long)n,
                        (long long)work->max_rows);
    work->evaluation = gls_alloc(pass->ctx, n, sizeof *work->evaluation);
    work->self = gls_alloc(pass->ctx, n, sizeof *work->self);
    work->args = gls_alloc(pass->ctx, n, sizeof *work->args);
    work->rows = gls_alloc(pass->ctx, n, sizeof *work->rows);
    work->weights = gls_alloc(pass->ctx, cells, sizeof *work->weights);
    work->weight = gls_alloc(pass->ctx, n, sizeof *work->weight);
    work->group = gls_alloc(pass->ctx, cells, sizeof *work->group);
    work->meets = gls_alloc(pass->ctx, n * meet, sizeof *work->meets);
    if (!work->evaluation || !work->self || !work->args || !work->rows || !work->weights || !work->weight ||
        !work->group || !work->meets)
        return GLS_ERR_MEMORY;
    for (int64_t i = 0; i < n; i++) {
        GLS_TRY(gls_evaluation_create(pass->problem, work->max_rows, work->want, work->mode, &work->evaluation[i]));
        work->self[i] = work->evaluation[i]->self;
        work->args[i] = &work->evaluation[i]->args;
        work->weight[i] = work->weights + i * work->max_rows;
    }
    return GLS_OK;
}

/* Any evaluation may get any slice, so each is made ready for all lengths of slices before the first comes. */
static gls_status reserve(gls_pass *pass, gls_workspace *work, int64_t rows) {
    gls_problem *p = pass->problem;
    for (int k = 0; k < GLS_LENGTHS; k++)
        if (work->length[k] == rows) return GLS_OK;
    for (int64_t i = 0; i < work->count; i++) GLS_TRY(p->type->evaluation_reserve(p, work->self[i], rows));
    work->length[work->lengths++ % GLS_LENGTHS] = rows;
    return GLS_OK;
}

static gls_status reserve_lengths(gls_pass_job *job) {
    gls_pass *pass = job->pass;
    if (job->held || !pass->problem->type->evaluation_reserve) return GLS_OK;
    int64_t part = job->divided ? job->shapes.slice : job->work->max_rows;
    for (int64_t s = 0, last = 0; s < pass->cuts; s++) {
        int64_t rows = pass->cut[s].rows;
        if (rows == last) continue;
        last = rows;
        if (rows >= part) GLS_TRY(reserve(pass, job->work, part));
        if (rows % part) GLS_TRY(reserve(pass, job->work, rows % part));
    }
    return GLS_OK;
}

/* One workspace for each pair of want and mode, large enough for every job so far, so that repeated jobs allocate
 * nothing. A job needs an evaluation for each slice that must stay alive, else one for each that may be at
 * work: a thread, and of each lane one. */
static gls_status find_workspace(gls_pass_job *job) {
    gls_pass *pass = job->pass;
    int64_t rows = 1, count = 1;
    for (int64_t s = 0; s < pass->cuts; s++)
        if (pass->cut[s].rows > rows) rows = pass->cut[s].rows;
    job->divided = job->request->divisible && job->span == 0 && rows > job->shapes.slice;
    if (job->divided) rows = job->shapes.slice;
    for (int64_t s = 0; s < pass->sections; s++)
        if (pass->section[s].count > count) count = pass->section[s].count;
    if (!job->held) count = gls_least(count, gls_least(job->shapes.lanes, gls_context_threads(pass->ctx)));
    unsigned want = job->request->want;
    gls_workspace **at = &pass->workspace;
    for (; *at; at = &(*at)->next) {
        gls_workspace *work = *at;
        if (work->want != want || work->mode != job->request->mode) continue;
        if (work->max_rows >= rows && work->count >= count) {
            job->work = work;
            return GLS_OK;
        }
        *at = work->next; /* too small: make way for one that serves both */
        if (work->max_rows > rows) rows = work->max_rows;
        if (work->count > count) count = work->count;
        workspace_destroy(pass->ctx, work);
        break;
    }
    gls_workspace *work = gls_alloc(pass->ctx, 1, sizeof *work);
    if (!work) return GLS_ERR_MEMORY;
    *work = (gls_workspace){.max_rows = rows, .count = count, .want = want, .mode = job->request->mode};
    gls_status status = workspace_fill(pass, work);
    if (status != GLS_OK) {
        workspace_destroy(pass->ctx, work);
        return status;
    }
    work->next = pass->workspace;
    pass->workspace = job->work = work;
    return GLS_OK;
}

gls_status gls_pass_workspace(gls_pass_job *job) {
    GLS_TRY(find_workspace(job));
    return reserve_lengths(job);
}
