/* Compressed sparse rows in memory, the caller's or the source's own. */
#include "data/source.h"
#include <string.h>

static gls_status fetch_sparse(const gls_source *source, gls_context *ctx, const gls_fetch *fetch, gls_rows *rows) {
    const gls_sparse_source *sparse = (const gls_sparse_source *)source;
    gls_fetch_targets(source, fetch, sparse->label, sparse->y, rows);
    if (!rows->row) return GLS_OK;
    GLS_TRY(gls_fetch_offsets(fetch, sparse->row, rows));
    for (int64_t i = 0; i < fetch->count; i++) {
        int64_t from = sparse->row[fetch->index[i]], count = rows->row[i + 1] - rows->row[i];
        if (count) {
            memcpy(rows->column + rows->row[i], sparse->column + from, (size_t)count * sizeof *rows->column);
            memcpy(rows->value + rows->row[i], sparse->value + from, (size_t)count * sizeof *rows->value);
        }
    }
    return GLS_OK;
}

static void destroy_sparse(gls_source *source) {
    gls_sparse_source *sparse = (gls_sparse_source *)source;
    if (sparse->owns) {
        gls_free(source->ctx, (void *)sparse->row);
        gls_free(source->ctx, (void *)sparse->column);
        gls_free(source->ctx, (void *)sparse->value);
        gls_free(source->ctx, (void *)sparse->label);
        gls_free(source->ctx, (void *)sparse->y);
    }
    gls_owned_destroy(source);
}

const gls_source_ops gls_sparse_ops = {fetch_sparse, destroy_sparse};
