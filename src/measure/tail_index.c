/* The tail index alpha of the gradient noise, coordinate by coordinate: 2 where it is as light as a normal's. [A] app.
 * H; the estimator on differences is ours. */
#include <glissade/measure.h>

#include "measure/sample.h"
#include "measure/tail_report.h"

enum { MOST_SAMPLES = 65536 }; /* of a matrix: bounds what is copied */

typedef struct options {
    gls_sample_options sample;
    int64_t coordinates, batch;
} options;

static const gls_option table[] = {
    GLS_SAMPLE_OPTIONS(options, "4096", "train"),
    GLS_INT("coordinates", options, coordinates, "100", 1, 1e5,
            "coordinates read, drawn from those with at most half exact zeros"),
    GLS_INT("batch", options, batch, "1", 1, 1e9,
            "examples in each gradient; above 1 a sample is a mini-batch, and `sample` counts these"),
    {0},
};

/* ---- where the samples come from ---- */

typedef struct gathered {
    gls_tail_samples z;
    int64_t *coordinate;
} gathered;

static gls_status gather_row(void *user, int64_t i, const gls_real *g) {
    const gathered *to = user;
    for (int64_t c = 0; c < to->z.coordinates; c++) to->z.x[c * to->z.samples + i] = (double)g[to->coordinate[c]];
    return GLS_OK;
}

static gls_status gather_batches(gls_sample *s, int64_t batch, gathered *to) {
    int64_t *index = gls_alloc(s->ctx, batch, sizeof *index);
    gls_real *g = gls_alloc(s->ctx, gls_problem_size(s->in->problem), sizeof *g);
    gls_status status = index && g ? GLS_OK : GLS_ERR_MEMORY;
    for (int64_t i = 0; status == GLS_OK && i < to->z.samples; i++) {
        status = gls_sample_batch(s, batch, index);
        if (status == GLS_OK)
            status = gls_sample_mean(s, index, batch, gls_sample_draw(s->in, i), s->in->w, g, NULL, NULL);
        if (status == GLS_OK) status = gather_row(to, i, g);
    }
    gls_free(s->ctx, index);
    gls_free(s->ctx, g);
    return status;
}

static gls_status gather(const options *o, gls_sample *s, gathered *to) {
    to->z.x = gls_alloc(s->ctx, to->z.coordinates * to->z.samples, sizeof *to->z.x);
    if (!to->z.x) return GLS_ERR_MEMORY;
    if (o->batch > 1) return gather_batches(s, o->batch, to);
    gls_status status = gls_sample_each(s, s->index, s->count, gls_sample_draw(s->in, 0), s->in->w, gather_row, to);
    return gls_sample_share(s, to->z.x, to->z.coordinates * to->z.samples, status);
}

static gls_status on_problem(gls_measure *m, const gls_measure_input *in, gls_measure_result *out) {
    const options *o = m->options;
    gls_sample s;
    GLS_TRY(gls_sample_create(in, "measure.tail_index", (uint64_t)in->step, o->batch > 1 ? -1 : o->sample.sample,
                              (gls_mode)o->sample.mode, &s));
    gathered to = {.z.samples = s.count};
    if (o->batch > 1) to.z.samples = o->sample.sample > 0 ? o->sample.sample : s.count;
    out->sample = to.z.samples;
    out->population = s.population;
    gls_log(m->ctx, GLS_LOG_INFO, "tail_index: reading %lld gradients of %lld examples", (long long)to.z.samples,
            (long long)o->batch);
    gls_status status = gls_tail_candidates(m->ctx, &s.random, o->coordinates, gls_problem_size(in->problem),
                                            &to.coordinate, &to.z.coordinates);
    if (status == GLS_OK) status = gather(o, &s, &to);
    if (status == GLS_OK) status = gls_tail_report(&to.z, o->coordinates, true, s.random, out);
    gls_free(m->ctx, to.z.x);
    gls_free(m->ctx, to.coordinate);
    gls_sample_destroy(&s);
    return status;
}

static gls_status on_matrix(gls_measure *m, const gls_measure_matrix *matrix, gls_measure_result *out) {
    const options *o = m->options;
    gls_random random = gls_random_create(matrix->seed, "measure.tail_index", 0, 0);
    gathered to = {.z.samples = matrix->n < MOST_SAMPLES ? matrix->n : MOST_SAMPLES};
    out->sample = to.z.samples;
    gls_status status =
        gls_tail_candidates(m->ctx, &random, o->coordinates, matrix->d, &to.coordinate, &to.z.coordinates);
    if (status == GLS_OK) {
        to.z.x = gls_alloc(m->ctx, to.z.coordinates * to.z.samples, sizeof *to.z.x);
        if (!to.z.x) status = GLS_ERR_MEMORY;
    }
    for (int64_t i = 0; status == GLS_OK && i < to.z.samples; i++) gather_row(&to, i, matrix->g + i * matrix->d);
    if (status == GLS_OK) status = gls_tail_report(&to.z, o->coordinates, true, random, out);
    gls_free(m->ctx, to.z.x);
    gls_free(m->ctx, to.coordinate);
    return status;
}

static double cost(const gls_measure *m, int64_t examples, int64_t batch) {
    const options *o = m->options;
    double size = gls_sample_size(o->sample.sample, examples);
    return o->batch > 1 ? size * (double)o->batch : size * gls_sample_singly(m, false);
}

const gls_measure_type gls_measure_tail_index = {
    .member = {"tail_index", "how heavy the tails of the gradient noise are: 2 as light as a normal's, below 2 heavy",
               "[A] app. H, and an estimator of ours", table, sizeof(options)},
    .needs = GLS_MEASURE_EXPENSIVE,
    .cost = cost,
    .least_sample = 512,
    .problem = on_problem,
    .matrix = on_matrix,
};
