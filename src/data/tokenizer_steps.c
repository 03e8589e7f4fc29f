/* Reads tokenizer.json: the steps before the model (normalizer, pre_tokenizer) and after it (decoder, post_processor).
 */
#include "data/tokenizer_parts.h"

#include <jansson.h>
#include <string.h>
#include <uninorm.h>

#define PUNCTUATION "[" GLS_TOKENIZER_PUNCTUATION "]"
#define SPACE "[" GLS_TOKENIZER_SPACE "]"
/* What the regex of Rust calls \w: letters with all that is alphabetic, marks, digits, connectors and joiners. */
#define WORD_INSIDE                                                                               \
    "\\p{L}\\p{M}\\p{Nd}\\p{Nl}\\p{Pc}\\x{200c}\\x{200d}\\x{24b6}-\\x{24e9}\\x{1f130}-\\x{1f149}" \
    "\\x{1f150}-\\x{1f169}\\x{1f170}-\\x{1f189}"

/* A step, or a Sequence of steps below the key `list`. */
typedef gls_status (*step_fn)(const gls_tokenizer_reading *r, const json_t *one, const char *type);

static gls_status each(const gls_tokenizer_reading *r, const json_t *one, const char *place, const char *list,
                       step_fn fn, int depth) {
    const char *type = gls_tokenizer_text_of(one, "type");
    if (!one || json_is_null(one)) return GLS_OK;
    if (!type) return gls_tokenizer_wrong(r, place, "expected an object with a type");
    if (strcmp(type, "Sequence") != 0) return fn(r, one, type);
    const json_t *steps = json_object_get(one, list);
    if (!json_is_array(steps) || depth > 4) return gls_tokenizer_wrong(r, place, "Sequence: expected a list %s", list);
    for (size_t k = 0; k < json_array_size(steps); k++)
        GLS_TRY(each(r, json_array_get(steps, k), place, list, fn, depth + 1));
    return GLS_OK;
}

static gls_status unsupported(const gls_tokenizer_reading *r, const char *place, const char *type) {
    return gls_tokenizer_wrong(r, place, "'%.60s' is not supported", type);
}

/* {"String": "..."} or {"Regex": "..."}. */
static gls_status read_pattern(const gls_tokenizer_reading *r, const char *place, const json_t *one,
                               gls_tokenizer_pattern *out) {
    const json_t *pattern = json_object_get(one, "pattern");
    const char *literal = gls_tokenizer_text_of(pattern, "String"), *regex = gls_tokenizer_text_of(pattern, "Regex");
    if (!literal && !regex) return gls_tokenizer_wrong(r, place, "pattern: expected a String or a Regex");
    return gls_tokenizer_pattern_create(r->ctx, r->what, literal ? literal : regex, literal != NULL, out);
}

/* ---- normalizer ---- */

static gls_status read_bert(const json_t *one, gls_tokenizer_normal *n) {
    n->kind = GLS_TOKENIZER_BERT;
    n->clean = gls_tokenizer_bool_of(one, "clean_text", true);
    n->chinese = gls_tokenizer_bool_of(one, "handle_chinese_chars", true);
    n->lower = gls_tokenizer_bool_of(one, "lowercase", true);
    n->unaccent = gls_tokenizer_bool_of(one, "strip_accents", n->lower);
    return GLS_OK;
}

static gls_status read_text(const gls_tokenizer_reading *r, const json_t *one, const char *key,
                            gls_tokenizer_normal *n) {
    const char *text = gls_tokenizer_text_of(one, key);
    if (!text) return gls_tokenizer_wrong(r, "normalizer", "%s: expected a text", key);
    n->text = gls_tokenizer_keep(r, text);
    return n->text ? GLS_OK : GLS_ERR_MEMORY;
}

static gls_status read_normal(const gls_tokenizer_reading *r, const json_t *one, const char *type) {
    static const struct {
        const char *name;
        gls_tokenizer_normal_kind kind;
    } plain[] = {
        {"Lowercase", GLS_TOKENIZER_LOWER}, {"StripAccents", GLS_TOKENIZER_UNMARK}, {"Strip", GLS_TOKENIZER_STRIP}};
    const struct {
        const char *name;
        uninorm_t form;
    } forms[] = {{"NFC", UNINORM_NFC}, {"NFD", UNINORM_NFD}, {"NFKC", UNINORM_NFKC}, {"NFKD", UNINORM_NFKD}};
    if (r->t->normals == GLS_TOKENIZER_STEPS) return gls_tokenizer_wrong(r, "normalizer", "too many steps");
    gls_tokenizer_normal *n = &r->t->normal[r->t->normals++];
    n->left = gls_tokenizer_bool_of(one, "strip_left", true);
    n->right = gls_tokenizer_bool_of(one, "strip_right", true);
    for (size_t k = 0; k < sizeof forms / sizeof *forms; k++)
        if (strcmp(forms[k].name, type) == 0) {
            n->kind = GLS_TOKENIZER_FORM;
            n->form = forms[k].form;
            return GLS_OK;
        }
    for (size_t k = 0; k < sizeof plain / sizeof *plain; k++)
        if (strcmp(plain[k].name, type) == 0) {
            n->kind = plain[k].kind;
            return GLS_OK;
        }
    if (strcmp(type, "BertNormalizer") == 0) return read_bert(one, n);
    n->kind = GLS_TOKENIZER_CHARSMAP;
    if (strcmp(type, "Precompiled") == 0)
        return gls_tokenizer_read_charsmap(r, gls_tokenizer_text_of(one, "precompiled_charsmap"), n);
    n->kind = GLS_TOKENIZER_PREPEND;
    if (strcmp(type, "Prepend") == 0) return read_text(r, one, "prepend", n);
    n->kind = GLS_TOKENIZER_REPLACE;
    if (strcmp(type, "Replace") != 0) return unsupported(r, "normalizer", type);
    GLS_TRY(read_text(r, one, "content", n));
    return read_pattern(r, "normalizer", one, &n->pattern);
}

gls_status gls_tokenizer_read_normals(const gls_tokenizer_reading *r, const json_t *one) {
    return each(r, one, "normalizer", "normalizers", read_normal, 0);
}

/* ---- pre_tokenizer ---- */

static gls_status next_cut(const gls_tokenizer_reading *r, gls_tokenizer_cut **out) {
    if (r->t->cuts == GLS_TOKENIZER_STEPS) return gls_tokenizer_wrong(r, "pre_tokenizer", "too many steps");
    if (r->t->byte_level) return gls_tokenizer_wrong(r, "pre_tokenizer", "a step behind ByteLevel is not supported");
    *out = &r->t->cut[r->t->cuts++];
    (*out)->behavior = GLS_TOKENIZER_ISOLATED;
    return GLS_OK;
}

static gls_status set_pattern(const gls_tokenizer_reading *r, gls_tokenizer_cut *c, const char *pattern) {
    return gls_tokenizer_pattern_create(r->ctx, r->what, pattern, false, &c->pattern);
}

static gls_status read_behavior(const gls_tokenizer_reading *r, const json_t *one, gls_tokenizer_cut *c) {
    static const char *const names[] = {"Removed", "Isolated", "MergedWithPrevious", "MergedWithNext", "Contiguous"};
    const char *given = gls_tokenizer_text_of(one, "behavior");
    for (size_t k = 0; given && k < sizeof names / sizeof *names; k++)
        if (strcmp(names[k], given) == 0) {
            c->behavior = (gls_tokenizer_behavior)k;
            return GLS_OK;
        }
    return gls_tokenizer_wrong(r, "pre_tokenizer",
                               "behavior: expected Removed, Isolated, MergedWithPrevious, "
                               "MergedWithNext or Contiguous");
}

static gls_status read_bytes(const gls_tokenizer_reading *r, const json_t *one, gls_tokenizer_cut *c) {
    if (gls_tokenizer_bool_of(one, "add_prefix_space", true)) c->prefix = GLS_TOKENIZER_PREFIX_ALL;
    c->whole = !gls_tokenizer_bool_of(one, "use_regex", true);
    r->t->byte_level = true;
    return c->whole ? GLS_OK : set_pattern(r, c, GLS_TOKENIZER_WORDS);
}

static gls_status read_blank(const gls_tokenizer_reading *r, const json_t *one, gls_tokenizer_prefix *prefix,
                             const char **blank) {
    const char *given = gls_tokenizer_text_of(one, "replacement"),
               *scheme = gls_tokenizer_text_of(one, "prepend_scheme");
    bool old = gls_tokenizer_bool_of(one, "add_prefix_space", true); /* of files before there were schemes */
    if (!scheme) scheme = old ? "always" : "never";
    *prefix = strcmp(scheme, "always") == 0  ? GLS_TOKENIZER_PREFIX_ALL
              : strcmp(scheme, "first") == 0 ? GLS_TOKENIZER_PREFIX_FIRST
                                             : GLS_TOKENIZER_PREFIX_NONE;
    if (!*prefix && strcmp(scheme, "never") != 0) return gls_tokenizer_wrong(r, "prepend_scheme", "'%.40s'", scheme);
    *blank = gls_tokenizer_keep(r, given && *given ? given : "\xe2\x96\x81");
    return *blank ? GLS_OK : GLS_ERR_MEMORY;
}

static gls_status read_metaspace(const gls_tokenizer_reading *r, const json_t *one, gls_tokenizer_cut *c) {
    GLS_TRY(read_blank(r, one, &c->prefix, &c->blank));
    c->whole = !gls_tokenizer_bool_of(one, "split", true);
    c->behavior = GLS_TOKENIZER_MERGED_WITH_NEXT;
    return gls_tokenizer_pattern_create(r->ctx, r->what, c->blank, true, &c->pattern);
}

static gls_status read_cut(const gls_tokenizer_reading *r, const json_t *one, const char *type) {
    gls_tokenizer_cut *c = NULL;
    GLS_TRY(next_cut(r, &c));
    if (strcmp(type, "ByteLevel") == 0) return read_bytes(r, one, c);
    if (strcmp(type, "Metaspace") == 0) return read_metaspace(r, one, c);
    if (strcmp(type, "Digits") == 0) {
        if (!gls_tokenizer_bool_of(one, "individual_digits", false)) c->behavior = GLS_TOKENIZER_CONTIGUOUS;
        return set_pattern(r, c, "\\p{N}");
    }
    if (strcmp(type, "Punctuation") == 0) {
        if (json_object_get(one, "behavior")) GLS_TRY(read_behavior(r, one, c));
        return set_pattern(r, c, PUNCTUATION);
    }
    if (strcmp(type, "Split") == 0) {
        GLS_TRY(read_behavior(r, one, c));
        c->inverted = gls_tokenizer_bool_of(one, "invert", false);
        return read_pattern(r, "pre_tokenizer", one, &c->pattern);
    }
    c->behavior = GLS_TOKENIZER_REMOVED;
    c->inverted = true;
    if (strcmp(type, "BertPreTokenizer") == 0)
        return set_pattern(r, c, PUNCTUATION "|[^" GLS_TOKENIZER_SPACE GLS_TOKENIZER_PUNCTUATION "]+");
    if (strcmp(type, "Whitespace") == 0)
        return set_pattern(r, c, "[" WORD_INSIDE "]+|[^" WORD_INSIDE GLS_TOKENIZER_SPACE "]+");
    if (strcmp(type, "WhitespaceSplit") == 0) return set_pattern(r, c, "[^" GLS_TOKENIZER_SPACE "]+");
    return unsupported(r, "pre_tokenizer", type);
}

gls_status gls_tokenizer_read_cuts(const gls_tokenizer_reading *r, const json_t *one) {
    return each(r, one, "pre_tokenizer", "pretokenizers", read_cut, 0);
}

/* ---- decoder ---- */

gls_status gls_tokenizer_read_decoder(const gls_tokenizer_reading *r, const json_t *one) {
    gls_tokenizer *t = r->t;
    const char *type = gls_tokenizer_text_of(one, "type"), *prefix = gls_tokenizer_text_of(one, "prefix");
    t->spelling = GLS_TOKENIZER_SPELL_PARTED;
    if (!one || json_is_null(one)) return GLS_OK;
    if (!type) return gls_tokenizer_wrong(r, "decoder", "expected an object with a type");
    if (strcmp(type, "ByteLevel") == 0) {
        t->spelling = GLS_TOKENIZER_SPELL_BYTES;
        return GLS_OK;
    }
    if (strcmp(type, "Metaspace") == 0) {
        gls_tokenizer_prefix unused;
        t->spelling = GLS_TOKENIZER_SPELL_BLANKS;
        return read_blank(r, one, &unused, &t->blank);
    }
    if (strcmp(type, "WordPiece") != 0) return unsupported(r, "decoder", type);
    if (t->model != GLS_TOKENIZER_WORDPIECE || (prefix && strcmp(prefix, t->prefix) != 0))
        return gls_tokenizer_wrong(r, "decoder", "WordPiece with another prefix or model is not supported");
    t->spelling = GLS_TOKENIZER_SPELL_PIECES;
    t->tidy = gls_tokenizer_bool_of(one, "cleanup", true);
    return GLS_OK;
}

/* ---- post_processor ---- */

static gls_status add_item(const gls_tokenizer_reading *r, gls_tokenizer_frame *f, int32_t token, int64_t segment) {
    if (f->items == sizeof f->item / sizeof *f->item || segment < 0 || segment > 1)
        return gls_tokenizer_wrong(r, "post_processor", "more than %d tokens, or a type_id that is not 0 or 1",
                                   (int)(sizeof f->item / sizeof *f->item));
    f->item[f->items].token = token;
    f->item[f->items++].segment = (int32_t)segment;
    return GLS_OK;
}

static gls_status add_special(const gls_tokenizer_reading *r, gls_tokenizer_frame *f, const char *name,
                              int64_t segment) {
    int32_t token = name ? gls_tokenizer_find(r->t, name) : -1;
    if (token < 0)
        return gls_tokenizer_wrong(r, "post_processor", "'%.60s' is no token of the vocabulary", name ? name : "");
    return add_item(r, f, token, segment);
}

static gls_status read_template(const gls_tokenizer_reading *r, const json_t *list, bool pair, gls_tokenizer_frame *f) {
    int texts = 0;
    *f = (gls_tokenizer_frame){0};
    for (size_t k = 0; k < json_array_size(list); k++) {
        const json_t *item = json_array_get(list, k), *special = json_object_get(item, "SpecialToken");
        const json_t *text = json_object_get(item, "Sequence");
        const char *id = gls_tokenizer_text_of(special ? special : text, "id");
        int64_t segment = json_integer_value(json_object_get(special ? special : text, "type_id"));
        if (!id || (!special && strcmp(id, "A") != 0 && !(pair && strcmp(id, "B") == 0)))
            return gls_tokenizer_wrong(r, "post_processor", "%s: expected special tokens and texts A%s",
                                       pair ? "pair" : "single", pair ? " and B" : "");
        texts += !special;
        GLS_TRY(special ? add_special(r, f, id, segment) : add_item(r, f, *id == 'A' ? -1 : -2, segment));
    }
    if (texts == 1 + pair) return GLS_OK;
    return gls_tokenizer_wrong(r, "post_processor", "%s: expected every text once", pair ? "pair" : "single");
}

/* [CLS] A [SEP] B [SEP] of BERT, or <s> A </s></s> B </s> of RoBERTa, whose segments are all 0. */
static gls_status read_old(const gls_tokenizer_reading *r, const json_t *one, bool bert) {
    const char *begin = json_string_value(json_array_get(json_object_get(one, "cls"), 0));
    const char *end = json_string_value(json_array_get(json_object_get(one, "sep"), 0));
    gls_tokenizer_frame *both[2] = {&r->t->single, &r->t->pair};
    for (int k = 0; k < 2; k++) {
        *both[k] = (gls_tokenizer_frame){0};
        GLS_TRY(add_special(r, both[k], begin, 0));
        GLS_TRY(add_item(r, both[k], -1, 0));
        GLS_TRY(add_special(r, both[k], end, 0));
        if (!k) continue;
        if (!bert) GLS_TRY(add_special(r, both[k], end, 0));
        GLS_TRY(add_item(r, both[k], -2, bert));
        GLS_TRY(add_special(r, both[k], end, bert));
    }
    return GLS_OK;
}

static gls_status read_frame(const gls_tokenizer_reading *r, const json_t *one, const char *type) {
    if (strcmp(type, "ByteLevel") == 0) return GLS_OK; /* moves offsets alone */
    if (strcmp(type, "BertProcessing") == 0) return read_old(r, one, true);
    if (strcmp(type, "RobertaProcessing") == 0) return read_old(r, one, false);
    if (strcmp(type, "TemplateProcessing") != 0) return unsupported(r, "post_processor", type);
    GLS_TRY(read_template(r, json_object_get(one, "single"), false, &r->t->single));
    return read_template(r, json_object_get(one, "pair"), true, &r->t->pair);
}

gls_status gls_tokenizer_read_frames(const gls_tokenizer_reading *r, const json_t *one) {
    GLS_TRY(add_item(r, &r->t->single, -1, 0));
    GLS_TRY(add_item(r, &r->t->pair, -1, 0));
    GLS_TRY(add_item(r, &r->t->pair, -2, 1));
    return each(r, one, "post_processor", "processors", read_frame, 0);
}
