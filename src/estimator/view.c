/* A chain and a plan in words. */
#include <stdio.h>

#include "base/printout.h"
#include "estimator/estimator.h"
#include "estimator/pass.h"

static const char *groups_of(const gls_stage *stage, char text[64]) {
    if (stage->key)
        snprintf(text, 64, "groups by %.40s", stage->key);
    else if (stage->group == GLS_GROUP_RANK)
        snprintf(text, 64, "the rows of each rank as a group");
    else if (stage->group < 0)
        snprintf(text, 64, "the mini-batch as one group");
    else
        snprintf(text, 64, "groups of %lld example%s", (long long)stage->group, stage->group == 1 ? "" : "s");
    return text;
}

static void add_stage(gls_printout *lines, const gls_stage *stage) {
    char text[64];
    const char *place = stage->type->place == GLS_PLACE_GROUP ? groups_of(stage, text)
                        : stage->type->place == GLS_PLACE_SUM ? "how groups are combined"
                                                              : "the estimate as a whole";
    gls_printout_add(lines, "  %-14s %s: %s%s%s\n", stage->type->member.name, place, stage->type->member.help,
                     stage->sum ? "; summed, not averaged" : "", stage->ledger ? "; keeps a ledger" : "");
}

char *gls_estimator_view(const gls_estimator *estimator) {
    if (!estimator) return NULL;
    gls_printout lines = {.ctx = estimator->ctx};
    gls_printout_add(&lines, "estimator: a chain of %lld stage%s\n", (long long)estimator->stages,
                     estimator->stages == 1 ? "" : "s");
    for (int64_t i = 0; i < estimator->stages; i++) add_stage(&lines, estimator->stage[i]);
    return gls_printout_end(&lines);
}

char *gls_pass_view(const gls_pass *pass, int64_t rows) {
    if (!pass) return NULL;
    gls_printout lines = {.ctx = pass->ctx};
    gls_pass_options plan = gls_pass_plan(pass, rows);
    gls_printout_add(&lines, "plan for mini-batches of %lld: waves of %lld rows, slices of %lld rows, %lld lane%s%s",
                     (long long)rows, (long long)plan.wave, (long long)plan.slice, (long long)plan.lanes,
                     plan.lanes == 1 ? "" : "s", plan.span ? ", " : "\n");
    if (plan.span) gls_printout_add(&lines, "spans of %lld rows\n", (long long)plan.span);
    return gls_printout_end(&lines);
}
