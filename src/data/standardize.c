/* Transform standardize: mean 0 and variance 1 by feature or by channel, with the training set's statistics. Sparse
 * features are scaled only, so that they stay sparse. */
#include "data/source.h"
#include "data/table.h"
#include "base/kernels.h"
#include "base/arith.h"
#include <math.h>
#include <string.h>

typedef struct standard_options {
    int by;
    bool center;
} standard_options;

enum { BY_AUTO, BY_FEATURE, BY_CHANNEL };
enum { PARTS = 16, AT_ONCE = 64 }; /* runs of rows that are summed apart, in fixed order; rows fetched at a time */

static const gls_option standard_table[] = {
    GLS_ENUM("by", standard_options, by, "auto", "auto|feature|channel",
             "one mean and deviation per feature or per channel; auto: per channel for images"),
    GLS_BOOL("center", standard_options, center, "true", "subtract the mean (never from sparse features)"),
    {0},
};

typedef struct standard_source {
    gls_owned_source owned;
    int64_t span;                 /* consecutive features with the same statistics */
    const gls_real *mean, *scale; /* [features / span] */
} standard_source;

static bool is_image(const gls_data_info *info) {
    return info->dims == 3 && !info->sparse;
}

static int64_t span_of(const gls_data_info *info, const standard_options *o) {
    bool channels = o->by == BY_CHANNEL || (o->by == BY_AUTO && is_image(info));
    return channels ? info->shape[1] * info->shape[2] : 1;
}

GLS_SIMD static void scale_line(gls_real *x, gls_real mean, gls_real scale, int64_t n) {
    for (int64_t i = 0; i < n; i++) x[i] = (x[i] - mean) * scale;
}

GLS_SIMD static void scale_features(gls_real *x, const gls_real *mean, const gls_real *scale, int64_t n) {
    for (int64_t i = 0; i < n; i++) x[i] = (x[i] - mean[i]) * scale[i];
}

static gls_status fetch_standard(const gls_source *source, gls_context *ctx, const gls_fetch *fetch, gls_rows *rows) {
    const standard_source *s = (const standard_source *)source;
    int64_t features = source->info.features, groups = features / s->span;
    GLS_TRY(gls_wrapper_fetch(source, ctx, fetch, rows));
    for (int64_t i = 0; rows->x && i < fetch->count; i++) {
        gls_real *x = rows->x + i * features;
        if (s->span == 1) scale_features(x, s->mean, s->scale, features);
        for (int64_t g = 0; s->span > 1 && g < groups; g++)
            scale_line(x + g * s->span, s->mean[g], s->scale[g], s->span);
    }
    if (rows->row)
        for (int64_t k = rows->row[0]; k < rows->row[fetch->count]; k++) rows->value[k] *= s->scale[rows->column[k]];
    return GLS_OK;
}

static const gls_source_ops standard_ops = {fetch_standard, gls_wrapper_destroy};

/* ---- the statistics: PARTS fixed runs of rows, so that bits do not depend on threads ---- */

typedef struct fit {
    const gls_source *source;
    gls_context *ctx;
    int64_t span, groups;
    const double *mean; /* of the second pass, or NULL */
    double *sum;        /* [PARTS, groups] sums of x, or of (x - mean)^2 */
} fit;

static void add_rows(const fit *f, const gls_batch *batch, double *sum) {
    for (int64_t i = 0; batch->x && i < batch->rows; i++)
        for (int64_t g = 0; g < f->groups; g++) {
            const gls_real *x = batch->x + i * batch->features + g * f->span;
            double mean = f->mean ? f->mean[g] : 0, s = 0;
            for (int64_t j = 0; j < f->span; j++) {
                double v = (double)x[j] - mean;
                s += f->mean ? v * v : v;
            }
            sum[g] += s;
        }
    if (!batch->row) return;
    for (int64_t k = batch->row[0]; k < batch->row[batch->rows]; k++) {
        double v = (double)batch->value[k], mean = f->mean ? f->mean[batch->column[k]] : 0;
        /* Second pass: fit_pass adds mean^2 as if every entry were zero; a stored one takes it off again. */
        sum[batch->column[k]] += f->mean ? (v - mean) * (v - mean) - mean * mean : v;
    }
}

static gls_status fit_part(void *user, int64_t part, int worker) {
    const fit *f = user;
    int64_t n = f->source->info.examples, end = n * (part + 1) / PARTS;
    gls_rows *rows;
    GLS_TRY(gls_rows_create(f->ctx, &f->source->info, AT_ONCE, &rows));
    gls_status status = GLS_OK;
    for (int64_t begin = n * part / PARTS; status == GLS_OK && begin < end; begin += AT_ONCE) {
        int64_t index[AT_ONCE];
        gls_fetch fetch = {.count = gls_least(end - begin, AT_ONCE), .index = index};
        for (int64_t i = 0; i < fetch.count; i++) index[i] = begin + i;
        gls_batch batch;
        status = gls_source_fetch(f->source, f->ctx, &fetch, rows, &batch);
        if (status == GLS_OK) add_rows(f, &batch, f->sum + part * f->groups);
    }
    gls_rows_destroy(rows);
    return status;
}

/* One pass over the data: out[g] = the sum over all parts, in order, divided by the count. */
static gls_status fit_pass(fit *f, double *out) {
    int64_t n = f->source->info.examples;
    memset(f->sum, 0, (size_t)(PARTS * f->groups) * sizeof *f->sum);
    GLS_TRY(gls_parallel(f->ctx, PARTS, fit_part, f));
    for (int64_t g = 0; g < f->groups; g++) {
        double s = 0;
        for (int64_t p = 0; p < PARTS; p++) s += f->sum[p * f->groups + g];
        out[g] = s / ((double)n * (double)f->span);
        if (f->mean && f->source->info.sparse) out[g] += f->mean[g] * f->mean[g];
    }
    return GLS_OK;
}

static gls_status check_data(gls_context *ctx, const gls_data_info *info, const standard_options *o) {
    if (info->features < 1 || info->examples < 1)
        return gls_fail(ctx, GLS_ERR_ARGUMENT, "transform standardize: the data have no features");
    if (info->length)
        return gls_fail(ctx, GLS_ERR_ARGUMENT,
                        "transform standardize: rows of frames may have padding, which counts for no mean; scale them "
                        "in the file");
    if (o->by == BY_CHANNEL && !is_image(info))
        return gls_fail(ctx, GLS_ERR_ARGUMENT, "transform standardize: by is channel, but the data are not images");
    return GLS_OK;
}

static gls_status fit_standard(gls_context *ctx, const gls_source *source, const void *options, gls_learned *learned) {
    const standard_options *o = options;
    GLS_TRY(check_data(ctx, &source->info, o));
    int64_t span = span_of(&source->info, o), groups = source->info.features / span;
    gls_real *kept_mean, *kept_scale;
    GLS_TRY(gls_learned_add(learned, "mean", GLS_DTYPE_REAL, groups, &kept_mean));
    GLS_TRY(gls_learned_add(learned, "scale", GLS_DTYPE_REAL, groups, &kept_scale));
    double *mean = gls_alloc(ctx, groups, sizeof *mean), *variance = gls_alloc(ctx, groups, sizeof *variance);
    fit f = {.source = source, .ctx = ctx, .span = span, .groups = groups};
    f.sum = gls_alloc(ctx, groups, PARTS * sizeof *f.sum);
    gls_status status = mean && variance && f.sum ? fit_pass(&f, mean) : GLS_ERR_MEMORY;
    f.mean = mean;
    if (status == GLS_OK) status = fit_pass(&f, variance);
    for (int64_t g = 0; status == GLS_OK && g < groups; g++) {
        bool constant = !(variance[g] > 1e-14 * mean[g] * mean[g]); /* what rounding leaves of a constant feature */
        kept_mean[g] = o->center ? (gls_real)mean[g] : 0;
        kept_scale[g] = constant ? 1 : (gls_real)(1 / sqrt(variance[g]));
        if (!isfinite(kept_scale[g]))
            status = gls_fail(ctx, GLS_ERR_INPUT,
                              "transform standardize: %s %lld has the standard deviation %g, and what brings it to 1 "
                              "exceeds %s precision; scale it up in the file",
                              span > 1 ? "channel" : "feature", (long long)g, sqrt(variance[g]),
                              sizeof(gls_real) == 4 ? "single" : "double");
    }
    gls_free(ctx, mean);
    gls_free(ctx, variance);
    gls_free(ctx, f.sum);
    return status;
}

/* The source keeps its own copy, since what was learned may be destroyed before it. */
static gls_status take_over(const gls_learned *learned, standard_source *s) {
    int64_t groups = s->owned.source.info.features / s->span;
    const gls_real *from_mean, *from_scale;
    GLS_TRY(gls_learned_get(learned, "mean", GLS_DTYPE_REAL, &groups, &from_mean));
    GLS_TRY(gls_learned_get(learned, "scale", GLS_DTYPE_REAL, &groups, &from_scale));
    gls_real *mean = gls_arena_alloc(s->owned.arena, groups, sizeof *mean);
    gls_real *scale = gls_arena_alloc(s->owned.arena, groups, sizeof *scale);
    if (!mean || !scale) return GLS_ERR_MEMORY;
    memcpy(mean, from_mean, (size_t)groups * sizeof *mean);
    memcpy(scale, from_scale, (size_t)groups * sizeof *scale);
    s->mean = mean;
    s->scale = scale;
    return GLS_OK;
}

static gls_status apply_standard(gls_context *ctx, gls_source *source, const void *options, uint64_t seed, bool train,
                                 const gls_learned *learned, gls_source **out) {
    standard_source *s;
    GLS_TRY(check_data(ctx, &source->info, options));
    GLS_TRY(gls_wrapper_create(ctx, sizeof *s, &standard_ops, source, (void **)&s));
    s->span = span_of(&source->info, options);
    gls_status status = take_over(learned, s);
    if (status != GLS_OK) {
        gls_owned_destroy(&s->owned.source);
        return status;
    }
    *out = &s->owned.source;
    return GLS_OK;
}

/* (x - mean) scale, both [shape], or [c, 1, 1] by channel. */
static const char *onnx(gls_onnx *to, const gls_data_info *info, const void *options, const gls_learned *learned,
                        const char *value) {
    int64_t span = span_of(info, options), groups = info->features / span, shape[GLS_MAX_DIMS] = {groups, 1, 1};
    const gls_real *mean, *scale;
    gls_status status = gls_learned_get(learned, "mean", GLS_DTYPE_REAL, &groups, &mean);
    if (status == GLS_OK) status = gls_learned_get(learned, "scale", GLS_DTYPE_REAL, &groups, &scale);
    if (status != GLS_OK) {
        gls_onnx_refused(to, status);
        return value;
    }
    for (int i = 0; span == 1 && i < info->dims; i++) shape[i] = info->shape[i];
    int dims = span == 1 && info->dims ? info->dims : span == 1 ? 1 : 3;
    const char *means = gls_onnx_reals(to, "standardize.mean", false, dims, shape, mean);
    const char *scales = gls_onnx_reals(to, "standardize.scale", false, dims, shape, scale);
    value = gls_onnx_node(to, "Sub", "centred", GLS_ONNX_ARGS(value, means), NULL);
    return gls_onnx_node(to, "Mul", "standardized", GLS_ONNX_ARGS(value, scales), NULL);
}

const gls_transform gls_transform_standardize = {
    .member = {"standardize", "scales features to mean 0 and variance 1, by the training set's statistics", "",
               standard_table, sizeof(standard_options)},
    .fit = fit_standard,
    .apply = apply_standard,
    .onnx = onnx,
};
