/* Both ends of the Hessian's spectrum on a fixed sample: lambda_max is the one to hold against 2 / lr, hessian_norm is
 * the largest absolute eigenvalue. [T] (6.2) */
#include <glissade/measure.h>

#include "measure/lanczos.h"
#include "measure/sample.h"

#include <math.h>

typedef struct options {
    gls_sample_options sample;
    int64_t products, basis;
    double tolerance;
} options;

static const gls_option table[] = {
    GLS_SAMPLE_OPTIONS(options, "256", "train"),
    GLS_INT("products", options, products, "200", 2, 1e6, "greatest number of Hessian-vector products"),
    GLS_INT("basis", options, basis, "30", 8, 512, "vectors of length d held at once"),
    GLS_REAL("tolerance", options, tolerance, "1e-3", 0, 1,
             "residual of lambda_max over the largest absolute eigenvalue; ten times that for lambda_min",
             .flags = GLS_OPTION_ABOVE_MIN),
    {0},
};

typedef struct operator_of {
    gls_sample *sample;
    const gls_real *w;
    int64_t done, most;
} operator_of;

static gls_status apply(void *user, const gls_real *x, gls_real *y) {
    operator_of *h = user;
    if (++h->done % 20 == 0) {
        gls_log(h->sample->ctx, GLS_LOG_INFO, "sharpness: %lld of at most %lld products", (long long)h->done,
                (long long)h->most);
    }
    return gls_sample_hessian(h->sample, h->sample->index, h->sample->count, 1, h->w, x, y);
}

/* Fewer vectors where they would take more than a quarter GiB. */
static int basis_for(int64_t wanted, int64_t d) {
    int64_t most = ((int64_t)1 << 28) / (d * (int64_t)sizeof(gls_real));
    return (int)(wanted <= most ? wanted : most < 8 ? 8 : most);
}

static gls_status report(const gls_spectrum *s, double lr, gls_measure_result *out) {
    GLS_TRY(gls_measure_result_number(out, "lambda_max", "1/lr", s->largest));
    GLS_TRY(gls_measure_result_headline(out, "lambda_max"));
    GLS_TRY(gls_measure_result_number(out, "lambda_max_residual", "1/lr", s->largest_residual));
    GLS_TRY(gls_measure_result_number(out, "lambda_min", "1/lr", s->smallest));
    GLS_TRY(gls_measure_result_number(out, "lambda_min_residual", "1/lr", s->smallest_residual));
    GLS_TRY(gls_measure_result_number(out, "hessian_norm", "1/lr", fmax(fabs(s->largest), fabs(s->smallest))));
    GLS_TRY(gls_measure_result_headline(out, "hessian_norm"));
    GLS_TRY(gls_measure_result_number(out, "products", "count", (double)s->products));
    if (lr > 0) {
        GLS_TRY(gls_measure_result_number(out, "two_over_lr", "1/lr", 2 / lr));
        GLS_TRY(gls_measure_result_headline(out, "two_over_lr"));
    }
    if (s->converged) return GLS_OK;
    return gls_measure_result_note(out, "the residuals are not yet below the tolerance: allow more products");
}

static gls_status on_problem(gls_measure *m, const gls_measure_input *in, gls_measure_result *out) {
    const options *o = m->options;
    gls_sample s;
    /* Draw 0 whatever the step: the same examples and the same masks along the whole run. */
    gls_status status = gls_sample_create(in, "measure.sharpness", 0, o->sample.sample, (gls_mode)o->sample.mode, &s);
    out->sample = s.count;
    out->population = s.population;
    operator_of h = {&s, in->w, 0, o->products};
    int64_t d = gls_problem_size(in->problem);
    gls_lanczos lanczos = {.apply = apply,
                           .user = &h,
                           .n = d,
                           .basis = basis_for(o->basis, d),
                           .products = o->products,
                           .tolerance = o->tolerance,
                           .random = gls_random_create(in->seed, "measure.lanczos", 0, 0)};
    gls_spectrum spectrum;
    if (status == GLS_OK) {
        gls_log(m->ctx, GLS_LOG_INFO, "sharpness: at most %lld Hessian-vector products over %lld examples",
                (long long)o->products, (long long)s.count);
        status = gls_lanczos_ends(m->ctx, &lanczos, &spectrum);
    }
    if (status == GLS_OK) status = report(&spectrum, in->lr, out);
    if (status == GLS_OK) status = gls_sample_note_doubt(&s, out);
    gls_sample_destroy(&s);
    return status;
}

/* The ends usually settle within 50 products. */
static double cost(const gls_measure *m, int64_t examples, int64_t batch) {
    const options *o = m->options;
    return GLS_SAMPLE_PRODUCT * fmin((double)o->products, 50) * gls_sample_size(o->sample.sample, examples);
}

const gls_measure_type gls_measure_sharpness = {
    .member = {"sharpness", "largest eigenvalues of the Hessian on a fixed sample", "[T] (6.2)", table,
               sizeof(options)},
    .needs = GLS_MEASURE_EXPENSIVE,
    .cost = cost,
    .problem = on_problem,
};
