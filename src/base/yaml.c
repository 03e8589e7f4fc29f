/* libyaml's documents to trees of values and back. */
#include "base/yaml.h"

#include <string.h>
#include <yaml.h>

#include "base/io.h"
#include "base/text.h"
#include "base/value.h"

/* Configurations have a few KiB; the bounds stop mistaken files, and aliases that multiply, before memory runs out. */
enum { MAX_BYTES = 1 << 22, MAX_NODES = 100000, MAX_DEPTH = GLS_YAML_DEPTH };

typedef struct reading {
    gls_context *ctx;
    yaml_document_t *document;
    const char *name; /* in messages */
    const char *file; /* of the values; NULL: they come from none */
    int64_t nodes;
} reading;

static gls_status convert(reading *r, int index, const char *key, int depth, gls_value **out);

/* "FILE:12: ", or "WHAT: " for a text that comes from no file. */
static const char *place(const char *name, const char *file, const yaml_mark_t *mark, char text[GLS_ORIGIN_TEXT]) {
    if (file)
        snprintf(text, GLS_ORIGIN_TEXT, "%s:%d: ", name, (int)mark->line + 1);
    else
        snprintf(text, GLS_ORIGIN_TEXT, "%s: ", name);
    return text;
}

static bool is_null(const yaml_node_t *node) {
    const char *text = (const char *)node->data.scalar.value;
    return node->data.scalar.style == YAML_PLAIN_SCALAR_STYLE &&
           (!*text || strcmp(text, "~") == 0 || strcmp(text, "null") == 0 || strcmp(text, "Null") == 0 ||
            strcmp(text, "NULL") == 0);
}

static gls_status convert_scalar(reading *r, const yaml_node_t *node, const char *key, gls_value **out) {
    const char *text = (const char *)node->data.scalar.value;
    char where[GLS_ORIGIN_TEXT];
    if (strlen(text) != node->data.scalar.length)
        return gls_fail(r->ctx, GLS_ERR_INPUT, "%sthe text contains a NUL byte",
                        place(r->name, r->file, &node->start_mark, where));
    bool null = is_null(node);
    *out = gls_value_create(r->ctx, null ? GLS_VALUE_NULL : GLS_VALUE_TEXT, key, null ? NULL : text);
    if (!*out) return GLS_ERR_MEMORY;
    (*out)->quoted = node->data.scalar.style != YAML_PLAIN_SCALAR_STYLE;
    return GLS_OK;
}

static gls_status convert_pair(reading *r, const yaml_node_pair_t *pair, gls_value *map, int depth) {
    const yaml_node_t *key = yaml_document_get_node(r->document, pair->key);
    int line = (int)key->start_mark.line + 1;
    char where[GLS_ORIGIN_TEXT];
    place(r->name, r->file, &key->start_mark, where);
    if (key->type != YAML_SCALAR_NODE || strlen((char *)key->data.scalar.value) != key->data.scalar.length)
        return gls_fail(r->ctx, GLS_ERR_INPUT, "%sa key must be a plain name", where);
    const char *name = (const char *)key->data.scalar.value;
    const gls_value *before = gls_value_get(map, name);
    if (before)
        return gls_fail(r->ctx, GLS_ERR_INPUT, "%s'%s' is given twice (first in line %d)", where, name,
                        before->line ? before->line : line);
    gls_value *child = NULL;
    GLS_TRY(convert(r, pair->value, name, depth + 1, &child));
    if (r->file) child->line = line;
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
    char where[GLS_ORIGIN_TEXT];
    /* Aliases are expanded: both bounds also stop documents that refer to themselves. */
    if (depth > MAX_DEPTH || ++r->nodes > MAX_NODES)
        return gls_fail(r->ctx, GLS_ERR_INPUT, "%snested deeper than %d levels, or more than %d values",
                        place(r->name, r->file, &node->start_mark, where), MAX_DEPTH, MAX_NODES);
    gls_value *value = NULL;
    if (node->type == YAML_SCALAR_NODE) {
        GLS_TRY(convert_scalar(r, node, key, &value));
    } else {
        value = gls_value_create(r->ctx, node->type == YAML_MAPPING_NODE ? GLS_VALUE_MAP : GLS_VALUE_LIST, key, NULL);
        if (!value) return GLS_ERR_MEMORY;
        gls_status status = convert_children(r, node, value, depth);
        if (status != GLS_OK) {
            gls_value_destroy(r->ctx, value);
            return status;
        }
    }
    value->file = r->file;
    value->line = r->file ? line : 0;
    *out = value;
    return GLS_OK;
}

static gls_status parse_error(gls_context *ctx, const yaml_parser_t *parser, const char *name, const char *file) {
    if (parser->error == YAML_MEMORY_ERROR) return gls_fail(ctx, GLS_ERR_MEMORY, "%s: out of memory", name);
    if (!file)
        return gls_fail(ctx, GLS_ERR_INPUT, "%s: not YAML: %s%s%s", name,
                        parser->problem ? parser->problem : "unreadable", parser->context ? " " : "",
                        parser->context ? parser->context : "");
    return gls_fail(ctx, GLS_ERR_INPUT, "%s:%d:%d: not YAML: %s%s%s", name, (int)parser->problem_mark.line + 1,
                    (int)parser->problem_mark.column + 1, parser->problem ? parser->problem : "unreadable",
                    parser->context ? " " : "", parser->context ? parser->context : "");
}

/* A second document is loaded too, since libyaml would otherwise ignore whatever follows the first. */
static gls_status parse(gls_context *ctx, const char *name, const char *file, const char *text, int64_t size,
                        gls_value **out) {
    *out = NULL;
    yaml_parser_t parser;
    yaml_document_t document, second;
    if (!yaml_parser_initialize(&parser)) return gls_fail(ctx, GLS_ERR_MEMORY, "%s: out of memory", name);
    yaml_parser_set_input_string(&parser, (const unsigned char *)text, (size_t)size);
    if (!yaml_parser_load(&parser, &document)) {
        gls_status status = parse_error(ctx, &parser, name, file);
        yaml_parser_delete(&parser);
        return status;
    }
    gls_status status = GLS_OK;
    reading r = {ctx, &document, name, file, 0};
    if (yaml_document_get_root_node(&document)) {
        status = convert(&r, 1, NULL, 0, out);
        if (status == GLS_OK && !yaml_parser_load(&parser, &second)) {
            status = parse_error(ctx, &parser, name, file);
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

gls_status gls_yaml_parse(gls_context *ctx, const char *name, const char *text, int64_t size, gls_value **out) {
    const char *file = gls_context_name(ctx, name);
    *out = NULL;
    return file ? parse(ctx, file, file, text, size, out) : GLS_ERR_MEMORY;
}

gls_status gls_yaml_parse_text(gls_context *ctx, const char *what, const char *text, gls_value **out) {
    return parse(ctx, what, NULL, text, (int64_t)strlen(text), out);
}

gls_status gls_yaml_read_file(gls_context *ctx, const char *path, gls_value **out) {
    *out = NULL;
    char *text = NULL;
    int64_t size = 0;
    GLS_TRY(gls_read_file(ctx, path, MAX_BYTES, &text, &size));
    gls_status status = gls_yaml_parse(ctx, path, text, size, out);
    gls_free(ctx, text);
    return status;
}

/* ---- writing ---- */

typedef struct buffer {
    gls_context *ctx;
    char *text;
    size_t used, room;
} buffer;

static int collect(void *user, unsigned char *data, size_t size) {
    buffer *b = user;
    if (b->used + size + 1 > b->room) {
        size_t room = 2 * (b->used + size) + 256;
        char *grown = gls_resize(b->ctx, b->text, (int64_t)room, 1);
        if (!grown) return 0;
        b->text = grown;
        b->room = room;
    }
    memcpy(b->text + b->used, data, size);
    b->used += size;
    b->text[b->used] = 0;
    return 1;
}

static int scalar(yaml_document_t *document, const char *text, bool quoted) {
    return yaml_document_add_scalar(document, NULL, (const yaml_char_t *)text, (int)strlen(text),
                                    quoted ? YAML_DOUBLE_QUOTED_SCALAR_STYLE : YAML_PLAIN_SCALAR_STYLE);
}

/* The node's number, 0 without memory. Sections are written as blocks, what they contain in braces. */
static int add(yaml_document_t *document, const gls_value *value, int depth) {
    if (value->kind == GLS_VALUE_NULL) return scalar(document, "null", false);
    char number[GLS_REAL_TEXT];
    if (value->kind == GLS_VALUE_TEXT && !value->quoted && gls_text_for_yaml(value->text, number))
        return scalar(document, number, false);
    if (value->kind == GLS_VALUE_TEXT) return scalar(document, value->text, value->quoted);
    bool map = value->kind == GLS_VALUE_MAP;
    int node =
        map ? yaml_document_add_mapping(document, NULL, depth < 2 ? YAML_BLOCK_MAPPING_STYLE : YAML_FLOW_MAPPING_STYLE)
            : yaml_document_add_sequence(document, NULL, YAML_FLOW_SEQUENCE_STYLE);
    for (int64_t i = 0; node && i < value->count; i++) {
        int key = map ? scalar(document, value->items[i]->key, false) : 0;
        int child = add(document, value->items[i], depth + 1);
        if (!child || (map && !key)) return 0;
        if (!(map ? yaml_document_append_mapping_pair(document, node, key, child)
                  : yaml_document_append_sequence_item(document, node, child)))
            return 0;
    }
    return node;
}

/* yaml_emitter_dump takes the document, also when it fails; before it, the document is ours to delete. */
char *gls_yaml_text(gls_context *ctx, const gls_value *value) {
    buffer b = {ctx, gls_alloc(ctx, 256, 1), 0, 256};
    yaml_emitter_t emitter;
    yaml_document_t document;
    if (!b.text || !yaml_emitter_initialize(&emitter)) {
        gls_free(ctx, b.text);
        return NULL;
    }
    yaml_emitter_set_output(&emitter, collect, &b);
    yaml_emitter_set_unicode(&emitter, 1);
    yaml_emitter_set_width(&emitter, 120);
    bool fine = yaml_emitter_open(&emitter) && yaml_document_initialize(&document, NULL, NULL, NULL, 1, 1);
    if (fine) {
        fine = add(&document, value, 0) != 0;
        if (!fine) yaml_document_delete(&document);
    }
    fine = fine && yaml_emitter_dump(&emitter, &document) && yaml_emitter_close(&emitter);
    yaml_emitter_delete(&emitter);
    if (fine) return b.text;
    gls_fail(ctx, GLS_ERR_MEMORY, "out of memory while writing YAML");
    gls_free(ctx, b.text);
    return NULL;
}
