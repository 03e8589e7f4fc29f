/* A configuration with everything filled in that its members' tables of options know: names and options are checked
 * here, before any data are read, and what a run writes into its folder does not lean on defaults. */
#include <stdio.h>
#include <string.h>

#include "base/table.h"
#include "base/value.h"
#include "estimator/estimator.h"
#include "run/config/gives.h"
#include "run/config/members.h"
#include "run/config/resolve.h"
#include "method/table.h"
#include "run/config/settings.h"

/* One map on its way: what was given, and what is made of it. */
typedef struct filling {
    gls_context *ctx;
    const gls_value *given; /* a map, or NULL */
    gls_value *out;
} filling;

/* Where it fails, *out may be set all the same: the caller destroys it. */
typedef gls_status (*resolver)(gls_context *ctx, const char *what, const gls_value *given, gls_value **out);
static resolver resolver_of(const char *content);

/* ---- maps ---- */

static gls_value *new_map(gls_context *ctx, const char *key, const gls_value *from) {
    gls_value *map = gls_value_create(ctx, GLS_VALUE_MAP, key, NULL);
    if (!map || !from || gls_value_set_origin(ctx, map, from) == GLS_OK) return map;
    gls_value_destroy(ctx, map);
    return NULL;
}

static gls_status append_text(gls_context *ctx, gls_value *map, const char *key, const char *text,
                              const gls_value *from) {
    gls_value *item = gls_value_create(ctx, GLS_VALUE_TEXT, key, text);
    if (item && from) {
        item->quoted = from->quoted;
        if (gls_value_set_origin(ctx, item, from) != GLS_OK) {
            gls_value_destroy(ctx, item);
            return GLS_ERR_MEMORY;
        }
    }
    return gls_value_append(ctx, map, item);
}

static gls_status copy(gls_context *ctx, const gls_value *given, gls_value **out) {
    *out = gls_value_clone(ctx, given);
    return *out ? GLS_OK : GLS_ERR_MEMORY;
}

/* `name` as {name: name}; a map as it is. */
static gls_status named_map(gls_context *ctx, const gls_value *given, gls_value **out) {
    if (given->kind != GLS_VALUE_TEXT) return copy(ctx, given, out);
    *out = new_map(ctx, given->key, given);
    return *out ? append_text(ctx, *out, "name", given->text, given) : GLS_ERR_MEMORY;
}

static const char *name_of(const gls_value *map) {
    const gls_value *name = gls_value_get(map, "name");
    return name && name->kind == GLS_VALUE_TEXT ? name->text : NULL;
}

/* ---- one table ---- */

static bool in_table(const gls_option *table, const char *key) {
    for (; table && table->key; table++)
        if (strcmp(table->key, key) == 0) return true;
    return false;
}

/* A schedule without `from` begins at the option's own value. */
static gls_status begin_schedule(gls_context *ctx, const gls_options *options, const gls_option *row,
                                 gls_value *schedule) {
    if (gls_value_get(schedule, "from")) return GLS_OK;
    char *from = gls_options_text(options, row->key);
    gls_status status = from ? append_text(ctx, schedule, "from", from, NULL) : GLS_ERR_MEMORY;
    gls_free(ctx, from);
    return status;
}

/* A value that was given for an option: lists and maps of known content are filled in too. */
static gls_status fill_given(filling *f, const gls_options *options, const gls_option *row, const gls_value *item,
                             const char *owner) {
    gls_context *ctx = f->ctx;
    bool schedule = (row->flags & GLS_OPTION_SCHEDULABLE) && item->kind == GLS_VALUE_MAP;
    bool tree = row->type == GLS_OPTION_VALUE || row->type == GLS_OPTION_LIST;
    const char *content = schedule ? "schedule" : tree ? row->choices : NULL;
    resolver inner = resolver_of(content);
    gls_value *value = NULL, *filled = NULL;
    if (!inner) GLS_TRY(gls_config_as_read(ctx, options, row, item, &value));
    if (!value) value = gls_value_clone(ctx, item);
    if (!value || !inner) return gls_value_append(ctx, f->out, value);
    char *what = gls_sprintf(ctx, "%s: %s", owner, row->key);
    gls_status status = what ? GLS_OK : GLS_ERR_MEMORY;
    if (status == GLS_OK && schedule) status = begin_schedule(ctx, options, row, value);
    if (status == GLS_OK) status = inner(ctx, what, value, &filled);
    gls_free(ctx, what);
    gls_value_destroy(ctx, value);
    if (status == GLS_OK) return gls_value_append(ctx, f->out, filled);
    gls_value_destroy(ctx, filled);
    return status;
}

/* A text that looks like a number is quoted, as it is where it was given. */
static gls_status append_default(filling *f, const gls_options *options, const gls_option *row) {
    gls_value *value = gls_value_create(f->ctx, GLS_VALUE_TEXT, row->key, row->initial), *text = NULL;
    if (!value || row->type != GLS_OPTION_STRING) return gls_value_append(f->ctx, f->out, value);
    gls_status status = gls_config_as_read(f->ctx, options, row, value, &text);
    gls_value_destroy(f->ctx, value);
    return status == GLS_OK ? gls_value_append(f->ctx, f->out, text) : status;
}

static gls_status append_list(filling *f, const gls_options *options, const char *key) {
    gls_value *list;
    GLS_TRY(gls_options_value(options, key, &list));
    return gls_value_append(f->ctx, f->out, list);
}

/* Every row of a table with what was given or its default; nothing for a row without. */
static gls_status fill_rows(filling *f, const gls_options *options, const char *owner) {
    for (const gls_option *row = gls_options_table(options); row->key; row++) {
        const gls_value *item = gls_value_get(f->given, row->key);
        if (item && item->kind != GLS_VALUE_NULL)
            GLS_TRY(fill_given(f, options, row, item, owner));
        else if (row->initial && !gls_options_given(options, row->key))
            GLS_TRY(row->type == GLS_OPTION_LIST ? append_list(f, options, row->key) : append_default(f, options, row));
    }
    return GLS_OK;
}

/* Keys that are no rows of the table and no options: `name`, `match`, `every`. */
static gls_status copy_others(filling *f, const gls_option *table) {
    for (int64_t i = 0; f->given && i < f->given->count; i++) {
        const gls_value *item = f->given->items[i];
        if (item->kind == GLS_VALUE_NULL || in_table(table, item->key)) continue;
        GLS_TRY(gls_value_append(f->ctx, f->out, gls_value_clone(f->ctx, item)));
    }
    return GLS_OK;
}

gls_status gls_config_fill_member(gls_context *ctx, const gls_member *member, const char *owner, const gls_value *given,
                                  const char *key, const char *const *except, gls_value **out) {
    gls_options *options;
    GLS_TRY(gls_member_options(ctx, member, owner, given, except, &options));
    filling f = {ctx, given, *out = new_map(ctx, key, given)};
    gls_status status = *out ? copy_others(&f, gls_options_table(options)) : GLS_ERR_MEMORY;
    if (status == GLS_OK) status = fill_rows(&f, options, owner);
    gls_options_destroy(options);
    if (status == GLS_OK) return GLS_OK;
    gls_value_destroy(ctx, *out);
    *out = NULL;
    return status;
}

/* ---- what options may hold ---- */

static const char *const but_name[] = {"name", NULL};

/* A schedule; `maximum` is the batch schedule's own. */
static gls_status resolve_schedule(gls_context *ctx, const char *what, const gls_value *given, gls_value **out) {
    static const char *const except[] = {"name", "maximum", NULL};
    const gls_value *name = gls_value_get(given, "name");
    if (given->kind != GLS_VALUE_MAP || (name && name->kind != GLS_VALUE_TEXT)) return copy(ctx, given, out);
    bool batch = strncmp(what, "train:", 6) == 0;
    const gls_member *rule = batch && name ? gls_config_member_named(ctx, GLS_KIND_BATCH_RULE, name->text) : NULL;
    if (rule) return gls_config_fill_member(ctx, rule, what, given, given->key, but_name, out);
    const gls_member *member = batch && name ? gls_config_batch_wanted(ctx, name->text, name)
                                             : gls_config_member_wanted(ctx, GLS_KIND_SCHEDULE, "schedule",
                                                                        name ? name->text : "constant", name);
    return member ? gls_config_fill_member(ctx, member, what, given, given->key, except, out) : GLS_ERR_ARGUMENT;
}

static gls_status resolve_average(gls_context *ctx, const char *what, const gls_value *given, gls_value **out) {
    (void)what;
    if (given->kind == GLS_VALUE_TEXT && strcmp(given->text, "none") == 0) return copy(ctx, given, out);
    gls_value *map = NULL;
    gls_status status = named_map(ctx, given, &map);
    if (status == GLS_OK)
        status = gls_config_fill_member(ctx, &gls_average_member, "average", map, given->key, NULL, out);
    gls_value_destroy(ctx, map);
    return status;
}

static gls_status resolve_exchange(gls_context *ctx, const char *what, const gls_value *given, gls_value **out) {
    gls_value *map = NULL;
    gls_status status = named_map(ctx, given, &map);
    const char *name = status == GLS_OK ? name_of(map) : NULL;
    const gls_member *member = name ? gls_config_member_wanted(ctx, GLS_KIND_EXCHANGE, "exchange", name, map) : NULL;
    char place[GLS_ORIGIN_TEXT];
    if (status == GLS_OK && !name)
        status = gls_fail(ctx, GLS_ERR_ARGUMENT, "%s%s: expected a name, or a map with `name`",
                          gls_value_origin(given, place), what);
    if (status == GLS_OK)
        status = member ? gls_config_fill_member(ctx, member, member->name, map, given->key, but_name, out)
                        : GLS_ERR_ARGUMENT;
    gls_value_destroy(ctx, map);
    return status;
}

/* {NAME: options}: the one pair of a transform or a layer. first: the row that takes a value without a key. */
static gls_status resolve_pair(gls_context *ctx, const gls_member *member, const gls_value *given, bool first,
                               const char *const *except, gls_value **out) {
    const gls_value *options = given->kind == GLS_VALUE_MAP ? given->items[0] : NULL;
    gls_value *map = NULL, *filled = NULL;
    if (options && options->kind == GLS_VALUE_NULL) options = NULL;
    gls_status status = GLS_OK;
    if (first && options && options->kind != GLS_VALUE_MAP && member->options) {
        map = new_map(ctx, member->name, options);
        gls_value *value = map ? gls_value_clone_as(ctx, options, member->options[0].key) : NULL;
        status = value ? gls_value_append(ctx, map, value) : GLS_ERR_MEMORY;
        options = map;
    }
    if (status == GLS_OK)
        status = gls_config_fill_member(ctx, member, member->name, options, member->name, except, &filled);
    gls_value_destroy(ctx, map);
    GLS_TRY(status);
    *out = new_map(ctx, NULL, given);
    if (*out) return gls_value_append(ctx, *out, filled);
    gls_value_destroy(ctx, filled);
    return GLS_ERR_MEMORY;
}

/* The name in `flip` or {flip: ...}; NULL for what is neither. */
static const char *pair_name(const gls_value *given) {
    if (given->kind == GLS_VALUE_TEXT) return given->text;
    return given->kind == GLS_VALUE_MAP && given->count == 1 ? given->items[0]->key : NULL;
}

typedef gls_status (*item_resolver)(gls_context *ctx, const gls_value *item, gls_value **out);

/* A list of `count` items resolved one by one. */
static gls_status resolve_each(gls_context *ctx, const gls_value *given, gls_value *const *items, int64_t count,
                               item_resolver item, gls_value **out) {
    gls_value *list = gls_value_create(ctx, GLS_VALUE_LIST, given->key, NULL);
    gls_status status = list ? GLS_OK : GLS_ERR_MEMORY;
    for (int64_t i = 0; i < count && status == GLS_OK; i++) {
        gls_value *one = NULL;
        status = item(ctx, items[i], &one);
        if (status == GLS_OK)
            status = gls_value_append(ctx, list, one);
        else
            gls_value_destroy(ctx, one);
    }
    *out = list;
    return status;
}

/* Every item of a list, or the single one that was written without a list. */
static gls_status resolve_items(gls_context *ctx, const gls_value *given, item_resolver item, gls_value **out) {
    if (given->kind != GLS_VALUE_LIST) return item(ctx, given, out);
    return resolve_each(ctx, given, given->items, given->count, item, out);
}

static gls_status resolve_transform(gls_context *ctx, const gls_value *item, gls_value **out) {
    const char *name = pair_name(item);
    if (!name) return copy(ctx, item, out);
    const gls_member *member = gls_config_member_wanted(ctx, GLS_KIND_TRANSFORM, "transform", name, item);
    return member ? resolve_pair(ctx, member, item, true, NULL, out) : GLS_ERR_ARGUMENT;
}

/* A single one becomes a list of one: its readers take lists. */
static gls_status resolve_transforms(gls_context *ctx, const char *what, const gls_value *given, gls_value **out) {
    (void)what;
    if (given->kind == GLS_VALUE_NULL) return copy(ctx, given, out);
    gls_value *single = (gls_value *)(uintptr_t)given;
    bool many = given->kind == GLS_VALUE_LIST;
    return resolve_each(ctx, given, many ? given->items : &single, many ? given->count : 1, resolve_transform, out);
}

static gls_status resolve_layer(gls_context *ctx, const gls_value *item, gls_value **out) {
    const char *name = pair_name(item);
    if (!name || (item->kind == GLS_VALUE_MAP && item->items[0]->kind != GLS_VALUE_MAP &&
                  item->items[0]->kind != GLS_VALUE_NULL))
        return copy(ctx, item, out);
    const gls_member *member = gls_config_member_wanted(ctx, GLS_KIND_OP, "layer", name, item);
    if (!member) return GLS_ERR_ARGUMENT;
    return member->options_size ? resolve_pair(ctx, member, item, false, but_name, out) : copy(ctx, item, out);
}

static gls_status resolve_layers(gls_context *ctx, const char *what, const gls_value *given, gls_value **out) {
    (void)what;
    return resolve_items(ctx, given, resolve_layer, out);
}

/* A source inside a transform: {format: ..., train: ..., size: ..., the format's own}. */
static gls_status resolve_source(gls_context *ctx, const gls_value *item, gls_value **out) {
    static const char *const except[] = {"format", "train", "test", "size", NULL};
    const gls_value *format = gls_value_get(item, "format");
    if (!format || format->kind != GLS_VALUE_TEXT) return copy(ctx, item, out);
    const gls_member *member = gls_config_member_wanted(ctx, GLS_KIND_FORMAT, "data format", format->text, format);
    return member ? gls_config_fill_member(ctx, member, member->name, item, item->key, except, out) : GLS_ERR_ARGUMENT;
}

static gls_status resolve_sources(gls_context *ctx, const char *what, const gls_value *given, gls_value **out) {
    (void)what;
    return resolve_items(ctx, given, resolve_source, out);
}

static resolver resolver_of(const char *content) {
    static const struct {
        const char *content;
        resolver resolve;
    } known[] = {{"schedule", resolve_schedule},     {"average", resolve_average}, {"exchange", resolve_exchange},
                 {"transforms", resolve_transforms}, {"layers", resolve_layers},   {"sources", resolve_sources}};
    for (size_t i = 0; content && i < sizeof known / sizeof *known; i++)
        if (strcmp(known[i].content, content) == 0) return known[i].resolve;
    return NULL;
}

/* ---- sections ---- */

/* The section has two readers, each with a table: the run (gls_config_data_options) and the format or generator, which
 * is found first, by name or by the file. */
static gls_status resolve_data(gls_context *ctx, const gls_value *given, gls_value **out) {
    const char *const keys[] = {"format", "name", NULL};
    const char *format = NULL;
    const gls_value *named = NULL;
    for (int i = 0; keys[i] && !named; i++) {
        const gls_value *value = gls_value_get(given, keys[i]);
        if (value && value->kind == GLS_VALUE_TEXT) named = value;
    }
    if (named)
        format = named->text;
    else
        format = gls_config_guess_format(ctx, gls_value_get(given, "train"));
    const gls_member *member = gls_config_member_wanted(ctx, GLS_KIND_FORMAT, "data format", format, named);
    if (!member) return GLS_ERR_ARGUMENT;
    gls_options *own = NULL, *options = NULL;
    GLS_TRY(gls_config_data_options(ctx, given, &own));
    gls_status status = gls_member_options(ctx, member, member->name, given, gls_config_data_keys, &options);
    filling f = {ctx, given, *out = new_map(ctx, "data", given)};
    if (status == GLS_OK && !*out) status = GLS_ERR_MEMORY;
    if (status == GLS_OK && !named) status = append_text(ctx, *out, "format", format, NULL);
    if (status == GLS_OK) status = fill_rows(&f, own, "data");
    if (status == GLS_OK) status = fill_rows(&f, options, member->name);
    gls_options_destroy(own);
    gls_options_destroy(options);
    return status;
}

static gls_status resolve_model(gls_context *ctx, const gls_value *given, gls_value **out) {
    const char *name = name_of(given);
    if (!name)
        return gls_fail(ctx, GLS_ERR_ARGUMENT,
                        "model.name is missing; `glissade list problems models` lists what can be trained");
    const gls_member *member = gls_config_model_wanted(ctx, name, gls_value_get(given, "name"));
    if (!member) return GLS_ERR_ARGUMENT;
    /* A problem without a table ignores what it is given; the configuration keeps it. */
    return member->options ? gls_config_fill_member(ctx, member, name, given, "model", but_name, out)
                           : copy(ctx, given, out);
}

static gls_status resolve_stage(gls_context *ctx, const gls_value *item, gls_value **out) {
    gls_value *map = NULL;
    gls_status status = named_map(ctx, item, &map);
    const char *name = status == GLS_OK ? name_of(map) : NULL;
    if (status == GLS_OK && !name) status = gls_stage_unnamed(ctx, item);
    const gls_member *member = name ? gls_config_member_wanted(ctx, GLS_KIND_ESTIMATOR, "estimator", name, map) : NULL;
    if (status == GLS_OK)
        status = member ? gls_config_fill_member(ctx, member, member->name, map, item->key, but_name, out)
                        : GLS_ERR_ARGUMENT;
    gls_value_destroy(ctx, map);
    return status;
}

static gls_status resolve_estimator(gls_context *ctx, const gls_value *given, gls_value **out) {
    static const gls_value plain = {.kind = GLS_VALUE_TEXT, .key = "estimator", .text = "mean"};
    return resolve_items(ctx, given ? given : &plain, resolve_stage, out);
}

/* Groups take over what they do not name; only their schedules are filled in. */
static gls_status fill_group(gls_context *ctx, const gls_options *base, const char *owner, const gls_value *item,
                             gls_value **out) {
    static const char *const except[] = {"match", "train", NULL};
    bool frozen = item->kind != GLS_VALUE_MAP;
    if (!frozen) GLS_TRY(gls_method_read_frozen(ctx, item, &frozen));
    if (frozen) return copy(ctx, item, out);
    gls_options *options = gls_options_clone(base);
    *out = new_map(ctx, NULL, item);
    filling f = {ctx, item, *out};
    gls_status status = options && *out ? gls_options_apply(options, item, except) : GLS_ERR_MEMORY;
    if (status == GLS_OK) status = copy_others(&f, gls_options_table(options));
    for (const gls_option *row = gls_options_table(base); row->key && status == GLS_OK; row++) {
        const gls_value *value = gls_value_get(item, row->key);
        if (value) status = fill_given(&f, options, row, value, owner);
    }
    gls_options_destroy(options);
    if (status == GLS_OK) return GLS_OK;
    gls_value_destroy(ctx, *out);
    *out = NULL;
    return status;
}

static gls_status fill_groups(gls_context *ctx, const gls_options *base, const char *owner, gls_value *method) {
    for (int64_t i = 0; i < method->count; i++) {
        gls_value *groups = method->items[i];
        if (strcmp(groups->key, "groups") != 0 || groups->kind != GLS_VALUE_LIST) continue;
        for (int64_t k = 0; k < groups->count; k++) {
            gls_value *filled = NULL;
            GLS_TRY(fill_group(ctx, base, owner, groups->items[k], &filled));
            gls_value_destroy(ctx, groups->items[k]);
            groups->items[k] = filled;
        }
    }
    return GLS_OK;
}

static gls_status resolve_method(gls_context *ctx, const gls_value *given, gls_value **out) {
    const char *name = name_of(given);
    if (!name)
        return gls_fail(ctx, GLS_ERR_ARGUMENT, "method.name is missing; `glissade list methods` lists the step rules");
    const gls_member *member =
        gls_config_member_wanted(ctx, GLS_KIND_METHOD, "method", name, gls_value_get(given, "name"));
    if (!member) return GLS_ERR_ARGUMENT;
    gls_record theory;
    gls_options *options = NULL;
    GLS_TRY(gls_method_read_options(ctx, member, given, &theory, &options));
    char owner[96];
    snprintf(owner, sizeof owner, "method %s", name);
    filling f = {ctx, given, *out = new_map(ctx, "method", given)};
    gls_status status = *out ? copy_others(&f, gls_options_table(options)) : GLS_ERR_MEMORY;
    if (status == GLS_OK) status = fill_rows(&f, options, owner);
    if (status == GLS_OK) status = gls_config_show_theory(ctx, &theory, *out);
    if (status == GLS_OK) status = fill_groups(ctx, options, owner, *out);
    gls_options_destroy(options);
    return status;
}

static gls_status resolve_lr_schedule(gls_context *ctx, const gls_value *given, gls_value **out) {
    return given ? resolve_schedule(ctx, "schedule", given, out) : GLS_OK;
}

static gls_status resolve_train(gls_context *ctx, const gls_value *given, gls_value **out) {
    static const gls_member train = {"train", "", "", gls_config_train_table, sizeof(gls_config_train)};
    return gls_config_fill_member(ctx, &train, "train", given, "train", NULL, out);
}

static gls_status resolve_plan(gls_context *ctx, const gls_value *given, gls_value **out) {
    return given ? copy(ctx, given, out) : GLS_OK;
}

/* ---- the whole ---- */

typedef gls_status (*section_resolver)(gls_context *ctx, const gls_value *given, gls_value **out);

static gls_status resolve_section(gls_context *ctx, const gls_value *config, const char *name, bool list,
                                  section_resolver resolve, gls_value *out) {
    const gls_value *section;
    gls_value *made, *filled = NULL;
    char place[GLS_ORIGIN_TEXT];
    GLS_TRY(gls_config_section(ctx, config, name, &section, &made));
    gls_status status;
    if (section && section->kind == GLS_VALUE_LIST && !list)
        status = gls_fail(ctx, GLS_ERR_ARGUMENT, "%s%s: expected keys and values, found a list",
                          gls_value_origin(section, place), name);
    else
        status = resolve(ctx, section, &filled);
    gls_value_destroy(ctx, made);
    if (status == GLS_OK && filled) return gls_value_append(ctx, out, filled);
    gls_value_destroy(ctx, filled);
    return status;
}

static gls_status resolve_all(gls_context *ctx, const gls_value *config, gls_value *out) {
    static const struct {
        const char *name;
        section_resolver resolve;
    } section[] = {{"train", resolve_train},   {"data", resolve_data},
                   {"model", resolve_model},   {"estimator", resolve_estimator},
                   {"method", resolve_method}, {"schedule", resolve_lr_schedule},
                   {"plan", resolve_plan}};
    const gls_value *name = gls_value_get(config, "name");
    if (name) {
        gls_value *text = gls_value_clone(ctx, name);
        if (text) text->quoted = true; /* whatever it looks like */
        GLS_TRY(gls_value_append(ctx, out, text));
    }
    for (size_t i = 0; i < sizeof section / sizeof *section; i++)
        GLS_TRY(resolve_section(ctx, config, section[i].name, strcmp(section[i].name, "estimator") == 0,
                                section[i].resolve, out));
    return gls_config_resolve_measures(ctx, config, out);
}

gls_status gls_config_resolve(gls_context *ctx, const gls_value *config, gls_value **out) {
    *out = NULL;
    GLS_TRY(gls_config_check_sections(ctx, config));
    GLS_TRY(gls_config_check_conflicts(ctx, config));
    gls_value *resolved = gls_value_create(ctx, GLS_VALUE_MAP, NULL, NULL);
    if (!resolved) return GLS_ERR_MEMORY;
    gls_status status = resolve_all(ctx, config, resolved);
    if (status == GLS_OK)
        *out = resolved;
    else
        gls_value_destroy(ctx, resolved);
    return status;
}
