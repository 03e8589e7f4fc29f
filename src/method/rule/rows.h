/* Rows that several rules' option tables share. */
#ifndef GLS_METHOD_ROWS_H
#define GLS_METHOD_ROWS_H

#include <glissade/method.h>
#include "base/kernels.h"
#include "method/rule/move.h"

#include <float.h>
#include <math.h>

#define ROW_REAL(struct_, field_, initial_, min_, max_, flags_, help_) \
    GLS_REAL(#field_, struct_, field_, initial_, (min_), (max_), help_, .flags = (flags_))
/* A share in [0, 1). */
#define ROW_BETA(struct_, field_, initial_, help_) \
    ROW_REAL(struct_, field_, initial_, 0, 1, GLS_OPTION_BELOW_MAX | GLS_OPTION_SCHEDULABLE, help_)
#define ROW_POSITIVE(struct_, field_, initial_, flags_, help_) \
    ROW_REAL(struct_, field_, initial_, 0, INFINITY, GLS_OPTION_ABOVE_MIN | (flags_), help_)
#define ROW_NOT_NEGATIVE(struct_, field_, initial_, flags_, help_) \
    ROW_REAL(struct_, field_, initial_, 0, INFINITY, (flags_), help_)

/* A threshold of a momentum that grows with the number of the step, and the momentum's share. */
#define ROWS_GROWING_THRESHOLD(struct_)                                                            \
    ROW_BETA(struct_, beta1, "0.9", "share of the momentum that is kept"),                         \
        ROW_POSITIVE(struct_, tau, "1", GLS_OPTION_SCHEDULABLE, "clip threshold of the momentum"), \
        ROW_REAL(struct_, tau_exponent, "0", -INFINITY, INFINITY, 0,                               \
                 "the threshold grows: tau k^tau_exponent (1/alpha in theory)")
static inline double gls_rule_threshold(double tau, double exponent, int64_t k) {
    return exponent == 0 ? tau : tau * pow((double)k, exponent);
}

#ifdef GLS_DOUBLE
#define gls_sqrt sqrt
#define gls_abs fabs
#define gls_pow pow
#else
#define gls_sqrt sqrtf
#define gls_abs fabsf
#define gls_pow powf
#endif

/* A squared norm that counts as zero: the norm is below the smallest normal number. */
static inline bool gls_rule_norm_is_zero(double norm2) {
    return norm2 < (sizeof(gls_real) == 4 ? (double)FLT_MIN * FLT_MIN : DBL_MIN);
}

#endif
