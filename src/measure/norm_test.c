/* The norm test on a mini-batch S of B examples: E|g_S - grad F|^2, estimated by the examples' variance over B, against
 * theta^2 |g_S|^2. Passed, g_S is a descent direction with high probability; failed, the batch is too small for the
 * step it makes. Byrd, Chin, Nocedal and Wu, Sample size selection in optimization methods for machine learning,
 * Math. Program. 134 (2012), section 3. */
#include <glissade/measure.h>

#include "base/kernels.h"
#include "measure/moments.h"
#include "measure/norm_test.h"

#include <math.h>

typedef struct options {
    int64_t batch;
    double theta, smoothing;
    int mode, from;
} options;

static const gls_option table[] = {
    GLS_INT("batch", options, batch, "0", 0, 1e9, "examples it tests; 0: the run's batch"),
    GLS_REAL("theta", options, theta, "0.9", 0, 1e6, "noise allowed over the gradient's norm",
             .flags = GLS_OPTION_ABOVE_MIN),
    GLS_REAL("smoothing", options, smoothing, "0.9", 0, 1, "weight of the past in the running means of both sides"),
    GLS_ENUM("mode", options, mode, "train", "train|evaluate",
             "as in training (dropout, augmentation, batch statistics) or as in evaluation"),
    GLS_FROM_OPTION(options),
    {0},
};

static gls_status create(gls_measure *m) {
    if (((const options *)m->options)->from) m->needs |= GLS_MEASURE_NORMS;
    return GLS_OK;
}

gls_moments_test gls_moments_test_take(gls_moments_tests *r, double smoothing, double theta, int64_t groups,
                                       int64_t size, double group_norm2, double norm2, int64_t n) {
    double j = (double)groups, b = j * (double)size;
    gls_moments_test test = {.batch = b, .norm2 = norm2};
    test.left = n > 1 ? fmax(0, (double)n - b) / (double)(n - 1) : 1;
    if (groups < 2 || !(norm2 > 0)) return test;
    test.trace = (double)size * fmax(0, group_norm2 - norm2) * j / (j - 1);
    test.passed = test.trace * test.left <= theta * theta * norm2 * b;
    r->weight = smoothing * r->weight + 1;
    r->trace += (test.trace - r->trace) / r->weight;
    r->norm2 += (norm2 - r->norm2) / r->weight;
    r->tests += 1;
    r->passed += test.passed;
    return test;
}

gls_status gls_moments_test_report(const gls_moments_tests *r, const gls_moments_test *test, double theta,
                                   gls_measure_result *out) {
    double theta2 = theta * theta, scatter = test->trace * test->left / test->batch;
    if (!(test->norm2 > 0)) return gls_measure_result_meaningless(out, "the mini-batch's gradient is zero");
    GLS_TRY(gls_measure_result_number(out, "norm_test", "", sqrt(scatter / test->norm2) / theta));
    GLS_TRY(gls_measure_result_headline(out, "norm_test"));
    GLS_TRY(gls_measure_result_number(out, "norm_test_passed", "", test->passed));
    GLS_TRY(gls_measure_result_number(out, "norm_test_share", "", r->passed / r->tests));
    GLS_TRY(gls_measure_result_headline(out, "norm_test_share"));
    GLS_TRY(gls_measure_result_number(out, "norm_test_batch", "examples", r->trace / (theta2 * r->norm2)));
    GLS_TRY(gls_measure_result_headline(out, "norm_test_batch"));
    return gls_measure_result_number(out, "norm_test_smoothed", "",
                                     sqrt(r->trace * test->left / (test->batch * r->norm2)) / theta);
}

/* second_moment: mean |g_i|^2 over the batch; norm2: |g_S|^2; n examples in the set, 0 if unknown. */
static gls_status report(gls_measure *m, int64_t batch, double second_moment, double norm2, int64_t n,
                         gls_measure_result *out) {
    const options *o = m->options;
    out->sample = batch;
    out->population = n;
    if (batch < 2) return gls_measure_result_meaningless(out, "one example has no variance: at least two are needed");
    gls_moments_test test = gls_moments_test_take(m->self, o->smoothing, o->theta, batch, 1, second_moment, norm2, n);
    return gls_moments_test_report(m->self, &test, o->theta, out);
}

/* Examples of its own: as many as a mini-batch. */
static gls_status on_sample(gls_measure *m, gls_sample *s, gls_measure_result *out) {
    int64_t d = gls_problem_size(s->in->problem);
    double *norm2 = gls_alloc(m->ctx, s->count, sizeof *norm2), sum = 0, count = (double)s->count;
    gls_real *g = gls_alloc(m->ctx, d, sizeof *g);
    gls_sample_figures figures = {.norm2 = norm2, .g = g};
    gls_status status = norm2 && g ? GLS_OK : GLS_ERR_MEMORY;
    if (status == GLS_OK)
        status = gls_sample_rows(s, s->index, s->count, gls_sample_draw(s->in, 0), s->in->w, NULL, &figures);
    for (int64_t i = 0; status == GLS_OK && i < s->count; i++) sum += norm2[i];
    if (status == GLS_OK)
        status =
            report(m, s->count, sum / count, gls_team_sum_squares(m->ctx, g, d) / count / count, s->population, out);
    gls_free(m->ctx, norm2);
    gls_free(m->ctx, g);
    return status;
}

static gls_status on_problem(gls_measure *m, const gls_measure_input *in, gls_measure_result *out) {
    const options *o = m->options;
    int64_t n = in->index ? in->examples : gls_source_info(in->source)->examples;
    if (o->from) return report(m, in->step_examples, in->step_second_moment, in->step_norm2, n, out);
    int64_t batch = o->batch > 0 ? o->batch : in->batch > 0 ? in->batch : 128;
    gls_sample s;
    gls_status status = gls_sample_create(in, "measure.norm_test", (uint64_t)in->step, batch, (gls_mode)o->mode, &s);
    if (status == GLS_OK) status = on_sample(m, &s, out);
    gls_sample_destroy(&s);
    return status;
}

/* The rows are the mini-batch, drawn independently from a set that is not known. */
static gls_status on_matrix(gls_measure *m, const gls_measure_matrix *matrix, gls_measure_result *out) {
    double n = (double)matrix->n, norm2, sum = 0;
    double *mean = gls_alloc(m->ctx, matrix->d, sizeof *mean), *a = gls_alloc(m->ctx, 2 * matrix->n, sizeof *a);
    gls_status status = mean && a ? GLS_OK : GLS_ERR_MEMORY;
    if (status == GLS_OK) {
        gls_moments_matrix(matrix, mean, a, a + matrix->n, &norm2);
        for (int64_t i = 0; i < matrix->n; i++) sum += a[i];
        status = report(m, matrix->n, sum / n, norm2 / n / n, 0, out);
    }
    gls_free(m->ctx, mean);
    gls_free(m->ctx, a);
    return status;
}

static gls_status arrays(gls_measure *m, const char *prefix, gls_arrays *list) {
    return gls_arrays_add_state(m->ctx, list, prefix, "running", GLS_F64, sizeof(gls_moments_tests) / sizeof(double),
                                m->self);
}

/* A pass with norms costs up to 1.3 of a plain one (docs/measures.md). */
static double cost(const gls_measure *m, int64_t examples, int64_t batch) {
    const options *o = m->options;
    return o->from ? 0 : 1.3 * gls_sample_batch_or(o->batch, batch);
}

const gls_measure_type gls_measure_norm_test = {
    .member = {"norm_test", "whether a mini-batch's noise is small beside its gradient, and the batch where it is",
               "Byrd, Chin, Nocedal, Wu 2012, section 3", table, sizeof(options)},
    .self_size = sizeof(gls_moments_tests),
    .cost = cost,
    .create = create,
    .problem = on_problem,
    .matrix = on_matrix,
    .arrays = arrays,
};
