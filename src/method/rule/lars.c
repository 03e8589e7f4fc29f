/* lars, per block: l = kappa |w| / (|g| + lambda |w|), 1 where either norm is 0; v = beta v + lr l (g + lambda w);
 * w -= v. */
#include "method/rule/rows.h"

typedef struct lars_options {
    gls_method_common common;
    double beta, kappa;
} lars_options;

GLS_SIMD static void kernel(gls_real *restrict step, gls_real *restrict v, const gls_real *restrict w,
                            const gls_real *restrict g, gls_real beta, gls_real rate, gls_real lambda, int64_t n) {
    for (int64_t i = 0; i < n; i++) {
        gls_real x = beta * v[i] + rate * (g[i] + lambda * w[i]);
        v[i] = x;
        step[i] = x;
    }
}

static void lars_main(const gls_range *r) {
    const lars_options *o = r->options;
    double g = sqrt(r->g_norm2), w = sqrt(r->w_norm2);
    double trust =
        gls_rule_norm_is_zero(r->g_norm2) || gls_rule_norm_is_zero(r->w_norm2) ? 1 : o->kappa * w / (g + r->decay * w);
    kernel(r->step, r->state[0], r->w, r->g, (gls_real)o->beta, (gls_real)(o->common.lr * trust), (gls_real)r->decay,
           r->size);
}

static const char *const velocity[] = {"v", NULL};

static const gls_option table[] = {
    GLS_METHOD_LR("1"),
    ROW_BETA(lars_options, beta, "0.9", "momentum"),
    ROW_POSITIVE(lars_options, kappa, "0.001", GLS_OPTION_SCHEDULABLE, "trust coefficient"),
    GLS_METHOD_DECAY("0", "lambda of the rule: in the trust ratio and in the step"),
    GLS_METHOD_REST,
    {0}};

const gls_method_type gls_method_lars = {.member = {"lars", "momentum over gradients scaled to each block's weights",
                                                    "[N] 5.1", table, sizeof(lars_options)},
                                         .vectors = velocity,
                                         .needs = GLS_METHOD_NEEDS_BLOCK_NORMS | GLS_METHOD_OWN_DECAY,
                                         .main = lars_main};
