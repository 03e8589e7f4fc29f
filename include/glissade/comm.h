/* glissade/comm.h: message passing between the processes of a run, over MPI or within one process. */
#ifndef GLISSADE_COMM_H
#define GLISSADE_COMM_H

#include <glissade/base.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef enum gls_reduce { GLS_SUM, GLS_MIN, GLS_MAX } gls_reduce;

/* The processes started together (by mpirun and the like), or this one alone. GLS_ERR_COMM if the start fails, also
 * where the launcher started several processes and each of them finds itself alone. A communicator is created before
 * the context that borrows it. */
GLS_API gls_status gls_comm_create(gls_comm **out);
/* After GLS_ERR_COMM: why, and what to do, in one sentence; never NULL, a constant of the program. */
GLS_API const char *gls_comm_refusal(void);
/* This process alone, whatever started it. */
GLS_API gls_status gls_comm_create_single(gls_comm **out);
GLS_API void gls_comm_destroy(gls_comm *comm);
GLS_API int gls_comm_rank(const gls_comm *comm); /* comm NULL: 0 of 1 */
GLS_API int gls_comm_size(const gls_comm *comm);

/* Reductions in place over all ranks, the same bits on every rank. Every rank must call them in the same order. Each
 * carries a status: a rank that failed passes its own status (its data are ignored), and every rank then returns
 * non-OK together: its own status on the failing rank, GLS_ERR_COMM on the others. */
GLS_API gls_status gls_comm_reduce_real(gls_context *ctx, gls_reduce op, gls_real *x, int64_t n, gls_status mine);
GLS_API gls_status gls_comm_reduce_double(gls_context *ctx, gls_reduce op, double *x, int64_t n, gls_status mine);
GLS_API gls_status gls_comm_reduce_int64(gls_context *ctx, gls_reduce op, int64_t *x, int64_t n, gls_status mine);
GLS_API gls_status gls_comm_broadcast(gls_context *ctx, void *data, int64_t bytes, int root, gls_status mine);
/* Agreement on a status alone. */
GLS_API gls_status gls_comm_agree(gls_context *ctx, gls_status mine);

#ifdef __cplusplus
}
#endif
#endif
