/* sngd: w -= lr g/|g|. sngm: u = beta u + g/|g|, w -= lr u; then |u| <= 1/(1 - beta). The normalised zero vector is
 * zero. */
#include "method/rule/rows.h"

typedef struct sngd_options {
    gls_method_common common;
    bool per_block;
} sngd_options;

typedef struct sngm_options {
    sngd_options base;
    double beta;
} sngm_options;

static void begin(gls_update *update) {
    if (((const sngd_options *)update->options)->per_block) update->needs |= GLS_METHOD_NEEDS_BLOCK_NORMS;
}

static void between(gls_update *update) {
    update->zero = gls_rule_norm_is_zero(update->norm2);
    update->factor = update->zero ? 0 : 1 / sqrt(update->norm2);
}

static double unit(const gls_range *r) {
    double norm2 = ((const sngd_options *)r->options)->per_block ? r->g_norm2 : r->update->norm2;
    return gls_rule_norm_is_zero(norm2) ? 0 : 1 / sqrt(norm2);
}

static void sngd_main(const gls_range *r) {
    double rate = ((const sngd_options *)r->options)->common.lr * unit(r);
    r->target->moved2 += gls_move_along(r->target->w, r->g, gls_move_at(r, rate), r->size);
}

static inline gls_real momentum_at(gls_real *u, gls_real g, gls_real beta, gls_real scale, int64_t k) {
    return u[k] = beta * u[k] + scale * g;
}

GLS_SIMD static double sngm_kernel(gls_real *restrict w, const gls_real *restrict g, gls_real beta, gls_real scale,
                                   gls_move_target to, const gls_range *r) {
    double total;
    GLS_MOVE_STATE(total, w, &to, r, 1, GLS_MOVE_AHEAD(i, w, v[0], g),
                   momentum_at(v[0], to.gain * g[k], beta, scale, at));
    return total;
}

static void sngm_main(const gls_range *r) {
    const sngm_options *o = r->options;
    r->target->moved2 +=
        sngm_kernel(r->target->w, r->g, (gls_real)o->beta, (gls_real)unit(r), gls_move_at(r, o->base.common.lr), r);
}

static void sngm_record(const void *self, const gls_method_setup *setup, gls_record *record) {
    gls_record_set(record, "u_norm", sqrt(gls_method_state_squares(setup, 0)));
}

#define PER_BLOCK GLS_BOOL("per_block", sngd_options, per_block, "false", "normalise every block by its own norm")

static const char *const momentum[] = {"u", NULL};

static const gls_option sngd_table[] = {GLS_METHOD_LR("0.1"),     PER_BLOCK,       GLS_METHOD_COUPLED,
                                        GLS_METHOD_DECOUPLED_ROW, GLS_METHOD_REST, {0}};
static const gls_option sngm_table[] = {GLS_METHOD_LR("0.1"),
                                        ROW_BETA(sngm_options, beta, "0.9", "momentum"),
                                        PER_BLOCK,
                                        GLS_METHOD_COUPLED,
                                        GLS_METHOD_DECOUPLED_ROW,
                                        GLS_METHOD_STATE,
                                        GLS_METHOD_REST,
                                        {0}};

const gls_method_type gls_method_sngd = {
    .member = {"sngd", "normalised gradient: w -= lr g/|g|", "[N] 4", sngd_table, sizeof(sngd_options)},
    .needs = GLS_METHOD_NEEDS_NORM | GLS_METHOD_MOVES,
    .begin = begin,
    .between = between,
    .main = sngd_main};
const gls_method_type gls_method_sngm = {.member = {"sngm",
                                                    "normalised gradient with momentum: u = beta u + g/|g|, w -= lr u",
                                                    "[N] Alg. 1", sngm_table, sizeof(sngm_options)},
                                         .vectors = momentum,
                                         .needs = GLS_METHOD_NEEDS_NORM | GLS_METHOD_MOVES | GLS_METHOD_NARROW,
                                         .begin = begin,
                                         .between = between,
                                         .main = sngm_main,
                                         .record = sngm_record};
