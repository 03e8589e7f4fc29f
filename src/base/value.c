#include <glissade/base.h>

#include <string.h>

/* What stands behind a value: gls_value_set_origin keeps the name of the file here, others borrow it. */
typedef struct node {
    gls_value value;
    char *file;
} node;

gls_value *gls_value_create(gls_context *ctx, gls_value_kind kind, const char *key, const char *text) {
    node *n = gls_alloc(ctx, 1, sizeof *n);
    if (!n) return NULL;
    gls_value *value = &n->value;
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
    gls_free(ctx, ((node *)value)->file);
    gls_free(ctx, value);
}

gls_status gls_value_append(gls_context *ctx, gls_value *parent, gls_value *child) {
    if (!child) return GLS_ERR_MEMORY;
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
    char *file = from->file ? gls_strdup(ctx, from->file) : NULL;
    if (from->file && !file) return GLS_ERR_MEMORY;
    gls_free(ctx, ((node *)value)->file);
    ((node *)value)->file = file;
    value->file = file;
    value->line = from->line;
    return GLS_OK;
}

gls_value *gls_value_clone(gls_context *ctx, const gls_value *value) {
    gls_value *copy = gls_value_create(ctx, value->kind, value->key, value->text);
    if (!copy) return NULL;
    copy->quoted = value->quoted;
    bool whole = gls_value_set_origin(ctx, copy, value) == GLS_OK;
    for (int64_t i = 0; i < value->count && whole; i++)
        whole = gls_value_append(ctx, copy, gls_value_clone(ctx, value->items[i])) == GLS_OK;
    if (whole) return copy;
    gls_value_destroy(ctx, copy);
    return NULL;
}

const gls_value *gls_value_get(const gls_value *map, const char *key) {
    if (!map || map->kind != GLS_VALUE_MAP) return NULL;
    for (int64_t i = 0; i < map->count; i++)
        if (map->items[i]->key && strcmp(map->items[i]->key, key) == 0) return map->items[i];
    return NULL;
}
