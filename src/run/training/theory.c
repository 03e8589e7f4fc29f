/* A theorem's rate and bound are for its own batch and length: what differs in the run is said. */
#include <math.h>
#include <stdlib.h>

#include "run/training/training.h"

static double given(const gls_value *gives, const char *key) {
    const gls_value *value = gls_value_get(gives, key);
    return value && value->text ? strtod(value->text, NULL) : NAN;
}

/* Half an example, or a step and a hundredth: what rounding to whole ones leaves. */
static void compare(const gls_training *t, const char *theorem, const char *what, double wants, double has,
                    double slack) {
    if (isnan(wants) || !(has > 0) || fabs(wants - has) <= slack) return;
    gls_log(t->ctx, GLS_LOG_WARNING,
            "from_theory: theorem %s is for %s %.6g, this run has %.6g: its rate and bound are "
            "not this run's",
            theorem, what, wants, has);
}

void gls_training_compare_theory(const gls_training *t) {
    const gls_value *from = gls_value_get(gls_value_get(t->config, "method"), "from_theory");
    const gls_value *gives = gls_value_get(from, "gives"), *name = gls_value_get(from, "theorem");
    if (!gives || !name || !name->text) return;
    double batch = (double)(t->train->batch < 0 ? t->set.train->info.examples : t->train->batch);
    double steps = given(gives, "steps"), gradients = given(gives, "gradients"), limit = given(gives, "batch_limit");
    compare(t, name->text, "batch", given(gives, "batch"), batch, 0.5);
    compare(t, name->text, "steps", steps, t->total_steps, 1 + steps / 100);
    compare(t, name->text, "gradients", gradients, t->total_steps * batch, batch + gradients / 100);
    if (batch > limit)
        gls_log(t->ctx, GLS_LOG_WARNING, "from_theory: theorem %s allows a batch of at most %.6g, this run has %.6g",
                name->text, limit, batch);
}
