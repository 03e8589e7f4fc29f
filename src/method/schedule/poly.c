/* poly: to + (from - to) (1 - t/T)^power, t and T counted from the end of the warm-up; after T it stays. */
#include <glissade/method.h>

#include <math.h>

typedef struct poly_options {
    gls_schedule_common common;
    double power, to;
} poly_options;

static double value(const void *self, const void *options, const gls_schedule_time *time) {
    const poly_options *o = options;
    double left = 1 - fmin((time->now - time->start) / (time->end - time->start), 1);
    return o->to + (o->common.from - o->to) * pow(left, o->power);
}

static const gls_option table[] = {GLS_SCHEDULE_OPTIONS,
                                   GLS_SCHEDULE_LENGTH,
                                   GLS_REAL("power", poly_options, power, "1", 0, INFINITY,
                                            "exponent of the decay; 1 is a straight line; the SNGM paper has 1.1 and 2",
                                            .flags = GLS_OPTION_ABOVE_MIN),
                                   GLS_REAL("to", poly_options, to, "0", 0, 0, "value at the end"),
                                   {0}};

const gls_schedule_type gls_schedule_poly = {
    .member = {"poly", "falls as (1 - t/T)^power, step by step", "[N] 5.1", table, sizeof(poly_options)},
    .needs_end = true,
    .value = value};
