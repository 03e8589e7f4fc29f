/* acclip: m = beta1 m + (1 - beta1) g; t = beta2 t + (1 - beta2) |g|^alpha; w -= lr min(tau/(|m| + eps), 1) m with
 * tau = t^(1/alpha). t starts at tau0^alpha; bias_correction divides it by 1 - beta2^k. */
#include "base/arith.h"
#include "method/rule/rows.h"
#include "base/sort.h"

#include <stdlib.h>

typedef struct acclip_options {
    gls_method_common common;
    double beta1, beta2, eps, alpha, tau0;
    bool bias_correction;
} acclip_options;

/* What the last step counted. */
typedef struct acclip {
    double eps_share;
    double correction;
} acclip;

enum { START, CORRECTION };

static gls_status create(void *memory, const gls_method_setup *setup) {
    const acclip_options *o = setup->options;
    if (!o->bias_correction || o->tau0 == 0) return GLS_OK;
    return gls_fail(setup->ctx, GLS_ERR_ARGUMENT,
                    "method acclip: bias_correction takes the thresholds to start at 0 and would multiply tau0 by "
                    "1/(1 - beta2); give one of the two");
}

static double correction_at(const gls_update *update, const acclip_options *o) {
    return o->bias_correction ? 1 / (1 - pow(o->beta2, (double)update->k)) : 1;
}

static void coefficients(const gls_update *update, const void *options, double *out) {
    const acclip_options *o = options;
    out[START] = update->k == 1 ? pow(o->tau0, o->alpha) : 0;
    out[CORRECTION] = correction_at(update, o);
}

typedef struct weights {
    gls_real keep1, take1, keep2, take2, correction, eps;
    gls_real start; /* what is kept of t's value before the first step, in that step; then 0 */
} weights;

/* How far w moved, and how many coordinates were clipped, or had gradients below eps. */
typedef struct counts {
    double moved2;
    int clipped, small;
} counts;

/* One lane's. */
typedef struct lane_counts {
    int clipped[GLS_LANES], small[GLS_LANES];
} lane_counts;

static inline gls_real clip_factor(gls_real m, gls_real tau, const weights *c) {
    gls_real ratio = tau / (gls_abs(m) + c->eps);
    return ratio < 1 ? ratio : 1;
}

/* The clipped momentum: m and the threshold of this coordinate are as they are now, g as it came. */
static inline gls_real clip_one(gls_real m, gls_real tau, gls_real g, const weights *c, lane_counts *lane, int j) {
    gls_real a = gls_abs(g);
    lane->clipped[j] += tau < gls_abs(m) + c->eps;
    lane->small[j] += (a <= c->eps) & (a > 0);
    return clip_factor(m, tau, c) * m;
}

static inline gls_real mean_at(gls_real *m, gls_real x, const weights *c, int64_t k) {
    return m[k] = c->keep1 * m[k] + c->take1 * x;
}

static inline gls_real moment_at(gls_real *t, gls_real x, const weights *c, int64_t k) {
    return t[k] = c->keep2 * t[k] + c->start + c->take2 * x;
}

static inline gls_real square(gls_real x) {
    return x * x;
}

static counts counted(double moved2, const lane_counts *lane) {
    return (counts){moved2, gls_move_count(lane->clipped), gls_move_count(lane->small)};
}

/* alpha = 1 */
GLS_SIMD static counts linear_kernel(gls_real *restrict w, const gls_real *restrict g, weights c, gls_move_target to,
                                     const gls_range *r) {
    lane_counts lane = {0};
    double total;
    GLS_MOVE_STATE(total, w, &to, r, 2, GLS_MOVE_AHEAD(i, w, v[0], v[1], g),
                   clip_one(mean_at(v[0], to.gain * g[k], &c, at),
                            moment_at(v[1], gls_abs(to.gain * g[k]), &c, at) * c.correction, to.gain * g[k], &c, &lane,
                            j));
    return counted(total, &lane);
}

/* alpha = 2 */
GLS_SIMD static counts square_kernel(gls_real *restrict w, const gls_real *restrict g, weights c, gls_move_target to,
                                     const gls_range *r) {
    lane_counts lane = {0};
    double total;
    GLS_MOVE_STATE(total, w, &to, r, 2, GLS_MOVE_AHEAD(i, w, v[0], v[1], g),
                   clip_one(mean_at(v[0], to.gain * g[k], &c, at),
                            gls_sqrt(moment_at(v[1], square(to.gain * g[k]), &c, at) * c.correction), to.gain * g[k],
                            &c, &lane, j));
    return counted(total, &lane);
}

/* Any alpha: two powers a coordinate, so it computes rather than waits for memory. */
static counts power_kernel(gls_real *restrict w, const gls_real *restrict g, weights c, double alpha,
                           gls_move_target to, const gls_range *r) {
    lane_counts lane = {0};
    gls_real power = (gls_real)alpha, root = (gls_real)(1 / alpha);
    double total;
    GLS_MOVE_STATE(
        total, w, &to, r, 2, GLS_MOVE_AHEAD(i, w, v[0], v[1], g),
        clip_one(mean_at(v[0], to.gain * g[k], &c, at),
                 gls_pow(moment_at(v[1], gls_pow(gls_abs(to.gain * g[k]), power), &c, at) * c.correction, root),
                 to.gain * g[k], &c, &lane, j));
    return counted(total, &lane);
}

static void acclip_main(const gls_range *r) {
    const acclip_options *o = r->options;
    weights c = {(gls_real)o->beta1,
                 (gls_real)(1 - o->beta1),
                 (gls_real)o->beta2,
                 (gls_real)(1 - o->beta2),
                 (gls_real)r->coefficient[CORRECTION],
                 (gls_real)o->eps,
                 (gls_real)o->beta2 * (gls_real)r->coefficient[START]};
    gls_move_target to = gls_move_at(r, o->common.lr);
    counts found = o->alpha == 1   ? linear_kernel(to.w, r->g, c, to, r)
                   : o->alpha == 2 ? square_kernel(to.w, r->g, c, to, r)
                                   : power_kernel(to.w, r->g, c, o->alpha, to, r);
    r->target->moved2 += found.moved2;
    r->sums[0] += found.clipped;
    r->sums[1] += found.small;
}

static void finish(gls_update *update, const gls_real *w) {
    acclip *self = update->self;
    double d = update->trained > 0 ? (double)update->trained : 1;
    update->clipped = update->sums[0] / d;
    self->eps_share = update->sums[1] / d;
    self->correction = correction_at(update, update->options);
}

/* Quantiles of tau over at most 1001 coordinates, evenly spread: few enough to sort whenever figures are asked for. */
static void record(const void *memory, const gls_method_setup *setup, gls_record *out) {
    const acclip *self = memory;
    const acclip_options *o = setup->options;
    enum { SAMPLE = 1001 };
    double tau[SAMPLE];
    int64_t d = setup->parameters, n = gls_least(d, SAMPLE);
    gls_record_set(out, "eps_share", self->eps_share);
    if (n == 0) return;
    for (int64_t i = 0; i < n; i++) {
        int64_t at = n == d ? i : (int64_t)((double)i * (double)(d - 1) / (double)(n - 1));
        gls_real here;
        gls_method_state_read(setup, 1, at, 1, &here);
        tau[i] = pow((double)here * self->correction, 1 / o->alpha);
    }
    gls_sort_doubles(tau, n);
    gls_record_set(out, "tau_low", tau[n / 10]);
    gls_record_set(out, "tau_median", tau[n / 2]);
    gls_record_set(out, "tau_high", tau[n - 1 - n / 10]);
}

static const char *const vectors[] = {"m", "tau_alpha", NULL};

static const gls_option table[] = {
    GLS_METHOD_LR("1e-4"),
    ROW_BETA(acclip_options, beta1, "0.9", "share of the momentum that is kept"),
    ROW_BETA(acclip_options, beta2, "0.99", "share of tau^alpha that is kept"),
    ROW_POSITIVE(acclip_options, eps, "1e-5", 0, "added to |m|: damps coordinates near it"),
    ROW_REAL(acclip_options, alpha, "1", 0, 2, GLS_OPTION_ABOVE_MIN, "moment of the gradients that tau follows"),
    ROW_NOT_NEGATIVE(acclip_options, tau0, "0", 0, "threshold before the first step; from 0 the start is a warm-up"),
    GLS_BOOL("bias_correction", acclip_options, bias_correction, "false",
             "divide tau^alpha by 1 - beta2^k; not with tau0"),
    GLS_METHOD_COUPLED,
    GLS_METHOD_DECOUPLED_ROW,
    GLS_METHOD_STATE,
    GLS_METHOD_REST,
    {0}};

const gls_method_type gls_method_acclip = {
    .member = {"acclip", "momentum clipped coordinate by coordinate at an adaptive threshold", "[A] (ACClip)", table,
               sizeof(acclip_options)},
    .self_size = sizeof(acclip),
    .create = create,
    .vectors = vectors,
    .not_negative = 2,
    .needs = GLS_METHOD_MOVES | GLS_METHOD_NARROW,
    .coefficients = coefficients,
    .main = acclip_main,
    .finish = finish,
    .record = record};
