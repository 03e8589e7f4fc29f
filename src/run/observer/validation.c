/* Losses and scores on the monitored set (train.validate_every), and what follows from them: the best so far, patience,
 * targets. */
#include "run/observer/validation.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "run/observer/table.h"

const gls_validation *gls_validation_of(const gls_run *run) {
    return gls_observers_find(run, "validation");
}

const gls_source *gls_validation_set(const gls_run *run, const char **name) {
    const gls_training_sets *set = &run->training->set;
    *name = run->training->train->monitor;
    if (strcmp(*name, "auto") == 0) *name = set->validation ? "validation" : set->test ? "test" : "train";
    const gls_source *named = gls_training_named(run->training, *name);
    return named                              ? named
           : strcmp(*name, "validation") == 0 ? set->validation
           : strcmp(*name, "test") == 0       ? set->test
                                              : set->train;
}

static void trace_figure(gls_run *run, const char *set, const char *figure, double value) {
    char name[160];
    snprintf(name, sizeof name, "%s_%s", set, figure);
    if (!isnan(value)) gls_run_trace(run, name, value);
}

/* Of what train.best names: smaller is better. */
static double demerit(const gls_training *t, double value) {
    return t->train->best == GLS_BEST_SCORE ? -gls_training_merit(t, value) : value;
}

/* On a set that never changes (of one class, of equal targets) a score that is undefined once stays so: what follows it
 * would wait for ever, and what only shows it says so once. */
static gls_status judge_score(gls_validation *v, const gls_run *run, const char *set) {
    const gls_training *t = run->training;
    const char *score = gls_training_score_name(t);
    if (!score || !isnan(v->score)) return GLS_OK;
    const char *by = t->train->best == GLS_BEST_SCORE ? "train.best is score"
                     : !isnan(t->train->target_score) ? "train.target_accuracy waits for it"
                                                      : NULL;
    if (by)
        return gls_fail(v->ctx, GLS_ERR_INPUT,
                        "%s is not defined on the %s set (one class alone, or targets that are all the same?), but %s",
                        score, set, by);
    if (!v->said && run->rank == 0)
        gls_log(v->ctx, GLS_LOG_WARNING, "%s is not defined on the %s set and left out", score, set);
    v->said = true;
    return GLS_OK;
}

static gls_status step(void *user, gls_run *run, unsigned why) {
    (void)why;
    gls_validation *v = user;
    gls_training *t = run->training;
    const char *name;
    const gls_source *set = gls_validation_set(run, &name);
    GLS_TRY(gls_run_evaluate(run, set, gls_training_output(t), &v->monitored, &v->score));
    if (set && set->info.examples > 0) {
        GLS_TRY(gls_training_check_loss(t, name, v->monitored));
        GLS_TRY(judge_score(v, run, name));
    }
    v->validations++;
    trace_figure(run, name, "loss", v->monitored);
    if (gls_training_score_name(t)) trace_figure(run, name, gls_training_score_name(t), v->score);
    double found = t->train->best == GLS_BEST_SCORE ? v->score : v->monitored;
    bool better = isnan(v->best) ? !isnan(found) : demerit(t, found) < demerit(t, v->best);
    v->stale = better ? 0 : v->stale + 1;
    gls_method_validated(t->method, better); /* schedules that watch */
    run->found |= GLS_WHY_VALIDATED;
    if (!better) return GLS_OK;
    run->found |= GLS_WHY_BEST;
    v->best = found;
    v->best_step = t->counters.steps;
    return GLS_OK;
}

/* A comparison with NaN, no validation or no target, is false. */
static gls_status before(void *user, gls_run *run) {
    const gls_validation *v = user;
    const gls_training *t = run->training;
    const gls_config_train *train = t->train;
    if (v->monitored <= train->target_loss)
        gls_run_stop(run, GLS_STOP_TARGET_LOSS);
    else if (gls_training_merit(t, v->score) >= gls_training_merit(t, train->target_score))
        gls_run_stop(run, GLS_STOP_TARGET_SCORE);
    else if (train->patience && v->stale >= train->patience)
        gls_run_stop(run, GLS_STOP_PATIENCE);
    return GLS_OK;
}

static gls_status arrays(void *user, const char *prefix, gls_arrays *list) {
    static const gls_counter row[] = {
#define ROW(type, dtype, name) GLS_COUNTER_ROW(gls_validation, dtype, name)
        GLS_VALIDATION_COUNTERS(ROW)
#undef ROW
    };
    gls_validation *v = user;
    return gls_counters_arrays(v->ctx, row, sizeof row / sizeof *row, v, prefix, list);
}

static void destroy(void *user) {
    gls_validation *v = user;
    gls_free(v->ctx, v);
}

gls_status gls_observe_validation(gls_run *run) {
    const gls_training *t = run->training;
    if (gls_method_watches(t->method) && !(t->train->validate_every.amount > 0))
        return gls_fail(run->ctx, GLS_ERR_ARGUMENT,
                        "schedule plateau follows validations, and train.validate_every is 0: there are none");
    gls_validation *v = gls_alloc(run->ctx, 1, sizeof *v);
    if (!v) return GLS_ERR_MEMORY;
    *v = (gls_validation){.ctx = run->ctx, .best = NAN, .monitored = NAN, .score = NAN};
    return gls_run_observe(run, &(gls_observer){.name = "validation",
                                                .every = t->train->validate_every,
                                                .user = v,
                                                .step = step,
                                                .before = before,
                                                .arrays = arrays,
                                                .prefix = "trainer/",
                                                .destroy = destroy});
}
