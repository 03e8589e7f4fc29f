/* Configuration: YAML, and `a.b=c` overrides on top. The meaning of the keys is in the option tables of the members
 * that read them. */
#include <glissade/run.h>

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/io.h"
#include "base/value.h"
#include "base/yaml.h"
#include "run/config/settings.h"

enum { LONGEST_ORIGIN = 60 }; /* of a key in messages; longer ones are slips */

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

/* A run's folder given for its configuration, as most verbs take it. */
static gls_status check_no_folder(gls_context *ctx, const char *path) {
    struct stat info;
    if (stat(path, &info) != 0 || !S_ISDIR(info.st_mode)) return GLS_OK;
    char *own = gls_sprintf(ctx, "%s/config.yaml", path);
    if (!own) return GLS_ERR_MEMORY;
    bool run = gls_file_exists(own);
    gls_free(ctx, own);
    return gls_fail(ctx, GLS_ERR_ARGUMENT, "%s: expected a configuration, found a folder%s%s%s", path,
                    run ? "; that of the run in it is " : "", run ? path : "", run ? "/config.yaml" : "");
}

gls_status gls_config_read(gls_context *ctx, const char *path, gls_value **out) {
    GLS_GIVEN(ctx, ctx, path, out);
    *out = NULL;
    gls_value *value = NULL;
    GLS_TRY(check_no_folder(ctx, path));
    GLS_TRY(gls_yaml_read_file(ctx, path, &value));
    return to_sections(ctx, path, value, out);
}

char *gls_config_text(gls_context *ctx, const gls_value *config) {
    if (!ctx || !config) return NULL;
    return gls_yaml_text(ctx, config);
}

/* ---- overrides ---- */

/* One assignment on its way: what it says, and who speaks in messages ("--set method.lr"). */
typedef struct setting {
    gls_context *ctx;
    const char *origin; /* kept by the context: values point at it */
    const char *right;
    bool of_method; /* the key is one of the method's options */
} setting;

static gls_status refuse(const setting *s, const char *format, ...) GLS_PRINTF(2, 3);
static gls_status refuse(const setting *s, const char *format, ...) {
    char text[400];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    return gls_fail(s->ctx, GLS_ERR_ARGUMENT, "%s: %s", s->origin, text);
}

static gls_value *item(gls_value *parent, const char *key) {
    for (int64_t i = 0; i < parent->count; i++)
        if (parent->items[i]->key && strcmp(parent->items[i]->key, key) == 0) return parent->items[i];
    return NULL;
}

/* The place that `key` names inside parent: an element of a list, or a key of a map (NULL if it is not there yet). */
static gls_status locate(const setting *s, gls_value *parent, const char *key, gls_value ***place) {
    *place = NULL;
    if (parent->kind == GLS_VALUE_LIST) {
        char *end;
        long long i = strtoll(key, &end, 10);
        if (*end || !*key || i < 0 || i >= parent->count)
            return refuse(s, "'%s' is not a position in a list of %lld (from 0)", key, (long long)parent->count);
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

static gls_status descend(const setting *s, gls_value **at, const char *key, bool top) {
    gls_value **place = NULL;
    GLS_TRY(locate(s, *at, key, &place));
    if (!place) {
        gls_value *map = gls_value_create(s->ctx, GLS_VALUE_MAP, key, NULL);
        if (!map) return GLS_ERR_MEMORY;
        map->file = s->origin;
        GLS_TRY(gls_value_append(s->ctx, *at, map));
        *at = map;
        return GLS_OK;
    }
    if ((*place)->kind == GLS_VALUE_NULL || (top && (*place)->kind == GLS_VALUE_TEXT))
        GLS_TRY(name_to_map(s->ctx, place));
    if ((*place)->kind == GLS_VALUE_TEXT) return refuse(s, "'%s' is a value and has no keys", key);
    *at = *place;
    return GLS_OK;
}

static void set_origin(gls_value *value, const char *origin) {
    value->file = origin;
    value->line = 0;
    for (int64_t i = 0; i < value->count; i++) set_origin(value->items[i], origin);
}

/* Parses the right side; null is an absent value. The result carries key. */
static gls_status parse_right(const setting *s, const char *key, gls_value **out) {
    gls_value *bare = NULL;
    GLS_TRY(gls_yaml_parse_text(s->ctx, s->origin, s->right, &bare));
    if (bare)
        *out = gls_value_clone_as(s->ctx, bare, key);
    else
        *out = gls_value_create(s->ctx, GLS_VALUE_NULL, key, NULL);
    gls_value_destroy(s->ctx, bare);
    if (!*out) return GLS_ERR_MEMORY;
    set_origin(*out, s->origin);
    return GLS_OK;
}

static int depth_of(const gls_value *value) {
    int deepest = 0;
    for (int64_t i = 0; i < value->count; i++) {
        int depth = 1 + depth_of(value->items[i]);
        if (depth > deepest) deepest = depth;
    }
    return deepest;
}

/* A constant in the place of an option's schedule is legal, and easily a slip. */
static void say_replaced(const setting *s, const char *key, const gls_value *old, const gls_value *new) {
    const gls_value *name = gls_value_get(old, "name");
    if (!s->of_method || new->kind != GLS_VALUE_TEXT || (!name && !gls_value_get(old, "from"))) return;
    gls_log_once(s->ctx, GLS_LOG_WARNING,
                 "%s: a constant takes the place of the schedule %s of %s; %s.from sets where a schedule begins",
                 s->origin, name && name->text ? name->text : "constant", key, key);
}

/* The depth is checked here, since dots build trees as deep as a text is long. The new value replaces the old one only
 * after everything that can fail. */
static gls_status set_at(setting *s, gls_value *config, char *path) {
    gls_value *at = config;
    char *key = path;
    int levels = 1;
    for (char *dot = strchr(key, '.'); dot; dot = strchr(key, '.'), levels++) {
        *dot = 0;
        if (levels > GLS_YAML_DEPTH) return refuse(s, "more than %d dots in a key", GLS_YAML_DEPTH - 1);
        if (!*key) return refuse(s, "an empty name before a dot");
        s->of_method |= at == config && strcmp(key, "method") == 0;
        GLS_TRY(descend(s, &at, key, at == config));
        key = dot + 1;
    }
    if (!*key) return refuse(s, "no key before '='");
    gls_value **place = NULL;
    GLS_TRY(locate(s, at, key, &place));
    gls_value *value = NULL;
    GLS_TRY(parse_right(s, at->kind == GLS_VALUE_LIST ? NULL : key, &value));
    if (levels + depth_of(value) > GLS_YAML_DEPTH) {
        gls_value_destroy(s->ctx, value);
        return refuse(s, "nested more than %d deep", GLS_YAML_DEPTH);
    }
    if (!place) return gls_value_append(s->ctx, at, value);
    say_replaced(s, key, *place, value);
    gls_value_destroy(s->ctx, *place);
    *place = value;
    return GLS_OK;
}

gls_status gls_config_set_from(gls_context *ctx, gls_value *config, const char *origin, const char *assignment) {
    GLS_GIVEN(ctx, ctx, config, origin, assignment);
    setting s = {.ctx = ctx, .origin = gls_context_name(ctx, origin)};
    if (!s.origin) return GLS_ERR_MEMORY;
    const char *equal = strchr(assignment, '=');
    if (!equal) return refuse(&s, "expected section.key=value, as in method.lr=0.1, found '%s'", assignment);
    for (const char *c = assignment; c < equal; c++)
        if (*c <= ' ' || *c > '~') return refuse(&s, "a key is written in visible ASCII characters");
    if (!equal[1])
        return refuse(&s, "nothing follows '='; expected a value, null for the default, or '' for an empty text");
    char *path = gls_strdup(ctx, assignment);
    if (!path) return GLS_ERR_MEMORY;
    path[equal - assignment] = 0;
    s.right = equal + 1;
    gls_status status = set_at(&s, config, path);
    gls_free(ctx, path);
    return status;
}

gls_status gls_config_set(gls_context *ctx, gls_value *config, const char *assignment) {
    GLS_GIVEN(ctx, ctx, config, assignment);
    size_t key = strcspn(assignment, "=");
    char *origin = gls_sprintf(ctx, "--set %.*s", (int)(key < LONGEST_ORIGIN ? key : LONGEST_ORIGIN), assignment);
    if (!origin) return GLS_ERR_MEMORY;
    gls_status status = gls_config_set_from(ctx, config, origin, assignment);
    gls_free(ctx, origin);
    return status;
}
