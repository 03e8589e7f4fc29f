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
/* From now on no rank is waited for longer than that: the call fails with GLS_ERR_COMM. 0: for ever, as at first. A
 * process that ends is noticed within a second in any case. */
GLS_API void gls_comm_limit_waits(gls_comm *comm, double seconds);
/* Whether a pass may add up those parts of a gradient that are final while it makes the others (true, as at first): the
 * same bits, in less time where messages are slow. */
GLS_API void gls_comm_overlap(gls_comm *comm, bool overlap);
/* Some MPIs lock themselves up over a connection that breaks: a call then never comes back, and cannot fail. `stuck` is
 * called, from a thread of its own, when a rank has been gone and a call has stood still for three seconds; it can only
 * end the process. NULL: nobody is called, as at first. */
GLS_API void gls_comm_on_stuck(gls_comm *comm, void (*stuck)(void *user, int missing), void *user);
/* Whether message passing has failed for good: calls return at once and ask nobody. *missing (may be NULL): the rank
 * that is gone, -1 if that is not known. */
GLS_API bool gls_comm_lost(const gls_comm *comm, int *missing);
/* What this rank has sent so far, in bytes, without the message passing's own headers. */
GLS_API int64_t gls_comm_bytes(const gls_comm *comm);

/* ---- a gradient added up over ranks, in the way that `train.exchange` names ---- */

typedef struct gls_comm_exchange gls_comm_exchange;

/* For vectors [size]; spec: a name or a map with `name` (`glissade list exchanges`), NULL: dense. Every rank makes it
 * alike; all memory is taken here. GLS_ERR_ARGUMENT for a name or option that is not known. */
GLS_API gls_status gls_comm_exchange_create(gls_context *ctx, const gls_value *spec, int64_t size, uint64_t seed,
                                            gls_comm_exchange **out);
GLS_API void gls_comm_exchange_destroy(gls_comm_exchange *exchange);
GLS_API const char *gls_comm_exchange_name(const gls_comm_exchange *exchange); /* NULL for NULL */
/* g [size] becomes the sum over ranks, exact (dense) or as the exchange has it, the same bits on every rank; on one
 * process it stays as it is. Random numbers are keyed by (seed, number of the sum, rank, coordinate). A status travels
 * as in reductions. */
GLS_API gls_status gls_comm_exchange_sum(gls_comm_exchange *exchange, gls_real *g, gls_status mine);
/* Whether sums of this kind may go on while gradients are computed: dense, unless its option `overlap` says no. */
GLS_API bool gls_comm_exchange_overlaps(const gls_comm_exchange *exchange);
/* What one sum over so many ranks costs, whatever their number is here. */
typedef struct gls_comm_cost {
    double bytes;    /* that a rank sends */
    double messages; /* one after the other */
} gls_comm_cost;
GLS_API gls_comm_cost gls_comm_exchange_cost(const gls_comm_exchange *exchange, double ranks);
/* Its state (NULL has none). Collective, before it is saved: what ranks keep each for itself comes together. */
GLS_API gls_status gls_comm_exchange_gather(gls_comm_exchange *exchange);
GLS_API gls_status gls_comm_exchange_arrays(gls_comm_exchange *exchange, const char *prefix, gls_arrays *arrays);
/* After the arrays were filled, perhaps with those of another number of ranks. */
GLS_API gls_status gls_comm_exchange_restored(gls_comm_exchange *exchange);

#ifdef __cplusplus
}
#endif
#endif
