/* What the measurement of a scaling model is made of. */
#ifndef GLS_RUN_SCALING_H
#define GLS_RUN_SCALING_H

#include <glissade/search.h>

/* scaling_network.c: latency and bandwidth: given, measured, or assumed. Collective. */
gls_status gls_scaling_network_measure(gls_context *ctx, const gls_scaling_options *options, gls_scaling_model *model);

/* An exchange's own work on a vector g [size]. */
typedef struct gls_scaling_rehearsal {
    gls_context *ctx;
    const gls_value *spec;
    const gls_real *g;
    int64_t size;
} gls_scaling_rehearsal;
/* Seconds at P ranks: work[0] + work[1] P. */
gls_status gls_scaling_rehearse(const gls_scaling_rehearsal *rehearsal, double work[2]);

#endif
