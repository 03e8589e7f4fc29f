/* Generator glyphs: 28 x 28 grey images of ten drawn symbols under random affine maps, stroke widths, clutter and
 * noise. Hard for a linear model, easy for a small network. */
#include "data/stored.h"
#include "base/arith.h"
#include "data/table.h"
#include <math.h>
#include <string.h>

/* SIDE is MNIST's, so that a model fits both. No symbol is cut into more than MAX_SEGMENTS pieces. A task draws CHUNK
 * images. */
enum { SIDE = 28, PIXELS = SIDE * SIDE, CLASSES = 10, MAX_SEGMENTS = 48, CHUNK = 100 };

typedef struct glyph_options {
    int64_t train_size, test_size, seed;
    double noise, warp;
} glyph_options;

static const gls_option glyph_table[] = {
    GLS_INT("train_size", glyph_options, train_size, "12000", 1, 10000000, "training examples"),
    GLS_INT("test_size", glyph_options, test_size, "2000", 1, 10000000, "test examples"),
    GLS_INT("seed", glyph_options, seed, "1", 0, INFINITY, "seed of the drawings"),
    GLS_REAL("noise", glyph_options, noise, "0.08", 0, 1,
             "standard deviation of a pixel's noise; a full stroke has value 1"),
    GLS_REAL("warp", glyph_options, warp, "1", 0, 2, "strength of rotation, shear, scaling and shift"),
    {0},
};

/* ---- the symbols, in [-1, 1] x [-1, 1], y downwards ---- */

typedef struct stroke {
    bool arc;
    float v[8]; /* a polyline's points, or an arc's centre, radius, first and last angle in degrees */
    int points; /* of a polyline */
} stroke;

#define LINE2(...) \
    { false, {__VA_ARGS__}, 2 }
#define LINE3(...) \
    { false, {__VA_ARGS__}, 3 }
#define LINE4(...) \
    { false, {__VA_ARGS__}, 4 }
#define ARC(...) \
    { true, {__VA_ARGS__}, 0 }

static const struct {
    const char *name;
    int strokes;
    stroke stroke[4];
} symbol[CLASSES] = {
    {"ring", 1, {ARC(0, 0, 0.8f, 0, 360)}},
    {"cross", 2, {LINE2(-0.85f, 0, 0.85f, 0), LINE2(0, -0.9f, 0, 0.9f)}},
    {"triangle", 2, {LINE3(-0.85f, 0.7f, 0, -0.85f, 0.85f, 0.7f), LINE2(0.85f, 0.7f, -0.85f, 0.7f)}},
    {"gate", 2, {LINE4(-0.75f, 0.85f, -0.75f, -0.75f, 0.75f, -0.75f, 0.75f, 0.85f), LINE2(-0.75f, 0, 0.75f, 0)}},
    {"zigzag", 1, {LINE4(-0.75f, -0.8f, 0.75f, -0.8f, -0.75f, 0.8f, 0.75f, 0.8f)}},
    {"arrow", 2, {LINE2(0, 0.9f, 0, -0.9f), LINE3(-0.65f, -0.2f, 0, -0.9f, 0.65f, -0.2f)}},
    {"trident", 2, {LINE2(0, -0.85f, 0, 0.9f), ARC(0, -0.75f, 0.75f, 0, 180)}},
    {"hourglass", 2, {LINE4(-0.7f, -0.8f, 0.7f, -0.8f, -0.7f, 0.8f, 0.7f, 0.8f), LINE2(-0.7f, -0.8f, 0.7f, 0.8f)}},
    {"wave", 2, {ARC(-0.42f, 0, 0.42f, 180, 360), ARC(0.42f, 0, 0.42f, 0, 180)}},
    {"key", 3, {ARC(0, -0.45f, 0.42f, 0, 360), LINE2(0, -0.03f, 0, 0.9f), LINE2(0, 0.55f, 0.5f, 0.55f)}},
};

typedef struct segment {
    float x0, y0, x1, y1;
} segment;

/* Polylines and arcs as straight pieces, an arc of at most 24 degrees each: the error is about a fiftieth of the
 * radius. */
static int cut_symbol(int class, segment *to) {
    int count = 0;
    for (int s = 0; s < symbol[class].strokes; s++) {
        const stroke *k = &symbol[class].stroke[s];
        int pieces = k->arc ? (int)ceil(fabs((double)k->v[4] - (double)k->v[3]) / 24) : k->points - 1;
        for (int i = 0; i < pieces; i++) {
            segment *g = &to[count++];
            if (!k->arc) {
                *g = (segment){k->v[2 * i], k->v[2 * i + 1], k->v[2 * i + 2], k->v[2 * i + 3]};
                continue;
            }
            double turn = acos(-1.0) / 180, step = ((double)k->v[4] - (double)k->v[3]) / pieces;
            double a = ((double)k->v[3] + step * i) * turn, b = ((double)k->v[3] + step * (i + 1)) * turn;
            double r = (double)k->v[2];
            *g = (segment){(float)((double)k->v[0] + r * cos(a)), (float)((double)k->v[1] + r * sin(a)),
                           (float)((double)k->v[0] + r * cos(b)), (float)((double)k->v[1] + r * sin(b))};
        }
    }
    return count;
}

/* ---- one image ---- */

/* Pixels within half a width of the segment, with soft edges; the brighter of old and new ink stays. */
static void draw_segment(float *image, const segment *g, float half, float ink) {
    float reach = half + 1;
    int left = (int)floorf(fminf(g->x0, g->x1) - reach), right = (int)ceilf(fmaxf(g->x0, g->x1) + reach);
    int top = (int)floorf(fminf(g->y0, g->y1) - reach), bottom = (int)ceilf(fmaxf(g->y0, g->y1) + reach);
    float dx = g->x1 - g->x0, dy = g->y1 - g->y0, length = dx * dx + dy * dy;
    float per = length > 0 ? 1 / length : 0;
    for (int y = top < 0 ? 0 : top; y <= bottom && y < SIDE; y++)
        for (int x = left < 0 ? 0 : left; x <= right && x < SIDE; x++) {
            float px = (float)x - g->x0, py = (float)y - g->y0;
            float t = fminf(fmaxf((px * dx + py * dy) * per, 0), 1);
            float ex = px - t * dx, ey = py - t * dy;
            float cover = fminf(fmaxf(half + 0.5f - sqrtf(ex * ex + ey * ey), 0), 1) * ink;
            if (cover > image[y * SIDE + x]) image[y * SIDE + x] = cover;
        }
}

static float between(gls_random *random, double a, double b) {
    return (float)(a + (b - a) * gls_random_uniform(random));
}

typedef struct glyph_job {
    glyph_options options;
    segment cut[CLASSES][MAX_SEGMENTS];
    int segments[CLASSES];
    const char *purpose;
    int64_t examples;
    uint8_t *byte;
    int32_t *label;
} glyph_job;

/* A random affine map around the image's centre 13.5, and a random pen; warp 0 leaves the pen alone. */
static void draw_symbol(const glyph_job *job, int class, gls_random *random, float *image) {
    double warp = job->options.warp;
    float angle = between(random, -0.36, 0.36) * (float)warp, shear = between(random, -0.25, 0.25) * (float)warp;
    float size = 9.2f * (1 + between(random, -0.26, 0.08) * (float)warp);
    float ratio = 1 + between(random, -0.17, 0.17) * (float)warp;
    float cx = 13.5f + between(random, -3, 3) * (float)warp, cy = 13.5f + between(random, -3, 3) * (float)warp;
    float half = between(random, 0.6, 1.5), ink = between(random, 0.6, 1);
    float c = cosf(angle), s = sinf(angle);
    float a = size * ratio * c, b = size * (shear * c - s), p = size * ratio * s, q = size * (shear * s + c);
    for (int i = 0; i < job->segments[class]; i++) {
        const segment *g = &job->cut[class][i];
        segment mapped = {cx + a * g->x0 + b * g->y0, cy + p * g->x0 + q * g->y0, cx + a * g->x1 + b * g->y1,
                          cy + p * g->x1 + q * g->y1};
        draw_segment(image, &mapped, half, ink);
    }
}

/* Stray marks: up to two short strokes anywhere. */
static void draw_clutter(gls_random *random, float *image) {
    for (int64_t count = gls_random_below(random, 3); count > 0; count--) {
        float x = between(random, 0, SIDE), y = between(random, 0, SIDE);
        segment g = {x, y, x + between(random, -5, 5), y + between(random, -5, 5)};
        draw_segment(image, &g, between(random, 0.4, 0.9), between(random, 0.4, 0.9));
    }
}

/* Four bytes added up are nearly normal: mean 510, variance 21845, deviation 147.8. */
static float byte_noise(uint32_t u) {
    return ((float)((u & 255) + (u >> 8 & 255) + (u >> 16 & 255) + (u >> 24)) - 510) / 147.8f;
}

static void add_noise(const gls_random *random, float noise, const float *image, uint8_t *byte) {
    uint32_t four[4];
    for (int i = 0; i < PIXELS; i++) {
        if (i % 4 == 0) gls_random_block(random, (uint32_t)(i / 4), four);
        float v = (image[i] + noise * byte_noise(four[i % 4])) * 255 + 0.5f;
        byte[i] = (uint8_t)fminf(fmaxf(v, 0), 255);
    }
}

static int draw_glyph(const glyph_job *job, int64_t i, uint8_t *byte) {
    float image[PIXELS] = {0};
    int class = (int)(i % CLASSES);
    gls_random random = gls_random_create((uint64_t)job->options.seed, job->purpose, (uint64_t)i, 0);
    gls_random grain = gls_random_create((uint64_t)job->options.seed, job->purpose, (uint64_t)i, 1);
    draw_symbol(job, class, &random, image);
    draw_clutter(&random, image);
    add_noise(&grain, (float)job->options.noise, image, byte);
    return class;
}

static gls_status draw_chunk(void *user, int64_t task, int worker) {
    const glyph_job *job = user;
    for (int64_t i = task * CHUNK; i < (task + 1) * CHUNK && i < job->examples; i++)
        job->label[i] = draw_glyph(job, i, job->byte + i * PIXELS);
    return GLS_OK;
}

/* ---- images that are drawn where they are wanted, since all of them do not fit into memory ---- */

typedef struct glyph_source {
    gls_owned_source owned;
    glyph_job job;
} glyph_source;

static gls_status fetch_glyphs(const gls_source *source, gls_context *ctx, const gls_fetch *fetch, gls_rows *rows) {
    const glyph_source *s = (const glyph_source *)source;
    uint8_t byte[PIXELS];
    for (int64_t i = 0; i < fetch->count; i++) {
        if (rows->label) rows->label[i] = (int32_t)(fetch->index[i] % CLASSES);
        if (!rows->x) continue;
        draw_glyph(&s->job, fetch->index[i], byte);
        for (int k = 0; k < PIXELS; k++) rows->x[i * PIXELS + k] = (gls_real)byte[k] * (gls_real)(1.0 / 255);
    }
    return GLS_OK;
}

static const gls_source_ops glyph_ops = {fetch_glyphs, gls_owned_destroy};

static gls_status draw_later(gls_context *ctx, const glyph_job *job, const gls_data_info *info, gls_source **out) {
    glyph_source *s;
    GLS_TRY(gls_owned_create(ctx, sizeof *s, &glyph_ops, (void **)&s));
    s->job = *job;
    s->owned.source.info = *info;
    gls_status status = gls_owned_class_names(&s->owned, info->class_names, CLASSES);
    if (status == GLS_OK)
        *out = &s->owned.source;
    else
        gls_owned_destroy(&s->owned.source);
    return status;
}

static gls_status draw_all(gls_context *ctx, glyph_job *job, const gls_data_info *info, gls_source **out) {
    gls_owned_arrays arrays = {.scale = (gls_real)(1.0 / 255)};
    arrays.byte = job->byte = gls_alloc(ctx, job->examples, PIXELS);
    arrays.label = job->label = gls_alloc(ctx, job->examples, sizeof *arrays.label);
    gls_bound_take(ctx, job->examples * PIXELS);
    gls_status status = arrays.byte && arrays.label ? GLS_OK : GLS_ERR_MEMORY;
    if (status == GLS_OK) status = gls_parallel(ctx, gls_parts(job->examples, CHUNK), draw_chunk, job);
    if (status == GLS_OK) status = gls_source_own(ctx, info, &arrays, out);
    gls_owned_arrays_free(ctx, &arrays);
    return status;
}

/* Every image has a random stream of its own, so that images do not depend on threads or on how many are drawn. */
static gls_status open_glyphs(gls_context *ctx, const char *path, const void *options, gls_part part,
                              const gls_data_info *like, gls_source **out) {
    const glyph_options *o = options;
    bool test = part != GLS_PART_TRAIN;
    const char *names[CLASSES];
    glyph_job *job = gls_alloc(ctx, 1, sizeof *job);
    if (!job) return GLS_ERR_MEMORY;
    *job = (glyph_job){.options = *o,
                       .purpose = test ? "glyphs test" : "glyphs train",
                       .examples = test ? o->test_size : o->train_size};
    for (int k = 0; k < CLASSES; k++) {
        job->segments[k] = cut_symbol(k, job->cut[k]);
        names[k] = symbol[k].name;
    }
    gls_data_info info = {.examples = job->examples,
                          .features = PIXELS,
                          .dims = 3,
                          .shape = {1, SIDE, SIDE},
                          .target = GLS_TARGET_CLASS,
                          .classes = CLASSES,
                          .class_names = names};
    gls_status status = gls_bound_holds(ctx, job->examples * PIXELS) ? draw_all(ctx, job, &info, out)
                                                                     : draw_later(ctx, job, &info, out);
    gls_free(ctx, job);
    return status;
}

const gls_format gls_format_glyphs = {
    .member = {"glyphs", "28 x 28 images of ten drawn symbols, generated", "", glyph_table, sizeof(glyph_options)},
    .generator = true,
    .bounded = true,
    .open = open_glyphs,
};
