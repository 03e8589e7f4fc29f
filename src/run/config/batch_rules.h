/* Rules that set the batch size from what is measured: their options. src/run/training/batch_rule.c follows them. */
#ifndef GLS_RUN_BATCH_RULES_H
#define GLS_RUN_BATCH_RULES_H

#include <glissade/options.h>

#include "base/table.h"

extern const gls_member_kind gls_batches_rule_kind;

/* What all rules have; the options of a rule begin with it. */
typedef struct gls_batches_rule_common {
    int64_t from, limit; /* bounds; limit -1: the whole set */
    gls_length every;
    double fraction;
    int rate; /* GLS_RATE_... */
    int64_t sample;
    double smoothing;
} gls_batches_rule_common;
enum { GLS_RATE_NONE, GLS_RATE_LINEAR, GLS_RATE_ROOT };

/* What a measure found, as far as a rule asks for it. */
typedef struct gls_batches_rule_type {
    gls_member member;
    const char *measure;        /* that is run on a sample */
    const char *sample;         /* what it calls the examples of a sample */
    const char *figure;         /* of its result */
    bool low;                   /* the lower end of the figure's interval counts, not the figure */
    const char *const *options; /* of the measure that are the rule's own, NULL-terminated */
    /* Examples of a mini-batch from that figure, before the bounds. */
    double (*rows)(const void *options, double found);
} gls_batches_rule_type;

#endif
