/* A slope is found by bisection; a value starts from a knot next to it, so that values at knots are exact. */
#include "problem/analytic/piecewise.h"

double gls_piecewise_evaluate(const gls_piecewise *f, double x, double move, double *slope) {
    int64_t low = 0, high = f->count; /* knots before low are < x, from high on >= x */
    while (low < high) {
        int64_t middle = low + (high - low) / 2;
        if (f->knot[middle] < x)
            low = middle + 1;
        else
            high = middle;
    }
    *slope = f->slope[low];
    if (low < f->count && f->knot[low] == x && move > 0) *slope = f->slope[low + 1];
    int64_t near = low < f->count ? low : f->count - 1;
    return f->value[near] + (x - f->knot[near]) * (near == low ? f->slope[low] : f->slope[f->count]);
}

gls_status gls_piecewise_create(gls_context *ctx, int64_t count, gls_piecewise *out) {
    out->count = count;
    out->knot = gls_alloc(ctx, count, sizeof(double));
    out->value = gls_alloc(ctx, count, sizeof(double));
    out->slope = gls_alloc(ctx, count + 1, sizeof(double));
    return out->knot && out->value && out->slope ? GLS_OK : GLS_ERR_MEMORY;
}

void gls_piecewise_destroy(gls_context *ctx, gls_piecewise *f) {
    gls_free(ctx, f->knot);
    gls_free(ctx, f->value);
    gls_free(ctx, f->slope);
}

void gls_piecewise_integrate(gls_piecewise *f, double x) {
    f->value[0] = 0;
    for (int64_t i = 1; i < f->count; i++) f->value[i] = f->value[i - 1] + f->slope[i] * (f->knot[i] - f->knot[i - 1]);
    double slope, level = gls_piecewise_evaluate(f, x, 0, &slope);
    for (int64_t i = 0; i < f->count; i++) f->value[i] -= level;
}
