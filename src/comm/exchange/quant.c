/* Stochastic quantisation ([D] 4.4; with s levels and by blocks as Alistarh et al., QSGD, 2017, 3.1): a block v becomes
 * |v| and, for every coordinate, sign(v_i) l / s in packed bits, where l is drawn from the two levels around
 * s |v_i| / |v| so that the mean is v. Up to three ranks hand their codes to all (`gather`); beyond, segments go to the
 * ranks that add them up, and sums are quantised once more (`scatter`). */
#include "base/arith.h"
#include "base/draws.h"
#include "base/kernels.h"
#include "comm/exchange.h"

#include <math.h>
#include <stddef.h>
#include <string.h>

typedef struct options {
    int64_t levels, block;
    int way;
} options;

enum { AUTO, GATHER, SCATTER };
enum { GATHERED_RANKS = 3 }; /* at most: (P - 1) codes of the whole vector, against 2 (P - 1) / P */

static const gls_option table[] = {
    GLS_INT("levels", options, levels, "1", 1, 127, "levels s above zero; the variance falls with them, bits grow"),
    GLS_INT("block", options, block, "128", 0, 1e9, "coordinates that share a norm; 0: all of them, as in [D] 4.4"),
    GLS_ENUM(
        "way", options, way, "auto", "auto|gather|scatter",
        "gather: every rank's codes go to all; scatter: to those that add them up, sums are quantised again; auto: "
        "gather up to 3 ranks"),
    {0}};

typedef struct quant {
    int64_t levels, block, blocks, code_bytes; /* of a whole block */
    int bits;                                  /* of a coordinate */
    bool gathered;
    char *own;  /* [blocks, code_bytes] */
    char *from; /* codes of all ranks */
} quant;

static int bits_of(int64_t levels) {
    int bits = 1;
    while ((int64_t)1 << bits < 2 * levels + 1) bits++;
    return bits;
}

static int64_t bytes_of_block(int64_t n, int bits) {
    return (int64_t)sizeof(gls_real) + gls_parts(n * bits, 8);
}

static bool gathers(const options *o, double ranks) {
    return o->way == GATHER || (o->way == AUTO && ranks <= GATHERED_RANKS);
}

static gls_status create(gls_comm_exchange *x, const void *given) {
    const options *o = given;
    quant *q = x->self;
    q->levels = o->levels;
    q->block = o->block && o->block < x->size ? o->block : x->size;
    q->bits = bits_of(o->levels);
    q->blocks = gls_parts(x->size, q->block);
    q->code_bytes = bytes_of_block(q->block, q->bits);
    q->gathered = gathers(o, x->ranks);
    if (x->ranks == 1) return GLS_OK;
    int64_t parts = q->gathered ? x->ranks * q->blocks : x->ranks * (q->blocks / x->ranks + 1);
    q->own = gls_alloc(x->ctx, q->blocks, (size_t)q->code_bytes);
    q->from = gls_alloc(x->ctx, parts, (size_t)q->code_bytes);
    return q->own && q->from ? GLS_OK : GLS_ERR_MEMORY;
}

static void destroy(gls_comm_exchange *x) {
    quant *q = x->self;
    gls_free(x->ctx, q->own);
    gls_free(x->ctx, q->from);
}

/* Blocks [first, first + count) of a vector, from or to codes. */
typedef struct coding {
    const quant *q;
    gls_random random;
    gls_real *g; /* of the whole vector */
    char *code;  /* of block `first` */
    int64_t first, count, size;
    int ranks; /* of whom codes lie one after the other, `count` blocks each */
} coding;

enum { STRIP = 512 }; /* coordinates coded at a time: whole bytes, whatever the bits */

/* The levels of s |v| / norm, each up or down by a random number of 32 bits; negative ones count down from the end.
 * Words become doubles through signed integers, which every instruction set converts. */
GLS_SIMD static void draw_levels(const gls_real *v, int64_t n, double unit, int32_t levels, const uint32_t *random,
                                 uint8_t *code) {
    for (int64_t i = 0; i < n; i++) {
        double scaled = fabs((double)v[i]) * unit, drawn = (double)(int32_t)(random[i] ^ 0x80000000u) + 0x1p31;
        int32_t low = (int32_t)scaled, l = low + (drawn * 0x1p-32 < scaled - (double)low);
        l = l > levels ? levels : l;
        code[i] = (uint8_t)(v[i] < 0 && l > 0 ? 2 * levels + 1 - l : l);
    }
}

/* n codes of so many bits (at most 8), low ones first: eight of them are `bits` bytes. code has room for a multiple of
 * eight. */
static inline void pack_as(const uint8_t *code, int64_t n, int bits, char *to) {
    for (int64_t i = 0; i < n; i += 8) {
        uint64_t word = 0;
        for (int k = 0; k < 8; k++) word |= (uint64_t)code[i + k] << (k * bits);
        int64_t bytes = gls_least(gls_parts((n - i) * bits, 8), bits);
        for (int64_t k = 0; k < bytes; k++) *to++ = (char)(word >> (8 * k));
    }
}

static inline void unpack_as(const char *from, int64_t n, int bits, uint8_t *code) {
    for (int64_t i = 0; i < n; i += 8) {
        uint64_t word = 0;
        int64_t bytes = gls_least(gls_parts((n - i) * bits, 8), bits);
        for (int64_t k = 0; k < bytes; k++) word |= (uint64_t)(unsigned char)*from++ << (8 * k);
        for (int k = 0; k < 8; k++) code[i + k] = (uint8_t)(word >> (k * bits) & ((1u << bits) - 1));
    }
}

/* Two bits, as one level takes, are compiled apart: shifts that are known are cheap. */
static void pack(const uint8_t *code, int64_t n, int bits, char *to) {
    if (bits == 2)
        pack_as(code, n, 2, to);
    else
        pack_as(code, n, bits, to);
}

static void unpack(const char *from, int64_t n, int bits, uint8_t *code) {
    if (bits == 2)
        unpack_as(from, n, 2, code);
    else
        unpack_as(from, n, bits, code);
}

GLS_SIMD static void add_levels(const uint8_t *code, int64_t n, gls_real unit, int32_t levels, gls_real *v) {
    for (int64_t i = 0; i < n; i++) {
        int32_t l = code[i];
        v[i] += unit * (gls_real)(l > levels ? l - 2 * levels - 1 : l);
    }
}

/* A block that is not finite has a norm that says so, and every coordinate read from it is NaN. */
static void encode_block(const coding *c, int64_t block, char *to) {
    const quant *q = c->q;
    int64_t begin = block * q->block, n = gls_least(q->block, c->size - begin);
    const gls_real *v = c->g + begin;
    gls_real norm = (gls_real)sqrt(gls_sum_squares(v, n));
    memset(to, 0, (size_t)q->code_bytes);
    memcpy(to, &norm, sizeof norm);
    if (!(norm > 0) || !isfinite(norm)) return;
    double unit = (double)q->levels / (double)norm;
    for (int64_t i = 0; i < n; i += STRIP) {
        uint32_t random[STRIP + 8]; /* a block of four numbers for every four coordinates of the vector */
        uint8_t code[STRIP] = {0};
        int64_t at = begin + i, some = gls_least(n - i, STRIP), before = at % 4;
        gls_draw_words(&c->random, (uint32_t)(at / 4), gls_parts(before + some, 4), random);
        draw_levels(v + i, some, unit, (int32_t)q->levels, random + before, code);
        pack(code, some, q->bits, to + sizeof norm + i * q->bits / 8);
    }
}

static void add_block(const coding *c, int64_t block, const char *from) {
    const quant *q = c->q;
    int64_t begin = block * q->block, n = gls_least(q->block, c->size - begin);
    gls_real norm;
    memcpy(&norm, from, sizeof norm);
    gls_real unit = isfinite(norm) ? norm / (gls_real)q->levels : (gls_real)NAN;
    for (int64_t i = 0; i < n; i += STRIP) {
        uint8_t code[STRIP];
        int64_t some = gls_least(n - i, STRIP);
        unpack(from + sizeof norm + i * q->bits / 8, some, q->bits, code);
        add_levels(code, some, unit, (int32_t)q->levels, c->g + begin + i);
    }
}

static int64_t blocks_a_task(const quant *q) {
    return gls_parts(GLS_CHUNK, q->block);
}

static gls_status encode_task(void *user, int64_t task, int worker) {
    const coding *c = user;
    int64_t some = blocks_a_task(c->q), begin = task * some, end = gls_least(begin + some, c->count);
    for (int64_t b = begin; b < end; b++) encode_block(c, c->first + b, c->code + b * c->q->code_bytes);
    return GLS_OK;
}

/* Each block from zero, in the order of the ranks. */
static gls_status decode_task(void *user, int64_t task, int worker) {
    const coding *c = user;
    const quant *q = c->q;
    int64_t some = blocks_a_task(q), begin = task * some, end = gls_least(begin + some, c->count);
    int64_t low = (c->first + begin) * q->block, high = gls_least((c->first + end) * q->block, c->size);
    gls_fill(c->g + low, 0, high - low);
    for (int r = 0; r < c->ranks; r++)
        for (int64_t b = begin; b < end; b++) add_block(c, c->first + b, c->code + (r * c->count + b) * q->code_bytes);
    return GLS_OK;
}

static gls_status encode(gls_comm_exchange *x, bool again, gls_real *g, int64_t first, int64_t count) {
    const quant *q = x->self;
    coding c = {.q = q,
                .random = gls_comm_exchange_random(x, again),
                .g = g,
                .code = q->own + first * q->code_bytes,
                .first = first,
                .count = count,
                .size = x->size};
    return gls_parallel(x->ctx, gls_parts(count, blocks_a_task(q)), encode_task, &c);
}

static gls_status decode(gls_comm_exchange *x, gls_real *g, int64_t first, int64_t count, char *code, int ranks) {
    const quant *q = x->self;
    coding c = {.q = q, .g = g, .code = code, .first = first, .count = count, .size = x->size, .ranks = ranks};
    return gls_parallel(x->ctx, gls_parts(count, blocks_a_task(q)), decode_task, &c);
}

static gls_status gather_all(gls_comm_exchange *x, gls_real *g) {
    const quant *q = x->self;
    int64_t all = q->blocks * q->code_bytes;
    for (int r = 0; r <= x->ranks; r++) x->at[r] = all * r;
    memcpy(q->from + x->at[x->rank], q->own, (size_t)all);
    GLS_TRY(gls_comm_gather(x->ctx, q->from, x->at));
    return decode(x, g, 0, q->blocks, q->from, x->ranks);
}

static gls_status scatter(gls_comm_exchange *x, gls_real *g) {
    const quant *q = x->self;
    gls_comm_exchange_share(x, q->blocks, q->code_bytes, x->at);
    int64_t first = x->at[x->rank] / q->code_bytes, count = x->at[x->rank + 1] / q->code_bytes - first;
    for (int r = 0; r <= x->ranks; r++) x->other_at[r] = count * q->code_bytes * r;
    GLS_TRY(gls_comm_swap(x->ctx, q->own, x->at, q->from, x->other_at));
    GLS_TRY(decode(x, g, first, count, q->from, x->ranks));
    GLS_TRY(encode(x, true, g, first, count));
    GLS_TRY(gls_comm_gather(x->ctx, q->own, x->at));
    return decode(x, g, 0, q->blocks, q->own, 1);
}

static gls_status sum(gls_comm_exchange *x, gls_real *g) {
    const quant *q = x->self;
    GLS_TRY(encode(x, false, g, 0, q->blocks));
    return q->gathered ? gather_all(x, g) : scatter(x, g);
}

static gls_comm_cost cost(const void *given, double size, double ranks) {
    const options *o = given;
    double block = o->block && (double)o->block < size ? (double)o->block : size;
    double code = ceil(size / block) * (double)bytes_of_block((int64_t)block, bits_of(o->levels));
    if (gathers(o, ranks)) return (gls_comm_cost){(ranks - 1) * code, ranks - 1};
    return (gls_comm_cost){2 * (ranks - 1) / ranks * code, 2 * (ranks - 1)};
}

const gls_comm_exchange_type gls_comm_exchange_quant = {
    .member = {"quant", "a norm for each block and a few bits for each value, drawn so that the mean is right",
               "[D] 4.4", table, sizeof(options)},
    .self_size = sizeof(quant),
    .create = create,
    .destroy = destroy,
    .sum = sum,
    .cost = cost,
};
