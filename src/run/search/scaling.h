/* What the measurement of a scaling model is made of. */
#ifndef GLS_RUN_SCALING_H
#define GLS_RUN_SCALING_H

#include <glissade/search.h>

/* All ranks measure the same things at the same time, as they will train: those that share a machine share its cores.
 */
typedef struct gls_scaling_meter {
    gls_context *ctx;                                /* of all ranks */
    gls_status (*step)(void *user, double *seconds); /* of a rank's rows: what happens between messages */
    void *user;
    bool failed; /* some rank, and all know */
} gls_scaling_meter;

/* The ranks meet, and *seconds becomes the longest of theirs. No other message carries a status while they measure: so
 * a rank that failed meets the others wherever they are. */
gls_status gls_scaling_meet(gls_scaling_meter *meter, double *seconds, gls_status mine);

/* scaling_network.c: the times of messages: given, measured, or assumed. */
gls_status gls_scaling_network_measure(gls_scaling_meter *meter, const gls_scaling_options *options,
                                       gls_scaling_model *model);

/* An exchange's own work on a vector g [size]. */
typedef struct gls_scaling_rehearsal {
    gls_scaling_meter *meter;
    const gls_value *spec;
    const gls_real *g;
    int64_t size;
} gls_scaling_rehearsal;
/* Seconds, for gls_scaling_way. */
gls_status gls_scaling_rehearse(const gls_scaling_rehearsal *rehearsal, double work[GLS_SCALING_WORKS]);

/* scaling_laws.c: the numbers of ranks of gls_scaling_way.work. */
extern const int gls_scaling_work_ranks[GLS_SCALING_WORKS];

#endif
