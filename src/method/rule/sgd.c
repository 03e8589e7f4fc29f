/* sgd: w -= lr g. msgd: v = beta v + g, w -= lr v. nag: v = beta v + g, w -= lr (g + beta v). */
#include "method/rule/rows.h"

typedef struct momentum_options {
    gls_method_common common;
    double beta;
} momentum_options;

static void sgd_main(const gls_range *r) {
    double lr = ((const gls_method_common *)r->options)->lr;
    r->target->moved2 += gls_move_along(r->target->w, r->g, gls_move_at(r, lr), r->size);
}

/* The velocity, which is msgd's step. */
static inline gls_real velocity_at(gls_real *v, gls_real g, gls_real beta, int64_t k) {
    gls_real x = beta * v[k] + g;
    v[k] = x;
    return x;
}

GLS_SIMD static double msgd_kernel(gls_real *restrict w, const gls_real *restrict g, gls_real beta, gls_move_target to,
                                   const gls_range *r) {
    double total;
    GLS_MOVE_STATE(total, w, &to, r, 1, GLS_MOVE_AHEAD(i, w, v[0], g), velocity_at(v[0], to.gain * g[k], beta, at));
    return total;
}

static void msgd_main(const gls_range *r) {
    const momentum_options *o = r->options;
    r->target->moved2 += msgd_kernel(r->target->w, r->g, (gls_real)o->beta, gls_move_at(r, o->common.lr), r);
}

GLS_SIMD static double nag_kernel(gls_real *restrict w, const gls_real *restrict g, gls_real beta, gls_move_target to,
                                  const gls_range *r) {
    double total;
    GLS_MOVE_STATE(total, w, &to, r, 1, GLS_MOVE_AHEAD(i, w, v[0], g),
                   to.gain * g[k] + beta * velocity_at(v[0], to.gain * g[k], beta, at));
    return total;
}

static void nag_main(const gls_range *r) {
    const momentum_options *o = r->options;
    r->target->moved2 += nag_kernel(r->target->w, r->g, (gls_real)o->beta, gls_move_at(r, o->common.lr), r);
}

static const char *const velocity[] = {"v", NULL};

static const gls_option sgd_table[] = {
    GLS_METHOD_LR("0.1"), GLS_METHOD_COUPLED, GLS_METHOD_DECOUPLED_ROW, GLS_METHOD_REST, {0}};
static const gls_option momentum_table[] = {GLS_METHOD_LR("0.1"),
                                            ROW_BETA(momentum_options, beta, "0.9", "momentum"),
                                            GLS_METHOD_COUPLED,
                                            GLS_METHOD_DECOUPLED_ROW,
                                            GLS_METHOD_STATE,
                                            GLS_METHOD_REST,
                                            {0}};

const gls_method_type gls_method_sgd = {
    .member = {"sgd", "stochastic gradient descent: w -= lr g", "[A]", sgd_table, sizeof(gls_method_common)},
    .needs = GLS_METHOD_MOVES,
    .main = sgd_main};
const gls_method_type gls_method_msgd = {
    .member = {"msgd", "momentum: v = beta v + g, w -= lr v", "[N] (2),(3)", momentum_table, sizeof(momentum_options)},
    .vectors = velocity,
    .needs = GLS_METHOD_MOVES | GLS_METHOD_NARROW,
    .main = msgd_main};
const gls_method_type gls_method_nag = {.member = {"nag", "Nesterov's momentum: v = beta v + g, w -= lr (g + beta v)",
                                                   "[T] 2.1.2 (2.4)", momentum_table, sizeof(momentum_options)},
                                        .vectors = velocity,
                                        .needs = GLS_METHOD_MOVES | GLS_METHOD_NARROW,
                                        .main = nag_main};
