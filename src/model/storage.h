/* Storage narrower than gls_real between the calls of ops: before an op's call the executor widens what it reads, after
 * it narrows what it wrote. */
#ifndef GLS_MODEL_STORAGE_H
#define GLS_MODEL_STORAGE_H

#include <pthread.h>

#include "model/exec.h"

/* bf16 [n] and back; narrowing rounds to the nearest float's upper half, ties to even, NaN stays NaN. */
void gls_storage_widen(gls_real *to, const void *from, int64_t n);
void gls_storage_narrow(void *to, const gls_real *from, int64_t n);
/* Both, in place. */
void gls_storage_round(gls_real *v, int64_t n);
/* to [n] += from, rounded once. */
void gls_storage_add(void *to, const gls_real *from, int64_t n);
/* to [n] = c from, both stored. */
void gls_storage_scale(void *to, const void *from, double c, int64_t n);
/* e [n] = e through a (leaky) relu with output y [n], both stored. */
void gls_storage_activation_grad(void *e, const void *y, int64_t n, double slope);

/* Of a network: memory for the wide copies, which calls take and give back, so that slices that wait have none. */
typedef struct gls_storage_room gls_storage_room;
typedef struct gls_storage_rooms {
    gls_context *ctx;
    pthread_mutex_t lock;
    gls_storage_room *first;
} gls_storage_rooms;
gls_status gls_storage_rooms_create(gls_context *ctx, gls_storage_rooms *rooms);
void gls_storage_rooms_destroy(gls_storage_rooms *rooms);

/* Around what reads wide copies: plan->wide reals of room, where anything is stored narrow. */
gls_status gls_storage_take(gls_exec *x);
gls_real *gls_storage_wide(const gls_exec *x);
void gls_storage_give(gls_exec *x);

/* Around a call of the node's forward, or backward. */
gls_status gls_storage_stage_forward(gls_exec *x, int node);
gls_status gls_storage_stage_backward(gls_exec *x, int node);
void gls_storage_unstage(gls_exec *x, int node);

#endif
