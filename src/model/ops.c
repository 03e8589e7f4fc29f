/* The table of ops: one row each. */
#include "model/op.h"

/* clang-format off */
#define OPS(row) \
    row(dense) row(embedding) row(conv) row(max_pool) row(average_pool) row(global_pool) row(flatten) row(pad_channels) \
    row(batch_norm) row(group_norm) row(layer_norm) row(residual_block) row(add) row(dropout) row(penalty) row(window) \
    row(lstm) row(carry) row(attention) row(rotary) row(positions) row(segments) row(rms_norm) row(time_conv) \
    row(memory) row(distances) row(relative_bias) row(query_biases) row(slice) row(scale) row(gaussian) \
    row(gate) row(relu) row(leaky_relu) row(gelu) row(silu) row(tanh) row(sigmoid) \
    row(patches) row(class_token) row(first) row(last) row(pointer) \
    row(softmax_cross_entropy) row(squared_error) row(logistic_loss) row(ctc)
/* clang-format on */

#define DECLARE(name) extern const gls_op gls_op_##name;
#define LIST(name) &gls_op_##name.member,

OPS(DECLARE)

static const gls_member *const members[] = {OPS(LIST) NULL};
const gls_member_kind gls_op_kind = {GLS_KIND_OP, "layer", members};
