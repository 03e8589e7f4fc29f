/* One PNG image from memory. */
#ifndef GLS_DATA_PNG_H
#define GLS_DATA_PNG_H

#include "data/source.h"

typedef struct gls_png {
    int64_t width, height;
    int channels;
    uint8_t *pixel; /* [channels, height, width], from gls_alloc */
} gls_png;

/* Decodes to 1 or 3 channels of 8 bits (channels 0: as the file has), transparency over black. GLS_ERR_INPUT naming
 * path for what libpng refuses and for more than 2^24 pixels. */
gls_status gls_png_decode(gls_context *ctx, const char *path, const void *data, int64_t size, int channels,
                          gls_png *out);

#endif
