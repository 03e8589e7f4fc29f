/* Format frames: rows of frames [n, length, values] in one NumPy file; their labels and how many frames of each row
 * count in two others beside it. */
#include "data/frames.h"

#include <string.h>

#include "base/io.h"
#include "data/npy.h"
#include "data/table.h"

typedef struct frames_options {
    const char *labels, *test_labels, *frames, *test_frames;
    int target;
    int64_t classes;
} frames_options;

enum { TARGET_AUTO, TARGET_SEQUENCE, TARGET_FRAMES, TARGET_CLASS };

static const gls_option frames_table[] = {
    GLS_PATH("labels", frames_options, labels, NULL,
             "labels of the training file: [n, at most length], negative ones are none, or [n] classes; default: "
             "NAME-labels.npy beside NAME.npy, if it exists"),
    GLS_PATH("test_labels", frames_options, test_labels, NULL, "labels of the test file"),
    GLS_PATH(
        "frames", frames_options, frames, NULL,
        "frames [n] of the training file's rows that are not padding; default: NAME-frames.npy, if it exists; else "
        "all"),
    GLS_PATH("test_frames", frames_options, test_frames, NULL, "those of the test file's rows"),
    GLS_ENUM("target", frames_options, target, "auto", "auto|sequence|frames|class",
             "what labels are: a sequence in order, one of every frame, one of the row; auto: as in the training set, "
             "else a sequence"),
    GLS_INT("classes", frames_options, classes, "0", 0, INT32_MAX,
            "different labels; 0: as many as the training file has, 0 to the largest"),
    {0},
};

/* NAME-KIND.npy of NAME.npy, from gls_alloc. */
static char *sibling(gls_context *ctx, const char *path, const char *kind) {
    const char *dot = strstr(path, ".npy");
    for (const char *next = dot; next; next = strstr(next + 1, ".npy")) dot = next;
    return gls_sprintf(ctx, "%.*s-%s.npy", dot ? (int)(dot - path) : (int)strlen(path), path, kind);
}

/* ---- reading ---- */

/* What is read: x, frames, labels as in the source, with `room` labels a row. */
typedef struct reading {
    gls_context *ctx;
    const frames_options *o;
    const gls_data_info *like;
    gls_data_info info;
    gls_real *x;
    int64_t *frames;
    int32_t *label;
} reading;

static gls_status read_values(reading *r, const char *path) {
    gls_npy x = {0};
    GLS_TRY(gls_npy_read_real(r->ctx, path, &x));
    if (x.dims != 3 || x.count < 1) {
        int dims = x.dims;
        gls_npy_clear(r->ctx, &x);
        return gls_fail(r->ctx, GLS_ERR_INPUT, "%s: %d extents, expected frames [n, length, values], each at least 1",
                        path, dims);
    }
    r->info.examples = x.shape[0];
    r->info.length = x.shape[1];
    r->info.features = x.shape[1] * x.shape[2];
    r->x = x.data;
    return GLS_OK;
}

/* Whole numbers within 32 bits, one file of them; the extents must begin with n. */
static gls_status read_whole(const reading *r, const char *path, gls_npy *out) {
    *out = (gls_npy){0};
    GLS_TRY(gls_npy_read_double(r->ctx, path, out));
    const double *v = out->data;
    gls_status status = GLS_OK;
    if (out->dims < 1 || out->dims > 2 || out->shape[0] != r->info.examples)
        status = gls_fail(r->ctx, GLS_ERR_INPUT, "%s: %d extents, the first %lld, for %lld rows", path, out->dims,
                          out->dims ? (long long)out->shape[0] : 0LL, (long long)r->info.examples);
    for (int64_t k = 0; status == GLS_OK && k < out->count; k++)
        if (!(v[k] > -2147483648.0 && v[k] < 2147483648.0) || v[k] != (double)(int32_t)v[k])
            status = gls_fail(r->ctx, GLS_ERR_INPUT, "%s: %g, expected whole numbers of 32 bits", path, v[k]);
    if (status != GLS_OK) gls_npy_clear(r->ctx, out);
    return status;
}

static gls_status take_frames(reading *r, const char *path) {
    gls_npy n;
    GLS_TRY(read_whole(r, path, &n));
    r->frames = gls_alloc(r->ctx, r->info.examples, sizeof *r->frames);
    gls_status status = r->frames ? GLS_OK : GLS_ERR_MEMORY;
    if (status == GLS_OK && n.dims != 1)
        status = gls_fail(r->ctx, GLS_ERR_INPUT, "%s: %d extents, expected one number for each row", path, n.dims);
    for (int64_t i = 0; status == GLS_OK && i < r->info.examples; i++)
        r->frames[i] = (int64_t)((const double *)n.data)[i];
    gls_npy_clear(r->ctx, &n);
    gls_frame_source arrays = {.frames = r->frames};
    return status == GLS_OK ? gls_frame_check_lengths(r->ctx, path, &arrays, &r->info) : status;
}

/* Where the training set's rows have padding, these have none. */
static gls_status all_frames(reading *r) {
    if (!r->like || !r->like->documents) return GLS_OK;
    r->frames = gls_alloc(r->ctx, r->info.examples, sizeof *r->frames);
    if (!r->frames) return GLS_ERR_MEMORY;
    for (int64_t i = 0; i < r->info.examples; i++) r->frames[i] = r->info.length;
    return GLS_OK;
}

static gls_target_kind target_of(const reading *r) {
    if (r->o->target == TARGET_AUTO && r->like && r->like->target != GLS_TARGET_NONE) return r->like->target;
    return r->o->target == TARGET_FRAMES  ? GLS_TARGET_FRAMES
           : r->o->target == TARGET_CLASS ? GLS_TARGET_CLASS
                                          : GLS_TARGET_SEQUENCE;
}

static gls_status check_extents(const reading *r, const char *path, const gls_npy *y, bool one) {
    int64_t length = r->info.length;
    if (one && y->dims == 1) return GLS_OK;
    if (one) return gls_fail(r->ctx, GLS_ERR_INPUT, "%s: %d extents, expected one class for each row", path, y->dims);
    if (y->dims == 2 && y->shape[1] <= length) return GLS_OK;
    return gls_fail(r->ctx, GLS_ERR_INPUT, "%s: %lld labels a row, expected an array [n, at most %lld, the frames]",
                    path, y->dims == 2 ? (long long)y->shape[1] : 1LL, (long long)length);
}

static gls_status check_largest(const reading *r, const char *path, const gls_npy *y) {
    enum { MOST = 1 << 24 };
    int64_t given = y->dims == 2 ? y->shape[1] : 1;
    for (int64_t i = 0; i < r->info.examples * given; i++) {
        double label = ((const double *)y->data)[i];
        if (label >= MOST)
            return gls_fail(r->ctx, GLS_ERR_INPUT, "%s: label %g of example %lld, expected one below %d", path, label,
                            (long long)(i / given), MOST);
    }
    return GLS_OK;
}

static void put_labels(reading *r, const gls_npy *y, int64_t room) {
    int64_t given = y->dims == 2 ? y->shape[1] : 1;
    int32_t largest = -1;
    for (int64_t i = 0; i < r->info.examples; i++)
        for (int64_t t = 0; t < room; t++) {
            int32_t label = t < given ? (int32_t)((const double *)y->data)[i * given + t] : -1;
            r->label[i * room + t] = label < 0 && room > 1 ? -1 : label;
            largest = label > largest ? label : largest;
        }
    r->info.classes = r->like ? r->like->classes : r->o->classes ? r->o->classes : largest + 1;
}

static gls_status take_labels(reading *r, const char *path) {
    gls_npy y;
    GLS_TRY(read_whole(r, path, &y));
    r->info.target = target_of(r);
    bool one = r->info.target == GLS_TARGET_CLASS;
    int64_t room = one ? 1 : r->info.length;
    gls_status status = check_extents(r, path, &y, one);
    if (status == GLS_OK) status = check_largest(r, path, &y);
    if (status == GLS_OK) {
        r->label = gls_alloc(r->ctx, r->info.examples * room, sizeof *r->label);
        status = r->label ? GLS_OK : GLS_ERR_MEMORY;
    }
    if (status == GLS_OK) put_labels(r, &y, room);
    gls_npy_clear(r->ctx, &y);
    gls_frame_source arrays = {.frames = r->frames, .label = r->label};
    return status == GLS_OK ? gls_frame_check_labels(r->ctx, path, &arrays, &r->info) : status;
}

/* The file that an option names, or a sibling that need not be there. */
static gls_status take(reading *r, const char *path, const char *given, const char *kind,
                       gls_status (*with)(reading *r, const char *path), gls_status (*without)(reading *r)) {
    char *file = given ? gls_strdup(r->ctx, given) : sibling(r->ctx, path, kind);
    if (!file) return GLS_ERR_MEMORY;
    gls_status status = given || gls_file_exists(file) ? with(r, file) : without ? without(r) : GLS_OK;
    gls_free(r->ctx, file);
    return status;
}

static gls_status read_all(reading *r, const char *path, gls_part part) {
    bool train = part == GLS_PART_TRAIN;
    const frames_options *o = r->o;
    GLS_TRY(read_values(r, path));
    GLS_TRY(gls_source_check_finite(r->ctx, path, r->x, r->info.examples, r->info.features));
    GLS_TRY(take(r, path, train ? o->frames : o->test_frames, "frames", take_frames, all_frames));
    if (part == GLS_PART_ROWS) return GLS_OK;
    return take(r, path, train ? o->labels : o->test_labels, "labels", take_labels, NULL);
}

static gls_status open_frames(gls_context *ctx, const char *path, const void *options, gls_part part,
                              const gls_data_info *like, gls_source **out) {
    reading r = {.ctx = ctx, .o = options, .like = like};
    gls_status status = read_all(&r, path, part);
    if (status != GLS_OK) {
        gls_free(ctx, r.x);
        gls_free(ctx, r.frames);
        gls_free(ctx, r.label);
        return status;
    }
    if (like && r.info.target != GLS_TARGET_NONE) r.info.class_names = like->class_names;
    gls_frame_source arrays = {.x = r.x, .frames = r.frames, .label = r.label, .owns = true};
    return gls_frame_source_create(ctx, &arrays, &r.info, out);
}

/* ---- writing ---- */

/* One of the three files, and what rows put into it. */
typedef struct output {
    gls_writer *writer;
    enum { VALUES, LABELS, FRAMES } kind;
} output;

static int64_t counted(const int32_t *document, int64_t length) {
    int64_t frames = 0;
    while (frames < length && document[frames] >= 0) frames++;
    return frames;
}

static gls_status write_rows(void *user, const gls_batch *batch, int64_t begin) {
    const output *o = user;
    (void)begin;
    int64_t labels = gls_batch_labels(batch);
    if (o->kind == VALUES)
        return gls_writer_write(o->writer, batch->x, batch->rows * batch->features * (int64_t)sizeof *batch->x);
    if (o->kind == LABELS)
        return gls_writer_write(o->writer, batch->label, batch->rows * labels * (int64_t)sizeof *batch->label);
    for (int64_t i = 0; i < batch->rows; i++) {
        int32_t frames = (int32_t)counted(batch->document + i * batch->length, batch->length);
        GLS_TRY(gls_writer_write(o->writer, &frames, sizeof frames));
    }
    return GLS_OK;
}

static gls_status write_file(gls_context *ctx, const gls_source *source, const char *path, output *o, gls_dtype dtype,
                             int dims) {
    const gls_data_info *info = &source->info;
    int64_t shape[3] = {info->examples, info->length, info->features / info->length};
    GLS_TRY(gls_writer_open(ctx, path, &o->writer));
    gls_status status = gls_npy_write_header(o->writer, dtype, dims, shape);
    if (status == GLS_OK) status = gls_source_scan(ctx, source, write_rows, o);
    if (status == GLS_OK) return gls_writer_commit(o->writer);
    gls_writer_abort(o->writer);
    return status;
}

static gls_status write_beside(gls_context *ctx, const gls_source *source, const char *path, const char *kind,
                               output *o, int dims) {
    char *file = sibling(ctx, path, kind);
    if (!file) return GLS_ERR_MEMORY;
    gls_status status = write_file(ctx, source, file, o, GLS_I32, dims);
    gls_free(ctx, file);
    return status;
}

static gls_status write_frames(gls_context *ctx, const gls_source *source, const char *path, const void *options) {
    const gls_data_info *info = &source->info;
    output values = {.kind = VALUES}, labels = {.kind = LABELS}, frames = {.kind = FRAMES};
    (void)options;
    if (!info->length || info->vocabulary || info->documents == GLS_DOCUMENTS_PACKED || info->targets)
        return gls_fail(ctx, GLS_ERR_UNSUPPORTED, "%s: frames holds rows of frames with labels only", path);
    GLS_TRY(write_file(ctx, source, path, &values, GLS_DTYPE_REAL, 3));
    if (info->target != GLS_TARGET_NONE)
        GLS_TRY(write_beside(ctx, source, path, "labels", &labels, gls_target_by_position(info->target) ? 2 : 1));
    return info->documents ? write_beside(ctx, source, path, "frames", &frames, 1) : GLS_OK;
}

const gls_format gls_format_frames = {
    .member = {"frames", "NumPy arrays: rows of frames [n, length, values], their labels and lengths", "", frames_table,
               sizeof(frames_options)},
    .open = open_frames,
    .write = write_frames,
};
