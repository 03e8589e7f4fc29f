/* geometric: from * factor^floor(t / every), t from the start of the run, also under a warm-up. */
#include <glissade/method.h>

#include <math.h>

typedef struct geometric_options {
    gls_schedule_common common;
    double factor;
    gls_length every;
} geometric_options;

static double value(const void *self, const void *options, const gls_schedule_time *time) {
    const geometric_options *o = options;
    double position = o->every.steps ? time->clock.step : time->clock.epoch;
    return o->common.from * pow(o->factor, floor(position / o->every.amount));
}

static const gls_option table[] = {GLS_SCHEDULE_OPTIONS,
                                   GLS_REAL("factor", geometric_options, factor, "0.5", 0, INFINITY,
                                            "what the value is multiplied by", .flags = GLS_OPTION_ABOVE_MIN),
                                   GLS_LENGTH("every", geometric_options, every, "1",
                                              "epochs, or steps (500s), between multiplications", .maximum = INFINITY,
                                              .flags = GLS_OPTION_ABOVE_MIN),
                                   {0}};

const gls_schedule_type gls_schedule_geometric = {
    .member = {"geometric", "multiplied by `factor` every `every` epochs", "", table, sizeof(geometric_options)},
    .value = value};
