/* Options of one table: a struct with the typed values, and the memory that its pointers point at. A value that cannot
 * be read leaves the struct as it was. */
#include "base/option.h"

#include "base/text.h"
#include "base/value.h"
#include "base/yaml.h"

#include <stdio.h>
#include <string.h>

/* What is kept beside the struct for one option. */
typedef struct slot {
    bool given;
    gls_value *value; /* what a text, a tree, a list or a map was read from, or the schedule of a schedulable option */
    gls_option_memory *memory;
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

/* ---- finding ---- */

static int64_t find(const gls_options *options, const char *key) {
    for (int64_t i = 0; i < options->count; i++)
        if (strcmp(options->table[i].key, key) == 0) return i;
    return -1;
}

/* The names that may stand in a map: those of the table, and those that its reader takes itself. */
typedef struct known {
    const gls_options *options;
    const char *const *except; /* ends with NULL, or NULL */
    bool hidden;               /* the hidden ones as well */
} known;

static const char *known_at(const void *user, int64_t i) {
    const known *k = user;
    for (int64_t n = 0; n < k->options->count; n++)
        if ((k->hidden || !(k->options->table[n].flags & GLS_OPTION_HIDDEN)) && i-- == 0)
            return k->options->table[n].key;
    for (const char *const *name = k->except; name && *name; name++)
        if (i-- == 0) return *name;
    return NULL;
}

/* Where no name is near, those of a short table are all shown. */
static gls_status fail_unknown(const gls_options *options, const char *key, const gls_value *from,
                               const char *const *except) {
    enum { FEW = 12 };
    char where[GLS_ORIGIN_TEXT], all[GLS_NAMES_TEXT] = "";
    const known any = {options, except, true}, shown = {options, except, false}, own = {options, NULL, false};
    const char *nearest = gls_nearest(key, known_at, &any);
    bool listed = !nearest && known_at(&own, 0) && !known_at(&shown, FEW);
    if (listed) gls_text_of_names(all, known_at, &shown);
    return gls_fail(options->ctx, GLS_ERR_ARGUMENT, "%sunknown option '%s' of %s%s%s%s", gls_value_origin(from, where),
                    key, options->owner,
                    nearest  ? "; did you mean '"
                    : listed ? "; expected one of "
                             : "",
                    nearest ? nearest : all, nearest ? "'?" : "");
}

/* ---- one option ---- */

static gls_option_reader reader_of(const gls_options *options) {
    return (gls_option_reader){.ctx = options->ctx, .owner = options->owner};
}

/* Puts bytes into the struct, and owns from then on what they point into. */
static void put(gls_options *options, int64_t i, const void *bytes, gls_value *value, gls_option_memory *memory) {
    slot *s = &options->slot[i];
    memcpy(options->filled + options->table[i].offset, bytes, gls_option_size(&options->table[i]));
    gls_value_destroy(options->ctx, s->value);
    gls_option_memory_free(options->ctx, s->memory);
    s->value = value;
    s->memory = memory;
}

/* Any type's field. */
typedef union field {
    double real;
    int64_t whole;
    gls_length length;
    gls_list list;
    const void *pointer;
} field;

/* A static union is zero to its last byte; `{0}` sets its first member alone (clang, and gcc from 15 on). */
static const field nothing;

/* Reads a value into the struct; a constant takes a schedule's place. */
static gls_status assign(gls_options *options, int64_t i, const gls_value *value) {
    const gls_option *option = &options->table[i];
    gls_option_reader reader = reader_of(options);
    gls_value *kept = NULL;
    if (!gls_option_plain(option)) {
        value = kept = gls_value_clone(options->ctx, value);
        if (!kept) return GLS_ERR_MEMORY;
    }
    field read = nothing;
    gls_status status = gls_option_read(&reader, option, option->key, value, &read);
    if (status == GLS_OK) {
        put(options, i, &read, kept, reader.memory);
        return GLS_OK;
    }
    gls_value_destroy(options->ctx, kept);
    gls_option_memory_free(options->ctx, reader.memory);
    return status;
}

/* {from: x, name: poly, ...}: the number is x, the rest is kept for its reader. */
static gls_status assign_schedule(gls_options *options, int64_t i, const gls_value *map) {
    const gls_option *option = &options->table[i];
    const gls_value *from = gls_value_get(map, "from");
    gls_option_reader reader = reader_of(options);
    field number = nothing;
    memcpy(&number, options->filled + option->offset, gls_option_size(option));
    if (from) GLS_TRY(gls_option_read(&reader, option, option->key, from, &number));
    gls_value *kept = gls_value_clone(options->ctx, map);
    if (!kept) return GLS_ERR_MEMORY;
    put(options, i, &number, kept, NULL);
    return GLS_OK;
}

static gls_status assign_any(gls_options *options, int64_t i, const gls_value *value) {
    bool schedule = value->kind == GLS_VALUE_MAP && (options->table[i].flags & GLS_OPTION_SCHEDULABLE);
    return schedule ? assign_schedule(options, i, value) : assign(options, i, value);
}

/* Text that is a tree: [0.9, 0.99] or {ball: 2}. */
static gls_status assign_tree(gls_options *options, int64_t i, const char *text) {
    gls_value *tree = NULL;
    char what[160];
    snprintf(what, sizeof what, "option '%s' of %s", options->table[i].key, options->owner);
    GLS_TRY(gls_yaml_parse_text(options->ctx, what, text, &tree));
    gls_status status = assign_any(options, i, tree);
    gls_value_destroy(options->ctx, tree);
    return status;
}

static gls_status assign_text(gls_options *options, int64_t i, const char *text) {
    const gls_option *option = &options->table[i];
    bool trees = option->type == GLS_OPTION_LIST || option->type == GLS_OPTION_MAP ||
                 option->type == GLS_OPTION_VALUE || (option->flags & GLS_OPTION_SCHEDULABLE);
    if (trees && (text[0] == '[' || text[0] == '{')) return assign_tree(options, i, text);
    return assign(options, i, &(gls_value){.kind = GLS_VALUE_TEXT, .text = text});
}

/* Back to the default. */
static gls_status reset(gls_options *options, int64_t i) {
    options->slot[i].given = false;
    if (options->table[i].initial) return assign_text(options, i, options->table[i].initial);
    put(options, i, &nothing, NULL, NULL);
    return GLS_OK;
}

/* ---- the object ---- */

/* A table of another struct would make options write outside of this one, so offsets are checked. */
gls_status gls_options_create(gls_context *ctx, const char *owner, const gls_option *table, size_t struct_size,
                              gls_options **out) {
    GLS_GIVEN(ctx, ctx, owner, out);
    *out = NULL;
    gls_options *options = gls_alloc(ctx, 1, sizeof *options);
    if (!options) return GLS_ERR_MEMORY;
    static const gls_option none[] = {{0}};
    options->ctx = ctx;
    options->table = table = table ? table : none;
    options->bytes = struct_size;
    while (table[options->count].key) options->count++;
    options->owner = gls_strdup(ctx, owner);
    options->filled = gls_alloc(ctx, 1, struct_size);
    options->slot = gls_alloc(ctx, options->count, sizeof *options->slot);
    gls_status status = options->owner && options->filled && options->slot ? GLS_OK : GLS_ERR_MEMORY;
    for (int64_t i = 0; i < options->count && status == GLS_OK; i++) {
        if (table[i].offset > struct_size || gls_option_size(&table[i]) > struct_size - table[i].offset)
            status = gls_fail(ctx, GLS_ERR_ARGUMENT, "option '%s' of %s is outside its struct", table[i].key, owner);
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
        gls_value_destroy(ctx, options->slot[i].value);
        gls_option_memory_free(ctx, options->slot[i].memory);
    }
    gls_free(ctx, options->slot);
    gls_free(ctx, options->filled);
    gls_free(ctx, options->owner);
    gls_free(ctx, options);
}

/* Plain values are copied as bytes. What points at memory is read again from its own tree, so that the copy shares
 * nothing with the original. */
gls_options *gls_options_clone(const gls_options *options) {
    if (!options) return NULL;
    gls_options *copy;
    if (gls_options_create(options->ctx, options->owner, options->table, options->bytes, &copy) != GLS_OK) return NULL;
    for (int64_t i = 0; i < options->count; i++) {
        const gls_option *option = &options->table[i];
        const slot *from = &options->slot[i];
        gls_status status = GLS_OK;
        if (gls_option_plain(option)) put(copy, i, options->filled + option->offset, NULL, NULL);
        if (from->value)
            status = assign_any(copy, i, from->value);
        else if (!gls_option_plain(option))
            put(copy, i, &nothing, NULL, NULL);
        if (status != GLS_OK) {
            gls_options_destroy(copy);
            return NULL;
        }
        copy->slot[i].given = from->given;
    }
    return copy;
}

/* ---- setting ---- */

gls_status gls_options_set(gls_options *options, const char *key, const char *text) {
    GLS_GIVEN(NULL, options, key, text);
    int64_t i = find(options, key);
    if (i < 0) return fail_unknown(options, key, NULL, NULL);
    GLS_TRY(assign_text(options, i, text));
    options->slot[i].given = true;
    return GLS_OK;
}

gls_status gls_options_set_real(gls_options *options, const char *key, double value) {
    GLS_GIVEN(NULL, options, key);
    char text[GLS_REAL_TEXT];
    gls_text_from_real(text, value);
    return gls_options_set(options, key, text);
}

gls_status gls_options_set_int(gls_options *options, const char *key, int64_t value) {
    GLS_GIVEN(NULL, options, key);
    char text[GLS_REAL_TEXT];
    snprintf(text, sizeof text, "%lld", (long long)value);
    return gls_options_set(options, key, text);
}

static gls_status set_value(gls_options *options, const gls_value *value, const char *const *except) {
    int64_t i = value->key ? find(options, value->key) : -1;
    if (i < 0) return fail_unknown(options, value->key ? value->key : "", value, except);
    if (value->kind == GLS_VALUE_NULL) return reset(options, i);
    GLS_TRY(assign_any(options, i, value));
    options->slot[i].given = true;
    return GLS_OK;
}

gls_status gls_options_set_value(gls_options *options, const gls_value *value) {
    GLS_GIVEN(NULL, options, value);
    return set_value(options, value, NULL);
}

static bool among(const char *key, const char *const *list) {
    for (; list && *list; list++)
        if (strcmp(key, *list) == 0) return true;
    return false;
}

gls_status gls_options_apply(gls_options *options, const gls_value *map, const char *const *except) {
    GLS_GIVEN(options ? options->ctx : NULL, options);
    char where[GLS_ORIGIN_TEXT];
    if (map && map->kind != GLS_VALUE_MAP && map->kind != GLS_VALUE_NULL)
        return gls_fail(options->ctx, GLS_ERR_ARGUMENT, "%s%s: expected a map of options", gls_value_origin(map, where),
                        options->owner);
    for (int64_t i = 0; map && i < map->count; i++)
        if (!map->items[i]->key || !among(map->items[i]->key, except))
            GLS_TRY(set_value(options, map->items[i], except));
    for (int64_t i = 0; i < options->count; i++)
        if ((options->table[i].flags & GLS_OPTION_REQUIRED) && !options->slot[i].given)
            return gls_fail(options->ctx, GLS_ERR_ARGUMENT, "%soption '%s' of %s is missing: %s",
                            gls_value_origin(map, where), options->table[i].key, options->owner,
                            options->table[i].help ? options->table[i].help : "no default");
    return GLS_OK;
}

/* ---- reading ---- */

const void *gls_options_struct(const gls_options *options) {
    if (!options) return NULL;
    return options->filled;
}
const gls_option *gls_options_table(const gls_options *options) {
    if (!options) return NULL;
    return options->table;
}

bool gls_options_given(const gls_options *options, const char *key) {
    if (!options || !key) return false;
    int64_t i = find(options, key);
    return i >= 0 && options->slot[i].given;
}

const gls_value *gls_options_schedule(const gls_options *options, const char *key) {
    if (!options || !key) return NULL;
    int64_t i = find(options, key);
    return i >= 0 && (options->table[i].flags & GLS_OPTION_SCHEDULABLE) ? options->slot[i].value : NULL;
}

gls_status gls_options_value(const gls_options *options, const char *key, gls_value **out) {
    GLS_GIVEN(options ? options->ctx : NULL, options, key, out);
    int64_t i = find(options, key);
    *out = NULL;
    if (i < 0) return GLS_OK;
    const gls_option *option = &options->table[i];
    return gls_option_write(options->ctx, option, option->key, options->filled + option->offset, out);
}

char *gls_options_text(const gls_options *options, const char *key) {
    if (!options || !key) return NULL;
    gls_value *value = NULL;
    char *text = NULL;
    int64_t i = find(options, key);
    if (i < 0 || options->table[i].type == GLS_OPTION_VALUE || gls_options_value(options, key, &value) != GLS_OK)
        return NULL;
    if (value && value->kind == GLS_VALUE_TEXT) text = gls_strdup(options->ctx, value->text);
    if (value && value->kind == GLS_VALUE_LIST) text = gls_yaml_text(options->ctx, value);
    gls_value_destroy(options->ctx, value);
    char *end = text ? strchr(text, '\0') : NULL;
    if (end && end > text && end[-1] == '\n') end[-1] = '\0'; /* ends the YAML document */
    return text;
}
