/* sgd: w -= lr g. msgd: v = beta v + g, w -= lr v. nag: v = beta v + g, w -= lr (g + beta v). */
#include "method/rule/rows.h"

typedef struct momentum_options {
    gls_method_common common;
    double beta;
} momentum_options;

static void sgd_main(const gls_range *r) {
    *r->move = (gls_move){r->g, ((const gls_method_common *)r->options)->lr};
}

/* v is written twice: reading it back from where memory is still busy costs more. */
GLS_SIMD static void msgd_kernel(gls_real *restrict step, gls_real *restrict v, const gls_real *restrict g,
                                 gls_real beta, int64_t n) {
    for (int64_t i = 0; i < n; i++) {
        gls_real x = beta * v[i] + g[i];
        v[i] = x;
        step[i] = x;
    }
}

static void msgd_main(const gls_range *r) {
    const momentum_options *o = r->options;
    msgd_kernel(r->step, r->state[0], r->g, (gls_real)o->beta, r->size);
    r->move->rate = o->common.lr;
}

GLS_SIMD static void nag_kernel(gls_real *restrict step, gls_real *restrict v, const gls_real *restrict g,
                                gls_real beta, int64_t n) {
    for (int64_t i = 0; i < n; i++) {
        gls_real x = beta * v[i] + g[i];
        v[i] = x;
        step[i] = g[i] + beta * x;
    }
}

static void nag_main(const gls_range *r) {
    const momentum_options *o = r->options;
    nag_kernel(r->step, r->state[0], r->g, (gls_real)o->beta, r->size);
    r->move->rate = o->common.lr;
}

static const char *const velocity[] = {"v", NULL};

static const gls_option sgd_table[] = {
    GLS_METHOD_LR("0.1"), GLS_METHOD_COUPLED, GLS_METHOD_DECOUPLED_ROW, GLS_METHOD_REST, {0}};
static const gls_option momentum_table[] = {GLS_METHOD_LR("0.1"), ROW_BETA(momentum_options, beta, "0.9", "momentum"),
                                            GLS_METHOD_COUPLED,   GLS_METHOD_DECOUPLED_ROW,
                                            GLS_METHOD_REST,      {0}};

const gls_method_type gls_method_sgd = {
    .member = {"sgd", "stochastic gradient descent: w -= lr g", "[A]", sgd_table, sizeof(gls_method_common)},
    .main = sgd_main};
const gls_method_type gls_method_msgd = {
    .member = {"msgd", "momentum: v = beta v + g, w -= lr v", "[N] (2),(3)", momentum_table, sizeof(momentum_options)},
    .vectors = velocity,
    .main = msgd_main};
const gls_method_type gls_method_nag = {.member = {"nag", "Nesterov's momentum: v = beta v + g, w -= lr (g + beta v)",
                                                   "[T] 2.1.2 (2.4)", momentum_table, sizeof(momentum_options)},
                                        .vectors = velocity,
                                        .main = nag_main};
