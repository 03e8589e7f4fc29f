/* Sources written as bytes: a byte b means b / 255. */
#ifndef GLS_DATA_BYTES_H
#define GLS_DATA_BYTES_H

#include "data/source.h"

/* Whether every feature is b / 255 for a byte b. */
gls_status gls_bytes_fit(gls_context *ctx, const gls_source *source, bool *fits);
void gls_bytes_from(uint8_t *to, const gls_real *x, int64_t n);

#endif
