/* The page: run folders as JSON, beside the style and the scripts that draw it, in one file. It is written whole or not
 * at all, so that an open page that reloads itself never finds half of one. */
#include <glissade/report.h>

#include <stdlib.h>
#include <string.h>

#include "base/io.h"
#include "report/assets.h"
#include "report/run_folder.h"

static const char *last_name(const char *folder, size_t *length) {
    size_t n = strlen(folder);
    while (n > 1 && folder[n - 1] == '/') n--;
    size_t start = n;
    while (start > 0 && folder[start - 1] != '/') start--;
    *length = n - start;
    return folder + start;
}

static gls_status append_run(gls_context *ctx, const char *folder, const char *name, json_t *runs) {
    json_t *run = NULL;
    GLS_TRY(gls_report_folder_read(ctx, folder, name, &run));
    if (json_array_append_new(runs, run)) return gls_fail(ctx, GLS_ERR_MEMORY, "report: out of memory");
    return GLS_OK;
}

static gls_status append_seeds(gls_context *ctx, const char *folder, const char *name, char **seeds, int64_t count,
                               json_t *runs) {
    for (int64_t s = 0; s < count; s++) {
        char *path = gls_sprintf(ctx, "%s/%s", folder, seeds[s]);
        char *label = gls_sprintf(ctx, "%s/%s", name, seeds[s]);
        gls_status status = path && label ? append_run(ctx, path, label, runs) : GLS_ERR_MEMORY;
        gls_free(ctx, path);
        gls_free(ctx, label);
        GLS_TRY(status);
    }
    return GLS_OK;
}

/* The folder's last name, or all of the path where another run has the same. */
static char *label(gls_context *ctx, const char *const *runs, int64_t count, int64_t which) {
    size_t length, other;
    const char *start = last_name(runs[which], &length);
    for (int64_t i = 0; i < count; i++) {
        const char *name = last_name(runs[i], &other);
        if (i != which && other == length && strncmp(name, start, length) == 0) return gls_strdup(ctx, runs[which]);
    }
    return gls_sprintf(ctx, "%.*s", (int)length, start);
}

static gls_status append_group(gls_context *ctx, const char *const *all, int64_t number, int64_t which,
                               json_t *groups) {
    const char *folder = all[which];
    char *name = label(ctx, all, number, which);
    if (!name) return GLS_ERR_MEMORY;
    json_t *group = json_pack("{s:s, s:[]}", "name", name, "runs");
    char **seeds = NULL;
    int64_t count = 0;
    gls_status status = group ? gls_report_folder_seeds(ctx, folder, &seeds, &count)
                              : gls_fail(ctx, GLS_ERR_MEMORY, "report: out of memory");
    if (status == GLS_OK) {
        json_t *runs = json_object_get(group, "runs");
        status = count ? append_seeds(ctx, folder, name, seeds, count, runs) : append_run(ctx, folder, name, runs);
    }
    for (int64_t s = 0; s < count; s++) gls_free(ctx, seeds[s]);
    gls_free(ctx, seeds);
    gls_free(ctx, name);
    if (json_array_append_new(groups, group) && status == GLS_OK)
        status = gls_fail(ctx, GLS_ERR_MEMORY, "report: out of memory");
    return status;
}

/* Text of a page element: the five characters that mean something in HTML are escaped. */
static gls_status write_escaped(gls_writer *writer, const char *text) {
    for (; *text; text++) {
        const char *escape = *text == '&'    ? "&amp;"
                             : *text == '<'  ? "&lt;"
                             : *text == '>'  ? "&gt;"
                             : *text == '"'  ? "&quot;"
                             : *text == '\'' ? "&#39;"
                                             : NULL;
        GLS_TRY(escape ? gls_writer_write(writer, escape, (int64_t)strlen(escape)) : gls_writer_write(writer, text, 1));
    }
    return GLS_OK;
}

/* Inside a script element only "</" could end it; JSON may spell the slash "\/". */
static gls_status write_json(gls_context *ctx, gls_writer *writer, const json_t *data) {
    char *text = json_dumps(data, JSON_COMPACT | JSON_ESCAPE_SLASH | JSON_REAL_PRECISION(9));
    if (!text) return gls_fail(ctx, GLS_ERR_MEMORY, "report: out of memory");
    gls_status status = gls_writer_write(writer, text, (int64_t)strlen(text));
    free(text);
    return status;
}

static gls_status write_text(gls_writer *writer, const char *text) {
    return gls_writer_write(writer, text, (int64_t)strlen(text));
}

static gls_status write_page(gls_context *ctx, gls_writer *writer, const gls_report_options *options, const char *title,
                             const json_t *data) {
    GLS_TRY(write_text(writer, "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
                               "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"));
    GLS_TRY(write_text(writer, "<title>"));
    GLS_TRY(write_escaped(writer, title));
    GLS_TRY(write_text(writer, "</title>\n<style>\n"));
    GLS_TRY(write_text(writer, gls_asset_page_css));
    GLS_TRY(write_text(
        writer, "</style>\n</head>\n<body>\n<a class=\"skip\" href=\"#summary\">To the summary</a>\n<header><h1>"));
    GLS_TRY(write_escaped(writer, title));
    GLS_TRY(write_text(writer,
                       "</h1></header>\n<main id=\"content\"></main>\n<footer>Made by <code>glissade report</code>. "
                       "Charts: Chart.js (MIT).</footer>\n<noscript>This page draws its charts with a script that it "
                       "carries itself.</noscript>\n<script type=\"application/json\" id=\"data\">"));
    GLS_TRY(write_json(ctx, writer, data));
    GLS_TRY(write_text(writer, "</script>\n<script>"));
    GLS_TRY(write_text(writer, gls_asset_chart_js));
    GLS_TRY(write_text(writer, "</script>\n<script>\n"));
    GLS_TRY(write_text(writer, gls_asset_page_js));
    return write_text(writer, "</script>\n</body>\n</html>\n");
}

/* The page shows the warnings too; the log has them at once. */
static void log_warnings(gls_context *ctx, const json_t *groups) {
    size_t g, r, w;
    json_t *group, *run, *text;
    json_array_foreach(groups, g, group) {
        json_array_foreach(json_object_get(group, "runs"), r, run) {
            json_array_foreach(json_object_get(run, "warnings"), w, text) {
                gls_log(ctx, GLS_LOG_WARNING, "report: %s: %s", json_string_value(json_object_get(run, "name")),
                        json_string_value(text));
            }
        }
    }
}

gls_status gls_report_write(gls_context *ctx, const char *const *runs, int64_t count, const gls_report_options *options,
                            const char *path) {
    if (count < 1) return gls_fail(ctx, GLS_ERR_ARGUMENT, "report: expected at least one run folder");
    if (options && options->size != sizeof *options)
        return gls_fail(ctx, GLS_ERR_ARGUMENT, "report: options have size %zu, expected %zu", options->size,
                        sizeof *options);
    double refresh = options ? options->refresh : 0;
    json_t *data = json_pack("{s:[], s:f}", "groups", "refresh", refresh);
    if (!data) return gls_fail(ctx, GLS_ERR_MEMORY, "report: out of memory");
    gls_status status = GLS_OK;
    for (int64_t i = 0; i < count && status == GLS_OK; i++)
        status = append_group(ctx, runs, count, i, json_object_get(data, "groups"));
    if (status == GLS_OK && !(refresh > 0)) log_warnings(ctx, json_object_get(data, "groups"));
    char *title = NULL;
    gls_writer *writer = NULL;
    if (status == GLS_OK) {
        size_t length;
        const char *first = last_name(runs[0], &length);
        title = options && options->title ? gls_strdup(ctx, options->title)
                : count == 1              ? gls_sprintf(ctx, "Run %.*s", (int)length, first)
                                          : gls_sprintf(ctx, "%lld runs compared", (long long)count);
        status = title ? gls_writer_open(ctx, path, &writer) : GLS_ERR_MEMORY;
    }
    if (status == GLS_OK) status = write_page(ctx, writer, options, title, data);
    if (status == GLS_OK)
        status = gls_writer_commit(writer);
    else
        gls_writer_abort(writer);
    gls_free(ctx, title);
    json_decref(data);
    return status;
}

gls_status gls_report_ended(gls_context *ctx, const char *const *runs, int64_t count, bool *ended) {
    *ended = true;
    for (int64_t i = 0; i < count && *ended; i++) GLS_TRY(gls_report_folder_ended(ctx, runs[i], ended));
    return GLS_OK;
}
