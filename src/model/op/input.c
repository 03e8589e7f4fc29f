/* input: one example as the data have it. Sparse rows are written out. */
#include <string.h>

#include "model/op.h"

static gls_status forward(gls_exec *x, int node, int phase, const double *met, double *meet) {
    const gls_batch *batch = x->args->rows;
    if (!batch->row) return GLS_OK;
    gls_real *out = x->value[node];
    memset(out, 0, (size_t)(x->rows * batch->features) * sizeof *out);
    for (int64_t r = 0; r < x->rows; r++)
        for (int64_t k = batch->row[r]; k < batch->row[r + 1]; k++)
            out[r * batch->features + batch->column[k]] = batch->value[k];
    return GLS_OK;
}

static const gls_op_impl portable = {.name = "portable", .forward = forward};

const gls_op gls_op_input = {
    .member = {.name = "input", .help = "one example", .source = ""},
    .shape = gls_shape_same,
    .impl = (const gls_op_impl *const[]){&portable, NULL},
};
