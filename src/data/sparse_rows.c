/* Compressed sparse rows in a scratch file: of each its columns, then its values. */
#include "data/sparse_rows.h"

typedef struct sparse_rows {
    gls_owned_source owned;
    gls_stored *file;
    const int64_t *row; /* [examples + 1] offsets, in non-zeros */
    const int32_t *label;
    const gls_real *y;
    int32_t base; /* of the first column as it is stored */
} sparse_rows;

enum { EACH = sizeof(int32_t) + sizeof(gls_real) }; /* bytes a non-zero */

gls_status gls_sparse_rows_append(gls_stored *file, const int64_t *row, int64_t rows, const int32_t *column,
                                  const gls_real *value) {
    for (int64_t i = 0; i < rows; i++) {
        int64_t from = row[i] - row[0], count = row[i + 1] - row[i];
        GLS_TRY(gls_stored_append(file, column + from, count * (int64_t)sizeof *column));
        GLS_TRY(gls_stored_append(file, value + from, count * (int64_t)sizeof *value));
    }
    return GLS_OK;
}

static gls_status read_row(const sparse_rows *s, gls_context *ctx, int64_t j, int32_t *column, gls_real *value) {
    int64_t count = s->row[j + 1] - s->row[j], columns = count * (int64_t)sizeof *column;
    GLS_TRY(gls_stored_read(s->file, ctx, s->row[j] * EACH, columns, column));
    GLS_TRY(gls_stored_read(s->file, ctx, s->row[j] * EACH + columns, count * (int64_t)sizeof *value, value));
    for (int64_t k = 0; k < count; k++) column[k] -= s->base;
    return GLS_OK;
}

static gls_status fetch_rows(const gls_source *source, gls_context *ctx, const gls_fetch *fetch, gls_rows *rows) {
    const sparse_rows *s = (const sparse_rows *)source;
    gls_fetch_targets(source, fetch, s->label, s->y, rows);
    if (!rows->row) return GLS_OK;
    GLS_TRY(gls_fetch_offsets(fetch, s->row, rows));
    for (int64_t i = 0; i < fetch->count; i++)
        if (rows->row[i + 1] > rows->row[i])
            GLS_TRY(read_row(s, ctx, fetch->index[i], rows->column + rows->row[i], rows->value + rows->row[i]));
    return GLS_OK;
}

static void destroy_rows(gls_source *source) {
    sparse_rows *s = (sparse_rows *)source;
    gls_stored_close(s->file);
    gls_free(source->ctx, (void *)s->row);
    gls_free(source->ctx, (void *)s->label);
    gls_free(source->ctx, (void *)s->y);
    gls_owned_destroy(source);
}

static void expect_rows(const gls_source *source, int64_t begin, int64_t end, bool soon) {
    const sparse_rows *s = (const sparse_rows *)source;
    gls_stored_expect(s->file, s->row[begin] * EACH, (s->row[end] - s->row[begin]) * EACH, soon);
}

static const gls_source_ops sparse_rows_ops = {fetch_rows, destroy_rows, expect_rows};

static gls_status create(gls_context *ctx, const gls_data_info *info, gls_owned_arrays *arrays, gls_stored *file,
                         int32_t base, gls_source **out) {
    sparse_rows *s;
    GLS_TRY(gls_owned_create(ctx, sizeof *s, &sparse_rows_ops, (void **)&s));
    s->file = file;
    s->base = base;
    s->row = arrays->row;
    s->label = arrays->label;
    s->y = arrays->y;
    arrays->row = NULL;
    arrays->label = NULL;
    arrays->y = NULL;
    gls_source *source = *out = &s->owned.source;
    source->info = *info;
    source->info.dims = 1;
    source->info.shape[0] = info->features;
    source->info.class_names = NULL;
    GLS_TRY(gls_stored_finish(file));
    return info->class_names ? gls_owned_class_names(&s->owned, info->class_names, info->classes) : GLS_OK;
}

gls_status gls_sparse_rows_own(gls_context *ctx, const gls_data_info *info, gls_owned_arrays *arrays, gls_stored *file,
                               int32_t base, gls_source **out) {
    *out = NULL;
    gls_status status = create(ctx, info, arrays, file, base, out);
    if (status == GLS_OK) return GLS_OK;
    if (*out)
        gls_source_destroy(*out);
    else
        gls_stored_close(file);
    *out = NULL;
    return status;
}
