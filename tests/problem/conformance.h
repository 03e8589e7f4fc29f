/* One suite for every problem: what the contract in problem.h and the pass promise. It asserts through cmocka. */
#ifndef TESTS_CONFORMANCE_H
#define TESTS_CONFORMANCE_H

#include <glissade/glissade.h>

typedef struct conformance {
    const char *name;
    gls_status (*make)(gls_context *ctx, const void *user, gls_problem **out);
    const void *user;
    const gls_batch *batch; /* a whole mini-batch, slots 0, 1, ... */
    double spread;          /* deviation of what is added to the initial weights; 0: none */
    bool kinks;             /* not differentiable where it is looked at: no finite differences */
    double tolerance;       /* relative, of sums in another order; 0: 2e-5 in float, 1e-11 in double */
} conformance;

void conformance_check(const conformance *c);
/* Its part about outputs and predictions, conformance_outputs.c. */
void conformance_outputs(const conformance *c);

/* A context with so many threads, in one process. */
gls_context *conformance_context(int threads);

#endif
