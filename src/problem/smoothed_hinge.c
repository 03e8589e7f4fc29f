/* Smoothed hinge loss of the margin m = y z, with smoothing s: 0 for m >= 1, 1 - m - s/2 for m <= 1 - s, and the
 * parabola (1 - m)^2 / (2 s) between. */
#include "problem/glm.h"

#include <math.h>

static double value(const gls_glm *glm, const gls_real *z, gls_glm_target target, double *slope) {
    double y = 2 * target.label - 1, s = glm->options.smoothing, miss = 1 - y * z[0];
    slope[0] = miss <= 0 ? 0 : -y * (miss < s ? miss / s : 1);
    if (isnan(miss)) slope[0] = miss;
    return miss <= 0 ? 0 : miss < s ? 0.5 * miss * miss / s : miss - 0.5 * s;
}

static void curve(const gls_glm *glm, const gls_real *z, gls_glm_target target, const double *u, double *out) {
    double s = glm->options.smoothing, miss = 1 - (2 * target.label - 1) * z[0];
    out[0] = miss > 0 && miss < s ? u[0] / s : 0;
}

static const gls_glm_loss loss = {
    .needs_classes = true, .two_classes = true, .signs = true, .value = value, .curve = curve, .one = GLS_LINK_SIGN};

static gls_status create(gls_problem *p, const void *options, const gls_data_info *data) {
    return gls_glm_create(p, options, data, &loss);
}

static const gls_option options[] = {GLS_GLM_OPTIONS,
                                     GLS_REAL("smoothing", gls_glm_options, smoothing, "1", 0, INFINITY,
                                              "width of the parabola between slope -1 and slope 0",
                                              .flags = GLS_OPTION_ABOVE_MIN),
                                     {0}};

const gls_problem_type gls_problem_smoothed_hinge = {
    .member = {"smoothed_hinge", "smoothed hinge loss of two classes", "", options, sizeof(gls_glm_options)},
    .create = create,
    GLS_GLM_VERBS,
};
