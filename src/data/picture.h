/* One picture from memory, its samples as they are stored, and its channels as planes of numbers. */
#ifndef GLS_DATA_PICTURE_H
#define GLS_DATA_PICTURE_H

#include "data/source.h"

enum { GLS_PICTURE_PIXELS = 1 << 24 }; /* photographs have fewer; a file of a few KiB may claim gigabytes */

typedef struct gls_picture {
    int64_t width, height;
    int channels;     /* 1 grey, 2 grey and alpha, 3 colour, 4 colour and alpha */
    int most;         /* the largest sample: 255 or 65535 */
    uint16_t *sample; /* [height, width, channels], from gls_alloc */
} gls_picture;

/* Decodes a PNG (samples of 1, 2 and 4 bits scaled to 255, palettes resolved, gamma and colour profiles not applied) or
 * a JPEG (grey or colour), told by the first bytes. GLS_ERR_INPUT naming path for anything else, for what is broken and
 * for more than GLS_PICTURE_PIXELS. */
gls_status gls_picture_decode(gls_context *ctx, const char *path, const void *data, int64_t size, gls_picture *out);
gls_status gls_picture_decode_png(gls_context *ctx, const char *path, const void *data, int64_t size, gls_picture *out);
gls_status gls_picture_decode_jpeg(gls_context *ctx, const char *path, const void *data, int64_t size,
                                   gls_picture *out);

/* Planes [channels, height, width] of sample values from gls_alloc: grey (colours 1: ITU-R 601 luma, rounded) or colour
 * (3; grey thrice), 0: as it is; then alpha, `most` where the picture has none, if it is kept. If not, a picture with
 * transparent pixels is GLS_ERR_INPUT. */
gls_status gls_picture_planes(gls_context *ctx, const char *path, const gls_picture *picture, int colours, bool alpha,
                              gls_real **planes, int *channels);

/* The part of a plane [height, width] that is made `to` [size, size]. */
typedef struct gls_picture_part {
    double top, left, side;
} gls_picture_part;
/* The largest square in the middle. */
gls_picture_part gls_picture_middle(int64_t height, int64_t width);
/* Scales by the triangle filter, widened where the part shrinks, as Pillow's BILINEAR does, without rounding. */
gls_status gls_picture_scale(gls_context *ctx, const gls_real *plane, int64_t height, int64_t width,
                             gls_picture_part part, int64_t size, gls_real *to);

#endif
