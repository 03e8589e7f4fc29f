/* cosine: to + (from - to) (1 + cos(pi t/T)) / 2, t and T counted from the end of the warm-up; after T it stays. */
#include <glissade/method.h>

#include <math.h>

typedef struct cosine_options {
    gls_schedule_common common;
    double to;
} cosine_options;

static double value(const void *self, const void *options, const gls_schedule_time *time) {
    const cosine_options *o = options;
    double fraction = fmin((time->now - time->start) / (time->end - time->start), 1);
    return o->to + (o->common.from - o->to) * 0.5 * (1 + cos(fraction * 3.14159265358979323846));
}

static const gls_option table[] = {
    GLS_SCHEDULE_OPTIONS, GLS_SCHEDULE_LENGTH, GLS_REAL("to", cosine_options, to, "0", 0, 0, "value at the end"), {0}};

const gls_schedule_type gls_schedule_cosine = {
    .member = {"cosine", "falls along half a cosine wave", "", table, sizeof(cosine_options)},
    .needs_end = true,
    .value = value};
