/* The constants of clipping's theorems at a point: G and the noise's alpha-moment, B by coordinate with its norms, and
 * which of the two bounds they make the smaller. [A] assumptions 1, 2, corollary 1, theorem 3 */
#include <glissade/measure.h>

#include <glissade/comm.h>

#include "base/sort.h"
#include "base/tensors.h"
#include "measure/alpha.h"
#include "measure/statistics.h"

#include <math.h>

enum { POINTS = 19 }; /* quantiles 0.05, 0.1, ..., 0.95 */

typedef struct options {
    gls_sample_options sample;
    double alpha;
    const char *write;
} options;

static const gls_option table[] = {
    GLS_SAMPLE_OPTIONS(options, "2048", "train"),
    GLS_REAL("alpha", options, alpha, "1.5", 1, 2, "order of the moments", .flags = GLS_OPTION_ABOVE_MIN),
    GLS_PATH("write", options, write, NULL,
             "file for the moments of all coordinates, an array a block (.safetensors): cclip takes it as thresholds"),
    {0},
};

/* The interval is that of the logarithm, by leaving out one part of the rows at a time (the jackknife). */
static gls_status report_moment(const gls_alpha *a, gls_alpha_kind kind, const char *name, gls_measure_result *out) {
    double value = gls_alpha_value(a, kind, -1), part[GLS_ALPHA_PARTS], square = 0, n = (double)a->parts;
    double low = NAN, high = NAN;
    for (int64_t p = 0; p < a->parts; p++) part[p] = a->parts > 1 ? log(gls_alpha_value(a, kind, p)) : NAN;
    double mean = gls_stat_mean(part, a->parts);
    for (int64_t p = 0; p < a->parts; p++) square += (part[p] - mean) * (part[p] - mean);
    if (a->parts == GLS_ALPHA_PARTS && a->left > 0 && isfinite(square)) {
        double reach = gls_stat_t975(n - 1) * sqrt((n - 1) / n * square * a->left);
        low = value * exp(-reach);
        high = value * exp(reach);
    }
    return gls_measure_result_estimate(out, name, "gradient", value, low, high);
}

/* Quantiles and maximum of B_k over coordinates, and |B|_2 of each block of the layout in order. */
static gls_status report_coordinates(const gls_alpha *a, const gls_layout *layout, double *b, gls_measure_result *out) {
    double p[POINTS], q[POINTS];
    for (int64_t k = 0; k < a->d; k++) b[k] = gls_alpha_coordinate(a, k);
    int64_t blocks = layout ? gls_layout_count(layout) : 0;
    double *block = gls_alloc(out->ctx, blocks, sizeof *block);
    if (!block) return GLS_ERR_MEMORY;
    for (int64_t i = 0; i < blocks; i++) {
        const gls_block *at = gls_layout_block(layout, i);
        for (int64_t k = at->offset; k < at->offset + at->size; k++) block[i] += b[k] * b[k];
        block[i] = sqrt(block[i]);
    }
    gls_status status = layout ? gls_measure_result_array(out, "block_moments", "gradient", blocks, block) : GLS_OK;
    gls_free(out->ctx, block);
    GLS_TRY(status);
    gls_sort_doubles(b, a->d);
    for (int i = 0; i < POINTS; i++) {
        p[i] = 0.05 * (i + 1);
        q[i] = gls_stat_quantile(b, a->d, p[i]);
    }
    GLS_TRY(gls_measure_result_number(out, "greatest_coordinate_moment", "gradient", b[a->d - 1]));
    GLS_TRY(gls_measure_result_array(out, "probabilities", "", POINTS, p));
    return gls_measure_result_array(out, "coordinate_moment_quantiles", "gradient", POINTS, q);
}

static gls_status report(const gls_alpha *a, const gls_layout *layout, gls_measure_result *out) {
    double *b = gls_alloc(out->ctx, a->d, sizeof *b);
    if (!b) return GLS_ERR_MEMORY;
    gls_status status = report_coordinates(a, layout, b, out);
    gls_free(out->ctx, b);
    GLS_TRY(status);
    GLS_TRY(gls_measure_result_number(out, "alpha", "", a->alpha));
    GLS_TRY(report_moment(a, GLS_ALPHA_WHOLE, "alpha_moment", out));
    GLS_TRY(gls_measure_result_headline(out, "alpha_moment"));
    GLS_TRY(report_moment(a, GLS_ALPHA_NOISE, "noise_alpha_moment", out));
    GLS_TRY(gls_measure_result_headline(out, "noise_alpha_moment"));
    GLS_TRY(report_moment(a, GLS_ALPHA_TWO, "coordinate_moment_norm", out));
    GLS_TRY(report_moment(a, GLS_ALPHA_OWN, "coordinate_moment_alpha_norm", out));
    double g = gls_alpha_value(a, GLS_ALPHA_WHOLE, -1), two = gls_alpha_value(a, GLS_ALPHA_TWO, -1);
    double own = gls_alpha_value(a, GLS_ALPHA_OWN, -1);
    GLS_TRY(gls_measure_result_number(out, "global_over_coordinate", "", g * g / (two * two)));
    GLS_TRY(gls_measure_result_number(out, "worst_global_over_coordinate", "", (double)a->d * own * own / (two * two)));
    return a->parts == GLS_ALPHA_PARTS
               ? GLS_OK
               : gls_measure_result_meaningless(out, "%lld examples are too few for moments with intervals",
                                                (long long)a->rows);
}

static gls_status write_file(const gls_alpha *a, const gls_layout *layout, const char *path) {
    gls_real *b = gls_alloc(a->ctx, a->d, sizeof *b);
    if (!b) return GLS_ERR_MEMORY;
    for (int64_t k = 0; k < a->d; k++) b[k] = (gls_real)gls_alpha_coordinate(a, k);
    gls_arrays arrays = {0};
    gls_status status = gls_arrays_add_layout(a->ctx, &arrays, layout, "", b);
    bool mine = gls_comm_rank(gls_context_comm(a->ctx)) == 0;
    if (status == GLS_OK && mine) status = gls_tensors_write(a->ctx, path, &arrays, NULL, 0);
    gls_arrays_clear(a->ctx, &arrays);
    gls_free(a->ctx, b);
    return gls_comm_agree(a->ctx, status);
}

static gls_status on_problem(gls_measure *m, const gls_measure_input *in, gls_measure_result *out) {
    const options *o = m->options;
    const gls_layout *layout = gls_problem_layout(in->problem);
    gls_sample s;
    gls_alpha a = {0};
    gls_status status = gls_sample_create(in, "measure.alpha_moments", (uint64_t)in->step, o->sample.sample,
                                          (gls_mode)o->sample.mode, &s);
    out->sample = s.count;
    out->population = s.population;
    if (status == GLS_OK) status = gls_alpha_sample(&s, o->alpha, &a);
    if (status == GLS_OK) status = report(&a, layout, out);
    if (status == GLS_OK && o->write) status = write_file(&a, layout, o->write);
    gls_alpha_clear(&a);
    gls_sample_destroy(&s);
    return status;
}

static gls_status on_matrix(gls_measure *m, const gls_measure_matrix *matrix, gls_measure_result *out) {
    const options *o = m->options;
    gls_alpha a = {0};
    if (o->write)
        return gls_fail(
            m->ctx, GLS_ERR_ARGUMENT,
            "measure 'alpha_moments': `write` names arrays by the blocks of a model, which a matrix has not");
    gls_status status = gls_alpha_matrix(m->ctx, matrix, o->alpha, &a);
    if (status == GLS_OK) status = report(&a, NULL, out);
    gls_alpha_clear(&a);
    return status;
}

/* A pass with norms and one with inner products, 1.3 each, one of losses, and one that forms every gradient. */
static double cost(const gls_measure *m, int64_t examples, int64_t batch) {
    const options *o = m->options;
    return (3 + gls_sample_singly(m, true)) * gls_sample_size(o->sample.sample, examples) + GLS_ALPHA_COST * m->breadth;
}

const gls_measure_type gls_measure_alpha_moments = {
    .member = {"alpha_moments", "moments of gradients and noise below the second, whole and by coordinate",
               "[A] assumptions 1, 2", table, sizeof(options)},
    .cost = cost,
    .least_sample = 256,
    .problem = on_problem,
    .matrix = on_matrix,
};
