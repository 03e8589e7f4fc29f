/* Keys that had another name in a former version. A user who writes one is told the present name; a configuration that
 * a run wrote into its folder (it has plan.version) is read as it was meant. One row a key. */
#include <string.h>

#include "base/value.h"
#include "run/config/settings.h"

static const struct {
    const char *section, *old, *present, *meaning;
} renamed[] = {
    {"train", "accumulate", "bn_span",
     "the number of examples that share batch-norm statistics, not gradient accumulation"},
};
enum { RENAMED = sizeof renamed / sizeof *renamed };

static gls_value *item_of(const gls_value *section, const char *key) {
    return section && section->kind == GLS_VALUE_MAP ? (gls_value *)(uintptr_t)gls_value_get(section, key) : NULL;
}

gls_status gls_config_check_renamed(gls_context *ctx, const gls_value *config) {
    char place[GLS_ORIGIN_TEXT];
    for (int i = 0; i < RENAMED; i++) {
        const gls_value *found = item_of(gls_value_get(config, renamed[i].section), renamed[i].old);
        if (found)
            return gls_fail(ctx, GLS_ERR_ARGUMENT, "%s%s.%s is now called %s.%s: %s", gls_value_origin(found, place),
                            renamed[i].section, renamed[i].old, renamed[i].section, renamed[i].present,
                            renamed[i].meaning);
    }
    return GLS_OK;
}

gls_status gls_config_rename(gls_context *ctx, gls_value *config) {
    for (int i = 0; gls_value_get(gls_value_get(config, "plan"), "version") && i < RENAMED; i++) {
        gls_value *found = item_of(gls_value_get(config, renamed[i].section), renamed[i].old);
        if (!found) continue;
        char *key = gls_strdup(ctx, renamed[i].present);
        if (!key) return GLS_ERR_MEMORY;
        gls_free(ctx, (char *)(uintptr_t)found->key);
        found->key = key;
    }
    return GLS_OK;
}
