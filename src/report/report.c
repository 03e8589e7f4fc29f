/* The page: run folders as JSON, beside the style and the scripts that draw it, in one file. It is written whole or not
 * at all, so that an open page that reloads itself never finds half of one. */
#include <glissade/report.h>

#include <stdlib.h>
#include <string.h>

#include "base/io.h"
#include "report/assets.h"
#include "report/run_folder.h"
#include "report/walk.h"

enum { SWEEP_LIMIT = 64 << 20 }; /* bytes of a sweep.json; 100,000 trials are fewer */

/* What the page is made from, while it is collected. */
typedef struct collection {
    gls_context *ctx;
    json_t *groups;  /* [{name, folder, runs, sweep, set}] */
    json_t *skipped; /* [{name, why}] folders that hold no run, and runs that cannot be read */
    gls_status why;  /* of the first of those; its message is there */
    char *sweep;     /* folder of the sweep whose table is here: trials of one follow each other */
    json_t *table;   /* sweep.json, or NULL */
} collection;

static gls_status no_memory(gls_context *ctx) {
    return gls_fail(ctx, GLS_ERR_MEMORY, "report: out of memory");
}

static const char *last_name(const char *folder, size_t *length) {
    size_t n = strlen(folder);
    while (n > 1 && folder[n - 1] == '/') n--;
    size_t start = n;
    while (start > 0 && folder[start - 1] != '/') start--;
    *length = n - start;
    return folder + start;
}

/* ---- what cannot be shown ---- */

/* A folder that is not a run's, or is broken, does not end the report of the others: it is named on the page. */
static gls_status skip(collection *c, const char *folder, gls_status status) {
    if (status != GLS_ERR_INPUT && status != GLS_ERR_FILE) return status;
    json_t *one = json_pack("{s:o, s:o}", "name", gls_report_text(c->ctx, folder), "why",
                            gls_report_text(c->ctx, gls_context_message(c->ctx)));
    if (json_array_append_new(c->skipped, one)) return no_memory(c->ctx);
    if (c->why == GLS_OK) c->why = status;
    return GLS_OK;
}

/* Nothing at all can be shown: the first reason is the error. */
static gls_status check_some(const collection *c) {
    if (json_array_size(c->groups)) return GLS_OK;
    const char *first = json_string_value(json_object_get(json_array_get(c->skipped, 0), "why"));
    return gls_fail(c->ctx, c->why, "%s", first ? first : "report: nothing to show");
}

/* ---- runs ---- */

static gls_status append_run(collection *c, const char *folder, const char *name, json_t *runs) {
    json_t *run = NULL;
    gls_status status = gls_report_folder_read(c->ctx, folder, name, &run);
    if (status != GLS_OK) return skip(c, folder, status);
    return json_array_append_new(runs, run) ? no_memory(c->ctx) : GLS_OK;
}

static gls_status append_seeds(collection *c, const gls_report_place *place, const char *name, json_t *runs) {
    for (int64_t s = 0; s < place->seeds; s++) {
        char *path = gls_sprintf(c->ctx, "%s/%s", place->folder, place->seed[s]);
        char *label = gls_sprintf(c->ctx, "%s/%s", name, place->seed[s]);
        gls_status status = path && label ? append_run(c, path, label, runs) : GLS_ERR_MEMORY;
        gls_free(c->ctx, path);
        gls_free(c->ctx, label);
        GLS_TRY(status);
    }
    return GLS_OK;
}

/* ---- sweeps ---- */

/* Reads sweep.json unless it is here. One that is not there, or broken, leaves the keys to be told from the
 * configurations. */
static gls_status open_sweep(collection *c, const char *folder) {
    if (c->sweep && strcmp(c->sweep, folder) == 0) return GLS_OK;
    char *path = gls_sprintf(c->ctx, "%s/sweep.json", folder), *text = NULL;
    int64_t size = 0;
    gls_free(c->ctx, c->sweep);
    json_decref(c->table);
    c->table = NULL;
    c->sweep = gls_strdup(c->ctx, folder);
    if (path && gls_report_is_file(path) && gls_read_file(c->ctx, path, SWEEP_LIMIT, &text, &size) == GLS_OK)
        c->table = json_loadb(text, (size_t)size, 0, NULL);
    gls_free(c->ctx, text);
    gls_free(c->ctx, path);
    return path && c->sweep ? GLS_OK : GLS_ERR_MEMORY;
}

/* The values of the swept keys in the trial of that folder, or NULL. */
static json_t *trial_settings(const collection *c, const char *folder) {
    size_t i, length;
    json_t *trial;
    const char *name = last_name(folder, &length);
    json_array_foreach(json_object_get(c->table, "trials"), i, trial) {
        const char *own = json_string_value(json_object_get(trial, "folder"));
        json_t *set = json_object_get(trial, "set");
        if (own && strlen(own) == length && strncmp(own, name, length) == 0 && json_is_object(set)) return set;
    }
    return NULL;
}

/* Name of the sweep for people: the trial's name without its own folder, or the folder that was given. */
static gls_status add_sweep(collection *c, const gls_report_place *place, const char *name, json_t *group) {
    size_t length;
    const char *slash = strrchr(name, '/');
    GLS_TRY(open_sweep(c, place->sweep));
    const char *last = last_name(place->sweep, &length);
    char *label =
        slash ? gls_sprintf(c->ctx, "%.*s", (int)(slash - name), name) : gls_sprintf(c->ctx, "%.*s", (int)length, last);
    json_t *set = trial_settings(c, place->folder);
    bool failed = !label || json_object_set_new(group, "sweep", gls_report_text(c->ctx, label));
    if (set) failed |= json_object_set(group, "set", set) != 0;
    gls_free(c->ctx, label);
    return failed ? no_memory(c->ctx) : GLS_OK;
}

/* ---- groups ---- */

static gls_status append_group(collection *c, const gls_report_place *place, const char *name) {
    json_t *group = json_pack("{s:o, s:o, s:[]}", "name", gls_report_text(c->ctx, name), "folder",
                              gls_report_text(c->ctx, place->folder), "runs");
    json_t *runs = json_object_get(group, "runs");
    gls_status status = group ? GLS_OK : no_memory(c->ctx);
    if (status == GLS_OK)
        status = place->seeds ? append_seeds(c, place, name, runs) : append_run(c, place->folder, name, runs);
    if (status == GLS_OK && place->sweep) status = add_sweep(c, place, name, group);
    if (status == GLS_OK && json_array_size(runs) && json_array_append(c->groups, group)) status = no_memory(c->ctx);
    json_decref(group);
    return status;
}

/* What is below a folder is named by its path there; where several were given, that begins with the folder's own name.
 */
static gls_status append_folder(collection *c, const char *folder, bool several) {
    gls_report_places places;
    size_t length;
    const char *last = last_name(folder, &length);
    gls_status status = gls_report_places_find(c->ctx, folder, &places);
    if (status != GLS_OK) {
        gls_report_places_clear(&places);
        return skip(c, folder, status);
    }
    for (int64_t i = 0; i < places.count && status == GLS_OK; i++) {
        const char *below = places.place[i].name;
        char *name = !*below   ? gls_sprintf(c->ctx, "%.*s", (int)length, last)
                     : several ? gls_sprintf(c->ctx, "%.*s/%s", (int)length, last, below)
                               : gls_strdup(c->ctx, below);
        status = name ? append_group(c, &places.place[i], name) : GLS_ERR_MEMORY;
        gls_free(c->ctx, name);
    }
    gls_report_places_clear(&places);
    return status;
}

static const char *text_at(const json_t *groups, size_t i, const char *key) {
    const char *text = json_string_value(json_object_get(json_array_get(groups, i), key));
    return text ? text : "";
}

/* Groups of one name go by their whole paths instead. */
static gls_status tell_apart(collection *c) {
    size_t count = json_array_size(c->groups);
    for (size_t i = 0; i < count; i++) {
        bool twice = false;
        for (size_t k = i + 1; k < count; k++) {
            if (strcmp(text_at(c->groups, i, "name"), text_at(c->groups, k, "name")) != 0) continue;
            json_t *other = json_array_get(c->groups, k);
            if (json_object_set(other, "name", json_object_get(other, "folder"))) return no_memory(c->ctx);
            twice = true;
        }
        json_t *group = json_array_get(c->groups, i);
        if (twice && json_object_set(group, "name", json_object_get(group, "folder"))) return no_memory(c->ctx);
    }
    return GLS_OK;
}

static gls_status collect(collection *c, const char *const *folders, int64_t count) {
    for (int64_t i = 0; i < count; i++) GLS_TRY(append_folder(c, folders[i], count > 1));
    GLS_TRY(check_some(c));
    return tell_apart(c);
}

/* ---- the page ---- */

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

/* In a script element "<" could begin its end, or a comment that swallows it. In JSON it stands in texts alone, where
 * it may be spelt otherwise. */
static gls_status write_json(gls_context *ctx, gls_writer *writer, const json_t *data) {
    char *text = json_dumps(data, JSON_COMPACT | JSON_REAL_PRECISION(9));
    gls_status status = text ? GLS_OK : no_memory(ctx);
    for (char *at = text, *next; status == GLS_OK && *at; at = next) {
        next = strchrnul(at, '<');
        status = gls_writer_write(writer, at, next - at);
        if (status != GLS_OK || !*next) continue;
        status = gls_writer_write(writer, "\\u003c", 6);
        next++;
    }
    free(text);
    return status;
}

static gls_status write_text(gls_writer *writer, const char *text) {
    return gls_writer_write(writer, text, (int64_t)strlen(text));
}

/* In the order in which they need each other. */
static const char *const scripts[] = {gls_asset_page_js,
                                      gls_asset_curves_js,
                                      gls_asset_measures_js,
                                      gls_asset_findings_js,
                                      gls_asset_tables_js,
                                      gls_asset_start_js,
                                      NULL};

static gls_status write_page(gls_context *ctx, gls_writer *writer, const char *title, const json_t *data) {
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
    for (const char *const *script = scripts; *script; script++) {
        GLS_TRY(write_text(writer, "</script>\n<script>\n"));
        GLS_TRY(write_text(writer, *script));
    }
    return write_text(writer, "</script>\n</body>\n</html>\n");
}

/* The page shows the warnings too; the log has them at once. */
static void log_warnings(gls_context *ctx, const json_t *groups, const json_t *skipped) {
    size_t g, r, w;
    json_t *group, *run, *text;
    json_array_foreach(skipped, g, group)
        gls_log(ctx, GLS_LOG_WARNING, "report: left out: %s", json_string_value(json_object_get(group, "why")));
    json_array_foreach(groups, g, group) {
        json_array_foreach(json_object_get(group, "runs"), r, run) {
            json_array_foreach(json_object_get(run, "warnings"), w, text) {
                gls_log(ctx, GLS_LOG_WARNING, "report: %s: %s", json_string_value(json_object_get(run, "name")),
                        json_string_value(text));
            }
        }
    }
}

static char *title_of(const collection *c, const char *given, const char *folder) {
    size_t length, groups = json_array_size(c->groups);
    const char *last = last_name(folder, &length);
    if (given) return gls_strdup(c->ctx, given);
    return groups == 1 ? gls_sprintf(c->ctx, "Run %.*s", (int)length, last)
                       : gls_sprintf(c->ctx, "%zu runs compared", groups);
}

static gls_status write_collection(collection *c, const gls_report_options *options, const char *folder, double refresh,
                                   const char *path) {
    gls_writer *writer = NULL;
    json_t *data = json_pack("{s:O, s:O, s:f}", "groups", c->groups, "skipped", c->skipped, "refresh", refresh);
    char *title = data ? title_of(c, options ? options->title : NULL, folder) : NULL;
    if (!(refresh > 0)) log_warnings(c->ctx, c->groups, c->skipped);
    gls_status status = title ? gls_writer_open(c->ctx, path, &writer) : no_memory(c->ctx);
    if (status == GLS_OK) status = write_page(c->ctx, writer, title, data);
    if (status == GLS_OK)
        status = gls_writer_commit(writer);
    else
        gls_writer_abort(writer);
    gls_free(c->ctx, title);
    json_decref(data);
    return status;
}

gls_status gls_report_write(gls_context *ctx, const char *const *runs, int64_t count, const gls_report_options *options,
                            const char *path) {
    GLS_GIVEN(ctx, ctx, path);
    if (count > 0) GLS_GIVEN(ctx, runs);
    if (count < 1) return gls_fail(ctx, GLS_ERR_ARGUMENT, "report: expected at least one run folder");
    if (options && options->size != sizeof *options)
        return gls_fail(ctx, GLS_ERR_ARGUMENT, "report: options have size %zu, expected %zu", options->size,
                        sizeof *options);
    collection c = {.ctx = ctx, .groups = json_array(), .skipped = json_array()};
    gls_status status = c.groups && c.skipped ? collect(&c, runs, count) : no_memory(ctx);
    if (status == GLS_OK) status = write_collection(&c, options, runs[0], options ? options->refresh : 0, path);
    gls_free(ctx, c.sweep);
    json_decref(c.table);
    json_decref(c.groups);
    json_decref(c.skipped);
    return status;
}

gls_status gls_report_ended(gls_context *ctx, const char *const *runs, int64_t count, bool *ended) {
    GLS_GIVEN(ctx, ctx, ended);
    if (count > 0) GLS_GIVEN(ctx, runs);
    *ended = true;
    for (int64_t i = 0; i < count && *ended; i++) {
        gls_report_places places;
        gls_status status = gls_report_places_find(ctx, runs[i], &places);
        for (int64_t p = 0; p < places.count && *ended; p++) *ended = gls_report_place_ended(ctx, &places.place[p]);
        gls_report_places_clear(&places);
        if (status != GLS_OK && count == 1) return status; /* else it is left out */
    }
    return GLS_OK;
}
