/* Dense examples in memory, as bytes or reals; bytes become reals as they are fetched. */
#include "data/source.h"
#include "base/kernels.h"
#include <string.h>

GLS_SIMD static void widen(gls_real *to, const uint8_t *from, gls_real scale, int64_t n) {
    for (int64_t i = 0; i < n; i++) to[i] = (gls_real)from[i] * scale;
}

static gls_status fetch_dense(const gls_source *source, gls_context *ctx, const gls_fetch *fetch, gls_rows *rows) {
    const gls_dense_source *dense = (const gls_dense_source *)source;
    int64_t features = source->info.features;
    for (int64_t i = 0; i < fetch->count; i++) {
        int64_t j = fetch->index[i];
        if (rows->x && dense->byte)
            widen(rows->x + i * features, dense->byte + j * features, dense->scale, features);
        else if (rows->x)
            memcpy(rows->x + i * features, dense->real + j * features, (size_t)features * sizeof *rows->x);
    }
    gls_fetch_targets(source, fetch, dense->label, dense->y, rows);
    return GLS_OK;
}

static void destroy_dense(gls_source *source) {
    gls_dense_source *dense = (gls_dense_source *)source;
    if (dense->owns) {
        gls_free(source->ctx, (void *)dense->real);
        gls_free(source->ctx, (void *)dense->byte);
        gls_free(source->ctx, (void *)dense->label);
        gls_free(source->ctx, (void *)dense->y);
    }
    gls_owned_destroy(source);
}

const gls_source_ops gls_dense_ops = {fetch_dense, destroy_dense};
