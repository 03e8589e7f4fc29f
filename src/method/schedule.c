/* Schedules: a linear warm-up, then the curve of the schedule's type. A schedule works in one unit, steps or epochs,
 * chosen at creation from the lengths that were given. */
#include <glissade/method.h>

#include "method/method.h"
#include "method/table.h"

#include <math.h>
#include <string.h>

struct gls_schedule {
    gls_context *ctx;
    const gls_schedule_type *type;
    gls_options *options;
    void *self;
    double steps_per_epoch, total_steps;
    bool in_epochs;     /* the unit of positions and lengths */
    double warmup, end; /* in that unit */
};

gls_status gls_register_schedule(gls_context *ctx, const gls_schedule_type *type) {
    GLS_GIVEN(ctx, ctx, type);
    return gls_member_register(ctx, &gls_schedule_kind, &type->member);
}

const gls_schedule_type *gls_schedule_at(gls_context *ctx, int64_t i) {
    return (const gls_schedule_type *)gls_member_at(ctx, &gls_schedule_kind, i);
}

/* ---- units ---- */

/* A length in the schedule's unit; NaN if it cannot be turned. */
static double convert(const gls_schedule *s, double amount, bool steps) {
    if (amount == 0 || steps != s->in_epochs) return amount;
    if (!(s->steps_per_epoch > 0)) return NAN;
    return steps ? amount / s->steps_per_epoch : amount * s->steps_per_epoch;
}

static gls_status set_lengths(gls_schedule *s, const char *what) {
    const gls_schedule_common *o = gls_options_struct(s->options);
    s->warmup = convert(s, o->warmup.amount, o->warmup.steps);
    s->end = o->length.amount > 0 ? convert(s, o->length.amount, o->length.steps) : convert(s, s->total_steps, true);
    if (isnan(s->warmup) || (s->type->needs_end && isnan(s->end)))
        return gls_fail(s->ctx, GLS_ERR_ARGUMENT,
                        "%s: schedule %s mixes steps and epochs, and the steps per epoch are not known", what,
                        s->type->member.name);
    if (o->warmup_from != 0 && o->warmup.amount == 0)
        return gls_fail(s->ctx, GLS_ERR_ARGUMENT, "%s: warmup_from is %g, but there is no warmup: expected its length",
                        what, o->warmup_from);
    if (s->type->needs_end && !(s->end > s->warmup))
        return gls_fail(s->ctx, GLS_ERR_ARGUMENT,
                        "%s: schedule %s needs its length, longer than the warm-up (length: \"500s\" steps or epochs)",
                        what, s->type->member.name);
    return GLS_OK;
}

/* Runs in epochs if a length is given in epochs and nothing is given in steps only. */
static bool runs_in_epochs(const gls_schedule *s) {
    const gls_schedule_common *o = gls_options_struct(s->options);
    if (o->length.amount > 0) return !o->length.steps;
    if (s->total_steps > 0 && s->type->needs_end) return false;
    return o->warmup.amount > 0 && !o->warmup.steps;
}

/* ---- the object ---- */

static gls_status set_up(gls_schedule *s, const char *what, const gls_value *spec, double from) {
    const gls_member *member = &s->type->member;
    GLS_TRY(gls_options_create(s->ctx, what, member->options, member->options_size, &s->options));
    GLS_TRY(gls_options_set_real(s->options, "from", from));
    if (spec->kind == GLS_VALUE_MAP)
        GLS_TRY(gls_options_apply(s->options, spec, (const char *const[]){"name", NULL}));
    else
        GLS_TRY(gls_options_set(s->options, "from", spec->text ? spec->text : ""));
    s->self = gls_alloc(s->ctx, 1, s->type->self_size);
    if (!s->self) return GLS_ERR_MEMORY;
    s->in_epochs = runs_in_epochs(s);
    GLS_TRY(set_lengths(s, what));
    return s->type->create ? s->type->create(s->ctx, s->self, gls_options_struct(s->options)) : GLS_OK;
}

gls_status gls_schedule_create(gls_context *ctx, const char *what, const gls_value *spec, double from,
                               double steps_per_epoch, double total_steps, gls_schedule **out) {
    GLS_GIVEN(ctx, ctx, out);
    *out = NULL;
    const gls_value *name = spec->kind == GLS_VALUE_MAP ? gls_value_get(spec, "name") : NULL;
    if (name && !name->text) return gls_fail(ctx, GLS_ERR_ARGUMENT, "%s: the schedule's name is not a text", what);
    const gls_member *member = gls_member_find(ctx, &gls_schedule_kind, name ? name->text : "constant");
    if (!member) return GLS_ERR_ARGUMENT;
    gls_schedule *s = gls_alloc(ctx, 1, sizeof *s);
    if (!s) return GLS_ERR_MEMORY;
    s->ctx = ctx;
    s->type = (const gls_schedule_type *)member;
    s->steps_per_epoch = steps_per_epoch;
    s->total_steps = total_steps;
    gls_status status = set_up(s, what, spec, from);
    if (status == GLS_OK)
        *out = s;
    else
        gls_schedule_destroy(s);
    return status;
}

void gls_schedule_destroy(gls_schedule *schedule) {
    if (!schedule) return;
    gls_options_destroy(schedule->options);
    gls_free(schedule->ctx, schedule->self);
    gls_free(schedule->ctx, schedule);
}

/* How many entries of a list of lengths the run never reaches. */
static int64_t count_beyond(const gls_schedule *s, const gls_lengths *list) {
    int64_t beyond = 0;
    for (int64_t i = 0; i < list->count; i++) {
        const gls_length *at = &list->item[i];
        beyond += (at->steps ? at->amount : at->amount * s->steps_per_epoch) >= s->total_steps;
    }
    return beyond;
}

bool gls_schedule_note_beyond(const gls_schedule *s, const char *what) {
    const char *options = gls_options_struct(s->options);
    bool said = false;
    for (const gls_option *o = s->type->member.options; o->key && s->total_steps > 0; o++) {
        if (o->type != GLS_OPTION_LIST || o->inner->type != GLS_OPTION_LENGTH) continue;
        const gls_lengths *list = (const gls_lengths *)(const void *)(options + o->offset);
        int64_t beyond = count_beyond(s, list);
        if (!beyond) continue;
        gls_log(s->ctx, GLS_LOG_WARNING,
                "%s: schedule %s: of the %lld entries of %s, %lld would come after the last "
                "step (%.0f): they never come",
                what, s->type->member.name, (long long)list->count, o->key, (long long)beyond, s->total_steps);
        said = true;
    }
    return said;
}

bool gls_schedule_watches(const gls_schedule *s) {
    if (!s) return false;
    return s->type->validated != NULL;
}

void gls_schedule_validated(gls_schedule *s, bool better) {
    if (!s) return;
    if (s->type->validated) s->type->validated(s->self, gls_options_struct(s->options), better);
}

gls_status gls_schedule_arrays(gls_schedule *s, const char *prefix, gls_arrays *arrays) {
    GLS_GIVEN(s ? s->ctx : NULL, s, prefix, arrays);
    return s->type->arrays ? s->type->arrays(s->ctx, s->self, prefix, arrays) : GLS_OK;
}

/* The warm-up leads to the curve's first value and reaches it with its own last step, hence + a_step. */
double gls_schedule_value(const gls_schedule *s, gls_clock clock) {
    if (!s) return NAN;
    const gls_schedule_common *o = gls_options_struct(s->options);
    double a_step = s->in_epochs ? (s->steps_per_epoch > 0 ? 1 / s->steps_per_epoch : 0) : 1;
    double epoch = isnan(clock.epoch) ? (s->steps_per_epoch > 0 ? clock.step / s->steps_per_epoch : 0) : clock.epoch;
    gls_schedule_time time = {
        .now = s->in_epochs ? epoch : clock.step, .start = s->warmup, .end = s->end, .clock = {clock.step, epoch}};
    if (time.now >= s->warmup) {
        double warm = s->in_epochs ? (s->steps_per_epoch > 0 ? s->warmup * s->steps_per_epoch : 0) : s->warmup;
        time.step = fmax(clock.step - warm, 0);
        return s->type->value(s->self, o, &time);
    }
    double fraction = fmin((time.now + a_step) / s->warmup, 1);
    time.now = s->warmup;
    time.step = 0;
    double target = s->type->value(s->self, o, &time);
    return o->warmup_from + fraction * (target - o->warmup_from);
}
