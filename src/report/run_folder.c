/* A run folder as JSON. What a crash may leave (a line cut short, no result yet) is a warning on the page; what it
 * cannot leave is an error. */
#include "report/run_folder.h"

#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/io.h"
#include "base/yaml.h"

/* Curves are drawn a few hundred pixels wide: longer series keep every k-th point beyond MAX_POINTS. Of each measure
 * the page keeps at most MAX_RESULTS results, evenly spread, and the last; of what was meaningless, the first
 * MAX_MEANINGLESS. No line that a run writes is near MAX_LINE. */
enum { MAX_POINTS = 4000, MAX_RESULTS = 16, MAX_MEANINGLESS = 500, MAX_LINE = 64 << 20 };

static gls_status no_memory(gls_context *ctx) {
    return gls_fail(ctx, GLS_ERR_MEMORY, "report: out of memory");
}

/* A pipe or a device in the place of a file would be waited for. */
bool gls_report_is_file(const char *path) {
    struct stat info;
    return stat(path, &info) == 0 && S_ISREG(info.st_mode);
}

static size_t utf8_length(const unsigned char *at) {
    size_t length = *at < 0x80 ? 1 : *at >= 0xc2 && *at < 0xe0 ? 2 : (*at & 0xf0) == 0xe0 ? 3 : *at < 0xf5 ? 4 : 0;
    if (*at >= 0x80 && *at < 0xc2) return 0;
    for (size_t i = 1; i < length; i++)
        if ((at[i] & 0xc0) != 0x80) return 0;
    bool out_of_range = (*at == 0xe0 && at[1] < 0xa0) || (*at == 0xed && at[1] > 0x9f) ||
                        (*at == 0xf0 && at[1] < 0x90) || (*at == 0xf4 && at[1] > 0x8f);
    return out_of_range ? 0 : length;
}

json_t *gls_report_text(gls_context *ctx, const char *text) {
    char *copy = gls_strdup(ctx, text);
    for (char *at = copy; at && *at;) {
        size_t length = utf8_length((const unsigned char *)at);
        if (!length) *at = '?';
        at += length ? length : 1;
    }
    json_t *out = copy ? json_string(copy) : NULL;
    gls_free(ctx, copy);
    return out;
}

/* What a reader of the page must know about the folder: a sentence. */
static gls_status warn(gls_context *ctx, json_t *run, const char *format, ...) GLS_PRINTF(3, 4);
static gls_status warn(gls_context *ctx, json_t *run, const char *format, ...) {
    va_list arguments;
    char text[512];
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    return json_array_append_new(json_object_get(run, "warnings"), gls_report_text(ctx, text)) ? no_memory(ctx)
                                                                                               : GLS_OK;
}

/* A key that is not UTF-8 cannot be one of ours. */
static gls_status set_setting(gls_context *ctx, json_t *to, const char *key, const char *text) {
    json_t *name = gls_report_text(ctx, key), *value = gls_report_text(ctx, text);
    bool failed = !name || json_object_set_new(to, json_string_value(name), value);
    if (!name) json_decref(value);
    json_decref(name);
    return failed ? no_memory(ctx) : GLS_OK;
}

static gls_status flatten(gls_context *ctx, const gls_value *value, const char *prefix, json_t *to) {
    if (value->kind == GLS_VALUE_TEXT || value->kind == GLS_VALUE_NULL)
        return set_setting(ctx, to, prefix, value->text ? value->text : "");
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
    gls_status status =
        gls_report_is_file(path)
            ? gls_yaml_read_file(ctx, path, &config)
            : gls_fail(ctx, GLS_ERR_INPUT, "%s: the file does not exist, so this is not a run folder", path);
    if (status == GLS_OK && (!config || config->kind != GLS_VALUE_MAP || !config->count)) {
        status = gls_fail(ctx, GLS_ERR_INPUT, "%s: expected the configuration of a run, a map of sections; found %s",
                          path, config && config->kind == GLS_VALUE_TEXT ? "text" : "nothing");
        gls_value_destroy(ctx, config);
    }
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

/* A line of a file, for messages. */
typedef struct place {
    gls_context *ctx;
    const char *path;
    int64_t line;
} place;

static gls_status bad_field(const place *at, const char *field, const char *expected) {
    return gls_fail(at->ctx, GLS_ERR_INPUT, "%s:%lld: field \"%s\": expected %s", at->path, (long long)at->line, field,
                    expected);
}

/* to: {name: {step: [], epoch: [], time: [], value: []}} */
static gls_status add_point(const place *at, json_t *to, const json_t *line) {
    static const char *const fields[] = {"step", "epoch", "time", "value"};
    const char *name = json_string_value(json_object_get(line, "name"));
    if (!name) return bad_field(at, "name", "a text");
    if (!json_is_number(json_object_get(line, "step"))) return bad_field(at, "step", "a number");
    json_t *series = json_object_get(to, name);
    if (!series) {
        series = json_object();
        for (int f = 0; f < 4; f++)
            if (json_object_set_new(series, fields[f], json_array())) return no_memory(at->ctx);
        if (json_object_set_new(to, name, series)) return no_memory(at->ctx);
    }
    for (int f = 0; f < 4; f++)
        if (json_array_append_new(json_object_get(series, fields[f]), real_or_null(json_object_get(line, fields[f]))))
            return no_memory(at->ctx);
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

/* Calls add for each line of a file of JSON objects. A file that is not there, and a last line cut short by a crash,
 * are no errors: *lines and *cut say so. */
static gls_status each_line(gls_context *ctx, const char *path, json_t *to,
                            gls_status (*add)(const place *, json_t *, const json_t *), int64_t *lines, bool *cut) {
    gls_reader *reader = NULL;
    gls_status status = gls_report_is_file(path) ? gls_reader_open(ctx, path, &reader) : GLS_OK;
    *lines = 0;
    *cut = false;
    while (status == GLS_OK && reader) {
        char *text;
        int64_t length;
        status = gls_reader_line(reader, MAX_LINE, &text, &length);
        if (status != GLS_OK || !text) break;
        if (!length) continue;
        json_error_t error;
        json_t *line = json_loadb(text, (size_t)length, JSON_ALLOW_NUL, &error);
        place at = {ctx, path, gls_reader_line_number(reader)};
        if (json_is_object(line))
            status = add(&at, to, line);
        else if (gls_reader_at_end(reader))
            *cut = true;
        else
            status = gls_fail(ctx, GLS_ERR_INPUT, "%s:%lld: expected a JSON object%s%s", path, (long long)at.line,
                              line ? "" : ": ", line ? "" : error.text);
        json_decref(line);
        (*lines)++;
    }
    gls_reader_close(reader);
    return status;
}

static gls_status read_lines(gls_context *ctx, const char *folder, const char *file, json_t *run, json_t *to,
                             gls_status (*add)(const place *, json_t *, const json_t *)) {
    char *path = gls_sprintf(ctx, "%s/%s", folder, file);
    int64_t lines;
    bool cut;
    if (!path) return GLS_ERR_MEMORY;
    gls_status status = each_line(ctx, path, to, add, &lines, &cut);
    gls_free(ctx, path);
    if (status == GLS_OK && cut)
        status = warn(ctx, run, "%s ends in the middle of line %lld; the lines before it are shown.", file,
                      (long long)lines);
    if (status == GLS_OK && !lines && add == add_point)
        status = warn(ctx, run, "%s is missing or empty: the run wrote no figures.", file);
    return status;
}

static bool note_meaningless(json_t *list, const json_t *line) {
    static const char *const fields[] = {"step", "epoch", "time"};
    const json_t *why = json_object_get(json_object_get(line, "result"), "meaningless");
    if (!json_is_string(why) || json_array_size(list) >= MAX_MEANINGLESS) return true;
    json_t *one = json_object();
    bool failed = json_object_set(one, "measure", json_object_get(line, "measure")) ||
                  json_object_set_new(one, "why", json_string(json_string_value(why)));
    for (int f = 0; f < 3; f++)
        failed |= json_object_set_new(one, fields[f], real_or_null(json_object_get(line, fields[f]))) != 0;
    return !json_array_append_new(list, one) && !failed;
}

/* to: {found: {measure: {every: k, seen: n, kept: [every k-th line], last: line}}, meaningless: [...]} */
static gls_status add_measure(const place *at, json_t *all, const json_t *line) {
    json_t *to = json_object_get(all, "found");
    const char *name = json_string_value(json_object_get(line, "measure"));
    if (!name) return bad_field(at, "measure", "a text");
    if (!json_is_number(json_object_get(line, "step"))) return bad_field(at, "step", "a number");
    if (!json_is_object(json_object_get(line, "result"))) return bad_field(at, "result", "an object");
    if (!note_meaningless(json_object_get(all, "meaningless"), line)) return no_memory(at->ctx);
    json_t *one = json_object_get(to, name);
    if (!one) {
        one = json_pack("{s:i, s:i, s:[], s:n}", "every", 1, "seen", 0, "kept", "last");
        if (json_object_set_new(to, name, one)) return no_memory(at->ctx);
    }
    json_t *kept = json_object_get(one, "kept");
    json_int_t every = json_integer_value(json_object_get(one, "every"));
    json_int_t seen = json_integer_value(json_object_get(one, "seen"));
    bool failed = json_object_set(one, "last", (json_t *)line) != 0;
    if (seen % every == 0) failed |= json_array_append(kept, (json_t *)line) != 0;
    failed |= json_object_set_new(one, "seen", json_integer(seen + 1)) != 0;
    if (json_array_size(kept) > MAX_RESULTS) {
        for (size_t i = json_array_size(kept); i-- > 0;)
            if (i % 2) json_array_remove(kept, i);
        failed |= json_object_set_new(one, "every", json_integer(2 * every)) != 0;
    }
    return failed ? no_memory(at->ctx) : GLS_OK;
}

static gls_status read_measures(gls_context *ctx, const char *folder, json_t *run) {
    json_t *read = json_pack("{s:{}, s:O}", "found", "meaningless", json_object_get(run, "meaningless"));
    json_t *one, *all = json_object_get(run, "measures");
    gls_status status = read ? read_lines(ctx, folder, "measures.jsonl", run, read, add_measure) : no_memory(ctx);
    const char *name;
    json_object_foreach(json_object_get(read, "found"), name, one) {
        json_t *kept = json_object_get(one, "kept"), *last = json_object_get(one, "last");
        bool there = json_array_get(kept, json_array_size(kept) - 1) == last;
        if (json_array_extend(all, kept) || (!there && json_array_append(all, last))) status = no_memory(ctx);
    }
    json_decref(read);
    return status;
}

/* Absent or cut short, as after a crash: a warning. Something other than an object cannot come from a run: an error. */
static gls_status read_result(gls_context *ctx, const char *folder, json_t *run) {
    char *path = gls_sprintf(ctx, "%s/result.json", folder), *text = NULL;
    int64_t size = 0;
    json_t *result = NULL;
    json_error_t error;
    gls_status status = path ? GLS_OK : GLS_ERR_MEMORY;
    bool there = path && gls_report_is_file(path);
    if (there) status = gls_read_file(ctx, path, MAX_LINE, &text, &size);
    if (text) result = json_loadb(text, (size_t)size, 0, &error);
    if (status == GLS_OK && result && !json_is_object(result))
        status = gls_fail(ctx, GLS_ERR_INPUT, "%s: expected a JSON object", path);
    if (status == GLS_OK && !there)
        status = warn(ctx, run, "The run has no result.json: it has not ended.");
    else if (status == GLS_OK && !result)
        status = warn(ctx, run, "result.json is truncated: the final figures are missing.");
    gls_free(ctx, text);
    gls_free(ctx, path);
    if (json_object_set_new(run, "result", result ? result : json_null()) && status == GLS_OK) status = no_memory(ctx);
    return status;
}

/* What `glissade scale` left; a file that is not whole is none. */
static gls_status read_scale(gls_context *ctx, const char *folder, json_t *run) {
    char *path = gls_sprintf(ctx, "%s/scale.json", folder), *text = NULL;
    int64_t size = 0;
    gls_status status = path ? GLS_OK : GLS_ERR_MEMORY;
    if (path && gls_report_is_file(path)) status = gls_read_file(ctx, path, MAX_LINE, &text, &size);
    json_t *scale = text ? json_loadb(text, (size_t)size, 0, NULL) : NULL;
    if (json_is_object(scale)) {
        if (json_object_set(run, "scale", scale)) status = no_memory(ctx);
    } else if (status == GLS_OK && text) {
        status = warn(ctx, run, "scale.json is not an object of JSON: its predictions are missing.");
    }
    json_decref(scale);
    gls_free(ctx, text);
    gls_free(ctx, path);
    return status;
}

gls_status gls_report_folder_read(gls_context *ctx, const char *folder, const char *name, json_t **out) {
    json_t *run = json_pack("{s:o, s:{}, s:[], s:[], s:[], s:[]}", "name", gls_report_text(ctx, name), "series",
                            "measures", "meaningless", "defaults", "warnings");
    if (!run) return no_memory(ctx);
    json_t *series = json_object_get(run, "series");
    gls_status status = read_config(ctx, folder, run);
    if (status == GLS_OK) status = gls_report_defaults(ctx, run);
    if (status == GLS_OK) status = read_lines(ctx, folder, "metrics.jsonl", run, series, add_point);
    if (status == GLS_OK) status = read_measures(ctx, folder, run);
    if (status == GLS_OK) status = read_result(ctx, folder, run);
    if (status == GLS_OK) status = read_scale(ctx, folder, run);
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
