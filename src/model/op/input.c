/* input: one example as the data have it. Sparse rows are written out; what is stored narrow is a copy. */
#include <string.h>

#include "model/op.h"

static gls_status forward(gls_exec *x, int node) {
    const gls_batch *batch = x->args->rows;
    gls_real *out = gls_exec_value(x, node);
    if (!batch->row) {
        if (batch->x && out != batch->x) memcpy(out, batch->x, (size_t)gls_exec_size(x, node) * sizeof *out);
        return GLS_OK;
    }
    memset(out, 0, (size_t)(x->rows * batch->features) * sizeof *out);
    for (int64_t r = 0; r < x->rows; r++)
        for (int64_t k = batch->row[r]; k < batch->row[r + 1]; k++)
            out[r * batch->features + batch->column[k]] = batch->value[k];
    return GLS_OK;
}

const gls_op gls_op_input = {
    .member = {.name = "input", .help = "one example", .source = ""},
    .formula = "y = the example",
    .shapes = "-> [c, h, w], [features] or tokens [w]",
    .parameters = "",
    .shape = gls_op_same_shape,
    .impl = GLS_OP_PORTABLE(.forward = forward),
};
