/* What the checks of [D] share: gradients of all examples at a point, and generalised linear models over data made
 * here. */
#ifndef GLS_TESTS_DIVERSITY_H
#define GLS_TESTS_DIVERSITY_H

#include "theory.h"

enum { MOST = 400, WIDE = 220 };
typedef struct gradients {
    int64_t n, d;
    double g[MOST][WIDE], mean[WIDE];
    double M2, G, batch_bound; /* mean |g_i|^2, |mean g_i|^2, B_S = M2/G */
} gradients;

typedef struct data {
    int64_t n, d;
    double *x;
    int32_t label[2 * MOST];
} data;

/* Of every row of a batch, by weights that pick one. */
void gradients_of(gls_problem *p, const gls_batch *rows, const double *w, gradients *out);
gls_batch all_of(int64_t n); /* 0 ... n-1 */
gls_batch rows_of(const data *set);
gls_problem *logistic_for(const data *set, double l2, bool bias);
/* n min |x_i|^2 / sigma_max^2. A constant column stands in where the problem has a bias: it is part of x. */
double glm_bound(const data *set, bool bias);

#endif
