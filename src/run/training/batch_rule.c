/* A batch size that follows a measurement on a sample, made at a cadence: the mini-batches after it have the new size,
 * and the learning rate may follow. */
#include "run/config/batch_rules.h"

#include <math.h>
#include <stdio.h>

#include "base/value.h"
#include "method/method.h"
#include "run/config/members.h"
#include "run/training/training.h"

struct gls_batches_rule {
    gls_training *training;
    const gls_batches_rule_type *type;
    gls_options *options;
    const gls_batches_rule_common *common;
    gls_measure *measure;
    gls_measure_result result;
    int64_t from, limit;
    int64_t rows; /* of a mini-batch now */
    double found; /* that the rows follow; NaN: nothing yet */
};

static const gls_batches_rule_type *type_of(const gls_training *t) {
    const gls_value *spec = gls_batches_spec(t), *name = spec ? gls_value_get(spec, "name") : NULL;
    if (!name || !name->text) return NULL;
    return (const gls_batches_rule_type *)(const void *)gls_config_member_named(t->ctx, GLS_KIND_BATCH_RULE,
                                                                                name->text);
}

static gls_status read_options(const gls_training *t, const gls_batches_rule_type *type, gls_options **out) {
    return gls_member_options(t->ctx, &type->member, "train.batch", gls_batches_spec(t), gls_member_but_name, out);
}

int64_t gls_batches_rule_limit(const gls_training *t) {
    const gls_batches_rule_type *type = type_of(t);
    gls_options *options = NULL;
    if (!type || read_options(t, type, &options) != GLS_OK) return 0;
    int64_t limit = ((const gls_batches_rule_common *)gls_options_struct(options))->limit;
    gls_options_destroy(options);
    return limit < 0 ? t->set.train->info.examples : limit;
}

/* ---- its measure ---- */

static gls_status set_text(gls_context *ctx, gls_value *map, const char *key, const char *text) {
    return gls_value_append(ctx, map, gls_value_create(ctx, GLS_VALUE_TEXT, key, text));
}

static gls_status set_number(gls_context *ctx, gls_value *map, const char *key, double x) {
    char text[40];
    snprintf(text, sizeof text, "%.17g", x);
    return set_text(ctx, map, key, text);
}

static gls_status measure_options(const gls_batches_rule *r, gls_value *map) {
    gls_context *ctx = r->training->ctx;
    int64_t sample = r->common->sample, examples = r->training->set.train->info.examples;
    if (sample < 0 || sample > examples) sample = examples;
    GLS_TRY(set_number(ctx, map, r->type->sample, (double)sample));
    GLS_TRY(set_number(ctx, map, "smoothing", r->common->smoothing));
    for (const char *const *key = r->type->options; key && *key; key++) {
        char *text = gls_options_text(r->options, *key);
        gls_status status = text ? set_text(ctx, map, *key, text) : GLS_ERR_MEMORY;
        gls_free(ctx, text);
        GLS_TRY(status);
    }
    return GLS_OK;
}

static gls_status make_measure(gls_batches_rule *r) {
    gls_training *t = r->training;
    gls_value *map = gls_value_create(t->ctx, GLS_VALUE_MAP, NULL, NULL);
    gls_status status = map ? measure_options(r, map) : GLS_ERR_MEMORY;
    if (status == GLS_OK)
        status = gls_measure_create(t->ctx, r->type->measure, map, NULL, gls_problem_size(t->problem),
                                    t->set.train->info.examples, &r->measure);
    gls_value_destroy(t->ctx, map);
    return status;
}

/* ---- life ---- */

static gls_status set_up(gls_batches_rule *r) {
    gls_training *t = r->training;
    GLS_TRY(read_options(t, r->type, &r->options));
    r->common = gls_options_struct(r->options);
    r->limit = gls_batches_rule_limit(t);
    int64_t examples = t->set.train->info.examples, from = t->train->batch;
    r->rows = r->from = from < 0 || from > examples ? examples : from;
    if (r->limit < r->rows)
        return gls_fail(t->ctx, GLS_ERR_ARGUMENT, "train.batch: limit is %lld, but the batch begins at %lld (from)",
                        (long long)r->limit, (long long)r->rows);
    if (!(r->common->every.amount > 0))
        return gls_fail(t->ctx, GLS_ERR_ARGUMENT, "train.batch: every: expected more than 0 epochs or steps, found 0");
    if (r->common->rate != GLS_RATE_NONE) GLS_TRY(gls_method_scale_rate(t->method, 1));
    return make_measure(r);
}

gls_status gls_batches_rule_create(gls_training *t, gls_batches_rule **out) {
    *out = NULL;
    const gls_batches_rule_type *type = type_of(t);
    if (!type) return GLS_OK;
    gls_batches_rule *r = gls_alloc(t->ctx, 1, sizeof *r);
    if (!r) return GLS_ERR_MEMORY;
    *r = (gls_batches_rule){.training = t, .type = type, .found = NAN};
    gls_measure_result_init(t->ctx, &r->result);
    gls_status status = set_up(r);
    if (status == GLS_OK)
        *out = r;
    else
        gls_batches_rule_destroy(r);
    return status;
}

void gls_batches_rule_destroy(gls_batches_rule *r) {
    if (!r) return;
    gls_measure_destroy(r->measure);
    gls_measure_result_clear(&r->result);
    gls_options_destroy(r->options);
    gls_free(r->training->ctx, r);
}

/* ---- along a run ---- */

static gls_status apply(gls_batches_rule *r, int64_t rows) {
    gls_training *t = r->training;
    r->rows = rows;
    gls_batches_resize(t->batches, rows);
    double growth = (double)rows / (double)r->from;
    if (r->common->rate == GLS_RATE_NONE) return GLS_OK;
    return gls_method_scale_rate(t->method, r->common->rate == GLS_RATE_LINEAR ? growth : sqrt(growth));
}

/* What was found before is not worth less because this time nothing was: the batch stays. */
static gls_status measure(gls_batches_rule *r) {
    gls_measure_input in;
    GLS_TRY(gls_training_measure_input(r->training, &in));
    in.batch = r->rows;
    GLS_TRY(gls_measure_run(r->measure, &in, &r->result));
    const gls_figure *figure = gls_measure_result_find(&r->result, r->type->figure);
    double found = !figure ? NAN : r->type->low ? figure->low : figure->value[0];
    if (!isfinite(found)) return GLS_OK;
    r->found = found;
    double rows = floor(r->type->rows(gls_options_struct(r->options), found));
    rows = fmin(fmax(rows, (double)r->from), (double)r->limit);
    if ((int64_t)rows == r->rows) return GLS_OK;
    gls_log(r->training->ctx, GLS_LOG_INFO, "step %lld: mini-batches of %lld instead of %lld, as %s says",
            (long long)r->training->counters.steps, (long long)rows, (long long)r->rows, r->type->member.name);
    return apply(r, (int64_t)rows);
}

gls_status gls_batches_rule_follow(gls_batches_rule *r) {
    if (!r) return GLS_OK;
    if (gls_training_due(r->training, r->common->every)) GLS_TRY(measure(r));
    if (isfinite(r->found)) gls_record_set(&r->training->record, "batch_bound", r->found);
    return GLS_OK;
}

gls_status gls_batches_rule_arrays(gls_batches_rule *r, const char *prefix, gls_arrays *arrays) {
    if (!r) return GLS_OK;
    char name[64];
    snprintf(name, sizeof name, "%smeasure/", prefix);
    GLS_TRY(gls_arrays_add_state(r->training->ctx, arrays, prefix, "rows", GLS_I64, 1, &r->rows));
    GLS_TRY(gls_arrays_add_state(r->training->ctx, arrays, prefix, "found", GLS_F64, 1, &r->found));
    return gls_measure_arrays(r->measure, name, arrays);
}

gls_status gls_batches_rule_restored(gls_batches_rule *r) {
    if (!r) return GLS_OK;
    if (r->rows < 1 || r->rows > r->limit)
        return gls_fail(r->training->ctx, GLS_ERR_INPUT,
                        "the checkpoint's mini-batches have %lld rows, expected 1 to %lld", (long long)r->rows,
                        (long long)r->limit);
    return apply(r, r->rows);
}
