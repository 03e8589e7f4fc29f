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

#define GLS_MICROBATCH_OPTIONS                                                                                \
    {.key = "microbatch",                                                                                     \
     .type = GLS_OPTION_SIZE,                                                                                 \
     .offset = offsetof(gls_microbatch_fields, microbatch),                                                   \
     .initial = "0",                                                                                          \
     .minimum = 0,                                                                                            \
     .maximum = INFINITY,                                                                                     \
     .help = "examples in a micro-batch; all: the mini-batch"},                                               \
        {.key = "key",                                                                                        \
         .type = GLS_OPTION_STRING,                                                                           \
         .offset = offsetof(gls_microbatch_fields, key),                                                      \
         .help = "column whose equal values make a micro-batch (user, domain), in place of a size"},          \
        {.key = "reduce",                                                                                     \
         .type = GLS_OPTION_ENUM,                                                                             \
         .offset = offsetof(gls_microbatch_fields, reduce),                                                   \
         .initial = "mean",                                                                                   \
         .choices = "mean|sum",                                                                               \
         .help = "of the micro-batches' gradients"},                                                          \
        {.key = "nonfinite",                                                                                  \
         .type = GLS_OPTION_ENUM,                                                                             \
         .offset = offsetof(gls_microbatch_fields, nonfinite),                                                \
         .initial = "skip_step",                                                                              \
         .choices = "skip_step|skip_group|stop",                                                              \
         .help = "what a micro-batch without a finite gradient does"},                                        \
        {.key = "way",                                                                                        \
         .type = GLS_OPTION_ENUM,                                                                             \
         .offset = offsetof(gls_microbatch_fields, way),                                                      \
         .initial = "auto",                                                                                   \
         .choices = "auto|streamed|derived",                                                                  \
         .help = "a gradient for each micro-batch, or norms and then weights; auto: by cost"},                \
        {.key = "ledger",                                                                                     \
         .type = GLS_OPTION_BOOL,                                                                             \
         .offset = offsetof(gls_microbatch_fields, ledger),                                                   \
         .initial = "false",                                                                                  \
         .help = "keep every example's mean log clip factor and gradient norm"},                              \
    {                                                                                                         \
        .key = "ratio_every", .type = GLS_OPTION_INT, .offset = offsetof(gls_microbatch_fields, ratio_every), \
        .initial = "100", .minimum = 0, .maximum = INFINITY,                                                  \
        .help = "steps from one taking of |g| / |mean gradient| to the next, a pass each; 0: never"           \
    }

/* What every stage over micro-batches reads from its options. */
gls_status gls_microbatch_read(gls_stage *stage, const gls_microbatch_fields *fields);

#endif
