/* Least squares: 1/2 |z - y|^2. Targets that are numbers are regressed as such, also where they are classes beside;
 * else classes are +1/-1 (two) or unit vectors (more). */
#include "problem/glm.h"

static double wanted(const gls_glm *glm, gls_glm_target target, int64_t c) {
    if (target.y) return target.y[c];
    return glm->outputs == 1 ? 2 * target.label - 1 : target.label == c;
}

static double value(const gls_glm *glm, const gls_real *z, gls_glm_target target, double *slope) {
    double sum = 0;
    for (int64_t c = 0; c < glm->outputs; c++) {
        slope[c] = z[c] - wanted(glm, target, c);
        sum += slope[c] * slope[c];
    }
    return 0.5 * sum;
}

static void curve(const gls_glm *glm, const gls_real *z, gls_glm_target target, const double *u, double *out) {
    for (int64_t c = 0; c < glm->outputs; c++) out[c] = u[c];
}

static const gls_glm_loss loss = {
    .signs = true, .value = value, .curve = curve, .one = GLS_LINK_SIGN, .several = GLS_LINK_LARGEST};

static gls_status create(gls_problem *p, const void *options, const gls_data_info *data) {
    return gls_glm_create(p, options, data, &loss);
}

static const gls_option options[] = {GLS_GLM_OPTIONS, {0}};

const gls_problem_type gls_problem_least_squares = {
    .member = {"least_squares", "linear least squares; whole numbers are numbers, classes +1/-1 or unit vectors", "",
               options, sizeof(gls_glm_options)},
    .create = create,
    GLS_GLM_VERBS,
};
