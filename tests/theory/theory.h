/* What the theory checks share: problems and runs from text, statistics, and the line that docs/theory.md collects.
 * GLS_THEORY=full runs the checks at full length, else at one that fits in the fast suite. */
#ifndef GLS_TESTS_THEORY_H
#define GLS_TESTS_THEORY_H

#include <glissade/glissade.h>
#include <glissade/run.h>

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

extern gls_context *ctx;
extern bool full;

int theory_setup(void **state);
int theory_teardown(void **state);

void check(gls_status status); /* fails the test with the context's message */
/* A formatted text in one of a few rotating buffers. */
const char *text(const char *format, ...) GLS_PRINTF(1, 2);
gls_value *value_of(const char *yaml); /* to be destroyed by gls_value_destroy(ctx, ...) */
gls_problem *problem_of(const char *name, const char *yaml);
double theory_value(const char *yaml, const char *name); /* gls_theory_values */

/* How to run: zero is: full gradients, one repetition, the problem's own start, no figures on the way. */
typedef struct plan {
    const char *method, *average, *estimator;
    int64_t steps, batch, repeat;
    gls_order order;
    uint64_t seed;
    const double *init;
    bool follow, stop;
    double epsilon;
    int64_t marks;
    const int64_t *mark;
    gls_status (*observe)(void *user, const gls_solve_state *state);
    gls_status (*finish)(void *user, const gls_solve_state *state);
    void *user;
} plan;
typedef struct outcome {
    int64_t repeat, marks, d;
    gls_solution *solution; /* [repeat] */
    double *point;          /* [repeat, d] */
    gls_figures *figures;   /* [repeat, marks] */
} outcome;
outcome solved(gls_problem *problem, plan how);
void outcome_free(outcome *o);

/* Mean value and gradient (g NULL: none) at w of `batch` rows, each example 0, 1, ... in turn; batch 0: all. In
 * training mode with the noise of that draw. */
double ask(gls_problem *problem, const double *w, gls_mode mode, uint64_t draw, int64_t batch, double *g);

/* "# theory: name | measured | predicted | repetitions | holds", "fails", which fails the test, or "reported"
 * where predicted says so. */
void verdict(const char *name, const char *measured, const char *predicted, int64_t repetitions, bool holds);

double mean_of(const double *x, int64_t n, double *error); /* error: standard error, may be NULL */
double quantile_of(double *x, int64_t n, double p);        /* sorts x */
/* Least squares slope of y over x. */
double slope_of(const double *x, const double *y, int64_t n);
/* Slope of log(mean over repetitions of (value - minimum)) over log(mark), and its standard error by resampling
 * repetitions. Marks from `first` on. */
double decay_of(const outcome *o, const int64_t *mark, int64_t first, double minimum, double *error);
double mean_end(const outcome *o, double minimum); /* mean of end.value - minimum */

#endif
