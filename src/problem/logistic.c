/* Logistic regression: log(1 + exp(-y z)), y = +1 for class 1, -1 for class 0. */
#include "problem/glm.h"

#include <math.h>

static double value(const gls_glm *glm, const gls_real *z, gls_glm_target target, double *slope) {
    double y = 2 * target.label - 1, margin = y * z[0];
    double small = exp(-fabs(margin)); /* never overflows */
    slope[0] = -y * (margin > 0 ? small : 1) / (1 + small);
    return log1p(small) + (margin > 0 ? 0 : -margin);
}

static void curve(const gls_glm *glm, const gls_real *z, gls_glm_target target, const double *u, double *out) {
    double small = exp(-fabs((double)z[0]));
    out[0] = u[0] * small / ((1 + small) * (1 + small));
}

static const gls_glm_loss loss = {.needs_classes = true,
                                  .two_classes = true,
                                  .signs = true,
                                  .value = value,
                                  .curve = curve,
                                  .one = GLS_LINK_LOGISTIC};

static gls_status create(gls_problem *p, const void *options, const gls_data_info *data) {
    return gls_glm_create(p, options, data, &loss);
}

static const gls_option options[] = {GLS_GLM_OPTIONS, {0}};

const gls_problem_type gls_problem_logistic = {
    .member = {"logistic", "logistic regression of two classes", "", options, sizeof(gls_glm_options)},
    .create = create,
    GLS_GLM_VERBS,
};
