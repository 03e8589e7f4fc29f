/* Losses and scores over whole sets at the final weights: the run's result. */
#include <math.h>
#include <stdio.h>

#include "run/observer/table.h"

static void trace(gls_run *run, const char *set, double loss, double score) {
    const gls_problem *problem = run->training->problem;
    char name[160];
    snprintf(name, sizeof name, "final_%s_loss", set);
    if (!isnan(loss)) gls_run_trace(run, name, loss);
    snprintf(name, sizeof name, "final_%s_%s", set, problem->score_count ? problem->score[0] : "score");
    if (!isnan(score)) gls_run_trace(run, name, score);
}

static gls_status evaluate(gls_run *run, const gls_source *set, const char *name, double *loss, double *score) {
    gls_training *t = run->training;
    GLS_TRY(gls_training_evaluate(t, set, gls_training_output(t), loss, score));
    return set && set->info.examples > 0 ? gls_training_check_loss(t, name, *loss) : GLS_OK;
}

/* A loss that is no number ends the run as failed, before its weights are called final. */
static gls_status end(void *user, gls_run *run, unsigned why) {
    (void)user;
    if (!(why & GLS_WHY_END)) return GLS_OK;
    const gls_training_sets *set = &run->training->set;
    gls_run_result *r = &run->result;
    GLS_TRY(evaluate(run, set->train, "train", &r->train_loss, &r->train_score));
    GLS_TRY(evaluate(run, set->validation, "validation", &r->validation_loss, &r->validation_score));
    GLS_TRY(evaluate(run, set->test, "test", &r->test_loss, &r->test_score));
    trace(run, "train", r->train_loss, r->train_score);
    trace(run, "validation", r->validation_loss, r->validation_score);
    trace(run, "test", r->test_loss, r->test_score);
    return GLS_OK;
}

gls_status gls_observe_final(gls_run *run) {
    return gls_run_observe(run, &(gls_observer){.name = "final", .end = end});
}
