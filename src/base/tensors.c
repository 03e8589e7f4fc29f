/* safetensors files, written whole or not at all; what a header says is checked against the file before it is used. */
#include "base/tensors.h"

#include "base/arith.h"
#include "base/bf16.h"
#include "base/io.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <jansson.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <xxhash.h>

/* A header takes some hundred bytes an array: one of more than 64 MiB means another format, or a damaged file.
 * Checksums read a PIECE at a time. */
enum { MAX_HEADER = 64 << 20, PIECE = 1 << 20 };

/* Ours first, by gls_dtype; of the format's others two are read as weights, the rest may lie in a file unread. */
enum { DTYPE_F16 = GLS_BF16 + 1 };
static const struct {
    const char *name;
    int64_t size;
} dtypes[] = {[GLS_F32] = {"F32", 4},
              [GLS_F64] = {"F64", 8},
              [GLS_I32] = {"I32", 4},
              [GLS_I64] = {"I64", 8},
              [GLS_U8] = {"U8", 1},
              [GLS_BF16] = {"BF16", 2},
              [DTYPE_F16] = {"F16", 2},
              {"BOOL", 1},
              {"I8", 1},
              {"I16", 2},
              {"U16", 2},
              {"U32", 4},
              {"U64", 8},
              {"F8_E4M3", 1},
              {"F8_E5M2", 1}};

static int64_t array_count(const gls_array *array) {
    int64_t n = 1;
    for (int i = 0; i < array->dims; i++) n *= array->shape[i];
    return n;
}

int64_t gls_array_bytes(const gls_array *array) {
    return array_count(array) * dtypes[array->dtype].size;
}

/* ---- writing ---- */

static json_t *describe(const gls_array *array, int64_t offset) {
    json_t *shape = json_array();
    for (int i = 0; i < array->dims; i++) json_array_append_new(shape, json_integer(array->shape[i]));
    return json_pack("{s:s, s:o, s:[I,I]}", "dtype", dtypes[array->dtype].name, "shape", shape, "data_offsets",
                     (json_int_t)offset, (json_int_t)(offset + gls_array_bytes(array)));
}

static void checksum(const gls_arrays *arrays, char text[17]) {
    XXH3_state_t *state = XXH3_createState();
    if (!state || XXH3_64bits_reset(state) != XXH_OK) {
        text[0] = 0;
        XXH3_freeState(state);
        return;
    }
    for (int64_t i = 0; i < arrays->count; i++)
        XXH3_64bits_update(state, arrays->item[i].data, (size_t)gls_array_bytes(&arrays->item[i]));
    snprintf(text, 17, "%016" PRIx64, (uint64_t)XXH3_64bits_digest(state));
    XXH3_freeState(state);
}

static char *header_text(const gls_arrays *arrays, const gls_note *notes, int note_count) {
    char sum[17];
    checksum(arrays, sum);
    json_t *root = json_object(), *metadata = json_object();
    for (int i = 0; i < note_count; i++) json_object_set_new(metadata, notes[i].key, json_string(notes[i].text));
    if (sum[0]) json_object_set_new(metadata, "xxh3", json_string(sum));
    json_object_set_new(root, "__metadata__", metadata);
    int64_t offset = 0;
    for (int64_t i = 0; i < arrays->count; i++) {
        json_object_set_new(root, arrays->item[i].name, describe(&arrays->item[i], offset));
        offset += gls_array_bytes(&arrays->item[i]);
    }
    char *text = json_object_size(root) == (size_t)arrays->count + 1 ? json_dumps(root, JSON_COMPACT) : NULL;
    json_decref(root);
    return text;
}

static gls_status write_all(gls_writer *writer, const gls_arrays *arrays, const char *header) {
    static const char spaces[] = "        ";
    uint64_t length = strlen(header), padding = (8 - length % 8) % 8, total = length + padding;
    GLS_TRY(gls_writer_write(writer, &total, 8));
    GLS_TRY(gls_writer_write(writer, header, (int64_t)length));
    GLS_TRY(gls_writer_write(writer, spaces, (int64_t)padding));
    for (int64_t i = 0; i < arrays->count; i++)
        GLS_TRY(gls_writer_write(writer, arrays->item[i].data, gls_array_bytes(&arrays->item[i])));
    return GLS_OK;
}

gls_status gls_tensors_write(gls_context *ctx, const char *path, const gls_arrays *arrays, const gls_note *notes,
                             int note_count) {
    char *header = header_text(arrays, notes, note_count);
    if (!header) return gls_fail(ctx, GLS_ERR_INTERNAL, "%s: two arrays have the same name, or memory ran out", path);
    gls_writer *writer = NULL;
    gls_status status = gls_writer_open(ctx, path, &writer);
    if (status == GLS_OK) {
        status = write_all(writer, arrays, header);
        if (status == GLS_OK)
            status = gls_writer_commit(writer);
        else
            gls_writer_abort(writer);
    }
    free(header);
    return status;
}

/* ---- reading ---- */

struct gls_tensors {
    gls_context *ctx;
    char *path;
    int file;
    int64_t start, size; /* of the data */
    json_t *header;
};

void gls_tensors_close(gls_tensors *tensors) {
    if (!tensors) return;
    if (tensors->file >= 0) close(tensors->file);
    json_decref(tensors->header);
    gls_free(tensors->ctx, tensors->path);
    gls_free(tensors->ctx, tensors);
}

static gls_status read_at(gls_tensors *t, void *to, int64_t n, int64_t offset) {
    for (int64_t done = 0; done < n;) {
        ssize_t got = pread(t->file, (char *)to + done, (size_t)(n - done), offset + done);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return gls_fail(t->ctx, GLS_ERR_FILE, "%s: cannot read: %s", t->path, strerror(errno));
        if (!got)
            return gls_fail(t->ctx, GLS_ERR_INPUT, "%s: ends after %lld bytes, in the middle of its data", t->path,
                            (long long)(offset + done));
        done += got;
    }
    return GLS_OK;
}

static gls_status bad(gls_tensors *t, const char *name, const char *why) {
    return gls_fail(t->ctx, GLS_ERR_INPUT, "%s: array '%s': %s", t->path, name, why);
}

static int find_dtype(const char *name) {
    for (int i = 0; name && i < (int)(sizeof dtypes / sizeof *dtypes); i++)
        if (strcmp(name, dtypes[i].name) == 0) return i;
    return -1;
}

/* One entry of the header as an array whose data pointer holds nothing; offset is where its data begin. */
static gls_status read_entry(gls_tensors *t, const char *name, json_t *entry, gls_array *out, int64_t *offset) {
    const char *type = json_string_value(json_object_get(entry, "dtype"));
    json_t *shape = json_object_get(entry, "shape"), *offsets = json_object_get(entry, "data_offsets");
    int dtype = find_dtype(type);
    if (dtype < 0)
        return bad(t, name,
                   "its dtype is not one of F64, F32, F16, BF16, I64, I32, I16, I8, U64, U32, U16, U8, BOOL, F8");
    if (!json_is_array(shape) || json_array_size(shape) > GLS_MAX_DIMS)
        return bad(t, name, "its shape is not a list of at most 6 extents");
    *out = (gls_array){.dtype = (gls_dtype)dtype, .dims = (int)json_array_size(shape)};
    int64_t n = dtypes[dtype].size;
    for (int i = 0; i < out->dims; i++) {
        json_t *extent = json_array_get(shape, (size_t)i);
        int64_t e = json_is_integer(extent) ? (int64_t)json_integer_value(extent) : -1;
        if (e < 0) return bad(t, name, "its shape holds a value that is not an extent");
        if (__builtin_mul_overflow(n, e, &n)) return bad(t, name, "its size overflows");
        out->shape[i] = e;
    }
    json_t *first = json_array_get(offsets, 0), *last = json_array_get(offsets, 1);
    if (!json_is_integer(first) || !json_is_integer(last) || json_array_size(offsets) != 2)
        return bad(t, name, "its data_offsets are not a pair of integers");
    int64_t begin = (int64_t)json_integer_value(first), end = (int64_t)json_integer_value(last);
    if (begin < 0 || end < begin || end > t->size) return bad(t, name, "its data are outside the file");
    if (end - begin != n) return bad(t, name, "its shape and its data do not have the same size");
    *offset = begin;
    return GLS_OK;
}

typedef struct span {
    int64_t begin, end;
    const char *name;
} span;

static int by_begin(const void *a, const void *b) {
    const span *x = a, *y = b;
    if (x->begin != y->begin) return x->begin < y->begin ? -1 : 1;
    return x->end < y->end ? -1 : x->end > y->end;
}

/* Every byte of the data belongs to one array: none overlaps another, and nothing lies between. */
static gls_status check_spans(gls_tensors *t, span *all, int64_t count) {
    int64_t end = 0;
    if (count) qsort(all, (size_t)count, sizeof *all, by_begin);
    for (int64_t i = 0; i < count; i++) {
        if (all[i].begin < end) return bad(t, all[i].name, "arrays overlap");
        if (all[i].begin > end) return bad(t, all[i].name, "bytes before it belong to no array");
        end = all[i].end;
    }
    if (end == t->size) return GLS_OK;
    return gls_fail(t->ctx, GLS_ERR_INPUT, "%s: %lld bytes of data, but its header describes %lld", t->path,
                    (long long)t->size, (long long)end);
}

static gls_status check_entries(gls_tensors *t) {
    const char *name;
    json_t *entry;
    int64_t count = 0;
    span *all = gls_alloc(t->ctx, (int64_t)json_object_size(t->header), sizeof *all);
    if (!all) return GLS_ERR_MEMORY;
    gls_status status = GLS_OK;
    json_object_foreach(t->header, name, entry) {
        if (status != GLS_OK || strcmp(name, "__metadata__") == 0) continue;
        gls_array array = {0};
        int64_t offset = 0;
        status = read_entry(t, name, entry, &array, &offset);
        if (status == GLS_OK) all[count++] = (span){offset, offset + gls_array_bytes(&array), name};
    }
    if (status == GLS_OK) status = check_spans(t, all, count);
    gls_free(t->ctx, all);
    return status;
}

/* The file begins with the header's length in 8 bytes, little-endian; then the header, a JSON object; then the data. */
static gls_status read_header(gls_tensors *t) {
    struct stat info;
    if (fstat(t->file, &info) || !S_ISREG(info.st_mode))
        return gls_fail(t->ctx, GLS_ERR_FILE, "%s: not an ordinary file", t->path);
    uint64_t length = 0;
    if (info.st_size < 8) return gls_fail(t->ctx, GLS_ERR_INPUT, "%s: too short for a safetensors file", t->path);
    GLS_TRY(read_at(t, &length, 8, 0));
    if (length > MAX_HEADER || length > (uint64_t)info.st_size - 8)
        return gls_fail(t->ctx, GLS_ERR_INPUT,
                        "%s: not a safetensors file, or a truncated one: its header would have %" PRIu64 " bytes",
                        t->path, length);
    t->start = 8 + (int64_t)length;
    t->size = (int64_t)info.st_size - t->start;
    char *text = gls_alloc(t->ctx, (int64_t)length + 1, 1);
    if (!text) return GLS_ERR_MEMORY;
    gls_status status = read_at(t, text, (int64_t)length, 8);
    json_error_t error;
    if (status == GLS_OK) {
        t->header = json_loadb(text, (size_t)length, JSON_REJECT_DUPLICATES, &error);
        if (!json_is_object(t->header))
            status = gls_fail(t->ctx, GLS_ERR_INPUT, "%s: its header is not a JSON object: %s", t->path,
                              t->header ? "it is another JSON value" : error.text);
    }
    gls_free(t->ctx, text);
    return status;
}

/* Files of ours carry a checksum of their data as a note; others have none and are taken as they are. */
static gls_status verify(gls_tensors *t) {
    const char *expected = gls_tensors_note(t, "xxh3");
    if (!expected) return GLS_OK;
    char *piece = gls_alloc(t->ctx, PIECE, 1);
    XXH3_state_t *state = XXH3_createState();
    gls_status status = piece && state ? GLS_OK : gls_fail(t->ctx, GLS_ERR_MEMORY, "out of memory");
    if (status == GLS_OK) XXH3_64bits_reset(state);
    for (int64_t at = 0; at < t->size && status == GLS_OK; at += PIECE) {
        int64_t n = gls_least(t->size - at, PIECE);
        status = read_at(t, piece, n, t->start + at);
        if (status == GLS_OK) XXH3_64bits_update(state, piece, (size_t)n);
    }
    char sum[17] = "";
    if (status == GLS_OK) snprintf(sum, sizeof sum, "%016" PRIx64, (uint64_t)XXH3_64bits_digest(state));
    XXH3_freeState(state);
    gls_free(t->ctx, piece);
    if (status == GLS_OK && strcmp(sum, expected) != 0)
        return gls_fail(t->ctx, GLS_ERR_INPUT, "%s: damaged: its checksum is %s, its header says %s", t->path, sum,
                        expected);
    return status;
}

gls_status gls_tensors_open(gls_context *ctx, const char *path, gls_tensors **out) {
    *out = NULL;
    gls_tensors *t = gls_alloc(ctx, 1, sizeof *t);
    if (!t) return GLS_ERR_MEMORY;
    t->ctx = ctx;
    t->path = gls_strdup(ctx, path);
    t->file = open(path, O_RDONLY | O_CLOEXEC);
    gls_status status = t->path ? GLS_OK : GLS_ERR_MEMORY;
    if (status == GLS_OK && t->file < 0)
        status = gls_fail(ctx, GLS_ERR_FILE, "%s: cannot open: %s", path, strerror(errno));
    if (status == GLS_OK) status = read_header(t);
    if (status == GLS_OK) status = check_entries(t);
    if (status == GLS_OK) status = verify(t);
    if (status == GLS_OK)
        *out = t;
    else
        gls_tensors_close(t);
    return status;
}

const char *gls_tensors_note(const gls_tensors *tensors, const char *key) {
    return json_string_value(json_object_get(json_object_get(tensors->header, "__metadata__"), key));
}

bool gls_tensors_has(const gls_tensors *tensors, const char *name) {
    return strcmp(name, "__metadata__") && json_object_get(tensors->header, name);
}

static void print_shape(const gls_array *array, char *text, size_t room) {
    int used = snprintf(text, room, "%s [", dtypes[array->dtype].name);
    for (int i = 0; i < array->dims && used >= 0 && (size_t)used < room; i++)
        used += snprintf(text + used, room - (size_t)used, "%s%lld", i ? ", " : "", (long long)array->shape[i]);
    if (used >= 0 && (size_t)used < room) snprintf(text + used, room - (size_t)used, "]");
}

/* The offset of the array of that name and shape; *has is false for an optional one that is absent. For an array that
 * can be resized the extents are left to the caller. */
static gls_status match(gls_tensors *t, const gls_array *want, gls_array *have, int64_t *offset, bool *has) {
    json_t *entry = json_object_get(t->header, want->name);
    *has = entry != NULL;
    if (!entry) return want->optional ? GLS_OK : bad(t, want->name, "is not in the file");
    GLS_TRY(read_entry(t, want->name, entry, have, offset));
    bool same = have->dims == want->dims && have->dtype == want->dtype;
    for (int i = 0; same && !want->resize && i < want->dims; i++) same = have->shape[i] == want->shape[i];
    if (same) return GLS_OK;
    char found[160], expected[160];
    print_shape(have, found, sizeof found);
    print_shape(want, expected, sizeof expected);
    return gls_fail(t->ctx, GLS_ERR_INPUT, "%s: array '%s' is %s, expected %s", t->path, want->name, found, expected);
}

/* Makes room of the file's size for an array that can be resized. */
static gls_status fit(gls_array *array, const gls_array *have) {
    bool same = true;
    for (int i = 0; i < have->dims; i++) same = same && have->shape[i] == array->shape[i];
    if (same || !array->resize) return GLS_OK;
    GLS_TRY(array->resize(array->owner, array, have->shape));
    memcpy(array->shape, have->shape, sizeof array->shape);
    return GLS_OK;
}

/* All are compared before room is made for any, and room is made for all before any is filled. */
gls_status gls_tensors_restore(gls_tensors *tensors, const gls_arrays *arrays) {
    int64_t offset;
    gls_array have;
    bool has;
    for (int64_t i = 0; i < arrays->count; i++) GLS_TRY(match(tensors, &arrays->item[i], &have, &offset, &has));
    for (int64_t i = 0; i < arrays->count; i++) {
        GLS_TRY(match(tensors, &arrays->item[i], &have, &offset, &has));
        if (has) GLS_TRY(fit(&arrays->item[i], &have));
    }
    for (int64_t i = 0; i < arrays->count; i++) {
        gls_array *array = &arrays->item[i];
        GLS_TRY(match(tensors, array, &have, &offset, &has));
        if (has) GLS_TRY(read_at(tensors, array->data, gls_array_bytes(array), tensors->start + offset));
    }
    return GLS_OK;
}

gls_status gls_tensors_restore_layout(gls_tensors *tensors, const gls_layout *layout, const char *prefix,
                                      gls_real *data) {
    gls_arrays arrays = {0};
    gls_status status = gls_arrays_add_layout(tensors->ctx, &arrays, layout, prefix, data);
    if (status == GLS_OK) status = gls_tensors_restore(tensors, &arrays);
    gls_arrays_clear(tensors->ctx, &arrays);
    return status;
}

gls_status gls_tensors_load(gls_tensors *tensors, const char *prefix, gls_arena *arena, gls_arrays *arrays) {
    const char *name;
    json_t *entry;
    json_object_foreach(tensors->header, name, entry) {
        if (!gls_tensors_has(tensors, name) || strncmp(name, prefix, strlen(prefix)) != 0) continue;
        gls_array found;
        int64_t offset;
        GLS_TRY(read_entry(tensors, name, entry, &found, &offset));
        if (found.dtype > GLS_U8) return bad(tensors, name, "its dtype is not one of F32, F64, I32, I64, U8");
        void *data = gls_arena_alloc(arena, gls_array_bytes(&found), 1);
        if (!data) return GLS_ERR_MEMORY;
        GLS_TRY(read_at(tensors, data, gls_array_bytes(&found), tensors->start + offset));
        GLS_TRY(gls_arrays_add(tensors->ctx, arrays, name, found.dtype, found.dims, found.shape, data));
    }
    return GLS_OK;
}

/* ---- weights of any precision ---- */

static double half(uint16_t bits) {
    int exponent = bits >> 10 & 31, fraction = bits & 1023;
    double size = exponent == 31  ? fraction ? NAN : INFINITY
                  : exponent == 0 ? ldexp(fraction, -24)
                                  : ldexp(1024 + fraction, exponent - 25);
    return bits >> 15 ? -size : size;
}

static double value_at(int dtype, const void *data, int64_t i) {
    const uint16_t *narrow = data;
    if (dtype == GLS_F64) return ((const double *)data)[i];
    if (dtype == GLS_F32) return ((const float *)data)[i];
    if (dtype == DTYPE_F16) return half(narrow[i]);
    return gls_bf16_widen(narrow[i]);
}

static gls_status convert(gls_tensors *t, const char *name, int dtype, const void *data, int64_t count, gls_real *out) {
    for (int64_t i = 0; i < count; i++) {
        double value = value_at(dtype, data, i);
        out[i] = (gls_real)value;
        if (!isfinite(out[i]))
            return gls_fail(t->ctx, GLS_ERR_NONFINITE, "%s: array '%s': value %lld is %g%s", t->path, name,
                            (long long)i, value,
                            isfinite(value) ? ", which single precision cannot hold" : ", expected finite weights");
    }
    return GLS_OK;
}

/* Whether the file has an array of weights of that name and shape; found says what there is in its place. */
static bool fits(gls_tensors *t, const char *name, const gls_block *block, gls_array *have, int64_t *offset,
                 char found[160]) {
    json_t *entry = json_object_get(t->header, name);
    snprintf(found, 160, "not in the file");
    if (!gls_tensors_has(t, name) || read_entry(t, name, entry, have, offset) != GLS_OK) return false;
    bool real =
        have->dtype == GLS_F32 || have->dtype == GLS_F64 || (int)have->dtype == DTYPE_F16 || have->dtype == GLS_BF16;
    bool same = real && have->dims == block->dims;
    for (int i = 0; same && i < block->dims; i++) same = have->shape[i] == block->shape[i];
    print_shape(have, found, 160);
    return same;
}

bool gls_tensors_fits(gls_tensors *tensors, const char *name, const gls_block *block, char found[160]) {
    gls_array have;
    int64_t offset;
    return fits(tensors, name, block, &have, &offset, found);
}

gls_status gls_tensors_read_block(gls_tensors *t, const char *name, const gls_block *block, gls_real *data) {
    gls_array have, want = {.dtype = GLS_DTYPE_REAL, .dims = block->dims};
    int64_t offset;
    char found[160], expected[160];
    memcpy(want.shape, block->shape, sizeof want.shape);
    if (!gls_tensors_has(t, name)) return bad(t, name, "is not in the file");
    if (!fits(t, name, block, &have, &offset, found)) {
        print_shape(&want, expected, sizeof expected);
        return gls_fail(t->ctx, GLS_ERR_INPUT, "%s: array '%s' is %s, expected %s in F64, F32, F16 or BF16", t->path,
                        name, found, expected);
    }
    void *bytes = gls_alloc(t->ctx, gls_array_bytes(&have), 1);
    gls_status status = bytes ? read_at(t, bytes, gls_array_bytes(&have), t->start + offset) : GLS_ERR_MEMORY;
    if (status == GLS_OK) status = convert(t, name, (int)have.dtype, bytes, array_count(&have), data);
    gls_free(t->ctx, bytes);
    return status;
}

gls_status gls_tensors_read_layout(gls_tensors *tensors, const gls_layout *layout, const char *prefix, gls_real *data) {
    for (int64_t i = 0; i < gls_layout_count(layout); i++) {
        const gls_block *block = gls_layout_block(layout, i);
        char *name = gls_sprintf(tensors->ctx, "%s%s", prefix, block->name);
        gls_status status = name ? gls_tensors_read_block(tensors, name, block, data + block->offset) : GLS_ERR_MEMORY;
        gls_free(tensors->ctx, name);
        GLS_TRY(status);
    }
    return GLS_OK;
}
