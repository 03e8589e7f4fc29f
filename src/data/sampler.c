/* Which examples make mini-batch number k. Everything follows from (seed, epoch, place) or (seed, draw). */
#include <math.h>
#include <glissade/data.h>
#include "base/arith.h"

struct gls_sampler {
    gls_context *ctx;
    gls_sampler_options options;
    int64_t position[3]; /* epoch, place in the epoch, mini-batches so far */
    int64_t *order;      /* the present epoch's permutation; NULL with replacement or without shuffling */
};

enum { EPOCH, PLACE, DRAWS }; /* of position, as checkpoints keep it */

static void shuffle(gls_sampler *sampler) {
    if (!sampler->order) return;
    int64_t n = sampler->options.examples;
    gls_random random = gls_random_create(sampler->options.seed, "shuffle", (uint64_t)sampler->position[EPOCH], 0);
    for (int64_t i = 0; i < n; i++) sampler->order[i] = i;
    for (int64_t i = n - 1; i > 0; i--) {
        int64_t j = gls_random_below(&random, i + 1), kept = sampler->order[i];
        sampler->order[i] = sampler->order[j];
        sampler->order[j] = kept;
    }
}

/* Only epochs in random order need a permutation in memory. */
gls_status gls_sampler_create(gls_context *ctx, const gls_sampler_options *options, gls_sampler **out) {
    GLS_GIVEN(ctx, ctx, options, out);
    *out = NULL;
    if (options->size != sizeof *options)
        return gls_fail(ctx, GLS_ERR_ARGUMENT, "sampler: options of %zu bytes, expected %zu", options->size,
                        sizeof *options);
    if (options->examples < 1)
        return gls_fail(ctx, GLS_ERR_ARGUMENT, "sampler: the set has %lld examples; expected at least 1",
                        (long long)options->examples);
    gls_sampler *sampler = gls_alloc(ctx, 1, sizeof *sampler);
    if (!sampler) return GLS_ERR_MEMORY;
    sampler->ctx = ctx;
    sampler->options = *options;
    if (options->shuffle && !options->replacement) {
        sampler->order = gls_alloc(ctx, options->examples, sizeof *sampler->order);
        if (!sampler->order) {
            gls_free(ctx, sampler);
            return GLS_ERR_MEMORY;
        }
    }
    shuffle(sampler);
    *out = sampler;
    return GLS_OK;
}

void gls_sampler_destroy(gls_sampler *sampler) {
    if (!sampler) return;
    gls_free(sampler->ctx, sampler->order);
    gls_free(sampler->ctx, sampler);
}

static void next_epoch(gls_sampler *sampler) {
    sampler->position[EPOCH]++;
    sampler->position[PLACE] = 0;
    shuffle(sampler);
}

/* The draw number counts mini-batches over all epochs: it keys every random number of the step. */
gls_status gls_sampler_next(gls_sampler *sampler, int64_t batch, int64_t *index, int64_t *count, uint64_t *draw) {
    GLS_GIVEN(sampler ? sampler->ctx : NULL, sampler, index, count, draw);
    int64_t n = sampler->options.examples, *position = sampler->position;
    if (batch < 1)
        return gls_fail(sampler->ctx, GLS_ERR_ARGUMENT, "sampler: a mini-batch of %lld examples", (long long)batch);
    if (sampler->options.drop_last && !sampler->options.replacement && batch > n)
        return gls_fail(sampler->ctx, GLS_ERR_ARGUMENT,
                        "sampler: with drop_last a mini-batch of %lld never fits into %lld examples", (long long)batch,
                        (long long)n);
    *draw = (uint64_t)position[DRAWS];
    if (sampler->options.replacement) {
        gls_random random = gls_random_create(sampler->options.seed, "replacement", *draw, 0);
        for (int64_t i = 0; i < batch; i++) index[i] = gls_random_below(&random, n);
        *count = batch;
        position[PLACE] += batch;
        position[EPOCH] += position[PLACE] / n;
        position[PLACE] %= n;
    } else {
        if (sampler->options.drop_last && n - position[PLACE] < batch) next_epoch(sampler);
        *count = gls_least(n - position[PLACE], batch);
        for (int64_t i = 0; i < *count; i++)
            index[i] = sampler->order ? sampler->order[position[PLACE] + i] : position[PLACE] + i;
        position[PLACE] += *count;
        if (position[PLACE] == n) next_epoch(sampler);
    }
    position[DRAWS]++;
    return GLS_OK;
}

double gls_sampler_epoch(const gls_sampler *sampler) {
    if (!sampler) return NAN;
    return (double)sampler->position[EPOCH] + (double)sampler->position[PLACE] / (double)sampler->options.examples;
}

gls_status gls_sampler_arrays(gls_sampler *sampler, const char *prefix, gls_arrays *arrays) {
    GLS_GIVEN(sampler ? sampler->ctx : NULL, sampler, prefix, arrays);
    return gls_arrays_add_state(sampler->ctx, arrays, prefix, "position", GLS_I64, 3, sampler->position);
}

gls_status gls_sampler_restored(gls_sampler *sampler) {
    GLS_GIVEN(sampler ? sampler->ctx : NULL, sampler);
    const int64_t *position = sampler->position;
    if (position[EPOCH] < 0 || position[DRAWS] < 0 || position[PLACE] < 0 ||
        position[PLACE] >= sampler->options.examples)
        return gls_fail(sampler->ctx, GLS_ERR_INPUT, "sampler: restored to epoch %lld, place %lld of %lld examples",
                        (long long)position[EPOCH], (long long)position[PLACE], (long long)sampler->options.examples);
    shuffle(sampler);
    return GLS_OK;
}
