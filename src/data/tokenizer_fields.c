/* The types of what tokenizer.json says, checked before anything is read: a key means the same wherever it stands, and
 * one of another type would else be taken for one that is missing. */
#include "data/tokenizer_parts.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>

typedef struct type {
    const char *expected, *const *key;
    bool (*is)(const json_t *value);
} type;

static bool is_text(const json_t *value) {
    return json_is_string(value);
}
static bool is_truth(const json_t *value) {
    return json_is_boolean(value);
}
static bool is_count(const json_t *value) {
    return json_is_integer(value) && json_integer_value(value) >= 0;
}
static bool is_number(const json_t *value) {
    return json_is_number(value);
}
static bool is_list(const json_t *value) {
    return json_is_array(value);
}
static bool is_map(const json_t *value) {
    return json_is_object(value);
}

static const char *const texts[] = {"type",
                                    "content",
                                    "unk_token",
                                    "continuing_subword_prefix",
                                    "behavior",
                                    "replacement",
                                    "prefix",
                                    "end_of_word_suffix",
                                    "prepend_scheme",
                                    "prepend",
                                    "String",
                                    "Regex",
                                    NULL};
static const char *const truths[] = {"single_word",      "lstrip",
                                     "rstrip",           "normalized",
                                     "special",          "fuse_unk",
                                     "byte_fallback",    "ignore_merges",
                                     "clean_text",       "strip_accents",
                                     "lowercase",        "handle_chinese_chars",
                                     "strip_left",       "strip_right",
                                     "add_prefix_space", "use_regex",
                                     "trim_offsets",     "split",
                                     "invert",           "individual_digits",
                                     "cleanup",          NULL};
static const char *const counts[] = {"max_input_chars_per_word", "type_id", NULL};
static const char *const numbers[] = {"dropout", NULL};
static const char *const lists[] = {"added_tokens", "merges", "normalizers", "pretokenizers", "processors",
                                    "single",       "pair",   "cls",         "sep",           NULL};
static const char *const maps[] = {"model",   "normalizer",   "pre_tokenizer", "decoder", "post_processor",
                                   "pattern", "SpecialToken", "Sequence",      NULL};
static const type types[] = {{"a text", texts, is_text},
                             {"true or false", truths, is_truth},
                             {"a whole number from 0 on", counts, is_count},
                             {"a number", numbers, is_number},
                             {"a list", lists, is_list},
                             {"an object", maps, is_map}};

/* Below these, keys are words of the vocabulary. */
static bool holds_words(const char *key) {
    return strcmp(key, "vocab") == 0 || strcmp(key, "special_tokens") == 0 || strcmp(key, "merges") == 0;
}

/* null is as good as a key that is missing. */
static gls_status check_one(const gls_tokenizer_reading *r, const char *owner, const char *key, const json_t *value) {
    char place[96];
    snprintf(place, sizeof place, "%.40s%s%.40s", owner, *owner ? "." : "", key);
    for (size_t t = 0; t < sizeof types / sizeof *types; t++)
        for (const char *const *name = types[t].key; *name; name++)
            if (strcmp(*name, key) == 0 && !json_is_null(value) && !types[t].is(value))
                return gls_tokenizer_wrong(r, place, "expected %s", types[t].expected);
    return GLS_OK;
}

gls_status gls_tokenizer_check_types(const gls_tokenizer_reading *r, const json_t *one, const char *owner) {
    const char *key;
    json_t *value;
    size_t k;
    if (json_is_array(one)) {
        json_array_foreach(one, k, value) GLS_TRY(gls_tokenizer_check_types(r, value, owner));
        return GLS_OK;
    }
    json_object_foreach((json_t *)one, key, value) {
        GLS_TRY(check_one(r, owner, key, value));
        if (!holds_words(key)) GLS_TRY(gls_tokenizer_check_types(r, value, key));
    }
    return GLS_OK;
}
