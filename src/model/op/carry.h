/* What a recurrent layer leaves for the next row of a stream. */
#ifndef GLS_MODEL_OP_CARRY_H
#define GLS_MODEL_OP_CARRY_H

#include "model/exec.h"
#include "model/layers.h"

/* The successors of a row's state, hidden and cell [units] of its last position, through the `carry` at node i. */
void gls_op_carry_leave(const gls_exec *x, int i, int64_t row, const gls_real *hidden, const gls_real *cell);

#endif
