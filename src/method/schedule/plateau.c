/* plateau: multiplied by a factor after `patience` validations in a row whose loss is not the lowest so far. */
#include <glissade/method.h>

#include <math.h>

typedef struct plateau_options {
    gls_schedule_common common;
    double factor, to;
    int64_t patience;
} plateau_options;

typedef struct plateau {
    int64_t stale, cuts; /* validations without improvement since the last cut; cuts so far */
} plateau;

static double value(const void *self, const void *options, const gls_schedule_time *time) {
    const plateau *p = self;
    const plateau_options *o = options;
    (void)time;
    return fmax(o->common.from * pow(o->factor, (double)p->cuts), o->to);
}

static void validated(void *self, const void *options, bool better) {
    plateau *p = self;
    const plateau_options *o = options;
    p->stale = better ? 0 : p->stale + 1;
    if (p->stale < o->patience) return;
    p->stale = 0;
    p->cuts++;
}

static gls_status arrays(gls_context *ctx, void *self, const char *prefix, gls_arrays *list) {
    plateau *p = self;
    GLS_TRY(gls_arrays_add_state(ctx, list, prefix, "stale", GLS_I64, 1, &p->stale));
    return gls_arrays_add_state(ctx, list, prefix, "cuts", GLS_I64, 1, &p->cuts);
}

static const gls_option table[] = {
    GLS_SCHEDULE_OPTIONS,
    GLS_REAL("factor", plateau_options, factor, "0.1", 0, 1, "factor applied at a plateau",
             .flags = GLS_OPTION_ABOVE_MIN | GLS_OPTION_BELOW_MAX),
    GLS_INT("patience", plateau_options, patience, "5", 1, INFINITY, "validations without improvement that make one"),
    GLS_REAL("to", plateau_options, to, "0", 0, 0, "least value"),
    {0}};

const gls_schedule_type gls_schedule_plateau = {.member = {"plateau",
                                                           "multiplied by a factor where validations no longer improve",
                                                           "", table, sizeof(plateau_options)},
                                                .self_size = sizeof(plateau),
                                                .value = value,
                                                .validated = validated,
                                                .arrays = arrays};
