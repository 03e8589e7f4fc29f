/* Transform subset: fewer examples. */
#include "data/source.h"
#include "data/table.h"

typedef struct subset_options {
    int64_t size;
    bool first;
} subset_options;

static const gls_option subset_table[] = {
    GLS_SIZE("size", subset_options, size, NULL, 0, 0, "number of examples to keep", .flags = GLS_OPTION_REQUIRED),
    GLS_BOOL("first", subset_options, first, "false", "keep the first examples instead of random ones"),
    {0},
};

static gls_status apply_subset(gls_context *ctx, gls_source *source, const void *options, uint64_t seed, bool train,
                               const gls_learned *learned, gls_source **out) {
    const subset_options *o = options;
    int64_t n = source->info.examples, size = o->size < 0 ? n : o->size, *index;
    if (size < 1 || size > n)
        return gls_fail(ctx, GLS_ERR_ARGUMENT, "transform subset: size is %lld, but there are %lld examples",
                        (long long)size, (long long)n);
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
    .train_only = true,
    .apply = apply_subset,
};
