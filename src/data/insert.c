/* Transform insert: draggers are put among the examples: wrong labels, foreign or constant images. */
#include "data/source.h"
#include "data/table.h"
#include "base/kernels.h"
#include <math.h>

typedef struct insert_options {
    double fraction;
    int kind;
    const gls_value *source;
} insert_options;

enum { WRONG_LABELS, FOREIGN, CONSTANT };
enum { LEVELS = 256 }; /* as many greys as a byte has */

static const gls_option insert_table[] = {
    GLS_REAL("fraction", insert_options, fraction, NULL, 0, 1, "share of draggers in the resulting set",
             .flags = GLS_OPTION_REQUIRED | GLS_OPTION_BELOW_MAX),
    GLS_ENUM(
        "kind", insert_options, kind, "wrong_labels", "wrong_labels|foreign|constant",
        "copies with a wrong label, examples of another source, or constant images; the latter two have random labels"),
    GLS_VALUE("source", insert_options, source, "source of foreign examples: {format: ..., train: ...}",
              .choices = "sources"),
    {0},
};

/* ---- constant images: example k is k / (LEVELS - 1) everywhere ---- */

static gls_status fetch_constant(const gls_source *source, gls_context *ctx, const gls_fetch *fetch, gls_rows *rows) {
    int64_t features = source->info.features;
    for (int64_t i = 0; rows->x && i < fetch->count; i++)
        gls_fill(rows->x + i * features, (gls_real)fetch->index[i] / (LEVELS - 1), features);
    return GLS_OK;
}

static const gls_source_ops constant_ops = {fetch_constant, gls_owned_destroy};

static gls_status create_constant(gls_context *ctx, const gls_data_info *like, gls_source **out) {
    gls_owned_source *owned;
    GLS_TRY(gls_owned_create(ctx, sizeof *owned, &constant_ops, (void **)&owned));
    owned->source.info = (gls_data_info){.examples = LEVELS, .features = like->features};
    *out = &owned->source;
    return GLS_OK;
}

static gls_status dragger_part(gls_context *ctx, const insert_options *o, gls_gather *gather, int32_t *part) {
    gls_source *other;
    *part = 0;
    if (o->kind == WRONG_LABELS) return GLS_OK;
    if (o->kind == CONSTANT)
        GLS_TRY(create_constant(ctx, &gather->owned.source.info, &other));
    else
        GLS_TRY(gls_source_open_section(ctx, o->source, "transform insert", NULL, GLS_PART_TRAIN, NULL, &other));
    return gls_gather_add(gather, other, "transform insert", true, part);
}

static gls_status put_draggers(gls_context *ctx, const insert_options *o, uint64_t seed, int64_t benign,
                               gls_gather *gather) {
    const gls_data_info *info = &gather->owned.source.info;
    int32_t *label, part;
    int64_t *mark, *original = (int64_t *)gls_source_column(&gather->owned.source, "original");
    GLS_TRY(dragger_part(ctx, o, gather, &part));
    gls_random random = gls_random_create(seed, "insert", 0, 0);
    for (int64_t i = benign; part && i < info->examples; i++)
        GLS_TRY(gls_gather_put(gather, i, part, gls_random_below(&random, gather->part[part]->info.examples)));
    GLS_TRY(gls_gather_relabel(gather, &label));
    GLS_TRY(gls_owned_column(&gather->owned, "insert", &mark));
    for (int64_t i = benign; i < info->examples; i++) {
        label[i] = part ? (int32_t)gls_random_below(&random, info->classes)
                        : gls_classes_other(&random, label[i], info->classes);
        mark[i] = 1;
        if (part) original[i] = -1;
    }
    return GLS_OK;
}

/* `fraction` is a share of the resulting set, hence fraction / (1 - fraction) of the old one. More than a billion
 * draggers are taken for a mistake. */
static gls_status apply_insert(gls_context *ctx, gls_source *source, const void *options, uint64_t seed, bool train,
                               const gls_learned *learned, gls_source **out) {
    const insert_options *o = options;
    int64_t n = source->info.examples;
    GLS_TRY(gls_classes_need(ctx, source, "insert"));
    double wanted = rint((double)n * o->fraction / (1 - o->fraction));
    if (wanted > 1e9)
        return gls_fail(ctx, GLS_ERR_ARGUMENT, "transform insert: %g draggers are too many; expected at most 1e9",
                        wanted);
    int64_t total = n + (int64_t)wanted, *index = gls_alloc(ctx, total, sizeof *index);
    if (!index) return GLS_ERR_MEMORY;
    gls_random random = gls_random_create(seed, "insert", 1, 0);
    for (int64_t i = 0; i < total; i++) index[i] = i < n ? i : gls_random_below(&random, n);
    gls_gather *gather;
    gls_status status = gls_gather_create(ctx, source, index, total, &gather);
    gls_free(ctx, index);
    GLS_TRY(status);
    status = put_draggers(ctx, o, seed, n, gather);
    if (status != GLS_OK) {
        gls_gather_release(gather);
        return status;
    }
    *out = &gather->owned.source;
    return GLS_OK;
}

const gls_transform gls_transform_insert = {
    .member = {"insert", "appends draggers to the examples; column insert marks them", "[M] 5.1", insert_table,
               sizeof(insert_options)},
    .train_only = true,
    .apply = apply_insert,
};
