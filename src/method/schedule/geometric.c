#include <glissade/method.h>

#include <math.h>

typedef struct geometric_options {
    gls_schedule_common common;
    double factor;
    gls_length every;
} geometric_options;

/* from factor^floor(t / every) */
static double value(const void *self, const void *options, const gls_schedule_time *time) {
    const geometric_options *o = options;
    double position = o->every.steps ? time->clock.step : time->clock.epoch;
    return o->common.from * pow(o->factor, floor(position / o->every.amount));
}

static const gls_option table[] = {GLS_SCHEDULE_OPTIONS,
                                   {.key = "factor",
                                    .type = GLS_OPTION_REAL,
                                    .offset = offsetof(geometric_options, factor),
                                    .initial = "0.5",
                                    .minimum = 0,
                                    .maximum = INFINITY,
                                    .flags = GLS_OPTION_ABOVE_MIN,
                                    .help = "what it is multiplied by"},
                                   {.key = "every",
                                    .type = GLS_OPTION_LENGTH,
                                    .offset = offsetof(geometric_options, every),
                                    .initial = "1",
                                    .minimum = 0,
                                    .maximum = INFINITY,
                                    .flags = GLS_OPTION_ABOVE_MIN,
                                    .help = "how often"},
                                   {0}};

const gls_schedule_type gls_schedule_geometric = {
    .member = {"geometric", "multiplied by a factor again and again", "", table, sizeof(geometric_options)},
    .value = value};
