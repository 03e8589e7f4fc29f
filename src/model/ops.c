/* The table of ops: one row each. */
#include "model/op.h"

#define OPS(row)                                                                                                       \
    row(dense) row(conv) row(max_pool) row(average_pool) row(global_pool) row(flatten) row(batch_norm) row(group_norm) \
        row(layer_norm) row(relu) row(leaky_relu) row(gelu) row(tanh) row(sigmoid) row(dropout) row(add)               \
            row(pad_channels) row(softmax_cross_entropy) row(squared_error) row(logistic_loss)

#define DECLARE(name) extern const gls_op gls_op_##name;
#define LIST(name) &gls_op_##name.member,

OPS(DECLARE)

const gls_member *const gls_ops[] = {OPS(LIST) NULL};
