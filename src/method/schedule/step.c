#include <glissade/method.h>

#include <math.h>

enum { MOST = 64 };

typedef struct step_options {
    gls_schedule_common common;
    double factor;
    const gls_value *at, *values;
} step_options;

typedef struct milestones {
    int64_t count;
    gls_length at[MOST];
    bool valued;
    double value[MOST];
} milestones;

/* One item of the lists, read as the table reads numbers and lengths. */
typedef struct item {
    gls_length at;
    double value;
} item;

static const gls_option item_table[] = {
    {.key = "at", .type = GLS_OPTION_LENGTH, .offset = offsetof(item, at), .initial = "0", .help = "milestone"},
    {.key = "values", .type = GLS_OPTION_REAL, .offset = offsetof(item, value), .initial = "0", .help = "value"},
    {0}};

static gls_status read_items(gls_options *options, const step_options *o, milestones *m) {
    const item *read = gls_options_struct(options);
    for (int64_t i = 0; i < m->count; i++) {
        const char *at = o->at->kind == GLS_VALUE_LIST ? o->at->items[i]->text : o->at->text;
        GLS_TRY(gls_options_set(options, "at", at ? at : ""));
        m->at[i] = read->at;
        if (!m->valued) continue;
        const char *value = o->values->items[i]->text;
        GLS_TRY(gls_options_set(options, "values", value ? value : ""));
        m->value[i] = read->value;
    }
    return GLS_OK;
}

static gls_status create(gls_context *ctx, void *self, const void *options) {
    const step_options *o = options;
    milestones *m = self;
    if (!o->at || (o->at->kind != GLS_VALUE_LIST && o->at->kind != GLS_VALUE_TEXT))
        return gls_fail(ctx, GLS_ERR_ARGUMENT, "schedule step: at: a list of lengths is missing, as in at: [80, 120]");
    m->count = o->at->kind == GLS_VALUE_LIST ? o->at->count : 1;
    m->valued = o->values != NULL;
    if (m->count > MOST) return gls_fail(ctx, GLS_ERR_ARGUMENT, "schedule step: at: at most %d milestones", MOST);
    if (m->valued && (o->values->kind != GLS_VALUE_LIST || o->values->count != m->count))
        return gls_fail(ctx, GLS_ERR_ARGUMENT, "schedule step: values: one value for each milestone expected");
    gls_options *reader;
    GLS_TRY(gls_options_create(ctx, "schedule step", item_table, sizeof(item), &reader));
    gls_status status = read_items(reader, o, m);
    gls_options_destroy(reader);
    return status;
}

/* from, then at each milestone times the factor, or the value listed. */
static double value(const void *self, const void *options, const gls_schedule_time *time) {
    const step_options *o = options;
    const milestones *m = self;
    double now = o->common.from;
    for (int64_t i = 0; i < m->count; i++) {
        double position = m->at[i].steps ? time->clock.step : time->clock.epoch;
        if (position >= m->at[i].amount) now = m->valued ? m->value[i] : now * o->factor;
    }
    return now;
}

static const gls_option table[] = {GLS_SCHEDULE_OPTIONS,
                                   {.key = "factor",
                                    .type = GLS_OPTION_REAL,
                                    .offset = offsetof(step_options, factor),
                                    .initial = "0.1",
                                    .minimum = 0,
                                    .maximum = INFINITY,
                                    .flags = GLS_OPTION_ABOVE_MIN,
                                    .help = "what each milestone multiplies by"},
                                   {.key = "at",
                                    .type = GLS_OPTION_VALUE,
                                    .offset = offsetof(step_options, at),
                                    .help = "milestones: [80, 120] epochs or [500s, 900s] steps"},
                                   {.key = "values",
                                    .type = GLS_OPTION_VALUE,
                                    .offset = offsetof(step_options, values),
                                    .help = "values from the milestones on, in place of the factor"},
                                   {0}};

const gls_schedule_type gls_schedule_step = {
    .member = {"step", "times a factor, or to given values, at milestones", "", table, sizeof(step_options)},
    .create = create,
    .self_size = sizeof(milestones),
    .value = value};
