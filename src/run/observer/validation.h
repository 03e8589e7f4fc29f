/* What validations found so far: for patience, targets, the best checkpoint and the progress bar. */
#ifndef GLS_RUN_VALIDATION_H
#define GLS_RUN_VALIDATION_H

#include "run/loop/run.h"

#define GLS_VALIDATION_COUNTERS(X)                                      \
    X(int64_t, GLS_I64, validations)                                    \
    X(int64_t, GLS_I64, stale) /* validations since the best one */     \
    X(int64_t, GLS_I64, best_step)                                      \
    X(double, GLS_F64, best)                                            \
    X(double, GLS_F64, monitored) /* loss and score of the last one; */ \
    X(double, GLS_F64, score)     /* NaN: none yet */
typedef struct gls_validation {
    GLS_VALIDATION_COUNTERS(GLS_COUNTER_FIELD)
    gls_context *ctx;
    bool said; /* that the score is not defined */
} gls_validation;

const gls_validation *gls_validation_of(const gls_run *run);
/* The set that train.monitor names, and its name. */
const gls_source *gls_validation_set(const gls_run *run, const char **name);

#endif
