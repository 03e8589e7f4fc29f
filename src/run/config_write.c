/* A tree of values back to YAML that reads to the same tree. */
#include <string.h>
#include <yaml.h>
#include <glissade/run.h>

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

/* The node's number, 0 without memory. Sections are blocks, what is inside them is in braces. */
static int add(yaml_document_t *document, const gls_value *value, int depth) {
    if (value->kind == GLS_VALUE_NULL) return scalar(document, "null", false);
    if (value->kind == GLS_VALUE_TEXT) return scalar(document, value->text, value->quoted);
    bool map = value->kind == GLS_VALUE_MAP;
    int node = map ? yaml_document_add_mapping(document, NULL,
                                               depth < 2 ? YAML_BLOCK_MAPPING_STYLE : YAML_FLOW_MAPPING_STYLE)
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

char *gls_config_text(gls_context *ctx, const gls_value *config) {
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
        fine = add(&document, config, 0) != 0;
        if (!fine) yaml_document_delete(&document);
    }
    fine = fine && yaml_emitter_dump(&emitter, &document) && yaml_emitter_close(&emitter);
    yaml_emitter_delete(&emitter);
    if (fine) return b.text;
    gls_fail(ctx, GLS_ERR_MEMORY, "out of memory while writing the configuration");
    gls_free(ctx, b.text);
    return NULL;
}
