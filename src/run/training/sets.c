/* The sets of a run: files or generators, transforms, the examples held out of the training set. */
#include <math.h>
#include <string.h>

#include "base/value.h"
#include "run/config/members.h"
#include "run/training/training.h"

/* The transforms with standardisation in front where it was asked for. */
static gls_status transform_list(gls_training *t, gls_value **out) {
    const gls_value *given = t->data->transforms;
    char place[GLS_ORIGIN_TEXT];
    *out = NULL;
    if (!given && !t->data->standardize) return GLS_OK;
    if (given && given->kind != GLS_VALUE_LIST)
        return gls_fail(t->ctx, GLS_ERR_ARGUMENT, "%sdata.transforms: expected a list, as in [{label_noise: 0.1}]",
                        gls_value_origin(given, place));
    gls_value *list = gls_value_create(t->ctx, GLS_VALUE_LIST, "transforms", NULL);
    if (!list) return GLS_ERR_MEMORY;
    gls_status status = GLS_OK;
    if (t->data->standardize)
        status = gls_value_append(t->ctx, list, gls_value_create(t->ctx, GLS_VALUE_TEXT, NULL, "standardize"));
    for (int64_t i = 0; given && i < given->count && status == GLS_OK; i++)
        status = gls_value_append(t->ctx, list, gls_value_clone(t->ctx, given->items[i]));
    if (status == GLS_OK)
        *out = list;
    else
        gls_value_destroy(t->ctx, list);
    return status;
}

static gls_status open_sets(gls_training *t, const gls_value *section, const gls_value *transforms) {
    gls_context *ctx = t->ctx;
    const gls_config_data *data = t->data;
    const char *format = data->format ? data->format : data->name ? data->name : gls_format_guess(data->train);
    uint64_t seed = (uint64_t)t->train->seed;
    GLS_TRY(
        gls_source_open(ctx, format, data->train, section, gls_config_data_keys, GLS_PART_TRAIN, NULL, &t->set.file));
    const gls_format *member = (const gls_format *)gls_config_member_named(ctx, GLS_KIND_FORMAT, format);
    bool test = data->test || (member && member->generator);
    if (test)
        GLS_TRY(gls_source_open(ctx, format, data->test, section, gls_config_data_keys, GLS_PART_TEST,
                                &t->set.file->info, &t->set.test));
    gls_source *raw = t->set.file;
    t->set.read = raw->info;
    t->set.file = NULL;
    GLS_TRY(gls_transforms_apply(ctx, raw, transforms, seed, NULL, &t->set.file));
    if (!test) return GLS_OK;
    raw = t->set.test;
    t->set.test = NULL;
    return gls_transforms_apply(ctx, raw, transforms, seed, gls_source_fitted(t->set.file), &t->set.test);
}

/* Takes the validation examples out of the training set: a random choice by the seed, both parts in ascending order. */
static gls_status split(gls_training *t) {
    int64_t n = t->set.file->info.examples;
    double asked = t->train->validation;
    int64_t count = (int64_t)(asked < 1 ? floor(asked * (double)n + 0.5) : asked);
    if (count < 1 || count >= n)
        return gls_fail(t->ctx, GLS_ERR_ARGUMENT,
                        "train.validation: %g of %lld examples leaves %lld to validate on "
                        "and %lld to train on; expected at least one each",
                        asked, (long long)n, (long long)count, (long long)(n - count));
    int64_t *index = gls_alloc(t->ctx, n, 2 * sizeof *index);
    if (!index) return GLS_ERR_MEMORY;
    int64_t *fit = index + n, kept = 0, held = 0;
    gls_random random = gls_random_create((uint64_t)t->train->seed, "validation", 0, 0);
    /* Selection sampling: each example is held with probability (still wanted) / (still to come). */
    for (int64_t i = 0; i < n; i++) {
        if (gls_random_below(&random, n - i) < count - held)
            index[held++] = i;
        else
            fit[kept++] = i;
    }
    gls_status status = gls_source_subset(t->ctx, t->set.file, index, held, &t->set.validation);
    if (status == GLS_OK) status = gls_source_subset(t->ctx, t->set.file, fit, kept, &t->set.fit);
    gls_free(t->ctx, index);
    return status;
}

gls_status gls_training_open_sets(gls_training *t) {
    GLS_TRY(transform_list(t, &t->set.transforms));
    GLS_TRY(open_sets(t, gls_value_get(t->config, "data"), t->set.transforms));
    if (t->set.file->info.examples < 1)
        return gls_fail(t->ctx, GLS_ERR_INPUT, "%s: no examples", t->data->train ? t->data->train : "data");
    if (t->train->validation > 0) GLS_TRY(split(t));
    t->set.train = t->set.fit ? t->set.fit : t->set.file;
    return GLS_OK;
}
