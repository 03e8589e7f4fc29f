/* adam, bias-corrected; adamw: with decoupled decay; amsgrad: the denominator has the running maximum of s, taken
 * before the correction. */
#include "method/rule/rows.h"

typedef struct adam_options {
    gls_method_common common;
    double beta1, beta2, eps;
} adam_options;

enum { RATE, ROOT };

/* lr / (1 - beta1^k) and 1 / sqrt(1 - beta2^k) */
static void coefficients(const gls_update *update, const void *options, double *out) {
    const adam_options *o = options;
    out[RATE] = o->common.lr / (1 - pow(o->beta1, (double)update->k));
    out[ROOT] = 1 / sqrt(1 - pow(o->beta2, (double)update->k));
}

typedef struct weights {
    gls_real keep1, take1, keep2, take2, root, eps;
} weights;

static weights weights_of(const gls_range *r) {
    const adam_options *o = r->options;
    return (weights){(gls_real)o->beta1,       (gls_real)(1 - o->beta1),       (gls_real)o->beta2,
                     (gls_real)(1 - o->beta2), (gls_real)r->coefficient[ROOT], (gls_real)o->eps};
}

/* The new mean gradient; that of the squares likewise. */
static inline gls_real mean_at(gls_real *m, gls_real g, const weights *c, int64_t k) {
    return m[k] = c->keep1 * m[k] + c->take1 * g;
}

static inline gls_real square_at(gls_real *s, gls_real g, const weights *c, int64_t k) {
    return s[k] = c->keep2 * s[k] + c->take2 * (g * g);
}

static inline gls_real over_root(gls_real m, gls_real s, const weights *c) {
    return m / (gls_sqrt(s) * c->root + c->eps);
}

GLS_SIMD static double adam_kernel(gls_real *restrict w, const gls_real *restrict g, weights c, gls_move_target to,
                                   const gls_range *r) {
    double total;
    GLS_MOVE_STATE(total, w, &to, r, 2, GLS_MOVE_AHEAD(i, w, v[0], v[1], g),
                   over_root(mean_at(v[0], to.gain * g[k], &c, at), square_at(v[1], to.gain * g[k], &c, at), &c));
    return total;
}

static void adam_main(const gls_range *r) {
    r->target->moved2 += adam_kernel(r->target->w, r->g, weights_of(r), gls_move_at(r, r->coefficient[RATE]), r);
}

static inline gls_real top_at(gls_real *top, gls_real s, int64_t k) {
    return top[k] = top[k] > s ? top[k] : s;
}

GLS_SIMD static double amsgrad_kernel(gls_real *restrict w, const gls_real *restrict g, weights c, gls_move_target to,
                                      const gls_range *r) {
    double total;
    GLS_MOVE_STATE(total, w, &to, r, 3, GLS_MOVE_AHEAD(i, w, v[0], v[1], v[2], g),
                   over_root(mean_at(v[0], to.gain * g[k], &c, at),
                             top_at(v[2], square_at(v[1], to.gain * g[k], &c, at), at), &c));
    return total;
}

static void amsgrad_main(const gls_range *r) {
    r->target->moved2 += amsgrad_kernel(r->target->w, r->g, weights_of(r), gls_move_at(r, r->coefficient[RATE]), r);
}

static const char *const moments[] = {"m", "s", NULL};
static const char *const moments_top[] = {"m", "s", "s_max", NULL};

#define ADAM_ROWS                                                                                            \
    GLS_METHOD_LR("0.001"), ROW_BETA(adam_options, beta1, "0.9", "share of the mean gradient that is kept"), \
        ROW_BETA(adam_options, beta2, "0.999", "share of the mean square that is kept"),                     \
        ROW_POSITIVE(adam_options, eps, "1e-8", 0, "added to the root"), GLS_METHOD_STATE, GLS_METHOD_REST

static const gls_option adam_table[] = {ADAM_ROWS, GLS_METHOD_COUPLED, GLS_METHOD_DECOUPLED_ROW, {0}};
static const gls_option adamw_table[] = {
    ADAM_ROWS, GLS_METHOD_DECAY("0.01", "decoupled: w -= lr lambda w beside the step"), {0}};

const gls_method_type gls_method_adam = {.member = {"adam",
                                                    "bias-corrected mean gradient over the root of the mean square", "",
                                                    adam_table, sizeof(adam_options)},
                                         .vectors = moments,
                                         .not_negative = 2,
                                         .needs = GLS_METHOD_SQUARES | GLS_METHOD_MOVES | GLS_METHOD_NARROW,
                                         .coefficients = coefficients,
                                         .main = adam_main};
const gls_method_type gls_method_adamw = {
    .member = {"adamw", "adam with decoupled weight decay", "", adamw_table, sizeof(adam_options)},
    .vectors = moments,
    .not_negative = 2,
    .needs = GLS_METHOD_DECOUPLED | GLS_METHOD_SQUARES | GLS_METHOD_MOVES | GLS_METHOD_NARROW,
    .coefficients = coefficients,
    .main = adam_main};
const gls_method_type gls_method_amsgrad = {
    .member = {"amsgrad", "adam whose denominator never shrinks", "[T] 2.2.2", adam_table, sizeof(adam_options)},
    .vectors = moments_top,
    .not_negative = 6,
    .needs = GLS_METHOD_SQUARES | GLS_METHOD_MOVES | GLS_METHOD_NARROW,
    .coefficients = coefficients,
    .main = amsgrad_main};
