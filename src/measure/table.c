/* The table of measures: a row here enlists one everywhere (help, list, configuration, tests). */
#include "measure/members.h"

/* clang-format off */
#define MEASURES(X) \
    X(gradient_diversity) \
    X(noise_scale) \
    X(norm_test) \
    X(differential_diversity) \
    X(dim_bounds) \
    X(glm_bound) \
    X(noise_norm) \
    X(variance_curve) \
    X(tail_index) \
    X(alpha_moments) \
    X(clip_bias) \
    X(gradient_norm) \
    X(loss) \
    X(sharpness) \
    X(sample_curves) \
    X(smoothness) \
    X(stationarity) \
    X(dragger) \
    X(time_averages) \
    X(invariance_defect) \
    X(stability) \
    X(equilibrium_ratio)
/* clang-format on */

#define DECLARE(name) extern const gls_measure_type gls_measure_##name;
MEASURES(DECLARE)
#define ROW(name) &gls_measure_##name.member,
static const gls_member *const members[] = {MEASURES(ROW) NULL};
const gls_member_kind gls_measure_kind = {GLS_KIND_MEASURE, "measure", members};
