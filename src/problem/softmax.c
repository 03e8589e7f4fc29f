/* Multinomial logistic regression: log sum_c exp(z_c) - z_label. */
#include "problem/glm.h"

#include <math.h>

/* Probabilities into p; returns log sum exp. */
static double probabilities(const gls_real *z, int64_t k, double *p) {
    double top = z[0], sum = 0;
    for (int64_t c = 1; c < k; c++)
        if (z[c] > top) top = z[c];
    for (int64_t c = 0; c < k; c++) sum += p[c] = exp(z[c] - top);
    for (int64_t c = 0; c < k; c++) p[c] /= sum;
    return top + log(sum);
}

static double value(const gls_glm *glm, const gls_real *z, gls_glm_target target, double *slope) {
    double total = probabilities(z, glm->outputs, slope);
    slope[target.label] -= 1;
    return total - z[target.label];
}

static void curve(const gls_glm *glm, const gls_real *z, gls_glm_target target, const double *u, double *out) {
    probabilities(z, glm->outputs, out);
    double mean = 0;
    for (int64_t c = 0; c < glm->outputs; c++) mean += out[c] * u[c];
    for (int64_t c = 0; c < glm->outputs; c++) out[c] *= u[c] - mean;
}

static const gls_glm_loss loss = {.needs_classes = true, .value = value, .curve = curve, .several = GLS_LINK_SOFTMAX};

static gls_status create(gls_problem *p, const void *options, const gls_data_info *data) {
    return gls_glm_create(p, options, data, &loss);
}

static const gls_option options[] = {GLS_GLM_OPTIONS, {0}};

const gls_problem_type gls_problem_softmax = {
    .member = {"softmax", "multinomial logistic regression", "", options, sizeof(gls_glm_options)},
    .create = create,
    GLS_GLM_VERBS,
};
