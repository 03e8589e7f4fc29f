/* The tail index of samples of some coordinates, with its controls; and which coordinates are read. */
#ifndef GLS_MEASURE_TAIL_REPORT_H
#define GLS_MEASURE_TAIL_REPORT_H

#include <glissade/measure.h>

typedef struct gls_tail_samples {
    double *x; /* [coordinates, samples] */
    int64_t coordinates, samples;
} gls_tail_samples;

/* Candidate coordinates: four times as many as wanted, distinct, drawn from 0 .. d-1; *out from gls_alloc. */
gls_status gls_tail_candidates(gls_context *ctx, gls_random *random, int64_t wanted, int64_t d, int64_t **out,
                               int64_t *count);

/* Figures tail_index (with interval) and tail_index_M1_M2, each beside that of normal noise, of at most `wanted`
 * coordinates that are not mostly zero; z->x is changed. centred: the samples have one mean, so that the papers' and
 * Hill's indices can be read too. */
gls_status gls_tail_report(gls_tail_samples *z, int64_t wanted, bool centred, gls_random random,
                           gls_measure_result *out);

#endif
