/* PNG by libpng's row interface: samples come as stored, since nothing is asked of it but wider ones. */
#include "data/picture.h"
#include <png.h>
#include <setjmp.h>
#include <string.h>

typedef struct decoder {
    gls_context *ctx;
    const unsigned char *data;
    int64_t left;
    png_structp png;
    png_infop info;
    unsigned char *bytes; /* [height, row] */
    png_bytep *line;
    int64_t row;
    gls_picture *out;
    bool out_of_memory, too_large;
    char message[120];
} decoder;

static void on_error(png_structp png, png_const_charp message) {
    decoder *d = png_get_error_ptr(png);
    strncpy(d->message, message, sizeof d->message - 1);
    png_longjmp(png, 1);
}

/* What libpng only warns of leaves the samples as they are. */
static void on_warning(png_structp png, png_const_charp message) {
    (void)png;
    (void)message;
}

static png_voidp allocate(png_structp png, png_alloc_size_t size) {
    decoder *d = png_get_mem_ptr(png);
    void *block = gls_alloc(d->ctx, (int64_t)size, 1);
    d->out_of_memory |= !block;
    return block;
}

static void release(png_structp png, png_voidp block) {
    gls_free(((decoder *)png_get_mem_ptr(png))->ctx, block);
}

static void read_bytes(png_structp png, png_bytep to, size_t size) {
    decoder *d = png_get_io_ptr(png);
    if ((int64_t)size > d->left) png_error(png, "the file is cut off");
    memcpy(to, d->data, size);
    d->data += size;
    d->left -= (int64_t)size;
}

static void make_room(decoder *d) {
    gls_picture *p = d->out;
    p->sample = gls_alloc(d->ctx, p->width * p->height * p->channels, sizeof *p->sample);
    d->bytes = gls_alloc(d->ctx, d->row * p->height, 1);
    d->line = gls_alloc(d->ctx, p->height, sizeof *d->line);
    d->out_of_memory |= !p->sample || !d->bytes || !d->line;
    for (int64_t y = 0; !d->out_of_memory && y < p->height; y++) d->line[y] = d->bytes + y * d->row;
}

/* All that may jump back; false: it did. */
static bool decode(decoder *d) {
    if (setjmp(png_jmpbuf(d->png))) return false;
    gls_picture *p = d->out;
    png_set_read_fn(d->png, d, read_bytes);
    png_read_info(d->png, d->info);
    p->width = png_get_image_width(d->png, d->info);
    p->height = png_get_image_height(d->png, d->info);
    d->too_large = p->width * p->height > GLS_PICTURE_PIXELS;
    if (d->too_large) return true;
    png_set_expand(d->png); /* palettes, 1 to 4 bits and transparent colours become samples of 8 bits and alpha */
    png_set_interlace_handling(d->png);
    png_read_update_info(d->png, d->info);
    p->channels = png_get_channels(d->png, d->info);
    p->most = png_get_bit_depth(d->png, d->info) == 16 ? 65535 : 255;
    d->row = (int64_t)png_get_rowbytes(d->png, d->info);
    make_room(d);
    if (d->out_of_memory) return true;
    png_read_image(d->png, d->line);
    png_read_end(d->png, NULL);
    return true;
}

static void take_samples(decoder *d) {
    gls_picture *p = d->out;
    int64_t n = p->width * p->channels;
    for (int64_t y = 0; y < p->height; y++)
        for (int64_t i = 0; i < n; i++) {
            const unsigned char *from = d->line[y] + (p->most > 255 ? 2 * i : i);
            p->sample[y * n + i] = p->most > 255 ? (uint16_t)(from[0] << 8 | from[1]) : from[0];
        }
}

gls_status gls_picture_decode_png(gls_context *ctx, const char *path, const void *data, int64_t size,
                                  gls_picture *out) {
    *out = (gls_picture){0};
    decoder d = {.ctx = ctx, .data = data, .left = size, .out = out};
    d.png = png_create_read_struct_2(PNG_LIBPNG_VER_STRING, &d, on_error, on_warning, &d, allocate, release);
    d.info = d.png ? png_create_info_struct(d.png) : NULL;
    gls_status status = d.info ? GLS_OK : GLS_ERR_MEMORY;
    bool done = status == GLS_OK && decode(&d);
    if (d.out_of_memory)
        status = GLS_ERR_MEMORY;
    else if (status == GLS_OK && !done)
        status = gls_fail(ctx, GLS_ERR_INPUT, "%s: not a readable PNG (%s)", path, d.message);
    else if (status == GLS_OK && d.too_large)
        status = gls_fail(ctx, GLS_ERR_INPUT, "%s: %lld x %lld is more than %d pixels", path, (long long)out->width,
                          (long long)out->height, GLS_PICTURE_PIXELS);
    if (status == GLS_OK) take_samples(&d);
    png_destroy_read_struct(&d.png, &d.info, NULL);
    gls_free(ctx, d.line);
    gls_free(ctx, d.bytes);
    if (status != GLS_OK) {
        gls_free(ctx, out->sample);
        out->sample = NULL;
    }
    return status;
}
