/* Piecewise linear functions of one variable with slopes +-slope, as the resisting pairs need them. */
#ifndef GLS_PROBLEM_PIECEWISE_H
#define GLS_PROBLEM_PIECEWISE_H

#include <glissade/base.h>

/* slope[i] holds on (knot[i-1], knot[i]), slope[count] beyond the last one; value[i] = F(knot[i]). */
typedef struct gls_piecewise {
    int64_t count;
    double *knot, *value; /* [count] ascending */
    double *slope;        /* [count + 1] */
} gls_piecewise;

/* F and its slope at x; at a knot the slope on the side where move points (to the left where move is 0). */
double gls_piecewise_evaluate(const gls_piecewise *f, double x, double move, double *slope);
gls_status gls_piecewise_create(gls_context *ctx, int64_t count, gls_piecewise *out);
void gls_piecewise_destroy(gls_context *ctx, gls_piecewise *f);
/* Values from slopes, with F = 0 at x. */
void gls_piecewise_integrate(gls_piecewise *f, double x);

#endif
