/* Hessian-vector products over a batch: the problem's closed form, or central differences of gradients. */
#include "estimator/pass.h"

#include "base/kernels.h"

#include <math.h>

static gls_status closed_form(gls_pass *pass, gls_pass_request *request, const gls_real *v, gls_pass_result *result) {
    if (!pass->direction) GLS_TRY(gls_point_create(pass->problem, &pass->direction));
    GLS_TRY(gls_point_set(pass->direction, v));
    request->want = GLS_WANT_HESSIAN;
    request->product = GLS_PRODUCT_HESSIAN;
    request->direction = pass->direction;
    return gls_pass_run(pass, request, result);
}

/* (g(w + hv) - g(w - hv)) / 2h with h |v| = cube root of the rounding unit times (1 + |w|): truncation and rounding
 * are then of one size. */
static gls_status differences(gls_pass *pass, gls_pass_request *request, const gls_real *v, gls_pass_result *result) {
    int64_t d = pass->size;
    if (!pass->difference) pass->difference = gls_alloc(pass->ctx, 2 * d, sizeof(gls_real));
    if (!pass->difference) return GLS_ERR_MEMORY;
    gls_real *at = pass->difference, *upper = at + d, *g = request->g;
    const gls_real *w = request->w;
    double length = sqrt(gls_team_sum_squares(pass->ctx, v, d));
    /* the rounding units */
    double unit = sizeof(gls_real) == sizeof(float) ? 1.2e-7 : 2.2e-16;
    double h = length > 0 ? cbrt(unit) * (1 + sqrt(gls_team_sum_squares(pass->ctx, w, d))) / length : 0;
    request->want = GLS_WANT_GRADIENT;
    request->w = at;
    for (int side = 0; side < 2; side++) {
        for (int64_t i = 0; i < d; i++) at[i] = (gls_real)(w[i] + (side ? -h : h) * v[i]);
        request->g = side ? g : upper;
        GLS_TRY(gls_pass_run(pass, request, result));
    }
    for (int64_t i = 0; i < d; i++) g[i] = h > 0 ? (gls_real)(((double)upper[i] - g[i]) / (2 * h)) : 0;
    return GLS_OK;
}

gls_status gls_pass_hessian_vector(gls_pass *pass, const gls_real *w, const gls_real *v, gls_stream *rows,
                                   gls_mode mode, gls_real *g, double *mass) {
    gls_pass_request request = {.w = w, .rows = rows, .mode = mode, .g = g};
    gls_pass_result result;
    if (pass->problem->hessian_exact)
        GLS_TRY(closed_form(pass, &request, v, &result));
    else
        GLS_TRY(differences(pass, &request, v, &result));
    *mass = result.mass;
    return GLS_OK;
}
