/* What a method asks, answered by the training's problem: a value, an oracle, or a gradient through an estimator. */
#include <math.h>

#include "base/kernels.h"
#include "run/training/training.h"

/* A generalised gradient in the asked direction, from a problem that answers that exactly: mean over the mini-batch. */
static gls_status answer_oracle(gls_training *t, gls_pass *pass, const gls_query *query, gls_stream *rows, gls_real *g,
                                gls_estimate *out) {
    if (!t->direction) GLS_TRY(gls_point_create(t->problem, &t->direction));
    GLS_TRY(gls_point_set(t->direction, query->direction));
    gls_pass_request request = {.w = query->at,
                                .direction = t->direction,
                                .rows = rows,
                                .want = GLS_WANT_GRADIENT | GLS_WANT_ORACLE,
                                .mode = GLS_MODE_TRAIN,
                                .g = g};
    gls_pass_result result;
    GLS_TRY(gls_pass_run(pass, &request, &result));
    gls_team_scale(t->ctx, g, 1 / result.mass, gls_problem_size(t->problem));
    *out = (gls_estimate){.loss = result.loss / result.mass,
                          .mass = result.mass,
                          .rows = result.rows,
                          .norm2 = result.norm2 / (result.mass * result.mass)};
    return GLS_OK;
}

static gls_status answer_value(gls_pass *pass, const gls_query *query, gls_stream *rows, gls_estimate *out) {
    gls_pass_request request = {.w = query->at, .rows = rows, .mode = GLS_MODE_TRAIN};
    gls_pass_result result;
    GLS_TRY(gls_pass_run(pass, &request, &result));
    *out = (gls_estimate){.loss = result.loss / result.mass, .mass = result.mass, .rows = result.rows, .norm2 = NAN};
    return GLS_OK;
}

gls_status gls_training_answer(gls_training *t, gls_pass *pass, gls_estimator *estimator, const gls_query *query,
                               gls_stream *rows, gls_real *g, gls_estimate *out, gls_record *record) {
    if (query->kind == GLS_QUERY_VALUE) return answer_value(pass, query, rows, out);
    if (query->kind == GLS_QUERY_ORACLE && query->direction && t->problem->oracle_exact)
        return answer_oracle(t, pass, query, rows, g, out);
    return gls_estimator_estimate(estimator, pass, query->at, rows, 0, g, out, record);
}
