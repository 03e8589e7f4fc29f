/* Writing pictures: FOLDER/000000.png, ... and labels.txt. */
#include "data/bytes.h"
#include "data/images.h"
#include "data/picture.h"
#include "base/io.h"
#include <png.h>
#include <string.h>

typedef struct output {
    gls_context *ctx;
    const gls_data_info *info;
    const char *folder;
    gls_writer *labels;
    uint8_t *plane, *pixel; /* [channels, height, width], [height, width, channels] */
    void *packed;
    size_t room;
} output;

static gls_status write_image(output *o, int64_t number) {
    png_image image = {.version = PNG_IMAGE_VERSION,
                       .width = (png_uint_32)o->info->shape[2],
                       .height = (png_uint_32)o->info->shape[1],
                       .format = o->info->shape[0] == 3 ? PNG_FORMAT_RGB : PNG_FORMAT_GRAY};
    size_t size = o->room;
    if (!png_image_write_to_memory(&image, o->packed, &size, 0, o->pixel, 0, NULL))
        return gls_fail(o->ctx, GLS_ERR_INTERNAL, "%s: image %lld: %s", o->folder, (long long)number, image.message);
    char *path = gls_sprintf(o->ctx, "%s/%06lld.png", o->folder, (long long)number);
    if (!path) return GLS_ERR_MEMORY;
    gls_writer *writer;
    gls_status status = gls_writer_open(o->ctx, path, &writer);
    gls_free(o->ctx, path);
    GLS_TRY(status);
    status = gls_writer_write(writer, o->packed, (int64_t)size);
    if (status == GLS_OK) return gls_writer_commit(writer);
    gls_writer_abort(writer);
    return status;
}

static gls_status write_images(void *user, const gls_batch *batch, int64_t begin) {
    output *o = user;
    int64_t channels = o->info->shape[0], pixels = o->info->shape[1] * o->info->shape[2];
    for (int64_t i = 0; i < batch->rows; i++) {
        gls_bytes_from(o->plane, batch->x + i * batch->features, batch->features);
        for (int64_t k = 0; k < batch->features; k++) o->pixel[k % pixels * channels + k / pixels] = o->plane[k];
        GLS_TRY(write_image(o, begin + i));
        GLS_TRY(gls_writer_printf(o->labels, "%06lld.png ", (long long)(begin + i)));
        const char *const *names = o->info->class_names;
        if (names)
            GLS_TRY(gls_writer_printf(o->labels, "%s\n", names[batch->label[i]]));
        else
            GLS_TRY(gls_writer_printf(o->labels, "%d\n", (int)batch->label[i]));
    }
    return GLS_OK;
}

/* Noise does not compress: room is for a PNG of twice its pixels, and its headers. */
static gls_status write_folder(gls_context *ctx, const gls_source *source, const char *path) {
    const gls_data_info *info = &source->info;
    output o = {.ctx = ctx, .info = info, .folder = path, .room = (size_t)info->features * 2 + 4096};
    char *labels = gls_sprintf(ctx, "%s/labels.txt", path);
    o.plane = gls_alloc(ctx, info->features, 1);
    o.pixel = gls_alloc(ctx, info->features, 1);
    o.packed = gls_alloc(ctx, (int64_t)o.room, 1);
    gls_status status = labels && o.plane && o.pixel && o.packed ? GLS_OK : GLS_ERR_MEMORY;
    if (status == GLS_OK) status = gls_make_directory(ctx, path);
    if (status == GLS_OK) status = gls_writer_open(ctx, labels, &o.labels);
    if (status == GLS_OK) status = gls_source_scan(ctx, source, write_images, &o);
    if (status == GLS_OK)
        status = gls_writer_commit(o.labels);
    else
        gls_writer_abort(o.labels);
    gls_free(ctx, o.packed);
    gls_free(ctx, o.pixel);
    gls_free(ctx, o.plane);
    gls_free(ctx, labels);
    return status;
}

gls_status gls_images_write(gls_context *ctx, const gls_source *source, const char *path) {
    const gls_data_info *info = &source->info;
    bool fits = info->dims == 3 && (info->shape[0] == 1 || info->shape[0] == 3) &&
                info->features <= GLS_PICTURE_PIXELS && info->features > 0 && info->target == GLS_TARGET_CLASS;
    if (fits) GLS_TRY(gls_bytes_fit(ctx, source, &fits));
    if (!fits)
        return gls_fail(ctx, GLS_ERR_UNSUPPORTED, "%s: images hold grey or colour images of bytes with classes", path);
    return write_folder(ctx, source, path);
}
