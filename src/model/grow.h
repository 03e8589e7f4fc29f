/* A row that grows: outputs of the positions that are added to a row of tokens, from what the positions before them
 * left. Every op says in its descriptor what its new positions need (model/op.h); all values of the row are kept. */
#ifndef GLS_MODEL_GROW_H
#define GLS_MODEL_GROW_H

#include "model/exec.h"

/* Whether every token that is added to a row gives one output more. */
gls_status gls_graph_grows(const gls_graph *graph, bool *possible);
/* Makes an execution for one row, of a plan that keeps all values, one of a row that grows. */
gls_status gls_exec_growth_create(gls_exec *x);
void gls_exec_growth_destroy(gls_exec *x);
/* Tokens [from, to) of the row are new, `from` 0 or what was `to` before; out: the outputs at its last position. */
gls_status gls_exec_extend(gls_exec *x, const gls_evaluate_args *args, int64_t from, int64_t to, gls_real *out);

#endif
