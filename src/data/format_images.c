/* Format images: a folder of PNG and JPEG files, labelled by class folders or by a file. */
#include "data/images.h"
#include "data/npy_examples.h"
#include "data/picture.h"
#include "data/picture_list.h"
#include "data/stored.h"
#include "data/table.h"
#include "base/arith.h"
#include "base/io.h"
#include <math.h>
#include <string.h>

typedef struct images_options {
    const char *labels, *test_labels;
    int channels, alpha;
    int64_t size;
} images_options;

enum { CHANNELS_AUTO, CHANNELS_GREY, CHANNELS_COLOUR };
enum { ALPHA_REFUSE, ALPHA_CHANNEL };
enum { FILE_LIMIT = 1 << 26 };

static const gls_option images_table[] = {
    GLS_PATH("labels", images_options, labels, NULL,
             "label file of the training folder; default: labels.txt inside it, else the folders in it are classes"),
    GLS_PATH("test_labels", images_options, test_labels, NULL, "label file of the test folder; default: as above"),
    GLS_ENUM("channels", images_options, channels, "auto", "auto|grey|colour", "auto: as in the first image"),
    GLS_ENUM("alpha", images_options, alpha, "refuse", "refuse|channel",
             "transparency: refused where a pixel has some, or one more channel"),
    GLS_INT("size", images_options, size, "0", 0, 4096,
            "pixels of each side: the middle of an image is scaled to them; 0: all must be of one size"),
    {0},
};

typedef struct folder {
    gls_context *ctx;
    const char *path;
    const images_options *options;
    gls_picture_list list;
    gls_data_info info;
    gls_owned_arrays arrays; /* bytes, or reals once an image of 16 bits has come */
    int64_t room;
    gls_stored *file; /* images before the first one in the arrays, since all do not fit into memory; or NULL */
    int64_t first;    /* the first one in the arrays */
} folder;

/* A picture in planes of sample values, scaled to the size that is asked for. */
typedef struct planes {
    gls_real *value; /* [channels, height, width] */
    int channels, most;
    int64_t height, width;
} planes;

static gls_status resize(folder *f, planes *p) {
    int64_t size = f->options->size, n = p->height * p->width;
    gls_real *to = gls_alloc(f->ctx, size * size * p->channels, sizeof *to);
    gls_status status = to ? GLS_OK : GLS_ERR_MEMORY;
    gls_picture_part middle = gls_picture_middle(p->height, p->width);
    for (int c = 0; status == GLS_OK && c < p->channels; c++)
        status = gls_picture_scale(f->ctx, p->value + c * n, p->height, p->width, middle, size, to + c * size * size);
    for (int64_t i = 0; status == GLS_OK && i < size * size * p->channels; i++) to[i] = (gls_real)rint((double)to[i]);
    gls_free(f->ctx, p->value);
    p->value = to;
    p->height = p->width = size;
    return status;
}

static gls_status check_size(folder *f, const char *path, const planes *p, int64_t i) {
    gls_data_info *info = &f->info;
    if (i == 0) {
        info->dims = 3;
        info->shape[0] = p->channels;
        info->shape[1] = p->height;
        info->shape[2] = p->width;
        info->features = p->channels * p->width * p->height;
    }
    if (p->height == info->shape[1] && p->width == info->shape[2]) return GLS_OK;
    return gls_fail(f->ctx, GLS_ERR_INPUT,
                    "%s: %lld x %lld pixels, but the first image has %lld x %lld; option size scales all to one", path,
                    (long long)p->width, (long long)p->height, (long long)info->shape[2], (long long)info->shape[1]);
}

static int64_t image_bytes(const folder *f) {
    return f->info.features * (f->arrays.real ? (int64_t)sizeof(gls_real) : 1);
}

/* Images that are in the arrays go to the file. */
static gls_status write_images_out(folder *f, int64_t i) {
    const void *from = f->arrays.real ? (const void *)f->arrays.real : (const void *)f->arrays.byte;
    GLS_TRY(gls_stored_append(f->file, from, (i - f->first) * image_bytes(f)));
    f->first = i;
    return GLS_OK;
}

/* Room for image i: a label file's lines alone reserve nothing. */
static gls_status grow(folder *f, int64_t i) {
    if (i - f->first < f->room) return GLS_OK;
    if (!f->file && f->room && !gls_bound_holds(f->ctx, 2 * f->room * image_bytes(f)))
        GLS_TRY(gls_stored_create(f->ctx, f->path, &f->file));
    if (f->file) return write_images_out(f, i);
    int64_t room = gls_least(i ? 2 * i : 1, f->list.count), values = f->info.features;
    if (f->arrays.real) {
        gls_real *grown = gls_resize(f->ctx, f->arrays.real, room * values, sizeof *grown);
        if (!grown) return GLS_ERR_MEMORY;
        f->arrays.real = grown;
    } else {
        uint8_t *grown = gls_resize(f->ctx, f->arrays.byte, room, (size_t)values);
        if (!grown) return GLS_ERR_MEMORY;
        f->arrays.byte = grown;
    }
    f->room = room;
    return GLS_OK;
}

/* Bytes as the reals that they mean, before the first image of 16 bits is put behind them. */
static gls_status leave_bytes(folder *f, int64_t images) {
    gls_real *real = gls_alloc(f->ctx, f->room * f->info.features, sizeof *real);
    if (!real) return GLS_ERR_MEMORY;
    for (int64_t i = 0; i < images * f->info.features; i++) real[i] = f->arrays.byte[i] * f->arrays.scale;
    gls_free(f->ctx, f->arrays.byte);
    f->arrays.byte = NULL;
    f->arrays.real = real;
    return GLS_OK;
}

static gls_status keep(folder *f, const char *path, const planes *p, int64_t i) {
    GLS_TRY(check_size(f, path, p, i));
    GLS_TRY(grow(f, i));
    bool wider = p->most > 255 && !f->arrays.real;
    if (wider && f->file)
        return gls_fail(f->ctx, GLS_ERR_INPUT,
                        "%s: an image of 16 bits behind those of 8, which do not fit into data.memory and were put on "
                        "disk as they are; `glissade data convert` makes a .npy of all",
                        path);
    if (wider) GLS_TRY(leave_bytes(f, i));
    for (int64_t k = 0, at = (i - f->first) * f->info.features; k < f->info.features; k++)
        if (f->arrays.real)
            f->arrays.real[at + k] = (gls_real)((double)p->value[k] / p->most);
        else
            f->arrays.byte[at + k] = (uint8_t)p->value[k];
    return GLS_OK;
}

static gls_status take_planes(folder *f, const char *path, const gls_picture *picture, int64_t i) {
    bool alpha = f->options->alpha == ALPHA_CHANNEL;
    int colours = i                                         ? (int)f->info.shape[0] - alpha
                  : f->options->channels == CHANNELS_AUTO   ? 0
                  : f->options->channels == CHANNELS_COLOUR ? 3
                                                            : 1;
    planes p = {.most = picture->most, .height = picture->height, .width = picture->width};
    GLS_TRY(gls_picture_planes(f->ctx, path, picture, colours, alpha, &p.value, &p.channels));
    gls_status status = f->options->size ? resize(f, &p) : GLS_OK;
    if (status == GLS_OK) status = keep(f, path, &p, i);
    gls_free(f->ctx, p.value);
    return status;
}

static gls_status read_image(folder *f, int64_t i) {
    char *data = NULL, *path = gls_sprintf(f->ctx, "%s/%s", f->path, f->list.name[i]);
    int64_t size;
    if (!path) return GLS_ERR_MEMORY;
    gls_picture picture = {0};
    gls_status status = gls_read_file(f->ctx, path, FILE_LIMIT, &data, &size);
    if (status == GLS_OK) status = gls_picture_decode(f->ctx, path, data, size, &picture);
    if (status == GLS_OK) status = take_planes(f, path, &picture, i);
    gls_free(f->ctx, picture.sample);
    gls_free(f->ctx, data);
    gls_free(f->ctx, path);
    return status;
}

/* The label file that is named or lies in the folder; without, the folders in it are classes. */
static gls_status list_images(folder *f, gls_part part, bool *labelled) {
    const char *given = part != GLS_PART_TRAIN ? f->options->test_labels : f->options->labels;
    bool failed = false;
    char *usual = given ? NULL : gls_sprintf(f->ctx, "%s/labels.txt", f->path);
    char *found = usual ? gls_source_find_packed(f->ctx, usual, &failed) : NULL;
    *labelled = given || found || part != GLS_PART_ROWS;
    gls_status status = (!given && !usual) || failed ? GLS_ERR_MEMORY
                        : given || found             ? gls_picture_list_read(&f->list, given ? given : found)
                                                     : gls_picture_list_find(&f->list, f->path, part == GLS_PART_ROWS);
    gls_free(f->ctx, found);
    gls_free(f->ctx, usual);
    return status;
}

static gls_status read_folder(folder *f, gls_part part, const gls_data_info *like) {
    bool labelled;
    GLS_TRY(list_images(f, part, &labelled));
    f->arrays.scale = (gls_real)(1.0 / 255);
    for (int64_t i = 0; i < f->list.count; i++) GLS_TRY(read_image(f, i));
    f->info.examples = f->list.count;
    if (!labelled) return GLS_OK;
    return gls_classes_from_names(f->ctx, f->path, f->list.label, f->list.count, NULL, like, &f->info,
                                  &f->arrays.label);
}

/* Rows that are only predicted are known by their files. */
static gls_status keep_files(const folder *f, gls_source **out) {
    gls_owned_source *owned = (gls_owned_source *)*out;
    int64_t *file;
    gls_status status = gls_owned_column(owned, "file", &file);
    for (int64_t i = 0; status == GLS_OK && i < f->list.count; i++) file[i] = i;
    if (status == GLS_OK) status = gls_owned_column_texts(owned, "file", f->list.name, f->list.count);
    if (status == GLS_OK) return GLS_OK;
    gls_source_destroy(*out);
    *out = NULL;
    return status;
}

static gls_status make_source(folder *f, gls_source **out) {
    gls_stored *file = f->file;
    if (!file) {
        gls_bound_take(f->ctx, f->info.examples * image_bytes(f));
        return gls_source_own(f->ctx, &f->info, &f->arrays, out);
    }
    GLS_TRY(write_images_out(f, f->list.count));
    f->file = NULL;
    return gls_npy_rows_own(f->ctx, &f->info, &f->arrays, file, !f->arrays.real, out);
}

static gls_status open_images(gls_context *ctx, const char *path, const void *options, gls_part part,
                              const gls_data_info *like, gls_source **out) {
    folder f = {.ctx = ctx, .path = path, .options = options, .list.ctx = ctx};
    gls_status status = read_folder(&f, part, like);
    if (status == GLS_OK) status = make_source(&f, out);
    if (status == GLS_OK && part == GLS_PART_ROWS) status = keep_files(&f, out);
    gls_stored_close(f.file);
    gls_picture_list_clear(&f.list);
    gls_owned_arrays_free(ctx, &f.arrays);
    gls_free(ctx, (void *)f.info.class_names);
    return status;
}

static gls_status write_images(gls_context *ctx, const gls_source *source, const char *path, const void *options) {
    return gls_images_write(ctx, source, path);
}

const gls_format gls_format_images = {
    .member = {"images", "a folder of PNG and JPEG images: class folders, or a label file", "", images_table,
               sizeof(images_options)},
    .bounded = true,
    .open = open_images,
    .write = write_images,
};
/* The name of former versions. */
const gls_format gls_format_png = {
    .member = {"png", "the same as images", "", images_table, sizeof(images_options)},
    .bounded = true,
    .open = open_images,
    .write = write_images,
};
