/* The sets of a run: files or generators, the examples held out of the training set, and then transforms, so that what
 * multiplies or corrupts rows touches training rows only, and what is learned is learned from them. */
#include <math.h>
#include <string.h>

#include "base/value.h"
#include "data/source.h"
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

/* The rows of one part as they lie in its file. */
static gls_status open_part(gls_training *t, const char *path, gls_training_input input, gls_source **out) {
    const char *format = gls_config_data_format(t->data);
    const gls_value *section = gls_value_get(t->config, "data"), *named = gls_value_get(section, "format");
    bool train = input == GLS_INPUT_TRAIN, guessed = path && !t->data->name && (!named || !named->file);
    gls_reader_watch(t->ctx, &t->set.input[input]);
    gls_status status = gls_source_open(t->ctx, format, path, section, gls_config_data_keys,
                                        train ? GLS_PART_TRAIN : GLS_PART_TEST, train ? NULL : &t->set.file->info, out);
    gls_reader_watch(t->ctx, NULL);
    return guessed ? gls_format_guessed(t->ctx, status, format) : status;
}

/* A generator would leave a file that was named unread. */
static gls_status refuse_files(gls_training *t, const char *format) {
    const gls_config_data *data = t->data;
    const char *const named[][2] = {{"train", data->train}, {"validation", data->validation}, {"test", data->test}};
    if (data->tests && data->tests->count)
        return gls_fail(t->ctx, GLS_ERR_ARGUMENT, "data.tests: %s makes its examples and reads no file", format);
    for (int i = 0; i < 3; i++)
        if (named[i][1])
            return gls_fail(t->ctx, GLS_ERR_ARGUMENT,
                            "data.%s: %s makes its examples and reads no file; expected data.format of the file, or "
                            "no file (train.validation holds rows out)",
                            named[i][0], format);
    return GLS_OK;
}

static gls_status open_files(gls_training *t) {
    const gls_config_data *data = t->data;
    const char *format = gls_config_data_format(data);
    GLS_TRY(open_part(t, data->train, GLS_INPUT_TRAIN, &t->set.file));
    const gls_format *member = (const gls_format *)gls_config_member_named(t->ctx, GLS_KIND_FORMAT, format);
    bool generator = member && member->generator;
    if (generator) GLS_TRY(refuse_files(t, format));
    if (data->validation && t->train->validation > 0)
        return gls_fail(t->ctx, GLS_ERR_ARGUMENT,
                        "data.validation and train.validation: expected one of them, a file or a part of the training "
                        "set");
    if (data->validation) GLS_TRY(open_part(t, data->validation, GLS_INPUT_VALIDATION, &t->set.validation));
    GLS_TRY(gls_training_open_named(t, open_part));
    return data->test || generator ? open_part(t, data->test, GLS_INPUT_TEST, &t->set.test) : GLS_OK;
}

/* How many of n examples `train.validation` asks for. */
static gls_status held_count(gls_training *t, int64_t n, int64_t *count) {
    double asked = t->train->validation;
    if (asked >= 1 && asked != floor(asked))
        return gls_fail(t->ctx, GLS_ERR_ARGUMENT,
                        "train.validation: %g is neither a share between 0 and 1 nor a whole number of examples",
                        asked);
    double wanted = asked < 1 ? floor(asked * (double)n + 0.5) : asked;
    if (wanted < 1 || wanted >= (double)n)
        return gls_fail(t->ctx, GLS_ERR_ARGUMENT,
                        "train.validation: %g of %lld examples leaves %.17g to validate on "
                        "and %.17g to train on; expected at least one each",
                        asked, (long long)n, wanted, (double)n - wanted);
    *count = (int64_t)wanted;
    return GLS_OK;
}

/* The end of every stream is held out, in whole mini-batches of a row each: streams go on in both parts. */
static gls_status split_streams(gls_training *t, int64_t count) {
    int64_t n = t->set.file->info.examples, streams = t->set.file->info.streams, kept = (n - count) / streams * streams;
    if (!kept)
        return gls_fail(t->ctx, GLS_ERR_ARGUMENT,
                        "train.validation: of %lld rows in %lld streams %lld are left to train on; expected a row of "
                        "each stream at least",
                        (long long)n, (long long)streams, (long long)(n - count));
    GLS_TRY(gls_source_stretch(t->ctx, t->set.file, kept, n - kept, &t->set.validation));
    return gls_source_stretch(t->ctx, t->set.file, 0, kept, &t->set.fit);
}

/* Takes the validation examples out of the training set: a random choice by the seed, both parts in ascending order. */
static gls_status split(gls_training *t) {
    int64_t n = t->set.file->info.examples, count = 0;
    GLS_TRY(held_count(t, n, &count));
    if (t->set.file->info.streams) return split_streams(t, count);
    int64_t *index = gls_alloc(t->ctx, n, sizeof *index);
    if (!index) return GLS_ERR_MEMORY;
    int64_t *fit = index + count, kept = 0, held = 0;
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

/* Transforms one set in its place. fitted: what was learned from the training rows; NULL: these are they. */
static gls_status transform(gls_training *t, const gls_value *list, const gls_fitted *fitted, gls_source **set) {
    gls_source *raw = *set;
    *set = NULL;
    return raw ? gls_transforms_apply(t->ctx, raw, list, (uint64_t)t->train->seed, fitted, set) : GLS_OK;
}

static gls_status transform_sets(gls_training *t) {
    GLS_TRY(transform_list(t, &t->set.transforms));
    const gls_value *list = t->set.transforms;
    gls_source **train = t->set.fit ? &t->set.fit : &t->set.file;
    gls_reader_watch(t->ctx, &t->set.input[GLS_INPUT_TRANSFORMS]);
    gls_status status = transform(t, list, NULL, train);
    if (status == GLS_OK) status = transform(t, list, gls_source_fitted(*train), &t->set.validation);
    if (status == GLS_OK) status = transform(t, list, gls_source_fitted(*train), &t->set.test);
    for (int64_t i = 0; i < t->set.named_count && status == GLS_OK; i++)
        status = transform(t, list, gls_source_fitted(*train), &t->set.named[i].source);
    gls_reader_watch(t->ctx, NULL);
    t->set.train = *train;
    return status;
}

static gls_status weigh(gls_training *t, const char *what, gls_source **set) {
    int64_t last = t->problem->positions;
    GLS_TRY(gls_source_last_labels(t->ctx, last, set));
    return gls_source_need_targets(t->ctx, what ? what : "data", *set, last);
}

gls_status gls_training_weigh_sets(gls_training *t) {
    gls_source **train = t->set.fit ? &t->set.fit : &t->set.file;
    GLS_TRY(weigh(t, t->data->train, train));
    t->set.train = *train;
    GLS_TRY(weigh(t, t->data->validation ? t->data->validation : "train.validation", &t->set.validation));
    GLS_TRY(weigh(t, t->data->test, &t->set.test));
    for (int64_t i = 0; i < t->set.named_count; i++) GLS_TRY(weigh(t, t->set.named[i].name, &t->set.named[i].source));
    return GLS_OK;
}

static gls_status make_sets(gls_training *t) {
    GLS_TRY(open_files(t));
    t->set.read = t->set.file->info;
    if (t->train->validation > 0 && t->set.file->info.examples > 0) GLS_TRY(split(t));
    return transform_sets(t);
}

/* Sets take what they hold off data.memory in the order in which they are opened: the training set first. */
static gls_status make_within(gls_training *t) {
    gls_bound bound = {.left = t->data->memory, .scratch = t->data->scratch};
    gls_source_bound(t->ctx, t->data->memory ? &bound : NULL);
    gls_status status = make_sets(t);
    gls_source_bound(t->ctx, NULL);
    return status;
}

gls_status gls_training_open_sets(gls_training *t) {
    GLS_TRY(make_within(t));
    if (t->set.train->info.examples < 1)
        return gls_fail(t->ctx, GLS_ERR_INPUT, "%s: no examples", t->data->train ? t->data->train : "data");
    if (t->set.validation && t->set.validation->info.examples < 1)
        return gls_fail(t->ctx, GLS_ERR_INPUT, "the validation set has no examples after data.transforms");
    return GLS_OK;
}
