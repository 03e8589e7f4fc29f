/* Gradients added up over ranks in the way that a configuration names: made, run, saved. */
#include "comm/exchange.h"

#include "base/arith.h"
#include "base/value.h"

#include <string.h>

/* clang-format off */
#define EXCHANGES(X) \
    X(dense) \
    X(bf16) \
    X(quant) \
    X(topk)
/* clang-format on */

#define DECLARE(name) extern const gls_comm_exchange_type gls_comm_exchange_##name;
EXCHANGES(DECLARE)
#define ROW(name) &gls_comm_exchange_##name.member,
static const gls_member *const members[] = {EXCHANGES(ROW) NULL};
const gls_member_kind gls_comm_exchange_kind = {GLS_KIND_EXCHANGE, "exchange", members};

/* The member that a spec names, and its options. */
static gls_status read_spec(gls_context *ctx, const gls_value *spec, const gls_comm_exchange_type **type,
                            gls_options **options) {
    bool map = spec && spec->kind == GLS_VALUE_MAP;
    const gls_value *name = map ? gls_value_get(spec, "name") : spec;
    char place[GLS_ORIGIN_TEXT];
    if (spec && (!name || name->kind != GLS_VALUE_TEXT))
        return gls_fail(ctx, GLS_ERR_ARGUMENT, "%sexchange: expected a name, or a map with `name`",
                        gls_value_origin(spec, place));
    const gls_member *member = gls_member_find(ctx, &gls_comm_exchange_kind, spec ? name->text : "dense");
    if (!member) return GLS_ERR_ARGUMENT;
    *type = (const gls_comm_exchange_type *)(const void *)member;
    return gls_member_options(ctx, member, member->name, map ? spec : NULL, gls_member_but_name, options);
}

/* A long vector whose values may travel in parts. */
static gls_status cut(gls_comm_exchange *x) {
    int64_t each = x->size / GLS_COMM_PARTS + 1 > GLS_COMM_PART ? x->size / GLS_COMM_PARTS + 1 : GLS_COMM_PART;
    if (x->ranks == 1 || !gls_comm_exchange_cuts(x)) return GLS_OK;
    x->parts = gls_parts(x->size, each);
    x->part = gls_alloc(x->ctx, x->parts, sizeof *x->part);
    if (!x->part) return GLS_ERR_MEMORY;
    for (int64_t k = 0; k < x->parts; k++) x->part[k] = (gls_comm_part){k * each, gls_least((k + 1) * each, x->size)};
    return GLS_OK;
}

static gls_status make(gls_comm_exchange *x) {
    x->self = gls_alloc(x->ctx, 1, x->type->self_size);
    x->at = gls_alloc(x->ctx, x->ranks + 1, sizeof *x->at);
    x->other_at = gls_alloc(x->ctx, x->ranks + 1, sizeof *x->other_at);
    if (!x->self || !x->at || !x->other_at) return GLS_ERR_MEMORY;
    GLS_TRY(cut(x));
    return x->type->create ? x->type->create(x, gls_options_struct(x->options)) : GLS_OK;
}

gls_status gls_comm_exchange_create(gls_context *ctx, const gls_value *spec, int64_t size, uint64_t seed,
                                    gls_comm_exchange **out) {
    GLS_GIVEN(ctx, ctx, out);
    *out = NULL;
    gls_comm_exchange *x = gls_alloc(ctx, 1, sizeof *x);
    if (!x) return GLS_ERR_MEMORY;
    gls_comm *comm = gls_context_comm(ctx);
    *x = (gls_comm_exchange){
        .ctx = ctx, .seed = seed, .size = size, .rank = gls_comm_rank(comm), .ranks = gls_comm_size(comm)};
    gls_status status = read_spec(ctx, spec, &x->type, &x->options);
    if (status == GLS_OK) status = make(x);
    if (status == GLS_OK)
        *out = x;
    else
        gls_comm_exchange_destroy(x);
    return status;
}

void gls_comm_exchange_destroy(gls_comm_exchange *x) {
    if (!x) return;
    gls_context *ctx = x->ctx;
    if (x->self && x->type->destroy) x->type->destroy(x);
    gls_options_destroy(x->options);
    gls_free(ctx, x->self);
    gls_free(ctx, x->at);
    gls_free(ctx, x->other_at);
    gls_free(ctx, x->part);
    gls_free(ctx, x);
}

const char *gls_comm_exchange_name(const gls_comm_exchange *x) {
    return x ? x->type->member.name : NULL;
}

gls_comm_cost gls_comm_exchange_cost(const gls_comm_exchange *x, double ranks) {
    if (!x || !(ranks > 1)) return (gls_comm_cost){0};
    return x->type->cost(gls_options_struct(x->options), (double)x->size, ranks);
}

bool gls_comm_exchange_overlaps(const gls_comm_exchange *x) {
    return x && x->type->overlaps && x->type->overlaps(gls_options_struct(x->options));
}

bool gls_comm_exchange_cuts(const gls_comm_exchange *x) {
    return x->size >= 2 * GLS_COMM_PART && gls_comm_exchange_overlaps(x);
}

/* Segments of one part go out while sums of another come back. */
static gls_status sum_in_parts(gls_comm_exchange *x, gls_real *g) {
    GLS_TRY(gls_comm_exchange_begin(x->ctx, x, g, x->part, x->parts));
    return gls_comm_parts_finish(x->ctx);
}

gls_status gls_comm_exchange_sum(gls_comm_exchange *x, gls_real *g, gls_status mine) {
    GLS_GIVEN(NULL, x, g);
    if (x->ranks == 1) return mine;
    GLS_TRY(gls_comm_agree(x->ctx, mine));
    bool parts = x->part && gls_comm_parts_possible(x->ctx);
    gls_status status = parts ? sum_in_parts(x, g) : x->type->sum(x, g);
    x->draws++;
    return status;
}

bool gls_comm_exchange_scales_after(const gls_comm_exchange *x) {
    return !x || x->type->exact_scale;
}

bool gls_comm_exchange_in_parts(gls_context *ctx, const gls_comm_exchange *x) {
    return gls_comm_parts_possible(ctx) && (!x || gls_comm_exchange_overlaps(x));
}

gls_status gls_comm_exchange_begin(gls_context *ctx, gls_comm_exchange *x, gls_real *g, const gls_comm_part *part,
                                   int64_t parts) {
    return gls_comm_parts_begin(ctx, x && x->type->code ? x->type->code(x) : NULL, g, part, parts);
}

gls_status gls_comm_exchange_finish(gls_context *ctx, gls_comm_exchange *x) {
    gls_status status = gls_comm_parts_finish(ctx);
    if (x) x->draws++;
    return status;
}

gls_status gls_comm_exchange_gather(gls_comm_exchange *x) {
    return x && x->type->gather ? x->type->gather(x) : GLS_OK;
}

gls_status gls_comm_exchange_arrays(gls_comm_exchange *x, const char *prefix, gls_arrays *arrays) {
    if (!x) return GLS_OK;
    GLS_TRY(gls_arrays_add_state(x->ctx, arrays, prefix, "draws", GLS_I64, 1, &x->draws));
    return x->type->arrays ? x->type->arrays(x, prefix, arrays) : GLS_OK;
}

gls_status gls_comm_exchange_restored(gls_comm_exchange *x) {
    return x && x->type->restored ? x->type->restored(x) : GLS_OK;
}

void gls_comm_exchange_share(const gls_comm_exchange *x, int64_t units, int64_t bytes, int64_t *at) {
    for (int r = 0; r <= x->ranks; r++) at[r] = units * r / x->ranks * bytes;
}

gls_random gls_comm_exchange_random(const gls_comm_exchange *x, bool again) {
    return gls_random_create(x->seed, again ? "exchange again" : "exchange", (uint64_t)x->draws,
                             again ? 0 : (uint32_t)x->rank);
}
