/* Half of the bytes: every rank's values as bf16, added in gls_real by the rank that has the segment, and their sums as
 * bf16 again. Rounded at random, both roundings are unbiased (in the double build up to its way through float). */
#include "base/bf16.h"
#include "base/arith.h"
#include "base/kernels.h"
#include "comm/exchange.h"

#include <stddef.h>
#include <string.h>

typedef struct options {
    int rounding;
} options;

enum { STOCHASTIC, NEAREST };

static const gls_option table[] = {
    GLS_ENUM("rounding", options, rounding, "stochastic", "stochastic|nearest",
             "stochastic: up or down at random, so that the mean is right; nearest: the closer one, ties to even"),
    {0}};

typedef struct bf16 {
    bool nearest;
    uint16_t *own;  /* [size] */
    uint16_t *from; /* [ranks, greatest segment] */
} bf16;

static gls_status create(gls_comm_exchange *x, const void *given) {
    bf16 *b = x->self;
    b->nearest = ((const options *)given)->rounding == NEAREST;
    if (x->ranks == 1) return GLS_OK;
    b->own = gls_alloc(x->ctx, x->size, sizeof *b->own);
    b->from = gls_alloc(x->ctx, x->ranks * (x->size / x->ranks + 1), sizeof *b->from);
    return b->own && b->from ? GLS_OK : GLS_ERR_MEMORY;
}

static void destroy(gls_comm_exchange *x) {
    bf16 *b = x->self;
    gls_free(x->ctx, b->own);
    gls_free(x->ctx, b->from);
}

/* The lower half of a float, added to, carries into the upper one as often as the value lies near the next: truncation
 * then rounds at random. What is not finite is kept as it is. */
static uint16_t round_at_random(float wide, uint32_t random) {
    uint32_t bits;
    memcpy(&bits, &wide, sizeof bits);
    if ((bits & 0x7f800000) == 0x7f800000) return gls_bf16_narrow(wide);
    return (uint16_t)((bits + (random & 0xffff)) >> 16);
}

typedef struct narrowing {
    const bf16 *b;
    gls_random random;
    const gls_real *from;
    uint16_t *to;
    int64_t size;
} narrowing;

/* A block of four random numbers serves eight values. */
static gls_status narrow_task(void *user, int64_t task, int worker) {
    const narrowing *s = user;
    int64_t begin = task * GLS_CHUNK, end = gls_least(begin + GLS_CHUNK, s->size);
    uint32_t random[4] = {0};
    for (int64_t i = begin; i < end; i++) {
        if (s->b->nearest) {
            s->to[i] = gls_bf16_narrow((float)s->from[i]);
            continue;
        }
        if (i % 8 == 0) gls_random_block(&s->random, (uint32_t)(i / 8), random);
        s->to[i] = round_at_random((float)s->from[i], random[i % 8 / 2] >> (i % 2 ? 16 : 0));
    }
    return GLS_OK;
}

static gls_status narrow(gls_comm_exchange *x, bool again, const gls_real *from, uint16_t *to, int64_t size) {
    narrowing s = {x->self, gls_comm_exchange_random(x, again), from, to, size};
    return gls_parallel(x->ctx, gls_parts(size, GLS_CHUNK), narrow_task, &s);
}

static gls_status sum(gls_comm_exchange *x, gls_real *g) {
    const bf16 *b = x->self;
    gls_comm_exchange_share(x, x->size, sizeof *b->own, x->at);
    int64_t begin = x->at[x->rank] / (int64_t)sizeof *b->own, bytes = x->at[x->rank + 1] - x->at[x->rank];
    int64_t count = bytes / (int64_t)sizeof *b->own;
    for (int r = 0; r <= x->ranks; r++) x->other_at[r] = bytes * r;
    GLS_TRY(narrow(x, false, g, b->own, x->size));
    GLS_TRY(gls_comm_swap(x->ctx, b->own, x->at, b->from, x->other_at));
    for (int64_t i = 0; i < count; i++) {
        gls_real total = 0;
        for (int r = 0; r < x->ranks; r++) total += gls_bf16_widen(b->from[r * count + i]);
        g[begin + i] = total;
    }
    GLS_TRY(narrow(x, true, g + begin, b->own + begin, count));
    GLS_TRY(gls_comm_gather(x->ctx, b->own, x->at));
    for (int64_t i = 0; i < x->size; i++) g[i] = gls_bf16_widen(b->own[i]);
    return GLS_OK;
}

static gls_comm_cost cost(const void *given, double size, double ranks) {
    return (gls_comm_cost){2 * (ranks - 1) / ranks * size * sizeof(uint16_t), 2 * (ranks - 1)};
}

const gls_comm_exchange_type gls_comm_exchange_bf16 = {
    .member = {"bf16", "half of the bytes: values and sums rounded to bf16", "", table, sizeof(options)},
    .self_size = sizeof(bf16),
    .create = create,
    .destroy = destroy,
    .sum = sum,
    .cost = cost,
};
