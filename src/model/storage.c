/* bf16, and the wide copies of an op's inputs and outputs. Buffers that share memory share their copy, so that an op
 * sees the same pointers equal as in a plan without narrow storage. */
#include "model/storage.h"

#include "base/bf16.h"
#include "base/kernels.h"
#include "model/op.h"

GLS_SIMD void gls_storage_widen(gls_real *to, const void *stored, int64_t n) {
    const uint16_t *from = stored;
    for (int64_t i = 0; i < n; i++) to[i] = gls_bf16_widen(from[i]);
}

GLS_SIMD void gls_storage_narrow(void *stored, const gls_real *from, int64_t n) {
    uint16_t *to = stored;
    for (int64_t i = 0; i < n; i++) to[i] = gls_bf16_narrow((float)from[i]);
}

static gls_real *stage(gls_exec *x, int64_t offset, int64_t count, bool written) {
    void *stored = x->memory + offset; /* copies begin at multiples of 16 reals, at least 64 bytes */
    gls_real *wide = (gls_real *)(x->memory + x->plan->stage);
    for (int k = 0; k < x->staged; k++) {
        gls_storage_staged *s = &x->stage[k];
        wide = s->wide + ((s->count + 15) & ~(int64_t)15);
        if (s->stored != stored) continue;
        s->written |= written;
        return s->wide;
    }
    gls_storage_widen(wide, stored, count);
    x->stage[x->staged++] = (gls_storage_staged){stored, wide, count, written};
    return wide;
}

static void stage_value(gls_exec *x, int node, bool written) {
    if (x->plan->narrow_value[node]) x->value[node] = stage(x, x->plan->value[node], gls_exec_size(x, node), written);
}

static void stage_grad(gls_exec *x, int node) {
    if (x->plan->narrow_grad[node]) x->grad[node] = stage(x, x->plan->grad[node], gls_exec_size(x, node), true);
}

void gls_storage_stage_forward(gls_exec *x, int i) {
    const gls_node *node = gls_exec_node(x, i);
    for (int k = 0; k < node->inputs; k++) stage_value(x, node->input[k], false);
    stage_value(x, i, true);
}

/* What is not written is handed back as it was: a gradient that this half of a coupled op leaves alone. */
void gls_storage_stage_backward(gls_exec *x, int i) {
    const gls_node *node = gls_exec_node(x, i);
    if (gls_node_keeps_output(node)) stage_value(x, i, false);
    stage_grad(x, i);
    for (int k = 0; k < node->inputs; k++) {
        if (node->op->flags & GLS_OP_KEEPS_INPUT) stage_value(x, node->input[k], false);
        stage_grad(x, node->input[k]);
    }
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
    unstage_node(x, i);
    for (int k = 0; k < node->inputs; k++) unstage_node(x, node->input[k]);
}
