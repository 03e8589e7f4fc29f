/* Half of the bytes: every rank's values as bf16, added in gls_real by the rank that has the segment, and their sums as
 * bf16 again. Rounded at random, both roundings are unbiased (in the double build up to its way through float). */
#include "base/bf16.h"
#include "base/arith.h"
#include "base/draws.h"
#include "base/kernels.h"
#include "comm/exchange.h"

#include <stddef.h>
#include <string.h>

typedef struct options {
    int rounding;
    bool overlap;
} options;

enum { STOCHASTIC, NEAREST };

static const gls_option table[] = {
    GLS_ENUM("rounding", options, rounding, "stochastic", "stochastic|nearest",
             "stochastic: up or down at random, so that the mean is right; nearest: the closer one, ties to even"),
    GLS_BOOL("overlap", options, overlap, "true",
             "parts of large weight matrices' gradients travel while others are computed: the same bits"),
    {0}};

typedef struct bf16 {
    gls_comm_exchange *x;
    bool nearest;
    gls_comm_code code;
    uint16_t *own;  /* [size] */
    uint16_t *from; /* [ranks, greatest segment] */
} bf16;

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

enum { STRIP = 1024 }; /* values narrowed at a time */

GLS_SIMD static void narrow_nearest(const gls_real *from, int64_t n, uint16_t *to) {
    for (int64_t i = 0; i < n; i++) to[i] = gls_bf16_narrow((float)from[i]);
}

GLS_SIMD static void narrow_at_random(const gls_real *from, int64_t n, const uint16_t *random, uint16_t *to) {
    for (int64_t i = 0; i < n; i++) to[i] = round_at_random((float)from[i], random[i]);
}

/* Half a random word for each value, the lower half first: a block of four serves eight. */
GLS_SIMD static void halves(const uint32_t *word, int64_t n, uint16_t *half) {
    for (int64_t i = 0; i < n; i++) {
        half[2 * i] = (uint16_t)word[i];
        half[2 * i + 1] = (uint16_t)(word[i] >> 16);
    }
}

/* Random numbers belong to a value's place in the vector, whoever rounds it: so segments may be cut in any way. */
static void encode(void *user, bool again, int64_t begin, int64_t n, const gls_real *from, void *wire) {
    const bf16 *b = user;
    uint16_t *to = wire, half[STRIP + 16];
    uint32_t word[STRIP / 2 + 8];
    gls_random random = gls_comm_exchange_random(b->x, again);
    for (int64_t i = 0; i < n; i += STRIP) {
        int64_t some = gls_least(n - i, STRIP), at = begin + i, before = at % 8, blocks = gls_parts(before + some, 8);
        if (b->nearest) {
            narrow_nearest(from + i, some, to + i);
            continue;
        }
        gls_draw_words(&random, (uint32_t)(at / 8), blocks, word);
        halves(word, 4 * blocks, half);
        narrow_at_random(from + i, some, half + before, to + i);
    }
}

GLS_SIMD static void add_wide(const uint16_t *from, int64_t n, gls_real *to) {
    for (int64_t i = 0; i < n; i++) to[i] += gls_bf16_widen(from[i]);
}

static void add(void *user, const void *wire, int64_t n, gls_real *to) {
    add_wide(wire, n, to);
}

static gls_status create(gls_comm_exchange *x, const void *given) {
    bf16 *b = x->self;
    b->x = x;
    b->code = (gls_comm_code){sizeof *b->own, b, encode, add};
    b->nearest = ((const options *)given)->rounding == NEAREST;
    if (x->ranks == 1) return GLS_OK;
    b->own = gls_alloc(x->ctx, x->size, sizeof *b->own);
    b->from = gls_alloc(x->ctx, x->ranks * (x->size / x->ranks + 1), sizeof *b->from);
    return b->own && b->from ? GLS_OK : GLS_ERR_MEMORY;
}

typedef struct narrowing {
    bf16 *b;
    bool again;
    int64_t begin, size;
    const gls_real *g;
} narrowing;

static gls_status narrow_task(void *user, int64_t task, int worker) {
    const narrowing *s = user;
    int64_t begin = s->begin + task * GLS_CHUNK, n = gls_least(GLS_CHUNK, s->begin + s->size - begin);
    encode(s->b, s->again, begin, n, s->g + begin, s->b->own + begin);
    return GLS_OK;
}

/* Values [begin, begin + size). */
static gls_status narrow(gls_comm_exchange *x, bool again, const gls_real *g, int64_t begin, int64_t size) {
    narrowing s = {x->self, again, begin, size, g};
    return gls_parallel(x->ctx, gls_parts(size, GLS_CHUNK), narrow_task, &s);
}

static gls_status sum(gls_comm_exchange *x, gls_real *g) {
    const bf16 *b = x->self;
    gls_comm_exchange_share(x, x->size, sizeof *b->own, x->at);
    int64_t begin = x->at[x->rank] / (int64_t)sizeof *b->own, bytes = x->at[x->rank + 1] - x->at[x->rank];
    int64_t count = bytes / (int64_t)sizeof *b->own;
    for (int r = 0; r <= x->ranks; r++) x->other_at[r] = bytes * r;
    GLS_TRY(narrow(x, false, g, 0, x->size));
    GLS_TRY(gls_comm_swap(x->ctx, b->own, x->at, b->from, x->other_at));
    gls_fill(g + begin, 0, count);
    for (int r = 0; r < x->ranks; r++) add_wide(b->from + r * count, count, g + begin);
    GLS_TRY(narrow(x, true, g, begin, count));
    GLS_TRY(gls_comm_gather(x->ctx, b->own, x->at));
    gls_fill(g, 0, x->size);
    add_wide(b->own, x->size, g);
    return GLS_OK;
}

static bool overlaps(const void *given) {
    return ((const options *)given)->overlap;
}

static const gls_comm_code *code(gls_comm_exchange *x) {
    return &((bf16 *)x->self)->code;
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
    .overlaps = overlaps,
    .code = code,
    .exact_scale = true,
};
