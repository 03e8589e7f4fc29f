/* Averages of iterates. All kinds are value += c (w - value); they differ only in the share c of the k-th iterate. */
#include <glissade/method.h>
#include "base/arith.h"
#include "base/flush.h"

#include <math.h>
#include <string.h>

enum { TASK_SIZE = 65536 }; /* coordinates: half a megabyte of doubles, far more work than starting a task */

/* The share c for iterate number k, from 1. */
typedef double (*share_fn)(const gls_average *average, int64_t k);

typedef struct average_options {
    int name;
    double decay;
    int64_t patience;
} average_options;

struct gls_average {
    gls_context *ctx;
    int64_t parameters;
    average_options options;
    uint64_t seed;
    double *value; /* [parameters] */
    int64_t count; /* iterates taken */
    int64_t triggered;
    double best;    /* validation loss, of those that are compared with; NaN: none yet */
    double *recent; /* [patience] the last validations, oldest first; NaN: none yet */
};

/* ---- the kinds ---- */

static double uniform(const gls_average *average, int64_t k) {
    return 1 / (double)k;
}

static double weighted(const gls_average *average, int64_t k) {
    return 2 / ((double)k + 1);
}

static double exponential(const gls_average *average, int64_t k) {
    return k == 1 ? 1 : 1 - average->options.decay;
}

/* Replaces what is held with probability 1/k: every iterate is left with the same probability. */
static double drawn(const gls_average *average, int64_t k) {
    gls_random random = gls_random_create(average->seed, "drawn iterate", (uint64_t)k, 0);
    return gls_random_below(&random, k) == 0 ? 1 : 0;
}

enum { UNIFORM, WEIGHTED, EXPONENTIAL, TRIGGERED, DRAWN };
static const share_fn share_of[] = {
    [UNIFORM] = uniform, [WEIGHTED] = weighted, [EXPONENTIAL] = exponential, [TRIGGERED] = uniform, [DRAWN] = drawn};

static const gls_option table[] = {GLS_ENUM("name", average_options, name, "uniform",
                                            "uniform|weighted|exponential|triggered|drawn",
                                            "which average of the iterates"),
                                   GLS_REAL("decay", average_options, decay, "0.999", 0, 1,
                                            "exponential: share that is kept", .flags = GLS_OPTION_BELOW_MAX),
                                   GLS_INT("patience", average_options, patience, "0", 0, 1e6,
                                           "triggered: so many of the last validations are not compared with (Merity "
                                           "et al. 2017: 5)"),
                                   {0}};

const gls_member gls_average_member = {"average", "an average of the iterates", "", table, sizeof(average_options)};

/* ---- the object ---- */

static gls_status read_options(gls_context *ctx, const gls_value *spec, average_options *out) {
    gls_options *options;
    GLS_TRY(gls_options_create(ctx, "average", table, sizeof *out, &options));
    gls_status status = spec && spec->kind == GLS_VALUE_MAP ? gls_options_apply(options, spec, NULL)
                        : spec && spec->text                ? gls_options_set(options, "name", spec->text)
                                                            : GLS_OK;
    if (status == GLS_OK) *out = *(const average_options *)gls_options_struct(options);
    gls_options_destroy(options);
    return status;
}

gls_status gls_average_create(gls_context *ctx, int64_t parameters, const gls_value *spec, uint64_t seed,
                              gls_average **out) {
    GLS_GIVEN(ctx, ctx, out);
    *out = NULL;
    average_options options;
    GLS_TRY(read_options(ctx, spec, &options));
    gls_average *average = gls_alloc(ctx, 1, sizeof *average);
    if (!average) return GLS_ERR_MEMORY;
    *average = (gls_average){.ctx = ctx, .parameters = parameters, .options = options, .seed = seed, .best = NAN};
    average->value = gls_alloc(ctx, parameters, sizeof *average->value);
    average->recent = gls_alloc(ctx, options.patience, sizeof *average->recent);
    if (!average->value || !average->recent) {
        gls_average_destroy(average);
        return GLS_ERR_MEMORY;
    }
    for (int64_t i = 0; i < options.patience; i++) average->recent[i] = NAN;
    *out = average;
    return GLS_OK;
}

void gls_average_destroy(gls_average *average) {
    if (!average) return;
    gls_free(average->ctx, average->value);
    gls_free(average->ctx, average->recent);
    gls_free(average->ctx, average);
}

typedef struct mixing {
    double *value, share;
    const gls_real *w;
    int64_t n;
} mixing;

static gls_status mix(void *user, int64_t task, int worker) {
    const mixing *job = user;
    int64_t begin = task * TASK_SIZE, end = gls_least(begin + TASK_SIZE, job->n);
    uint64_t mode = gls_flush_begin(); /* an exponential average of weights that are zero decays */
    if (job->share == 1)
        for (int64_t i = begin; i < end; i++) job->value[i] = (double)job->w[i];
    else
        for (int64_t i = begin; i < end; i++) job->value[i] += job->share * ((double)job->w[i] - job->value[i]);
    gls_flush_end(mode);
    return GLS_OK;
}

gls_status gls_average_update(gls_average *average, const gls_real *w) {
    GLS_GIVEN(average ? average->ctx : NULL, average, w);
    if (average->options.name == TRIGGERED && !average->triggered) return GLS_OK;
    double share = share_of[average->options.name](average, ++average->count);
    if (share == 0) return GLS_OK;
    mixing job = {average->value, share, w, average->parameters};
    return gls_parallel(average->ctx, gls_parts(job.n, TASK_SIZE), mix, &job);
}

void gls_average_validated(gls_average *average, double loss) {
    if (!average) return;
    int64_t patience = average->options.patience;
    if (!(loss < average->best) && !isnan(average->best)) average->triggered = 1;
    if (patience > 0) {
        double oldest = average->recent[0];
        memmove(average->recent, average->recent + 1, (size_t)(patience - 1) * sizeof loss);
        average->recent[patience - 1] = loss;
        loss = oldest;
    }
    if (isnan(average->best) || loss < average->best) average->best = loss;
}

bool gls_average_value(const gls_average *average, gls_real *out) {
    if (!average || !out) return false;
    if (average->count == 0) return false;
    for (int64_t i = 0; i < average->parameters; i++) out[i] = (gls_real)average->value[i];
    return true;
}

int64_t gls_average_count(const gls_average *average) {
    if (!average) return 0;
    return average->count;
}

gls_status gls_average_arrays(gls_average *average, const char *prefix, gls_arrays *arrays) {
    GLS_GIVEN(average ? average->ctx : NULL, average, prefix, arrays);
    gls_context *ctx = average->ctx;
    GLS_TRY(gls_arrays_add_state(ctx, arrays, prefix, "value", GLS_F64, average->parameters, average->value));
    GLS_TRY(gls_arrays_add_state(ctx, arrays, prefix, "count", GLS_I64, 1, &average->count));
    GLS_TRY(gls_arrays_add_state(ctx, arrays, prefix, "triggered", GLS_I64, 1, &average->triggered));
    if (average->options.patience > 0)
        GLS_TRY(
            gls_arrays_add_state(ctx, arrays, prefix, "recent", GLS_F64, average->options.patience, average->recent));
    return gls_arrays_add_state(ctx, arrays, prefix, "best", GLS_F64, 1, &average->best);
}
