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

GLS_SIMD static void moments_kernel(gls_real *restrict m, gls_real *restrict s, const gls_real *restrict g,
                                    gls_real beta1, gls_real take1, gls_real beta2, gls_real take2, int64_t n) {
    for (int64_t i = 0; i < n; i++) {
        m[i] = beta1 * m[i] + take1 * g[i];
        s[i] = beta2 * s[i] + take2 * (g[i] * g[i]);
    }
}

typedef struct direction {
    gls_real mean, root, eps, lambda, rate;
} direction;

GLS_SIMD static void direction_kernel(gls_real *restrict r, const gls_real *restrict m, const gls_real *restrict s,
                                      const gls_real *restrict w, direction c, int64_t n) {
    for (int64_t i = 0; i < n; i++)
        r[i] = c.rate * (c.mean * m[i] / (gls_sqrt(s[i]) * c.root + c.eps) + c.lambda * w[i]);
}

static void form(const gls_range *r, double rate) {
    const lamb_options *o = r->options;
    direction c = {(gls_real)r->coefficient[MEAN], (gls_real)r->coefficient[ROOT], (gls_real)o->eps, (gls_real)r->decay,
                   (gls_real)rate};
    direction_kernel(r->step, r->state[0], r->state[1], r->w, c, r->size);
}

static void lamb_first(const gls_range *r) {
    const lamb_options *o = r->options;
    moments_kernel(r->state[0], r->state[1], r->g, (gls_real)o->beta1, (gls_real)(1 - o->beta1), (gls_real)o->beta2,
                   (gls_real)(1 - o->beta2), r->size);
    form(r, 1);
    r->sums[0] += gls_sum_squares(r->step, r->size);
    r->sums[1] += gls_sum_squares(r->w, r->size);
}

static void lamb_main(const gls_range *r) {
    double r2 = r->block_first[0], w2 = r->block_first[1];
    double trust = norm_is_zero(r2) || norm_is_zero(w2) ? 1 : sqrt(w2 / r2);
    form(r, ((const lamb_options *)r->options)->common.lr * trust);
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
