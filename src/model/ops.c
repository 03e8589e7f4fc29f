/* The table of ops: one row each. */
#include "model/op.h"

extern const gls_op gls_op_dense, gls_op_conv, gls_op_max_pool, gls_op_average_pool, gls_op_global_pool, gls_op_flatten,
    gls_op_relu, gls_op_leaky_relu, gls_op_softmax_cross_entropy, gls_op_squared_error, gls_op_logistic_loss;

const gls_member *const gls_ops[] = {
    &gls_op_dense.member,         &gls_op_conv.member,          &gls_op_max_pool.member,
    &gls_op_average_pool.member,  &gls_op_global_pool.member,   &gls_op_flatten.member,
    &gls_op_relu.member,          &gls_op_leaky_relu.member,    &gls_op_softmax_cross_entropy.member,
    &gls_op_squared_error.member, &gls_op_logistic_loss.member, NULL,
};
