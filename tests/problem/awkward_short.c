/* f_i = m_i log(1 + (w . x_i - y_i)^2): value and gradient alone. */
#include "problem/awkward.h"

#include <math.h>

static gls_status create(gls_problem *p, const void *options, const gls_data_info *data) {
    int64_t half = data->features / 2, rest = data->features - half;
    GLS_TRY(gls_layout_add(p->layout, "left", 1, &half, 0));
    return gls_layout_add(p->layout, "right", 1, &rest, 0);
}

static gls_status value_gradient(gls_problem *p, const gls_evaluate_args *args, const gls_real *w,
                                 const double *weights, double *value, gls_real *g) {
    const gls_batch *rows = args->rows;
    int64_t d = rows->features;
    *value = 0;
    for (int64_t i = 0; i < rows->rows; i++) {
        double r = -rows->y[i * rows->targets], weight = (weights ? weights[i] : 1) * (rows->mass ? rows->mass[i] : 1);
        for (int64_t j = 0; j < d; j++) r += (double)w[j] * rows->x[i * d + j];
        *value += weight * log1p(r * r);
        for (int64_t j = 0; g && j < d; j++) g[j] += (gls_real)(weight * 2 * r / (1 + r * r) * rows->x[i * d + j]);
    }
    return GLS_OK;
}

const gls_problem_type awkward_short = {
    .member = {.name = "short"},
    .create = create,
    .value_gradient = value_gradient,
};
