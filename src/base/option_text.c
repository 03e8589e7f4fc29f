/* An option in words: what it expects, what was found in its place; and its value written back as text or tree. */
#include "base/option.h"

#include "base/text.h"
#include "base/value.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum {
    EXPECTED_TEXT = 400, /* what one value must be; longer tables of choices are cut */
    FOUND_TEXT = 200     /* of what was found; the rest of a long text would say nothing more */
};

/* ---- what is expected ---- */

static void append(char *text, size_t size, const char *more) {
    size_t used = strlen(text);
    snprintf(text + used, size - used, "%s", more);
}

static void append_number(char *text, size_t size, double value) {
    char number[GLS_REAL_TEXT];
    gls_text_from_real(number, value);
    append(text, size, number);
}

/* " above 0 and at most 1" */
static void append_bounds(char *text, size_t size, const gls_option *option) {
    if (option->minimum == 0 && option->maximum == 0) return;
    if (option->minimum != -INFINITY) {
        append(text, size, option->flags & GLS_OPTION_ABOVE_MIN ? " above " : " at least ");
        append_number(text, size, option->minimum);
    }
    if (option->maximum != INFINITY) {
        append(text, size, option->minimum != -INFINITY ? " and" : "");
        append(text, size, option->flags & GLS_OPTION_BELOW_MAX ? " below " : " at most ");
        append_number(text, size, option->maximum);
    }
}

/* "a list of 2 items, each a number", "a list of at least 1 item, each a path" */
static void append_items(char *text, size_t size, const gls_option *option) {
    bool bounded = option->minimum != 0 || option->maximum != 0, exact = option->minimum == option->maximum;
    double last = isfinite(option->maximum) ? option->maximum : option->minimum; /* the number in front of the noun */
    if (bounded) append(text, size, exact ? " of " : " of");
    if (bounded && exact) append_number(text, size, option->minimum);
    if (bounded && !exact) append_bounds(text, size, option);
    if (bounded) append(text, size, last == 1 ? " item" : " items");
    char item[EXPECTED_TEXT];
    gls_option_describe(option->inner, item, sizeof item);
    append(text, size, ", each ");
    append(text, size, item);
}

static void append_keys(char *text, size_t size, const gls_option *table) {
    for (const gls_option *row = table; row->key; row++) {
        append(text, size, row == table ? " of " : ", ");
        append(text, size, row->key);
    }
}

void gls_option_describe(const gls_option *option, char *text, size_t size) {
    if (!option || !text) return;
    static const char *const noun[] = {[GLS_OPTION_REAL] = "a number",
                                       [GLS_OPTION_INT] = "a whole number",
                                       [GLS_OPTION_BOOL] = "true or false",
                                       [GLS_OPTION_ENUM] = "one of ",
                                       [GLS_OPTION_STRING] = "a text",
                                       [GLS_OPTION_PATH] = "a path",
                                       [GLS_OPTION_LENGTH] = "epochs (10) or steps (500s)",
                                       [GLS_OPTION_SIZE] = "a number of examples or ",
                                       [GLS_OPTION_TIME] = "a time (90, 90s, 2m, 1h)",
                                       [GLS_OPTION_VALUE] = "a list or a map",
                                       [GLS_OPTION_LIST] = "a list",
                                       [GLS_OPTION_MAP] = "a map"};
    snprintf(text, size, "%s", noun[option->type]);
    const char *words = option->type == GLS_OPTION_ENUM   ? option->choices
                        : option->type == GLS_OPTION_SIZE ? gls_option_size_words(option)
                                                          : "";
    for (const char *c = words; *c; c++) append(text, size, *c == '|' ? ", " : (char[]){*c, '\0'});
    if (option->type == GLS_OPTION_LIST)
        append_items(text, size, option);
    else if (option->type == GLS_OPTION_MAP)
        append_keys(text, size, option->inner);
    else
        append_bounds(text, size, option);
    if (option->flags & GLS_OPTION_SCHEDULABLE) append(text, size, ", or a schedule");
    if (option->flags & GLS_OPTION_AUTO) append(text, size, ", or auto");
}

/* ---- what was found ---- */

static bool numeric(const gls_option *option) {
    switch (option->type) {
    case GLS_OPTION_REAL:
    case GLS_OPTION_INT:
    case GLS_OPTION_SIZE:
    case GLS_OPTION_LENGTH:
    case GLS_OPTION_TIME:
        return true;
    default:
        return false;
    }
}

/* LOW..HIGH, as a sweep draws from. */
static bool is_range(const char *text) {
    const char *dots = strstr(text, "..");
    char low[40];
    const char *rest;
    double number;
    if (!dots || (size_t)snprintf(low, sizeof low, "%.*s", (int)(dots - text), text) >= sizeof low) return false;
    return gls_text_to_real(low, &number, &rest) && !*rest && gls_text_to_real(dots + 2, &number, &rest) && !*rest;
}

/* What is amiss with a text that looks like the number that was expected. */
static const char *remark(const gls_option *option, const gls_value *found) {
    const char *rest;
    double number;
    if (!numeric(option) || found->kind != GLS_VALUE_TEXT) return "";
    if (is_range(found->text))
        return "; a range LOW..HIGH is what `glissade sweep --over KEY=LOW..HIGH --trials N` draws from";
    if (!gls_text_to_real(found->text, &number, &rest)) return "";
    if (isinf(number)) return ", which is infinite";
    return found->quoted ? " in quotes, which make it a text: leave them out" : "";
}

gls_status gls_option_fail(const gls_option_reader *reader, const gls_option *option, const char *key,
                           const gls_value *found) {
    char where[GLS_ORIGIN_TEXT], expected[EXPECTED_TEXT], given[FOUND_TEXT];
    gls_option_describe(option, expected, sizeof expected);
    if (found->kind == GLS_VALUE_LIST && option->type == GLS_OPTION_LIST)
        snprintf(given, sizeof given, "%lld item%s", (long long)found->count, found->count == 1 ? "" : "s");
    else if (found->kind == GLS_VALUE_TEXT)
        snprintf(given, sizeof given, "'%s'", found->text);
    else
        snprintf(given, sizeof given, "'%s'",
                 found->kind == GLS_VALUE_LIST  ? "a list"
                 : found->kind == GLS_VALUE_MAP ? "a map"
                                                : "null");
    return gls_fail(reader->ctx, GLS_ERR_ARGUMENT, "%soption '%s' of %s: expected %s, found %s%s",
                    gls_value_origin(found, where), key, reader->owner, expected, given, remark(option, found));
}

/* ---- back ---- */

static gls_status write_text(gls_context *ctx, const char *key, const char *text, bool quoted, gls_value **out) {
    *out = gls_value_create(ctx, GLS_VALUE_TEXT, key, text);
    if (!*out) return GLS_ERR_MEMORY;
    (*out)->quoted = quoted;
    return GLS_OK;
}

/* Appends what is at `at`, unless it is absent; *parent is destroyed on failure. */
static gls_status write_child(gls_context *ctx, gls_value **parent, const gls_option *option, const char *key,
                              const void *at) {
    gls_value *child = NULL;
    gls_status status = gls_option_write(ctx, option, key, at, &child);
    if (status == GLS_OK && child) status = gls_value_append(ctx, *parent, child);
    if (status == GLS_OK) return GLS_OK;
    gls_value_destroy(ctx, *parent);
    *parent = NULL;
    return status;
}

static gls_status write_map(gls_context *ctx, const gls_option *table, const char *key, const char *from,
                            gls_value **out) {
    if (!(*out = gls_value_create(ctx, GLS_VALUE_MAP, key, NULL))) return GLS_ERR_MEMORY;
    for (const gls_option *row = table; row->key; row++)
        GLS_TRY(write_child(ctx, out, row, row->key, from + row->offset));
    return GLS_OK;
}

static gls_status write_list(gls_context *ctx, const gls_option *inner, const char *key, const gls_list *list,
                             gls_value **out) {
    if (!list->item) return GLS_OK;
    if (!(*out = gls_value_create(ctx, GLS_VALUE_LIST, key, NULL))) return GLS_ERR_MEMORY;
    bool maps = inner->type == GLS_OPTION_MAP;
    size_t size = maps ? inner->inner_size : gls_option_size(inner);
    for (int64_t i = 0; i < list->count; i++) {
        const char *at = (const char *)list->item + (size_t)i * size;
        GLS_TRY(write_child(ctx, out, inner, NULL, maps ? (const void *)&at : at));
    }
    return GLS_OK;
}

/* A word of an enum without its neighbours. */
static gls_status write_choice(gls_context *ctx, const char *key, const char *choice, int index, gls_value **out) {
    while (index-- > 0) choice = strchr(choice, '|') + 1;
    char *word = gls_sprintf(ctx, "%.*s", (int)strcspn(choice, "|"), choice);
    gls_status status = word ? write_text(ctx, key, word, false, out) : GLS_ERR_MEMORY;
    gls_free(ctx, word);
    return status;
}

static gls_status write_plain(gls_context *ctx, const gls_option *option, const char *key, const void *at,
                              gls_value **out) {
    char text[GLS_REAL_TEXT + 1];
    switch (option->type) {
    case GLS_OPTION_INT:
    case GLS_OPTION_SIZE:
        if (option->type == GLS_OPTION_SIZE && *(const int64_t *)at < 0)
            return write_choice(ctx, key, gls_option_size_words(option), (int)(-1 - *(const int64_t *)at), out);
        snprintf(text, sizeof text, "%lld", (long long)*(const int64_t *)at);
        break;
    case GLS_OPTION_BOOL:
        strcpy(text, *(const bool *)at ? "true" : "false");
        break;
    case GLS_OPTION_ENUM:
        return write_choice(ctx, key, option->choices, *(const int *)at, out);
    case GLS_OPTION_LENGTH:
        gls_text_from_real(text, ((const gls_length *)at)->amount);
        if (((const gls_length *)at)->steps) strcat(text, "s");
        break;
    default:
        gls_text_from_real(text, *(const double *)at);
    }
    return write_text(ctx, key, text, false, out);
}

gls_status gls_option_write(gls_context *ctx, const gls_option *option, const char *key, const void *at,
                            gls_value **out) {
    *out = NULL;
    const void *to = NULL; /* what a pointer in the struct points at */
    if (!gls_option_plain(option) && option->type != GLS_OPTION_LIST) {
        memcpy(&to, at, sizeof to);
        if (!to) return GLS_OK;
    }
    switch (option->type) {
    case GLS_OPTION_STRING:
    case GLS_OPTION_PATH:
        return write_text(ctx, key, to, true, out);
    case GLS_OPTION_VALUE:
        *out = gls_value_clone(ctx, to);
        return *out ? GLS_OK : GLS_ERR_MEMORY;
    case GLS_OPTION_LIST:
        return write_list(ctx, option->inner, key, at, out);
    case GLS_OPTION_MAP:
        return write_map(ctx, option->inner, key, to, out);
    default:
        return write_plain(ctx, option, key, at, out);
    }
}
