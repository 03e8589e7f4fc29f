/* Format png: a folder of PNG files of one size, and a label file with lines `name label`. */
#include "data/bytes.h"
#include "data/png.h"
#include "data/table.h"
#include "base/arith.h"
#include "base/io.h"
#include <png.h>
#include <string.h>

typedef struct png_options {
    const char *labels, *test_labels;
    int channels;
} png_options;

enum { CHANNELS_AUTO, CHANNELS_GREY, CHANNELS_COLOUR };
/* Photographs have fewer pixels and smaller files; a PNG of a few KiB may claim gigabytes. */
enum { FILE_LIMIT = 1 << 26, LINE_LIMIT = 4096, PIXEL_LIMIT = 1 << 24 };

static const gls_option png_table[] = {
    GLS_PATH("labels", png_options, labels, NULL,
             "label file of the training folder; default: labels.txt inside the folder"),
    GLS_PATH("test_labels", png_options, test_labels, NULL,
             "label file of the test folder; default: labels.txt inside the folder"),
    GLS_ENUM("channels", png_options, channels, "auto", "auto|grey|colour", "auto: as in the first image"),
    {0},
};

/* libpng hands out interleaved colours over a black ground where the image is transparent; examples are planes. */
gls_status gls_png_decode(gls_context *ctx, const char *path, const void *data, int64_t size, int channels,
                          gls_png *out) {
    *out = (gls_png){0};
    png_image image = {.version = PNG_IMAGE_VERSION};
    if (!png_image_begin_read_from_memory(&image, data, (size_t)size))
        return gls_fail(ctx, GLS_ERR_INPUT, "%s: not a readable PNG (%s)", path, image.message);
    out->channels = channels ? channels : image.format & PNG_FORMAT_FLAG_COLOR ? 3 : 1;
    out->width = image.width;
    out->height = image.height;
    if (out->width * out->height > PIXEL_LIMIT) {
        png_image_free(&image);
        return gls_fail(ctx, GLS_ERR_INPUT, "%s: %lld x %lld is more than %d pixels", path, (long long)out->width,
                        (long long)out->height, PIXEL_LIMIT);
    }
    image.format = out->channels == 3 ? PNG_FORMAT_RGB : PNG_FORMAT_GRAY;
    int64_t pixels = out->width * out->height;
    uint8_t *interleaved = gls_alloc(ctx, pixels, (size_t)out->channels);
    out->pixel = interleaved ? gls_alloc(ctx, pixels, (size_t)out->channels) : NULL;
    gls_status status = out->pixel ? GLS_OK : GLS_ERR_MEMORY;
    png_color black = {0, 0, 0};
    if (status == GLS_OK && !png_image_finish_read(&image, &black, interleaved, 0, NULL))
        status = gls_fail(ctx, GLS_ERR_INPUT, "%s: broken PNG (%s)", path, image.message);
    for (int64_t i = 0; status == GLS_OK && i < pixels; i++)
        for (int c = 0; c < out->channels; c++) out->pixel[c * pixels + i] = interleaved[i * out->channels + c];
    png_image_free(&image);
    gls_free(ctx, interleaved);
    if (status != GLS_OK) {
        gls_free(ctx, out->pixel);
        out->pixel = NULL;
    }
    return status;
}

typedef struct folder {
    gls_context *ctx;
    const char *path;
    const png_options *options;
    const char **name, **label; /* allocated texts */
    int64_t count, room;
    gls_data_info info;
    gls_owned_arrays arrays;
} folder;

/* Below the folder: no absolute name, no way up. */
static bool inside(const char *name) {
    for (const char *p = name; p; p = strchr(p, '/') ? strchr(p, '/') + 1 : NULL)
        if (strcmp(p, "..") == 0 || strncmp(p, "../", 3) == 0) return false;
    return name[0] != '/';
}

/* Names may not leave the folder: a label file from elsewhere could otherwise make us read any file. */
static gls_status add_line(folder *f, gls_reader *reader, char *line) {
    size_t n = strlen(line);
    while (n && (line[n - 1] == ' ' || line[n - 1] == '\t')) line[--n] = 0;
    while (*line == ' ' || *line == '\t') line++;
    if (!*line) return GLS_OK;
    char *label = strpbrk(line, " \t");
    const char *path = gls_reader_path(reader);
    long long number = (long long)gls_reader_line_number(reader);
    if (!label) return gls_fail(f->ctx, GLS_ERR_INPUT, "%s:%lld: expected `name label`", path, number);
    *label++ = 0;
    label += strspn(label, " \t");
    if (!inside(line))
        return gls_fail(f->ctx, GLS_ERR_INPUT, "%s:%lld: '%.80s' is outside the folder", path, number, line);
    if (f->count == f->room) {
        int64_t room = f->room ? 2 * f->room : 256;
        const char **grown = gls_resize(f->ctx, f->name, room, sizeof *grown);
        if (grown) f->name = grown;
        const char **labels = grown ? gls_resize(f->ctx, f->label, room, sizeof *labels) : NULL;
        if (!labels) return GLS_ERR_MEMORY;
        f->label = labels;
        f->room = room;
    }
    f->name[f->count] = gls_strdup(f->ctx, line);
    f->label[f->count] = gls_strdup(f->ctx, label);
    f->count++;
    return f->name[f->count - 1] && f->label[f->count - 1] ? GLS_OK : GLS_ERR_MEMORY;
}

static gls_status read_lines(folder *f, const char *path) {
    gls_reader *reader;
    GLS_TRY(gls_reader_open(f->ctx, path, &reader));
    gls_status status;
    char *line;
    int64_t length;
    do {
        status = gls_reader_line(reader, LINE_LIMIT, &line, &length);
        if (status == GLS_OK && line) status = add_line(f, reader, line);
    } while (status == GLS_OK && line);
    gls_reader_close(reader);
    if (status == GLS_OK && !f->count) return gls_fail(f->ctx, GLS_ERR_INPUT, "%s: no images", path);
    return status;
}

/* Puts image i into the bytes; the first one says what size all are. */
static gls_status keep_image(folder *f, const char *path, const gls_png *image, int64_t i) {
    gls_data_info *info = &f->info;
    if (i == 0) {
        info->dims = 3;
        info->shape[0] = image->channels;
        info->shape[1] = image->height;
        info->shape[2] = image->width;
        info->features = image->channels * image->width * image->height;
    }
    if (image->height != info->shape[1] || image->width != info->shape[2])
        return gls_fail(f->ctx, GLS_ERR_INPUT, "%s: %lld x %lld pixels, but the first image has %lld x %lld", path,
                        (long long)image->width, (long long)image->height, (long long)info->shape[2],
                        (long long)info->shape[1]);
    if ((i & (i - 1)) == 0) { /* room for 2 i images: a label file's lines alone reserve nothing */
        int64_t room = i ? 2 * i : 1;
        uint8_t *grown = gls_resize(f->ctx, f->arrays.byte, gls_least(room, f->count), (size_t)info->features);
        if (!grown) return GLS_ERR_MEMORY;
        f->arrays.byte = grown;
    }
    memcpy(f->arrays.byte + i * info->features, image->pixel, (size_t)info->features);
    return GLS_OK;
}

static gls_status read_image(folder *f, int64_t i) {
    char *data = NULL, *path = gls_sprintf(f->ctx, "%s/%s", f->path, f->name[i]);
    int64_t size;
    if (!path) return GLS_ERR_MEMORY;
    int channels = i                                         ? (int)f->info.shape[0]
                   : f->options->channels == CHANNELS_AUTO   ? 0
                   : f->options->channels == CHANNELS_COLOUR ? 3
                                                             : 1;
    gls_png image = {0};
    gls_status status = gls_read_file(f->ctx, path, FILE_LIMIT, &data, &size);
    if (status == GLS_OK) status = gls_png_decode(f->ctx, path, data, size, channels, &image);
    if (status == GLS_OK) status = keep_image(f, path, &image, i);
    gls_free(f->ctx, image.pixel);
    gls_free(f->ctx, data);
    gls_free(f->ctx, path);
    return status;
}

static gls_status read_folder(folder *f, const char *labels, const gls_data_info *like) {
    GLS_TRY(read_lines(f, labels));
    for (int64_t i = 0; i < f->count; i++) GLS_TRY(read_image(f, i));
    f->info.examples = f->count;
    f->arrays.scale = (gls_real)(1.0 / 255);
    return gls_classes_from_names(f->ctx, labels, f->label, f->count, like, &f->info, &f->arrays.label);
}

static gls_status open_png(gls_context *ctx, const char *path, const void *options, gls_part part,
                           const gls_data_info *like, gls_source **out) {
    folder f = {.ctx = ctx, .path = path, .options = options};
    const char *given = part != GLS_PART_TRAIN ? f.options->test_labels : f.options->labels;
    char *labels = given ? gls_strdup(ctx, given) : gls_sprintf(ctx, "%s/labels.txt", path);
    gls_status status = labels ? read_folder(&f, labels, like) : GLS_ERR_MEMORY;
    if (status == GLS_OK) status = gls_source_own(ctx, &f.info, &f.arrays, out);
    for (int64_t i = 0; i < f.count; i++) {
        gls_free(ctx, (char *)f.name[i]);
        gls_free(ctx, (char *)f.label[i]);
    }
    gls_free(ctx, f.name);
    gls_free(ctx, f.label);
    gls_owned_arrays_free(ctx, &f.arrays);
    gls_free(ctx, (void *)f.info.class_names);
    gls_free(ctx, labels);
    return status;
}

/* ---- writing: FOLDER/000000.png, ... and labels.txt ---- */

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

static gls_status write_png(gls_context *ctx, const gls_source *source, const char *path, const void *options) {
    const gls_data_info *info = &source->info;
    bool fits = info->dims == 3 && (info->shape[0] == 1 || info->shape[0] == 3) && info->features <= PIXEL_LIMIT &&
                info->features > 0 && info->target == GLS_TARGET_CLASS;
    if (fits) GLS_TRY(gls_bytes_fit(ctx, source, &fits));
    if (!fits)
        return gls_fail(ctx, GLS_ERR_UNSUPPORTED, "%s: png holds grey or colour images of bytes with classes", path);
    return write_folder(ctx, source, path);
}

const gls_format gls_format_png = {
    .member = {"png", "a folder of PNG images of one size with a label file", "", png_table, sizeof(png_options)},
    .open = open_png,
    .write = write_png,
};
