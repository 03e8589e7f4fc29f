/* What formats share: blocks that grow as they arrive, extents, finiteness, packed names, a walk over a source. */
#include "data/source.h"
#include "base/io.h"
#include "base/kernels.h"
#include "base/arith.h"
#include <math.h>

gls_status gls_source_read_block(gls_context *ctx, struct gls_reader *reader, int64_t bytes, const char *what,
                                 void **out) {
    enum { FIRST = 1 << 20 }; /* then twice as much each time: a wrong size costs at most what the file holds */
    char *block = NULL;
    *out = NULL;
    for (int64_t have = 0, room = 0; have < bytes || !block; have = room) {
        room = room ? room * 2 : FIRST;
        if (room > bytes) room = bytes;
        char *grown = gls_resize(ctx, block, room, 1);
        gls_status status = grown ? GLS_OK : GLS_ERR_MEMORY;
        if (grown) {
            block = grown;
            status = gls_reader_exact(reader, block + have, room - have, what);
        }
        if (status != GLS_OK) {
            gls_free(ctx, block);
            return status;
        }
    }
    *out = block;
    return GLS_OK;
}

gls_status gls_source_check_extents(gls_context *ctx, const char *path, int dims, const int64_t *shape, int64_t size,
                                    int64_t *out) {
    *out = size;
    bool empty = false;
    for (int i = 0; i < dims; i++) empty |= shape[i] == 0;
    for (int i = 0; i < dims; i++) {
        if (shape[i] < 0 || (!empty && __builtin_mul_overflow(*out, shape[i], out)))
            return gls_fail(ctx, GLS_ERR_INPUT, "%s: extent %d is %lld: the array's size is negative or overflows",
                            path, i, (long long)shape[i]);
    }
    if (empty) *out = 0;
    return GLS_OK;
}

gls_status gls_source_check_finite(gls_context *ctx, const char *path, const gls_real *x, int64_t rows,
                                   int64_t features) {
    if (gls_count_nonfinite(x, rows * features) == 0) return GLS_OK;
    int64_t i = 0;
    while (isfinite(x[i])) i++;
    return gls_fail(ctx, GLS_ERR_INPUT, "%s: row %lld, value %lld is not finite", path, (long long)(i / features),
                    (long long)(i % features));
}

char *gls_source_find_packed(gls_context *ctx, const char *path, bool *failed) {
    static const char *const suffix[] = {"", ".gz", ".xz"};
    *failed = false;
    for (int i = 0; i < 3; i++) {
        char *name = gls_sprintf(ctx, "%s%s", path, suffix[i]);
        if (!name) {
            *failed = true;
            return NULL;
        }
        if (gls_file_exists(name)) return name;
        gls_free(ctx, name);
    }
    return NULL;
}

void gls_source_say_dense(gls_context *ctx, const gls_source *source, const char *path, double bytes) {
    const gls_data_info *info = &source->info;
    double size = (double)info->examples * (double)info->features * bytes;
    if (info->sparse)
        gls_log(ctx, GLS_LOG_WARNING, "%s: sparse rows become dense: %lld x %lld values, at least %.3g MB", path,
                (long long)info->examples, (long long)info->features, size / 1e6);
}

gls_status gls_source_scan(gls_context *ctx, const gls_source *source, gls_scan_fn fn, void *user) {
    const gls_data_info *info = &source->info;
    enum { AT_ONCE = 256 }; /* rows */
    int64_t index[AT_ONCE];
    gls_rows *rows;
    GLS_TRY(gls_rows_create(ctx, info, gls_least(info->examples, AT_ONCE), &rows));
    gls_status status = GLS_OK;
    for (int64_t begin = 0; status == GLS_OK && begin < info->examples; begin += AT_ONCE) {
        gls_fetch fetch = {.count = gls_least(info->examples - begin, AT_ONCE), .index = index};
        for (int64_t i = 0; i < fetch.count; i++) index[i] = begin + i;
        gls_batch batch;
        status = gls_source_fetch(source, ctx, &fetch, rows, &batch);
        if (status == GLS_OK) status = fn(user, &batch, begin);
    }
    gls_rows_destroy(rows);
    return status;
}
