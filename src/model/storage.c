/* bf16, and the wide copies of an op's inputs and outputs. Buffers that share memory share their copy, so that an op
 * sees the same pointers equal as in a plan without narrow storage. */
#include "model/storage.h"

#include "base/bf16.h"
#include "base/context.h"
#include "base/kernels.h"
#include "model/network.h"
#include "model/op.h"

GLS_SIMD void gls_storage_widen(gls_real *to, const void *stored, int64_t n) {
    const uint16_t *from = stored;
    for (int64_t i = 0; i < n; i++) to[i] = gls_bf16_widen(from[i]);
}

GLS_SIMD void gls_storage_narrow(void *stored, const gls_real *from, int64_t n) {
    uint16_t *to = stored;
    for (int64_t i = 0; i < n; i++) to[i] = gls_bf16_narrow((float)from[i]);
}

GLS_SIMD void gls_storage_round(gls_real *v, int64_t n) {
    for (int64_t i = 0; i < n; i++) v[i] = gls_bf16_widen(gls_bf16_narrow((float)v[i]));
}

GLS_SIMD void gls_storage_add(void *stored, const gls_real *from, int64_t n) {
    uint16_t *to = stored;
    for (int64_t i = 0; i < n; i++) to[i] = gls_bf16_narrow((float)(gls_bf16_widen(to[i]) + from[i]));
}

GLS_SIMD void gls_storage_scale(void *to, const void *from, double c, int64_t n) {
    uint16_t *out = to;
    const uint16_t *in = from;
    float factor = (float)c;
    for (int64_t i = 0; i < n; i++) out[i] = gls_bf16_narrow(factor * gls_bf16_widen(in[i]));
}

GLS_SIMD static void leaky_grad(uint16_t *e, const uint16_t *y, int64_t n, float slope) {
    for (int64_t i = 0; i < n; i++)
        e[i] = gls_bf16_widen(y[i]) > 0 ? e[i] : gls_bf16_narrow(slope * gls_bf16_widen(e[i]));
}

GLS_SIMD static void relu_grad(uint16_t *e, const uint16_t *y, int64_t n) {
    for (int64_t i = 0; i < n; i++) e[i] = (int16_t)y[i] > 0 ? e[i] : 0; /* a NaN is no output of a relu */
}

void gls_storage_activation_grad(void *e, const void *y, int64_t n, double slope) {
    if (slope == 0)
        relu_grad(e, y, n);
    else
        leaky_grad(e, y, n, (float)slope);
}

/* ---- room for wide copies ---- */

/* One call's: in the list while no call has it. */
struct gls_storage_room {
    _Alignas(64) struct gls_storage_room *next;
    int64_t reals;
    _Alignas(64) gls_real wide[];
};

gls_status gls_storage_rooms_create(gls_context *ctx, gls_storage_rooms *rooms) {
    if (pthread_mutex_init(&rooms->lock, NULL)) return gls_fail(ctx, GLS_ERR_MEMORY, "no memory for a lock");
    rooms->ctx = ctx;
    return GLS_OK;
}

void gls_storage_rooms_destroy(gls_storage_rooms *rooms) {
    if (!rooms->ctx) return;
    while (rooms->first) {
        gls_storage_room *next = rooms->first->next;
        gls_free(rooms->ctx, rooms->first);
        rooms->first = next;
    }
    pthread_mutex_destroy(&rooms->lock);
}

/* There are as many as calls that were ever at work at once. */
gls_status gls_storage_take(gls_exec *x) {
    gls_storage_rooms *rooms = &x->net->rooms;
    if (x->plan->storage == GLS_STORAGE_REAL) return GLS_OK;
    pthread_mutex_lock(&rooms->lock);
    gls_storage_room *room = rooms->first;
    if (room) rooms->first = room->next;
    pthread_mutex_unlock(&rooms->lock);
    if (room && room->reals < x->plan->wide) {
        gls_free(x->ctx, room);
        room = NULL;
    }
    if (!room) {
        room = gls_alloc(x->ctx, (int64_t)sizeof *room + x->plan->wide * (int64_t)sizeof *room->wide, 1);
        if (!room) return GLS_ERR_MEMORY;
        room->reals = x->plan->wide;
    }
    x->room = room;
    return GLS_OK;
}

void gls_storage_give(gls_exec *x) {
    gls_storage_rooms *rooms = &x->net->rooms;
    if (!x->room) return;
    pthread_mutex_lock(&rooms->lock);
    x->room->next = rooms->first;
    rooms->first = x->room;
    pthread_mutex_unlock(&rooms->lock);
    x->room = NULL;
}

gls_real *gls_storage_wide(const gls_exec *x) {
    return x->room->wide;
}

/* ---- around a call ---- */

/* What a call does with a buffer. */
enum { READS = 1, WRITES = 2 };

/* A buffer that is only written is not read, unless the call is one half of a coupled op: the other one may read what
 * this one writes, and what this one leaves alone is handed back as it was. */
static unsigned only_writes(const gls_exec *x, int i) {
    return gls_exec_node(x, i)->op->coupling && x->plan->mode == GLS_MODE_TRAIN ? READS | WRITES : WRITES;
}

static gls_real *stage(gls_exec *x, int64_t offset, int64_t count, unsigned how) {
    void *stored = x->memory + offset; /* copies begin at multiples of 16 reals, at least 64 bytes */
    gls_real *wide = x->room->wide;
    for (int k = 0; k < x->staged; k++) {
        gls_storage_staged *s = &x->stage[k];
        wide = s->wide + ((s->count + 15) & ~(int64_t)15);
        if (s->stored != stored) continue;
        s->written |= (how & WRITES) != 0;
        return s->wide;
    }
    if (how & READS) gls_storage_widen(wide, stored, count);
    x->stage[x->staged++] = (gls_storage_staged){stored, wide, count, (how & WRITES) != 0};
    return wide;
}

static void stage_value(gls_exec *x, int node, unsigned how) {
    if (x->plan->narrow_value[node]) x->value[node] = stage(x, x->plan->value[node], gls_exec_size(x, node), how);
}

static void stage_grad(gls_exec *x, int node, unsigned how) {
    if (x->plan->narrow_grad[node]) x->grad[node] = stage(x, x->plan->grad[node], gls_exec_size(x, node), how);
}

gls_status gls_storage_stage_forward(gls_exec *x, int i) {
    const gls_node *node = gls_exec_node(x, i);
    GLS_TRY(gls_storage_take(x));
    for (int k = 0; k < node->inputs; k++) stage_value(x, node->input[k], READS);
    stage_value(x, i, only_writes(x, i));
    return GLS_OK;
}

gls_status gls_storage_stage_backward(gls_exec *x, int i) {
    const gls_node *node = gls_exec_node(x, i);
    GLS_TRY(gls_storage_take(x));
    if (gls_node_keeps_output(node)) stage_value(x, i, READS);
    stage_grad(x, i, READS | WRITES);
    for (int k = 0; k < node->inputs; k++) {
        if (node->op->flags & GLS_OP_KEEPS_INPUT) stage_value(x, node->input[k], READS);
        stage_grad(x, node->input[k], gls_exec_adds(x, i, k) ? READS | WRITES : only_writes(x, i));
    }
    return GLS_OK;
}

/* The pointers go too: an op that reads what it does not declare would read what another one has written since. */
static void unstage_node(gls_exec *x, int i) {
    if (x->plan->narrow_value[i]) x->value[i] = NULL;
    if (x->plan->narrow_grad[i]) x->grad[i] = NULL;
}

void gls_storage_unstage(gls_exec *x, int i) {
    const gls_node *node = gls_exec_node(x, i);
    for (int k = 0; k < x->staged; k++)
        if (x->stage[k].written) gls_storage_narrow(x->stage[k].stored, x->stage[k].wide, x->stage[k].count);
    x->staged = 0;
    gls_storage_give(x);
    unstage_node(x, i);
    for (int k = 0; k < node->inputs; k++) unstage_node(x, node->input[k]);
}
