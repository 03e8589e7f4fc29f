/* Compressed sparse rows in memory, the caller's or the source's own. */
#include "data/source.h"
#include <string.h>

/* Offsets come first, so that room for all rows is made once. */
static gls_status fetch_sparse(const gls_source *source, gls_context *ctx, const gls_fetch *fetch, gls_rows *rows) {
    const gls_sparse_source *sparse = (const gls_sparse_source *)source;
    int64_t targets = source->info.targets;
    if (rows->row) {
        for (int64_t i = 0; i < fetch->count; i++)
            rows->row[i + 1] = rows->row[i] + sparse->row[fetch->index[i] + 1] - sparse->row[fetch->index[i]];
        GLS_TRY(gls_rows_reserve(rows, rows->row[fetch->count]));
    }
    for (int64_t i = 0; i < fetch->count; i++) {
        int64_t j = fetch->index[i];
        if (rows->row) {
            int64_t from = sparse->row[j], count = sparse->row[j + 1] - from;
            if (count) {
                memcpy(rows->column + rows->row[i], sparse->column + from, (size_t)count * sizeof *rows->column);
                memcpy(rows->value + rows->row[i], sparse->value + from, (size_t)count * sizeof *rows->value);
            }
        }
        if (rows->label && sparse->label) rows->label[i] = sparse->label[j];
        if (rows->y && sparse->y)
            memcpy(rows->y + i * targets, sparse->y + j * targets, (size_t)targets * sizeof *rows->y);
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
