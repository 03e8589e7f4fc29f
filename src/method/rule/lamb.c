/* lamb: adam's direction r (+ lambda w), scaled per block by |w| / |r|, 1 where either is 0. Moments and norms in a
 * first pass, the step in a second. */
#include "method/rule/rows.h"

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

static inline gls_real direction(gls_real m, gls_real s, gls_real w, const weights *c) {
    return c->mean * m / (gls_sqrt(s) * c->root + c->eps) + c->lambda * w;
}

/* The moments; |r|^2 and |w|^2 are added to sums in the same loop. */
GLS_SIMD static void moments_kernel(gls_real *restrict m, gls_real *restrict s, const gls_real *restrict w,
                                    const gls_real *restrict g, weights c, int64_t n, double *restrict sums) {
    double r2[GLS_LANES] = {0}, w2[GLS_LANES] = {0};
    int64_t i = 0;
    for (; i + GLS_LANES <= n; i += GLS_LANES) {
        gls_real r[GLS_LANES];
        GLS_MOVE_AHEAD(i, m, s, w, g);
        GLS_LANE_LOOP
        for (int j = 0; j < GLS_LANES; j++) {
            gls_real x = c.keep1 * m[i + j] + c.take1 * g[i + j];
            gls_real y = c.keep2 * s[i + j] + c.take2 * (g[i + j] * g[i + j]);
            m[i + j] = x;
            s[i + j] = y;
            r[j] = direction(x, y, w[i + j], &c);
        }
        GLS_LANE_LOOP
        for (int j = 0; j < GLS_LANES; j++) r2[j] += (double)r[j] * (double)r[j];
        GLS_LANE_LOOP
        for (int j = 0; j < GLS_LANES; j++) w2[j] += (double)w[i + j] * (double)w[i + j];
    }
    for (int j = 0; i + j < n; j++) {
        m[i + j] = c.keep1 * m[i + j] + c.take1 * g[i + j];
        s[i + j] = c.keep2 * s[i + j] + c.take2 * (g[i + j] * g[i + j]);
        double r = (double)direction(m[i + j], s[i + j], w[i + j], &c);
        r2[j] += r * r;
        w2[j] += (double)w[i + j] * (double)w[i + j];
    }
    sums[0] += gls_combine_lanes(r2);
    sums[1] += gls_combine_lanes(w2);
}

/* r once more: cheaper than writing it down. */
GLS_SIMD static double direction_kernel(gls_real *restrict w, const gls_real *restrict m, const gls_real *restrict s,
                                        weights c, gls_move_target to, int64_t n) {
    double total;
    GLS_MOVE_LOOP(total, w, &to, n, GLS_MOVE_AHEAD(i, w, m, s), direction(m[k], s[k], w[k], &c));
    return total;
}

static void lamb_first(const gls_range *r) {
    moments_kernel(r->state[0], r->state[1], r->w, r->g, weights_of(r), r->size, r->sums);
}

static void lamb_main(const gls_range *r) {
    double r2 = r->block_first[0], w2 = r->block_first[1];
    double trust = gls_rule_norm_is_zero(r2) || gls_rule_norm_is_zero(w2) ? 1 : sqrt(w2 / r2);
    double rate = ((const lamb_options *)r->options)->common.lr * trust;
    r->target->moved2 +=
        direction_kernel(r->target->w, r->state[0], r->state[1], weights_of(r), gls_move_at(r, rate), r->size);
}

static const char *const moments[] = {"m", "s", NULL};

static const gls_option table[] = {GLS_METHOD_LR("0.001"),
                                   ROW_BETA(lamb_options, beta1, "0.9", "share of the mean gradient that is kept"),
                                   ROW_BETA(lamb_options, beta2, "0.999", "share of the mean square that is kept"),
                                   ROW_POSITIVE(lamb_options, eps, "1e-6", 0, "added to the root"),
                                   GLS_METHOD_DECAY("0", "lambda of the rule: lambda w is added to adam's direction"),
                                   GLS_METHOD_STATE,
                                   GLS_METHOD_REST,
                                   {0}};

const gls_method_type gls_method_lamb = {
    .member = {"lamb", "adam's direction scaled to each block's weights", "[N] 1", table, sizeof(lamb_options)},
    .vectors = moments,
    .not_negative = 2,
    .needs = GLS_METHOD_OWN_DECAY | GLS_METHOD_SQUARES | GLS_METHOD_MOVES | GLS_METHOD_STATE_FIRST,
    .coefficients = coefficients,
    .first = lamb_first,
    .main = lamb_main};
