/* The room's table of members (table.c), one file each. */
#ifndef GLS_MEASURE_MEMBERS_H
#define GLS_MEASURE_MEMBERS_H

#include <glissade/measure.h>

#include "base/table.h"

extern const gls_member_kind gls_measure_kind;

/* The name in full of a short one that configurations use (noise). */
const char *gls_measure_full_name(const char *name);

#endif
