/* Transform random_crop: a square of every image, at random at every draw and the middle one otherwise; with `area` of
 * random size, scaled to the wanted one. */
#include "data/picture.h"
#include "data/table.h"
#include <math.h>
#include <string.h>

typedef struct crop_options {
    int64_t size;
    double area;
} crop_options;

static const gls_option crop_table[] = {
    GLS_INT("size", crop_options, size, NULL, 1, 4096, "pixels of each side", .flags = GLS_OPTION_REQUIRED),
    GLS_REAL("area", crop_options, area, "0", 0, 1,
             "least share of the image's largest square that is taken and scaled to size; 0: pixels are not scaled"),
    {0},
};

typedef struct crop_source {
    gls_owned_source owned;
    int64_t size;
    double area;
} crop_source;

/* The part to take; unscaled parts begin at whole pixels. */
static gls_picture_part choose(const crop_source *crop, const gls_fetch *fetch, int64_t i) {
    const gls_data_info *info = &crop->owned.source.inner->info;
    gls_picture_part part = gls_picture_middle(info->shape[1], info->shape[2]);
    double height = (double)info->shape[1], width = (double)info->shape[2], most = part.side;
    if (!fetch->augment) {
        if (crop->area > 0) return part;
        part.side = (double)crop->size;
        part.top = floor((height - part.side) / 2);
        part.left = floor((width - part.side) / 2);
        return part;
    }
    gls_random random = gls_random_create(fetch->seed, "random_crop", fetch->draw, (uint32_t)fetch->slot[i]);
    double share = crop->area + (1 - crop->area) * gls_random_uniform(&random);
    part.side = crop->area > 0 ? fmax(1, rint(most * sqrt(share))) : (double)crop->size;
    part.top = (double)gls_random_below(&random, (int64_t)(height - part.side) + 1);
    part.left = (double)gls_random_below(&random, (int64_t)(width - part.side) + 1);
    return part;
}

static gls_status cut(const crop_source *crop, gls_context *ctx, gls_picture_part part, const gls_real *from,
                      gls_real *to) {
    const gls_data_info *info = &crop->owned.source.inner->info;
    int64_t height = info->shape[1], width = info->shape[2], size = crop->size;
    for (int64_t c = 0; c < info->shape[0]; c++, from += height * width, to += size * size) {
        if (crop->area > 0) {
            GLS_TRY(gls_picture_scale(ctx, from, height, width, part, size, to));
            continue;
        }
        for (int64_t y = 0; y < size; y++)
            memcpy(to + y * size, from + ((int64_t)part.top + y) * width + (int64_t)part.left,
                   (size_t)size * sizeof *to);
    }
    return GLS_OK;
}

/* The rows have room for what is taken, so that each whole image is fetched into room of its own. */
static gls_status fetch_crop(const gls_source *source, gls_context *ctx, const gls_fetch *fetch, gls_rows *rows) {
    const crop_source *crop = (const crop_source *)source;
    const gls_source *inner = source->inner;
    if (!rows->x) return gls_wrapper_fetch(source, ctx, fetch, rows);
    gls_real *image = gls_alloc(ctx, inner->info.features, sizeof *image);
    gls_status status = image ? GLS_OK : GLS_ERR_MEMORY;
    for (int64_t i = 0; status == GLS_OK && i < fetch->count; i++) {
        gls_fetch one = *fetch;
        one.count = 1;
        one.index += i;
        one.slot += i;
        gls_rows row = gls_rows_from(rows, &source->info, i);
        row.x = image;
        status = inner->ops->fetch(inner, ctx, &one, &row);
        if (status == GLS_OK)
            status = cut(crop, ctx, choose(crop, fetch, i), image, rows->x + i * source->info.features);
    }
    gls_free(ctx, image);
    return status;
}

static const gls_source_ops crop_ops = {fetch_crop, gls_wrapper_destroy};

static gls_status apply_crop(gls_context *ctx, gls_source *source, const void *options, uint64_t seed, bool train,
                             const gls_learned *learned, gls_source **out) {
    const crop_options *o = options;
    const gls_data_info *info = &source->info;
    crop_source *crop;
    if (info->dims != 3 || info->sparse)
        return gls_fail(ctx, GLS_ERR_ARGUMENT,
                        "transform random_crop: the data are not images [channels, height, width]");
    if (o->size > info->shape[1] || o->size > info->shape[2])
        return gls_fail(ctx, GLS_ERR_ARGUMENT, "transform random_crop: size %lld, but the images have %lld x %lld",
                        (long long)o->size, (long long)info->shape[2], (long long)info->shape[1]);
    GLS_TRY(gls_wrapper_create(ctx, sizeof *crop, &crop_ops, source, (void **)&crop));
    crop->size = o->size;
    crop->area = o->area;
    gls_data_info *own = &crop->owned.source.info;
    own->shape[1] = own->shape[2] = o->size;
    own->features = own->shape[0] * o->size * o->size;
    own->feature_names = NULL;
    own->feature_fill = NULL;
    *out = &crop->owned.source;
    return GLS_OK;
}

const gls_transform gls_transform_random_crop = {
    .member = {"random_crop", "takes a random square of a training image at every draw, and the middle of others", "",
               crop_table, sizeof(crop_options)},
    .apply = apply_crop,
};
