/* plan.precision and plan.emulate: in what a training computes. */
#include <string.h>

#include "base/context.h"
#include "base/value.h"
#include "run/training/training.h"

const char *gls_training_precision(const gls_training *t) {
    return t->problem->precision == GLS_PRECISION_BF16 ? "bf16" : sizeof(gls_real) == 4 ? "float" : "double";
}

/* plan.KEY, with the place where it was said; text has room for that. */
static const char *place_of(const gls_training *t, const char *key, char text[GLS_ORIGIN_TEXT]) {
    return gls_value_origin(gls_value_get(gls_value_get(t->config, "plan"), key), text);
}

/* Whether what was asked for is this command's at all: double and single precision are programs of their own. */
static gls_status check(const gls_training *t, const gls_config_plan *plan, bool bf16) {
    const char *wanted = plan->precision, *own = gls_training_precision(t);
    bool single = sizeof(gls_real) == 4;
    bool known = !wanted || bf16 || strcmp(wanted, "float") == 0 || strcmp(wanted, "double") == 0;
    char place[GLS_ORIGIN_TEXT];
    place_of(t, "precision", place);
    if (!known)
        return gls_fail(t->ctx, GLS_ERR_ARGUMENT, "%splan.precision: expected float, double or bf16, found '%s'", place,
                        wanted);
    if (wanted && strcmp(wanted, own) != 0 && !(bf16 && single))
        return gls_fail(t->ctx, GLS_ERR_ARGUMENT,
                        "%splan.precision: this run uses %s, but this command computes in %s; use %s", place, wanted,
                        own, single ? "glissade64" : "glissade");
    if (plan->emulate && !bf16)
        return gls_fail(t->ctx, GLS_ERR_ARGUMENT,
                        "%splan.emulate says how to compute in bf16, but plan.precision is %s",
                        place_of(t, "emulate", place), own);
    return GLS_OK;
}

gls_status gls_training_set_precision(gls_training *t) {
    const gls_config_plan *plan = gls_options_struct(t->plan_options);
    bool bf16 = plan->precision && strcmp(plan->precision, "bf16") == 0;
    GLS_TRY(check(t, plan, bf16));
    gls_status status = bf16 ? gls_problem_set_precision(t->problem, GLS_PRECISION_BF16, plan->emulate) : GLS_OK;
    if (status == GLS_OK) return GLS_OK;
    char place[GLS_ORIGIN_TEXT], *said = gls_strdup(t->ctx, gls_context_message(t->ctx));
    if (said) gls_fail(t->ctx, status, "%splan.precision: %s", place_of(t, "precision", place), said);
    gls_free(t->ctx, said);
    return status;
}
