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

GLS_SIMD static void adam_kernel(gls_real *restrict step, gls_real *restrict m, gls_real *restrict s,
                                 const gls_real *restrict g, weights c, int64_t n) {
    for (int64_t i = 0; i < n; i++) {
        gls_real x = c.keep1 * m[i] + c.take1 * g[i];
        gls_real y = c.keep2 * s[i] + c.take2 * (g[i] * g[i]);
        m[i] = x;
        s[i] = y;
        step[i] = x / (gls_sqrt(y) * c.root + c.eps);
    }
}

static void adam_main(const gls_range *r) {
    adam_kernel(r->step, r->state[0], r->state[1], r->g, weights_of(r), r->size);
    r->move->rate = r->coefficient[RATE];
}

GLS_SIMD static void amsgrad_kernel(gls_real *restrict step, gls_real *restrict m, gls_real *restrict s,
                                    gls_real *restrict top, const gls_real *restrict g, weights c, int64_t n) {
    for (int64_t i = 0; i < n; i++) {
        gls_real x = c.keep1 * m[i] + c.take1 * g[i];
        gls_real y = c.keep2 * s[i] + c.take2 * (g[i] * g[i]);
        gls_real z = top[i] > y ? top[i] : y;
        m[i] = x;
        s[i] = y;
        top[i] = z;
        step[i] = x / (gls_sqrt(z) * c.root + c.eps);
    }
}

static void amsgrad_main(const gls_range *r) {
    amsgrad_kernel(r->step, r->state[0], r->state[1], r->state[2], r->g, weights_of(r), r->size);
    r->move->rate = r->coefficient[RATE];
}

static const char *const moments[] = {"m", "s", NULL};
static const char *const moments_top[] = {"m", "s", "s_max", NULL};

#define ADAM_ROWS                                                                                            \
    GLS_METHOD_LR("0.001"), ROW_BETA(adam_options, beta1, "0.9", "share of the mean gradient that is kept"), \
        ROW_BETA(adam_options, beta2, "0.999", "share of the mean square that is kept"),                     \
        ROW_POSITIVE(adam_options, eps, "1e-8", 0, "added to the root"), GLS_METHOD_REST

static const gls_option adam_table[] = {ADAM_ROWS, GLS_METHOD_COUPLED, GLS_METHOD_DECOUPLED_ROW, {0}};
static const gls_option adamw_table[] = {
    ADAM_ROWS, GLS_METHOD_DECAY("0.01", "decoupled: w -= lr lambda w beside the step"), {0}};

const gls_method_type gls_method_adam = {.member = {"adam",
                                                    "bias-corrected mean gradient over the root of the mean square", "",
                                                    adam_table, sizeof(adam_options)},
                                         .vectors = moments,
                                         .needs = GLS_METHOD_SQUARES,
                                         .coefficients = coefficients,
                                         .main = adam_main};
const gls_method_type gls_method_adamw = {
    .member = {"adamw", "adam with decoupled weight decay", "", adamw_table, sizeof(adam_options)},
    .vectors = moments,
    .needs = GLS_METHOD_DECOUPLED | GLS_METHOD_SQUARES,
    .coefficients = coefficients,
    .main = adam_main};
const gls_method_type gls_method_amsgrad = {
    .member = {"amsgrad", "adam whose denominator never shrinks", "[T] 2.2.2", adam_table, sizeof(adam_options)},
    .vectors = moments_top,
    .needs = GLS_METHOD_SQUARES,
    .coefficients = coefficients,
    .main = amsgrad_main};
