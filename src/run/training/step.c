/* The one step of trainer, probes, solve and replay. An average takes the point w at which a gradient was taken, before
 * w moves; whether the method will refuse that gradient must therefore be known before it is told. */
#include "run/training/step.h"

#include <math.h>
#include <string.h>

#include "base/kernels.h"

static bool counts_for_average(const gls_stepper *s, const gls_query *query, const gls_answer *answer) {
    if (query->kind == GLS_QUERY_VALUE || !answer->g) return false;
    return isfinite(answer->norm2) || isfinite(gls_sum_squares(answer->g, s->size));
}

static void commit(const gls_stepper *s, const gls_query *query) {
    const gls_real *next = s->pass && query->kind != GLS_QUERY_VALUE ? gls_pass_state_next(s->pass) : NULL;
    if (next) gls_problem_commit(s->problem, next);
}

/* The order matters: w is averaged and kept before tell moves it, and the state is committed only if the step was
 * taken, so that a refused step leaves no trace. */
gls_status gls_training_step(const gls_stepper *s, gls_step_report *report, gls_stepper_end *end) {
    gls_query query;
    gls_answer answer = {.value = NAN, .norm2 = NAN, .epoch = NAN};
    bool given = true;
    *report = (gls_step_report){0};
    GLS_TRY(gls_method_query(s->method, s->w, &query));
    *end = GLS_STEP_DONE;
    if (query.kind == GLS_QUERY_DONE) return GLS_OK;
    GLS_TRY(s->answer(s->user, &query, &answer, &given));
    *end = GLS_STEP_WITHHELD;
    if (!given) return GLS_OK;
    if (s->average && counts_for_average(s, &query, &answer)) GLS_TRY(gls_average_update(s->average, s->w));
    if (s->previous) memcpy(s->previous, s->w, (size_t)s->size * sizeof *s->w);
    GLS_TRY(gls_method_tell(s->method, &answer, s->w, report));
    *end = report->refused ? GLS_STEP_REFUSED : isfinite(report->update_norm) ? GLS_STEP_TAKEN : GLS_STEP_OVERFLOWED;
    if (!report->refused) commit(s, &query);
    return GLS_OK;
}
