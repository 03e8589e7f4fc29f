/* Reads values of a configuration as the types of options. Every refusal has the same form, also inside lists and
 * maps. */
#include "base/option.h"

#include "base/text.h"
#include "base/value.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

size_t gls_option_size(const gls_option *option) {
    static const size_t size[] = {[GLS_OPTION_REAL] = sizeof(double),       [GLS_OPTION_INT] = sizeof(int64_t),
                                  [GLS_OPTION_BOOL] = sizeof(bool),         [GLS_OPTION_ENUM] = sizeof(int),
                                  [GLS_OPTION_STRING] = sizeof(char *),     [GLS_OPTION_PATH] = sizeof(char *),
                                  [GLS_OPTION_LENGTH] = sizeof(gls_length), [GLS_OPTION_SIZE] = sizeof(int64_t),
                                  [GLS_OPTION_TIME] = sizeof(double),       [GLS_OPTION_VALUE] = sizeof(gls_value *),
                                  [GLS_OPTION_LIST] = sizeof(gls_list),     [GLS_OPTION_MAP] = sizeof(void *)};
    return size[option->type];
}

bool gls_option_plain(const gls_option *option) {
    switch (option->type) {
    case GLS_OPTION_STRING:
    case GLS_OPTION_PATH:
    case GLS_OPTION_VALUE:
    case GLS_OPTION_LIST:
    case GLS_OPTION_MAP:
        return false;
    default:
        return true;
    }
}

const char *gls_option_size_words(const gls_option *option) {
    return option->choices ? option->choices : "all";
}

bool gls_option_within(const gls_option *option, double value) {
    if (option->minimum == 0 && option->maximum == 0) return true;
    bool above = option->flags & GLS_OPTION_ABOVE_MIN ? value > option->minimum : value >= option->minimum;
    bool below = option->flags & GLS_OPTION_BELOW_MAX ? value < option->maximum : value <= option->maximum;
    return above && below;
}

/* ---- numbers and words ---- */

static bool read_real(const gls_option *option, const char *text, double *value) {
    const char *rest;
    if (!gls_text_to_real(text, value, &rest) || *rest || isinf(*value)) return false;
    if (isnan(*value)) /* only where it means "not set" */
        return option->initial && strcmp(option->initial, "nan") == 0;
    return gls_option_within(option, *value);
}

static bool read_bool(const char *text, bool *value) {
    static const char *const word[] = {"false", "true", "no", "yes", "off", "on", "0", "1"};
    for (int i = 0; i < 8; i++)
        if (strcasecmp(text, word[i]) == 0) { /* also True, as Python writes it */
            *value = i % 2;
            return true;
        }
    return false;
}

/* The place of a word in "mean|sum". */
static bool read_word(const char *words, const char *text, int *value) {
    size_t length = strlen(text);
    int index = 0;
    for (const char *choice = words; choice; index++) {
        const char *end = strchr(choice, '|');
        size_t size = end ? (size_t)(end - choice) : strlen(choice);
        if (size == length && memcmp(choice, text, size) == 0) {
            *value = index;
            return true;
        }
        choice = end ? end + 1 : NULL;
    }
    return false;
}

static bool read_length(const gls_option *option, const char *text, gls_length *value) {
    const char *rest;
    if (!gls_text_to_real(text, &value->amount, &rest)) return false;
    value->steps = *rest == 's';
    if (*rest == 's' || *rest == 'e') rest++;
    if (*rest || !(value->amount >= 0) || isinf(value->amount)) return false;
    if (value->steps && value->amount != floor(value->amount)) return false;
    return gls_option_within(option, value->amount);
}

static bool read_time(const gls_option *option, const char *text, double *value) {
    const char *rest;
    if (!gls_text_to_real(text, value, &rest)) return false;
    double unit = *rest == 'm' ? 60 : *rest == 'h' ? 3600 : 1;
    if (*rest == 's' || *rest == 'm' || *rest == 'h') rest++;
    *value *= unit;
    return !*rest && *value >= 0 && isfinite(*value) && gls_option_within(option, *value);
}

static bool read_whole(const gls_option *option, const char *text, int64_t *value) {
    int word;
    if (option->type == GLS_OPTION_SIZE && read_word(gls_option_size_words(option), text, &word)) {
        *value = -1 - word;
        return true;
    }
    if (!gls_text_to_int(text, value) || (option->type == GLS_OPTION_SIZE && *value < 0)) return false;
    return gls_option_within(option, (double)*value);
}

static bool read_plain(const gls_option *option, const gls_value *value, void *to) {
    /* A scalar in quotes is a text: a word of an enum, never a number. */
    if (value->kind != GLS_VALUE_TEXT || (value->quoted && option->type != GLS_OPTION_ENUM)) return false;
    switch (option->type) {
    case GLS_OPTION_REAL:
        return read_real(option, value->text, to);
    case GLS_OPTION_INT:
    case GLS_OPTION_SIZE:
        return read_whole(option, value->text, to);
    case GLS_OPTION_BOOL:
        return read_bool(value->text, to);
    case GLS_OPTION_ENUM:
        return read_word(option->choices, value->text, to);
    case GLS_OPTION_LENGTH:
        return read_length(option, value->text, to);
    case GLS_OPTION_TIME:
        return read_time(option, value->text, to);
    default:
        return false;
    }
}

/* ---- what points at memory ---- */

static void *take(gls_option_reader *reader, int64_t count, size_t size) {
    size_t bytes;
    if (__builtin_mul_overflow((size_t)count, size, &bytes) ||
        bytes > (size_t)PTRDIFF_MAX - sizeof(gls_option_memory)) {
        gls_fail(reader->ctx, GLS_ERR_MEMORY, "a size overflows: %lld items of %zu bytes", (long long)count, size);
        return NULL;
    }
    gls_option_memory *block = gls_alloc(reader->ctx, 1, sizeof *block + bytes);
    if (!block) return NULL;
    block->next = reader->memory;
    reader->memory = block;
    return block->data;
}

void gls_option_memory_free(gls_context *ctx, gls_option_memory *first) {
    for (gls_option_memory *next; first; first = next) {
        next = first->next;
        gls_options_destroy(first->options);
        gls_free(ctx, first);
    }
}

/* A path written in a file is meant from that file's folder. */
static gls_status read_path(gls_option_reader *reader, const gls_value *value, const char **to) {
    const char *slash = value->file && value->line > 0 ? strrchr(value->file, '/') : NULL;
    *to = value->text;
    if (!slash || value->text[0] == '/' || value->text[0] == '\0') return GLS_OK;
    size_t folder = (size_t)(slash - value->file) + 1, length = strlen(value->text) + 1;
    char *path = take(reader, 1, folder + length);
    if (!path) return GLS_ERR_MEMORY;
    memcpy(path, value->file, folder);
    memcpy(path + folder, value->text, length);
    *to = path;
    return GLS_OK;
}

/* Fills a struct of the map's own table. Its options are kept by an empty block, since the struct points into them. */
static gls_status read_map(gls_option_reader *reader, const gls_option *option, const char *key, const gls_value *value,
                           void *to) {
    gls_option_memory *block;
    if (value->kind != GLS_VALUE_MAP) return gls_option_fail(reader, option, key, value);
    if (!take(reader, 0, 1)) return GLS_ERR_MEMORY;
    block = reader->memory;
    char owner[160];
    snprintf(owner, sizeof owner, "%s of %s", key, reader->owner);
    GLS_TRY(gls_options_create(reader->ctx, owner, option->inner, option->inner_size, &block->options));
    GLS_TRY(gls_options_apply(block->options, value, NULL));
    memcpy(to, gls_options_struct(block->options), option->inner_size);
    return GLS_OK;
}

static gls_status read_list(gls_option_reader *reader, const gls_option *option, const char *key,
                            const gls_value *value, gls_list *to) {
    const gls_option *inner = option->inner;
    bool list = value->kind == GLS_VALUE_LIST, maps = inner->type == GLS_OPTION_MAP;
    int64_t count = list ? value->count : 1;
    if (!gls_option_within(option, (double)count)) return gls_option_fail(reader, option, key, value);
    size_t size = maps ? inner->inner_size : gls_option_size(inner);
    char *items = take(reader, count, size);
    if (!items) return GLS_ERR_MEMORY;
    for (int64_t i = 0; i < count; i++) {
        char name[128];
        snprintf(name, sizeof name, list ? "%s[%lld]" : "%s", key, (long long)i);
        const gls_value *item = list ? value->items[i] : value;
        GLS_TRY(maps ? read_map(reader, inner, name, item, items + (size_t)i * size)
                     : gls_option_read(reader, inner, name, item, items + (size_t)i * size));
    }
    *to = (gls_list){count, items};
    return GLS_OK;
}

gls_status gls_option_read(gls_option_reader *reader, const gls_option *option, const char *key, const gls_value *value,
                           void *to) {
    switch (option->type) {
    case GLS_OPTION_STRING:
    case GLS_OPTION_PATH:
        if (value->kind != GLS_VALUE_TEXT) return gls_option_fail(reader, option, key, value);
        if (option->type == GLS_OPTION_PATH) return read_path(reader, value, to);
        *(const char **)to = value->text;
        return GLS_OK;
    case GLS_OPTION_VALUE:
        *(const gls_value **)to = value;
        return GLS_OK;
    case GLS_OPTION_LIST:
        return read_list(reader, option, key, value, to);
    case GLS_OPTION_MAP: {
        void *map = take(reader, 1, option->inner_size);
        if (!map) return GLS_ERR_MEMORY;
        *(void **)to = map;
        return read_map(reader, option, key, value, map);
    }
    default:
        return read_plain(option, value, to) ? GLS_OK : gls_option_fail(reader, option, key, value);
    }
}
