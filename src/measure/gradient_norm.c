/* |grad F| on the whole set, or from a sample with the square's bias removed: the sample is cut into parts and only
 * products of different parts are averaged, which needs no example's own gradient. [T] (6.2) */
#include <glissade/measure.h>

#include "base/kernels.h"
#include "measure/moments.h"

#include <math.h>

enum { PARTS = 8 }; /* products of 28 pairs; more would cost memory, d values a part */

typedef struct options {
    gls_sample_options sample;
} options;

static const gls_option table[] = {GLS_SAMPLE_OPTIONS(options, "8192", "train"), {0}};

static gls_status report_whole(gls_sample *s, gls_real *g, gls_measure_result *out) {
    int64_t d = gls_problem_size(s->in->problem);
    GLS_TRY(gls_sample_mean(s, s->index, s->count, gls_sample_draw(s->in, 0), s->in->w, g, NULL, NULL));
    GLS_TRY(gls_measure_result_number(out, "gradient_norm", "gradient", sqrt(gls_team_sum_squares(s->ctx, g, d))));
    return gls_measure_result_headline(out, "gradient_norm");
}

/* Squared norms a and products c of the parts' gradients with their sum, kept as rows [parts, d] of g. */
static gls_status report_parts(gls_sample *s, gls_real *g, gls_real *sum, gls_measure_result *out) {
    int64_t d = gls_problem_size(s->in->problem), size = s->count / PARTS;
    double a[PARTS], c[PARTS];
    for (int j = 0; j < PARTS; j++) {
        GLS_TRY(
            gls_sample_mean(s, s->index + j * size, size, gls_sample_draw(s->in, j), s->in->w, g + j * d, NULL, NULL));
        gls_team_axpy(s->ctx, sum, 1, g + j * d, d);
        a[j] = gls_team_sum_squares(s->ctx, g + j * d, d);
    }
    for (int j = 0; j < PARTS; j++) c[j] = gls_team_dot(s->ctx, g + j * d, sum, d);
    double total = gls_team_sum_squares(s->ctx, sum, d), t = gls_stat_t975(PARTS - 1);
    gls_moments m;
    gls_moments_rows(PARTS, size, a, c, total, s->population, &m);
    double error = t * sqrt(m.v_g);
    GLS_TRY(gls_measure_result_estimate(out, "gradient_norm", "gradient", m.g > 0 ? sqrt(m.g) : NAN,
                                        sqrt(fmax(0, m.g - error)), sqrt(fmax(0, m.g + error))));
    GLS_TRY(gls_measure_result_headline(out, "gradient_norm"));
    GLS_TRY(gls_measure_result_estimate(out, "gradient_norm2", "gradient^2", m.g, m.g - error, m.g + error));
    GLS_TRY(gls_measure_result_number(out, "plain_gradient_norm", "gradient", sqrt(total) / PARTS));
    out->sample = size * PARTS;
    if (m.g > 0) return GLS_OK;
    return gls_measure_result_meaningless(out,
                                          "the unbiased estimate of |grad F|^2 is not positive: this sample cannot "
                                          "tell the gradient from zero");
}

static gls_status on_sample(gls_sample *s, gls_measure_result *out) {
    int64_t d = gls_problem_size(s->in->problem);
    bool whole = s->whole || s->count < 2 * PARTS;
    gls_real *g = gls_alloc(s->ctx, whole ? d : PARTS * d, sizeof *g),
             *sum = gls_alloc(s->ctx, whole ? 0 : d, sizeof *g);
    out->sample = s->count;
    out->population = s->population;
    gls_status status = g && sum ? GLS_OK : GLS_ERR_MEMORY;
    if (status == GLS_OK) status = whole ? report_whole(s, g, out) : report_parts(s, g, sum, out);
    if (status == GLS_OK && whole && !s->whole)
        status = gls_measure_result_note(out, "too few examples to remove the bias of the squared norm");
    gls_free(s->ctx, g);
    gls_free(s->ctx, sum);
    return status;
}

static gls_status on_problem(gls_measure *m, const gls_measure_input *in, gls_measure_result *out) {
    const options *o = m->options;
    gls_sample s;
    gls_status status = gls_sample_create(in, "measure.gradient_norm", (uint64_t)in->step, o->sample.sample,
                                          (gls_mode)o->sample.mode, &s);
    if (status == GLS_OK) status = on_sample(&s, out);
    gls_sample_destroy(&s);
    return status;
}

static gls_status on_matrix(gls_measure *m, const gls_measure_matrix *matrix, gls_measure_result *out) {
    gls_moments moments;
    GLS_TRY(gls_moments_of_matrix(m->ctx, matrix, &moments));
    bool known = moments.g >= 0;
    double error = moments.exact ? NAN : gls_stat_t975(fmax(1, (double)moments.rows - 1)) * sqrt(moments.v_g);
    double low = moments.exact ? NAN : sqrt(fmax(0, moments.g - error)), high = sqrt(fmax(0, moments.g + error));
    GLS_TRY(gls_measure_result_estimate(out, "gradient_norm", "gradient", known ? sqrt(moments.g) : NAN, low,
                                        moments.exact ? NAN : high));
    GLS_TRY(gls_measure_result_headline(out, "gradient_norm"));
    if (known) return GLS_OK;
    return gls_measure_result_meaningless(out, "%s", gls_moments_trouble(&moments));
}

static double cost(const gls_measure *m, int64_t examples, int64_t batch) {
    const options *o = m->options;
    return gls_sample_size(o->sample.sample, examples);
}

const gls_measure_type gls_measure_gradient_norm = {
    .member = {"gradient_norm", "norm of the full gradient", "[T] (6.2)", table, sizeof(options)},
    .cost = cost,
    .least_sample = 1024,
    .problem = on_problem,
    .matrix = on_matrix,
};
