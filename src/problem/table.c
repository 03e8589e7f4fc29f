#include "problem/evaluation.h"
#include "problem/glm.h"

static const gls_member *const members[] = {
    &gls_least_squares.member, &gls_logistic.member, &gls_softmax.member, &gls_smoothed_hinge.member, NULL,
};
const gls_members gls_problem_members = members;

gls_status gls_register_problem(gls_context *ctx, const gls_problem_type *type) {
    return gls_register(ctx, GLS_KIND_PROBLEM, &type->member);
}
