/* The table of measures (table.c), each in a file of its own, and their short names. */
#ifndef GLS_MEASURE_MEMBERS_H
#define GLS_MEASURE_MEMBERS_H

#include <glissade/measure.h>

#include "base/table.h"

extern const gls_member_kind gls_measure_kind;

/* The name in full of a short one that configurations use (noise). */
const char *gls_measure_full_name(const char *name);

#endif
