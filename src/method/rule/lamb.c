/* lamb: adam's direction r (+ lambda w), scaled per block by |w| / |r|, 1 where either is 0. Moments and norms in a
 * first pass, the step in a second. */
#include "rows.h"

typedef struct lamb_options {
    gls_method_common common;
    double beta1, beta2, eps;
} lamb_options;

enum { MEAN, ROOT };

static void coefficients(const gls_update *update, const void *options, double *out) {
    const lamb_options *o = options;
    out[MEAN] = 1 / (1 - pow(o->beta1, (double)update->k));
    out[ROOT] = 1 / sqrt(1 - pow(o->beta2, (double)update->k));
}

typedef struct weights {
    gls_real keep1, take1, keep2, take2, mean, root, eps, lambda;
} weights;

static weights weights_of(const gls_range *r) {
    const lamb_options *o = r->options;
    return (weights){(gls_real)o->beta1,
                     (gls_real)(1 - o->beta1),
                     (gls_real)o->beta2,
                     (gls_real)(1 - o->beta2),
                     (gls_real)r->coefficient[MEAN],
                     (gls_real)r->coefficient[ROOT],
                     (gls_real)o->eps,
                     (gls_real)r->decay};
}

/* The moments, and r from them. */
GLS_SIMD static void moments_kernel(gls_real *restrict r, gls_real *restrict m, gls_real *restrict s,
                                    const gls_real *restrict w, const gls_real *restrict g, weights c, int64_t n) {
    for (int64_t i = 0; i < n; i++) {
        gls_real x = c.keep1 * m[i] + c.take1 * g[i];
        gls_real y = c.keep2 * s[i] + c.take2 * (g[i] * g[i]);
        m[i] = x;
        s[i] = y;
        r[i] = c.mean * x / (gls_sqrt(y) * c.root + c.eps) + c.lambda * w[i];
    }
}

/* r once more: cheaper than writing it down. */
GLS_SIMD static void direction_kernel(gls_real *restrict r, const gls_real *restrict m, const gls_real *restrict s,
                                      const gls_real *restrict w, weights c, int64_t n) {
    for (int64_t i = 0; i < n; i++) r[i] = c.mean * m[i] / (gls_sqrt(s[i]) * c.root + c.eps) + c.lambda * w[i];
}

static void lamb_first(const gls_range *r) {
    moments_kernel(r->step, r->state[0], r->state[1], r->w, r->g, weights_of(r), r->size);
    r->sums[0] += gls_sum_squares(r->step, r->size);
    r->sums[1] += gls_sum_squares(r->w, r->size);
}

static void lamb_main(const gls_range *r) {
    double r2 = r->block_first[0], w2 = r->block_first[1];
    double trust = norm_is_zero(r2) || norm_is_zero(w2) ? 1 : sqrt(w2 / r2);
    direction_kernel(r->step, r->state[0], r->state[1], r->w, weights_of(r), r->size);
    r->move->rate = ((const lamb_options *)r->options)->common.lr * trust;
}

static const char *const moments[] = {"m", "s", NULL};

static const gls_option table[] = {GLS_METHOD_LR("0.001"),
                                   ROW_BETA(lamb_options, beta1, "0.9", "share of the mean gradient that is kept"),
                                   ROW_BETA(lamb_options, beta2, "0.999", "share of the mean square that is kept"),
                                   ROW_POSITIVE(lamb_options, eps, "1e-6", 0, "added to the root"),
                                   GLS_METHOD_DECAY("0", "lambda of the rule: lambda w is added to adam's direction"),
                                   GLS_METHOD_REST,
                                   {0}};

const gls_method_type gls_method_lamb = {
    .member = {"lamb", "adam's direction scaled to each block's weights", "[N] 1", table, sizeof(lamb_options)},
    .vectors = moments,
    .needs = GLS_METHOD_OWN_DECAY,
    .coefficients = coefficients,
    .first = lamb_first,
    .main = lamb_main};
