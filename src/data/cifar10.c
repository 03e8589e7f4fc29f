/* Format cifar10: binary records of a label byte and 3 x 32 x 32 bytes. */
#include "data/bytes.h"
#include "data/table.h"
#include "base/io.h"
#include <string.h>
#include <sys/stat.h>

typedef struct cifar_options {
    gls_texts files;
} cifar_options;

/* Of the file format (Krizhevsky 2009): channel by channel, row by row. */
enum { PIXELS = 3 * 32 * 32, CLASSES = 10 };

static const gls_option cifar_table[] = {
    GLS_LIST("files", cifar_options, files, NULL, 0, 0, GLS_ITEM(.type = GLS_OPTION_STRING),
             "names inside the folder; default: data_batch_1.bin to _5.bin, and test_batch.bin for the test set"),
    {0},
};

typedef struct records {
    gls_context *ctx;
    gls_owned_arrays arrays;
    int64_t count, room;
} records;

static gls_status grow(records *r) {
    if (r->count < r->room) return GLS_OK;
    int64_t room = r->room ? r->room * 2 : 128;
    uint8_t *byte = gls_resize(r->ctx, r->arrays.byte, room, PIXELS);
    if (byte) r->arrays.byte = byte;
    int32_t *label = byte ? gls_resize(r->ctx, r->arrays.label, room, sizeof *label) : NULL;
    if (!label) return GLS_ERR_MEMORY;
    r->arrays.label = label;
    r->room = room;
    return GLS_OK;
}

static gls_status read_records(records *r, gls_reader *reader) {
    int64_t before = r->count;
    for (; !gls_reader_at_end(reader); r->count++) {
        uint8_t label;
        GLS_TRY(grow(r));
        GLS_TRY(gls_reader_exact(reader, &label, 1, "a label"));
        if (label >= CLASSES)
            return gls_fail(r->ctx, GLS_ERR_INPUT, "%s: record %lld has label %d, expected 0 to 9",
                            gls_reader_path(reader), (long long)(r->count - before), label);
        r->arrays.label[r->count] = label;
        GLS_TRY(gls_reader_exact(reader, r->arrays.byte + r->count * PIXELS, PIXELS, "the pixels of a record"));
    }
    if (r->count == before) return gls_fail(r->ctx, GLS_ERR_INPUT, "%s: no records", gls_reader_path(reader));
    return GLS_OK;
}

static gls_status read_file(records *r, const char *path) {
    gls_reader *reader;
    GLS_TRY(gls_reader_open(r->ctx, path, &reader));
    gls_status status = read_records(r, reader);
    gls_reader_close(reader);
    return status;
}

/* FOLDER/name, packed or not. *found false if there is none and it is optional. */
static gls_status read_named(records *r, const char *folder, const char *name, bool optional, bool *found) {
    bool failed;
    char *path = gls_sprintf(r->ctx, "%s/%s", folder, name);
    char *packed = path ? gls_source_find_packed(r->ctx, path, &failed) : NULL;
    gls_status status = GLS_OK;
    if (!path || (!packed && failed))
        status = GLS_ERR_MEMORY;
    else if (packed)
        status = read_file(r, packed);
    else if (!optional)
        status = gls_fail(r->ctx, GLS_ERR_FILE, "%s: no such file, packed or not", path);
    *found = packed != NULL;
    gls_free(r->ctx, packed);
    gls_free(r->ctx, path);
    return status;
}

static gls_status read_folder(records *r, const char *folder, gls_texts files, bool test) {
    bool found, any = false;
    for (int64_t i = 0; i < files.count; i++) GLS_TRY(read_named(r, folder, files.item[i], false, &found));
    if (files.item) return GLS_OK;
    if (test) return read_named(r, folder, "test_batch.bin", false, &found);
    for (int i = 1; i <= 5; i++) {
        char name[] = "data_batch_0.bin";
        name[11] = (char)('0' + i);
        GLS_TRY(read_named(r, folder, name, true, &found));
        any |= found;
    }
    if (!any) return gls_fail(r->ctx, GLS_ERR_FILE, "%s: no data_batch_1.bin to data_batch_5.bin", folder);
    return GLS_OK;
}

/* The ten lines of batches.meta.txt, in place; names stays empty if the file is not there or has other than ten. */
static gls_status read_names(gls_context *ctx, const char *path, bool folder, char **text, const char **names,
                             bool *named) {
    const char *slash = strrchr(path, '/');
    int length = folder ? (int)strlen(path) : slash ? (int)(slash - path) : 0;
    char *meta = gls_sprintf(ctx, "%.*s%sbatches.meta.txt", length, path, length ? "/" : "");
    *named = false;
    if (!meta) return GLS_ERR_MEMORY;
    int64_t size, count = 0;
    gls_status status = gls_file_exists(meta) ? gls_read_file(ctx, meta, 4096, text, &size) : GLS_OK;
    gls_free(ctx, meta);
    GLS_TRY(status);
    char *save = NULL;
    for (char *p = *text ? strtok_r(*text, "\r\n", &save) : NULL; p; p = strtok_r(NULL, "\r\n", &save), count++)
        if (count < CLASSES) names[count] = p;
    *named = count == CLASSES;
    return GLS_OK;
}

/* path is a folder with the usual batches, or a single file of records. */
static gls_status open_cifar(gls_context *ctx, const char *path, const void *options, gls_part part,
                             const gls_data_info *like, gls_source **out) {
    const cifar_options *o = options;
    struct stat found;
    bool folder = stat(path, &found) == 0 && S_ISDIR(found.st_mode), named = false;
    records r = {.ctx = ctx, .arrays.scale = (gls_real)(1.0 / 255)};
    char *text = NULL;
    const char *names[CLASSES];
    gls_status status = folder ? read_folder(&r, path, o->files, part != GLS_PART_TRAIN) : read_file(&r, path);
    if (status == GLS_OK) status = read_names(ctx, path, folder, &text, names, &named);
    if (status == GLS_OK) {
        gls_data_info info = {.examples = r.count,
                              .features = PIXELS,
                              .dims = 3,
                              .shape = {3, 32, 32},
                              .target = GLS_TARGET_CLASS,
                              .classes = CLASSES,
                              .class_names = named ? names : NULL};
        status = gls_source_own(ctx, &info, &r.arrays, out);
    }
    gls_owned_arrays_free(ctx, &r.arrays);
    gls_free(ctx, text);
    return status;
}

static gls_status write_records(void *user, const gls_batch *batch, int64_t begin) {
    uint8_t record[1 + PIXELS];
    for (int64_t i = 0; i < batch->rows; i++) {
        record[0] = (uint8_t)batch->label[i];
        gls_bytes_from(record + 1, batch->x + i * PIXELS, PIXELS);
        GLS_TRY(gls_writer_write(user, record, sizeof record));
    }
    return GLS_OK;
}

static gls_status write_cifar(gls_context *ctx, const gls_source *source, const char *path, const void *options) {
    const gls_data_info *info = &source->info;
    bool fits = info->features == PIXELS && info->target == GLS_TARGET_CLASS && info->classes <= CLASSES;
    if (fits) GLS_TRY(gls_bytes_fit(ctx, source, &fits));
    if (!fits)
        return gls_fail(ctx, GLS_ERR_UNSUPPORTED, "%s: cifar10 holds 3 x 32 x 32 bytes of at most 10 classes", path);
    gls_writer *writer;
    GLS_TRY(gls_writer_open(ctx, path, &writer));
    gls_status status = gls_source_scan(ctx, source, write_records, writer);
    if (status == GLS_OK) return gls_writer_commit(writer);
    gls_writer_abort(writer);
    return status;
}

const gls_format gls_format_cifar10 = {
    .member = {"cifar10", "CIFAR-10 binary records, a file or the folder of batches", "", cifar_table,
               sizeof(cifar_options)},
    .open = open_cifar,
    .write = write_cifar,
};
