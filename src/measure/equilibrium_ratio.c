/* -2 <grad F, s> / <s, H s> of the steps s really taken, both time-averaged: 1 where descent and curvature balance
 * (docs/measures.md; settled against [T] (6.10)). Beside it the form for plain SGD, where the steps were its own, and
 * the thesis's heuristic |grad F|^2 / (lr Sigma L G). */
#include <glissade/measure.h>

#include "base/kernels.h"
#include "measure/lanczos.h"
#include "measure/noise.h"

#include <float.h>
#include <math.h>

typedef struct options {
    gls_sample_options sample;
    int64_t sharpness_sample, products;
} options;

static const gls_option table[] = {
    GLS_SAMPLE_OPTIONS(options, "4096", "train"),
    GLS_SIZE("sharpness_sample", options, sharpness_sample, "256", 1, 1e15,
             "examples of the sharpness in heuristic_ratio; all: the whole set"),
    GLS_INT("products", options, products, "20", 0, 1e6,
            "greatest number of Hessian-vector products for it; 0: no heuristic_ratio"),
    {0},
};

/* Sums along the run. */
typedef struct sums {
    double count, gradient2, descent, curved; /* |grad F|^2, -<grad F, s>, <s, H s> */
    double lr, known, plain;                  /* steps whose gradient g was known; of these, s = -lr g */
    double noise2, second;                    /* |g - grad F|^2, |g|^2, of these */
    double sharpness, sharp;                  /* sum of L, and over how many steps */
} sums;

/* The step from w_previous to w. */
typedef struct step {
    gls_real *full, *move, *product; /* each [d] */
} step;

/* Plain SGD's step differs from -lr g by the rounding of w alone. */
static bool is_plain(const gls_measure_input *in, const gls_real *move, int64_t d) {
    const double eps = sizeof(gls_real) == 4 ? (double)FLT_EPSILON : DBL_EPSILON;
    double off = 0, all = 0, rounding = 0;
    for (int64_t i = 0; i < d; i++) {
        double e = (double)move[i] + in->lr * (double)in->g[i], w = fabs((double)in->w_previous[i]);
        off += e * e;
        all += (double)move[i] * (double)move[i];
        rounding += eps * eps * (w + fabs((double)move[i])) * (w + fabs((double)move[i]));
    }
    return off <= 4 * rounding + 1e-8 * all;
}

static void add_gradient(const gls_measure_input *in, const step *v, int64_t d, sums *a) {
    a->known += 1;
    a->plain += is_plain(in, v->move, d);
    a->noise2 += gls_distance_squares(in->g, v->full, d);
    a->second += gls_team_sum_squares(in->problem->ctx, in->g, d);
    a->lr += in->lr;
}

static gls_status add_step(gls_sample *s, const step *v, sums *a) {
    const gls_measure_input *in = s->in;
    int64_t d = gls_problem_size(in->problem);
    uint64_t draw = gls_sample_draw(in, 0);
    for (int64_t i = 0; i < d; i++) v->move[i] = (gls_real)((double)in->w[i] - (double)in->w_previous[i]);
    GLS_TRY(gls_sample_mean(s, s->index, s->count, draw, in->w_previous, v->full, NULL, NULL));
    GLS_TRY(gls_sample_hessian(s, s->index, s->count, draw, in->w_previous, v->move, v->product));
    double length2 = gls_team_sum_squares(s->ctx, v->move, d), bent = gls_team_dot(s->ctx, v->move, v->product, d);
    if (!isfinite(length2) || !isfinite(bent)) return gls_fail(s->ctx, GLS_ERR_NONFINITE, "the step is not finite");
    a->count += 1;
    a->gradient2 += gls_team_sum_squares(s->ctx, v->full, d);
    a->descent -= gls_team_dot(s->ctx, v->full, v->move, d);
    a->curved += bent;
    if (in->g) add_gradient(in, v, d, a);
    return GLS_OK;
}

/* ---- the sharpness of (6.2), on the examples that the measure of that name reads ---- */

static gls_status apply(void *user, const gls_real *x, gls_real *y) {
    gls_sample *s = user;
    return gls_sample_hessian(s, s->index, s->count, 1, s->in->w_previous, x, y);
}

static gls_status add_sharpness(const options *o, gls_sample *s, sums *a) {
    enum { BASIS = 12 };
    gls_lanczos lanczos = {.apply = apply,
                           .user = s,
                           .n = gls_problem_size(s->in->problem),
                           .basis = BASIS,
                           .products = o->products < 2 ? 2 : o->products,
                           .tolerance = 0.01,
                           .top_only = true,
                           .random = gls_random_create(s->in->seed, "measure.lanczos", 0, 0)};
    gls_spectrum spectrum;
    GLS_TRY(gls_lanczos_ends(s->ctx, &lanczos, &spectrum));
    a->sharpness += fmax(fabs(spectrum.largest), fabs(spectrum.smallest));
    a->sharp += 1;
    return GLS_OK;
}

static gls_status sharpness(const options *o, const gls_measure_input *in, sums *a) {
    gls_sample s;
    if (o->products < 1 || !in->g) return GLS_OK;
    GLS_TRY(gls_sample_create(in, "measure.sharpness", 0, o->sharpness_sample, (gls_mode)o->sample.mode, &s));
    gls_status status = add_sharpness(o, &s, a);
    gls_sample_destroy(&s);
    return status;
}

/* ---- what comes out ---- */

static gls_status report_plain(const sums *a, gls_measure_result *out) {
    double rate = a->lr / a->known;
    if (a->plain == a->count) {
        GLS_TRY(gls_measure_result_number(out, "equilibrium_ratio", "", 2 * rate * a->gradient2 / a->curved));
        GLS_TRY(gls_measure_result_headline(out, "equilibrium_ratio"));
    }
    if (!(a->sharp > 0)) return GLS_OK;
    double scale = rate * sqrt(a->noise2 / a->known) * (a->sharpness / a->sharp) * sqrt(a->second / a->known);
    GLS_TRY(gls_measure_result_number(out, "heuristic_ratio", "", a->gradient2 / a->count / scale));
    return gls_measure_result_number(out, "mean_sharpness", "1/lr", a->sharpness / a->sharp);
}

static gls_status report(const sums *a, gls_measure_result *out) {
    GLS_TRY(gls_measure_result_number(out, "step_ratio", "", 2 * a->descent / a->curved));
    GLS_TRY(gls_measure_result_headline(out, "step_ratio"));
    if (a->known > 0) GLS_TRY(report_plain(a, out));
    GLS_TRY(gls_measure_result_number(out, "steps_averaged", "count", a->count));
    if (!(a->curved > 0)) {
        GLS_TRY(gls_measure_result_meaningless(out, "the curvature along the steps is not positive: there is no "
                                                    "equilibrium of this kind"));
    }
    return gls_measure_result_note(out,
                                   "step_ratio is 1 at rest for every method, once averaged over many steps; "
                                   "equilibrium_ratio, with |grad F|^2, is plain SGD's%s",
                                   out->sample < out->population ? ", and on a sample reads too large" : "");
}

static gls_status on_problem(gls_measure *m, const gls_measure_input *in, gls_measure_result *out) {
    const options *o = m->options;
    int64_t d = gls_problem_size(in->problem);
    gls_sample s;
    gls_status status = gls_sample_create(in, "measure.equilibrium_ratio", (uint64_t)in->step, o->sample.sample,
                                          (gls_mode)o->sample.mode, &s);
    gls_real *v = gls_alloc(m->ctx, 3 * d, sizeof *v);
    if (status == GLS_OK && !v) status = GLS_ERR_MEMORY;
    if (status == GLS_OK) status = add_step(&s, &(step){v, v + d, v + 2 * d}, m->self);
    if (status == GLS_OK) status = sharpness(o, in, m->self);
    out->sample = s.count;
    out->population = s.population;
    if (status == GLS_OK) status = report(m->self, out);
    if (status == GLS_OK) status = gls_sample_note_doubt(&s, out);
    gls_free(m->ctx, v);
    gls_sample_destroy(&s);
    return status;
}

static gls_status arrays(gls_measure *m, const char *prefix, gls_arrays *list) {
    return gls_arrays_add_state(m->ctx, list, prefix, "sums", GLS_F64, sizeof(sums) / sizeof(double), m->self);
}

/* A gradient and a product along the step, and the products of the sharpness. */
static double cost(const gls_measure *m, int64_t examples, int64_t batch) {
    const options *o = m->options;
    return (1 + GLS_SAMPLE_PRODUCT) * gls_sample_size(o->sample.sample, examples) +
           GLS_SAMPLE_PRODUCT * (double)o->products * gls_sample_size(o->sharpness_sample, examples);
}

const gls_measure_type gls_measure_equilibrium_ratio = {
    .member = {"equilibrium_ratio", "whether descent and curvature balance along the steps taken: 1 at rest",
               "[T] (6.10), corrected", table, sizeof(options)},
    .self_size = sizeof(sums),
    .needs = GLS_MEASURE_PREVIOUS | GLS_MEASURE_LR | GLS_MEASURE_EXPENSIVE,
    .cost = cost,
    .least_sample = 512,
    .problem = on_problem,
    .arrays = arrays,
};
