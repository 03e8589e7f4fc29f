/* An average of the iterates (train.average). The step updates it with the points at which gradients were taken; here
 * it is kept, saved, and told of validations, which start a triggered one. */
#include <string.h>

#include "run/observer/table.h"
#include "run/observer/validation.h"

static gls_status step(void *user, gls_run *run, unsigned why) {
    if (why & GLS_WHY_VALIDATED) gls_average_validated(user, gls_validation_of(run)->monitored);
    return GLS_OK;
}

static gls_status arrays(void *user, const char *prefix, gls_arrays *list) {
    return gls_average_arrays(user, prefix, list);
}

static void destroy(void *user) {
    gls_average_destroy(user);
}

gls_status gls_observe_average(gls_run *run) {
    gls_training *t = run->training;
    const gls_value *spec = t->train->average;
    int64_t d = gls_problem_size(t->problem);
    gls_average *average;
    if (!spec || (spec->kind == GLS_VALUE_TEXT && strcmp(spec->text, "none") == 0)) return GLS_OK;
    if (!t->output && !(t->output = gls_alloc(run->ctx, d, sizeof *t->output))) return GLS_ERR_MEMORY;
    GLS_TRY(gls_average_create(run->ctx, d, spec, (uint64_t)t->train->seed, &average));
    GLS_TRY(gls_run_observe(run, &(gls_observer){.name = "average",
                                                 .every = GLS_EACH_STEP,
                                                 .user = average,
                                                 .step = step,
                                                 .arrays = arrays,
                                                 .prefix = "average/",
                                                 .destroy = destroy}));
    t->average = average;
    return GLS_OK;
}
