/* Options that the two ways of summing up share. */
#ifndef GLS_ESTIMATOR_MEAN_H
#define GLS_ESTIMATOR_MEAN_H

#include "estimator/estimator.h"

#include <stddef.h>

typedef struct gls_estimator_sum_fields {
    bool ledger;
} gls_estimator_sum_fields;
extern const gls_option gls_estimator_sum_options[];
extern const gls_estimator_type gls_estimator_mean;

#endif
