#include "text.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* What is kept beside the struct for one option. */
typedef struct slot {
    bool given;
    char *text;       /* what a string or path points at */
    gls_value *value; /* what a value points at, or the schedule of a schedulable option */
} slot;

struct gls_options {
    gls_context *ctx;
    char *owner;
    const gls_option *table;
    int64_t count;
    size_t bytes;
    char *filled; /* the member's struct */
    slot *slot;   /* [count] */
};

/* ---- finding and failing ---- */

static const char *key_at(const void *user, int64_t i) {
    const gls_options *options = user;
    return i < options->count ? options->table[i].key : NULL;
}

/* "file:12: " where the value knows it, else "". */
static const char *origin(const gls_value *value, char text[512]) {
    text[0] = '\0';
    if (value && value->file && value->line > 0)
        snprintf(text, 512, "%s:%d: ", value->file, value->line);
    else if (value && value->file)
        snprintf(text, 512, "%s: ", value->file);
    return text;
}

static int64_t find(const gls_options *options, const char *key) {
    for (int64_t i = 0; i < options->count; i++)
        if (strcmp(options->table[i].key, key) == 0) return i;
    return -1;
}

static gls_status fail_unknown(const gls_options *options, const char *key, const gls_value *from) {
    char where[512];
    origin(from, where);
    const char *nearest = gls_nearest(key, key_at, options);
    if (nearest)
        return gls_fail(options->ctx, GLS_ERR_ARGUMENT, "%sunknown option '%s' of %s; nearest is '%s'", where, key,
                        options->owner, nearest);
    return gls_fail(options->ctx, GLS_ERR_ARGUMENT, "%sunknown option '%s' of %s", where, key, options->owner);
}

static bool bounded(const gls_option *option) {
    return option->minimum != 0 || option->maximum != 0;
}

static void append(char *text, size_t size, const char *more) {
    size_t used = strlen(text);
    snprintf(text + used, size - used, "%s", more);
}

/* " above 0 and at most 1" */
static void append_bounds(char *text, size_t size, const gls_option *option) {
    if (!bounded(option)) return;
    char number[GLS_REAL_TEXT];
    if (option->minimum != -INFINITY) {
        append(text, size, option->flags & GLS_OPTION_ABOVE_MIN ? " above " : " at least ");
        gls_text_from_real(number, option->minimum);
        append(text, size, number);
    }
    if (option->maximum != INFINITY) {
        append(text, size, option->minimum != -INFINITY ? " and" : "");
        append(text, size, option->flags & GLS_OPTION_BELOW_MAX ? " below " : " at most ");
        gls_text_from_real(number, option->maximum);
        append(text, size, number);
    }
}

static void describe_expected(char *text, size_t size, const gls_option *option) {
    static const char *const noun[] = {[GLS_OPTION_REAL] = "a number",
                                       [GLS_OPTION_INT] = "a whole number",
                                       [GLS_OPTION_BOOL] = "true or false",
                                       [GLS_OPTION_ENUM] = "one of ",
                                       [GLS_OPTION_STRING] = "a text",
                                       [GLS_OPTION_PATH] = "a path",
                                       [GLS_OPTION_LENGTH] = "epochs (10) or steps (500s)",
                                       [GLS_OPTION_SIZE] = "a number of examples or all",
                                       [GLS_OPTION_TIME] = "a time (90, 90s, 2m, 1h)",
                                       [GLS_OPTION_VALUE] = "a list or a map"};
    snprintf(text, size, "%s", noun[option->type]);
    for (const char *c = option->type == GLS_OPTION_ENUM ? option->choices : ""; *c; c++)
        append(text, size, *c == '|' ? ", " : (char[]){*c, '\0'});
    append_bounds(text, size, option);
    if (option->flags & GLS_OPTION_SCHEDULABLE) append(text, size, ", or a schedule");
}

static gls_status fail_value(const gls_options *options, const gls_option *option, const gls_value *from,
                             const char *found) {
    char where[512], expected[400];
    describe_expected(expected, sizeof expected, option);
    return gls_fail(options->ctx, GLS_ERR_ARGUMENT, "%soption '%s' of %s: expected %s, found '%s'", origin(from, where),
                    option->key, options->owner, expected, found);
}

/* ---- from text to the type ---- */

static bool within(const gls_option *option, double value) {
    if (!bounded(option)) return true;
    bool above = option->flags & GLS_OPTION_ABOVE_MIN ? value > option->minimum : value >= option->minimum;
    bool below = option->flags & GLS_OPTION_BELOW_MAX ? value < option->maximum : value <= option->maximum;
    return above && below;
}

static bool read_real(const gls_option *option, const char *text, double *value) {
    const char *rest;
    if (!gls_text_to_real(text, value, &rest) || *rest) return false;
    if (isnan(*value)) /* only where it stands for "not set" */
        return option->initial && strcmp(option->initial, "nan") == 0;
    return within(option, *value);
}

static bool read_bool(const char *text, bool *value) {
    static const char *const word[] = {"false", "true", "no", "yes", "off", "on", "0", "1"};
    for (int i = 0; i < 8; i++)
        if (strcmp(text, word[i]) == 0) {
            *value = i % 2;
            return true;
        }
    return false;
}

static bool read_enum(const gls_option *option, const char *text, int *value) {
    size_t length = strlen(text);
    int index = 0;
    for (const char *choice = option->choices; choice; index++) {
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
    if (*rest || !(value->amount >= 0)) return false;
    if (value->steps && value->amount != floor(value->amount)) return false;
    return within(option, value->amount);
}

static bool read_time(const gls_option *option, const char *text, double *value) {
    const char *rest;
    if (!gls_text_to_real(text, value, &rest)) return false;
    double unit = *rest == 'm' ? 60 : *rest == 'h' ? 3600 : 1;
    if (*rest == 's' || *rest == 'm' || *rest == 'h') rest++;
    *value *= unit;
    return !*rest && *value >= 0 && within(option, *value);
}

static bool read_whole(const gls_option *option, const char *text, int64_t *value) {
    if (option->type == GLS_OPTION_SIZE && strcmp(text, "all") == 0) {
        *value = -1;
        return true;
    }
    if (!gls_text_to_int(text, value) || (option->type == GLS_OPTION_SIZE && *value < 0)) return false;
    return within(option, (double)*value);
}

/* The number types: read into at most 16 bytes of the struct. */
static bool read_plain(const gls_option *option, const char *text, void *to) {
    switch (option->type) {
    case GLS_OPTION_REAL:
        return read_real(option, text, to);
    case GLS_OPTION_INT:
    case GLS_OPTION_SIZE:
        return read_whole(option, text, to);
    case GLS_OPTION_BOOL:
        return read_bool(text, to);
    case GLS_OPTION_ENUM:
        return read_enum(option, text, to);
    case GLS_OPTION_LENGTH:
        return read_length(option, text, to);
    case GLS_OPTION_TIME:
        return read_time(option, text, to);
    case GLS_OPTION_STRING:
    case GLS_OPTION_PATH:
    case GLS_OPTION_VALUE:
        break;
    }
    return false;
}

static size_t plain_size(gls_option_type type) {
    static const size_t size[] = {[GLS_OPTION_REAL] = sizeof(double),       [GLS_OPTION_INT] = sizeof(int64_t),
                                  [GLS_OPTION_BOOL] = sizeof(bool),         [GLS_OPTION_ENUM] = sizeof(int),
                                  [GLS_OPTION_STRING] = sizeof(char *),     [GLS_OPTION_PATH] = sizeof(char *),
                                  [GLS_OPTION_LENGTH] = sizeof(gls_length), [GLS_OPTION_SIZE] = sizeof(int64_t),
                                  [GLS_OPTION_TIME] = sizeof(double),       [GLS_OPTION_VALUE] = sizeof(gls_value *)};
    return size[type];
}

static void replace_value(gls_options *options, int64_t i, gls_value *value) {
    gls_value_destroy(options->ctx, options->slot[i].value);
    options->slot[i].value = value;
    if (options->table[i].type == GLS_OPTION_VALUE)
        memcpy(options->filled + options->table[i].offset, &value, sizeof value);
}

static void replace_text(gls_options *options, int64_t i, char *text) {
    gls_free(options->ctx, options->slot[i].text);
    options->slot[i].text = text;
    memcpy(options->filled + options->table[i].offset, &text, sizeof text);
}

/* A path written in a file is meant from that file's folder. */
static char *resolve(gls_context *ctx, const char *path, const gls_value *from) {
    const char *slash = from && from->file && from->line > 0 ? strrchr(from->file, '/') : NULL;
    if (!slash || path[0] == '/' || path[0] == '\0') return gls_strdup(ctx, path);
    return gls_sprintf(ctx, "%.*s%s", (int)(slash - from->file + 1), from->file, path);
}

static gls_status set_value(gls_options *options, int64_t i, const gls_value *value) {
    gls_value *copy = gls_value_clone(options->ctx, value);
    if (!copy) return GLS_ERR_MEMORY;
    replace_value(options, i, copy);
    return GLS_OK;
}

static gls_status set_text(gls_options *options, int64_t i, const char *text, const gls_value *from) {
    const gls_option *option = &options->table[i];
    if (option->type == GLS_OPTION_STRING || option->type == GLS_OPTION_PATH) {
        char *copy =
            option->type == GLS_OPTION_PATH ? resolve(options->ctx, text, from) : gls_strdup(options->ctx, text);
        if (!copy) return GLS_ERR_MEMORY;
        replace_text(options, i, copy);
        return GLS_OK;
    }
    if (option->type == GLS_OPTION_VALUE) {
        if (from) return set_value(options, i, from);
        if (text[0] == '{' || text[0] == '[') return fail_value(options, option, from, text);
        gls_value *scalar = gls_value_create(options->ctx, GLS_VALUE_TEXT, option->key, text);
        if (!scalar) return GLS_ERR_MEMORY;
        replace_value(options, i, scalar);
        return GLS_OK;
    }
    union {
        double real;
        int64_t whole;
        gls_length length;
    } parsed = {0};
    bool word = option->type == GLS_OPTION_ENUM;
    if ((from && from->quoted && !word) || !read_plain(option, text, &parsed))
        return fail_value(options, option, from, text);
    memcpy(options->filled + option->offset, &parsed, plain_size(option->type));
    replace_value(options, i, NULL); /* a constant takes a schedule's place */
    return GLS_OK;
}

/* Back to the default. */
static gls_status reset(gls_options *options, int64_t i) {
    const gls_option *option = &options->table[i];
    options->slot[i].given = false;
    if (option->initial) return set_text(options, i, option->initial, NULL);
    replace_value(options, i, NULL);
    if (option->type == GLS_OPTION_STRING || option->type == GLS_OPTION_PATH) replace_text(options, i, NULL);
    if (option->type != GLS_OPTION_VALUE) memset(options->filled + option->offset, 0, plain_size(option->type));
    return GLS_OK;
}

/* {from: x, name: poly, ...}: the number is x, the rest is kept for its reader. */
static gls_status set_schedule(gls_options *options, int64_t i, const gls_value *map) {
    const gls_option *option = &options->table[i];
    const gls_value *from = gls_value_get(map, "from");
    double real;
    if (from && (from->kind != GLS_VALUE_TEXT || from->quoted || !read_real(option, from->text, &real)))
        return fail_value(options, option, from, from->kind == GLS_VALUE_TEXT ? from->text : "a list or a map");
    GLS_TRY(set_value(options, i, map));
    if (from) memcpy(options->filled + option->offset, &real, sizeof real);
    return GLS_OK;
}

/* ---- the face ---- */

gls_status gls_options_create(gls_context *ctx, const char *owner, const gls_option *table, size_t struct_size,
                              gls_options **out) {
    *out = NULL;
    gls_options *options = gls_alloc(ctx, 1, sizeof *options);
    if (!options) return GLS_ERR_MEMORY;
    options->ctx = ctx;
    options->table = table;
    options->bytes = struct_size;
    while (table && table[options->count].key) options->count++;
    options->owner = gls_strdup(ctx, owner);
    options->filled = gls_alloc(ctx, 1, struct_size);
    options->slot = gls_alloc(ctx, options->count, sizeof *options->slot);
    gls_status status = options->owner && options->filled && options->slot ? GLS_OK : GLS_ERR_MEMORY;
    for (int64_t i = 0; i < options->count && status == GLS_OK; i++) {
        if (table[i].offset > struct_size || plain_size(table[i].type) > struct_size - table[i].offset)
            status = gls_fail(ctx, GLS_ERR_ARGUMENT, "option '%s' of %s lies outside its struct", table[i].key, owner);
        else
            status = reset(options, i);
    }
    if (status != GLS_OK) {
        gls_options_destroy(options);
        return status;
    }
    *out = options;
    return GLS_OK;
}

void gls_options_destroy(gls_options *options) {
    if (!options) return;
    gls_context *ctx = options->ctx;
    for (int64_t i = 0; options->slot && i < options->count; i++) {
        gls_free(ctx, options->slot[i].text);
        gls_value_destroy(ctx, options->slot[i].value);
    }
    gls_free(ctx, options->slot);
    gls_free(ctx, options->filled);
    gls_free(ctx, options->owner);
    gls_free(ctx, options);
}

gls_status gls_options_set(gls_options *options, const char *key, const char *text) {
    int64_t i = find(options, key);
    if (i < 0) return fail_unknown(options, key, NULL);
    GLS_TRY(set_text(options, i, text, NULL));
    options->slot[i].given = true;
    return GLS_OK;
}

gls_status gls_options_set_real(gls_options *options, const char *key, double value) {
    char text[GLS_REAL_TEXT];
    gls_text_from_real(text, value);
    return gls_options_set(options, key, text);
}

gls_status gls_options_set_int(gls_options *options, const char *key, int64_t value) {
    char text[GLS_REAL_TEXT];
    snprintf(text, sizeof text, "%lld", (long long)value);
    return gls_options_set(options, key, text);
}

gls_status gls_options_set_value(gls_options *options, const gls_value *value) {
    int64_t i = value->key ? find(options, value->key) : -1;
    if (i < 0) return fail_unknown(options, value->key ? value->key : "", value);
    const gls_option *option = &options->table[i];
    if (value->kind == GLS_VALUE_NULL) return reset(options, i);
    if (value->kind == GLS_VALUE_TEXT)
        GLS_TRY(set_text(options, i, value->text, value));
    else if (option->type == GLS_OPTION_VALUE)
        GLS_TRY(set_value(options, i, value));
    else if (value->kind == GLS_VALUE_MAP && (option->flags & GLS_OPTION_SCHEDULABLE))
        GLS_TRY(set_schedule(options, i, value));
    else
        return fail_value(options, option, value, value->kind == GLS_VALUE_MAP ? "a map" : "a list");
    options->slot[i].given = true;
    return GLS_OK;
}

static bool among(const char *key, const char *const *list) {
    for (; list && *list; list++)
        if (strcmp(key, *list) == 0) return true;
    return false;
}

gls_status gls_options_apply(gls_options *options, const gls_value *map, const char *const *except) {
    char where[512];
    if (map && map->kind != GLS_VALUE_MAP && map->kind != GLS_VALUE_NULL)
        return gls_fail(options->ctx, GLS_ERR_ARGUMENT, "%s%s: expected a map of options", origin(map, where),
                        options->owner);
    for (int64_t i = 0; map && i < map->count; i++)
        if (!map->items[i]->key || !among(map->items[i]->key, except))
            GLS_TRY(gls_options_set_value(options, map->items[i]));
    for (int64_t i = 0; i < options->count; i++)
        if ((options->table[i].flags & GLS_OPTION_REQUIRED) && !options->slot[i].given)
            return gls_fail(options->ctx, GLS_ERR_ARGUMENT, "%soption '%s' of %s is required", origin(map, where),
                            options->table[i].key, options->owner);
    return GLS_OK;
}

const void *gls_options_struct(const gls_options *options) {
    return options->filled;
}
const gls_option *gls_options_table(const gls_options *options) {
    return options->table;
}

bool gls_options_given(const gls_options *options, const char *key) {
    int64_t i = find(options, key);
    return i >= 0 && options->slot[i].given;
}

const gls_value *gls_options_schedule(const gls_options *options, const char *key) {
    int64_t i = find(options, key);
    return i >= 0 && options->table[i].type != GLS_OPTION_VALUE ? options->slot[i].value : NULL;
}

static char *enum_text(gls_context *ctx, const gls_option *option, int index) {
    const char *choice = option->choices;
    while (index-- > 0) choice = strchr(choice, '|') + 1;
    return gls_sprintf(ctx, "%.*s", (int)strcspn(choice, "|"), choice);
}

char *gls_options_text(const gls_options *options, const char *key) {
    int64_t i = find(options, key);
    if (i < 0) return NULL;
    const gls_option *option = &options->table[i];
    const void *at = options->filled + option->offset;
    gls_context *ctx = options->ctx;
    char number[GLS_REAL_TEXT];
    switch (option->type) {
    case GLS_OPTION_REAL:
    case GLS_OPTION_TIME:
        gls_text_from_real(number, *(const double *)at);
        return gls_strdup(ctx, number);
    case GLS_OPTION_INT:
    case GLS_OPTION_SIZE:
        if (option->type == GLS_OPTION_SIZE && *(const int64_t *)at == -1) return gls_strdup(ctx, "all");
        return gls_sprintf(ctx, "%lld", (long long)*(const int64_t *)at);
    case GLS_OPTION_BOOL:
        return gls_strdup(ctx, *(const bool *)at ? "true" : "false");
    case GLS_OPTION_ENUM:
        return enum_text(ctx, option, *(const int *)at);
    case GLS_OPTION_LENGTH:
        gls_text_from_real(number, ((const gls_length *)at)->amount);
        return gls_sprintf(ctx, "%s%s", number, ((const gls_length *)at)->steps ? "s" : "");
    case GLS_OPTION_STRING:
    case GLS_OPTION_PATH:
        return options->slot[i].text ? gls_strdup(ctx, options->slot[i].text) : NULL;
    case GLS_OPTION_VALUE:
        break;
    }
    return NULL;
}

gls_options *gls_options_clone(const gls_options *options) {
    gls_options *copy;
    gls_context *ctx = options->ctx;
    if (gls_options_create(ctx, options->owner, options->table, options->bytes, &copy) != GLS_OK) return NULL;
    for (int64_t i = 0; i < options->count; i++) {
        const gls_option *option = &options->table[i];
        const slot *from = &options->slot[i];
        bool text = option->type == GLS_OPTION_STRING || option->type == GLS_OPTION_PATH;
        char *words = text && from->text ? gls_strdup(ctx, from->text) : NULL;
        gls_value *value = from->value ? gls_value_clone(ctx, from->value) : NULL;
        if ((text && from->text && !words) || (from->value && !value)) {
            gls_free(ctx, words);
            gls_value_destroy(ctx, value);
            gls_options_destroy(copy);
            return NULL;
        }
        if (text)
            replace_text(copy, i, words);
        else
            memcpy(copy->filled + option->offset, options->filled + option->offset, plain_size(option->type));
        replace_value(copy, i, value);
        copy->slot[i].given = from->given;
    }
    return copy;
}
