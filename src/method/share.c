/* A method's state divided over processes. Passes run over one's own pieces; what they gather is kept by piece, so that
 * sums are added in the order of one process, whoever made them. */
#include "method/method.h"

#include <string.h>

#include "base/arith.h"
#include "base/tensors.h"

static int64_t offset_of(const gls_method *method, int64_t piece) {
    return piece < method->pieces ? method->piece[piece].offset : method->parameters;
}

static int64_t scale_of(const gls_method *method, int64_t piece) {
    return piece < method->pieces ? method->piece[piece].scales : method->scales;
}

/* The first piece of rank number `rank`. */
static int64_t boundary(const gls_method *method, int64_t rank, int64_t ranks) {
    if (rank == ranks) return method->pieces;
    int64_t begin = method->parameters / ranks * rank + method->parameters % ranks * rank / ranks;
    int64_t i = gls_method_piece_at(method, begin);
    return i + (i < method->pieces && method->piece[i].offset < begin);
}

static gls_status cut(gls_method *method) {
    int ranks = method->share.ranks, rank = method->share.rank;
    method->cut = gls_alloc(method->ctx, ranks + 1, sizeof *method->cut);
    method->at = gls_alloc(method->ctx, ranks + 1, sizeof *method->at);
    if (!method->cut || !method->at) return GLS_ERR_MEMORY;
    for (int r = 0; r <= ranks; r++) method->cut[r] = boundary(method, r, ranks);
    method->first = offset_of(method, method->cut[rank]);
    method->own = offset_of(method, method->cut[rank + 1]) - method->first;
    method->first_scale = scale_of(method, method->cut[rank]);
    method->own_scales = scale_of(method, method->cut[rank + 1]) - method->first_scale;
    return GLS_OK;
}

gls_status gls_method_share_create(gls_method *method) {
    const gls_method_type *type = method->type;
    method->own = method->parameters;
    method->own_scales = method->scales;
    if (method->share.ranks < 2) return GLS_OK;
    if (type->tell || type->create || type->finish || type->record || type->arrays)
        return gls_fail(
            method->ctx, GLS_ERR_UNSUPPORTED,
            "method %s: its state is more than vectors that a step walks through, and cannot be divided over "
            "ranks (train.shard_state)",
            type->member.name);
    method->apart = true;
    return cut(method);
}

bool gls_method_share_has(const gls_method *method, int64_t piece) {
    int rank = method->share.rank;
    return !method->cut || (piece >= method->cut[rank] && piece < method->cut[rank + 1]);
}

gls_status gls_method_share_sums(gls_method *method) {
    if (!method->cut) return GLS_OK;
    for (int r = 0; r <= method->share.ranks; r++) method->at[r] = method->cut[r] * (int64_t)sizeof *method->sums;
    return method->share.gather(method->share.user, method->sums, method->at);
}

gls_status gls_method_share_moved(gls_method *method, gls_real *w) {
    if (!method->cut) return GLS_OK;
    for (int r = 0; r <= method->share.ranks; r++)
        method->at[r] = offset_of(method, method->cut[r]) * (int64_t)sizeof *w;
    return method->share.gather(method->share.user, w, method->at);
}

/* ---- vectors that were cut in another way ---- */

/* Elements [begin, begin + n) of a whole vector are in `from`, and [first, first + own) of it are wanted. */
static void take(const gls_array *to, int64_t first, const gls_array *from, int64_t begin) {
    int64_t own = to->shape[0], n = from->shape[0], size = (int64_t)gls_dtype_size(to->dtype);
    int64_t low = begin > first ? begin : first, high = gls_least(begin + n, first + own);
    if (low < high)
        memcpy((char *)to->data + (low - first) * size, (const char *)from->data + (low - begin) * size,
               (size_t)((high - low) * size));
}

static bool of_scales(const gls_method *method, const gls_array *array) {
    size_t n = strlen(array->name);
    return method->precision == GLS_STATE_Q8 && n > 6 && strcmp(array->name + n - 6, ".scale") == 0;
}

/* The arrays as that rank has saved them, in the arena. */
static gls_status expect(const gls_method *method, const gls_arrays *own, int64_t begin, int64_t end, gls_arena *arena,
                         gls_arrays *theirs) {
    for (int64_t i = 0; i < own->count; i++) {
        const gls_array *a = &own->item[i];
        bool scales = of_scales(method, a);
        int64_t n = scales ? scale_of(method, end) - scale_of(method, begin)
                           : offset_of(method, end) - offset_of(method, begin);
        void *data = gls_arena_alloc(arena, n, gls_dtype_size(a->dtype));
        if (!data) return GLS_ERR_MEMORY;
        GLS_TRY(gls_arrays_add_vector(method->ctx, theirs, a->name, a->dtype, n, data));
    }
    return GLS_OK;
}

gls_status gls_method_share_take(gls_method *method, const char *prefix, int rank, int ranks,
                                 struct gls_tensors *file) {
    int64_t begin = boundary(method, rank, ranks), end = boundary(method, rank + 1, ranks);
    gls_arrays own = {0}, theirs = {0};
    gls_arena *arena;
    GLS_TRY(gls_arena_create(method->ctx, &arena));
    gls_status status = gls_method_state_arrays(method, prefix, &own);
    if (status == GLS_OK) status = expect(method, &own, begin, end, arena, &theirs);
    if (status == GLS_OK) status = gls_tensors_restore(file, &theirs);
    for (int64_t i = 0; status == GLS_OK && i < own.count; i++) {
        bool scales = of_scales(method, &own.item[i]);
        take(&own.item[i], scales ? method->first_scale : method->first, &theirs.item[i],
             scales ? scale_of(method, begin) : offset_of(method, begin));
    }
    gls_arrays_clear(method->ctx, &theirs);
    gls_arrays_clear(method->ctx, &own);
    gls_arena_destroy(arena);
    return status;
}
