/* The note of a trained model, as one JSON object: sections of the configuration as YAML texts, and what its data look
 * like. */
#include "predict/trained.h"

#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/yaml.h"

/* ---- writing ---- */

static json_t *names_json(const char *const *name, int64_t count) {
    json_t *list = json_array();
    for (int64_t i = 0; i < count; i++) json_array_append_new(list, json_string(name[i]));
    return list;
}

static json_t *fill_json(const gls_data_info *info) {
    json_t *list = json_array();
    for (int64_t i = 0; i < info->features; i++) json_array_append_new(list, json_real((double)info->feature_fill[i]));
    return list;
}

static json_t *info_json(const gls_data_info *info) {
    json_t *object = json_object(), *shape = json_array();
    for (int i = 0; i < info->dims; i++) json_array_append_new(shape, json_integer(info->shape[i]));
    json_object_set_new(object, "features", json_integer(info->features));
    json_object_set_new(object, "shape", shape);
    json_object_set_new(object, "sparse", json_boolean(info->sparse));
    json_object_set_new(object, "target", json_integer(info->target));
    json_object_set_new(object, "classes", json_integer(info->classes));
    json_object_set_new(object, "targets", json_integer(info->targets));
    json_object_set_new(object, "length", json_integer(info->length));
    json_object_set_new(object, "vocabulary", json_integer(info->vocabulary));
    if (info->streams) json_object_set_new(object, "streams", json_integer(info->streams));
    if (info->documents) json_object_set_new(object, "documents", json_integer(info->documents));
    if (info->separator) json_object_set_new(object, "separator", json_integer(info->separator));
    if (info->masked) json_object_set_new(object, "masked", json_true());
    if (info->class_names) json_object_set_new(object, "class_names", names_json(info->class_names, info->classes));
    if (info->token_names && !info->tokenizer)
        json_object_set_new(object, "token_names", names_json(info->token_names, info->vocabulary));
    if (info->feature_names)
        json_object_set_new(object, "feature_names", names_json(info->feature_names, info->features));
    if (info->feature_fill) json_object_set_new(object, "feature_fill", fill_json(info));
    return object;
}

static gls_status set_yaml(gls_context *ctx, json_t *object, const char *key, const gls_value *value) {
    if (!value) return GLS_OK;
    char *text = gls_yaml_text(ctx, value);
    if (!text) return GLS_ERR_MEMORY;
    json_object_set_new(object, key, json_string(text));
    gls_free(ctx, text);
    return GLS_OK;
}

gls_status gls_trained_text(gls_context *ctx, const gls_trained *trained, char **text) {
    json_t *o = json_object();
    char version[32];
    snprintf(version, sizeof version, "%d.%d.%d", GLS_VERSION_MAJOR, GLS_VERSION_MINOR, GLS_VERSION_PATCH);
    json_object_set_new(o, "version", json_string(version));
    json_object_set_new(o, "precision", json_string(sizeof(gls_real) == 4 ? "float" : "double"));
    json_object_set_new(o, "seed", json_integer((json_int_t)trained->seed));
    json_object_set_new(o, "span", json_integer(trained->span));
    json_object_set_new(o, "format", json_string(trained->format));
    json_object_set_new(o, "file", info_json(&trained->file));
    json_object_set_new(o, "input", info_json(&trained->input));
    if (trained->file.tokenizer) json_object_set_new(o, "tokenizer", json_string(trained->file.tokenizer));
    gls_status status = set_yaml(ctx, o, "model", trained->model);
    if (status == GLS_OK) status = set_yaml(ctx, o, "transforms", trained->transforms);
    if (status == GLS_OK) status = set_yaml(ctx, o, "options", trained->options);
    char *dumped = status == GLS_OK ? json_dumps(o, JSON_COMPACT) : NULL;
    *text = dumped ? gls_strdup(ctx, dumped) : NULL;
    free(dumped);
    json_decref(o);
    return status == GLS_OK && !*text ? gls_fail(ctx, GLS_ERR_MEMORY, "the model's description does not fit") : status;
}

/* ---- reading ---- */

typedef struct parser {
    gls_context *ctx;
    const char *what;
    gls_arena *arena;
    bool bad;
} parser;

static gls_status wrong(parser *p, const char *key, const char *expected) {
    return gls_fail(p->ctx, GLS_ERR_INPUT, "%s: its description of the model: %s: expected %s", p->what, key, expected);
}

static char *keep(parser *p, const char *text) {
    char *copy = gls_arena_alloc(p->arena, (int64_t)strlen(text) + 1, 1);
    return copy ? strcpy(copy, text) : NULL;
}

static int64_t whole(parser *p, const json_t *object, const char *key) {
    const json_t *value = json_object_get(object, key);
    if (json_is_integer(value) && json_integer_value(value) >= 0) return (int64_t)json_integer_value(value);
    if (!p->bad) wrong(p, key, "a whole number, 0 or more");
    p->bad = true;
    return 0;
}

/* Files of former versions do not have it. */
static int64_t whole_or(parser *p, const json_t *object, const char *key, int64_t otherwise) {
    return json_object_get(object, key) ? whole(p, object, key) : otherwise;
}

/* A list of `count` texts, or nothing. */
static gls_status read_names(parser *p, const json_t *root, const char *key, int64_t count, const char *const **out) {
    const json_t *list = json_object_get(root, key);
    if (!list) return GLS_OK;
    if (!json_is_array(list) || (int64_t)json_array_size(list) != count) return wrong(p, key, "one name for each");
    const char **name = gls_arena_alloc(p->arena, count, sizeof *name);
    if (!name) return GLS_ERR_MEMORY;
    for (int64_t i = 0; i < count; i++) {
        const char *text = json_string_value(json_array_get(list, (size_t)i));
        if (!text) return wrong(p, key, "texts");
        if (!(name[i] = keep(p, text))) return GLS_ERR_MEMORY;
    }
    *out = name;
    return GLS_OK;
}

static gls_status read_fill(parser *p, const json_t *root, gls_data_info *info) {
    const json_t *list = json_object_get(root, "feature_fill");
    if (!list) return GLS_OK;
    if (!json_is_array(list) || (int64_t)json_array_size(list) != info->features)
        return wrong(p, "feature_fill", "one number for each feature");
    gls_real *fill = gls_arena_alloc(p->arena, info->features, sizeof *fill);
    if (!fill) return GLS_ERR_MEMORY;
    for (int64_t i = 0; i < info->features; i++) {
        fill[i] = (gls_real)json_number_value(json_array_get(list, (size_t)i));
        if (!isfinite(fill[i])) return wrong(p, "feature_fill", "finite numbers");
    }
    info->feature_fill = fill;
    return GLS_OK;
}

static gls_status read_info(parser *p, const json_t *root, const char *key, gls_data_info *out) {
    const json_t *o = json_object_get(root, key), *shape = json_object_get(o, "shape");
    if (!json_is_object(o)) return wrong(p, key, "an object");
    if (!json_is_array(shape) || json_array_size(shape) > GLS_MAX_DIMS) return wrong(p, "shape", "at most 6 extents");
    *out = (gls_data_info){.features = whole(p, o, "features"),
                           .dims = (int)json_array_size(shape),
                           .sparse = json_is_true(json_object_get(o, "sparse")),
                           .target = (gls_target_kind)whole(p, o, "target"),
                           .classes = whole(p, o, "classes"),
                           .targets = whole(p, o, "targets"),
                           .length = whole(p, o, "length"),
                           .vocabulary = whole(p, o, "vocabulary"),
                           .streams = whole_or(p, o, "streams", 0),
                           .separator = whole_or(p, o, "separator", 0),
                           .masked = json_is_true(json_object_get(o, "masked")),
                           .documents = (gls_documents)whole_or(p, o, "documents", GLS_DOCUMENTS_WHOLE)};
    for (int i = 0; i < out->dims; i++) {
        const json_t *extent = json_array_get(shape, (size_t)i);
        if (!json_is_integer(extent) || json_integer_value(extent) < 0) return wrong(p, "shape", "extents");
        out->shape[i] = (int64_t)json_integer_value(extent);
    }
    if (p->bad) return GLS_ERR_INPUT;
    if (out->target > GLS_TARGET_SEQUENCE) return wrong(p, "target", "a kind of target");
    if (out->documents > GLS_DOCUMENTS_PACKED) return wrong(p, "documents", "a way that rows hold documents");
    GLS_TRY(read_names(p, o, "class_names", out->classes, &out->class_names));
    GLS_TRY(read_names(p, o, "token_names", out->vocabulary, &out->token_names));
    GLS_TRY(read_names(p, o, "feature_names", out->features, &out->feature_names));
    return read_fill(p, o, out);
}

static gls_status read_yaml(parser *p, const json_t *root, const char *key, const gls_value **out) {
    const char *text = json_string_value(json_object_get(root, key));
    gls_value *value = NULL;
    if (text) GLS_TRY(gls_yaml_parse_text(p->ctx, p->what, text, &value));
    *out = value;
    return GLS_OK;
}

static gls_status read_all(parser *p, const json_t *root, gls_trained *out) {
    if (!json_is_object(root)) return wrong(p, "the note", "a JSON object");
    out->seed = (uint64_t)json_integer_value(json_object_get(root, "seed"));
    out->span = whole(p, root, "span");
    const char *format = json_string_value(json_object_get(root, "format"));
    if (!format) return wrong(p, "format", "the name of a data format");
    if (!(out->format = keep(p, format))) return GLS_ERR_MEMORY;
    GLS_TRY(read_info(p, root, "file", &out->file));
    GLS_TRY(read_info(p, root, "input", &out->input));
    const char *tokenizer = json_string_value(json_object_get(root, "tokenizer"));
    if (tokenizer && !(out->file.tokenizer = out->input.tokenizer = keep(p, tokenizer))) return GLS_ERR_MEMORY;
    GLS_TRY(read_yaml(p, root, "model", &out->model));
    GLS_TRY(read_yaml(p, root, "transforms", &out->transforms));
    GLS_TRY(read_yaml(p, root, "options", &out->options));
    if (out->model && gls_value_get(out->model, "name") && gls_value_get(out->model, "name")->text) return GLS_OK;
    return wrong(p, "model", "a section with a name");
}

gls_status gls_trained_read(gls_context *ctx, const char *what, const char *text, gls_trained *out) {
    *out = (gls_trained){0};
    GLS_TRY(gls_arena_create(ctx, &out->arena));
    parser p = {ctx, what, out->arena, false};
    json_t *root = json_loads(text, 0, NULL);
    gls_status status = read_all(&p, root, out);
    json_decref(root);
    if (status != GLS_OK) gls_trained_clear(ctx, out);
    return status;
}

void gls_trained_clear(gls_context *ctx, gls_trained *trained) {
    gls_value_destroy(ctx, (gls_value *)(uintptr_t)trained->model);
    gls_value_destroy(ctx, (gls_value *)(uintptr_t)trained->transforms);
    gls_value_destroy(ctx, (gls_value *)(uintptr_t)trained->options);
    gls_arena_destroy(trained->arena);
    *trained = (gls_trained){0};
}
