/* adagrad: s += g^2; rmsprop: s = rho s + (1 - rho) g^2; both: w -= lr g / (sqrt(s) + eps). */
#include "method/rule/rows.h"

typedef struct adagrad_options {
    gls_method_common common;
    double eps;
} adagrad_options;

typedef struct rmsprop_options {
    gls_method_common common;
    double eps, rho;
} rmsprop_options;

GLS_SIMD static void kernel(gls_real *restrict step, gls_real *restrict s, const gls_real *restrict g, gls_real keep,
                            gls_real take, gls_real eps, int64_t n) {
    for (int64_t i = 0; i < n; i++) {
        gls_real x = keep * s[i] + take * (g[i] * g[i]);
        s[i] = x;
        step[i] = g[i] / (gls_sqrt(x) + eps);
    }
}

static void adagrad_main(const gls_range *r) {
    const adagrad_options *o = r->options;
    kernel(r->step, r->state[0], r->g, 1, 1, (gls_real)o->eps, r->size);
    r->move->rate = o->common.lr;
}

static void rmsprop_main(const gls_range *r) {
    const rmsprop_options *o = r->options;
    kernel(r->step, r->state[0], r->g, (gls_real)o->rho, (gls_real)(1 - o->rho), (gls_real)o->eps, r->size);
    r->move->rate = o->common.lr;
}

static const char *const squares[] = {"s", NULL};

static const gls_option adagrad_table[] = {
    GLS_METHOD_LR("0.01"), ROW_POSITIVE(adagrad_options, eps, "1e-10", 0, "added to the root"),
    GLS_METHOD_COUPLED,    GLS_METHOD_DECOUPLED_ROW,
    GLS_METHOD_REST,       {0}};
static const gls_option rmsprop_table[] = {
    GLS_METHOD_LR("0.01"),
    ROW_BETA(rmsprop_options, rho, "0.99", "share of the running mean of squares that is kept"),
    ROW_POSITIVE(rmsprop_options, eps, "1e-8", 0, "added to the root"),
    GLS_METHOD_COUPLED,
    GLS_METHOD_DECOUPLED_ROW,
    GLS_METHOD_REST,
    {0}};

const gls_method_type gls_method_adagrad = {
    .member = {"adagrad", "s += g^2, w -= lr g / (sqrt(s) + eps)", "", adagrad_table, sizeof(adagrad_options)},
    .vectors = squares,
    .needs = GLS_METHOD_SQUARES,
    .main = adagrad_main};
const gls_method_type gls_method_rmsprop = {.member = {"rmsprop",
                                                       "s = rho s + (1 - rho) g^2, w -= lr g / (sqrt(s) + eps)",
                                                       "[A] 3.1", rmsprop_table, sizeof(rmsprop_options)},
                                            .vectors = squares,
                                            .needs = GLS_METHOD_SQUARES,
                                            .main = rmsprop_main};
