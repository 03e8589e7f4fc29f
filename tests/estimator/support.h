/* Explicit per-example gradients, and what the estimators make of them by definition, in double. */
#ifndef TESTS_ESTIMATOR_SUPPORT_H
#define TESTS_ESTIMATOR_SUPPORT_H

#include <glissade/glissade.h>
#include <glissade/model.h>

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "problem/conformance.h"
#include "problem/rows.h"

#define OK(ctx, call)                                                                                                 \
    do {                                                                                                              \
        gls_status ok_status = (call);                                                                                \
        if (ok_status != GLS_OK) fail_msg("%s: %s: %s", #call, gls_status_name(ok_status), gls_context_message(ctx)); \
    } while (0)

/* A problem over a batch, its weights, and every example's gradient [n, d] in double. */
typedef struct bench {
    gls_context *ctx;
    gls_problem *p;
    gls_pass *pass;
    made_rows rows;
    gls_batch batch;
    gls_real *w, *g;
    double *each;
    int64_t n, d;
    gls_estimate out;
    gls_record record;
} bench;

/* name: of a registered problem over n made-up rows with three classes. */
bench bench_softmax(int64_t n, bool masses, int threads);
/* Recorded gradients [n, d], borrowed. */
bench bench_recorded(const gls_real *gradients, int64_t n, int64_t d);
/* A network over n made-up rows of four classes; side 0: flat features; side < 0: rows of -side tokens out of
 * `channels`, with next tokens. */
bench bench_model(const char *family, const char *options, int64_t n, int64_t channels, int64_t side);
bench bench_model_on(int threads, const char *family, const char *options, int64_t n, int64_t channels, int64_t side);
bench bench_problem(const gls_problem_type *type, int64_t n);
void bench_close(bench *b);

/* An estimator from text: stages split by ';', each "name key=value key=value". */
gls_status bench_estimator(bench *b, const char *chain, gls_estimator **out);
/* Made, run once on the batch, destroyed; g and record are in b. */
gls_status bench_run(bench *b, const char *chain);
gls_status bench_estimate(bench *b, gls_estimator *e);

/* By definition: micro-batches of `size` rows (the last may be smaller); bound > 0: clipped at it; 0: at the smallest
 * norm; -1: normalised. */
void define_microbatch(const bench *b, const double *each, int64_t size, double bound, bool sum, double *g);
double bench_mass(const bench *b, int64_t i);
void assert_g(const bench *b, const double *wanted, double tolerance);
double real_tolerance(void);

#endif
