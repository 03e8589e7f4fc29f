/* The loop: a step of the training, then its observers in order. Observers also decide, before each step, whether the
 * run ends. */
#include <jansson.h>
#include <math.h>
#include <string.h>

#include "base/clock.h"
#include "run/loop/run.h"

double gls_run_seconds(const gls_run *run) {
    return run->seconds + gls_seconds() - run->began;
}

/* ---- life ---- */

gls_status gls_run_make(gls_context *ctx, const gls_run_options *options, gls_run **out) {
    *out = NULL;
    if (!options || options->size != sizeof *options || !options->config)
        return gls_fail(ctx, GLS_ERR_ARGUMENT, "gls_run_create: options.size or options.config is not set");
    gls_run *run = gls_alloc(ctx, 1, sizeof *run);
    if (!run) return GLS_ERR_MEMORY;
    run->ctx = ctx;
    run->began = gls_seconds();
    run->options = *options;
    run->planned = -1;
    run->rank = gls_comm_rank(gls_context_comm(ctx));
    run->ranks = gls_comm_size(gls_context_comm(ctx));
    gls_status status = GLS_OK;
    if (options->folder && !(run->folder = gls_strdup(ctx, options->folder))) status = GLS_ERR_MEMORY;
    /* Before the data are read: whoever comes second need not wait for them. */
    if (options->folder) status = gls_folder_own(run, false, status);
    if (status == GLS_OK) status = gls_training_create(ctx, options->config, options->outline, &run->training);
    if (status == GLS_OK) gls_comm_limit_waits(gls_context_comm(ctx), run->training->train->watchdog);
    if (status == GLS_OK)
        *out = run;
    else
        gls_run_destroy(run);
    return status;
}

void gls_run_destroy(gls_run *run) {
    if (!run) return;
    gls_context *ctx = run->ctx;
    gls_observers_destroy(run);
    gls_training_destroy(run->training);
    json_decref(run->changes);
    json_decref(run->record);
    gls_lock_release(run->lock);
    gls_free(ctx, run->folder);
    gls_free(ctx, run);
}

gls_status gls_run_failed(gls_run *run) {
    if (run->failed == GLS_OK) return GLS_OK;
    return gls_fail(run->ctx, run->failed, "this run failed before (%s): continue from its last checkpoint",
                    gls_status_name(run->failed));
}

static gls_status open_folder(gls_run *run) {
    run->whole = false;
    if (run->folder) GLS_TRY(gls_folder_write(run));
    return gls_observers_begin(run);
}

/* All checks come before the first write: if this run cannot begin, the folder stays as it was, to the byte; one that
 * was made for it goes with the run. */
static gls_status begin(gls_run *run) {
    if (run->options.outline)
        return gls_fail(run->ctx, GLS_ERR_ARGUMENT, "a run made with `outline` has no weights and cannot begin");
    if (run->options.from && run->options.resume)
        return gls_fail(run->ctx, GLS_ERR_ARGUMENT,
                        "a resumed run goes on from its own weights: leave out `from`, or begin another run with it");
    if (run->options.from) GLS_TRY(gls_checkpoint_from(run, run->options.from));
    if (run->folder) {
        GLS_TRY(gls_folder_own(run, true, GLS_OK));
        GLS_TRY(gls_folder_check(run));
        if (run->options.resume) GLS_TRY(gls_checkpoint_resume(run));
        GLS_TRY(gls_comm_agree(run->ctx, run->rank == 0 ? gls_stretch_check(run) : GLS_OK));
        GLS_TRY(gls_finished_look(run));
    }
    run->begun = true;
    return run->whole ? GLS_OK : open_folder(run);
}

gls_status gls_run_begin(gls_run *run) {
    GLS_GIVEN(NULL, run);
    if (run->begun) return GLS_OK;
    GLS_TRY(gls_run_failed(run));
    return run->failed = begin(run);
}

/* ---- steps ---- */

static gls_status step(gls_run *run, bool *done) {
    gls_stepper_end end;
    GLS_TRY(gls_run_begin(run));
    if (run->whole) {
        GLS_TRY(gls_finished_ask(run));
        if (run->stop) return GLS_OK;
        GLS_TRY(open_folder(run));
    }
    GLS_TRY(gls_observers_before(run));
    if (run->stop) return GLS_OK;
    double began = gls_seconds();
    GLS_TRY(gls_training_advance(run->training, &end));
    if (end == GLS_STEP_DONE) {
        run->stop = GLS_STOP_METHOD;
        return GLS_OK;
    }
    *done = false;
    GLS_TRY(gls_observers_step(run, end == GLS_STEP_REFUSED));
    gls_pace_step(&run->pace, gls_seconds() - began, run->training->estimate.rows);
    return GLS_OK;
}

gls_status gls_run_step(gls_run *run, bool *done) {
    GLS_GIVEN(NULL, run, done);
    *done = true;
    GLS_TRY(gls_run_failed(run));
    return run->failed = step(run, done);
}

void gls_run_stop(gls_run *run, gls_stop_reason reason) {
    if (!run) return;
    if (!run->stop) run->stop = reason;
}

/* ---- the end ---- */

/* Observers fill in the losses and scores at the end (final.c): here they are NaN. After an interruption they stay so,
 * since the run will be resumed. */
static gls_status finish(gls_run *run, gls_run_result *result) {
    const gls_training *t = run->training;
    GLS_TRY(gls_run_begin(run));
    if (run->whole) {
        *result = run->result;
        return GLS_OK;
    }
    if (t->counters.steps && t->counters.refused == t->counters.steps && run->stop != GLS_STOP_INTERRUPTED)
        return gls_fail(run->ctx, GLS_ERR_NONFINITE,
                        "every one of %lld steps was refused, so the weights are those at the start: no gradient was "
                        "finite; look at the data and at the initial weights",
                        (long long)t->counters.steps);
    double seconds = gls_run_seconds(run);
    run->result = (gls_run_result){
        .steps = t->counters.steps,
        .refused = t->counters.refused,
        .epochs = t->epoch,
        .train_loss = NAN,
        .validation_loss = NAN,
        .test_loss = NAN,
        .train_score = NAN,
        .validation_score = NAN,
        .test_score = NAN,
        .score = gls_training_score_name(t),
        .score_lower = t->score && t->score->lower,
        .seconds = seconds,
        .examples_per_second = seconds > 0 ? (double)t->counters.examples / seconds : NAN,
        .stopped = run->stop,
    };
    GLS_TRY(gls_observers_end(run, run->stop == GLS_STOP_INTERRUPTED ? GLS_WHY_INTERRUPTED : GLS_WHY_END));
    *result = run->result;
    return gls_comm_agree(run->ctx, gls_observers_flush(run));
}

gls_status gls_run_finish(gls_run *run, gls_run_result *result) {
    GLS_GIVEN(NULL, run, result);
    GLS_TRY(gls_run_failed(run));
    return run->failed = finish(run, result);
}

gls_status gls_run_train(gls_run *run, gls_run_result *result) {
    GLS_GIVEN(NULL, run, result);
    for (bool done = false; !done;) GLS_TRY(gls_run_step(run, &done));
    return gls_run_finish(run, result);
}
