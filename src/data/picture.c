/* What is done with a decoded picture: its channels as planes, and planes in another size. */
#include "data/picture.h"
#include <math.h>
#include <string.h>

gls_status gls_picture_decode(gls_context *ctx, const char *path, const void *data, int64_t size, gls_picture *out) {
    *out = (gls_picture){0};
    if (size >= 8 && memcmp(data, "\x89PNG\r\n\x1a\n", 8) == 0)
        return gls_picture_decode_png(ctx, path, data, size, out);
    if (size >= 3 && memcmp(data, "\xff\xd8\xff", 3) == 0) return gls_picture_decode_jpeg(ctx, path, data, size, out);
    return gls_fail(ctx, GLS_ERR_INPUT, "%s: neither a PNG nor a JPEG", path);
}

/* ---- channels ---- */

/* 0.299 R + 0.587 G + 0.114 B in 1/65536, rounded: the arithmetic of Pillow's "L". */
static uint16_t luma(const uint16_t *p) {
    return (uint16_t)((19595LL * p[0] + 38470LL * p[1] + 7471LL * p[2] + 32768) >> 16);
}

static gls_status check_opaque(gls_context *ctx, const char *path, const gls_picture *p) {
    int64_t n = p->width * p->height;
    for (int64_t i = 0; i < n; i++)
        if (p->sample[i * p->channels + p->channels - 1] != p->most)
            return gls_fail(ctx, GLS_ERR_INPUT,
                            "%s: the pixel at (%lld, %lld) is transparent; alpha: channel makes transparency a channel "
                            "of its own",
                            path, (long long)(i % p->width), (long long)(i / p->width));
    return GLS_OK;
}

gls_status gls_picture_planes(gls_context *ctx, const char *path, const gls_picture *p, int colours, bool alpha,
                              gls_real **planes, int *channels) {
    bool has_alpha = p->channels % 2 == 0;
    int own = p->channels - has_alpha, wanted = colours ? colours : own;
    int64_t n = p->width * p->height;
    *planes = NULL;
    *channels = wanted + alpha;
    if (has_alpha && !alpha) GLS_TRY(check_opaque(ctx, path, p));
    gls_real *to = *planes = gls_alloc(ctx, n * *channels, sizeof *to);
    if (!to) return GLS_ERR_MEMORY;
    for (int64_t i = 0; i < n; i++) {
        const uint16_t *from = p->sample + i * p->channels;
        for (int c = 0; c < wanted; c++) to[c * n + i] = wanted == own ? from[c] : wanted == 1 ? luma(from) : from[0];
        if (alpha) to[wanted * n + i] = (gls_real)(has_alpha ? from[own] : p->most);
    }
    return GLS_OK;
}

/* ---- size ---- */

gls_picture_part gls_picture_middle(int64_t height, int64_t width) {
    double side = (double)(height < width ? height : width);
    return (gls_picture_part){((double)height - side) / 2, ((double)width - side) / 2, side};
}

/* The weights that make `size` values of `length` ones: value k is the sum of count[k] values from first[k] on. */
typedef struct taps {
    int64_t size, most, *first, *count;
    double *weight; /* [size, most] */
} taps;

static void taps_free(gls_context *ctx, taps *t) {
    gls_free(ctx, t->first);
    gls_free(ctx, t->count);
    gls_free(ctx, t->weight);
}

static gls_status taps_create(gls_context *ctx, int64_t length, double begin, double side, int64_t size, taps *t) {
    double step = side / (double)size, reach = step > 1 ? step : 1;
    *t = (taps){.size = size, .most = 2 * (int64_t)ceil(reach) + 1};
    t->first = gls_alloc(ctx, size, sizeof *t->first);
    t->count = gls_alloc(ctx, size, sizeof *t->count);
    t->weight = gls_alloc(ctx, size * t->most, sizeof *t->weight);
    if (!t->first || !t->count || !t->weight) {
        taps_free(ctx, t);
        return GLS_ERR_MEMORY;
    }
    for (int64_t k = 0; k < size; k++) {
        double centre = begin + ((double)k + 0.5) * step, sum = 0, *weight = t->weight + k * t->most;
        int64_t from = (int64_t)fmax(0, floor(centre - reach + 0.5));
        int64_t to = (int64_t)fmin((double)length, floor(centre + reach + 0.5));
        t->first[k] = from;
        t->count[k] = to - from < t->most ? to - from : t->most;
        for (int64_t i = 0; i < t->count[k]; i++)
            sum += weight[i] = fmax(0, 1 - fabs(((double)(from + i) - centre + 0.5) / reach));
        for (int64_t i = 0; i < t->count[k] && sum > 0; i++) weight[i] /= sum;
    }
    return GLS_OK;
}

/* Lines first, then columns. */
static void scale(const taps *across, const taps *down, const gls_real *plane, int64_t height, int64_t width,
                  double *lines, gls_real *to) {
    int64_t size = across->size;
    for (int64_t y = 0; y < height; y++)
        for (int64_t k = 0; k < size; k++) {
            double sum = 0;
            for (int64_t i = 0; i < across->count[k]; i++)
                sum += across->weight[k * across->most + i] * (double)plane[y * width + across->first[k] + i];
            lines[y * size + k] = sum;
        }
    for (int64_t k = 0; k < size; k++)
        for (int64_t x = 0; x < size; x++) {
            double sum = 0;
            for (int64_t i = 0; i < down->count[k]; i++)
                sum += down->weight[k * down->most + i] * lines[(down->first[k] + i) * size + x];
            to[k * size + x] = (gls_real)sum;
        }
}

gls_status gls_picture_scale(gls_context *ctx, const gls_real *plane, int64_t height, int64_t width,
                             gls_picture_part part, int64_t size, gls_real *to) {
    taps across, down;
    GLS_TRY(taps_create(ctx, width, part.left, part.side, size, &across));
    gls_status status = taps_create(ctx, height, part.top, part.side, size, &down);
    double *lines = status == GLS_OK ? gls_alloc(ctx, height * size, sizeof *lines) : NULL;
    if (lines)
        scale(&across, &down, plane, height, width, lines, to);
    else
        status = GLS_ERR_MEMORY;
    gls_free(ctx, lines);
    taps_free(ctx, &across);
    taps_free(ctx, &down);
    return status;
}
