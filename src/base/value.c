/* Trees of values. A value owns its key, its text and its items; the name of its file belongs to the context. */
#include "base/value.h"

#include <stdio.h>
#include <string.h>

gls_value *gls_value_create(gls_context *ctx, gls_value_kind kind, const char *key, const char *text) {
    if (!ctx) return NULL;
    gls_value *value = gls_alloc(ctx, 1, sizeof *value);
    if (!value) return NULL;
    value->kind = kind;
    if ((key && !(value->key = gls_strdup(ctx, key))) || (text && !(value->text = gls_strdup(ctx, text)))) {
        gls_value_destroy(ctx, value);
        return NULL;
    }
    return value;
}

void gls_value_destroy(gls_context *ctx, gls_value *value) {
    if (!value) return;
    for (int64_t i = 0; i < value->count; i++) gls_value_destroy(ctx, value->items[i]);
    gls_free(ctx, value->items);
    gls_free(ctx, (char *)value->key);
    gls_free(ctx, (char *)value->text);
    gls_free(ctx, value);
}

gls_status gls_value_append(gls_context *ctx, gls_value *parent, gls_value *child) {
    if (!child) return GLS_ERR_MEMORY;
    GLS_GIVEN(ctx, ctx, parent);
    int64_t count = parent->count;
    if ((count & (count - 1)) == 0) { /* room for the next power of two */
        gls_value **grown = gls_resize(ctx, parent->items, count ? 2 * count : 1, sizeof *grown);
        if (!grown) {
            gls_value_destroy(ctx, child);
            return GLS_ERR_MEMORY;
        }
        parent->items = grown;
    }
    parent->items[parent->count++] = child;
    return GLS_OK;
}

gls_status gls_value_set_origin(gls_context *ctx, gls_value *value, const gls_value *from) {
    GLS_GIVEN(ctx, ctx, value, from);
    const char *file = gls_context_name(ctx, from->file);
    if (from->file && !file) return GLS_ERR_MEMORY;
    value->file = file;
    value->line = from->line;
    return GLS_OK;
}

const char *gls_value_origin(const gls_value *value, char text[GLS_ORIGIN_TEXT]) {
    text[0] = '\0';
    if (value && value->file && value->line > 0)
        snprintf(text, GLS_ORIGIN_TEXT, "%s:%d: ", value->file, value->line);
    else if (value && value->file)
        snprintf(text, GLS_ORIGIN_TEXT, "%s: ", value->file);
    return text;
}

gls_value *gls_value_clone_as(gls_context *ctx, const gls_value *value, const char *key) {
    gls_value *copy = gls_value_create(ctx, value->kind, key, value->text);
    if (!copy) return NULL;
    copy->quoted = value->quoted;
    bool whole = gls_value_set_origin(ctx, copy, value) == GLS_OK;
    for (int64_t i = 0; i < value->count && whole; i++)
        whole = gls_value_append(ctx, copy, gls_value_clone(ctx, value->items[i])) == GLS_OK;
    if (whole) return copy;
    gls_value_destroy(ctx, copy);
    return NULL;
}

gls_value *gls_value_clone(gls_context *ctx, const gls_value *value) {
    if (!ctx || !value) return NULL;
    return gls_value_clone_as(ctx, value, value->key);
}

void gls_value_remove(gls_context *ctx, gls_value *map, const char *key) {
    const gls_value *gone = gls_value_get(map, key);
    int64_t kept = 0;
    for (int64_t i = 0; gone && i < map->count; i++)
        if (map->items[i] != gone) map->items[kept++] = map->items[i];
    if (!gone) return;
    map->count = kept;
    gls_value_destroy(ctx, (gls_value *)(uintptr_t)gone);
}

const gls_value *gls_value_get(const gls_value *map, const char *key) {
    if (!map || !key || map->kind != GLS_VALUE_MAP) return NULL;
    for (int64_t i = 0; i < map->count; i++)
        if (map->items[i]->key && strcmp(map->items[i]->key, key) == 0) return map->items[i];
    return NULL;
}
