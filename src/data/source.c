/* What all sources share: info, columns, and the ownership of the room's own ones. */
#include "data/source.h"
#include <string.h>

void gls_source_destroy(gls_source *source) {
    if (!source) return;
    gls_fitted_destroy(source->fitted);
    source->ops->destroy(source);
}

const gls_data_info *gls_source_info(const gls_source *source) {
    if (!source) return NULL;
    return &source->info;
}

void gls_source_expect(const gls_source *source, int64_t begin, int64_t end, bool soon) {
    while (source && !source->ops->expect) source = source->inner;
    if (source) source->ops->expect(source, begin, end, soon);
}

bool gls_source_has_targets(const gls_source *source) {
    if (!source) return false;
    return source->info.target != GLS_TARGET_NONE;
}

static const gls_column *find_column(const gls_source *source, const char *name) {
    if (!source || !name) return NULL;
    for (const gls_column *c = source->columns; c && c->name; c++)
        if (strcmp(c->name, name) == 0) return c;
    return NULL;
}

const int64_t *gls_source_column(const gls_source *source, const char *name) {
    const gls_column *column = find_column(source, name);
    return column ? column->value : NULL;
}

const char *gls_source_column_text(const gls_source *source, const char *name, int64_t value) {
    const gls_column *column = find_column(source, name);
    return column && column->text && value >= 0 && value < column->texts ? column->text[value] : NULL;
}

gls_status gls_owned_create(gls_context *ctx, size_t size, const gls_source_ops *ops, void **out) {
    *out = NULL;
    gls_owned_source *owned = gls_alloc(ctx, 1, size);
    if (!owned) return GLS_ERR_MEMORY;
    gls_status status = gls_arena_create(ctx, &owned->arena);
    if (status != GLS_OK) {
        gls_free(ctx, owned);
        return status;
    }
    owned->source.ops = ops;
    owned->source.ctx = ctx;
    *out = owned;
    return GLS_OK;
}

void gls_owned_destroy(gls_source *source) {
    gls_owned_source *owned = (gls_owned_source *)source;
    gls_arena_destroy(owned->arena);
    gls_free(source->ctx, owned);
}

gls_status gls_owned_texts(gls_owned_source *owned, const char *const *names, int64_t count, const char *const **out) {
    const char **copy = gls_arena_alloc(owned->arena, count, sizeof *copy);
    if (!copy) return GLS_ERR_MEMORY;
    for (int64_t i = 0; i < count; i++) {
        size_t size = strlen(names[i]) + 1;
        char *text = gls_arena_alloc(owned->arena, (int64_t)size, 1);
        if (!text) return GLS_ERR_MEMORY;
        memcpy(text, names[i], size);
        copy[i] = text;
    }
    *out = copy;
    return GLS_OK;
}

gls_status gls_owned_class_names(gls_owned_source *owned, const char *const *names, int64_t count) {
    return gls_owned_texts(owned, names, count, &owned->source.info.class_names);
}

/* A column of that name is copied, since the old one may belong to the source inside; a new one is all zeros. */
gls_status gls_owned_column(gls_owned_source *owned, const char *name, int64_t **value) {
    int64_t count = 0, at = -1, examples = owned->source.info.examples;
    const gls_column *old = owned->source.columns;
    gls_column made = {0};
    for (; old && old[count].name; count++)
        if (strcmp(old[count].name, name) == 0) at = count;
    gls_column *columns = gls_arena_alloc(owned->arena, count + 2, sizeof *columns);
    char *copy = gls_arena_alloc(owned->arena, (int64_t)strlen(name) + 1, 1);
    *value = gls_arena_alloc(owned->arena, examples, sizeof **value);
    if (!columns || !copy || !*value) return GLS_ERR_MEMORY;
    strcpy(copy, name);
    if (count) memcpy(columns, old, (size_t)count * sizeof *columns);
    if (at < 0) {
        memset(*value, 0, (size_t)examples * sizeof **value);
        at = count++;
    } else {
        memcpy(*value, old[at].value, (size_t)examples * sizeof **value);
        made = old[at];
    }
    made.name = copy;
    made.value = *value;
    columns[at] = made;
    columns[count] = (gls_column){0};
    owned->source.columns = columns;
    return GLS_OK;
}

gls_status gls_owned_column_texts(gls_owned_source *owned, const char *name, const char *const *text, int64_t count) {
    gls_column *column = (gls_column *)find_column(&owned->source, name);
    column->texts = count;
    return gls_owned_texts(owned, text, count, &column->text);
}

gls_status gls_owned_columns_from(gls_owned_source *owned, const gls_source *from, const int64_t *index) {
    for (const gls_column *c = from->columns; c && c->name; c++) {
        int64_t *value;
        GLS_TRY(gls_owned_column(owned, c->name, &value));
        for (int64_t i = 0; i < owned->source.info.examples; i++) {
            int64_t j = index ? index[i] : i;
            value[i] = j < 0 ? 0 : c->value[j];
        }
        gls_column *made = (gls_column *)find_column(&owned->source, c->name);
        made->text = c->text; /* of the source inside, which lives as long */
        made->texts = c->texts;
    }
    return GLS_OK;
}

gls_status gls_wrapper_create(gls_context *ctx, size_t size, const gls_source_ops *ops, const gls_source *inner,
                              void **out) {
    GLS_TRY(gls_owned_create(ctx, size, ops, out));
    gls_source *source = *out;
    source->info = inner->info;
    source->has_mass = inner->has_mass;
    source->columns = inner->columns;
    source->inner = inner;
    return GLS_OK;
}

void gls_wrapper_destroy(gls_source *source) {
    gls_source_destroy((gls_source *)source->inner);
    gls_owned_destroy(source);
}

gls_status gls_wrapper_fetch(const gls_source *source, gls_context *ctx, const gls_fetch *fetch, gls_rows *rows) {
    return source->inner->ops->fetch(source->inner, ctx, fetch, rows);
}
