/* Rows of frames in memory: the caller's arrays, borrowed, or a format's own. */
#include "data/frames.h"

#include <string.h>

static int64_t frames_of(const gls_frame_source *s, int64_t j) {
    return s->frames ? s->frames[j] : s->owned.source.info.length;
}

/* What a row counts in the mean: its labels over the positions. A sequence without labels counts as one of one. */
static double mass_of(const gls_frame_source *s, int64_t j) {
    const gls_data_info *info = &s->owned.source.info;
    int64_t labels = 0;
    for (int64_t t = 0; t < info->length; t++) labels += s->label[j * info->length + t] >= 0;
    if (info->target == GLS_TARGET_SEQUENCE && labels == 0) labels = 1;
    return (double)labels / (double)info->length;
}

static gls_status fetch_frames(const gls_source *source, gls_context *ctx, const gls_fetch *fetch, gls_rows *rows) {
    const gls_frame_source *s = (const gls_frame_source *)source;
    int64_t features = source->info.features, length = source->info.length;
    int64_t labels = gls_target_by_position(source->info.target) ? length : 1;
    (void)ctx;
    for (int64_t i = 0; i < fetch->count; i++) {
        int64_t j = fetch->index[i];
        if (rows->x) memcpy(rows->x + i * features, s->x + j * features, (size_t)features * sizeof *rows->x);
        for (int64_t t = 0; rows->document && t < length; t++)
            rows->document[i * length + t] = t < frames_of(s, j) ? 0 : -1;
        if (rows->label && s->label)
            memcpy(rows->label + i * labels, s->label + j * labels, (size_t)labels * sizeof *rows->label);
        if (rows->mass && source->has_mass) rows->mass[i] = mass_of(s, j);
    }
    return GLS_OK;
}

static void free_arrays(gls_context *ctx, const gls_frame_source *s) {
    if (!s->owns) return;
    gls_free(ctx, (void *)s->x);
    gls_free(ctx, (void *)s->frames);
    gls_free(ctx, (void *)s->label);
}

static void destroy_frames(gls_source *source) {
    free_arrays(source->ctx, (gls_frame_source *)source);
    gls_owned_destroy(source);
}

static const gls_source_ops frame_ops = {fetch_frames, destroy_frames};

/* ---- checks ---- */

static gls_status check_shape(gls_context *ctx, const gls_data_info *info) {
    int64_t values;
    if (info->examples < 0 || info->length < 1 || info->features < 1 || info->features % info->length != 0)
        return gls_fail(ctx, GLS_ERR_ARGUMENT, "source: %lld rows of %lld frames with %lld values in all",
                        (long long)info->examples, (long long)info->length, (long long)info->features);
    if (__builtin_mul_overflow(info->examples, info->features, &values))
        return gls_fail(ctx, GLS_ERR_ARGUMENT, "source: %lld rows of %lld values do not fit", (long long)info->examples,
                        (long long)info->features);
    return GLS_OK;
}

/* Padding has no label; those of a sequence stand in front. */
static gls_status check_row_labels(gls_context *ctx, const char *what, const gls_frame_source *s,
                                   const gls_data_info *info, int64_t j) {
    const int32_t *label = s->label + j * info->length;
    int64_t frames = s->frames ? s->frames[j] : info->length;
    bool sequence = info->target == GLS_TARGET_SEQUENCE;
    for (int64_t t = 0; t < info->length; t++) {
        if (label[t] >= info->classes)
            return gls_fail(ctx, GLS_ERR_ARGUMENT, "%s: label %d of example %lld is outside [0, %lld)", what,
                            (int)label[t], (long long)j, (long long)info->classes);
        if (label[t] >= 0 && !sequence && t >= frames)
            return gls_fail(ctx, GLS_ERR_ARGUMENT, "%s: label %d of example %lld is at a frame of padding", what,
                            (int)label[t], (long long)j);
        if (label[t] >= 0 && sequence && t > 0 && label[t - 1] < 0)
            return gls_fail(ctx, GLS_ERR_ARGUMENT,
                            "%s: label %d of example %lld stands behind a negative one, expected a sequence's "
                            "labels in front",
                            what, (int)label[t], (long long)j);
    }
    return GLS_OK;
}

gls_status gls_frame_check_labels(gls_context *ctx, const char *what, const gls_frame_source *s,
                                  const gls_data_info *info) {
    if (info->target == GLS_TARGET_NONE) return GLS_OK;
    bool classes =
        info->target == GLS_TARGET_CLASS || info->target == GLS_TARGET_FRAMES || info->target == GLS_TARGET_SEQUENCE;
    if (!classes || !s->label || info->classes < 1)
        return gls_fail(ctx, GLS_ERR_ARGUMENT,
                        "%s: rows of frames need labels and a number of classes: a class each, one at every frame, "
                        "or sequences",
                        what);
    for (int64_t j = 0; j < info->examples; j++) {
        if (info->target != GLS_TARGET_CLASS) {
            GLS_TRY(check_row_labels(ctx, what, s, info, j));
        } else if (s->label[j] < 0 || s->label[j] >= info->classes) {
            return gls_fail(ctx, GLS_ERR_ARGUMENT, "%s: label %d of example %lld is outside [0, %lld)", what,
                            (int)s->label[j], (long long)j, (long long)info->classes);
        }
    }
    return GLS_OK;
}

gls_status gls_frame_check_lengths(gls_context *ctx, const char *what, const gls_frame_source *s,
                                   const gls_data_info *info) {
    for (int64_t j = 0; s->frames && j < info->examples; j++)
        if (s->frames[j] < 1 || s->frames[j] > info->length)
            return gls_fail(ctx, GLS_ERR_ARGUMENT, "%s: %lld frames in example %lld, expected 1 to %lld", what,
                            (long long)s->frames[j], (long long)j, (long long)info->length);
    return GLS_OK;
}

/* ---- making ---- */

gls_status gls_frame_source_create(gls_context *ctx, const gls_frame_source *arrays, const gls_data_info *info,
                                   gls_source **out) {
    gls_frame_source *s;
    gls_status status = gls_owned_create(ctx, sizeof *s, &frame_ops, (void **)&s);
    if (status != GLS_OK) {
        free_arrays(ctx, arrays);
        return status;
    }
    s->x = arrays->x;
    s->frames = arrays->frames;
    s->label = arrays->label;
    s->owns = arrays->owns;
    gls_data_info *own = &s->owned.source.info;
    *own = *info;
    own->sparse = false;
    own->vocabulary = own->targets = own->streams = 0;
    own->documents = arrays->frames ? GLS_DOCUMENTS_PADDED : GLS_DOCUMENTS_WHOLE;
    own->dims = 2;
    own->shape[0] = info->length;
    own->shape[1] = info->features / info->length;
    s->owned.source.has_mass = info->target == GLS_TARGET_FRAMES || info->target == GLS_TARGET_SEQUENCE;
    if (info->class_names) status = gls_owned_class_names(&s->owned, info->class_names, info->classes);
    if (status == GLS_OK)
        *out = &s->owned.source;
    else
        gls_source_destroy(&s->owned.source);
    return status;
}

gls_status gls_source_from_frames(gls_context *ctx, const gls_real *x, const int32_t *label, const int64_t *frames,
                                  const gls_data_info *info, gls_source **out) {
    GLS_GIVEN(ctx, ctx, x, info, out);
    *out = NULL;
    gls_frame_source arrays = {.x = x, .frames = frames, .label = label};
    GLS_TRY(check_shape(ctx, info));
    GLS_TRY(gls_frame_check_lengths(ctx, "source", &arrays, info));
    GLS_TRY(gls_frame_check_labels(ctx, "source", &arrays, info));
    return gls_frame_source_create(ctx, &arrays, info, out);
}
