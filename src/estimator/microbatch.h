/* Options that the stages over micro-batches share. */
#ifndef GLS_ESTIMATOR_MICROBATCH_H
#define GLS_ESTIMATOR_MICROBATCH_H

#include "estimator/estimator.h"

#include <math.h>
#include <stddef.h>

typedef struct gls_microbatch_fields {
    int64_t microbatch, ratio_every;
    const char *key;
    int reduce, nonfinite, way;
    bool ledger;
    double bound, noise;
} gls_microbatch_fields;

#define GLS_MICROBATCH_OPTIONS                                                                                         \
    GLS_SIZE("microbatch", gls_microbatch_fields, microbatch, "0", 0, INFINITY,                                        \
             "examples in a micro-batch; all: the whole mini-batch; rank: the rows of a process",                      \
             .choices = "all|rank"),                                                                                   \
        GLS_STRING("key", gls_microbatch_fields, key, NULL,                                                            \
                   "column whose equal values make a micro-batch (user, domain), in place of a size"),                 \
        GLS_ENUM("reduce", gls_microbatch_fields, reduce, "mean", "mean|sum",                                          \
                 "how the micro-batches' gradients are combined"),                                                     \
        GLS_ENUM("nonfinite", gls_microbatch_fields, nonfinite, "skip_step", "skip_step|skip_group|stop",              \
                 "what to do when a micro-batch's gradient is not finite"),                                            \
        GLS_ENUM("way", gls_microbatch_fields, way, "auto", "auto|streamed|derived",                                   \
                 "compute a gradient for each micro-batch (streamed), or norms and then weights (derived); auto: the " \
                 "cheaper one"),                                                                                       \
        GLS_BOOL("ledger", gls_microbatch_fields, ledger, "false",                                                     \
                 "keep every example's mean log clip factor and gradient norm"),                                       \
        GLS_INT("ratio_every", gls_microbatch_fields, ratio_every, "100", 0, INFINITY,                                 \
                "how often (in steps) to compute |g| / |mean gradient|; each costs one extra pass; 0: never")

/* What every stage over micro-batches reads from its options. */
gls_status gls_microbatch_read(gls_stage *stage, const gls_microbatch_fields *fields);

#endif
