/* step: at milestones, the number is multiplied by a factor or takes the next value of a list. */
#include <glissade/method.h>

#include <math.h>

typedef struct step_options {
    gls_schedule_common common;
    double factor;
    gls_lengths at;
    gls_reals values;
} step_options;

static const double default_factor = 0.1;

/* Milestones in epochs and in steps each ascend: one out of order would never come, or come with another's value. */
static gls_status check_order(gls_context *ctx, const step_options *o) {
    double last[2] = {-1, -1};
    for (int64_t i = 0; i < o->at.count; i++) {
        const gls_length *at = &o->at.item[i];
        if (!(at->amount > last[at->steps]))
            return gls_fail(ctx, GLS_ERR_ARGUMENT,
                            "schedule step: milestone %lld of at, %g%s, is not after %g%s: "
                            "expected ascending milestones",
                            (long long)i + 1, at->amount, at->steps ? "s" : "", last[at->steps], at->steps ? "s" : "");
        last[at->steps] = at->amount;
    }
    return GLS_OK;
}

static gls_status create(gls_context *ctx, void *self, const void *options) {
    const step_options *o = options;
    if (o->values.count && o->values.count != o->at.count)
        return gls_fail(ctx, GLS_ERR_ARGUMENT, "schedule step: %lld values for %lld milestones (at)",
                        (long long)o->values.count, (long long)o->at.count);
    if (o->values.count && o->factor != default_factor)
        return gls_fail(ctx, GLS_ERR_ARGUMENT,
                        "schedule step: values take the place of factor: expected one of the two");
    return check_order(ctx, o);
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
