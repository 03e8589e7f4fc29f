/* How far the run has come, handed to gls_run_options.progress after every step. */
#include <math.h>

#include "base/clock.h"
#include "run/observer/table.h"
#include "run/observer/validation.h"

typedef struct session {
    gls_context *ctx;
    double began; /* clock at the start of this session */
    int64_t first_step, first_example;
} session;

static gls_status begin(void *user, gls_run *run) {
    session *s = user;
    s->began = gls_seconds();
    s->first_step = run->training->counters.steps;
    s->first_example = run->training->counters.examples;
    return GLS_OK;
}

/* By the pace of this session, and no longer than the time limit leaves. */
static double seconds_left(const session *s, const gls_run *run, double elapsed, double seconds) {
    const gls_training *t = run->training;
    double done = (double)(t->counters.steps - s->first_step), left = NAN;
    if (t->total_steps > 0 && done > 0) left = elapsed / done * (t->total_steps - (double)t->counters.steps);
    if (t->train->time > 0 && !(left < t->train->time - seconds)) left = t->train->time - seconds;
    return left > 0 ? left : 0;
}

static gls_status step(void *user, gls_run *run, unsigned why) {
    const session *s = user;
    const gls_training *t = run->training;
    const gls_validation *v = gls_validation_of(run);
    double seconds = gls_run_seconds(run), elapsed = gls_seconds() - s->began;
    double examples = (double)(t->counters.examples - s->first_example);
    gls_progress progress = {
        .step = t->counters.steps,
        .total_steps = (int64_t)t->total_steps,
        .epoch = t->epoch,
        .epochs = t->epochs,
        .loss = t->counters.loss,
        .monitored = v->monitored,
        .score = v->score,
        .score_name = gls_training_score_name(t),
        .seconds = seconds,
        .examples_per_second = elapsed > 0 ? examples / elapsed : 0,
        .seconds_left = seconds_left(s, run, elapsed, seconds),
        .validated = why & GLS_WHY_VALIDATED,
    };
    gls_validation_set(run, &progress.set);
    run->options.progress(run->options.user, &progress);
    return GLS_OK;
}

static void destroy(void *user) {
    session *s = user;
    gls_free(s->ctx, s);
}

gls_status gls_observe_progress(gls_run *run) {
    if (!run->options.progress) return GLS_OK;
    session *s = gls_alloc(run->ctx, 1, sizeof *s);
    if (!s) return GLS_ERR_MEMORY;
    s->ctx = run->ctx;
    return gls_run_observe(
        run,
        &(gls_observer){
            .name = "progress", .every = GLS_EACH_STEP, .user = s, .begin = begin, .step = step, .destroy = destroy});
}
