#include "problem/analytic/analytic.h"
#include "problem/evaluation.h"
#include "problem/glm.h"

static const gls_member *const members[] = {
    &gls_least_squares.member,
    &gls_logistic.member,
    &gls_softmax.member,
    &gls_smoothed_hinge.member,
    &gls_function_adam_divergence.problem.member,
    &gls_function_clipped_norm.problem.member,
    &gls_function_exponential.problem.member,
    &gls_function_geman_mcclure.problem.member,
    &gls_function_max_affine.problem.member,
    &gls_function_power.problem.member,
    &gls_function_quadratic.problem.member,
    &gls_function_relu_net.problem.member,
    &gls_function_resisting.problem.member,
    &gls_function_resisting_gradient.problem.member,
    &gls_function_rosenbrock.problem.member,
    &gls_function_sawtooth.problem.member,
    &gls_function_sines.problem.member,
    &gls_function_slow_linear.problem.member,
    &gls_function_sphere_sum.problem.member,
    &gls_function_steep_exponential.problem.member,
    &gls_function_zero_chain.problem.member,
    &gls_function_zigzag.problem.member,
    NULL,
};
const gls_members gls_problem_members = members;

gls_status gls_register_problem(gls_context *ctx, const gls_problem_type *type) {
    return gls_register(ctx, GLS_KIND_PROBLEM, &type->member);
}
