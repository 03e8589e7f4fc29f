/* Paths of a configuration made absolute, so that it gives the same run wherever it is read. */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "run/config/members.h"
#include "run/config/settings.h"

static bool is_path_of(const gls_option *table, const char *key) {
    for (; table && table->key; table++)
        if (table->type == GLS_OPTION_PATH && strcmp(table->key, key) == 0) return true;
    return false;
}

/* Whether a key of the data section, or of a member that may name a file, does. */
static bool is_path_key(gls_context *ctx, const char *key) {
    static const gls_kind kinds[] = {GLS_KIND_FORMAT, GLS_KIND_TRANSFORM, GLS_KIND_METHOD, GLS_KIND_MEASURE};
    if (is_path_of(gls_config_data_table, key)) return true;
    for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++) {
        const gls_member *member;
        for (int64_t i = 0; (member = gls_members_at(ctx, kinds[k], i)); i++)
            if (is_path_of(member->options, key)) return true;
    }
    return false;
}

gls_status gls_config_absolute_path(gls_context *ctx, const gls_value *from, char **out) {
    const char *slash = from->file && from->line > 0 ? strrchr(from->file, '/') : NULL;
    char here[4096] = "";
    bool rooted = from->text[0] == '/' || (slash && from->file[0] == '/');
    if (!rooted && !getcwd(here, sizeof here))
        return gls_fail(ctx, GLS_ERR_FILE, "cannot find the current folder: %s", strerror(errno));
    int folder = slash && from->text[0] != '/' ? (int)(slash - from->file) + 1 : 0;
    *out = gls_sprintf(ctx, "%s%s%.*s%s", here, rooted ? "" : "/", folder, folder ? from->file : "", from->text);
    return *out ? GLS_OK : GLS_ERR_MEMORY;
}

/* Options of a group of parameters name no file: `train` there is whether they are trained. */
static bool has_no_paths(const gls_value *value) {
    return value->key && strcmp(value->key, "groups") == 0;
}

gls_status gls_config_absolute_paths(gls_context *ctx, gls_value *value) {
    if (has_no_paths(value)) return GLS_OK;
    for (int64_t i = 0; i < value->count; i++) {
        gls_value *item = value->items[i];
        bool named = value->key && strcmp(value->key, "tests") == 0; /* data.tests: names of one's own, to paths */
        if (item->kind == GLS_VALUE_TEXT && item->key && (named || is_path_key(ctx, item->key))) {
            char *path = NULL;
            GLS_TRY(gls_config_absolute_path(ctx, item, &path));
            gls_value *replaced = gls_value_create(ctx, GLS_VALUE_TEXT, item->key, path);
            gls_free(ctx, path);
            if (!replaced) return GLS_ERR_MEMORY;
            replaced->quoted = true;
            gls_value_destroy(ctx, item);
            value->items[i] = replaced;
        }
        GLS_TRY(gls_config_absolute_paths(ctx, value->items[i]));
    }
    return GLS_OK;
}
