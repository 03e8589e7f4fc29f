#include "estimator/estimator.h"

static const gls_member *const members[] = {
    &gls_mean.member, &gls_sum_type.member, &gls_microbatch.member, &gls_normalized.member, &gls_drop.member,
    &gls_sgld.member, &gls_quant.member,    &gls_clip_norm.member,  &gls_clip_value.member, NULL,
};
const gls_members gls_estimator_members = members;

gls_status gls_register_estimator(gls_context *ctx, const gls_estimator_type *type) {
    return gls_register(ctx, GLS_KIND_ESTIMATOR, &type->member);
}
