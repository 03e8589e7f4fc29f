/* Rows for a model that predicts their last positions alone: the mass of a row is then its share of labels there. */
#include "data/source.h"

typedef struct last_source {
    gls_owned_source owned;
    int64_t last;
} last_source;

static int64_t labelled(const int32_t *label, int64_t n) {
    int64_t count = 0;
    for (int64_t t = 0; t < n; t++) count += label[t] >= 0;
    return count;
}

static double share(const int32_t *label, int64_t length, int64_t last) {
    int64_t all = labelled(label, length), there = labelled(label + length - last, last);
    if (!all) return 1;
    double of_last = there ? (double)there / (double)last : gls_mass_of_none;
    return of_last * (double)length / (double)all;
}

/* Labels are read into room of their own where nobody asks for them. */
static gls_status fetch_last(const gls_source *source, gls_context *ctx, const gls_fetch *fetch, gls_rows *rows) {
    const last_source *s = (const last_source *)source;
    int64_t length = source->info.length;
    if (!rows->mass) return gls_wrapper_fetch(source, ctx, fetch, rows);
    int32_t *room = rows->label ? NULL : gls_alloc(ctx, fetch->count * length, sizeof *room);
    gls_rows with = *rows;
    if (!rows->label) with.label = room;
    gls_status status = with.label ? gls_wrapper_fetch(source, ctx, fetch, &with) : GLS_ERR_MEMORY;
    for (int64_t i = 0; status == GLS_OK && i < fetch->count; i++)
        rows->mass[i] *= share(with.label + i * length, length, s->last);
    gls_free(ctx, room);
    return status;
}

static const gls_source_ops last_ops = {fetch_last, gls_wrapper_destroy};

gls_status gls_source_last_labels(gls_context *ctx, int64_t last, gls_source **source) {
    gls_source *inner = *source;
    last_source *s;
    if (!inner || !inner->has_mass || inner->info.target != GLS_TARGET_TOKENS) return GLS_OK;
    if (last < 1 || last >= inner->info.length) return GLS_OK;
    GLS_TRY(gls_wrapper_create(ctx, sizeof *s, &last_ops, inner, (void **)&s));
    s->last = last;
    s->owned.source.fitted = inner->fitted;
    inner->fitted = NULL;
    *source = &s->owned.source;
    return GLS_OK;
}
