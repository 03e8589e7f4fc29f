/* Losses and scores over whole sets, and what follows from them: best checkpoint, patience, targets. */
#include "run/loop/trainer.h"

#include <math.h>
#include <stdio.h>

gls_status gls_run_loader(gls_run *run, const gls_source *source, gls_loader **out) {
    gls_loader_options options = {.size = sizeof options,
                                  .workers = (int)run->train->workers,
                                  .wave = gls_pass_plan(run->evaluation_pass, source->info.examples).wave,
                                  .align = 1,
                                  .seed = (uint64_t)run->train->seed};
    return gls_loader_create(run->ctx, source, &options, out);
}

gls_status gls_loader_whole(gls_run *run, gls_loader *loader, int64_t examples, gls_stream **rows) {
    int64_t *index = gls_alloc(run->ctx, examples, sizeof *index);
    if (!index) return GLS_ERR_MEMORY;
    for (int64_t i = 0; i < examples; i++) index[i] = i;
    gls_status status = gls_loader_push(loader, index, examples, 0);
    gls_free(run->ctx, index);
    GLS_TRY(status);
    return gls_loader_front(loader, rows);
}

static gls_status evaluate(gls_run *run, gls_loader *loader, int64_t examples, const gls_real *w,
                           gls_pass_result *result) {
    gls_stream *rows;
    GLS_TRY(gls_loader_whole(run, loader, examples, &rows));
    gls_pass_request request = {
        .w = w, .rows = rows, .want = run->problem->score_count ? GLS_WANT_SCORES : 0, .mode = GLS_MODE_EVALUATE};
    return gls_pass_run(run->evaluation_pass, &request, result);
}

gls_status gls_evaluate_set(gls_run *run, const gls_source *set, const gls_real *w, double *loss, double *score) {
    *loss = *score = NAN;
    if (!set || set->info.examples < 1) return GLS_OK;
    gls_loader *loader = NULL;
    gls_pass_result result;
    GLS_TRY(gls_run_loader(run, set, &loader));
    gls_status status = evaluate(run, loader, set->info.examples, w, &result);
    gls_loader_destroy(loader);
    GLS_TRY(status);
    *loss = result.loss / result.mass;
    if (run->problem->score_count) *score = result.score[0] / result.mass;
    return GLS_OK;
}

const gls_source *gls_monitored(const gls_run *run, const char **name) {
    int monitor = run->train->monitor;
    if (monitor == GLS_MONITOR_AUTO)
        monitor = run->validation_set ? GLS_MONITOR_VALIDATION : run->test_set ? GLS_MONITOR_TEST : GLS_MONITOR_TRAIN;
    *name = monitor == GLS_MONITOR_VALIDATION ? "validation" : monitor == GLS_MONITOR_TEST ? "test" : "train";
    return monitor == GLS_MONITOR_VALIDATION ? run->validation_set
           : monitor == GLS_MONITOR_TEST     ? run->test_set
                                             : run->train_set;
}

static void trace_figure(gls_run *run, const char *set, const char *figure, double value) {
    char name[160];
    snprintf(name, sizeof name, "%s_%s", set, figure);
    if (!isnan(value)) gls_run_trace(run, name, value);
}

gls_status gls_validate(gls_run *run, bool *better) {
    gls_counters *c = &run->counters;
    const char *name;
    const gls_source *set = gls_monitored(run, &name);
    GLS_TRY(gls_evaluate_set(run, set, gls_run_output(run), &c->monitored, &c->score));
    c->validations++;
    trace_figure(run, name, "loss", c->monitored);
    if (run->problem->score_count) trace_figure(run, name, run->problem->score[0], c->score);
    if (run->average) gls_average_validated(run->average, c->monitored);
    *better = isnan(c->best) ? !isnan(c->monitored) : c->monitored < c->best;
    c->stale = *better ? 0 : c->stale + 1;
    if (!*better) return GLS_OK;
    c->best = c->monitored;
    c->best_step = c->steps;
    return GLS_OK;
}
