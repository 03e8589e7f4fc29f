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

/* out = (g(w + h v) - g(w - h v)) / 2h; buffer [2, d]. */
static gls_status difference(gls_pass *pass, const gls_pass_request *request, const gls_real *v, double h,
                             gls_real *out, gls_real *buffer, gls_pass_result *result) {
    int64_t d = pass->size;
    gls_real *at = buffer, *upper = buffer + d;
    gls_pass_request one = *request;
    one.want = GLS_WANT_GRADIENT;
    one.w = at;
    for (int side = 0; side < 2; side++) {
        for (int64_t i = 0; i < d; i++) at[i] = (gls_real)(request->w[i] + (side ? -h : h) * v[i]);
        one.g = side ? out : upper;
        GLS_TRY(gls_pass_run(pass, &one, result));
    }
    for (int64_t i = 0; i < d; i++) out[i] = h > 0 ? (gls_real)(((double)upper[i] - out[i]) / (2 * h)) : 0;
    return GLS_OK;
}

/* With h |v| = cube root of the rounding unit times (1 + |w|) truncation and rounding are of one size. Half that width
 * tells whether the gradient is smooth at all in between: across a kink the two disagree. */
static gls_status differences(gls_pass *pass, gls_pass_request *request, const gls_real *v, gls_pass_result *result) {
    if (pass->problem->precision != GLS_PRECISION_REAL)
        return gls_fail(pass->ctx, GLS_ERR_UNSUPPORTED,
                        "Hessian products of '%s' are differences of gradients, for which bf16 is too coarse: compute "
                        "in float (plan.precision)",
                        pass->problem->type->member.name);
    int64_t d = pass->size;
    if (!pass->difference) pass->difference = gls_alloc(pass->ctx, 3 * d, sizeof(gls_real));
    if (!pass->difference) return GLS_ERR_MEMORY;
    gls_real *half = pass->difference + 2 * d, *g = request->g;
    double length = sqrt(gls_team_sum_squares(pass->ctx, v, d));
    /* the rounding units */
    double unit = sizeof(gls_real) == sizeof(float) ? 1.2e-7 : 2.2e-16;
    double h = length > 0 ? cbrt(unit) * (1 + sqrt(gls_team_sum_squares(pass->ctx, request->w, d))) / length : 0;
    GLS_TRY(difference(pass, request, v, h / 2, half, pass->difference, result));
    GLS_TRY(difference(pass, request, v, h, g, pass->difference, result));
    double size = gls_team_sum_squares(pass->ctx, g, d), apart = gls_distance_squares(g, half, d);
    pass->doubt = apart > 0 ? sqrt(apart / size) : 0;
    return GLS_OK;
}

double gls_pass_hessian_doubt(const gls_pass *pass) {
    if (!pass) return NAN;
    return pass->doubt;
}

gls_status gls_pass_hessian_vector(gls_pass *pass, const gls_real *w, const gls_real *v, gls_stream *rows,
                                   gls_mode mode, gls_real *g, double *mass) {
    GLS_GIVEN(NULL, pass, w, v, rows, g);
    gls_pass_request request = {.w = w, .rows = rows, .mode = mode, .g = g};
    gls_pass_result result;
    pass->doubt = 0;
    if (pass->problem->hessian_exact)
        GLS_TRY(closed_form(pass, &request, v, &result));
    else
        GLS_TRY(differences(pass, &request, v, &result));
    *mass = result.mass;
    return GLS_OK;
}
