#include "report/run_folder.h"

#include <dirent.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/io.h"
#include "base/yaml.h"

/* Curves are drawn a few hundred pixels wide: longer series keep every k-th point beyond this. */
enum { MAX_POINTS = 4000, MAX_LINE = 64 << 20 };

static gls_status no_memory(gls_context *ctx) {
    return gls_fail(ctx, GLS_ERR_MEMORY, "report: out of memory");
}

static gls_status flatten(gls_context *ctx, const gls_value *value, const char *prefix, json_t *to) {
    if (value->kind == GLS_VALUE_TEXT || value->kind == GLS_VALUE_NULL)
        return json_object_set_new(to, prefix, json_string(value->text ? value->text : "")) ? no_memory(ctx) : GLS_OK;
    for (int64_t i = 0; i < value->count; i++) {
        const gls_value *item = value->items[i];
        char *name = value->kind == GLS_VALUE_MAP ? gls_sprintf(ctx, "%s%s%s", prefix, *prefix ? "." : "", item->key)
                                                  : gls_sprintf(ctx, "%s[%lld]", prefix, (long long)i);
        if (!name) return GLS_ERR_MEMORY;
        gls_status status = flatten(ctx, item, name, to);
        gls_free(ctx, name);
        GLS_TRY(status);
    }
    return GLS_OK;
}

static gls_status read_config(gls_context *ctx, const char *folder, json_t *run) {
    char *path = gls_sprintf(ctx, "%s/config.yaml", folder);
    if (!path) return GLS_ERR_MEMORY;
    gls_value *config = NULL;
    gls_status status = gls_yaml_read_file(ctx, path, &config);
    gls_free(ctx, path);
    GLS_TRY(status);
    json_t *flat = json_object();
    status = flat ? flatten(ctx, config, "", flat) : no_memory(ctx);
    gls_value_destroy(ctx, config);
    if (json_object_set_new(run, "config", flat) && status == GLS_OK) status = no_memory(ctx);
    return status;
}

/* JSON has no NaN: a figure that is none is null on the page. */
static json_t *real_or_null(const json_t *value) {
    double x = json_number_value(value);
    return json_is_number(value) && isfinite(x) ? json_real(x) : json_null();
}

static gls_status add_point(gls_context *ctx, json_t *all, const json_t *line) {
    static const char *const fields[] = {"step", "epoch", "time", "value"};
    const char *name = json_string_value(json_object_get(line, "name"));
    if (!name) return GLS_OK;
    json_t *series = json_object_get(all, name);
    if (!series) {
        series = json_object();
        for (int f = 0; f < 4; f++)
            if (json_object_set_new(series, fields[f], json_array())) return no_memory(ctx);
        if (json_object_set_new(all, name, series)) return no_memory(ctx);
    }
    for (int f = 0; f < 4; f++)
        if (json_array_append_new(json_object_get(series, fields[f]), real_or_null(json_object_get(line, fields[f]))))
            return no_memory(ctx);
    return GLS_OK;
}

static void thin(json_t *series) {
    const char *field;
    json_t *values;
    json_object_foreach(series, field, values) {
        size_t n = json_array_size(values);
        if (n <= MAX_POINTS) continue;
        size_t stride = (n + MAX_POINTS - 1) / MAX_POINTS, kept = 0;
        for (size_t i = 0; i < n; i += stride) json_array_set(values, kept++, json_array_get(values, i));
        json_array_set(values, kept - 1, json_array_get(values, n - 1));
        while (json_array_size(values) > kept) json_array_remove(values, json_array_size(values) - 1);
    }
}

/* Calls add for each line of a file of JSON objects; a last line cut short by a crash is left out. */
static gls_status each_line(gls_context *ctx, const char *folder, const char *file, bool required, json_t *to,
                            gls_status (*add)(gls_context *, json_t *, const json_t *)) {
    char *path = gls_sprintf(ctx, "%s/%s", folder, file);
    if (!path) return GLS_ERR_MEMORY;
    gls_reader *reader = NULL;
    gls_status status = GLS_OK;
    if (required || gls_file_exists(path)) status = gls_reader_open(ctx, path, &reader);
    while (status == GLS_OK && reader) {
        char *text;
        int64_t length;
        status = gls_reader_line(reader, MAX_LINE, &text, &length);
        if (status != GLS_OK || !text) break;
        if (!length) continue;
        json_error_t error;
        json_t *line = json_loadb(text, (size_t)length, 0, &error);
        if (json_is_object(line))
            status = add(ctx, to, line);
        else if (!gls_reader_at_end(reader))
            status = gls_fail(ctx, GLS_ERR_INPUT, "%s:%lld: expected a JSON object: %s", path,
                              (long long)gls_reader_line_number(reader), error.text);
        json_decref(line);
    }
    gls_reader_close(reader);
    gls_free(ctx, path);
    return status;
}

static gls_status add_measure(gls_context *ctx, json_t *all, const json_t *line) {
    return json_array_append(all, (json_t *)line) ? no_memory(ctx) : GLS_OK;
}

static gls_status read_result(gls_context *ctx, const char *folder, json_t *run) {
    char *path = gls_sprintf(ctx, "%s/result.json", folder);
    if (!path) return GLS_ERR_MEMORY;
    json_t *result = NULL;
    gls_status status = GLS_OK;
    if (gls_file_exists(path)) {
        char *text = NULL;
        int64_t size = 0;
        status = gls_read_file(ctx, path, MAX_LINE, &text, &size);
        json_error_t error;
        if (status == GLS_OK && !(result = json_loadb(text, (size_t)size, 0, &error)))
            status = gls_fail(ctx, GLS_ERR_INPUT, "%s:%d: %s", path, error.line, error.text);
        gls_free(ctx, text);
    }
    gls_free(ctx, path);
    if (json_object_set_new(run, "result", result ? result : json_null()) && status == GLS_OK) status = no_memory(ctx);
    return status;
}

gls_status gls_run_folder_read(gls_context *ctx, const char *folder, const char *name, json_t **out) {
    json_t *run = json_pack("{s:s, s:{}, s:[]}", "name", name, "series", "measures");
    if (!run) return no_memory(ctx);
    json_t *series = json_object_get(run, "series");
    gls_status status = read_config(ctx, folder, run);
    if (status == GLS_OK) status = each_line(ctx, folder, "metrics.jsonl", true, series, add_point);
    if (status == GLS_OK)
        status = each_line(ctx, folder, "measures.jsonl", false, json_object_get(run, "measures"), add_measure);
    if (status == GLS_OK) status = read_result(ctx, folder, run);
    if (status != GLS_OK) {
        json_decref(run);
        return status;
    }
    const char *key;
    json_t *one;
    json_object_foreach(series, key, one) thin(one);
    *out = run;
    return GLS_OK;
}

static int by_seed(const void *a, const void *b) {
    long long x = atoll(*(char *const *)a + 5), y = atoll(*(char *const *)b + 5);
    return (x > y) - (x < y);
}

gls_status gls_run_folder_seeds(gls_context *ctx, const char *folder, char ***names, int64_t *count) {
    *names = NULL;
    *count = 0;
    DIR *dir = opendir(folder);
    if (!dir) return gls_fail(ctx, GLS_ERR_FILE, "%s: no such run folder", folder);
    gls_status status = GLS_OK;
    for (struct dirent *entry; status == GLS_OK && (entry = readdir(dir));) {
        if (strncmp(entry->d_name, "seed-", 5) != 0) continue;
        char **grown = gls_resize(ctx, *names, *count + 1, sizeof(char *));
        if (grown) *names = grown;
        char *copy = grown ? gls_strdup(ctx, entry->d_name) : NULL;
        if (!copy)
            status = GLS_ERR_MEMORY;
        else
            (*names)[(*count)++] = copy;
    }
    closedir(dir);
    if (*count) qsort(*names, (size_t)*count, sizeof(char *), by_seed);
    return status;
}
