/* Configuration: YAML to a tree of values by libyaml, and `a.b=c` overrides on top. What the keys mean is said by the
 * option tables of the members that read them. */
#include <string.h>
#include <yaml.h>
#include <base/io.h>
#include <glissade/run.h>

enum { MAX_BYTES = 1 << 22, MAX_NODES = 100000, MAX_DEPTH = 40 };

typedef struct reading {
    gls_context *ctx;
    yaml_document_t *document;
    const char *name;
    int64_t nodes;
} reading;

static gls_status convert(reading *r, int index, const char *key, int depth, gls_value **out);

static bool is_null(const yaml_node_t *node) {
    const char *text = (const char *)node->data.scalar.value;
    return node->data.scalar.style == YAML_PLAIN_SCALAR_STYLE &&
           (!*text || !strcmp(text, "~") || !strcmp(text, "null") || !strcmp(text, "Null") || !strcmp(text, "NULL"));
}

static gls_status convert_scalar(reading *r, const yaml_node_t *node, const char *key, gls_value **out) {
    const char *text = (const char *)node->data.scalar.value;
    int line = (int)node->start_mark.line + 1;
    if (strlen(text) != node->data.scalar.length)
        return gls_fail(r->ctx, GLS_ERR_INPUT, "%s:%d: a text with a NUL byte inside", r->name, line);
    bool null = is_null(node);
    *out = gls_value_create(r->ctx, null ? GLS_VALUE_NULL : GLS_VALUE_TEXT, key, null ? NULL : text);
    if (!*out) return GLS_ERR_MEMORY;
    (*out)->quoted = node->data.scalar.style != YAML_PLAIN_SCALAR_STYLE;
    return GLS_OK;
}

static gls_status convert_pair(reading *r, const yaml_node_pair_t *pair, gls_value *map, int depth) {
    const yaml_node_t *key = yaml_document_get_node(r->document, pair->key);
    int line = (int)key->start_mark.line + 1;
    if (key->type != YAML_SCALAR_NODE || strlen((char *)key->data.scalar.value) != key->data.scalar.length)
        return gls_fail(r->ctx, GLS_ERR_INPUT, "%s:%d: a key must be a plain name", r->name, line);
    const char *name = (const char *)key->data.scalar.value;
    const gls_value *before = gls_value_get(map, name);
    if (before)
        return gls_fail(r->ctx, GLS_ERR_INPUT, "%s:%d: '%s' is given twice (first in line %d)", r->name, line, name,
                        before->line);
    gls_value *child = NULL;
    GLS_TRY(convert(r, pair->value, name, depth + 1, &child));
    child->line = line;
    return gls_value_append(r->ctx, map, child);
}

static gls_status convert_children(reading *r, const yaml_node_t *node, gls_value *value, int depth) {
    if (node->type == YAML_MAPPING_NODE) {
        for (yaml_node_pair_t *p = node->data.mapping.pairs.start; p < node->data.mapping.pairs.top; p++)
            GLS_TRY(convert_pair(r, p, value, depth));
        return GLS_OK;
    }
    for (yaml_node_item_t *i = node->data.sequence.items.start; i < node->data.sequence.items.top; i++) {
        gls_value *child = NULL;
        GLS_TRY(convert(r, *i, NULL, depth + 1, &child));
        GLS_TRY(gls_value_append(r->ctx, value, child));
    }
    return GLS_OK;
}

static gls_status convert(reading *r, int index, const char *key, int depth, gls_value **out) {
    const yaml_node_t *node = yaml_document_get_node(r->document, index);
    int line = (int)node->start_mark.line + 1;
    /* Aliases are expanded: both bounds also stop documents that refer to themselves. */
    if (depth > MAX_DEPTH || ++r->nodes > MAX_NODES)
        return gls_fail(r->ctx, GLS_ERR_INPUT, "%s:%d: nested deeper than %d levels, or more than %d values", r->name,
                        line, MAX_DEPTH, MAX_NODES);
    gls_value *value = NULL;
    if (node->type == YAML_SCALAR_NODE) {
        GLS_TRY(convert_scalar(r, node, key, &value));
    } else {
        value = gls_value_create(r->ctx, node->type == YAML_MAPPING_NODE ? GLS_VALUE_MAP : GLS_VALUE_LIST, key, NULL);
        if (!value) return GLS_ERR_MEMORY;
        value->file = r->name;
        gls_status status = convert_children(r, node, value, depth);
        if (status != GLS_OK) {
            gls_value_destroy(r->ctx, value);
            return status;
        }
    }
    value->file = r->name;
    value->line = line;
    *out = value;
    return GLS_OK;
}

static gls_status parse_error(gls_context *ctx, const yaml_parser_t *parser, const char *name) {
    if (parser->error == YAML_MEMORY_ERROR) return gls_fail(ctx, GLS_ERR_MEMORY, "%s: out of memory", name);
    return gls_fail(ctx, GLS_ERR_INPUT, "%s:%d:%d: not YAML: %s%s%s", name, (int)parser->problem_mark.line + 1,
                    (int)parser->problem_mark.column + 1, parser->problem ? parser->problem : "unreadable",
                    parser->context ? " " : "", parser->context ? parser->context : "");
}

/* One document, any kind at the top; an empty one gives NULL. */
static gls_status parse_document(gls_context *ctx, const char *name, const char *text, int64_t size, gls_value **out) {
    *out = NULL;
    yaml_parser_t parser;
    yaml_document_t document, second;
    if (!yaml_parser_initialize(&parser)) return gls_fail(ctx, GLS_ERR_MEMORY, "%s: out of memory", name);
    yaml_parser_set_input_string(&parser, (const unsigned char *)text, (size_t)size);
    if (!yaml_parser_load(&parser, &document)) {
        gls_status status = parse_error(ctx, &parser, name);
        yaml_parser_delete(&parser);
        return status;
    }
    gls_status status = GLS_OK;
    reading r = {ctx, &document, name, 0};
    if (yaml_document_get_root_node(&document)) {
        status = convert(&r, 1, NULL, 0, out);
        if (status == GLS_OK && !yaml_parser_load(&parser, &second)) {
            status = parse_error(ctx, &parser, name);
        } else if (status == GLS_OK) {
            if (yaml_document_get_root_node(&second))
                status = gls_fail(ctx, GLS_ERR_INPUT, "%s: more than one document", name);
            yaml_document_delete(&second);
        }
    }
    yaml_document_delete(&document);
    yaml_parser_delete(&parser);
    if (status != GLS_OK) {
        gls_value_destroy(ctx, *out);
        *out = NULL;
    }
    return status;
}

gls_status gls_config_parse(gls_context *ctx, const char *name, const char *text, int64_t size, gls_value **out) {
    GLS_TRY(parse_document(ctx, name, text, size, out));
    if (!*out) {
        *out = gls_value_create(ctx, GLS_VALUE_MAP, NULL, NULL);
        return *out ? GLS_OK : GLS_ERR_MEMORY;
    }
    if ((*out)->kind == GLS_VALUE_MAP) return GLS_OK;
    gls_value_destroy(ctx, *out);
    *out = NULL;
    return gls_fail(ctx, GLS_ERR_INPUT, "%s: expected sections (data:, model:, method:, ...) at the top", name);
}

gls_status gls_config_read(gls_context *ctx, const char *path, gls_value **out) {
    *out = NULL;
    char *text = NULL;
    int64_t size = 0;
    GLS_TRY(gls_read_file(ctx, path, MAX_BYTES, &text, &size));
    gls_status status = gls_config_parse(ctx, path, text, size, out);
    gls_free(ctx, text);
    return status;
}

/* ---- overrides ---- */

static gls_value *item(gls_value *parent, const char *key) {
    for (int64_t i = 0; i < parent->count; i++)
        if (parent->items[i]->key && !strcmp(parent->items[i]->key, key)) return parent->items[i];
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
            return gls_fail(ctx, GLS_ERR_ARGUMENT, "--set %s: '%s' is no place in a list of %lld (from 0)", assignment,
                            key, (long long)parent->count);
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
        return gls_fail(ctx, GLS_ERR_ARGUMENT, "--set %s: '%s' is a value, it has no keys of its own", assignment, key);
    *at = *place;
    return GLS_OK;
}

/* Parses the right side; nothing after '=' is an absent value. The result carries key. */
static gls_status parse_right(gls_context *ctx, const char *key, const char *text, gls_value **out) {
    gls_value *bare = NULL;
    gls_status status = parse_document(ctx, "--set", text, (int64_t)strlen(text), &bare);
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

static gls_status set_at(gls_context *ctx, gls_value *config, char *path, const char *right, const char *assignment) {
    gls_value *at = config;
    char *key = path;
    for (char *dot = strchr(key, '.'); dot; dot = strchr(key, '.')) {
        *dot = 0;
        if (!*key) return gls_fail(ctx, GLS_ERR_ARGUMENT, "--set %s: an empty name before a dot", assignment);
        GLS_TRY(descend(ctx, &at, key, assignment, at == config));
        key = dot + 1;
    }
    if (!*key) return gls_fail(ctx, GLS_ERR_ARGUMENT, "--set %s: no key before '='", assignment);
    gls_value **place = NULL;
    GLS_TRY(locate(ctx, at, key, assignment, &place));
    gls_value *value = NULL;
    GLS_TRY(parse_right(ctx, at->kind == GLS_VALUE_LIST ? NULL : key, right, &value));
    if (!place) return gls_value_append(ctx, at, value);
    gls_value_destroy(ctx, *place);
    *place = value;
    return GLS_OK;
}

gls_status gls_config_set(gls_context *ctx, gls_value *config, const char *assignment) {
    const char *equal = strchr(assignment, '=');
    if (!equal)
        return gls_fail(ctx, GLS_ERR_ARGUMENT, "--set %s: expected section.key=value, as in method.lr=0.1", assignment);
    char *path = gls_strdup(ctx, assignment);
    if (!path) return GLS_ERR_MEMORY;
    path[equal - assignment] = 0;
    gls_status status = set_at(ctx, config, path, equal + 1, assignment);
    gls_free(ctx, path);
    return status;
}
