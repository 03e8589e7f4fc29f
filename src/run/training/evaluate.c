/* Losses and scores over whole sets, and the weights that are judged by them. */
#include <math.h>

#include "estimator/streams.h"
#include "run/training/training.h"

gls_status gls_training_loader(gls_training *t, const gls_source *source, gls_loader **out) {
    gls_loader_options options = {.size = sizeof options,
                                  .workers = (int)t->train->workers,
                                  .wave = gls_pass_plan(t->evaluation_pass, source->info.examples).wave,
                                  .align = 1,
                                  .seed = (uint64_t)t->train->seed};
    return gls_loader_create(t->ctx, source, &options, out);
}

gls_status gls_training_evaluate(gls_training *t, const gls_source *set, const gls_real *w, double *loss,
                                 double *score) {
    *loss = *score = NAN;
    if (!set || set->info.examples < 1) return GLS_OK;
    bool own = t->problem->score_count && !t->score;
    gls_loader *loader = NULL;
    gls_pass_result result;
    gls_pass_request request = {.w = w, .want = own ? GLS_WANT_SCORES : 0, .mode = GLS_MODE_EVALUATE};
    GLS_TRY(gls_training_loader(t, set, &loader));
    gls_status status = gls_pass_run_whole(t->evaluation_pass, &set->info, loader, &request, &result);
    gls_loader_destroy(loader);
    GLS_TRY(status);
    *loss = result.loss / result.mass;
    if (own) *score = result.score[0] / result.mass;
    return t->score ? gls_training_score(t, set, w, score) : GLS_OK;
}

gls_status gls_training_check_loss(const gls_training *t, const char *set, double loss) {
    if (isfinite(loss)) return GLS_OK;
    return gls_fail(
        t->ctx, GLS_ERR_NONFINITE,
        "step %lld: the loss on the %s set is %s though the weights are finite: try a smaller method.lr, and "
        "look at the data (glissade data info)",
        (long long)t->counters.steps, set, isnan(loss) ? "not a number" : "infinite");
}

const gls_real *gls_training_output(const gls_training *t) {
    if (t->average && gls_average_value(t->average, t->output)) return t->output;
    const gls_real *own = gls_method_output(t->method, t->w);
    return own ? own : t->w;
}
