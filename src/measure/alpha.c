/* alpha-moments by parts of the rows, so that leaving one part out at a time tells how far they can be trusted. */
#include "measure/alpha.h"

#include "base/arith.h"
#include "base/kernels.h"
#include "measure/noise.h"

#include <math.h>
#include <string.h>

static gls_status make(gls_context *ctx, double alpha, int64_t rows, int64_t d, gls_alpha *out) {
    *out = (gls_alpha){.ctx = ctx, .alpha = alpha, .d = d, .rows = rows, .left = 1};
    out->parts = gls_least(rows, GLS_ALPHA_PARTS);
    out->coordinate = gls_alloc(ctx, out->parts * d, sizeof *out->coordinate);
    out->mean = gls_alloc(ctx, d, sizeof *out->mean);
    for (int64_t p = 0; p < out->parts; p++)
        out->size[p] = (double)((p + 1) * rows / out->parts - p * rows / out->parts);
    return out->coordinate && out->mean ? GLS_OK : GLS_ERR_MEMORY;
}

void gls_alpha_clear(gls_alpha *a) {
    if (!a->ctx) return;
    gls_free(a->ctx, a->coordinate);
    gls_free(a->ctx, a->mean);
    *a = (gls_alpha){0};
}

static inline gls_real magnitude(gls_real x) {
    return x < 0 ? -x : x;
}

/* |scale x|^1.5 in place, the usual alpha, without a call; the sum of (scale x)^2. */
GLS_SIMD static double raise_by_half(gls_real *restrict g, gls_real scale, int64_t n) {
    double part[GLS_LANES] = {0};
    int64_t i = 0;
    for (; i + GLS_LANES <= n; i += GLS_LANES)
        for (int j = 0; j < GLS_LANES; j++) {
            gls_real x = magnitude(g[i + j] * scale);
            part[j] += (double)x * (double)x;
            g[i + j] = x * (gls_real)sqrt((double)x);
        }
    for (int j = 0; i + j < n; j++) {
        gls_real x = magnitude(g[i + j] * scale);
        part[j] += (double)x * (double)x;
        g[i + j] = x * (gls_real)sqrt((double)x);
    }
    return gls_combine_lanes(part);
}

/* The same to any power. */
static double raise(gls_real *g, int64_t d, double alpha, double scale) {
    if (alpha == 1.5) return raise_by_half(g, (gls_real)scale, d);
    double square = 0;
    for (int64_t k = 0; k < d; k++) {
        double x = fabs((double)g[k]) * scale;
        square += x * x;
        g[k] = (gls_real)pow(x, alpha);
    }
    return square;
}

typedef struct raising {
    const gls_alpha *alpha;
    double scale; /* 1 over the examples' mean mass */
    double *norm; /* [rows of the part] |g_i|^alpha */
} raising;

static gls_status raise_row(void *user, int64_t i, gls_real *g) {
    const raising *r = user;
    r->norm[i] = pow(raise(g, r->alpha->d, r->alpha->alpha, r->scale), r->alpha->alpha / 2);
    return GLS_OK;
}

static gls_status read_part(gls_sample *s, gls_alpha *a, int64_t p, double scale, double *norm) {
    int64_t begin = p * a->rows / a->parts, count = (int64_t)a->size[p];
    raising r = {.alpha = a, .scale = scale, .norm = norm};
    memset(norm, 0, (size_t)count * sizeof *norm);
    gls_status status = gls_sample_sum(s, s->index + begin, count, gls_sample_draw(s->in, 2 + p), s->in->w, raise_row,
                                       &r, a->coordinate + p * a->d);
    GLS_TRY(gls_sample_share(s, norm, count, status));
    for (int64_t i = 0; i < count; i++) a->whole[p] += norm[i];
    if (gls_interrupted(s->ctx)) return gls_fail(s->ctx, GLS_ERR_INTERRUPTED, "measure: interrupted");
    return GLS_OK;
}

static void add_noise(gls_alpha *a, const double *norm2) {
    for (int64_t p = 0; p < a->parts; p++)
        for (int64_t i = p * a->rows / a->parts; i < (p + 1) * a->rows / a->parts; i++)
            a->noise[p] += pow(norm2[i], a->alpha / 2);
}

/* The mass of the sample over its size: what a gradient is divided by, here as in the noise. */
static gls_status mean_mass(gls_sample *s, double *mass) {
    GLS_TRY(gls_sample_mean(s, s->index, s->count, gls_sample_draw(s->in, 1), s->in->w, NULL, NULL, mass));
    *mass /= (double)s->count;
    return GLS_OK;
}

static gls_status read_sample(gls_sample *s, double *norm2, gls_alpha *a) {
    double mass;
    GLS_TRY(gls_noise_examples(s, s->in->w, a->mean, norm2));
    GLS_TRY(mean_mass(s, &mass));
    add_noise(a, norm2);
    for (int64_t p = 0; p < a->parts; p++) GLS_TRY(read_part(s, a, p, 1 / mass, norm2));
    return GLS_OK;
}

gls_status gls_alpha_sample(gls_sample *s, double alpha, gls_alpha *out) {
    double *norm2 = gls_alloc(s->ctx, s->count, sizeof *norm2);
    gls_status status = make(s->ctx, alpha, s->count, gls_problem_size(s->in->problem), out);
    out->left = 1 - (double)s->count / (double)s->population;
    if (status == GLS_OK) status = norm2 ? read_sample(s, norm2, out) : GLS_ERR_MEMORY;
    gls_free(s->ctx, norm2);
    return status;
}

/* A matrix small enough to be given is small enough for one thread. */
static void read_matrix(const gls_measure_matrix *m, gls_real *row, gls_alpha *a) {
    for (int64_t p = 0; p < a->parts; p++)
        for (int64_t i = p * a->rows / a->parts; i < (p + 1) * a->rows / a->parts; i++) {
            memcpy(row, m->g + i * a->d, (size_t)a->d * sizeof *row);
            a->whole[p] += pow(raise(row, a->d, a->alpha, 1), a->alpha / 2);
            gls_axpy(a->coordinate + p * a->d, 1, row, a->d);
        }
}

gls_status gls_alpha_matrix(gls_context *ctx, const gls_measure_matrix *m, double alpha, gls_alpha *out) {
    double *norm2 = gls_alloc(ctx, m->n, sizeof *norm2), effective;
    gls_real *row = gls_alloc(ctx, m->d, sizeof *row);
    gls_status status = make(ctx, alpha, m->n, m->d, out);
    if (!m->sample) out->left = 0;
    if (status == GLS_OK && (!norm2 || !row)) status = GLS_ERR_MEMORY;
    if (status == GLS_OK) status = gls_noise_matrix(ctx, m, out->mean, norm2, &effective);
    if (status == GLS_OK) {
        add_noise(out, norm2);
        read_matrix(m, row, out);
    }
    gls_free(ctx, norm2);
    gls_free(ctx, row);
    return status;
}

/* ---- what is read from them ---- */

static double sum_without(const double *x, int64_t parts, int64_t without) {
    double sum = 0;
    for (int64_t p = 0; p < parts; p++) sum += p == without ? 0 : x[p];
    return sum;
}

static double coordinate_sum(const gls_alpha *a, int64_t k, int64_t without) {
    double sum = 0;
    for (int64_t p = 0; p < a->parts; p++) sum += p == without ? 0 : (double)a->coordinate[p * a->d + k];
    return sum;
}

/* From a third of the exponent, by steps that triple the digits that are right; 0 for what is too small to matter. */
static inline double cube_root(double x) {
    uint64_t bits;
    double y;
    memcpy(&bits, &x, sizeof bits);
    bits = ((bits >> 32) * 0xaaaaaaab >> 33) + 715094163; /* of the upper half, a third */
    bits <<= 32;
    memcpy(&y, &bits, sizeof y);
    for (int i = 0; i < 3; i++) {
        double cube = y * y * y;
        y *= (cube + 2 * x) / (2 * cube + x);
    }
    return x > 1e-290 ? y : 0;
}

enum { PIECE = 1024 }; /* coordinates at a time */

/* x [n] = their sums over the parts but one. */
GLS_SIMD static void add_parts(const gls_alpha *a, int64_t from, int64_t n, int64_t without, double *restrict x) {
    for (int64_t i = 0; i < n; i++) x[i] = 0;
    for (int64_t p = 0; p < a->parts; p++) {
        const gls_real *part = a->coordinate + p * a->d + from;
        for (int64_t i = 0; i < n && p != without; i++) x[i] += (double)part[i];
    }
}

/* Sum of (x_i / rows)^(4/3): the power 2 / 1.5, the usual one, without a call. */
GLS_SIMD static double raise_by_third(const double *x, double rows, int64_t n) {
    double part[GLS_LANES] = {0};
    int64_t whole = n - n % GLS_LANES;
    for (int64_t i = 0; i < whole; i += GLS_LANES) GLS_LANE_LOOP
    for (int j = 0; j < GLS_LANES; j++) part[j] += x[i + j] / rows * cube_root(x[i + j] / rows);
    for (int64_t i = whole; i < n; i++) part[i - whole] += x[i] / rows * cube_root(x[i] / rows);
    return gls_combine_lanes(part);
}

static double sum_of_squares(const gls_alpha *a, double rows, int64_t without) {
    double x[PIECE], sum = 0;
    for (int64_t from = 0; from < a->d; from += PIECE) {
        int64_t n = gls_least(a->d - from, PIECE);
        add_parts(a, from, n, without, x);
        if (a->alpha == 1.5)
            sum += raise_by_third(x, rows, n);
        else
            for (int64_t i = 0; i < n; i++) sum += pow(x[i] / rows, 2 / a->alpha);
    }
    return sum;
}

double gls_alpha_value(const gls_alpha *a, gls_alpha_kind kind, int64_t without) {
    double rows = sum_without(a->size, a->parts, without), sum = 0;
    if (kind == GLS_ALPHA_WHOLE) return pow(sum_without(a->whole, a->parts, without) / rows, 1 / a->alpha);
    if (kind == GLS_ALPHA_NOISE) return pow(sum_without(a->noise, a->parts, without) / rows, 1 / a->alpha);
    if (kind == GLS_ALPHA_OWN) {
        for (int64_t k = 0; k < a->d; k++) sum += coordinate_sum(a, k, without) / rows;
        return pow(sum, 1 / a->alpha);
    }
    return sqrt(sum_of_squares(a, rows, without));
}

double gls_alpha_coordinate(const gls_alpha *a, int64_t k) {
    return pow(coordinate_sum(a, k, -1) / sum_without(a->size, a->parts, -1), 1 / a->alpha);
}
