/* clip: w -= h g, h = min(lr, gamma lr/(|g| + tau)). ngd: w -= h g, h = lr/(|g| + beta). */
#include "method/rule/rows.h"

typedef struct clip_options {
    gls_method_common common;
    double gamma, tau;
} clip_options;

typedef struct ngd_options {
    gls_method_common common;
    double beta;
} ngd_options;

static double clip_factor(const gls_update *update, const clip_options *o) {
    double norm = sqrt(update->norm2) + o->tau;
    return norm <= o->gamma ? 1 : o->gamma / norm;
}

static double ngd_factor(const gls_update *update, const ngd_options *o) {
    double norm = sqrt(update->norm2);
    if (gls_rule_norm_is_zero(update->norm2) && o->beta == 0) return 0;
    return 1 / (norm + o->beta);
}

static void clip_between(gls_update *update) {
    update->factor = clip_factor(update, update->options);
}

static void ngd_between(gls_update *update) {
    update->factor = ngd_factor(update, update->options);
    update->zero = update->factor == 0;
}

static void clip_coefficients(const gls_update *update, const void *options, double *out) {
    const clip_options *o = options;
    out[0] = o->common.lr * clip_factor(update, o);
}

static void ngd_coefficients(const gls_update *update, const void *options, double *out) {
    const ngd_options *o = options;
    out[0] = o->common.lr * ngd_factor(update, o);
}

static void scaled_main(const gls_range *r) {
    r->target->moved2 += gls_move_along(r->target->w, r->g, gls_move_at(r, r->coefficient[0]), r->size);
}

static const gls_option clip_table[] = {
    GLS_METHOD_LR("0.1"),
    ROW_POSITIVE(clip_options, gamma, "1", GLS_OPTION_SCHEDULABLE, "gradients longer than this are cut to it"),
    ROW_NOT_NEGATIVE(clip_options, tau, "0", GLS_OPTION_SCHEDULABLE,
                     "added to the norm where it is compared: a bound on the noise"),
    GLS_METHOD_COUPLED,
    GLS_METHOD_DECOUPLED_ROW,
    GLS_METHOD_REST,
    {0}};
static const gls_option ngd_table[] = {
    GLS_METHOD_LR("0.1"), ROW_NOT_NEGATIVE(ngd_options, beta, "1e-8", GLS_OPTION_SCHEDULABLE, "added to the norm"),
    GLS_METHOD_COUPLED,   GLS_METHOD_DECOUPLED_ROW,
    GLS_METHOD_REST,      {0}};

const gls_method_type gls_method_clip = {.member = {"clip",
                                                    "clipped gradient descent: w -= min(lr, gamma lr/(|g| + tau)) g",
                                                    "[T] (3.5), (3.11)", clip_table, sizeof(clip_options)},
                                         .needs = GLS_METHOD_NEEDS_NORM | GLS_METHOD_MOVES,
                                         .coefficients = clip_coefficients,
                                         .between = clip_between,
                                         .main = scaled_main};
const gls_method_type gls_method_ngd = {.member = {"ngd", "normalised gradient descent: w -= lr/(|g| + beta) g",
                                                   "[T] (3.6)", ngd_table, sizeof(ngd_options)},
                                        .needs = GLS_METHOD_NEEDS_NORM | GLS_METHOD_MOVES,
                                        .coefficients = ngd_coefficients,
                                        .between = ngd_between,
                                        .main = scaled_main};
