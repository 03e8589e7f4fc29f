/* Whether there is anything to predict in rows of tokens: a text may be too short, or have no word that may be hidden.
 */
#include "base/arith.h"
#include "data/source.h"

enum { ROWS = 64 };

/* Rows [begin, begin + count); found: one of them has a target. */
static gls_status look(gls_context *ctx, const gls_source *source, int64_t begin, int64_t count, gls_rows *rows,
                       bool *found) {
    int64_t index[ROWS], slot[ROWS];
    for (int64_t i = 0; i < count; i++) {
        index[i] = begin + i;
        slot[i] = i;
    }
    gls_batch batch;
    gls_fetch fetch = {.count = count, .index = index, .slot = slot};
    GLS_TRY(gls_source_fetch(source, ctx, &fetch, rows, &batch));
    for (int64_t i = 0; i < count; i++) *found |= rows->mass[i] > 1.5 * gls_mass_of_none;
    return GLS_OK;
}

static gls_status none(gls_context *ctx, const char *what, const gls_data_info *info, int64_t last) {
    if (info->masked)
        return gls_fail(ctx, GLS_ERR_INPUT,
                        "%s: there is no token to hide (mask_tokens): expected words other than <unk>, <eos> and the "
                        "like",
                        what);
    return gls_fail(ctx, GLS_ERR_INPUT,
                    "%s: no row has a target: expected one of more tokens, since the model predicts the last %lld of "
                    "a row's %lld",
                    what, (long long)(last ? last : info->length), (long long)info->length);
}

gls_status gls_source_need_targets(gls_context *ctx, const char *what, const gls_source *source, int64_t last) {
    bool found = !source || !source->has_mass || source->info.target != GLS_TARGET_TOKENS;
    gls_rows *rows = NULL;
    if (found) return GLS_OK;
    gls_status status = gls_rows_create(ctx, &source->info, ROWS, &rows);
    for (int64_t at = 0; status == GLS_OK && !found && at < source->info.examples; at += ROWS)
        status = look(ctx, source, at, gls_least(source->info.examples - at, ROWS), rows, &found);
    gls_rows_destroy(rows);
    return status != GLS_OK || found ? status : none(ctx, what, &source->info, last);
}
