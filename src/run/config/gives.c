/* The values of a theorem as a map of texts with twelve digits. */
#include "run/config/gives.h"

#include <stdio.h>
#include <string.h>

#include "base/value.h"

static gls_status append(gls_context *ctx, gls_value *map, const char *key, double value) {
    char text[32];
    snprintf(text, sizeof text, "%.12g", value);
    return gls_value_append(ctx, map, gls_value_create(ctx, GLS_VALUE_TEXT, key, text));
}

static gls_status make(gls_context *ctx, const gls_record *theory, gls_value **out) {
    gls_value *map = *out = gls_value_create(ctx, GLS_VALUE_MAP, "gives", NULL);
    if (!map) return GLS_ERR_MEMORY;
    for (int i = 0; i < theory->count; i++) GLS_TRY(append(ctx, map, theory->name[i], theory->value[i]));
    return GLS_OK;
}

/* In place of an earlier one. */
static gls_status put(gls_context *ctx, gls_value *from_theory, gls_value *gives) {
    for (int64_t i = 0; i < from_theory->count; i++)
        if (strcmp(from_theory->items[i]->key, "gives") == 0) {
            gls_value_destroy(ctx, from_theory->items[i]);
            from_theory->items[i] = gives;
            return GLS_OK;
        }
    return gls_value_append(ctx, from_theory, gives);
}

gls_status gls_config_show_theory(gls_context *ctx, const gls_record *theory, gls_value *method) {
    for (int64_t i = 0; i < method->count; i++) {
        gls_value *item = method->items[i], *gives;
        if (strcmp(item->key, "from_theory") != 0 || item->kind != GLS_VALUE_MAP) continue;
        gls_status status = make(ctx, theory, &gives);
        if (status == GLS_OK) return put(ctx, item, gives);
        gls_value_destroy(ctx, gives);
        return status;
    }
    return GLS_OK;
}
