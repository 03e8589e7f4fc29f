/* inverse: 4 / (mu (k + 1)) at step k = 1, 2, ... after the warm-up; without mu, from / k. */
#include <glissade/method.h>

#include <math.h>

typedef struct inverse_options {
    gls_schedule_common common;
    double mu;
} inverse_options;

static double value(const void *self, const void *options, const gls_schedule_time *time) {
    const inverse_options *o = options;
    return o->mu > 0 ? 4 / (o->mu * (time->step + 2)) : o->common.from / (time->step + 1);
}

static const gls_option table[] = {
    GLS_SCHEDULE_OPTIONS,
    GLS_REAL("mu", inverse_options, mu, "0", 0, INFINITY,
             "strong convexity: the rate is 4/(mu (k + 1)) at step k = 1, 2, ...; 0: from/k"),
    {0}};

const gls_schedule_type gls_schedule_inverse = {
    .member = {"inverse", "4/(mu (k + 1)) at step k", "[A] thm 1", table, sizeof(inverse_options)}, .value = value};
