/* m = beta1 m + (1 - beta1) g. gclip: w -= lr min(tau_k/|m|, 1) m; cclip: the same coordinate by coordinate.
 * tau_k = tau k^tau_exponent. */
#include "method/rule/rows.h"

#include <string.h>

typedef struct gclip_options {
    gls_method_common common;
    double beta1, tau, tau_exponent;
} gclip_options;

enum { TAU };

static double tau_at(const gls_update *update, const gclip_options *o) {
    return o->tau_exponent == 0 ? o->tau : o->tau * pow((double)update->k, o->tau_exponent);
}

static void coefficients(const gls_update *update, const void *options, double *out) {
    out[TAU] = tau_at(update, options);
}

/* ---- gclip: the norm of m is needed before w can move ---- */

/* Returns |m|^2, in the same loop. */
GLS_SIMD static double momentum_kernel(gls_real *restrict m, const gls_real *restrict g, gls_real keep, gls_real take,
                                       int64_t n) {
    double part[GLS_LANES] = {0};
    int64_t i = 0;
    for (; i + GLS_LANES <= n; i += GLS_LANES) {
        gls_real x[GLS_LANES];
        for (int j = 0; j < GLS_LANES; j++) m[i + j] = x[j] = keep * m[i + j] + take * g[i + j];
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
    *r->move = (gls_move){r->state[0], h};
}

/* ---- cclip ---- */

/* Thresholds of a user, one a coordinate; NULL: tau. */
typedef struct thresholds {
    gls_real *tau;
} thresholds;

GLS_SIMD static int cclip_kernel(gls_real *restrict step, gls_real *restrict m, const gls_real *restrict g,
                                 gls_real keep, gls_real take, gls_real tau, int64_t n) {
    int clipped = 0;
    for (int64_t i = 0; i < n; i++) {
        gls_real x = keep * m[i] + take * g[i];
        m[i] = x;
        clipped += gls_abs(x) > tau;
        x = x > tau ? tau : x;
        step[i] = x < -tau ? -tau : x;
    }
    return clipped;
}

GLS_SIMD static int cclip_vector_kernel(gls_real *restrict step, gls_real *restrict m, const gls_real *restrict g,
                                        const gls_real *restrict tau, gls_real keep, gls_real take, gls_real grown,
                                        int64_t n) {
    int clipped = 0;
    for (int64_t i = 0; i < n; i++) {
        gls_real x = keep * m[i] + take * g[i], t = grown * tau[i];
        m[i] = x;
        clipped += gls_abs(x) > t;
        x = x > t ? t : x;
        step[i] = x < -t ? -t : x;
    }
    return clipped;
}

static void cclip_main(const gls_range *r) {
    const gclip_options *o = r->options;
    const thresholds *own = r->update->self;
    gls_real keep = (gls_real)o->beta1, take = (gls_real)(1 - o->beta1);
    double tau = r->coefficient[TAU];
    r->sums[0] += own->tau ? cclip_vector_kernel(r->step, r->state[0], r->g, own->tau + r->offset, keep, take,
                                                 (gls_real)(tau / o->tau), r->size)
                           : cclip_kernel(r->step, r->state[0], r->g, keep, take, (gls_real)tau, r->size);
    r->move->rate = o->common.lr;
}

static void cclip_finish(gls_update *update, const gls_real *w) {
    update->clipped = update->parameters > 0 ? update->sums[0] / (double)update->parameters : 0;
}

static gls_status cclip_set_vector(void *self, const gls_method_setup *setup, const char *key, const gls_real *values) {
    thresholds *own = self;
    if (strcmp(key, "tau") != 0)
        return gls_fail(setup->ctx, GLS_ERR_ARGUMENT, "method cclip takes no vector '%s'; did you mean 'tau'?", key);
    for (int64_t i = 0; i < setup->parameters; i++)
        if (!(values[i] > 0) || isinf(values[i]))
            return gls_fail(setup->ctx, GLS_ERR_ARGUMENT,
                            "method cclip: tau[%lld]: expected a positive number, found %g", (long long)i,
                            (double)values[i]);
    if (!own->tau) own->tau = gls_alloc(setup->ctx, setup->parameters, sizeof *own->tau);
    if (!own->tau) return GLS_ERR_MEMORY;
    memcpy(own->tau, values, (size_t)setup->parameters * sizeof *values);
    return GLS_OK;
}

static void cclip_destroy(gls_context *ctx, void *self) {
    gls_free(ctx, ((thresholds *)self)->tau);
}

/* ---- the two members ---- */

static const char *const momentum[] = {"m", NULL};

static const gls_option table[] = {
    GLS_METHOD_LR("0.1"),
    ROW_BETA(gclip_options, beta1, "0.9", "share of the momentum that is kept"),
    ROW_POSITIVE(gclip_options, tau, "1", GLS_OPTION_SCHEDULABLE, "clip threshold of the momentum"),
    ROW_REAL(gclip_options, tau_exponent, "0", -INFINITY, INFINITY, 0,
             "the threshold grows: tau k^tau_exponent (1/alpha in theory)"),
    GLS_METHOD_COUPLED,
    GLS_METHOD_DECOUPLED_ROW,
    GLS_METHOD_REST,
    {0}};

const gls_method_type gls_method_gclip = {.member = {"gclip", "momentum clipped as a whole: w -= lr min(tau/|m|, 1) m",
                                                     "[A] Alg. 1", table, sizeof(gclip_options)},
                                          .vectors = momentum,
                                          .coefficients = coefficients,
                                          .first = gclip_first,
                                          .between = gclip_between,
                                          .main = gclip_main};
const gls_method_type gls_method_cclip = {
    .member = {"cclip", "momentum clipped coordinate by coordinate: w -= lr min(tau/|m|, 1) m", "[A] Alg. 1", table,
               sizeof(gclip_options)},
    .self_size = sizeof(thresholds),
    .vectors = momentum,
    .destroy = cclip_destroy,
    .coefficients = coefficients,
    .main = cclip_main,
    .finish = cclip_finish,
    .set_vector = cclip_set_vector};
