/* The room's table: one row a problem. */
#include "problem/analytic/analytic.h"
#include "problem/evaluation.h"

/* clang-format off */
#define PROBLEMS(X) \
    X(least_squares) \
    X(logistic) \
    X(softmax) \
    X(smoothed_hinge)

/* Analytic functions, in problem/analytic/. */
#define FUNCTIONS(X) \
    X(adam_divergence) \
    X(bent_quadratic) \
    X(clipped_norm) \
    X(exponential) \
    X(geman_mcclure) \
    X(max_affine) \
    X(power) \
    X(quadratic) \
    X(relu_net) \
    X(resisting) \
    X(resisting_gradient) \
    X(rosenbrock) \
    X(sawtooth) \
    X(sines) \
    X(slow_linear) \
    X(sphere_sum) \
    X(steep_exponential) \
    X(zero_chain) \
    X(zigzag)
/* clang-format on */

#define DECLARE_PROBLEM(name) extern const gls_problem_type gls_problem_##name;
#define DECLARE_FUNCTION(name) extern const gls_function_type gls_function_##name;
PROBLEMS(DECLARE_PROBLEM)
FUNCTIONS(DECLARE_FUNCTION)

#define PROBLEM_ROW(name) &gls_problem_##name.member,
#define FUNCTION_ROW(name) &gls_function_##name.problem.member,
static const gls_member *const members[] = {PROBLEMS(PROBLEM_ROW) FUNCTIONS(FUNCTION_ROW) NULL};
const gls_member_kind gls_problem_kind = {GLS_KIND_PROBLEM, "problem", members};

gls_status gls_register_problem(gls_context *ctx, const gls_problem_type *type) {
    GLS_GIVEN(ctx, ctx, type);
    return gls_member_register(ctx, &gls_problem_kind, &type->member);
}
