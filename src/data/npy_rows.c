/* Rows of a .npy file that stay in it: each is read where it is wanted, and becomes what it would be in memory. */
#include <stdio.h>
#include <string.h>

#include "base/arith.h"
#include "base/context.h"
#include "base/io.h"
#include "base/kernels.h"
#include "data/npy_examples.h"
#include "data/stored.h"

enum { PIECE = 1 << 18 }; /* bytes of consecutive rows that are read at once */

typedef struct npy_rows {
    gls_owned_source owned;
    gls_stored *file;
    gls_npy_type type;
    int64_t offset, row_bytes;
    gls_real scale;
    int32_t *label; /* [examples], or NULL */
    gls_real *y;    /* [examples, targets], or NULL */
} npy_rows;

GLS_SIMD static void scale_by(gls_real *x, gls_real scale, int64_t n) {
    for (int64_t i = 0; i < n; i++) x[i] *= scale;
}

GLS_SIMD static void widen_bytes(gls_real *to, const uint8_t *from, gls_real scale, int64_t n) {
    for (int64_t i = 0; i < n; i++) to[i] = (gls_real)from[i] * scale;
}

/* Whether values on disk are those in memory. */
static bool as_they_are(const npy_rows *s) {
    return s->type.kind == 'f' && s->type.size == (int64_t)sizeof(gls_real) && !s->type.swapped;
}

/* Through the conversion that a whole array takes. */
static gls_status convert_row(const npy_rows *s, gls_context *ctx, int64_t row, const char *bytes, gls_real *x) {
    char what[512];
    int64_t features = s->owned.source.info.features;
    gls_npy one = {.dims = 1, .shape = {features}, .count = features, .data = gls_alloc(ctx, s->row_bytes, 1)};
    if (!one.data) return GLS_ERR_MEMORY;
    memcpy(one.data, bytes, (size_t)s->row_bytes);
    snprintf(what, sizeof what, "%.400s: row %lld", gls_stored_path(s->file), (long long)row);
    gls_status status = gls_npy_widen(ctx, what, &s->type, &one);
    if (status == GLS_OK) status = gls_npy_convert(ctx, what, GLS_DTYPE_REAL, &one);
    if (status == GLS_OK) memcpy(x, one.data, (size_t)features * sizeof *x);
    gls_npy_clear(ctx, &one);
    return status;
}

static gls_status check_rows(const npy_rows *s, gls_context *ctx, int64_t first, int64_t count, const gls_real *x) {
    int64_t features = s->owned.source.info.features;
    if (gls_count_nonfinite(x, count * features) == 0) return GLS_OK;
    int64_t i = 0;
    while (gls_count_nonfinite(x + i, 1) == 0) i++;
    return gls_fail(ctx, GLS_ERR_INPUT, "%s: row %lld: the value at [%lld] is %g, which is not finite",
                    gls_stored_path(s->file), (long long)(first + i / features), (long long)(i % features),
                    (double)x[i]);
}

/* Rows first, first + 1, ...; room holds them as they are on disk. */
static gls_status read_rows(const npy_rows *s, gls_context *ctx, int64_t first, int64_t count, char *room,
                            gls_real *x) {
    int64_t n = count * s->owned.source.info.features;
    bool straight = as_they_are(s), scaled = s->scale != 1;
    GLS_TRY(gls_stored_read(s->file, ctx, s->offset + first * s->row_bytes, count * s->row_bytes,
                            straight ? (char *)x : room));
    if (s->type.dtype == GLS_U8) {
        widen_bytes(x, (const uint8_t *)room, s->scale, n);
        return GLS_OK;
    }
    for (int64_t i = 0; !straight && i < count; i++)
        GLS_TRY(convert_row(s, ctx, first + i, room + i * s->row_bytes, x + i * s->owned.source.info.features));
    if (scaled) scale_by(x, s->scale, n);
    return straight || scaled ? check_rows(s, ctx, first, count, x) : GLS_OK;
}

/* Runs of rows that follow each other are read together. */
static gls_status read_features(const npy_rows *s, gls_context *ctx, const gls_fetch *fetch, gls_real *x) {
    int64_t most = s->row_bytes < PIECE ? PIECE / s->row_bytes : 1, features = s->owned.source.info.features;
    char *room = as_they_are(s) ? NULL : gls_alloc(ctx, most, (size_t)s->row_bytes);
    if (!room && !as_they_are(s)) return GLS_ERR_MEMORY;
    gls_status status = gls_stored_unchanged(s->file, ctx);
    for (int64_t i = 0, count; status == GLS_OK && i < fetch->count; i += count) {
        count = 1;
        while (i + count < fetch->count && count < most && fetch->index[i + count] == fetch->index[i] + count) count++;
        status = read_rows(s, ctx, fetch->index[i], count, room, x + i * features);
    }
    gls_free(ctx, room);
    return status;
}

static gls_status fetch_rows(const gls_source *source, gls_context *ctx, const gls_fetch *fetch, gls_rows *rows) {
    const npy_rows *s = (const npy_rows *)source;
    gls_fetch_targets(source, fetch, s->label, s->y, rows);
    return rows->x ? read_features(s, ctx, fetch, rows->x) : GLS_OK;
}

static void destroy_rows(gls_source *source) {
    npy_rows *s = (npy_rows *)source;
    gls_stored_close(s->file);
    gls_free(source->ctx, s->label);
    gls_free(source->ctx, s->y);
    gls_owned_destroy(source);
}

static void expect_rows(const gls_source *source, int64_t begin, int64_t end, bool soon) {
    const npy_rows *s = (const npy_rows *)source;
    gls_stored_expect(s->file, s->offset + begin * s->row_bytes, (end - begin) * s->row_bytes, soon);
}

static const gls_source_ops npy_rows_ops = {fetch_rows, destroy_rows, expect_rows};

/* ---- opening ---- */

/* The header alone, which is noted when the rows are; *packed: the file begins with something else than the array. */
static gls_status look(gls_context *ctx, const char *path, gls_npy_layout *layout, bool *packed) {
    gls_file_digest *watched = ctx->digest;
    gls_reader *reader;
    gls_reader_watch(ctx, NULL);
    gls_status status = gls_reader_open(ctx, path, &reader);
    if (status == GLS_OK) {
        status = gls_npy_read_layout(ctx, reader, layout);
        *packed = gls_reader_packed(reader);
        gls_reader_close(reader);
    }
    gls_reader_watch(ctx, watched);
    return status;
}

static gls_status check_layout(gls_context *ctx, const char *path, const gls_npy_layout *l, bool packed) {
    const char *why = packed       ? "it is packed; unpack it"
                      : l->fortran ? "its rows do not lie together (Fortran order); write it in C order"
                                   : NULL;
    if (!why) return GLS_OK;
    return gls_fail(ctx, GLS_ERR_INPUT,
                    "%s: its rows do not fit into data.memory (%lld bytes are left of it), and cannot stay on disk: %s",
                    path, (long long)ctx->bound->left, why);
}

static gls_status begin_rows(gls_context *ctx, const char *path, double scale, const gls_npy_layout *l,
                             gls_data_info *info, npy_rows **out) {
    int64_t examples = l->dims ? l->shape[0] : 0;
    if (l->type.kind == 'U' || l->type.kind == 'S' || l->dims < 1 || l->bytes < 1)
        return gls_fail(ctx, GLS_ERR_INPUT, "%s: expected an array [n, ...] of numbers, every extent at least 1", path);
    *info = (gls_data_info){.examples = examples, .features = l->bytes / l->type.size / examples};
    info->dims = l->dims > 1 ? l->dims - 1 : 1;
    for (int i = 0; i < info->dims; i++) info->shape[i] = l->dims > 1 ? l->shape[i + 1] : 1;
    GLS_TRY(gls_owned_create(ctx, sizeof **out, &npy_rows_ops, (void **)out));
    npy_rows *s = *out;
    s->type = l->type;
    s->offset = l->offset;
    s->row_bytes = info->features * l->type.size;
    s->scale = (gls_real)scale;
    s->owned.source.info = *info;
    GLS_TRY(gls_stored_open(ctx, path, &s->file));
    int64_t expected = l->offset + l->bytes, found = gls_stored_bytes(s->file);
    if (found == expected) return GLS_OK;
    return gls_fail(ctx, GLS_ERR_INPUT, "%s: %lld bytes, expected %lld by its header", path, (long long)found,
                    (long long)expected);
}

gls_status gls_npy_rows_open(gls_context *ctx, const char *path, double scale, gls_data_info *info, gls_source **out) {
    gls_npy_layout layout;
    bool packed = false;
    *out = NULL;
    if (!ctx->bound) return GLS_OK;
    GLS_TRY(look(ctx, path, &layout, &packed));
    bool bytes = layout.type.dtype == GLS_U8 && layout.type.size == 1;
    int64_t held = bytes ? layout.bytes : layout.bytes / layout.type.size * (int64_t)sizeof(gls_real);
    if (gls_bound_holds(ctx, held) || (ctx->bound->lenient && (packed || layout.fortran))) {
        gls_bound_take(ctx, held);
        return GLS_OK;
    }
    GLS_TRY(check_layout(ctx, path, &layout, packed));
    npy_rows *s = NULL;
    gls_status status = begin_rows(ctx, path, scale, &layout, info, &s);
    if (status == GLS_OK)
        *out = &s->owned.source;
    else if (s)
        gls_source_destroy(&s->owned.source);
    return status;
}

gls_status gls_npy_rows_own(gls_context *ctx, const gls_data_info *info, gls_owned_arrays *arrays, gls_stored *file,
                            bool bytes, gls_source **out) {
    npy_rows *s;
    gls_status status = gls_owned_create(ctx, sizeof *s, &npy_rows_ops, (void **)&s);
    if (status != GLS_OK) {
        gls_stored_close(file);
        return status;
    }
    s->file = file;
    s->type = bytes ? (gls_npy_type){.kind = 'u', .size = 1, .dtype = GLS_U8}
                    : (gls_npy_type){.kind = 'f', .size = sizeof(gls_real), .dtype = GLS_DTYPE_REAL};
    s->row_bytes = info->features * s->type.size;
    s->scale = bytes ? arrays->scale : 1;
    status = gls_stored_finish(file);
    if (status == GLS_OK) status = gls_npy_rows_complete(&s->owned.source, info, arrays);
    if (status == GLS_OK)
        *out = &s->owned.source;
    else
        gls_source_destroy(&s->owned.source);
    return status;
}

gls_status gls_npy_rows_complete(gls_source *source, const gls_data_info *info, gls_owned_arrays *arrays) {
    npy_rows *s = (npy_rows *)source;
    source->info = *info;
    source->info.class_names = NULL;
    s->label = arrays->label;
    s->y = arrays->y;
    arrays->label = NULL;
    arrays->y = NULL;
    return info->class_names ? gls_owned_class_names(&s->owned, info->class_names, info->classes) : GLS_OK;
}
