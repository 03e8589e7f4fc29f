/* step: at milestones, the number is multiplied by a factor or takes the next value of a list. */
#include <glissade/method.h>

#include <math.h>

typedef struct step_options {
    gls_schedule_common common;
    double factor;
    gls_lengths at;
    gls_reals values;
} step_options;

static gls_status create(gls_context *ctx, void *self, const void *options) {
    const step_options *o = options;
    if (o->values.count && o->values.count != o->at.count)
        return gls_fail(ctx, GLS_ERR_ARGUMENT, "schedule step: %lld values for %lld milestones (at)",
                        (long long)o->values.count, (long long)o->at.count);
    return GLS_OK;
}

static double value(const void *self, const void *options, const gls_schedule_time *time) {
    const step_options *o = options;
    double now = o->common.from;
    for (int64_t i = 0; i < o->at.count; i++) {
        double position = o->at.item[i].steps ? time->clock.step : time->clock.epoch;
        if (position >= o->at.item[i].amount) now = o->values.count ? o->values.item[i] : now * o->factor;
    }
    return now;
}

static const gls_option table[] = {
    GLS_SCHEDULE_OPTIONS,
    GLS_REAL("factor", step_options, factor, "0.1", 0, INFINITY, "factor applied at each milestone",
             .flags = GLS_OPTION_ABOVE_MIN),
    GLS_LIST("at", step_options, at, NULL, 0, INFINITY, GLS_ITEM(.type = GLS_OPTION_LENGTH),
             "milestones: [80, 120] epochs or [500s, 900s] steps", .flags = GLS_OPTION_REQUIRED),
    GLS_LIST("values", step_options, values, NULL, 0, INFINITY, GLS_ITEM(.type = GLS_OPTION_REAL),
             "values from the milestones on, in place of the factor"),
    {0}};

const gls_schedule_type gls_schedule_step = {.member = {"step",
                                                        "multiplied by a factor, or set to given values, at milestones",
                                                        "", table, sizeof(step_options)},
                                             .create = create,
                                             .value = value};
