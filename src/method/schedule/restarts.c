/* restarts: half a cosine wave from `from` to `to`, again from the start after each period; period i has stretch^i
 * times the length of the first. Loshchilov, Hutter: SGDR, stochastic gradient descent with warm restarts, ICLR 2017 */
#include <glissade/method.h>

#include <math.h>

typedef struct restarts_options {
    gls_schedule_common common;
    double to, stretch;
} restarts_options;

static gls_status create(gls_context *ctx, void *self, const void *options) {
    const restarts_options *o = options;
    (void)self;
    return o->common.length.amount > 0
               ? GLS_OK
               : gls_fail(
                     ctx, GLS_ERR_ARGUMENT,
                     "schedule restarts needs the length of its first period (length: 10 epochs or \"500s\" steps)");
}

/* Which period, in closed form: with stretch s the first k of them are (s^k - 1)/(s - 1) first ones long. */
static double value(const void *self, const void *options, const gls_schedule_time *time) {
    const restarts_options *o = options;
    (void)self;
    double first = time->end - time->start, periods = (time->now - time->start) / first, fraction;
    if (o->stretch > 1) {
        double k = floor(log1p(periods * (o->stretch - 1)) / log(o->stretch) + 1e-12);
        fraction = (periods - (pow(o->stretch, k) - 1) / (o->stretch - 1)) / pow(o->stretch, k);
    } else {
        fraction = periods - floor(periods + 1e-12);
    }
    fraction = fmin(fmax(fraction, 0), 1);
    return o->to + (o->common.from - o->to) * 0.5 * (1 + cos(fraction * 3.14159265358979323846));
}

static const gls_option table[] = {
    GLS_SCHEDULE_OPTIONS,
    GLS_LENGTH("length", gls_schedule_common, length, "0", "end of the first period, from the start of the run"),
    GLS_REAL("to", restarts_options, to, "0", 0, 0, "value at the end of a period"),
    GLS_REAL("stretch", restarts_options, stretch, "1", 1, 1e6, "factor of each period's length over the one before"),
    {0}};

const gls_schedule_type gls_schedule_restarts = {
    .member = {"restarts", "cosine waves with warm restarts", "", table, sizeof(restarts_options)},
    .needs_end = true,
    .create = create,
    .value = value};
