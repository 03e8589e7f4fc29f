/* m = beta1 m + (1 - beta1) g; w -= lr min(tau_k/|m|, 1) m; tau_k = tau k^tau_exponent. */
#include "method/rule/rows.h"

typedef struct gclip_options {
    gls_method_common common;
    double beta1, tau, tau_exponent;
} gclip_options;

enum { TAU };

static double tau_at(const gls_update *update, const gclip_options *o) {
    return gls_rule_threshold(o->tau, o->tau_exponent, update->k);
}

static void coefficients(const gls_update *update, const void *options, double *out) {
    out[TAU] = tau_at(update, options);
}

/* Returns |m|^2, in the same loop. */
GLS_SIMD static double momentum_kernel(gls_real *restrict m, const gls_real *restrict g, gls_real keep, gls_real take,
                                       int64_t n) {
    double part[GLS_LANES] = {0};
    int64_t i = 0;
    for (; i + GLS_LANES <= n; i += GLS_LANES) {
        gls_real x[GLS_LANES];
        GLS_MOVE_AHEAD(i, m, g);
        GLS_LANE_LOOP
        for (int j = 0; j < GLS_LANES; j++) m[i + j] = x[j] = keep * m[i + j] + take * g[i + j];
        GLS_LANE_LOOP
        for (int j = 0; j < GLS_LANES; j++) part[j] += (double)x[j] * (double)x[j];
    }
    for (int j = 0; i + j < n; j++) {
        m[i + j] = keep * m[i + j] + take * g[i + j];
        part[j] += (double)m[i + j] * (double)m[i + j];
    }
    return gls_combine_lanes(part);
}

static void gclip_first(const gls_range *r) {
    const gclip_options *o = r->options;
    r->sums[0] += momentum_kernel(r->state[0], r->g, (gls_real)o->beta1, (gls_real)(1 - o->beta1), r->size);
}

static double gclip_factor(const gls_update *update, double tau) {
    double norm = sqrt(update->first[0]);
    return norm <= tau ? 1 : tau / norm;
}

static void gclip_between(gls_update *update) {
    update->factor = gclip_factor(update, tau_at(update, update->options));
}

static void gclip_main(const gls_range *r) {
    double h = ((const gclip_options *)r->options)->common.lr * gclip_factor(r->update, r->coefficient[TAU]);
    gls_move_target to = gls_move_at(r, h);
    to.gain = 1; /* it is in m */
    r->target->moved2 += gls_move_along(to.w, r->state[0], to, r->size);
}

static const char *const momentum[] = {"m", NULL};

static const gls_option table[] = {GLS_METHOD_LR("0.1"),
                                   ROWS_GROWING_THRESHOLD(gclip_options),
                                   GLS_METHOD_COUPLED,
                                   GLS_METHOD_DECOUPLED_ROW,
                                   GLS_METHOD_STATE,
                                   GLS_METHOD_REST,
                                   {0}};

const gls_method_type gls_method_gclip = {.member = {"gclip", "momentum clipped as a whole: w -= lr min(tau/|m|, 1) m",
                                                     "[A] Alg. 1", table, sizeof(gclip_options)},
                                          .vectors = momentum,
                                          .needs = GLS_METHOD_MOVES | GLS_METHOD_STATE_FIRST,
                                          .coefficients = coefficients,
                                          .first = gclip_first,
                                          .between = gclip_between,
                                          .main = gclip_main};
