/* The table of estimators: a row here enlists one everywhere (help, list, configuration, tests). */
#include "estimator/estimator.h"

/* clang-format off */
#define ESTIMATORS(X) \
    X(mean) \
    X(sum) \
    X(microbatch) \
    X(normalized) \
    X(drop) \
    X(sgld) \
    X(quant) \
    X(clip_norm) \
    X(clip_value)
/* clang-format on */

#define DECLARE(name) extern const gls_estimator_type gls_estimator_##name;
ESTIMATORS(DECLARE)
#define ROW(name) &gls_estimator_##name.member,
static const gls_member *const members[] = {ESTIMATORS(ROW) NULL};
const gls_member_kind gls_estimator_kind = {GLS_KIND_ESTIMATOR, "estimator", members};

gls_status gls_register_estimator(gls_context *ctx, const gls_estimator_type *type) {
    GLS_GIVEN(ctx, ctx, type);
    return gls_member_register(ctx, &gls_estimator_kind, &type->member);
}
