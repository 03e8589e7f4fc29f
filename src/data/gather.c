/* A gather: rows picked from one or more sources. Subsets and most transforms are gathers. */
#include <math.h>
#include <string.h>

#include "base/arith.h"
#include "data/source.h"

enum { RUN = 256 }; /* rows whose indices are mapped on the stack at a time */

/* Fetches one run of at most RUN rows that come from the same part. */
static gls_status fetch_run(const gls_gather *gather, gls_context *ctx, const gls_fetch *fetch, int64_t begin,
                            int64_t count, gls_rows *rows) {
    const gls_data_info *info = &gather->owned.source.info;
    int64_t first = fetch->index[begin], mapped[RUN];
    const gls_source *part = gather->part[gather->which ? gather->which[first] : 0];
    for (int64_t i = 0; i < count; i++)
        mapped[i] = gather->index ? gather->index[fetch->index[begin + i]] : fetch->index[begin + i];
    gls_fetch inner = *fetch;
    inner.count = count;
    inner.index = mapped;
    inner.slot = fetch->slot + begin;
    gls_rows sub = gls_rows_from(rows, info, begin);
    GLS_TRY(part->ops->fetch(part, ctx, &inner, &sub));
    gls_rows_merge(rows, &sub);
    if (gather->owned.source.has_mass && !part->has_mass && sub.mass)
        for (int64_t i = 0; i < count; i++) sub.mass[i] = 1;
    return GLS_OK;
}

static gls_status fetch_gather(const gls_source *source, gls_context *ctx, const gls_fetch *fetch, gls_rows *rows) {
    const gls_gather *gather = (const gls_gather *)source;
    for (int64_t begin = 0; begin < fetch->count;) {
        int64_t end = begin + 1;
        while (end < fetch->count && end - begin < RUN &&
               (!gather->which || gather->which[fetch->index[end]] == gather->which[fetch->index[begin]]))
            end++;
        GLS_TRY(fetch_run(gather, ctx, fetch, begin, end - begin, rows));
        begin = end;
    }
    for (int64_t i = 0; gather->label && i < fetch->count; i++) {
        int32_t label = gather->label[fetch->index[i]];
        if (rows->label) rows->label[i] = label;
        if (rows->y && gather->class_y) rows->y[i] = gather->class_y[label];
    }
    return GLS_OK;
}

static void destroy_gather(gls_source *source) {
    gls_gather *gather = (gls_gather *)source;
    for (int64_t i = 0; i < gather->parts; i++)
        if (gather->owns[i]) gls_source_destroy((gls_source *)gather->part[i]);
    gls_owned_destroy(source);
}

/* Rows of one part that lie close together there; others are read when they are fetched. */
static void expect_gather(const gls_source *source, int64_t begin, int64_t end, bool soon) {
    const gls_gather *gather = (const gls_gather *)source;
    if (gather->which || begin >= end) return;
    int64_t first = gather->index ? gather->index[begin] : begin, last = first, count = end - begin;
    for (int64_t i = begin; gather->index && i < end; i++) {
        first = gls_least(first, gather->index[i]);
        last = gather->index[i] > last ? gather->index[i] : last;
    }
    if (!gather->index) last = end - 1;
    if (last - first < 4 * count) gls_source_expect(gather->part[0], first, last + 1, soon);
}

static const gls_source_ops gather_ops = {fetch_gather, destroy_gather, expect_gather};

double gls_source_copied(const gls_source *source) {
    const gls_data_info *info = &source->info;
    if (source->ops == &gls_dense_ops) return (double)(info->features + info->targets) * sizeof(gls_real);
    if (source->ops == &gls_sparse_ops) {
        const int64_t *row = ((const gls_sparse_source *)source)->row;
        double stored = (double)(row[info->examples] - row[0]) / (double)info->examples;
        return stored * (sizeof(gls_real) + sizeof(int32_t));
    }
    if (source->ops != &gather_ops) return INFINITY;
    const gls_gather *gather = (const gls_gather *)source;
    double most = 0;
    for (int64_t i = 0; i < gather->parts; i++) most = fmax(most, gls_source_copied(gather->part[i]));
    return most;
}

static gls_status append_part(gls_gather *gather, const gls_source *source, bool owns) {
    int64_t parts = gather->parts;
    const gls_source **part = gls_arena_alloc(gather->owned.arena, parts + 1, sizeof *part);
    bool *owned = gls_arena_alloc(gather->owned.arena, parts + 1, sizeof *owned);
    if (!part || !owned) return GLS_ERR_MEMORY;
    if (parts) {
        memcpy(part, gather->part, (size_t)parts * sizeof *part);
        memcpy(owned, gather->owns, (size_t)parts * sizeof *owned);
    }
    part[parts] = source;
    owned[parts] = owns;
    gather->part = part;
    gather->owns = owned;
    gather->parts++;
    return GLS_OK;
}

static gls_status fill_gather(gls_gather *gather, const gls_source *inner, const int64_t *index, int64_t count) {
    gls_source *source = &gather->owned.source;
    source->info = inner->info;
    source->info.streams = 0; /* rows that are picked do not follow each other */
    source->has_mass = inner->has_mass;
    if (index) source->info.examples = count;
    GLS_TRY(append_part(gather, inner, false));
    GLS_TRY(gls_owned_columns_from(&gather->owned, inner, index));
    if (!index) return GLS_OK;
    int64_t *copy = gls_arena_alloc(gather->owned.arena, count, sizeof *copy);
    if (!copy) return GLS_ERR_MEMORY;
    if (count) memcpy(copy, index, (size_t)count * sizeof *copy);
    gather->index = copy;
    if (gls_source_column(source, "original")) return GLS_OK;
    int64_t *original;
    GLS_TRY(gls_owned_column(&gather->owned, "original", &original));
    if (count) memcpy(original, index, (size_t)count * sizeof *original);
    return GLS_OK;
}

gls_status gls_gather_create(gls_context *ctx, gls_source *inner, const int64_t *index, int64_t count,
                             gls_gather **out) {
    gls_gather *gather;
    *out = NULL;
    GLS_TRY(gls_owned_create(ctx, sizeof *gather, &gather_ops, (void **)&gather));
    gls_status status = fill_gather(gather, inner, index, count);
    if (status != GLS_OK) {
        gls_source_destroy(&gather->owned.source);
        return status;
    }
    gather->owns[0] = true;
    *out = gather;
    return GLS_OK;
}

void gls_gather_release(gls_gather *gather) {
    if (!gather) return;
    gather->owns[0] = false;
    gls_source_destroy(&gather->owned.source);
}

/* NULL, or why rows of `other` cannot be mixed with those of `info`. */
static const char *misfit(const gls_data_info *info, const gls_data_info *other, bool features_only) {
    if (info->sparse != other->sparse) return "sparse and dense features cannot be mixed";
    if (info->features != other->features) return "another number of features";
    if (!info->length != !other->length) return "rows with and without a length cannot be mixed";
    if (info->length != other->length) return "another number of tokens or frames per row";
    if (info->vocabulary != other->vocabulary) return "another vocabulary";
    if (info->documents != other->documents) return "rows that hold documents in another way";
    if (features_only) return other->targets && other->targets != info->targets ? "another number of targets" : NULL;
    if (info->target != other->target || info->targets != other->targets) return "another kind of targets";
    return info->classes == other->classes ? NULL : "another number of classes";
}

gls_status gls_gather_add(gls_gather *gather, gls_source *source, const char *what, bool features_only, int32_t *part) {
    const char *why = misfit(&gather->owned.source.info, &source->info, features_only);
    gls_status status =
        why ? gls_fail(gather->owned.source.ctx, GLS_ERR_INPUT, "%s: its source does not fit the data: %s", what, why)
            : append_part(gather, source, true);
    if (status != GLS_OK) {
        gls_source_destroy(source);
        return status;
    }
    gather->owned.source.has_mass |= source->has_mass;
    *part = (int32_t)(gather->parts - 1);
    return GLS_OK;
}

gls_status gls_gather_put(gls_gather *gather, int64_t i, int32_t part, int64_t index) {
    int64_t n = gather->owned.source.info.examples;
    if (!gather->which) {
        gather->which = gls_arena_alloc(gather->owned.arena, n, sizeof *gather->which);
        if (!gather->which) return GLS_ERR_MEMORY;
        memset(gather->which, 0, (size_t)n * sizeof *gather->which);
    }
    if (!gather->index) {
        gather->index = gls_arena_alloc(gather->owned.arena, n, sizeof *gather->index);
        if (!gather->index) return GLS_ERR_MEMORY;
        for (int64_t k = 0; k < n; k++) gather->index[k] = k;
    }
    gather->which[i] = part;
    gather->index[i] = index;
    return GLS_OK;
}

gls_status gls_gather_relabel(gls_gather *gather, int32_t **label) {
    gls_source *source = &gather->owned.source;
    int64_t n = source->info.examples, classes = source->info.classes;
    *label = gls_arena_alloc(gather->owned.arena, n, sizeof **label);
    if (!*label) return GLS_ERR_MEMORY;
    memset(*label, 0xff, (size_t)n * sizeof **label); /* -1 where a part has no labels */
    if (source->info.targets == 1) {
        gls_real *y = gls_alloc(source->ctx, n, sizeof *y);
        gls_real *class_y = gls_arena_alloc(gather->owned.arena, classes, sizeof *class_y);
        gls_status status = y && class_y ? gls_source_targets(source, source->ctx, *label, y) : GLS_ERR_MEMORY;
        if (status == GLS_OK) {
            for (int64_t k = 0; k < classes; k++) class_y[k] = (gls_real)k;
            for (int64_t i = n; i-- > 0;) /* backwards, so that the first example of a class decides */
                if ((*label)[i] >= 0 && (*label)[i] < classes) class_y[(*label)[i]] = y[i];
            gather->class_y = class_y;
        }
        gls_free(source->ctx, y);
        GLS_TRY(status);
    } else {
        GLS_TRY(gls_source_targets(source, source->ctx, *label, NULL));
    }
    gather->label = *label;
    return GLS_OK;
}

gls_status gls_classes_need(gls_context *ctx, const gls_source *source, const char *who) {
    if (source->info.target == GLS_TARGET_CLASS && source->info.classes > 1) return GLS_OK;
    return gls_fail(ctx, GLS_ERR_ARGUMENT, "transform %s: the data have no classes", who);
}

int32_t gls_classes_other(gls_random *random, int32_t label, int64_t classes) {
    int32_t other = (int32_t)gls_random_below(random, classes - 1);
    return other + (other >= label);
}

gls_status gls_source_subset(gls_context *ctx, const gls_source *source, const int64_t *index, int64_t count,
                             gls_source **out) {
    GLS_GIVEN(ctx, ctx, source, out);
    if (count > 0) GLS_GIVEN(ctx, index);
    *out = NULL;
    for (int64_t i = 0; i < count; i++)
        if (index[i] < 0 || index[i] >= source->info.examples)
            return gls_fail(ctx, GLS_ERR_ARGUMENT, "subset: example %lld is outside the set of %lld",
                            (long long)index[i], (long long)source->info.examples);
    gls_gather *gather;
    GLS_TRY(gls_gather_create(ctx, (gls_source *)source, index, count, &gather));
    gather->owns[0] = false;
    *out = &gather->owned.source;
    return GLS_OK;
}

gls_status gls_source_stretch(gls_context *ctx, const gls_source *source, int64_t begin, int64_t count,
                              gls_source **out) {
    int64_t streams = source->info.streams, *index = gls_alloc(ctx, count, sizeof *index);
    *out = NULL;
    if (!index) return GLS_ERR_MEMORY;
    for (int64_t i = 0; i < count; i++) index[i] = begin + i;
    gls_status status = gls_source_subset(ctx, source, index, count, out);
    gls_free(ctx, index);
    if (status == GLS_OK && streams && begin % streams == 0) (*out)->info.streams = streams;
    return status;
}

gls_status gls_source_draw_distinct(gls_context *ctx, gls_random *random, int64_t n, int64_t count, int64_t **out) {
    *out = gls_alloc(ctx, count, sizeof **out);
    if (!*out) return GLS_ERR_MEMORY;
    /* Selection sampling: each number is taken with probability needed / left. */
    int64_t taken = 0;
    for (int64_t i = 0; i < n && taken < count; i++)
        if (gls_random_below(random, n - i) < count - taken) (*out)[taken++] = i;
    return GLS_OK;
}
