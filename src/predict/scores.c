/* Scores of a trained model on a set. */
#include <math.h>

#include "data/source.h"
#include "estimator/streams.h"
#include "predict/predictor.h"
#include "predict/score_set.h"

void gls_scores_clear(gls_context *ctx, gls_scores *scores) {
    if (!ctx || !scores) return;
    gls_free(ctx, scores->confusion);
    gls_free(ctx, scores->recall);
    *scores = (gls_scores){0};
}

/* As the run computes its own test loss: the same pass over the same rows. */
static gls_status own_loss(gls_predictor *p, const gls_source *rows, double *loss) {
    gls_loader *loader = NULL;
    gls_pass_result result;
    gls_pass_request request = {.w = p->w, .mode = GLS_MODE_EVALUATE};
    gls_status status = gls_predictor_loader(p, rows, &loader);
    if (status == GLS_OK) status = gls_pass_run_whole(p->pass, &rows->info, loader, &request, &result);
    gls_loader_destroy(loader);
    if (status == GLS_OK) *loss = result.loss / result.mass;
    return status;
}

static gls_status score(gls_predictor *p, const gls_source *rows, gls_scores *out) {
    unsigned task;
    if (rows->info.examples < 1 || !gls_source_has_targets(rows))
        return gls_fail(p->ctx, GLS_ERR_INPUT, "evaluate: expected rows with targets, at least one");
    GLS_TRY(gls_score_task(p->problem, &rows->info, &task));
    gls_score_set set = {.ctx = p->ctx,
                         .problem = p->problem,
                         .pass = p->pass,
                         .w = p->w,
                         .info = &p->trained.input,
                         .language = &p->language};
    GLS_TRY(gls_predictor_loader(p, rows, &set.loader));
    gls_status status = gls_score_set_fill(&set, rows, NULL, out);
    gls_loader_destroy(set.loader);
    return status == GLS_OK ? own_loss(p, rows, &out->loss) : status;
}

gls_status gls_predictor_score(gls_predictor *p, const gls_source *rows, gls_scores *out) {
    GLS_GIVEN(p ? p->ctx : NULL, p, rows, out);
    *out = (gls_scores){0};
    gls_status status = score(p, rows, out);
    if (status != GLS_OK) gls_scores_clear(p->ctx, out);
    return status;
}
