/* Transform classes: keeps some classes, or groups them into new ones. */
#include "data/source.h"
#include "data/table.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef struct classes_options {
    gls_texts keep;
    gls_list group; /* of gls_texts */
} classes_options;

static const gls_option old_class = {.type = GLS_OPTION_STRING};
static const gls_option old_classes = {.type = GLS_OPTION_LIST, .minimum = 1, .maximum = INFINITY, .inner = &old_class};

static const gls_option classes_table[] = {
    GLS_LIST("keep", classes_options, keep, NULL, 1, INFINITY, &old_class,
             "the classes to keep, by name or number; the others' examples are left out"),
    GLS_LIST("group", classes_options, group, NULL, 1, INFINITY, &old_classes,
             "new classes as lists of old ones: [[0, 1], [2]]; examples of other classes are left out"),
    {0}};

/* new_class[old] or -1, and the new classes' names. What is learned of it: the map, and the names, one after another,
 * each with its zero byte; a test set alone may lack names, or classes. */
typedef struct class_map {
    int32_t *to;
    char **name;
    int64_t count;
} class_map;

/* An old class by its name, or else its number. */
static gls_status find_class(gls_context *ctx, const gls_data_info *info, const char *text, int64_t *class) {
    for (int64_t k = 0; info->class_names && k < info->classes; k++)
        if (strcmp(info->class_names[k], text) == 0) {
            *class = k;
            return GLS_OK;
        }
    char *end;
    *class = strtoll(text, &end, 10);
    if (end == text || *end || *class < 0 || *class >= info->classes)
        return gls_fail(ctx, GLS_ERR_ARGUMENT, "transform classes: class '%s' is not among the %lld", text,
                        (long long)info->classes);
    return GLS_OK;
}

/* Puts one old class into new class `to`, whose name grows by +. */
static gls_status put_class(gls_context *ctx, const gls_data_info *info, const char *text, int64_t to, class_map *map) {
    int64_t old = 0;
    GLS_TRY(find_class(ctx, info, text, &old));
    if (map->to[old] >= 0) return gls_fail(ctx, GLS_ERR_ARGUMENT, "transform classes: class '%s' is named twice", text);
    map->to[old] = (int32_t)to;
    char *before = map->name[to];
    map->name[to] = gls_sprintf(ctx, "%s%s%s", before ? before : "", before ? "+" : "",
                                info->class_names ? info->class_names[old] : text);
    gls_free(ctx, before);
    return map->name[to] ? GLS_OK : GLS_ERR_MEMORY;
}

static gls_status fill_map(gls_context *ctx, const classes_options *o, const gls_data_info *info, class_map *map) {
    if ((o->keep.count > 0) == (o->group.count > 0))
        return gls_fail(ctx, GLS_ERR_ARGUMENT, "transform classes: give either keep or group");
    map->count = o->keep.count + o->group.count;
    map->to = gls_alloc(ctx, info->classes, sizeof *map->to);
    map->name = gls_alloc(ctx, map->count, sizeof *map->name);
    if (!map->to || !map->name) return GLS_ERR_MEMORY;
    for (int64_t k = 0; k < info->classes; k++) map->to[k] = -1;
    for (int64_t i = 0; i < o->keep.count; i++) GLS_TRY(put_class(ctx, info, o->keep.item[i], i, map));
    const gls_texts *group = o->group.item;
    for (int64_t i = 0; i < o->group.count; i++)
        for (int64_t j = 0; j < group[i].count; j++) GLS_TRY(put_class(ctx, info, group[i].item[j], i, map));
    return GLS_OK;
}

/* The rows of mapped classes, as old indices; from gls_alloc. */
static gls_status pick_rows(gls_context *ctx, const gls_source *source, const class_map *map, int64_t **index,
                            int64_t *count) {
    int64_t n = source->info.examples;
    int32_t *label = gls_alloc(ctx, n, sizeof *label);
    *index = gls_alloc(ctx, n, sizeof **index);
    gls_status status = label && *index ? gls_source_targets(source, ctx, label, NULL) : GLS_ERR_MEMORY;
    *count = 0;
    for (int64_t i = 0; status == GLS_OK && i < n; i++)
        if (map->to[label[i]] >= 0) (*index)[(*count)++] = i;
    gls_free(ctx, label);
    if (status == GLS_OK && !*count)
        status = gls_fail(ctx, GLS_ERR_INPUT, "transform classes: no example has one of these classes");
    return status;
}

static gls_status rename_classes(gls_gather *gather, const class_map *map) {
    gls_data_info *info = &gather->owned.source.info;
    int64_t *group;
    int32_t *label;
    GLS_TRY(gls_gather_relabel(gather, &label));
    GLS_TRY(gls_owned_column(&gather->owned, "classes", &group));
    for (int64_t k = 0; gather->class_y && k < map->count; k++) gather->class_y[k] = (gls_real)k;
    for (int64_t i = 0; i < info->examples; i++) {
        group[i] = label[i];
        label[i] = map->to[label[i]];
    }
    info->classes = map->count;
    return gls_owned_class_names(&gather->owned, (const char *const *)map->name, map->count);
}

static gls_status keep_classes(gls_context *ctx, gls_source *source, const class_map *map, gls_source **out) {
    int64_t *index = NULL, count;
    gls_gather *gather = NULL;
    gls_status status = pick_rows(ctx, source, map, &index, &count);
    if (status == GLS_OK) status = gls_gather_create(ctx, source, index, count, &gather);
    gls_free(ctx, index);
    if (status == GLS_OK) status = rename_classes(gather, map);
    if (status != GLS_OK) {
        gls_gather_release(gather);
        return status;
    }
    *out = &gather->owned.source;
    return GLS_OK;
}

static gls_status write_map(const class_map *map, int64_t old, gls_learned *learned) {
    int64_t bytes = 0;
    for (int64_t k = 0; k < map->count; k++) bytes += (int64_t)strlen(map->name[k]) + 1;
    int32_t *to;
    char *names;
    GLS_TRY(gls_learned_add(learned, "map", GLS_I32, old, &to));
    GLS_TRY(gls_learned_add(learned, "names", GLS_U8, bytes, &names));
    if (old) memcpy(to, map->to, (size_t)old * sizeof *to);
    for (int64_t k = 0; k < map->count; k++) names = stpcpy(names, map->name[k]) + 1;
    return GLS_OK;
}

static gls_status fit_classes(gls_context *ctx, const gls_source *source, const void *options, gls_learned *learned) {
    class_map map = {0};
    GLS_TRY(gls_classes_need(ctx, source, "classes"));
    gls_status status = fill_map(ctx, options, &source->info, &map);
    if (status == GLS_OK) status = write_map(&map, source->info.classes, learned);
    for (int64_t i = 0; map.name && i < map.count; i++) gls_free(ctx, map.name[i]);
    gls_free(ctx, map.name);
    gls_free(ctx, map.to);
    return status;
}

/* The map as it was learned; its names are made here, the rest is borrowed. */
static gls_status read_map(gls_context *ctx, const gls_learned *learned, int64_t old, class_map *map) {
    const int32_t *to;
    const char *names;
    int64_t bytes = -1;
    GLS_TRY(gls_learned_get(learned, "map", GLS_I32, &old, &to));
    GLS_TRY(gls_learned_get(learned, "names", GLS_U8, &bytes, &names));
    for (int64_t i = 0; i < bytes; i++) map->count += names[i] == 0;
    bool sound = bytes > 0 && names[bytes - 1] == 0;
    for (int64_t k = 0; k < old; k++) sound &= to[k] >= -1 && to[k] < map->count;
    if (!sound) return gls_fail(ctx, GLS_ERR_INPUT, "transform classes: its fitted arrays are not a map of classes");
    map->to = (int32_t *)to;
    map->name = gls_alloc(ctx, map->count, sizeof *map->name);
    if (!map->name) return GLS_ERR_MEMORY;
    for (int64_t k = 0; k < map->count; k++, names += strlen(names) + 1) map->name[k] = (char *)names;
    return GLS_OK;
}

static gls_status apply_classes(gls_context *ctx, gls_source *source, const void *options, uint64_t seed, bool train,
                                const gls_learned *learned, gls_source **out) {
    class_map map = {0};
    GLS_TRY(gls_classes_need(ctx, source, "classes"));
    gls_status status = read_map(ctx, learned, source->info.classes, &map);
    if (status == GLS_OK) status = keep_classes(ctx, source, &map, out);
    gls_free(ctx, map.name);
    return status;
}

const gls_transform gls_transform_classes = {
    .member = {"classes", "keeps or groups classes; column classes holds the old ones", "", classes_table,
               sizeof(classes_options)},
    .changes_rows = true,
    .fit = fit_classes,
    .apply = apply_classes,
};
