/* Format idx: big-endian arrays, images in one file and labels in another (MNIST's kin). */
#include "data/bytes.h"
#include "data/table.h"
#include "base/arith.h"
#include "base/io.h"
#include <string.h>

typedef struct idx_options {
    const char *labels, *test_labels;
} idx_options;

static const gls_option idx_table[] = {
    GLS_PATH("labels", idx_options, labels, NULL,
             "label file of the training images; default: by the usual naming (images -> labels, idx3 -> idx1)"),
    GLS_PATH("test_labels", idx_options, test_labels, NULL,
             "label file of the test images; default: by the same naming"),
    {0},
};

/* The third byte of the file (LeCun's definition of the format). */
enum { IDX_U8 = 8, IDX_I8 = 9, IDX_I16 = 11, IDX_I32 = 12, IDX_F32 = 13, IDX_F64 = 14 };

typedef struct idx_array {
    int type, dims;
    int64_t shape[GLS_MAX_DIMS], count;
    unsigned char *data; /* as in the file */
} idx_array;

static int idx_size(int type) {
    switch (type) {
    case IDX_U8:
    case IDX_I8:
        return 1;
    case IDX_I16:
        return 2;
    case IDX_I32:
    case IDX_F32:
        return 4;
    case IDX_F64:
        return 8;
    default:
        return 0;
    }
}

static uint64_t big_endian(const unsigned char *p, int size) {
    uint64_t u = 0;
    for (int i = 0; i < size; i++) u = u << 8 | p[i];
    return u;
}

static double idx_value(const idx_array *a, int64_t i) {
    int size = idx_size(a->type);
    uint64_t u = big_endian(a->data + i * size, size);
    uint32_t u32 = (uint32_t)u;
    float f;
    double d;
    switch (a->type) {
    case IDX_I8:
        return (int8_t)u;
    case IDX_I16:
        return (int16_t)u;
    case IDX_I32:
        return (int32_t)u32;
    case IDX_F32:
        memcpy(&f, &u32, sizeof f);
        return f;
    case IDX_F64:
        memcpy(&d, &u, sizeof d);
        return d;
    default:
        return (double)u;
    }
}

/* The file: two zero bytes, a type, a number of extents; the extents, 4 bytes each; the values. */
static gls_status read_from(gls_context *ctx, gls_reader *reader, idx_array *out) {
    const char *path = gls_reader_path(reader);
    unsigned char start[4], extent[4];
    int64_t bytes;
    GLS_TRY(gls_reader_exact(reader, start, 4, "the idx magic"));
    out->type = start[2];
    out->dims = start[3];
    int size = idx_size(out->type);
    if (start[0] || start[1] || !size || out->dims < 1 || out->dims > GLS_MAX_DIMS)
        return gls_fail(ctx, GLS_ERR_INPUT, "%s: not an idx file (magic %02x%02x%02x%02x)", path, start[0], start[1],
                        start[2], start[3]);
    for (int i = 0; i < out->dims; i++) {
        GLS_TRY(gls_reader_exact(reader, extent, 4, "the idx extents"));
        out->shape[i] = (int64_t)big_endian(extent, 4);
    }
    GLS_TRY(gls_source_check_extents(ctx, path, out->dims, out->shape, size, &bytes));
    if (out->shape[0] < 1) return gls_fail(ctx, GLS_ERR_INPUT, "%s: no examples", path);
    out->count = bytes / size;
    GLS_TRY(gls_source_read_block(ctx, reader, bytes, "the idx array", (void **)&out->data));
    if (!gls_reader_at_end(reader))
        return gls_fail(ctx, GLS_ERR_INPUT, "%s: more bytes follow the %lld of the array", path, (long long)bytes);
    return GLS_OK;
}

static gls_status read_idx(gls_context *ctx, const char *path, idx_array *out) {
    *out = (idx_array){0};
    gls_reader *reader;
    GLS_TRY(gls_reader_open(ctx, path, &reader));
    gls_status status = read_from(ctx, reader, out);
    gls_reader_close(reader);
    if (status != GLS_OK) {
        gls_free(ctx, out->data);
        out->data = NULL;
    }
    return status;
}

static gls_status to_real(gls_context *ctx, const idx_array *a, gls_real **out) {
    *out = gls_alloc(ctx, a->count, sizeof **out);
    if (!*out) return GLS_ERR_MEMORY;
    for (int64_t i = 0; i < a->count; i++) (*out)[i] = (gls_real)idx_value(a, i);
    return GLS_OK;
}

static gls_status read_images(gls_context *ctx, const char *path, gls_data_info *info, gls_owned_arrays *arrays) {
    idx_array a;
    GLS_TRY(read_idx(ctx, path, &a));
    info->examples = a.shape[0];
    info->features = a.count / a.shape[0];
    if (a.dims == 3) { /* one channel */
        info->dims = 3;
        info->shape[0] = 1;
        memcpy(info->shape + 1, a.shape + 1, 2 * sizeof *a.shape);
    } else {
        info->dims = a.dims > 1 ? a.dims - 1 : 1;
        for (int i = 0; i < info->dims; i++) info->shape[i] = a.dims > 1 ? a.shape[i + 1] : 1;
    }
    if (a.type == IDX_U8) {
        arrays->byte = a.data;
        arrays->scale = (gls_real)(1.0 / 255);
        return GLS_OK;
    }
    gls_status status = to_real(ctx, &a, &arrays->real);
    gls_free(ctx, a.data);
    GLS_TRY(status);
    return gls_source_check_finite(ctx, path, arrays->real, info->examples, info->features);
}

/* Labels are their own class numbers here, unlike in text formats: a file of bytes cannot name its classes. */
static gls_status set_labels(gls_context *ctx, const char *path, const idx_array *a, gls_data_info *info,
                             gls_owned_arrays *arrays) {
    if (a->dims != 1 || a->shape[0] != info->examples)
        return gls_fail(ctx, GLS_ERR_INPUT, "%s: %lld labels for %lld examples", path, (long long)a->shape[0],
                        (long long)info->examples);
    if (a->type == IDX_F32 || a->type == IDX_F64) {
        info->target = GLS_TARGET_REAL;
        info->targets = 1;
        GLS_TRY(to_real(ctx, a, &arrays->y));
        return gls_source_check_finite(ctx, path, arrays->y, info->examples, 1);
    }
    info->target = GLS_TARGET_CLASS;
    arrays->label = gls_alloc(ctx, info->examples, sizeof *arrays->label);
    if (!arrays->label) return GLS_ERR_MEMORY;
    for (int64_t i = 0; i < info->examples; i++) {
        int32_t label = (int32_t)idx_value(a, i);
        if (label < 0 || label > 65535)
            return gls_fail(ctx, GLS_ERR_INPUT, "%s: label %d of example %lld, expected 0 to 65535", path, (int)label,
                            (long long)i);
        arrays->label[i] = label;
        if (label >= info->classes) info->classes = label + 1;
    }
    return GLS_OK;
}

static gls_status read_labels(gls_context *ctx, const char *path, gls_data_info *info, gls_owned_arrays *arrays) {
    idx_array a;
    GLS_TRY(read_idx(ctx, path, &a));
    gls_status status = set_labels(ctx, path, &a, info, arrays);
    gls_free(ctx, a.data);
    return status;
}

/* The last `what` in the file's name (not its folder) replaced; from gls_alloc. NULL with *failed false if it is not
 * there. */
static char *replaced(gls_context *ctx, const char *path, const char *what, const char *by, bool *failed) {
    const char *name = strrchr(path, '/') ? strrchr(path, '/') : path, *at = NULL;
    for (const char *p = strstr(name, what); p; p = strstr(p + 1, what)) at = p;
    *failed = false;
    if (!at) return NULL;
    char *text = gls_sprintf(ctx, "%.*s%s%s", (int)(at - path), path, by, at + strlen(what));
    *failed = text == NULL;
    return text;
}

/* train-images-idx3-ubyte.gz -> train-labels-idx1-ubyte.gz, NAME.idx -> NAME-labels.idx; *out NULL for another name. */
static gls_status sibling_name(gls_context *ctx, const char *path, char **out) {
    bool failed;
    *out = replaced(ctx, path, "images", "labels", &failed);
    if (!*out && !failed) *out = replaced(ctx, path, ".idx", "-labels.idx", &failed);
    if (!*out) return failed ? GLS_ERR_MEMORY : GLS_OK;
    char *both = replaced(ctx, *out, "idx3", "idx1", &failed);
    if (failed) {
        gls_free(ctx, *out);
        *out = NULL;
        return GLS_ERR_MEMORY;
    }
    if (both) {
        gls_free(ctx, *out);
        *out = both;
    }
    return GLS_OK;
}

/* The sibling that exists: as named, or packed otherwise. */
static gls_status find_sibling(gls_context *ctx, const char *path, char **out) {
    char *name;
    GLS_TRY(sibling_name(ctx, path, &name));
    if (!name)
        return gls_fail(ctx, GLS_ERR_FILE,
                        "%s: neither 'images' nor '.idx' in the name, so option labels must name the label file", path);
    size_t n = strlen(name);
    if (!gls_file_exists(name) && n > 3 && (strcmp(name + n - 3, ".gz") == 0 || strcmp(name + n - 3, ".xz") == 0))
        name[n - 3] = 0;
    bool failed;
    *out = gls_source_find_packed(ctx, name, &failed);
    gls_status status = GLS_OK;
    if (!*out)
        status = failed ? GLS_ERR_MEMORY
                        : gls_fail(ctx, GLS_ERR_FILE, "%s: no label file %s (option labels may name it)", path, name);
    gls_free(ctx, name);
    return status;
}

static gls_status open_idx(gls_context *ctx, const char *path, const void *options, gls_part part,
                           const gls_data_info *like, gls_source **out) {
    const idx_options *o = options;
    gls_data_info info = {0};
    gls_owned_arrays arrays = {0};
    const char *given = part == GLS_PART_TRAIN ? o->labels : o->test_labels;
    char *labels = NULL;
    bool labelled = part != GLS_PART_ROWS;
    gls_status status = read_images(ctx, path, &info, &arrays);
    if (status == GLS_OK && labelled && !given) status = find_sibling(ctx, path, &labels);
    if (status == GLS_OK && labelled) status = read_labels(ctx, given ? given : labels, &info, &arrays);
    if (status == GLS_OK) status = gls_source_own(ctx, &info, &arrays, out);
    gls_owned_arrays_free(ctx, &arrays);
    gls_free(ctx, labels);
    return status;
}

/* ---- writing: bytes where all values are bytes / 255, else floating ---- */

static gls_status write_header(gls_writer *writer, int type, int dims, const int64_t *shape) {
    unsigned char start[4 + 4 * GLS_MAX_DIMS] = {0, 0, (unsigned char)type, (unsigned char)dims};
    for (int i = 0; i < dims; i++)
        for (int k = 0; k < 4; k++) start[4 + 4 * i + k] = (unsigned char)(shape[i] >> (24 - 8 * k));
    return gls_writer_write(writer, start, 4 + 4 * dims);
}

static gls_status write_reals(gls_writer *writer, const gls_real *x, int64_t n) {
    for (int64_t i = 0; i < n; i++) {
        unsigned char bytes[sizeof *x], swapped[sizeof *x];
        memcpy(bytes, &x[i], sizeof *x);
        for (size_t k = 0; k < sizeof *x; k++) swapped[k] = bytes[sizeof *x - 1 - k];
        GLS_TRY(gls_writer_write(writer, swapped, sizeof swapped));
    }
    return GLS_OK;
}

static gls_status write_byte_rows(void *user, const gls_batch *batch, int64_t begin) {
    uint8_t bytes[4096];
    for (int64_t at = 0, n = batch->rows * batch->features; at < n;) {
        int64_t count = gls_least(n - at, sizeof bytes);
        gls_bytes_from(bytes, batch->x + at, count);
        GLS_TRY(gls_writer_write(user, bytes, count));
        at += count;
    }
    return GLS_OK;
}

static gls_status write_real_rows(void *user, const gls_batch *batch, int64_t begin) {
    return write_reals(user, batch->x, batch->rows * batch->features);
}

static gls_status write_label_rows(void *user, const gls_batch *batch, int64_t begin) {
    for (int64_t i = 0; i < batch->rows; i++) {
        uint8_t byte = (uint8_t)batch->label[i];
        GLS_TRY(gls_writer_write(user, &byte, 1));
    }
    return GLS_OK;
}

static gls_status write_target_rows(void *user, const gls_batch *batch, int64_t begin) {
    return write_reals(user, batch->y, batch->rows);
}

static gls_status write_file(gls_context *ctx, const gls_source *source, const char *path, int type, int dims,
                             const int64_t *shape, gls_scan_fn rows) {
    gls_writer *writer;
    GLS_TRY(gls_writer_open(ctx, path, &writer));
    gls_status status = write_header(writer, type, dims, shape);
    if (status == GLS_OK) status = gls_source_scan(ctx, source, rows, writer);
    if (status == GLS_OK) return gls_writer_commit(writer);
    gls_writer_abort(writer);
    return status;
}

/* A leading channel of one is left out, as MNIST's files do; reading adds it again. */
static gls_status write_idx(gls_context *ctx, const gls_source *source, const char *path, const void *options) {
    const gls_data_info *info = &source->info;
    const idx_options *o = options;
    bool classes = info->target == GLS_TARGET_CLASS, bytes;
    if (info->sparse || info->length || info->target == GLS_TARGET_NONE || info->classes > 256 ||
        (!classes && info->targets != 1) || info->examples > UINT32_MAX || info->dims >= GLS_MAX_DIMS)
        return gls_fail(ctx, GLS_ERR_UNSUPPORTED,
                        "%s: idx holds dense examples with at most 256 classes or one real target", path);
    GLS_TRY(gls_bytes_fit(ctx, source, &bytes));
    char *labels = NULL;
    if (!o->labels) GLS_TRY(sibling_name(ctx, path, &labels));
    if (!o->labels && !labels)
        return gls_fail(ctx, GLS_ERR_ARGUMENT,
                        "%s: neither 'images' nor '.idx' in the name, so option labels must name the label file", path);
    int64_t shape[GLS_MAX_DIMS + 1] = {info->examples};
    int skip = info->dims == 3 && info->shape[0] == 1;
    memcpy(shape + 1, info->shape + skip, (size_t)(info->dims - skip) * sizeof *shape);
    int real = sizeof(gls_real) == 4 ? IDX_F32 : IDX_F64;
    gls_status status = write_file(ctx, source, path, bytes ? IDX_U8 : real, info->dims - skip + 1, shape,
                                   bytes ? write_byte_rows : write_real_rows);
    if (status == GLS_OK)
        status = write_file(ctx, source, o->labels ? o->labels : labels, classes ? IDX_U8 : real, 1, shape,
                            classes ? write_label_rows : write_target_rows);
    gls_free(ctx, labels);
    return status;
}

const gls_format gls_format_idx = {
    .member = {"idx", "IDX arrays, images and labels (MNIST, Fashion-MNIST)", "", idx_table, sizeof(idx_options)},
    .open = open_idx,
    .write = write_idx,
};
