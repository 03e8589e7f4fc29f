/* The loop: what the method wants is asked of the problem through the estimator, what it answers is told to the method,
 * and only then does anything else happen. */
#include "run/loop/trainer.h"

#include <math.h>
#include <string.h>
#include <time.h>

#include "base/kernels.h"
#include "run/observer/events.h"

enum { MAX_REFUSED = 1000 }; /* refused one after the other under the policy `skip` */

double gls_now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

double gls_run_seconds(const gls_run *run) {
    return run->counters.seconds + (run->begun ? gls_now() - run->began : 0);
}

bool gls_run_due(const gls_run *run, gls_length every) {
    if (!(every.amount > 0)) return false;
    if (every.steps) return run->counters.steps % (int64_t)every.amount == 0;
    return floor(run->epoch / every.amount + 1e-9) > floor(run->epoch_before / every.amount + 1e-9);
}

/* ---- life ---- */

gls_status gls_run_create(gls_context *ctx, const gls_run_options *options, gls_run **out) {
    *out = NULL;
    if (!options || options->size != sizeof *options || !options->config)
        return gls_fail(ctx, GLS_ERR_ARGUMENT, "gls_run_create: options.size or options.config is not set");
    gls_run *run = gls_alloc(ctx, 1, sizeof *run);
    if (!run) return GLS_ERR_MEMORY;
    run->ctx = ctx;
    run->options = *options;
    run->rank = gls_comm_rank(gls_context_comm(ctx));
    run->ranks = gls_comm_size(gls_context_comm(ctx));
    run->saved_step = -1;
    run->counters.best = run->counters.loss = run->counters.monitored = run->counters.score = NAN;
    gls_status status = GLS_OK;
    if (options->folder && !(run->folder = gls_strdup(ctx, options->folder))) status = GLS_ERR_MEMORY;
    if (status == GLS_OK) status = gls_run_setup(run);
    status = gls_comm_agree(ctx, status);
    if (status == GLS_OK)
        *out = run;
    else
        gls_run_destroy(run);
    return status;
}

void gls_run_destroy(gls_run *run) {
    if (!run) return;
    gls_context *ctx = run->ctx;
    gls_taps_destroy(run);
    gls_trace_close(run->trace);
    gls_trace_close(run->measures);
    gls_events_destroy(run->events);
    gls_pass_destroy(run->measure_pass);
    gls_free(ctx, run->w_previous);
    gls_free(ctx, run->domain);
    gls_batches_destroy(run->batches);
    gls_average_destroy(run->average);
    gls_method_destroy(run->method);
    gls_value_destroy(ctx, run->method_spec);
    gls_estimator_destroy(run->estimator);
    gls_point_destroy(run->direction);
    gls_pass_destroy(run->pass);
    gls_pass_destroy(run->evaluation_pass);
    gls_problem_destroy(run->problem);
    gls_source_destroy(run->fit_set);
    gls_source_destroy(run->validation_set);
    gls_source_destroy(run->test_set);
    gls_source_destroy(run->train_file);
    gls_value_destroy(ctx, run->config);
    gls_options_destroy(run->train_options);
    gls_options_destroy(run->data_options);
    gls_options_destroy(run->plan_options);
    gls_free(ctx, run->w);
    gls_free(ctx, run->g);
    gls_free(ctx, run->output);
    gls_free(ctx, run->folder);
    gls_free(ctx, run);
}

static gls_status open_traces(gls_run *run) {
    GLS_TRY(gls_trace_open(run->ctx, run->folder, "metrics.jsonl", run->counters.trace, &run->trace));
    if (run->measure_pass)
        GLS_TRY(gls_trace_open(run->ctx, run->folder, "measures.jsonl", run->counters.measures, &run->measures));
    return run->train->tensorboard ? gls_events_create(run->ctx, run->folder, &run->events) : GLS_OK;
}

gls_status gls_run_failed(gls_run *run) {
    if (run->failed == GLS_OK) return GLS_OK;
    return gls_fail(run->ctx, run->failed, "this run failed before (%s): go on from its last checkpoint",
                    gls_status_name(run->failed));
}

static gls_status begin(gls_run *run) {
    gls_status status = GLS_OK;
    if (run->options.from) status = gls_checkpoint_from(run, run->options.from);
    if (status == GLS_OK && run->folder) status = gls_folder_prepare(run);
    if (status == GLS_OK && run->options.resume) status = gls_checkpoint_resume(run);
    run->epoch = run->epoch_before = gls_batches_epoch(run->batches);
    if (status == GLS_OK && run->folder && run->rank == 0) status = open_traces(run);
    GLS_TRY(gls_comm_agree(run->ctx, status));
    run->began = run->session_began = gls_now();
    run->begun = true;
    return GLS_OK;
}

gls_status gls_run_begin(gls_run *run) {
    if (run->begun) return GLS_OK;
    GLS_TRY(gls_run_failed(run));
    return run->failed = begin(run);
}

/* ---- what ends a run ---- */

static const char *reached(const gls_run *run) {
    const gls_train *t = run->train;
    const gls_counters *c = &run->counters;
    if (t->steps && c->steps >= t->steps) return "steps";
    if (run->epochs > 0 && run->epoch >= run->epochs - 1e-9) return "epochs";
    if (c->monitored <= t->target_loss) return "target_loss"; /* NaN: none */
    if (c->score >= t->target_score) return "target_score";
    if (t->patience && c->stale >= t->patience) return "patience";
    return NULL;
}

/* The clock and signals differ between ranks: they end a step's row together. */
static gls_status ended_from_outside(gls_run *run) {
    int64_t why = gls_interrupted(run->ctx)                                          ? 2
                  : run->train->time > 0 && gls_run_seconds(run) >= run->train->time ? 1
                                                                                     : 0;
    if (run->ranks > 1) GLS_TRY(gls_comm_reduce_int64(run->ctx, GLS_MAX, &why, 1, GLS_OK));
    if (why) run->stop = why == 2 ? "interrupted" : "time";
    return GLS_OK;
}

/* ---- one step ---- */

/* A generalised gradient in the asked direction, from a problem that answers that exactly: mean over the mini-batch. */
static gls_status ask_oracle(gls_run *run, const gls_query *query, gls_stream *rows, gls_estimate *out) {
    if (!run->direction) GLS_TRY(gls_point_create(run->problem, &run->direction));
    GLS_TRY(gls_point_set(run->direction, query->direction));
    gls_pass_request request = {.w = query->at,
                                .direction = run->direction,
                                .rows = rows,
                                .want = GLS_WANT_GRADIENT | GLS_WANT_ORACLE,
                                .mode = GLS_MODE_TRAIN,
                                .g = run->g};
    gls_pass_result result;
    GLS_TRY(gls_pass_run(run->pass, &request, &result));
    gls_team_scale(run->ctx, run->g, 1 / result.mass, gls_problem_size(run->problem));
    *out = (gls_estimate){.loss = result.loss / result.mass,
                          .mass = result.mass,
                          .rows = result.rows,
                          .norm2 = result.norm2 / (result.mass * result.mass)};
    return GLS_OK;
}

static gls_status ask_value(gls_run *run, const gls_query *query, gls_stream *rows, gls_estimate *out) {
    gls_pass_request request = {.w = query->at, .rows = rows, .mode = GLS_MODE_TRAIN};
    gls_pass_result result;
    GLS_TRY(gls_pass_run(run->pass, &request, &result));
    *out = (gls_estimate){.loss = result.loss / result.mass, .mass = result.mass, .rows = result.rows, .norm2 = NAN};
    return GLS_OK;
}

static gls_status ask(gls_run *run, const gls_query *query, gls_stream *rows, gls_estimate *out) {
    if (query->kind == GLS_QUERY_VALUE) return ask_value(run, query, rows, out);
    if (query->kind == GLS_QUERY_ORACLE && query->direction && run->problem->oracle_exact)
        return ask_oracle(run, query, rows, out);
    return gls_estimator_estimate(run->estimator, run->pass, query->at, rows, 0, run->g, out, &run->record);
}

static gls_status refuse(gls_run *run, const gls_step_report *report, double loss) {
    run->counters.refused++;
    run->refused_in_a_row++;
    bool stop = run->train->nonfinite == GLS_REFUSED_STOP;
    if (!stop && run->refused_in_a_row < MAX_REFUSED) {
        gls_log(run->ctx, GLS_LOG_WARNING, "step %lld was refused: %lld values of the gradient are not finite",
                (long long)run->counters.steps + 1, (long long)report->nonfinite);
        return GLS_OK;
    }
    return gls_fail(run->ctx, GLS_ERR_NONFINITE,
                    "step %lld: %lld of %lld values of the gradient are not finite (loss "
                    "%g); the weights are those before this step. Try a smaller method.lr, a clipped or normalised "
                    "method%s",
                    (long long)run->counters.steps + 1, (long long)report->nonfinite,
                    (long long)gls_problem_size(run->problem), loss,
                    stop ? ", or train.nonfinite: skip" : "; many steps in a row were refused");
}

static void trace_step(gls_run *run) {
    if (!gls_run_due(run, run->train->log_every)) return;
    gls_method_record(run->method, &run->record);
    for (int i = 0; i < run->record.count; i++) gls_run_trace(run, run->record.name[i], run->record.value[i]);
}

static gls_status after_step(gls_run *run, const gls_estimate *estimate, const gls_step_report *report) {
    gls_counters *c = &run->counters;
    gls_record *record = &run->record;
    run->estimate = *estimate;
    run->epoch = gls_batches_epoch(run->batches);
    c->steps++;
    c->examples += estimate->rows;
    if (!report->refused) c->loss = isnan(c->loss) ? estimate->loss : 0.95 * c->loss + 0.05 * estimate->loss;
    gls_record_set(record, "loss", estimate->loss);
    gls_record_set(record, "lr", report->lr);
    gls_record_set(record, "gradient_norm", report->gradient_norm);
    gls_record_set(record, "factor", report->factor);
    gls_record_set(record, "clipped", report->clipped);
    gls_record_set(record, "update_norm", report->update_norm);
    gls_record_set(record, "refused", (double)c->refused);
    gls_record_set(record, "zero_gradients", (double)report->zero_gradients);
    gls_record_set(record, "batch", (double)estimate->rows);
    trace_step(run);
    GLS_TRY(gls_taps_observe(run, false));
    run->validated = gls_run_due(run, run->train->validate_every);
    bool better = false;
    if (run->validated) GLS_TRY(gls_validate(run, &better));
    if (run->folder && (better || gls_run_due(run, run->train->checkpoint_every)))
        GLS_TRY(gls_checkpoint_save(run, better));
    return GLS_OK;
}

static gls_status take_step(gls_run *run, const gls_query *query) {
    gls_stream *rows;
    gls_estimate estimate;
    gls_step_report report = {0};
    run->epoch_before = run->epoch;
    GLS_TRY(gls_batches_get(run->batches, query->same_batch, &rows));
    gls_record_clear(&run->record);
    GLS_TRY(ask(run, query, rows, &estimate));
    if (run->average && isfinite(estimate.norm2)) GLS_TRY(gls_average_update(run->average, run->w));
    if (run->w_previous) memcpy(run->w_previous, run->w, sizeof(gls_real) * (size_t)gls_problem_size(run->problem));
    gls_answer answer = {.value = estimate.loss,
                         .g = query->kind == GLS_QUERY_VALUE ? NULL : run->g,
                         .norm2 = estimate.norm2,
                         .epoch = run->epoch_before};
    GLS_TRY(gls_method_tell(run->method, &answer, run->w, &report));
    if (report.refused) {
        GLS_TRY(refuse(run, &report, estimate.loss));
    } else {
        if (!isfinite(report.update_norm))
            return gls_fail(run->ctx, GLS_ERR_NONFINITE,
                            "step %lld: the gradient is finite, but the step itself is not (its norm is %g): a smaller "
                            "method.lr",
                            (long long)run->counters.steps + 1, report.update_norm);
        run->refused_in_a_row = 0;
        const gls_real *next = gls_pass_state_next(run->pass);
        if (next && query->kind != GLS_QUERY_VALUE) gls_problem_commit(run->problem, next);
    }
    return after_step(run, &estimate, &report);
}

static void show(gls_run *run) {
    if (!run->options.progress) return;
    const gls_counters *c = &run->counters;
    double seconds = gls_run_seconds(run), session = gls_now() - run->session_began;
    double done = (double)(c->steps - run->first_step), left = NAN;
    if (run->total_steps > 0 && done > 0) left = session / done * (run->total_steps - (double)c->steps);
    const char *name;
    gls_monitored(run, &name);
    if (run->train->time > 0 && !(left < run->train->time - seconds)) left = run->train->time - seconds;
    gls_progress progress = {
        .step = c->steps,
        .total_steps = (int64_t)run->total_steps,
        .epoch = run->epoch,
        .epochs = run->epochs,
        .loss = c->loss,
        .monitored = c->monitored,
        .score = c->score,
        .set = name,
        .score_name = run->problem->score_count ? run->problem->score[0] : NULL,
        .seconds = seconds,
        .examples_per_second = session > 0 ? (double)(c->examples - run->first_example) / session : 0,
        .seconds_left = left > 0 ? left : 0,
        .validated = run->validated,
    };
    run->options.progress(run->options.user, &progress);
}

static gls_status step(gls_run *run, bool *done) {
    GLS_TRY(gls_run_begin(run));
    if (!run->stop) run->stop = reached(run);
    if (!run->stop) GLS_TRY(ended_from_outside(run));
    if (run->stop) return GLS_OK;
    gls_query query;
    GLS_TRY(gls_method_query(run->method, run->w, &query));
    if (query.kind == GLS_QUERY_DONE) {
        run->stop = "method";
        return GLS_OK;
    }
    GLS_TRY(take_step(run, &query));
    show(run);
    *done = false;
    return GLS_OK;
}

gls_status gls_run_step(gls_run *run, bool *done) {
    *done = true;
    GLS_TRY(gls_run_failed(run));
    return run->failed = step(run, done);
}

gls_status gls_run_train(gls_run *run, gls_run_result *result) {
    for (bool done = false; !done;) GLS_TRY(gls_run_step(run, &done));
    return gls_run_finish(run, result);
}

/* ---- what a run consists of ---- */

gls_context *gls_run_context(const gls_run *run) {
    return run->ctx;
}
const char *gls_run_folder(const gls_run *run) {
    return run->folder;
}
gls_problem *gls_run_problem(const gls_run *run) {
    return run->problem;
}
gls_pass *gls_run_pass(const gls_run *run) {
    return run->pass;
}
gls_method *gls_run_method(const gls_run *run) {
    return run->method;
}
gls_estimator *gls_run_estimator(const gls_run *run) {
    return run->estimator;
}
const gls_source *gls_run_train_set(const gls_run *run) {
    return run->train_set;
}
const gls_source *gls_run_validation_set(const gls_run *run) {
    return run->validation_set;
}
const gls_source *gls_run_test_set(const gls_run *run) {
    return run->test_set;
}
const gls_real *gls_run_weights(const gls_run *run) {
    return run->w;
}
const gls_record *gls_run_record(const gls_run *run) {
    return &run->record;
}
int64_t gls_run_steps(const gls_run *run) {
    return run->counters.steps;
}
double gls_run_epoch(const gls_run *run) {
    return run->epoch;
}

const gls_real *gls_run_output(const gls_run *run) {
    if (run->average && gls_average_value(run->average, run->output)) return run->output;
    const gls_real *own = gls_method_output(run->method, run->w);
    return own ? own : run->w;
}

void gls_run_trace(gls_run *run, const char *name, double value) {
    if (run->trace) gls_trace_line(run->trace, run->counters.steps, run->epoch, gls_run_seconds(run), name, value);
    if (run->events && isfinite(value)) gls_events_scalar(run->events, run->counters.steps, name, value);
}
