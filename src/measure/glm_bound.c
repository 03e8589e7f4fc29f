/* Lower bounds on the batch-size bound of a generalised linear model, from its features alone:
 * B_S >= n min |x_i|^2 / sigma_max(X)^2, and with sparse conflicts B_S >= n / (rho + 1), rho the largest degree of the
 * graph that joins examples with a common feature. [D] theorems 1 and 2; for the data term only. */
#include <glissade/measure.h>
#include "base/arith.h"

#include "measure/conflict.h"
#include "measure/lanczos.h"
#include "measure/sample.h"
#include "problem/glm.h"

#include <math.h>
#include <string.h>

enum { CHUNK = 1024 }; /* rows read at once */
#define MOST_WORK \
    2e10 /* word operations for the degree: some ten seconds of a core; beyond, an upper bound is reported */
#define MOST_NONZEROS 2e8 /* feature values held: 2.4 GB as column and double */

typedef struct options {
    int64_t sample, products;
    int bias;
} options;

static const gls_option table[] = {
    GLS_SIZE("sample", options, sample, "all", 0, 0, "examples it reads; the bounds are then those of this subset",
             .flags = GLS_OPTION_AUTO),
    GLS_INT("products", options, products, "300", 2, 1e6, "greatest number of products with X^T X"),
    GLS_ENUM("bias", options, bias, "auto", "auto|false|true",
             "count a constant feature; auto: if the problem has a block named bias"),
    {0},
};

/* The features, materialised as compressed rows. */
typedef struct features {
    int64_t rows, columns; /* columns with the constant one */
    int64_t *row;
    int32_t *column;
    double *value;
    int64_t capacity;
} features;

static gls_status reserve(gls_context *ctx, features *x, int64_t more) {
    int64_t needed = x->row[x->rows] + more;
    if (needed <= x->capacity) return GLS_OK;
    if ((double)needed > MOST_NONZEROS) {
        return gls_fail(ctx, GLS_ERR_UNSUPPORTED,
                        "glm_bound would hold more than %.0e feature values; give it a smaller sample", MOST_NONZEROS);
    }
    int64_t capacity = needed > 2 * x->capacity ? needed : 2 * x->capacity;
    int32_t *column = gls_resize(ctx, x->column, capacity, sizeof *column);
    if (!column) return GLS_ERR_MEMORY;
    x->column = column;
    double *value = gls_resize(ctx, x->value, capacity, sizeof *value);
    if (!value) return GLS_ERR_MEMORY;
    x->value = value;
    x->capacity = capacity;
    return GLS_OK;
}

static void put(features *x, int64_t column, double value) {
    if (value == 0) return;
    int64_t at = x->row[x->rows]++;
    x->column[at] = (int32_t)column;
    x->value[at] = value;
}

static gls_status add_row(gls_context *ctx, features *x, const gls_batch *batch, int64_t i, bool bias) {
    int64_t begin = batch->row ? batch->row[i] : 0, end = batch->row ? batch->row[i + 1] : batch->features;
    GLS_TRY(reserve(ctx, x, end - begin + 1));
    x->row[x->rows + 1] = x->row[x->rows];
    x->rows++;
    for (int64_t k = begin; k < end; k++) {
        if (batch->row)
            put(x, batch->column[k], (double)batch->value[k]);
        else
            put(x, k, (double)batch->x[i * batch->features + k]);
    }
    if (bias) put(x, batch->features, 1);
    return GLS_OK;
}

static gls_status read_features(gls_sample *s, gls_rows *rows, bool bias, features *x) {
    for (int64_t begin = 0; begin < s->count; begin += CHUNK) {
        int64_t n = gls_least(s->count - begin, CHUNK);
        gls_fetch fetch = {.count = n, .index = s->index + begin, .seed = s->in->seed};
        gls_batch batch;
        GLS_TRY(gls_source_fetch(s->in->source, s->ctx, &fetch, rows, &batch));
        if (!batch.x && !batch.row)
            return gls_fail(s->ctx, GLS_ERR_UNSUPPORTED, "glm_bound needs features; these data have none");
        for (int64_t i = 0; i < n; i++) GLS_TRY(add_row(s->ctx, x, &batch, i, bias));
    }
    return GLS_OK;
}

/* y = X^T X v, on the smaller side: vectors of length `columns`. */
static gls_status gram(void *user, const gls_real *v, gls_real *y) {
    const features *x = user;
    memset(y, 0, (size_t)x->columns * sizeof *y);
    for (int64_t i = 0; i < x->rows; i++) {
        double sum = 0;
        for (int64_t k = x->row[i]; k < x->row[i + 1]; k++) sum += x->value[k] * (double)v[x->column[k]];
        for (int64_t k = x->row[i]; k < x->row[i + 1]; k++)
            y[x->column[k]] = (gls_real)((double)y[x->column[k]] + sum * x->value[k]);
    }
    return GLS_OK;
}

static gls_status report_sigma(const options *o, gls_sample *s, features *x, gls_measure_result *out) {
    double smallest = INFINITY;
    for (int64_t i = 0; i < x->rows; i++) {
        double square = 0;
        for (int64_t k = x->row[i]; k < x->row[i + 1]; k++) square += x->value[k] * x->value[k];
        smallest = fmin(smallest, square);
    }
    gls_lanczos lanczos = {.apply = gram,
                           .user = x,
                           .n = x->columns,
                           .basis = 24,
                           .products = o->products,
                           .tolerance = sizeof(gls_real) == 4 ? 1e-5 : 1e-10,
                           .top_only = true,
                           .random = gls_random_create(s->in->seed, "measure.lanczos", 0, 0)};
    gls_spectrum spectrum;
    GLS_TRY(gls_lanczos_ends(s->ctx, &lanczos, &spectrum));
    /* The eigenvalue is at most the estimate and its residual: the bound stays one. */
    double sigma2 = spectrum.largest + spectrum.largest_residual;
    GLS_TRY(gls_measure_result_number(out, "sigma_max", "feature", sqrt(fmax(0, spectrum.largest))));
    GLS_TRY(gls_measure_result_number(out, "smallest_row_norm", "feature", sqrt(smallest)));
    GLS_TRY(gls_measure_result_number(out, "glm_bound", "examples",
                                      sigma2 > 0 ? (double)x->rows * smallest / sigma2 : NAN));
    return gls_measure_result_headline(out, "glm_bound");
}

static gls_status report_conflicts(gls_sample *s, const features *x, gls_measure_result *out) {
    gls_pattern pattern = {x->rows, x->columns, x->row, x->column};
    int64_t degree;
    double work;
    GLS_TRY(gls_conflict_bound(s->ctx, &pattern, &degree, &work));
    bool exact = work <= MOST_WORK;
    if (exact)
        GLS_TRY(gls_conflict_degree(s->ctx, &pattern, &degree));
    else {
        GLS_TRY(gls_measure_result_note(out,
                                        "the conflict graph is too large to walk: its degree is bounded from above "
                                        "by sums of feature counts"));
    }
    GLS_TRY(gls_measure_result_number(out, "conflict_degree", "examples", (double)degree));
    GLS_TRY(gls_measure_result_number(out, "conflict_bound", "examples", (double)x->rows / (double)(degree + 1)));
    return gls_measure_result_headline(out, "conflict_bound");
}

static gls_status on_features(const options *o, gls_sample *s, features *x, gls_measure_result *out) {
    bool bias = o->bias == 2 || (o->bias == 0 && gls_layout_find(gls_problem_layout(s->in->problem), "bias"));
    const gls_data_info *info = gls_source_info(s->in->source);
    gls_rows *rows;
    x->columns = info->features + bias;
    x->row = gls_alloc(s->ctx, s->count + 1, sizeof *x->row);
    if (!x->row) return GLS_ERR_MEMORY;
    GLS_TRY(gls_rows_create(s->ctx, info, CHUNK, &rows));
    gls_status status = read_features(s, rows, bias, x);
    gls_rows_destroy(rows);
    if (status == GLS_OK) status = report_sigma(o, s, x, out);
    if (status == GLS_OK) status = report_conflicts(s, x, out);
    return status;
}

/* Both theorems are about sums of f(<w, x_i>) alone. */
static gls_status report_trouble(const gls_problem *p, gls_measure_result *out) {
    if (p->type->forward != gls_glm_forward)
        return gls_measure_result_meaningless(out, "the bounds hold for generalised linear models, and '%s' is none",
                                              p->type->member.name);
    double l2 = ((const gls_glm *)p->self)->options.l2;
    if (l2 > 0)
        return gls_measure_result_meaningless(out,
                                              "the bounds are those of the data term alone; with l2: %g the "
                                              "batch-size bound may be smaller",
                                              l2);
    return GLS_OK;
}

static gls_status on_problem(gls_measure *m, const gls_measure_input *in, gls_measure_result *out) {
    const options *o = m->options;
    gls_sample s;
    features x = {0};
    gls_status status = gls_sample_create(in, "measure.glm_bound", 0, o->sample, GLS_MODE_EVALUATE, &s);
    out->sample = s.count;
    out->population = s.population;
    if (status == GLS_OK) status = on_features(o, &s, &x, out);
    if (status == GLS_OK) status = report_trouble(in->problem, out);
    gls_free(m->ctx, x.row);
    gls_free(m->ctx, x.column);
    gls_free(m->ctx, x.value);
    gls_sample_destroy(&s);
    return status;
}

const gls_measure_type gls_measure_glm_bound = {
    .member = {"glm_bound", "what the features of a generalised linear model say about the batch size", "[D] thm 1, 2",
               table, sizeof(options)},
    .needs = GLS_MEASURE_EXPENSIVE,
    .every = "1000",
    .problem = on_problem,
};
