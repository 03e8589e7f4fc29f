/* Configuration: YAML, and `a.b=c` overrides on top. The meaning of the keys is in the option tables of the members
 * that read them. */
#include <glissade/run.h>

#include <stdlib.h>
#include <string.h>

#include "base/yaml.h"
#include "run/config/settings.h"

/* What a configuration is must be a map of sections; takes the value. */
static gls_status to_sections(gls_context *ctx, const char *name, gls_value *value, gls_value **out) {
    if (!value) {
        *out = gls_value_create(ctx, GLS_VALUE_MAP, NULL, NULL);
        return *out ? GLS_OK : GLS_ERR_MEMORY;
    }
    if (value->kind == GLS_VALUE_MAP) {
        gls_status status = gls_config_rename(ctx, value);
        if (status == GLS_OK)
            *out = value;
        else
            gls_value_destroy(ctx, value);
        return status;
    }
    gls_value_destroy(ctx, value);
    return gls_fail(ctx, GLS_ERR_INPUT, "%s: expected sections (data:, model:, method:, ...) at the top", name);
}

gls_status gls_config_parse(gls_context *ctx, const char *name, const char *text, int64_t size, gls_value **out) {
    GLS_GIVEN(ctx, ctx, text, out);
    *out = NULL;
    gls_value *value = NULL;
    GLS_TRY(gls_yaml_parse(ctx, name, text, size, &value));
    return to_sections(ctx, name, value, out);
}

gls_status gls_config_read(gls_context *ctx, const char *path, gls_value **out) {
    GLS_GIVEN(ctx, ctx, path, out);
    *out = NULL;
    gls_value *value = NULL;
    GLS_TRY(gls_yaml_read_file(ctx, path, &value));
    return to_sections(ctx, path, value, out);
}

char *gls_config_text(gls_context *ctx, const gls_value *config) {
    if (!ctx || !config) return NULL;
    return gls_yaml_text(ctx, config);
}

/* ---- overrides ---- */

static gls_value *item(gls_value *parent, const char *key) {
    for (int64_t i = 0; i < parent->count; i++)
        if (parent->items[i]->key && strcmp(parent->items[i]->key, key) == 0) return parent->items[i];
    return NULL;
}

/* The place that `key` names inside parent: an element of a list, or a key of a map (NULL if it is not there yet). */
static gls_status locate(gls_context *ctx, gls_value *parent, const char *key, const char *assignment,
                         gls_value ***place) {
    *place = NULL;
    if (parent->kind == GLS_VALUE_LIST) {
        char *end;
        long long i = strtoll(key, &end, 10);
        if (*end || !*key || i < 0 || i >= parent->count)
            return gls_fail(ctx, GLS_ERR_ARGUMENT, "--set %s: '%s' is not a position in a list of %lld (from 0)",
                            assignment, key, (long long)parent->count);
        *place = &parent->items[i];
        return GLS_OK;
    }
    gls_value *child = item(parent, key);
    for (int64_t i = 0; child && i < parent->count; i++)
        if (parent->items[i] == child) *place = &parent->items[i];
    return GLS_OK;
}

/* A section given as a bare name takes options: `method: sgd` becomes `method: {name: sgd}`. */
static gls_status name_to_map(gls_context *ctx, gls_value **place) {
    gls_value *old = *place;
    gls_value *map = gls_value_create(ctx, GLS_VALUE_MAP, old->key, NULL);
    if (!map) return GLS_ERR_MEMORY;
    map->file = old->file;
    map->line = old->line;
    if (old->kind == GLS_VALUE_TEXT) {
        gls_value *name = gls_value_create(ctx, GLS_VALUE_TEXT, "name", old->text);
        gls_status status = name ? gls_value_append(ctx, map, name) : GLS_ERR_MEMORY;
        if (status != GLS_OK) {
            gls_value_destroy(ctx, map);
            return status;
        }
        name->file = old->file;
        name->line = old->line;
    }
    gls_value_destroy(ctx, old);
    *place = map;
    return GLS_OK;
}

static gls_status descend(gls_context *ctx, gls_value **at, const char *key, const char *assignment, bool top) {
    gls_value **place = NULL;
    GLS_TRY(locate(ctx, *at, key, assignment, &place));
    if (!place) {
        gls_value *map = gls_value_create(ctx, GLS_VALUE_MAP, key, NULL);
        if (!map) return GLS_ERR_MEMORY;
        map->file = "--set";
        GLS_TRY(gls_value_append(ctx, *at, map));
        *at = map;
        return GLS_OK;
    }
    if ((*place)->kind == GLS_VALUE_NULL || (top && (*place)->kind == GLS_VALUE_TEXT)) GLS_TRY(name_to_map(ctx, place));
    if ((*place)->kind == GLS_VALUE_TEXT)
        return gls_fail(ctx, GLS_ERR_ARGUMENT, "--set %s: '%s' is a value and has no keys", assignment, key);
    *at = *place;
    return GLS_OK;
}

/* Parses the right side; null is an absent value. The result carries key. */
static gls_status parse_right(gls_context *ctx, const char *key, const char *text, gls_value **out) {
    gls_value *bare = NULL;
    gls_status status = gls_yaml_parse(ctx, "--set", text, (int64_t)strlen(text), &bare);
    if (status != GLS_OK) return status;
    gls_value_kind kind = bare ? bare->kind : GLS_VALUE_NULL;
    *out = gls_value_create(ctx, kind, key, bare ? bare->text : NULL);
    if (!*out) {
        gls_value_destroy(ctx, bare);
        return GLS_ERR_MEMORY;
    }
    (*out)->quoted = bare && bare->quoted;
    (*out)->file = "--set";
    for (int64_t i = 0; bare && i < bare->count && status == GLS_OK; i++) {
        gls_value *child = gls_value_clone(ctx, bare->items[i]);
        status = child ? gls_value_append(ctx, *out, child) : GLS_ERR_MEMORY;
    }
    gls_value_destroy(ctx, bare);
    if (status != GLS_OK) {
        gls_value_destroy(ctx, *out);
        *out = NULL;
    }
    return status;
}

static int depth_of(const gls_value *value) {
    int deepest = 0;
    for (int64_t i = 0; i < value->count; i++) {
        int depth = 1 + depth_of(value->items[i]);
        if (depth > deepest) deepest = depth;
    }
    return deepest;
}

/* The depth is checked here, since dots build trees as deep as a text is long. The new value replaces the old one only
 * after everything that can fail. */
static gls_status set_at(gls_context *ctx, gls_value *config, char *path, const char *right, const char *assignment) {
    gls_value *at = config;
    char *key = path;
    int levels = 1;
    for (char *dot = strchr(key, '.'); dot; dot = strchr(key, '.'), levels++) {
        *dot = 0;
        if (levels > GLS_YAML_DEPTH)
            return gls_fail(ctx, GLS_ERR_ARGUMENT, "--set: more than %d dots in a key", GLS_YAML_DEPTH - 1);
        if (!*key) return gls_fail(ctx, GLS_ERR_ARGUMENT, "--set %s: an empty name before a dot", assignment);
        GLS_TRY(descend(ctx, &at, key, assignment, at == config));
        key = dot + 1;
    }
    if (!*key) return gls_fail(ctx, GLS_ERR_ARGUMENT, "--set %s: no key before '='", assignment);
    gls_value **place = NULL;
    GLS_TRY(locate(ctx, at, key, assignment, &place));
    gls_value *value = NULL;
    GLS_TRY(parse_right(ctx, at->kind == GLS_VALUE_LIST ? NULL : key, right, &value));
    if (levels + depth_of(value) > GLS_YAML_DEPTH) {
        gls_value_destroy(ctx, value);
        return gls_fail(ctx, GLS_ERR_ARGUMENT, "--set %.40s...: nested more than %d deep", assignment, GLS_YAML_DEPTH);
    }
    if (!place) return gls_value_append(ctx, at, value);
    gls_value_destroy(ctx, *place);
    *place = value;
    return GLS_OK;
}

gls_status gls_config_set(gls_context *ctx, gls_value *config, const char *assignment) {
    GLS_GIVEN(ctx, ctx, config, assignment);
    const char *equal = strchr(assignment, '=');
    if (!equal)
        return gls_fail(ctx, GLS_ERR_ARGUMENT, "--set %s: expected section.key=value, as in method.lr=0.1", assignment);
    for (const char *c = assignment; c < equal; c++)
        if (*c <= ' ' || *c > '~')
            return gls_fail(ctx, GLS_ERR_ARGUMENT, "--set %s: a key is written in visible ASCII characters",
                            assignment);
    if (!equal[1])
        return gls_fail(
            ctx, GLS_ERR_ARGUMENT,
            "--set %s: nothing follows '='; expected a value, null for the default, or '' for an empty text",
            assignment);
    char *path = gls_strdup(ctx, assignment);
    if (!path) return GLS_ERR_MEMORY;
    path[equal - assignment] = 0;
    gls_status status = set_at(ctx, config, path, equal + 1, assignment);
    gls_free(ctx, path);
    return status;
}
