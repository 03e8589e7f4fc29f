/* Format npy: features [n, ...] in one file, targets in another. */
#include "data/npy_examples.h"
#include "data/table.h"
#include "base/io.h"
#include <string.h>

typedef struct npy_options {
    const char *labels, *test_labels;
    double scale;
    int target;
} npy_options;

static const gls_option npy_table[] = {
    GLS_PATH("labels", npy_options, labels, NULL,
             "targets of the training file [n] or [n, t]; default: NAME-labels.npy beside NAME.npy, if it exists"),
    GLS_PATH("test_labels", npy_options, test_labels, NULL, "targets of the test file"),
    GLS_REAL("scale", npy_options, scale, "1", 0, 0, "factor by which the features are multiplied"),
    GLS_ENUM("target", npy_options, target, "auto", "auto|class|real",
             "auto: texts are classes, integers classes and numbers at once, floating types numbers"),
    {0},
};

/* NAME-labels.npy of NAME.npy, from gls_alloc. */
static char *sibling(gls_context *ctx, const char *path) {
    const char *dot = strstr(path, ".npy");
    for (const char *next = dot; next; next = strstr(next + 1, ".npy")) dot = next;
    return gls_sprintf(ctx, "%.*s-labels.npy", dot ? (int)(dot - path) : (int)strlen(path), path);
}

static gls_status read_array(gls_context *ctx, const char *path, gls_npy *array, const char ***texts) {
    gls_reader *reader;
    *array = (gls_npy){0};
    GLS_TRY(gls_reader_open(ctx, path, &reader));
    gls_status status = gls_npy_read_from(ctx, reader, array, texts);
    gls_reader_close(reader);
    return status;
}

static gls_status read_targets(gls_context *ctx, const char *path, const npy_options *o, const gls_data_info *like,
                               gls_data_info *info, gls_owned_arrays *arrays) {
    gls_npy y;
    const char **texts = NULL;
    GLS_TRY(read_array(ctx, path, &y, &texts));
    return gls_npy_targets(ctx, path, o->target, &y, texts, like, info, arrays);
}

static gls_status read_features(gls_context *ctx, const char *path, const npy_options *o, gls_data_info *info,
                                gls_owned_arrays *arrays) {
    gls_npy x;
    GLS_TRY(read_array(ctx, path, &x, NULL));
    return gls_npy_features(ctx, path, o->scale, &x, info, arrays);
}

static gls_status open_npy(gls_context *ctx, const char *path, const void *options, gls_part part,
                           const gls_data_info *like, gls_source **out) {
    const npy_options *o = options;
    gls_data_info info = {0};
    gls_owned_arrays arrays = {0};
    const char *given = part == GLS_PART_TRAIN ? o->labels : o->test_labels;
    char *labels = given ? gls_strdup(ctx, given) : sibling(ctx, path);
    gls_source *rows = NULL;
    gls_status status = labels ? gls_npy_rows_open(ctx, path, o->scale, &info, &rows) : GLS_ERR_MEMORY;
    if (status == GLS_OK && !rows) status = read_features(ctx, path, o, &info, &arrays);
    if (status == GLS_OK && part != GLS_PART_ROWS && (given || gls_file_exists(labels)))
        status = read_targets(ctx, labels, o, like, &info, &arrays);
    if (status == GLS_OK && rows) status = gls_npy_rows_complete(rows, &info, &arrays);
    if (status == GLS_OK && !rows) status = gls_source_own(ctx, &info, &arrays, out);
    if (status == GLS_OK && rows) *out = rows;
    if (status != GLS_OK) gls_source_destroy(rows);
    gls_owned_arrays_free(ctx, &arrays);
    gls_free(ctx, (void *)info.class_names);
    gls_free(ctx, labels);
    return status;
}

/* ---- writing ---- */

typedef struct output {
    gls_writer *writer;
    gls_real *row; /* [features] of sparse sources, all zeros between rows; else NULL */
} output;

static gls_status write_rows(void *user, const gls_batch *batch, int64_t begin) {
    const output *o = user;
    int64_t size = batch->features * (int64_t)sizeof *batch->x;
    if (batch->x) return gls_writer_write(o->writer, batch->x, batch->rows * size);
    for (int64_t i = 0; i < batch->rows; i++) {
        for (int64_t k = batch->row[i]; k < batch->row[i + 1]; k++) o->row[batch->column[k]] = batch->value[k];
        GLS_TRY(gls_writer_write(o->writer, o->row, size));
        for (int64_t k = batch->row[i]; k < batch->row[i + 1]; k++) o->row[batch->column[k]] = 0;
    }
    return GLS_OK;
}

static gls_status write_features(gls_context *ctx, const gls_source *source, const char *path) {
    const gls_data_info *info = &source->info;
    int64_t shape[GLS_MAX_DIMS + 1] = {info->examples};
    memcpy(shape + 1, info->shape, (size_t)info->dims * sizeof *shape);
    output o = {.row = info->sparse ? gls_alloc(ctx, info->features, sizeof *o.row) : NULL};
    gls_status status = info->sparse && !o.row ? GLS_ERR_MEMORY : gls_writer_open(ctx, path, &o.writer);
    if (status == GLS_OK) {
        status = gls_npy_write_header(o.writer, GLS_DTYPE_REAL, info->dims + 1, shape);
        if (status == GLS_OK) status = gls_source_scan(ctx, source, write_rows, &o);
        if (status == GLS_OK)
            status = gls_writer_commit(o.writer);
        else
            gls_writer_abort(o.writer);
    }
    gls_free(ctx, o.row);
    return status;
}

static gls_status write_targets(gls_context *ctx, const gls_source *source, const char *path) {
    const gls_data_info *info = &source->info;
    int64_t shape[2] = {info->examples, info->targets};
    bool classes = info->target == GLS_TARGET_CLASS;
    int32_t *label = gls_alloc(ctx, info->examples, sizeof *label);
    gls_real *y = gls_alloc(ctx, info->examples * (info->targets ? info->targets : 1), sizeof *y);
    gls_status status = label && y ? gls_source_targets(source, ctx, label, y) : GLS_ERR_MEMORY;
    if (status == GLS_OK)
        status = gls_npy_write(ctx, path, classes ? GLS_I32 : GLS_DTYPE_REAL, !classes && info->targets > 1 ? 2 : 1,
                               shape, classes ? (void *)label : (void *)y);
    gls_free(ctx, label);
    gls_free(ctx, y);
    return status;
}

static gls_status write_npy(gls_context *ctx, const gls_source *source, const char *path, const void *options) {
    const npy_options *o = options;
    const gls_data_info *info = &source->info;
    if (info->length || info->dims >= GLS_MAX_DIMS)
        return gls_fail(ctx, GLS_ERR_UNSUPPORTED, "%s: npy holds examples with features only", path);
    gls_source_say_dense(ctx, source, path, (double)sizeof(gls_real));
    GLS_TRY(write_features(ctx, source, path));
    if (info->target == GLS_TARGET_NONE) return GLS_OK;
    char *labels = o->labels ? gls_strdup(ctx, o->labels) : sibling(ctx, path);
    if (!labels) return GLS_ERR_MEMORY;
    gls_status status = write_targets(ctx, source, labels);
    gls_free(ctx, labels);
    return status;
}

const gls_format gls_format_npy = {
    .member = {"npy", "NumPy arrays: features [n, ...] and targets", "", npy_table, sizeof(npy_options)},
    .bounded = true,
    .open = open_npy,
    .write = write_npy,
};
