/* When a measure observes a run: what the `measure` section says beside the measures' own options. */
#ifndef GLS_RUN_CONFIG_CADENCE_H
#define GLS_RUN_CONFIG_CADENCE_H

#include <glissade/measure.h>

/* What there is after a step of a training and not at given weights. */
enum { GLS_NEEDS_OF_STEP = GLS_MEASURE_PREVIOUS | GLS_MEASURE_GRADIENT | GLS_MEASURE_RUN | GLS_MEASURE_LR };

/* A given cadence, or `auto`: as often as the measure's share of the run pays for. */
typedef struct gls_cadence {
    bool automatic;
    bool start; /* before the first step too */
    gls_length every;
} gls_cadence;

/* The keys of an entry that are the run's and not the measure's; ends with NULL. */
extern const char *const gls_cadence_keys[];

/* The cadence of an entry of the section; `auto` where nothing is said and the measure knows its cost. */
gls_status gls_cadence_read(gls_context *ctx, const gls_measure_type *type, const gls_value *entry,
                            gls_cadence *cadence);
/* The same, with a check that the entry is a map and that the measure can observe a single run. */
gls_status gls_cadence_check(gls_context *ctx, const gls_measure_type *type, const gls_value *entry,
                             gls_cadence *cadence);

#endif
