/* Transform subset: fewer examples. What it keeps of the training set is a share, and of the run's other sets it keeps
 * the same share. */
#include "base/arith.h"
#include "data/source.h"
#include "data/table.h"

#include <math.h>

typedef struct subset_options {
    int64_t size;
    bool first;
    int sets;
} subset_options;

enum { ALL, TRAIN };

static const gls_option subset_table[] = {
    GLS_SIZE("size", subset_options, size, NULL, 0, 0, "number of training examples to keep",
             .flags = GLS_OPTION_REQUIRED),
    GLS_BOOL("first", subset_options, first, "false", "keep the first examples instead of random ones"),
    GLS_ENUM("sets", subset_options, sets, "all", "all|train",
             "all: keep the same share of the validation and test set; train: leave those whole"),
    {0},
};

static gls_status size_of_training(gls_context *ctx, const gls_source *source, const subset_options *o, int64_t *size) {
    int64_t n = source->info.examples;
    *size = o->size < 0 ? n : o->size;
    if (*size >= 1 && *size <= n) return GLS_OK;
    return gls_fail(ctx, GLS_ERR_ARGUMENT, "transform subset: size is %lld, but there are %lld examples",
                    (long long)*size, (long long)n);
}

static gls_status fit_subset(gls_context *ctx, const gls_source *source, const void *options, gls_learned *learned) {
    int64_t size;
    double *share;
    GLS_TRY(size_of_training(ctx, source, options, &size));
    GLS_TRY(gls_learned_add(learned, "share", GLS_F64, 1, &share));
    *share = (double)size / (double)source->info.examples;
    return GLS_OK;
}

/* At least one of a set that has any. */
static gls_status size_of_other(gls_context *ctx, const gls_source *source, const gls_learned *learned, int64_t *size) {
    int64_t one = 1;
    const double *share;
    GLS_TRY(gls_learned_get(learned, "share", GLS_F64, &one, &share));
    if (!(*share > 0 && *share <= 1))
        return gls_fail(ctx, GLS_ERR_INPUT, "transform subset: its fitted share is %g, outside (0, 1]", *share);
    double kept = floor(*share * (double)source->info.examples + 0.5);
    *size = gls_least(kept < 1 ? 1 : (int64_t)kept, source->info.examples);
    return GLS_OK;
}

static gls_status apply_subset(gls_context *ctx, gls_source *source, const void *options, uint64_t seed, bool train,
                               const gls_learned *learned, gls_source **out) {
    const subset_options *o = options;
    int64_t n = source->info.examples, size = 0, *index;
    if (!train && o->sets == TRAIN) return GLS_OK;
    GLS_TRY(train ? size_of_training(ctx, source, o, &size) : size_of_other(ctx, source, learned, &size));
    gls_random random = gls_random_create(seed, "subset", 0, 0);
    GLS_TRY(gls_source_draw_distinct(ctx, &random, n, size, &index));
    for (int64_t i = 0; o->first && i < size; i++) index[i] = i;
    gls_gather *gather;
    gls_status status = gls_gather_create(ctx, source, index, size, &gather);
    gls_free(ctx, index);
    GLS_TRY(status);
    *out = &gather->owned.source;
    return GLS_OK;
}

const gls_transform gls_transform_subset = {
    .member = {"subset", "keeps some of the examples", "", subset_table, sizeof(subset_options)},
    .own_sets = true,
    .changes_rows = true,
    .fit = fit_subset,
    .apply = apply_subset,
};
