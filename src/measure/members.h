/* The room's members, one file each, and what they share. */
#ifndef GLS_MEASURE_MEMBERS_H
#define GLS_MEASURE_MEMBERS_H

#include <glissade/measure.h>

extern const gls_measure_type gls_measure_gradient_diversity, gls_measure_noise_scale, gls_measure_norm_test,
    gls_measure_differential_diversity, gls_measure_dim_bounds, gls_measure_glm_bound, gls_measure_noise_norm,
    gls_measure_variance_curve, gls_measure_tail_index, gls_measure_gradient_norm, gls_measure_loss,
    gls_measure_sharpness, gls_measure_smoothness, gls_measure_dragger, gls_measure_time_averages,
    gls_measure_invariance_defect, gls_measure_stability, gls_measure_equilibrium_ratio;

/* The name in full of a short one that configurations use (noise). */
const char *gls_measure_full_name(const char *name);

#endif
