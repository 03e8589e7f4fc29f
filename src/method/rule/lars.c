/* lars, per block: l = kappa |w| / (|g| + lambda |w|), 1 or 0 by option where |w| is 0; v = beta v + lr l (g + lambda
 * w); w -= v. */
#include "method/rule/rows.h"

typedef struct lars_options {
    gls_method_common common;
    double beta, kappa;
    int zero_weights;
    bool decay_all;
} lars_options;

enum { MOVE, STAY }; /* zero_weights */

typedef struct weights {
    gls_real beta, rate, lambda;
} weights;

static inline gls_real velocity_at(gls_real *v, gls_real w, gls_real g, const weights *c, int64_t k) {
    return v[k] = c->beta * v[k] + c->rate * (g + c->lambda * w);
}

GLS_SIMD static double kernel(gls_real *restrict w, const gls_real *restrict g, weights c, gls_move_target to,
                              const gls_range *r) {
    double total;
    GLS_MOVE_STATE(total, w, &to, r, 1, GLS_MOVE_AHEAD(i, w, v[0], g), velocity_at(v[0], w[k], to.gain * g[k], &c, at));
    return total;
}

/* A gradient of zero leaves the limit kappa/lambda; without decay the step is zero then, and so is no matter. */
static double trust_ratio(const gls_range *r, double decay) {
    const lars_options *o = r->options;
    if (gls_rule_norm_is_zero(r->w_norm2)) return o->zero_weights == MOVE ? 1 : 0;
    if (gls_rule_norm_is_zero(r->g_norm2)) return decay > 0 ? o->kappa / decay : 1;
    double w = sqrt(r->w_norm2);
    return o->kappa * w / (sqrt(r->g_norm2) + decay * w);
}

static void lars_main(const gls_range *r) {
    const lars_options *o = r->options;
    double decay = o->decay_all ? o->common.weight_decay : r->decay, trust = trust_ratio(r, decay);
    weights c = {(gls_real)o->beta, (gls_real)(o->common.lr * trust), (gls_real)decay};
    r->target->moved2 += kernel(r->target->w, r->g, c, gls_move_at(r, 1), r);
}

static const char *const velocity[] = {"v", NULL};

static const gls_option table[] = {
    GLS_METHOD_LR("1"),
    ROW_BETA(lars_options, beta, "0.9", "momentum"),
    ROW_POSITIVE(lars_options, kappa, "0.001", GLS_OPTION_SCHEDULABLE, "trust coefficient"),
    GLS_ENUM("zero_weights", lars_options, zero_weights, "move", "move|stay",
             "blocks whose weights are all zero: move at the full rate, or stay, as in the code that [N] cites"),
    GLS_BOOL("decay_all", lars_options, decay_all, "false",
             "weight_decay also for biases and shifts and scales of norms, as in the code that [N] cites"),
    GLS_METHOD_DECAY("0", "lambda of the rule: in the trust ratio and in the step"),
    GLS_METHOD_STATE,
    GLS_METHOD_REST,
    {0}};

const gls_method_type gls_method_lars = {.member = {"lars", "momentum over gradients scaled to each block's weights",
                                                    "[N] 5.1", table, sizeof(lars_options)},
                                         .vectors = velocity,
                                         .needs = GLS_METHOD_NEEDS_BLOCK_NORMS | GLS_METHOD_OWN_DECAY |
                                                  GLS_METHOD_MOVES | GLS_METHOD_NARROW,
                                         .main = lars_main};
