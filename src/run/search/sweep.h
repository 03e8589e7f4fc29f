/* The inside of a sweep: its trials, before any of them is run. */
#ifndef GLS_RUN_SWEEP_H
#define GLS_RUN_SWEEP_H

#include <glissade/search.h>

/* Fills sweep->trial with the grid or the draws. Every trial's configuration is resolved, and two that come to the same
 * are refused, before anything is written. */
gls_status gls_sweep_make_trials(gls_sweep *sweep, const gls_sweep_options *options);
/* The configuration of one run. */
gls_status gls_sweep_trial_config(gls_context *ctx, const gls_sweep_options *options, const gls_sweep_trial *trial,
                                  int64_t seed, gls_value **out);

#endif
