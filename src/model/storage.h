/* Storage narrower than gls_real between the calls of ops: before an op's call the executor widens what it reads, after
 * it narrows what it wrote. */
#ifndef GLS_MODEL_STORAGE_H
#define GLS_MODEL_STORAGE_H

#include "model/exec.h"

/* bf16 [n] and back; narrowing rounds to the nearest float's upper half, ties to even, NaN stays NaN. */
void gls_storage_widen(gls_real *to, const void *from, int64_t n);
void gls_storage_narrow(void *to, const gls_real *from, int64_t n);

/* Around a call of the node's forward, or backward. */
void gls_storage_stage_forward(gls_exec *x, int node);
void gls_storage_stage_backward(gls_exec *x, int node);
void gls_storage_unstage(gls_exec *x, int node);

#endif
