/* Which settings of a run are what their tables say without being asked: those fold away on the page. */
#include "report/run_folder.h"

#include <stdlib.h>
#include <string.h>

#include "base/value.h"
#include "base/yaml.h"
#include <glissade/run.h>

static const gls_option *find(const gls_option *table, const char *key) {
    for (const gls_option *o = table; o && o->key; o++)
        if (strcmp(o->key, key) == 0) return o;
    return NULL;
}

static const gls_option *of_member(gls_context *ctx, gls_kind kind, const char *name, const char *key) {
    const gls_member *member;
    for (int64_t i = 0; name && (member = gls_members_at(ctx, kind, i)); i++)
        if (strcmp(member->name, name) == 0) return find(member->options, key);
    return NULL;
}

/* Of "measure.NAME.KEY": the measure is in the key itself. */
static const gls_option *of_measure(gls_context *ctx, const char *rest) {
    const char *dot = strchr(rest, '.');
    if (!dot) return NULL;
    char *name = gls_sprintf(ctx, "%.*s", (int)(dot - rest), rest);
    const gls_option *option = of_member(ctx, GLS_KIND_MEASURE, name, dot + 1);
    gls_free(ctx, name);
    return option;
}

/* The row of the table that a flat key ("train.batch") belongs to, or NULL. */
static const gls_option *row_of(gls_context *ctx, const json_t *config, const char *key) {
    static const struct {
        const char *section, *name;
        gls_kind kind;
    } known[] = {{"data", "data.format", GLS_KIND_FORMAT},
                 {"model", "model.name", GLS_KIND_FAMILY},
                 {"model", "model.name", GLS_KIND_PROBLEM},
                 {"estimator", "estimator.name", GLS_KIND_ESTIMATOR},
                 {"method", "method.name", GLS_KIND_METHOD}};
    const char *dot = strchr(key, '.');
    char section[16];
    if (!dot || (size_t)(dot - key) >= sizeof section) return NULL;
    memcpy(section, key, (size_t)(dot - key));
    section[dot - key] = 0;
    if (strcmp(section, "measure") == 0) return of_measure(ctx, dot + 1);
    const gls_option *option = find(gls_config_section_table(section), dot + 1);
    for (size_t i = 0; i < sizeof known / sizeof *known && !option; i++)
        if (strcmp(known[i].section, section) == 0)
            option = of_member(ctx, known[i].kind, json_string_value(json_object_get(config, known[i].name)), dot + 1);
    return option;
}

static bool same(const char *a, const char *b) {
    char *end_a, *end_b;
    if (strcmp(a, b) == 0) return true;
    double x = strtod(a, &end_a), y = strtod(b, &end_b);
    return end_a != a && end_b != b && !*end_a && !*end_b && x == y;
}

/* Whether the run's list of that name, "data.missing[0]" and so on, is the one that the table has. */
static bool is_default_list(gls_context *ctx, const json_t *config, const char *name, const char *initial) {
    gls_value *list = NULL;
    bool equal = gls_yaml_parse(ctx, name, initial, (int64_t)strlen(initial), &list) == GLS_OK && list;
    for (int64_t i = 0; equal && i <= list->count; i++) {
        char *item = gls_sprintf(ctx, "%s[%lld]", name, (long long)i);
        const char *given = item ? json_string_value(json_object_get(config, item)) : NULL;
        const char *wanted = i < list->count ? list->items[i]->text : NULL;
        equal = given && wanted ? strcmp(given, wanted) == 0 : !given && !wanted;
        gls_free(ctx, item);
    }
    gls_value_destroy(ctx, list);
    return equal;
}

static bool is_default_item(gls_context *ctx, const json_t *config, const char *key) {
    const char *bracket = strchr(key, '[');
    char *name = bracket ? gls_sprintf(ctx, "%.*s", (int)(bracket - key), key) : NULL;
    const gls_option *row = name ? row_of(ctx, config, name) : NULL;
    bool equal = row && row->initial && *row->initial == '[' && is_default_list(ctx, config, name, row->initial);
    gls_free(ctx, name);
    return equal;
}

/* What the plan chose is nobody's setting; bf16 is one. */
static bool is_planned(const char *key, const json_t *value) {
    bool bf16 = strcmp(key, "plan.precision") == 0 && same(json_string_value(value), "bf16");
    return strncmp(key, "plan.", 5) == 0 && !bf16;
}

gls_status gls_report_defaults(gls_context *ctx, json_t *run) {
    const char *key;
    json_t *config = json_object_get(run, "config"), *keys = json_object_get(run, "defaults"), *value;
    json_object_foreach(config, key, value) {
        const gls_option *row = row_of(ctx, config, key);
        bool ordinary = row && row->initial && same(json_string_value(value), row->initial);
        if (!ordinary && !is_planned(key, value) && !is_default_item(ctx, config, key)) continue;
        if (json_array_append_new(keys, json_string(key)))
            return gls_fail(ctx, GLS_ERR_MEMORY, "report: out of memory");
    }
    return GLS_OK;
}
