/* Sources written as bytes: a byte b means b / 255. Whether a source fits is found by looking at every
 * value. */
#include "data/bytes.h"
#include <math.h>

static gls_status check_batch(void *user, const gls_batch *batch, int64_t begin) {
    bool *fits = user;
    for (int64_t i = 0; *fits && i < batch->rows * batch->features; i++) {
        double b = (double)batch->x[i] * 255;
        *fits = b > -0.5 && b < 255.5 && fabs(b - rint(b)) < 1e-3;
    }
    return GLS_OK;
}

gls_status gls_bytes_fit(gls_context *ctx, const gls_source *source, bool *fits) {
    *fits = !source->info.sparse && !source->info.length;
    return *fits ? gls_source_scan(ctx, source, check_batch, fits) : GLS_OK;
}

void gls_bytes_from(uint8_t *to, const gls_real *x, int64_t n) {
    for (int64_t i = 0; i < n; i++) to[i] = (uint8_t)rint((double)x[i] * 255);
}
