/* What a layer leaves for the next row of a stream. */
#ifndef GLS_MODEL_OP_CARRY_H
#define GLS_MODEL_OP_CARRY_H

#include "model/exec.h"
#include "model/layers.h"

/* The successors of a row's state, hidden and cell [units] of its last position, through the `carry` at node i. */
void gls_op_carry_leave(const gls_exec *x, int i, int64_t row, const gls_real *hidden, const gls_real *cell);

/* Refuses data without streams. */
gls_status gls_op_carry_check(const gls_graph *graph, const gls_node *node);
/* The place of the row in its stream, -1: its slot is not that stream's. */
int64_t gls_op_carry_place(const gls_exec *x, int64_t row);
/* The same where the row's slot has what the row before left, else 0; rows_state: where the state counts rows. */
int64_t gls_op_carry_follows(const gls_exec *x, int64_t row, int64_t rows_state);

#endif
