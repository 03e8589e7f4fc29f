/* JPEG by libjpeg-turbo, with its default (exact) transforms. Its errors jump back; of its warnings those that leave
 * pixels unread are errors here. */
#include <setjmp.h>
#include <stdio.h>
#include <string.h>

#include <jpeglib.h>

#include <jerror.h>

#include "data/picture.h"

/* A file of a few KiB can claim thousands of passes over a large picture; encoders make about ten. */
enum { MOST_SCANS = 100 };

typedef struct decoder {
    struct jpeg_error_mgr errors; /* first, so that libjpeg's pointer leads here */
    struct jpeg_progress_mgr progress;
    jmp_buf back;
    struct jpeg_decompress_struct jpeg;
    gls_context *ctx;
    gls_picture *out;
    unsigned char *line;
    bool out_of_memory, unreadable;
    char message[JMSG_LENGTH_MAX];
} decoder;

static void on_error(j_common_ptr jpeg) {
    decoder *d = (decoder *)jpeg->err;
    jpeg->err->format_message(jpeg, d->message);
    longjmp(d->back, 1);
}

static void on_message(j_common_ptr jpeg, int level) {
    int code = jpeg->err->msg_code;
    if (level < 0 && (code == JWRN_JPEG_EOF || code == JWRN_HIT_MARKER || code == JWRN_HUFF_BAD_CODE)) on_error(jpeg);
}

static void on_progress(j_common_ptr jpeg) {
    decoder *d = (decoder *)jpeg->err;
    if (d->jpeg.input_scan_number <= MOST_SCANS) return;
    snprintf(d->message, sizeof d->message, "more than %d scans", MOST_SCANS);
    longjmp(d->back, 1);
}

/* All that may jump back; false: it did. */
static bool decode(decoder *d, const void *data, int64_t size) {
    struct jpeg_decompress_struct *jpeg = &d->jpeg;
    gls_picture *p = d->out;
    if (setjmp(d->back)) return false;
    jpeg_create_decompress(jpeg);
    jpeg->progress = &d->progress;
    d->progress.progress_monitor = on_progress;
    jpeg_mem_src(jpeg, data, (unsigned long)size);
    jpeg_read_header(jpeg, TRUE);
    p->width = jpeg->image_width;
    p->height = jpeg->image_height;
    p->channels = jpeg->num_components == 1 ? 1 : 3;
    p->most = 255;
    d->unreadable =
        p->width * p->height > GLS_PICTURE_PIXELS || (jpeg->num_components != 1 && jpeg->num_components != 3);
    if (d->unreadable) return true;
    int64_t n = p->width * p->channels;
    p->sample = gls_alloc(d->ctx, n * p->height, sizeof *p->sample);
    d->line = gls_alloc(d->ctx, n, 1);
    d->out_of_memory = !p->sample || !d->line;
    if (d->out_of_memory) return true;
    jpeg->out_color_space = p->channels == 1 ? JCS_GRAYSCALE : JCS_RGB;
    jpeg_start_decompress(jpeg); /* of a progressive file it reads all and takes as much memory again */
    while (jpeg->output_scanline < jpeg->output_height) {
        uint16_t *to = p->sample + (int64_t)jpeg->output_scanline * n;
        JSAMPROW lines[] = {d->line};
        jpeg_read_scanlines(jpeg, lines, 1);
        for (int64_t i = 0; i < n; i++) to[i] = d->line[i];
    }
    jpeg_finish_decompress(jpeg);
    return true;
}

gls_status gls_picture_decode_jpeg(gls_context *ctx, const char *path, const void *data, int64_t size,
                                   gls_picture *out) {
    *out = (gls_picture){0};
    decoder *d = gls_alloc(ctx, 1, sizeof *d); /* not on the stack, where a jump back would lose it */
    if (!d) return GLS_ERR_MEMORY;
    d->ctx = ctx;
    d->out = out;
    d->jpeg.err = jpeg_std_error(&d->errors);
    d->errors.error_exit = on_error;
    d->errors.emit_message = on_message;
    gls_status status = GLS_OK;
    if (!decode(d, data, size))
        status = gls_fail(ctx, GLS_ERR_INPUT, "%s: not a readable JPEG (%s)", path, d->message);
    else if (d->unreadable)
        status =
            gls_fail(ctx, GLS_ERR_INPUT, "%s: %lld x %lld pixels in %d components; expected grey or colour, at most %d",
                     path, (long long)out->width, (long long)out->height, d->jpeg.num_components, GLS_PICTURE_PIXELS);
    else if (d->out_of_memory)
        status = GLS_ERR_MEMORY;
    jpeg_destroy_decompress(&d->jpeg);
    gls_free(ctx, d->line);
    gls_free(ctx, d);
    if (status != GLS_OK) {
        gls_free(ctx, out->sample);
        out->sample = NULL;
    }
    return status;
}
