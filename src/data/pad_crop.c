/* Transform pad_crop: images padded with zeros and cropped to their size at a random place, when rows are augmented:
 * a shift by up to `pad` in each direction. */
#include "data/source.h"
#include "data/table.h"
#include <string.h>

typedef struct crop_options {
    int64_t pad;
} crop_options;

static const gls_option crop_table[] = {
    GLS_INT("pad", crop_options, pad, "4", 1, 1024, "pixels added on each side"),
    {0},
};

typedef struct crop_source {
    gls_owned_source owned;
    int64_t pad;
} crop_source;

/* One plane moved in place: pixel (y, x) becomes what (y + dy, x + dx) was, zero from outside. */
static void shift(gls_real *plane, int64_t height, int64_t width, int64_t dy, int64_t dx) {
    int64_t kept = width - (dx < 0 ? -dx : dx);
    for (int64_t k = 0; k < height; k++) {
        int64_t y = dy < 0 ? height - 1 - k : k, from = y + dy; /* sources are read before they are written */
        gls_real *line = plane + y * width;
        if (from < 0 || from >= height || kept <= 0) {
            memset(line, 0, (size_t)width * sizeof *line);
            continue;
        }
        int64_t to = dx < 0 ? -dx : 0, clear = dx < 0 ? 0 : kept;
        memmove(line + to, plane + from * width + (dx > 0 ? dx : 0), (size_t)kept * sizeof *line);
        memset(line + clear, 0, (size_t)(width - kept) * sizeof *line);
    }
}

static gls_status fetch_crop(const gls_source *source, gls_context *ctx, const gls_fetch *fetch, gls_rows *rows) {
    GLS_TRY(gls_wrapper_fetch(source, ctx, fetch, rows));
    if (!fetch->augment || !rows->x) return GLS_OK;
    const gls_data_info *info = &source->info;
    int64_t pad = ((const crop_source *)source)->pad, height = info->shape[1], width = info->shape[2];
    for (int64_t i = 0; i < fetch->count; i++) {
        gls_random random = gls_random_create(fetch->seed, "crop", fetch->draw, (uint32_t)fetch->slot[i]);
        int64_t dy = gls_random_below(&random, 2 * pad + 1) - pad, dx = gls_random_below(&random, 2 * pad + 1) - pad;
        for (int64_t c = 0; c < info->shape[0]; c++)
            shift(rows->x + i * info->features + c * height * width, height, width, dy, dx);
    }
    return GLS_OK;
}

static const gls_source_ops crop_ops = {fetch_crop, gls_wrapper_destroy};

static gls_status apply_crop(gls_context *ctx, gls_source *source, const void *options, uint64_t seed, bool train,
                             const gls_learned *learned, gls_source **out) {
    crop_source *crop;
    if (source->info.dims != 3 || source->info.sparse)
        return gls_fail(ctx, GLS_ERR_ARGUMENT, "transform pad_crop: the data are not images [channels, height, width]");
    GLS_TRY(gls_wrapper_create(ctx, sizeof *crop, &crop_ops, source, (void **)&crop));
    crop->pad = ((const crop_options *)options)->pad;
    *out = &crop->owned.source;
    return GLS_OK;
}

const gls_transform gls_transform_pad_crop = {
    .member = {"pad_crop", "shifts a training image at random at every draw and fills with zeros", "[N] 5.2",
               crop_table, sizeof(crop_options)},
    .train_only = true,
    .apply = apply_crop,
};
