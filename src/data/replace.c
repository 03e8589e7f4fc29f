/* Transform replace: one example exchanged for another, for stability measurements. */
#include "data/source.h"
#include "data/table.h"
#include <math.h>

typedef struct replace_options {
    int64_t index, with;
    const gls_value *source;
} replace_options;

static const gls_option replace_table[] = {
    GLS_INT("index", replace_options, index, NULL, 0, INFINITY, "index (from 0) of the example to replace",
            .flags = GLS_OPTION_REQUIRED),
    GLS_INT("with", replace_options, with, "-1", -1, INFINITY,
            "index of the example that takes its place; -1: a random other one"),
    GLS_VALUE("source", replace_options, source,
              "source of the new example, {format: ..., train: ...}; default: the set itself", .choices = "sources"),
    {0},
};

/* The part and row that take the example's place. */
static gls_status choose(gls_context *ctx, const replace_options *o, uint64_t seed, gls_gather *gather, int32_t *part,
                         int64_t *with) {
    const gls_data_info *info = &gather->owned.source.info;
    int64_t n = info->examples;
    *part = 0;
    if (o->source) {
        gls_source *other;
        GLS_TRY(gls_source_open_section(ctx, o->source, "transform replace", NULL, GLS_PART_TRAIN, info, &other));
        n = other->info.examples;
        GLS_TRY(gls_gather_add(gather, other, "transform replace", false, part));
    }
    if (o->with >= n || (!o->source && n < 2))
        return gls_fail(ctx, GLS_ERR_ARGUMENT, "transform replace: with is %lld, but there are %lld examples",
                        (long long)o->with, (long long)n);
    gls_random random = gls_random_create(seed, "replace", 0, 0);
    *with = o->with;
    if (*with < 0 && o->source) *with = gls_random_below(&random, n);
    if (*with < 0) {
        *with = gls_random_below(&random, n - 1);
        *with += *with >= o->index;
    }
    return GLS_OK;
}

static gls_status exchange(gls_context *ctx, const replace_options *o, uint64_t seed, gls_gather *gather) {
    int32_t part;
    int64_t with = 0, *mark, *original;
    GLS_TRY(choose(ctx, o, seed, gather, &part, &with));
    GLS_TRY(gls_gather_put(gather, o->index, part, with));
    GLS_TRY(gls_owned_column(&gather->owned, "replace", &mark));
    mark[o->index] = 1;
    const int64_t *before = gls_source_column(gather->part[0], "original");
    if (before) { /* a fresh column would be shadowed by the one taken over */
        original = (int64_t *)gls_source_column(&gather->owned.source, "original");
    } else {
        GLS_TRY(gls_owned_column(&gather->owned, "original", &original));
        for (int64_t i = 0; i < gather->owned.source.info.examples; i++) original[i] = i;
    }
    original[o->index] = part ? -1 : before ? before[with] : with;
    return GLS_OK;
}

static gls_status apply_replace(gls_context *ctx, gls_source *source, const void *options, uint64_t seed, bool train,
                                const gls_learned *learned, gls_source **out) {
    const replace_options *o = options;
    if (o->index >= source->info.examples)
        return gls_fail(ctx, GLS_ERR_ARGUMENT, "transform replace: index is %lld, but there are %lld examples",
                        (long long)o->index, (long long)source->info.examples);
    gls_gather *gather;
    GLS_TRY(gls_gather_create(ctx, source, NULL, 0, &gather));
    gls_status status = exchange(ctx, o, seed, gather);
    if (status != GLS_OK) {
        gls_gather_release(gather);
        return status;
    }
    *out = &gather->owned.source;
    return GLS_OK;
}

const gls_transform gls_transform_replace = {
    .member = {"replace", "replaces one example by another; column replace marks it", "[D] 5.1", replace_table,
               sizeof(replace_options)},
    .train_only = true,
    .apply = apply_replace,
};
