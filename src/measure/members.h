/* The table of measures (table.c), each in a file of its own, and their short names. */
#ifndef GLS_MEASURE_MEMBERS_H
#define GLS_MEASURE_MEMBERS_H

#include <glissade/measure.h>

#include "base/table.h"

extern const gls_member_kind gls_measure_kind;

/* Whether an entry of the measure section leaves the size of its sample to the run: `sample: auto`, which is the
 * default everywhere else. */
bool gls_measure_sample_is_automatic(const gls_value *entry);
/* Halves the sample, where it was left to the run, until an observation costs at most `most` or the sample is the
 * least; *cost: what one then takes (gls_measure_type.cost). */
gls_status gls_measure_shrink(gls_measure *measure, double most, int64_t batch, double *cost);

/* The name in full of a short one that configurations use (noise). */
const char *gls_measure_full_name(const char *name);

#endif
