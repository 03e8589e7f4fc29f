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

typedef struct weights {
    gls_real keep, take, eps;
} weights;

static inline gls_real over_root(gls_real *s, gls_real g, const weights *c, int64_t k) {
    gls_real x = c->keep * s[k] + c->take * (g * g);
    s[k] = x;
    return g / (gls_sqrt(x) + c->eps);
}

GLS_SIMD static double kernel(gls_real *restrict w, const gls_real *restrict g, weights c, gls_move_target to,
                              const gls_range *r) {
    double total;
    GLS_MOVE_STATE(total, w, &to, r, 1, GLS_MOVE_AHEAD(i, w, v[0], g), over_root(v[0], to.gain * g[k], &c, at));
    return total;
}

static void move(const gls_range *r, double lr, weights c) {
    r->target->moved2 += kernel(r->target->w, r->g, c, gls_move_at(r, lr), r);
}

static void adagrad_main(const gls_range *r) {
    const adagrad_options *o = r->options;
    move(r, o->common.lr, (weights){1, 1, (gls_real)o->eps});
}

static void rmsprop_main(const gls_range *r) {
    const rmsprop_options *o = r->options;
    move(r, o->common.lr, (weights){(gls_real)o->rho, (gls_real)(1 - o->rho), (gls_real)o->eps});
}

static const char *const squares[] = {"s", NULL};

static const gls_option adagrad_table[] = {GLS_METHOD_LR("0.01"),
                                           ROW_POSITIVE(adagrad_options, eps, "1e-10", 0, "added to the root"),
                                           GLS_METHOD_COUPLED,
                                           GLS_METHOD_DECOUPLED_ROW,
                                           GLS_METHOD_STATE,
                                           GLS_METHOD_REST,
                                           {0}};
static const gls_option rmsprop_table[] = {
    GLS_METHOD_LR("0.01"),
    ROW_BETA(rmsprop_options, rho, "0.99", "share of the running mean of squares that is kept"),
    ROW_POSITIVE(rmsprop_options, eps, "1e-8", 0, "added to the root"),
    GLS_METHOD_COUPLED,
    GLS_METHOD_DECOUPLED_ROW,
    GLS_METHOD_STATE,
    GLS_METHOD_REST,
    {0}};

const gls_method_type gls_method_adagrad = {
    .member = {"adagrad", "s += g^2, w -= lr g / (sqrt(s) + eps)", "", adagrad_table, sizeof(adagrad_options)},
    .vectors = squares,
    .not_negative = 1,
    .needs = GLS_METHOD_SQUARES | GLS_METHOD_MOVES | GLS_METHOD_NARROW,
    .main = adagrad_main};
const gls_method_type gls_method_rmsprop = {.member = {"rmsprop",
                                                       "s = rho s + (1 - rho) g^2, w -= lr g / (sqrt(s) + eps)",
                                                       "[A] 3.1", rmsprop_table, sizeof(rmsprop_options)},
                                            .vectors = squares,
                                            .not_negative = 1,
                                            .needs = GLS_METHOD_SQUARES | GLS_METHOD_MOVES | GLS_METHOD_NARROW,
                                            .main = rmsprop_main};
