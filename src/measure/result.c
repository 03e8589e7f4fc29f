/* Results as a flat list of named figures, and their JSON form. */
#include <glissade/measure.h>

#include <jansson.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void gls_measure_result_init(gls_context *ctx, gls_measure_result *result) {
    if (!ctx || !result) return;
    *result = (gls_measure_result){.ctx = ctx};
}

void gls_measure_result_clear(gls_measure_result *result) {
    if (!result) return;
    for (int64_t i = 0; i < result->figures; i++) gls_free(result->ctx, result->figure[i].value);
    gls_free(result->ctx, result->figure);
    gls_free(result->ctx, result->meaningless);
    gls_free(result->ctx, result->note);
    gls_measure_result_init(result->ctx, result);
}

static gls_figure *find(const gls_measure_result *result, const char *name) {
    for (int64_t i = 0; i < result->figures; i++)
        if (strcmp(result->figure[i].name, name) == 0) return &result->figure[i];
    return NULL;
}

const gls_figure *gls_measure_result_find(const gls_measure_result *result, const char *name) {
    if (!result || !name) return NULL;
    return find(result, name);
}

double gls_measure_result_get(const gls_measure_result *result, const char *name) {
    if (!result || !name) return NAN;
    const gls_figure *figure = find(result, name);
    return figure && !figure->array ? figure->value[0] : NAN;
}

static gls_status add(gls_measure_result *result, gls_figure figure, const double *value) {
    if (find(result, figure.name))
        return gls_fail(result->ctx, GLS_ERR_INTERNAL, "measure: the figure '%s' was given twice", figure.name);
    if (result->figures == result->capacity) {
        int64_t capacity = result->capacity ? 2 * result->capacity : 16;
        gls_figure *grown = gls_resize(result->ctx, result->figure, capacity, sizeof *grown);
        if (!grown) return GLS_ERR_MEMORY;
        result->figure = grown;
        result->capacity = capacity;
    }
    figure.value = gls_alloc(result->ctx, figure.count, sizeof *figure.value);
    if (!figure.value) return GLS_ERR_MEMORY;
    if (figure.count > 0) memcpy(figure.value, value, (size_t)figure.count * sizeof *value);
    result->figure[result->figures++] = figure;
    return GLS_OK;
}

gls_status gls_measure_result_number(gls_measure_result *result, const char *name, const char *unit, double value) {
    GLS_GIVEN(NULL, result, name, unit);
    return gls_measure_result_estimate(result, name, unit, value, NAN, NAN);
}

gls_status gls_measure_result_estimate(gls_measure_result *result, const char *name, const char *unit, double value,
                                       double low, double high) {
    GLS_GIVEN(NULL, result, name, unit);
    return add(result, (gls_figure){.name = name, .unit = unit, .count = 1, .low = low, .high = high}, &value);
}

gls_status gls_measure_result_array(gls_measure_result *result, const char *name, const char *unit, int64_t count,
                                    const double *value) {
    GLS_GIVEN(NULL, result, name, unit);
    if (count > 0) GLS_GIVEN(NULL, value);
    return add(result, (gls_figure){name, unit, count, .array = true, .low = NAN, .high = NAN}, value);
}

gls_status gls_measure_result_histogram(gls_measure_result *result, const char *name, const char *edges) {
    GLS_GIVEN(result ? result->ctx : NULL, result, name, edges);
    gls_figure *counts = find(result, name);
    const gls_figure *bins = find(result, edges);
    if (!counts || !bins || bins->count != counts->count + 1)
        return gls_fail(result->ctx, GLS_ERR_INTERNAL, "measure: '%s' are not the edges of the bins of '%s'", edges,
                        name);
    counts->edges = edges;
    return GLS_OK;
}

gls_status gls_measure_result_headline(gls_measure_result *result, const char *name) {
    GLS_GIVEN(result ? result->ctx : NULL, result, name);
    gls_figure *figure = find(result, name);
    if (!figure) return gls_fail(result->ctx, GLS_ERR_INTERNAL, "measure: no figure is named '%s'", name);
    figure->headline = true;
    return GLS_OK;
}

static gls_status set_sentence(gls_measure_result *result, char **slot, const char *format, va_list args) {
    char text[1024];
    vsnprintf(text, sizeof text, format, args);
    char *copy = *slot ? gls_sprintf(result->ctx, "%s; %s", *slot, text) : gls_strdup(result->ctx, text);
    if (!copy) return GLS_ERR_MEMORY;
    gls_free(result->ctx, *slot);
    *slot = copy;
    return GLS_OK;
}

gls_status gls_measure_result_meaningless(gls_measure_result *result, const char *format, ...) {
    va_list args;
    GLS_GIVEN(result ? result->ctx : NULL, result, format);
    va_start(args, format);
    gls_status status = set_sentence(result, &result->meaningless, format, args);
    va_end(args);
    return status;
}

gls_status gls_measure_result_note(gls_measure_result *result, const char *format, ...) {
    va_list args;
    GLS_GIVEN(result ? result->ctx : NULL, result, format);
    va_start(args, format);
    gls_status status = set_sentence(result, &result->note, format, args);
    va_end(args);
    return status;
}

/* ---- JSON ---- */

/* JSON has no NaN and no infinity. */
static json_t *number(double x) {
    return isfinite(x) ? json_real(x) : json_null();
}

static json_t *figure_json(const gls_figure *figure) {
    if (!figure->array) return number(figure->value[0]);
    json_t *list = json_array();
    for (int64_t i = 0; i < figure->count; i++) json_array_append_new(list, number(figure->value[i]));
    return list;
}

static void put_figure(json_t *object, const gls_figure *figure) {
    json_object_set_new(object, figure->name, figure_json(figure));
    if (isnan(figure->low) && isnan(figure->high)) return;
    char name[200];
    snprintf(name, sizeof name, "%s_interval", figure->name);
    json_t *interval = json_array();
    json_array_append_new(interval, number(figure->low));
    json_array_append_new(interval, number(figure->high));
    json_object_set_new(object, name, interval);
}

static json_t *result_json(const gls_measure_result *result) {
    json_t *object = json_object(), *units = json_object();
    json_object_set_new(object, "sample", json_integer(result->sample));
    json_object_set_new(object, "population", result->population > 0 ? json_integer(result->population) : json_null());
    json_object_set_new(object, "seconds", number(result->seconds));
    if (result->meaningless) json_object_set_new(object, "meaningless", json_string(result->meaningless));
    if (result->note) json_object_set_new(object, "note", json_string(result->note));
    for (int64_t i = 0; i < result->figures; i++) {
        const gls_figure *figure = &result->figure[i];
        put_figure(object, figure);
        if (figure->unit[0]) json_object_set_new(units, figure->name, json_string(figure->unit));
    }
    json_object_set_new(object, "units", units);
    return object;
}

gls_status gls_measure_results_json(gls_context *ctx, const gls_measure_result *results, int64_t count, char **json) {
    GLS_GIVEN(ctx, ctx, json);
    if (count > 0) GLS_GIVEN(ctx, results);
    *json = NULL;
    json_t *top = json_object(), *measures = json_object();
    for (int64_t i = 0; i < count; i++) {
        for (int64_t k = 0; k < results[i].figures; k++)
            if (results[i].figure[k].headline) put_figure(top, &results[i].figure[k]);
        json_object_set_new(measures, results[i].measure ? results[i].measure : "", result_json(&results[i]));
    }
    json_object_set_new(top, "measures", measures);
    size_t size = json_dumpb(top, NULL, 0, JSON_COMPACT | JSON_PRESERVE_ORDER | JSON_REAL_PRECISION(17));
    char *text = gls_alloc(ctx, (int64_t)size + 1, 1);
    if (text) json_dumpb(top, text, size, JSON_COMPACT | JSON_PRESERVE_ORDER | JSON_REAL_PRECISION(17));
    json_decref(top);
    *json = text;
    return text ? GLS_OK : GLS_ERR_MEMORY;
}
