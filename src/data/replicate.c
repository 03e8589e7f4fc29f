/* Transform replicate: a random 1/r of the examples, each about r times. The set keeps its size, and gradient
 * diversity falls. */
#include "data/source.h"
#include "base/arith.h"
#include "data/table.h"

typedef struct replicate_options {
    int64_t times;
} replicate_options;

static const gls_option replicate_table[] = {
    GLS_INT("times", replicate_options, times, NULL, 1, INT32_MAX, "r: number of copies of each kept example",
            .flags = GLS_OPTION_REQUIRED),
    {0},
};

static gls_status apply_replicate(gls_context *ctx, gls_source *source, const void *options, uint64_t seed, bool train,
                                  const gls_learned *learned, gls_source **out) {
    const replicate_options *o = options;
    int64_t n = source->info.examples, kept = gls_parts(n, o->times), *chosen, *copy;
    gls_random random = gls_random_create(seed, "replicate", 0, 0);
    GLS_TRY(gls_source_draw_distinct(ctx, &random, n, kept, &chosen));
    int64_t *index = gls_alloc(ctx, n, sizeof *index);
    gls_gather *gather = NULL;
    gls_status status = index ? GLS_OK : GLS_ERR_MEMORY;
    for (int64_t i = 0; index && i < n; i++) index[i] = chosen[i % kept];
    if (status == GLS_OK) status = gls_gather_create(ctx, source, index, n, &gather);
    if (status == GLS_OK) status = gls_owned_column(&gather->owned, "replicate", &copy);
    gls_free(ctx, index);
    gls_free(ctx, chosen);
    if (status != GLS_OK) {
        gls_gather_release(gather);
        return status;
    }
    for (int64_t i = 0; i < n; i++) copy[i] = i / kept;
    *out = &gather->owned.source;
    return GLS_OK;
}

const gls_transform gls_transform_replicate = {
    .member = {"replicate", "keeps a random 1/r of the examples, r copies of each; column replicate numbers the copies",
               "[D] 6.1", replicate_table, sizeof(replicate_options)},
    .train_only = true,
    .apply = apply_replicate,
};
