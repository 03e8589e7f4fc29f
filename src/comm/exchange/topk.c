/* The greatest values alone, with error feedback: what a rank does not send it adds to its next gradient (Stich,
 * Cordonnier and Jaggi, Sparsified SGD with memory, 2018). No law of its speed-up is claimed. */
#include "base/kernels.h"
#include "comm/exchange.h"

#include <math.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

typedef struct options {
    double fraction;
} options;

static const gls_option table[] = {GLS_REAL("fraction", options, fraction, "0.01", 0, 1,
                                            "share of the values that a rank sends, the greatest ones",
                                            .flags = GLS_OPTION_ABOVE_MIN),
                                   {0}};

enum { BINS = 1 << 16 };

typedef struct topk {
    int64_t k, message; /* values sent; bytes of a message */
    gls_real *memory;   /* [size] what was not sent so far */
    int64_t *bin;       /* [BINS] */
    char *all;          /* [ranks, message]: whether finite, k places, k values */
    gls_real *saved;    /* [saved_ranks, size] memories on their way to or from a checkpoint; NULL: none */
    int64_t saved_ranks;
} topk;

enum { HEAD = 8 }; /* bytes; 0: the values are finite */

static int64_t count_of(const options *o, double size) {
    double k = ceil(o->fraction * size);
    return k < 1 ? 1 : k > size ? (int64_t)size : (int64_t)k;
}

static int64_t message_of(int64_t k) {
    int64_t places = (k * (int64_t)sizeof(int32_t) + 7) / 8 * 8;
    return HEAD + places + (k * (int64_t)sizeof(gls_real) + 7) / 8 * 8;
}

static gls_status create(gls_comm_exchange *x, const void *given) {
    topk *t = x->self;
    if (x->size > INT32_MAX)
        return gls_fail(x->ctx, GLS_ERR_UNSUPPORTED, "topk: %lld parameters are more than places of 32 bits tell",
                        (long long)x->size);
    t->k = count_of(given, (double)x->size);
    t->message = message_of(t->k);
    t->memory = gls_alloc(x->ctx, x->size, sizeof *t->memory);
    t->bin = gls_alloc(x->ctx, BINS, sizeof *t->bin);
    t->all = gls_alloc(x->ctx, x->ranks, (size_t)t->message);
    return t->memory && t->bin && t->all ? GLS_OK : GLS_ERR_MEMORY;
}

static void destroy(gls_comm_exchange *x) {
    topk *t = x->self;
    gls_free(x->ctx, t->memory);
    gls_free(x->ctx, t->bin);
    gls_free(x->ctx, t->all);
    gls_free(x->ctx, t->saved);
}

/* The order of absolute values is that of these bits. */
static uint32_t order(gls_real v) {
    float wide = fabsf((float)v);
    uint32_t bits;
    memcpy(&bits, &wide, sizeof bits);
    return bits;
}

/* The k-th greatest order of v, found half by half; *above: how many are greater. */
static uint32_t threshold(const topk *t, const gls_real *v, int64_t n, int64_t *above) {
    uint32_t found = 0;
    *above = 0;
    for (int half = 0; half < 2; half++) {
        memset(t->bin, 0, BINS * sizeof *t->bin);
        for (int64_t i = 0; i < n; i++) {
            uint32_t bits = order(v[i]);
            if (half == 0)
                t->bin[bits >> 16]++;
            else if (bits >> 16 == found >> 16)
                t->bin[bits & 0xffff]++;
        }
        uint32_t bin = BINS - 1;
        while (*above + t->bin[bin] < t->k) *above += t->bin[bin--];
        found |= half ? bin : bin << 16;
    }
    return found;
}

static int32_t *places(const topk *t, int rank) {
    return (int32_t *)(void *)(t->all + rank * t->message + HEAD);
}

static gls_real *values(const topk *t, int rank) {
    return (gls_real *)(void *)(t->all + (rank + 1) * t->message - (t->k * (int64_t)sizeof(gls_real) + 7) / 8 * 8);
}

/* Of equal ones those that come first. */
static void choose(const topk *t, const gls_real *v, int64_t n, int rank) {
    int64_t above, equal, sent = 0;
    uint32_t least = threshold(t, v, n, &above);
    equal = t->k - above;
    for (int64_t i = 0; i < n && sent < t->k; i++) {
        uint32_t bits = order(v[i]);
        if (bits < least || (bits == least && equal-- <= 0)) continue;
        places(t, rank)[sent] = (int32_t)i;
        values(t, rank)[sent++] = v[i];
    }
}

static bool all_finite(const topk *t, int ranks) {
    for (int r = 0; r < ranks; r++) {
        int64_t bad;
        memcpy(&bad, t->all + r * t->message, HEAD);
        if (bad) return false;
    }
    return true;
}

/* A gradient that is not finite on one rank makes the step one that methods refuse, and changes no memory. */
static gls_status sum(gls_comm_exchange *x, gls_real *g) {
    topk *t = x->self;
    gls_free(x->ctx, t->saved);
    t->saved = NULL;
    gls_axpy(g, 1, t->memory, x->size);
    int64_t bad = gls_count_nonfinite(g, x->size);
    memcpy(t->all + x->rank * t->message, &bad, HEAD);
    choose(t, g, x->size, x->rank);
    for (int r = 0; r <= x->ranks; r++) x->at[r] = r * t->message;
    GLS_TRY(gls_comm_gather(x->ctx, t->all, x->at));
    if (!all_finite(t, x->ranks)) {
        gls_fill(g, (gls_real)NAN, x->size);
        return GLS_OK;
    }
    memcpy(t->memory, g, (size_t)x->size * sizeof *g);
    for (int64_t i = 0; i < t->k; i++) t->memory[places(t, x->rank)[i]] = 0;
    gls_fill(g, 0, x->size);
    for (int r = 0; r < x->ranks; r++)
        for (int64_t i = 0; i < t->k; i++) g[places(t, r)[i]] += values(t, r)[i];
    return GLS_OK;
}

static gls_comm_cost cost(const void *given, double size, double ranks) {
    return (gls_comm_cost){(ranks - 1) * (double)message_of(count_of(given, size)), ranks - 1};
}

/* ---- in a checkpoint: the memories of all ranks ---- */

static gls_status room(gls_comm_exchange *x, int64_t ranks) {
    topk *t = x->self;
    if (t->saved && t->saved_ranks == ranks) return GLS_OK;
    gls_free(x->ctx, t->saved);
    t->saved = gls_alloc(x->ctx, ranks * x->size, sizeof *t->saved);
    t->saved_ranks = ranks;
    return t->saved ? GLS_OK : GLS_ERR_MEMORY;
}

static gls_status gather(gls_comm_exchange *x) {
    topk *t = x->self;
    GLS_TRY(gls_comm_agree(x->ctx, room(x, x->ranks)));
    memcpy(t->saved + x->rank * x->size, t->memory, (size_t)x->size * sizeof *t->memory);
    for (int r = 0; r <= x->ranks; r++) x->at[r] = r * x->size * (int64_t)sizeof *t->saved;
    return gls_comm_gather(x->ctx, t->saved, x->at);
}

static gls_status resize(void *owner, gls_array *array, const int64_t *shape) {
    gls_comm_exchange *x = owner;
    if (shape[1] != x->size || shape[0] < 1)
        return gls_fail(x->ctx, GLS_ERR_INPUT,
                        "topk: the memory in the checkpoint is [%lld, %lld], expected [ranks, %lld]",
                        (long long)shape[0], (long long)shape[1], (long long)x->size);
    GLS_TRY(room(x, shape[0]));
    array->data = ((topk *)x->self)->saved;
    array->shape[0] = shape[0];
    return GLS_OK;
}

static gls_status arrays(gls_comm_exchange *x, const char *prefix, gls_arrays *list) {
    topk *t = x->self;
    char name[64];
    snprintf(name, sizeof name, "%smemory", prefix);
    GLS_TRY(room(x, x->ranks));
    GLS_TRY(gls_arrays_add(x->ctx, list, name, GLS_DTYPE_REAL, 2, (const int64_t[]){x->ranks, x->size}, t->saved));
    gls_arrays_resizable(list, resize, x);
    return GLS_OK;
}

/* Of another number of ranks: each takes an equal share of all that was not sent, so that their sum is what it was. */
static gls_status restored(gls_comm_exchange *x) {
    topk *t = x->self;
    if (t->saved_ranks == x->ranks) {
        memcpy(t->memory, t->saved + x->rank * x->size, (size_t)x->size * sizeof *t->memory);
        return GLS_OK;
    }
    gls_fill(t->memory, 0, x->size);
    for (int64_t r = 0; r < t->saved_ranks; r++)
        gls_axpy(t->memory, 1 / (double)x->ranks, t->saved + r * x->size, x->size);
    gls_log(x->ctx, GLS_LOG_INFO, "topk: what %lld ranks had not sent is shared by %d", (long long)t->saved_ranks,
            x->ranks);
    return GLS_OK;
}

const gls_comm_exchange_type gls_comm_exchange_topk = {
    .member = {"topk", "the greatest values of each rank; what is left is added to its next gradient",
               "Stich, Cordonnier, Jaggi 2018", table, sizeof(options)},
    .self_size = sizeof(topk),
    .create = create,
    .destroy = destroy,
    .sum = sum,
    .cost = cost,
    .gather = gather,
    .arrays = arrays,
    .restored = restored,
};
