/* The measures on a run: what they are given of it, and as taps along it. */
#ifndef GLS_RUN_MEASURES_H
#define GLS_RUN_MEASURES_H

#include <glissade/measure.h>
#include <glissade/run.h>

/* When a tap looks: every so often, or (`auto`) so rarely that it stays within its share of the run. */
typedef struct gls_cadence {
    bool automatic;
    gls_length every;
} gls_cadence;
/* What an entry of the measure section says beside the measure's own options, checked. */
gls_status gls_measure_entry_check(gls_context *ctx, const gls_measure_type *type, const gls_value *entry,
                                   gls_cadence *cadence);

#endif
