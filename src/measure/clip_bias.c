/* What clipping a gradient does to it at a threshold: second moment E|g^|^2, variance, and bias |E g^ - grad F|, for
 * the norm and coordinate by coordinate, beside the bounds of the lemmas. Thresholds are multiples of the moments that
 * the lemmas are about: c G, and c B_k. [A] lemmas 2, 5 */
#include <glissade/measure.h>

#include "base/kernels.h"
#include "measure/alpha.h"
#include "measure/moments.h"

#include <math.h>

enum { MOST = 32 }; /* multiples: each costs a pass with every gradient formed */

typedef struct options {
    gls_sample_options sample;
    double alpha;
    gls_reals multiples;
} options;

static const gls_option multiple = {
    .type = GLS_OPTION_REAL, .minimum = 0, .maximum = INFINITY, .flags = GLS_OPTION_ABOVE_MIN};
static const gls_option table[] = {
    GLS_SAMPLE_OPTIONS(options, "512", "train"),
    GLS_REAL("alpha", options, alpha, "1.5", 1, 2, "order of the moments", .flags = GLS_OPTION_ABOVE_MIN),
    GLS_LIST("multiples", options, multiples, "[0.5, 1, 2, 4, 8]", 1, MOST, &multiple,
             "thresholds, in units of the moments: tau = c G for the norm, tau_k = c B_k for coordinate k"),
    {0},
};

/* The names of one way to clip. */
typedef struct labels {
    const char *threshold, *clipped, *second, *variance, *bias, *second_bound, *bias_bound;
} labels;
static const labels names[2] = {{"global_threshold", "global_clipped_share", "global_second_moment", "global_variance",
                                 "global_bias", "global_second_moment_bound", "global_bias_bound"},
                                {"coordinate_threshold_norm", "coordinate_clipped_share", "coordinate_second_moment",
                                 "coordinate_variance", "coordinate_bias", "coordinate_second_moment_bound",
                                 "coordinate_bias_bound"}};

/* What was found at every multiple. */
typedef struct curves {
    double threshold[MOST], clipped[MOST], second[MOST], variance[MOST], bias[MOST], second_bound[MOST],
        bias_bound[MOST];
} curves;

/* One multiple. */
typedef struct clipping {
    const gls_alpha *alpha;
    const double *b; /* [d] B_k; NULL: the norm is clipped */
    gls_real *tau;   /* [d] multiple B_k */
    double multiple, threshold, scale;
    const double *norm;                        /* [rows] |g| */
    double *second, *removed, *share, *factor; /* [rows] |g^|^2, |g - g^|^2, share that was clipped, (g - g^) over g */
} clipping;

/* The sum of g - g^ where the norm is clipped: a share of each gradient. */
static gls_status clip_norms(gls_sample *s, clipping *c, gls_real *removed) {
    for (int64_t i = 0; i < s->count; i++) {
        double over = fmax(0, c->norm[i] - c->threshold);
        c->second[i] = pow(fmin(c->norm[i], c->threshold), 2);
        c->removed[i] = over * over;
        c->share[i] = over > 0;
        c->factor[i] = over > 0 ? over / c->norm[i] * c->scale : 0;
    }
    return gls_sample_weighted(s, s->index, s->count, gls_sample_draw(s->in, 0), s->in->w, c->factor, removed);
}

typedef struct clipped {
    double second, removed, count;
} clipped;

/* g becomes what clipping takes off scale g; count: of what it takes anything off. */
GLS_SIMD static clipped clip_kernel(gls_real *restrict g, const gls_real *restrict tau, gls_real scale, int64_t n) {
    double second[GLS_LANES] = {0}, removed[GLS_LANES] = {0}, count[GLS_LANES] = {0};
    int64_t whole = n - n % GLS_LANES;
    for (int64_t i = 0; i < whole; i += GLS_LANES) GLS_LANE_LOOP
    for (int j = 0; j < GLS_LANES; j++) {
        gls_real x = g[i + j] * scale, t = tau[i + j], below = x > t ? t : x, kept = below < -t ? -t : below;
        gls_real over = x - kept;
        count[j] += over != 0 ? 1.0 : 0.0;
        second[j] += (double)kept * (double)kept;
        removed[j] += (double)over * (double)over;
        g[i + j] = over;
    }
    for (int64_t i = whole; i < n; i++) {
        gls_real x = g[i] * scale, t = tau[i], kept = x > t ? t : x < -t ? -t : x, over = x - kept;
        count[i - whole] += over != 0 ? 1.0 : 0.0;
        second[i - whole] += (double)kept * (double)kept;
        removed[i - whole] += (double)over * (double)over;
        g[i] = over;
    }
    return (clipped){gls_combine_lanes(second), gls_combine_lanes(removed), gls_combine_lanes(count)};
}

/* A row becomes what clipping by coordinates takes off it. */
static gls_status clip_row(void *user, int64_t i, gls_real *g) {
    const clipping *c = user;
    clipped found = clip_kernel(g, c->tau, (gls_real)c->scale, c->alpha->d);
    c->second[i] = found.second;
    c->removed[i] = found.removed;
    c->share[i] = found.count / (double)c->alpha->d;
    return GLS_OK;
}

static gls_status clip_coordinates(gls_sample *s, clipping *c, gls_real *removed) {
    int64_t n = s->count;
    for (int64_t k = 0; k < c->alpha->d; k++) c->tau[k] = (gls_real)(c->multiple * c->b[k]);
    for (int64_t i = 0; i < n; i++) c->second[i] = c->removed[i] = c->share[i] = 0;
    gls_status status = gls_sample_sum(s, s->index, n, gls_sample_draw(s->in, 0), s->in->w, clip_row, c, removed);
    status = gls_sample_share(s, c->second, n, status);
    status = gls_sample_share(s, c->removed, n, status);
    return gls_sample_share(s, c->share, n, status);
}

/* The lemmas: E|g^|^2 <= G^alpha tau^(2 - alpha), bias^2 <= G^(2 alpha) tau^(2 - 2 alpha); by coordinate the same,
 * added up. With tau = c G both are powers of c times G^2. */
static void bound(const clipping *c, curves *to, int at) {
    double alpha = c->alpha->alpha, square = 0;
    if (c->b)
        for (int64_t k = 0; k < c->alpha->d; k++) square += c->b[k] * c->b[k];
    else
        square = pow(gls_alpha_value(c->alpha, GLS_ALPHA_WHOLE, -1), 2);
    to->threshold[at] = c->multiple * sqrt(square);
    to->second_bound[at] = square * pow(c->multiple, 2 - alpha);
    to->bias_bound[at] = sqrt(square) * pow(c->multiple, 1 - alpha);
}

/* The squared bias without the share that the sample's own scatter adds to |mean of g - g^|^2; NaN below zero. */
static double bias_of(const gls_sample *s, const clipping *c, double norm2_sum) {
    double n = (double)s->count, sum = 0, second, square;
    if (s->whole) return sqrt(norm2_sum) / n;
    for (int64_t i = 0; i < s->count; i++) sum += c->removed[i];
    gls_moments_estimate(s->count, 1, sum, norm2_sum, s->population, &second, &square);
    return square >= 0 ? sqrt(square) : NAN;
}

/* removed becomes the mean of g^ on the way: mean g - mean (g - g^). */
static gls_status clip_all(gls_sample *s, clipping *c, gls_real *removed, curves *to, int at) {
    int64_t d = c->alpha->d, n = s->count;
    GLS_TRY(c->b ? clip_coordinates(s, c, removed) : clip_norms(s, c, removed));
    bound(c, to, at);
    to->clipped[at] = gls_stat_mean(c->share, n);
    to->second[at] = gls_stat_mean(c->second, n);
    to->bias[at] = bias_of(s, c, gls_team_sum_squares(s->ctx, removed, d));
    gls_team_scale(s->ctx, removed, -1 / (double)n, d);
    gls_team_axpy(s->ctx, removed, 1, c->alpha->mean, d);
    to->variance[at] = fmax(0, to->second[at] - gls_team_sum_squares(s->ctx, removed, d));
    if (gls_interrupted(s->ctx)) return gls_fail(s->ctx, GLS_ERR_INTERRUPTED, "measure: interrupted");
    return GLS_OK;
}

static gls_status report(const labels *l, int64_t n, const curves *found, gls_measure_result *out) {
    const struct {
        const char *name, *unit;
        const double *value;
    } array[] = {{l->threshold, "gradient", found->threshold},
                 {l->clipped, "", found->clipped},
                 {l->second, "gradient^2", found->second},
                 {l->variance, "gradient^2", found->variance},
                 {l->bias, "gradient", found->bias},
                 {l->second_bound, "gradient^2", found->second_bound},
                 {l->bias_bound, "gradient", found->bias_bound}};
    for (size_t k = 0; k < sizeof array / sizeof *array; k++)
        GLS_TRY(gls_measure_result_array(out, array[k].name, array[k].unit, n, array[k].value));
    return GLS_OK;
}

static gls_status on_ways(const options *o, gls_sample *s, clipping *c, const double *b, gls_real *removed,
                          gls_measure_result *out) {
    GLS_TRY(gls_measure_result_array(out, "multiples", "", o->multiples.count, o->multiples.item));
    for (int way = 0; way < 2; way++) {
        curves found;
        c->b = way ? b : NULL;
        for (int k = 0; k < o->multiples.count; k++) {
            c->multiple = o->multiples.item[k];
            c->threshold = c->multiple * gls_alpha_value(c->alpha, GLS_ALPHA_WHOLE, -1);
            GLS_TRY(clip_all(s, c, removed, &found, k));
        }
        GLS_TRY(report(&names[way], o->multiples.count, &found, out));
    }
    GLS_TRY(gls_measure_result_number(out, "alpha_moment", "gradient", gls_alpha_value(c->alpha, GLS_ALPHA_WHOLE, -1)));
    return gls_measure_result_number(out, "coordinate_moment_norm", "gradient",
                                     gls_alpha_value(c->alpha, GLS_ALPHA_TWO, -1));
}

static gls_status on_moments(const options *o, gls_sample *s, const gls_alpha *a, double *x, double *b,
                             gls_real *removed, gls_measure_result *out) {
    int64_t n = s->count;
    gls_sample_figures figures = {.norm2 = x};
    GLS_TRY(gls_sample_rows(s, s->index, n, gls_sample_draw(s->in, 0), s->in->w, NULL, &figures));
    clipping c = {.alpha = a,
                  .tau = removed + a->d,
                  .scale = (double)n / figures.mass,
                  .norm = x,
                  .second = x + n,
                  .removed = x + 2 * n,
                  .share = x + 3 * n,
                  .factor = x + 4 * n};
    for (int64_t i = 0; i < n; i++) x[i] = sqrt(x[i]) * c.scale;
    for (int64_t k = 0; k < a->d; k++) b[k] = gls_alpha_coordinate(a, k);
    return on_ways(o, s, &c, b, removed, out);
}

static gls_status on_sample(const options *o, gls_sample *s, gls_alpha *a, gls_measure_result *out) {
    GLS_TRY(gls_alpha_sample(s, o->alpha, a));
    double *x = gls_alloc(s->ctx, 5 * s->count, sizeof *x), *b = gls_alloc(s->ctx, a->d, sizeof *b);
    gls_real *removed = gls_alloc(s->ctx, 2 * a->d, sizeof *removed);
    gls_status status = x && b && removed ? on_moments(o, s, a, x, b, removed, out) : GLS_ERR_MEMORY;
    gls_free(s->ctx, x);
    gls_free(s->ctx, b);
    gls_free(s->ctx, removed);
    return status;
}

static gls_status on_problem(gls_measure *m, const gls_measure_input *in, gls_measure_result *out) {
    const options *o = m->options;
    gls_sample s;
    gls_alpha a = {0};
    gls_status status =
        gls_sample_create(in, "measure.clip_bias", (uint64_t)in->step, o->sample.sample, (gls_mode)o->sample.mode, &s);
    out->sample = s.count;
    out->population = s.population;
    if (status == GLS_OK) status = on_sample(o, &s, &a, out);
    gls_alpha_clear(&a);
    gls_sample_destroy(&s);
    return status;
}

/* What the moments cost and a pass with norms; a multiple takes a gradient for the norm, and a pass that forms every
 * gradient for coordinates. */
static double cost(const gls_measure *m, int64_t examples, int64_t batch) {
    const options *o = m->options;
    double each = 4.5 + (double)o->multiples.count + (1 + (double)o->multiples.count) * gls_sample_singly(m, true);
    return each * gls_sample_size(o->sample.sample, examples) + GLS_ALPHA_COST * m->breadth;
}

const gls_measure_type gls_measure_clip_bias = {
    .member = {"clip_bias", "what clipping costs in bias and saves in variance, threshold by threshold",
               "[A] lemmas 2, 5", table, sizeof(options)},
    .needs = GLS_MEASURE_EXPENSIVE,
    .cost = cost,
    .least_sample = 128,
    .problem = on_problem,
};
