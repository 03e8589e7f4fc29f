/* Reads tokenizer.json: the model, its vocabulary and the added tokens. What is not supported is refused by name. */
#include "data/tokenizer_parts.h"

#include <jansson.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/io.h"

enum { FILE_LIMIT = 1 << 28, MOST_TOKENS = 1 << 22, MOST_CHARACTERS = 100 };

gls_status gls_tokenizer_wrong(const gls_tokenizer_reading *r, const char *place, const char *format, ...) {
    char sentence[300];
    va_list args;
    va_start(args, format);
    vsnprintf(sentence, sizeof sentence, format, args);
    va_end(args);
    return gls_fail(r->ctx, GLS_ERR_INPUT, "%s: tokenizer: %s: %s", r->what, place, sentence);
}

char *gls_tokenizer_keep(const gls_tokenizer_reading *r, const char *text) {
    char *copy = gls_arena_alloc(r->t->arena, (int64_t)strlen(text) + 1, 1);
    return copy ? strcpy(copy, text) : NULL;
}

const char *gls_tokenizer_text_of(const json_t *object, const char *key) {
    return json_string_value(json_object_get(object, key));
}

bool gls_tokenizer_bool_of(const json_t *object, const char *key, bool otherwise) {
    const json_t *value = json_object_get(object, key);
    return json_is_boolean(value) ? json_is_true(value) : otherwise;
}

/* ---- the vocabulary ---- */

static gls_status check_number(const gls_tokenizer_reading *r, const char *place, const char *name,
                               const json_t *number) {
    if (json_is_integer(number) && json_integer_value(number) >= 0 && json_integer_value(number) < MOST_TOKENS)
        return GLS_OK;
    return gls_tokenizer_wrong(r, place, "the number of '%.60s': expected a whole number from 0 to %d", name,
                               MOST_TOKENS - 1);
}

static gls_status count_tokens(const gls_tokenizer_reading *r, json_t *words, json_t *added) {
    const char *name;
    json_t *number;
    size_t k;
    if (json_is_array(words)) r->t->size = (int64_t)json_array_size(words);
    json_object_foreach(words, name, number) {
        GLS_TRY(check_number(r, "model.vocab", name, number));
        if (json_integer_value(number) >= r->t->size) r->t->size = json_integer_value(number) + 1;
    }
    json_array_foreach(added, k, number) {
        name = gls_tokenizer_text_of(number, "content");
        if (!name || !*name) return gls_tokenizer_wrong(r, "added_tokens", "expected objects with content and id");
        GLS_TRY(check_number(r, "added_tokens", name, json_object_get(number, "id")));
        int64_t id = json_integer_value(json_object_get(number, "id"));
        if (id >= r->t->size) r->t->size = id + 1;
    }
    return GLS_OK;
}

/* A number that no name has gets one, so that every token can be shown. */
static gls_status name_holes(const gls_tokenizer_reading *r) {
    gls_tokenizer *t = r->t;
    char text[32];
    for (int64_t k = 0; k < t->size; k++) {
        if (t->names[k]) continue;
        snprintf(text, sizeof text, "<hole %lld>", (long long)k);
        if (!(t->names[k] = gls_tokenizer_keep(r, text))) return GLS_ERR_MEMORY;
    }
    return GLS_OK;
}

static gls_status make_names(const gls_tokenizer_reading *r) {
    gls_tokenizer *t = r->t;
    t->names = gls_arena_alloc(t->arena, t->size, sizeof *t->names);
    t->id = gls_arena_alloc(t->arena, t->size, sizeof *t->id);
    if (!t->names || !t->id) return GLS_ERR_MEMORY;
    memset(t->names, 0, (size_t)t->size * sizeof *t->names);
    return gls_vocabulary_create(r->ctx, &t->words);
}

static gls_status read_words(const gls_tokenizer_reading *r, json_t *words) {
    gls_tokenizer *t = r->t;
    const char *name;
    json_t *number;
    json_object_foreach(words, name, number) {
        int32_t place;
        int64_t id = json_integer_value(number);
        if (t->names[id])
            return gls_tokenizer_wrong(r, "model.vocab", "'%.60s' and '%.60s' have the number %lld", t->names[id], name,
                                       (long long)id);
        if (!(t->names[id] = gls_tokenizer_keep(r, name))) return GLS_ERR_MEMORY;
        GLS_TRY(gls_vocabulary_add(t->words, name, (int64_t)strlen(name), &place));
        t->id[place] = (int32_t)id;
    }
    return GLS_OK;
}

/* ---- added tokens ---- */

static gls_status normal_text(const gls_tokenizer_reading *r, gls_tokenizer_added *a) {
    const char *text = a->text;
    a->normal = text;
    a->bytes = (int64_t)strlen(text);
    for (int k = 0; a->normalized && k < r->t->normals; k++) {
        gls_tokenizer_bytes *made = &r->t->made[k % 2];
        GLS_TRY(gls_tokenizer_normalize(r->ctx, &r->t->normal[k], a->normal, a->bytes, made));
        a->normal = made->at;
        a->bytes = made->count;
    }
    if (a->normal == text) return GLS_OK;
    char *copy = gls_arena_alloc(r->t->arena, a->bytes + 1, 1);
    if (!copy) return GLS_ERR_MEMORY;
    if (a->bytes) memcpy(copy, a->normal, (size_t)a->bytes);
    a->normal = copy;
    return GLS_OK;
}

static gls_status read_one_added(const gls_tokenizer_reading *r, const json_t *one, gls_tokenizer_added *a) {
    gls_tokenizer *t = r->t;
    int64_t id = json_integer_value(json_object_get(one, "id"));
    const char *name = gls_tokenizer_text_of(one, "content");
    if (gls_tokenizer_bool_of(one, "single_word", false))
        return gls_tokenizer_wrong(r, "added_tokens", "'%.60s' with single_word is not supported", name);
    if (t->names[id] && strcmp(t->names[id], name) != 0)
        return gls_tokenizer_wrong(r, "added_tokens", "'%.60s' has the number %lld of '%.60s'", name, (long long)id,
                                   t->names[id]);
    *a = (gls_tokenizer_added){.token = (int32_t)id,
                               .before = gls_tokenizer_bool_of(one, "lstrip", false),
                               .behind = gls_tokenizer_bool_of(one, "rstrip", false),
                               .normalized = gls_tokenizer_bool_of(one, "normalized", true)};
    if (!(a->text = gls_tokenizer_keep(r, name))) return GLS_ERR_MEMORY;
    t->names[id] = a->text;
    GLS_TRY(normal_text(r, a));
    if (a->bytes) t->begins[(unsigned char)*a->normal] = true;
    return GLS_OK;
}

static gls_status read_added(const gls_tokenizer_reading *r, json_t *added) {
    gls_tokenizer *t = r->t;
    size_t k;
    json_t *one;
    t->added = gls_arena_alloc(t->arena, (int64_t)json_array_size(added), sizeof *t->added);
    if (!t->added) return GLS_ERR_MEMORY;
    json_array_foreach(added, k, one) {
        gls_tokenizer_added *a = &t->added[t->added_count];
        GLS_TRY(read_one_added(r, one, a));
        t->added_count += a->bytes > 0;
    }
    return GLS_OK;
}

/* ---- the model ---- */

static gls_status read_bytes(const gls_tokenizer_reading *r) {
    gls_tokenizer *t = r->t;
    gls_tokenizer_bytes text = {.ctx = r->ctx};
    gls_status status = GLS_OK;
    for (int b = 0; status == GLS_OK && b < 256; b++) {
        char name[8];
        text.count = 0;
        snprintf(name, sizeof name, "<0x%02X>", b);
        status = t->byte_level ? gls_tokenizer_bytes_add_character(&text, gls_tokenizer_character_of_byte(b))
                               : gls_tokenizer_bytes_add(&text, name, (int64_t)strlen(name));
        t->byte[b] = status == GLS_OK ? gls_tokenizer_piece(t, text.at, text.count) : -1;
    }
    gls_free(r->ctx, text.at);
    return status;
}

/* "a b", or ["a", "b"]. */
static gls_status read_merge(const gls_tokenizer_reading *r, const json_t *one, int64_t rank) {
    char place[48];
    const char *both = json_string_value(one), *gap = both ? strchr(both, ' ') : NULL;
    const char *a = both ? both : json_string_value(json_array_get(one, 0));
    const char *b = both ? (gap ? gap + 1 : NULL) : json_string_value(json_array_get(one, 1));
    snprintf(place, sizeof place, "model.merges[%lld]", (long long)rank);
    if (!a || !b) return gls_tokenizer_wrong(r, place, "expected two pieces");
    int64_t size = both ? gap - both : (int64_t)strlen(a), more = (int64_t)strlen(b);
    char *joined = gls_sprintf(r->ctx, "%.*s%s", (int)size, a, b);
    if (!joined) return GLS_ERR_MEMORY;
    int32_t left = gls_tokenizer_piece(r->t, a, size), right = gls_tokenizer_piece(r->t, b, more);
    int32_t made = gls_tokenizer_piece(r->t, joined, size + more);
    gls_free(r->ctx, joined);
    if (left < 0 || right < 0 || made < 0)
        return gls_tokenizer_wrong(r, place, "'%.*s' and '%.40s': they and both together must be in model.vocab",
                                   size < 40 ? (int)size : 40, a, b);
    return gls_tokenizer_pairs_set(&r->t->merges, left, right, rank << 32 | made);
}

static gls_status read_pairs_model(const gls_tokenizer_reading *r, const json_t *model) {
    gls_tokenizer *t = r->t;
    const json_t *merges = json_object_get(model, "merges"), *dropout = json_object_get(model, "dropout");
    if (!json_is_array(merges)) return gls_tokenizer_wrong(r, "model.merges", "expected a list");
    if (json_number_value(dropout) != 0) return gls_tokenizer_wrong(r, "model.dropout", "is not supported");
    static const char *const marks[] = {"continuing_subword_prefix", "end_of_word_suffix"};
    for (int k = 0; k < 2; k++) {
        const char *mark = gls_tokenizer_text_of(model, marks[k]);
        if (mark && *mark) return gls_tokenizer_wrong(r, "model", "%s '%.20s' is not supported", marks[k], mark);
    }
    t->fuses = gls_tokenizer_bool_of(model, "fuse_unk", false);
    t->fallback = gls_tokenizer_bool_of(model, "byte_fallback", false);
    t->whole_words = gls_tokenizer_bool_of(model, "ignore_merges", false);
    GLS_TRY(read_bytes(r));
    int64_t count = (int64_t)json_array_size(merges);
    if (count >= INT32_MAX) return gls_tokenizer_wrong(r, "model.merges", "too many");
    GLS_TRY(gls_tokenizer_pairs_create(r->ctx, count, &t->merges));
    for (int64_t k = 0; k < count; k++) GLS_TRY(read_merge(r, json_array_get(merges, (size_t)k), k));
    return GLS_OK;
}

static gls_status read_pieces_model(const gls_tokenizer_reading *r, const json_t *model) {
    const char *prefix = gls_tokenizer_text_of(model, "continuing_subword_prefix");
    const json_t *most = json_object_get(model, "max_input_chars_per_word");
    r->t->model = GLS_TOKENIZER_WORDPIECE;
    r->t->most_characters = json_is_integer(most) ? json_integer_value(most) : MOST_CHARACTERS;
    if (!(r->t->prefix = gls_tokenizer_keep(r, prefix ? prefix : "##"))) return GLS_ERR_MEMORY;
    if (r->t->unknown < 0) return gls_tokenizer_wrong(r, "model.unk_token", "expected a token of the vocabulary");
    return GLS_OK;
}

static gls_status read_named_model(const gls_tokenizer_reading *r, const json_t *model, bool pairs) {
    const char *unknown = gls_tokenizer_text_of(model, "unk_token");
    GLS_TRY(read_words(r, json_object_get(model, "vocab")));
    r->t->unknown = unknown ? gls_tokenizer_piece(r->t, unknown, (int64_t)strlen(unknown)) : -1;
    if (unknown && r->t->unknown < 0)
        return gls_tokenizer_wrong(r, "model.unk_token", "'%.60s' is not in model.vocab", unknown);
    return pairs ? read_pairs_model(r, model) : read_pieces_model(r, model);
}

static gls_status read_scored_model(const gls_tokenizer_reading *r, const json_t *model) {
    if (r->t->byte_level)
        return gls_tokenizer_wrong(r, "pre_tokenizer", "ByteLevel in front of Unigram is not supported");
    GLS_TRY(gls_tokenizer_read_unigram(r, model));
    return read_bytes(r);
}

gls_status gls_tokenizer_read_model(const gls_tokenizer_reading *r, const json_t *root) {
    json_t *model = json_object_get(root, "model"), *words = json_object_get(model, "vocab");
    json_t *added = json_object_get(root, "added_tokens");
    const char *type = gls_tokenizer_text_of(model, "type");
    if (!json_is_object(model)) return gls_tokenizer_wrong(r, "model", "expected an object");
    /* Files of early versions do not say the type. */
    if (!type) type = json_object_get(model, "merges") ? "BPE" : json_is_array(words) ? "Unigram" : "WordPiece";
    bool pairs = strcmp(type, "BPE") == 0, scored = strcmp(type, "Unigram") == 0;
    if (!pairs && !scored && strcmp(type, "WordPiece") != 0)
        return gls_tokenizer_wrong(r, "model.type", "'%.40s' is not supported; expected BPE, WordPiece or Unigram",
                                   type);
    if (scored ? !json_array_size(words) : !json_object_size(words))
        return gls_tokenizer_wrong(r, "model.vocab", "expected %s",
                                   scored ? "a list of pieces and their scores"
                                          : "an object of tokens and their numbers");
    GLS_TRY(count_tokens(r, words, added));
    GLS_TRY(make_names(r));
    GLS_TRY(scored ? read_scored_model(r, model) : read_named_model(r, model, pairs));
    GLS_TRY(read_added(r, added));
    return name_holes(r);
}

/* ---- the whole ---- */

static gls_status read_all(const gls_tokenizer_reading *r, const json_t *root) {
    static const char *const absent[] = {"truncation", "padding"};
    GLS_TRY(gls_tokenizer_check_types(r, root, ""));
    for (int k = 0; k < 2; k++) {
        const json_t *value = json_object_get(root, absent[k]);
        if (value && !json_is_null(value))
            return gls_tokenizer_wrong(r, absent[k], "is not supported; expected null: rows have data.length tokens");
    }
    GLS_TRY(gls_tokenizer_read_normals(r, json_object_get(root, "normalizer")));
    GLS_TRY(gls_tokenizer_read_cuts(r, json_object_get(root, "pre_tokenizer")));
    GLS_TRY(gls_tokenizer_read_model(r, root));
    GLS_TRY(gls_tokenizer_read_decoder(r, json_object_get(root, "decoder")));
    GLS_TRY(gls_tokenizer_read_frames(r, json_object_get(root, "post_processor")));
    return gls_tokenizer_spell_all(r->t);
}

static gls_status parse(const gls_tokenizer_reading *r, const char *json) {
    json_error_t error;
    json_t *root = json_loads(json, JSON_REJECT_DUPLICATES, &error);
    if (!root) return gls_tokenizer_wrong(r, "not JSON", "line %d: %s", error.line, error.text);
    char *compact = json_is_object(root) ? json_dumps(root, JSON_COMPACT) : NULL;
    gls_status status = json_is_object(root) ? GLS_OK : gls_tokenizer_wrong(r, "the file", "expected an object");
    if (status == GLS_OK && !compact) status = gls_fail(r->ctx, GLS_ERR_MEMORY, "out of memory");
    if (status == GLS_OK && !(r->t->json = gls_tokenizer_keep(r, compact))) status = GLS_ERR_MEMORY;
    if (status == GLS_OK) status = read_all(r, root);
    free(compact);
    json_decref(root);
    return status;
}

gls_status gls_tokenizer_parse(gls_context *ctx, const char *what, const char *json, gls_tokenizer **out) {
    *out = NULL;
    gls_tokenizer *t = gls_alloc(ctx, 1, sizeof *t);
    if (!t) return GLS_ERR_MEMORY;
    t->ctx = t->made[0].ctx = t->made[1].ctx = ctx;
    t->unknown = -1;
    for (int k = 0; k < GLS_TOKENIZER_STEPS; k++) t->cut[k].made.ctx = ctx;
    gls_tokenizer_reading r = {ctx, what, t};
    gls_status status = gls_arena_create(ctx, &t->arena);
    if (status == GLS_OK) status = gls_vocabulary_create(ctx, &t->seen);
    if (status == GLS_OK) status = parse(&r, json);
    if (status == GLS_OK)
        *out = t;
    else
        gls_tokenizer_destroy(t);
    return status;
}

gls_status gls_tokenizer_read(gls_context *ctx, const char *path, gls_tokenizer **out) {
    char *text;
    int64_t size;
    *out = NULL;
    GLS_TRY(gls_read_file(ctx, path, FILE_LIMIT, &text, &size));
    gls_status status = (int64_t)strlen(text) == size
                            ? gls_tokenizer_parse(ctx, path, text, out)
                            : gls_fail(ctx, GLS_ERR_INPUT, "%s: tokenizer: not JSON: a NUL byte", path);
    gls_free(ctx, text);
    return status;
}
