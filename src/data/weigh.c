/* Masses of examples, which multiply what the source has: from memory, or as the transform weigh by class or from a
 * file. */
#include "data/npy.h"
#include "data/source.h"
#include "data/table.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef struct weigh_options {
    const gls_value *class_weights;
    const char *example_weights;
} weigh_options;

static const gls_option weigh_table[] = {
    GLS_VALUE("class_weights", weigh_options, class_weights,
              "balanced: examples over (classes times examples of the class); or {class: weight, ...}, others 1"),
    GLS_PATH("example_weights", weigh_options, example_weights, NULL,
             "a .npy file of one weight above 0 for each row of the training file"),
    {0},
};

typedef struct weigh_source {
    gls_owned_source owned;
    double *mass; /* [examples] */
} weigh_source;

static gls_status fetch_weighed(const gls_source *source, gls_context *ctx, const gls_fetch *fetch, gls_rows *rows) {
    const weigh_source *s = (const weigh_source *)source;
    GLS_TRY(gls_wrapper_fetch(source, ctx, fetch, rows));
    for (int64_t i = 0; rows->mass && i < fetch->count; i++) {
        double inner = source->inner->has_mass ? rows->mass[i] : 1;
        rows->mass[i] = inner * s->mass[fetch->index[i]];
    }
    return GLS_OK;
}

static const gls_source_ops weigh_ops = {fetch_weighed, gls_wrapper_destroy};

/* ---- by class ---- */

static int64_t find_class(const gls_data_info *info, const char *name) {
    for (int64_t k = 0; info->class_names && k < info->classes; k++)
        if (strcmp(info->class_names[k], name) == 0) return k;
    const char *rest = name;
    double number;
    bool whole = !info->class_names && gls_scan_number(&rest, &number) && !*rest && number == floor(number);
    return whole && number >= 0 && number < (double)info->classes ? (int64_t)number : -1;
}

static gls_status given_weights(gls_context *ctx, const gls_value *map, const gls_data_info *info, double *weight) {
    for (int64_t k = 0; k < info->classes; k++) weight[k] = 1;
    for (int64_t i = 0; i < map->count; i++) {
        const gls_value *item = map->items[i];
        int64_t k = find_class(info, item->key);
        const char *rest = item->kind == GLS_VALUE_TEXT ? item->text : "";
        if (k < 0)
            return gls_fail(ctx, GLS_ERR_ARGUMENT, "transform weigh: class_weights: there is no class '%.80s'",
                            item->key);
        if (!gls_scan_number(&rest, &weight[k]) || *rest || !(weight[k] > 0) || !isfinite(weight[k]))
            return gls_fail(ctx, GLS_ERR_ARGUMENT,
                            "transform weigh: class_weights: class '%.80s': expected a number above 0, found '%.80s'",
                            item->key, item->kind == GLS_VALUE_TEXT ? item->text : "something else");
    }
    return GLS_OK;
}

/* Every class then has the same mass in all, and the mean mass is 1. */
static void balanced_weights(const int32_t *label, int64_t n, int64_t classes, double *weight) {
    for (int64_t k = 0; k < classes; k++) weight[k] = 0;
    for (int64_t i = 0; i < n; i++) weight[label[i]]++;
    int64_t present = 0;
    for (int64_t k = 0; k < classes; k++) present += weight[k] > 0;
    for (int64_t k = 0; k < classes; k++) weight[k] = weight[k] > 0 ? (double)n / ((double)present * weight[k]) : 1;
}

static gls_status weigh_classes(gls_context *ctx, const gls_source *source, const gls_value *given, double *mass) {
    const gls_data_info *info = &source->info;
    bool balanced = given->kind == GLS_VALUE_TEXT && strcmp(given->text, "balanced") == 0;
    if (!balanced && given->kind != GLS_VALUE_MAP)
        return gls_fail(ctx, GLS_ERR_ARGUMENT,
                        "transform weigh: class_weights: expected balanced, or a map as in {cat: 2, dog: 0.5}");
    GLS_TRY(gls_classes_need(ctx, source, "weigh"));
    int32_t *label = gls_alloc(ctx, info->examples, sizeof *label);
    double *weight = gls_alloc(ctx, info->classes, sizeof *weight);
    gls_status status = label && weight ? gls_source_targets(source, ctx, label, NULL) : GLS_ERR_MEMORY;
    if (status == GLS_OK && balanced) balanced_weights(label, info->examples, info->classes, weight);
    if (status == GLS_OK && !balanced) status = given_weights(ctx, given, info, weight);
    for (int64_t i = 0; status == GLS_OK && i < info->examples; i++) mass[i] *= weight[label[i]];
    gls_free(ctx, label);
    gls_free(ctx, weight);
    return status;
}

/* ---- from a file ---- */

/* Rows held out or picked before know their place in the file; what a transform inserted has no place, and keeps 1. */
static gls_status take_weights(gls_context *ctx, const gls_source *source, const char *path, const gls_npy *file,
                               double *mass) {
    const int64_t *original = gls_source_column(source, "original");
    int64_t n = source->info.examples;
    const double *weight = file->data;
    if (file->dims != 1 || (!original && file->count != n))
        return gls_fail(ctx, GLS_ERR_INPUT, "%s: %lld weights in %d extents, expected one for each of the %lld rows",
                        path, (long long)file->count, file->dims, (long long)n);
    for (int64_t i = 0; i < n; i++) {
        int64_t at = original ? original[i] : i;
        if (at < 0) continue;
        if (at >= file->count)
            return gls_fail(ctx, GLS_ERR_INPUT, "%s: %lld weights, but there is a row %lld", path,
                            (long long)file->count, (long long)at);
        if (!(weight[at] > 0))
            return gls_fail(ctx, GLS_ERR_INPUT, "%s: weight %lld is %g; expected more than 0", path, (long long)at,
                            weight[at]);
        mass[i] *= weight[at];
    }
    return GLS_OK;
}

static gls_status weigh_examples(gls_context *ctx, const gls_source *source, const char *path, double *mass) {
    gls_npy file;
    GLS_TRY(gls_npy_read_double(ctx, path, &file));
    gls_status status = take_weights(ctx, source, path, &file, mass);
    gls_npy_clear(ctx, &file);
    return status;
}

/* Masses of 1 around a source. What fails later destroys *out alone: the source inside is then the caller's. */
static gls_status wrap(gls_context *ctx, gls_source *source, weigh_source **out) {
    GLS_TRY(gls_wrapper_create(ctx, sizeof **out, &weigh_ops, source, (void **)out));
    weigh_source *weighed = *out;
    weighed->mass = gls_arena_alloc(weighed->owned.arena, source->info.examples, sizeof *weighed->mass);
    if (!weighed->mass) {
        gls_owned_destroy(&weighed->owned.source);
        return GLS_ERR_MEMORY;
    }
    for (int64_t i = 0; i < source->info.examples; i++) weighed->mass[i] = 1;
    weighed->owned.source.has_mass = true;
    return GLS_OK;
}

static gls_status check_masses(gls_context *ctx, const double *mass, int64_t n) {
    for (int64_t i = 0; i < n; i++)
        if (!(mass[i] > 0) || !isfinite(mass[i]))
            return gls_fail(ctx, GLS_ERR_INPUT, "weight %lld is %g; expected more than 0", (long long)i, mass[i]);
    return GLS_OK;
}

gls_status gls_source_weigh(gls_context *ctx, gls_source *source, const double *mass, gls_source **out) {
    GLS_GIVEN(ctx, ctx, source, mass, out);
    weigh_source *weighed;
    *out = NULL;
    gls_status status = check_masses(ctx, mass, source->info.examples);
    if (status == GLS_OK) status = wrap(ctx, source, &weighed);
    if (status != GLS_OK) {
        gls_source_destroy(source);
        return status;
    }
    memcpy(weighed->mass, mass, (size_t)source->info.examples * sizeof *mass);
    *out = &weighed->owned.source;
    return GLS_OK;
}

static gls_status apply_weigh(gls_context *ctx, gls_source *source, const void *options, uint64_t seed, bool train,
                              const gls_learned *learned, gls_source **out) {
    const weigh_options *o = options;
    weigh_source *weighed;
    if (!o->class_weights && !o->example_weights)
        return gls_fail(ctx, GLS_ERR_ARGUMENT, "transform weigh: expected class_weights or example_weights");
    GLS_TRY(wrap(ctx, source, &weighed));
    gls_status status = GLS_OK;
    if (o->class_weights) status = weigh_classes(ctx, source, o->class_weights, weighed->mass);
    if (status == GLS_OK && o->example_weights) status = weigh_examples(ctx, source, o->example_weights, weighed->mass);
    if (status != GLS_OK) {
        gls_owned_destroy(&weighed->owned.source);
        return status;
    }
    *out = &weighed->owned.source;
    return GLS_OK;
}

const gls_transform gls_transform_weigh = {
    .member = {"weigh", "gives training examples weights, by class or from a file", "", weigh_table,
               sizeof(weigh_options)},
    .train_only = true,
    .apply = apply_weigh,
};
