/* Losses and scores over whole sets at the final weights: the run's result. */
#include <math.h>
#include <stdio.h>

#include "base/arith.h"
#include "run/observer/table.h"

static void trace(gls_run *run, const char *set, double loss, double score) {
    const char *own = gls_training_score_name(run->training);
    char name[160];
    snprintf(name, sizeof name, "final_%s_loss", set);
    if (!isnan(loss)) gls_run_trace(run, name, loss);
    snprintf(name, sizeof name, "final_%s_%s", set, own ? own : "score");
    if (!isnan(score)) gls_run_trace(run, name, score);
}

/* A loss that is no number ends the run as failed, before its weights are called final. */
static gls_status evaluate(gls_run *run, const gls_source *set, const char *name, double *loss, double *score) {
    GLS_TRY(gls_run_evaluate(run, set, gls_training_output(run->training), loss, score));
    return set && set->info.examples > 0 ? gls_training_check_loss(run->training, name, *loss) : GLS_OK;
}

/* A held-out set is evaluated whole, or not at all where train.time is over before. */
static gls_status held_out(gls_run *run, const char *name, const gls_source *set, double *loss, double *score) {
    int64_t n = set ? set->info.examples : 0, fit;
    GLS_TRY(gls_pace_fitting(run, n, &fit));
    if (fit == n) return evaluate(run, set, name, loss, score);
    if (run->rank == 0)
        gls_log(run->ctx, GLS_LOG_WARNING,
                "train.time leaves room for %lld of %lld examples of the %s set: its final loss is left out",
                (long long)fit, (long long)n, name);
    return GLS_OK;
}

/* So many examples of the training set, evenly spread over it, so that sorted data count in all their parts. */
static gls_status sample(gls_run *run, int64_t count) {
    const gls_source *set = run->training->set.train;
    int64_t n = set->info.examples;
    gls_source *part = NULL;
    int64_t *index = gls_alloc(run->ctx, count, sizeof *index);
    if (!index) return GLS_ERR_MEMORY;
    for (int64_t i = 0; i < count; i++) index[i] = (int64_t)((double)i * (double)n / (double)count);
    gls_status status = gls_source_subset(run->ctx, set, index, count, &part);
    gls_free(run->ctx, index);
    if (status == GLS_OK) status = evaluate(run, part, "train", &run->result.train_loss, &run->result.train_score);
    gls_source_destroy(part);
    return status;
}

static gls_status training(gls_run *run) {
    const gls_training *t = run->training;
    gls_run_result *r = &run->result;
    int64_t n = t->set.train->info.examples, asked = t->train->final_train;
    int64_t wanted = asked < 0 ? n : gls_least(asked, n);
    GLS_TRY(gls_pace_fitting(run, wanted, &r->train_examples));
    if (r->train_examples < wanted && run->rank == 0)
        gls_log(run->ctx, GLS_LOG_WARNING,
                "train.time leaves room for %lld of %lld examples of the training set: its final loss is over those",
                (long long)r->train_examples, (long long)wanted);
    if (r->train_examples < 1) return GLS_OK;
    if (r->train_examples < n) return sample(run, r->train_examples);
    return evaluate(run, t->set.train, "train", &r->train_loss, &r->train_score);
}

static gls_status end(void *user, gls_run *run, unsigned why) {
    (void)user;
    if (!(why & GLS_WHY_END)) return GLS_OK;
    const gls_training_sets *sets = &run->training->set;
    gls_run_result *r = &run->result;
    GLS_TRY(held_out(run, "validation", sets->validation, &r->validation_loss, &r->validation_score));
    GLS_TRY(held_out(run, "test", sets->test, &r->test_loss, &r->test_score));
    GLS_TRY(training(run));
    trace(run, "train", r->train_loss, r->train_score);
    trace(run, "validation", r->validation_loss, r->validation_score);
    trace(run, "test", r->test_loss, r->test_score);
    return GLS_OK;
}

gls_status gls_observe_final(gls_run *run) {
    return gls_run_observe(run, &(gls_observer){.name = "final", .end = end});
}
