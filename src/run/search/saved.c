/* Reads what a finished or unfinished run left in its folder: configuration, weights, traced figures. */
#include <glissade/run.h>

#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/io.h"

/* A line of metrics.jsonl is far shorter. */
enum { LONGEST_LINE = 1 << 20 };

gls_status gls_run_saved_config(gls_context *ctx, const char *folder, gls_value **out) {
    GLS_GIVEN(ctx, ctx, folder, out);
    *out = NULL;
    char *path = gls_sprintf(ctx, "%s/config.yaml", folder);
    if (!path) return GLS_ERR_MEMORY;
    gls_status status = GLS_OK;
    if (!gls_file_exists(path))
        status = gls_fail(ctx, GLS_ERR_FILE, "%s: this is not a run folder: it has no config.yaml", folder);
    gls_value *read = NULL;
    if (status == GLS_OK) status = gls_config_read(ctx, path, &read);
    if (status == GLS_OK && !read->count)
        status = gls_fail(ctx, GLS_ERR_INPUT, "%s: expected the configuration of a run, found nothing", path);
    /* What was read borrows the path for its messages; a clone has the name for its own. */
    if (status == GLS_OK && !(*out = gls_value_clone(ctx, read))) status = GLS_ERR_MEMORY;
    gls_value_destroy(ctx, read);
    gls_free(ctx, path);
    return status;
}

/* ---- weights ---- */

static gls_status weights_path(gls_context *ctx, const char *folder, const char *which, char **path, int64_t *step) {
    if (!which)
        *path = gls_strdup(ctx, folder); /* the run itself chooses: final, else its latest checkpoint */
    else if (strcmp(which, "best") == 0)
        *path = gls_sprintf(ctx, "%s/checkpoints/best.safetensors", folder);
    else if (strcmp(which, "final") == 0)
        *path = gls_sprintf(ctx, "%s/final.safetensors", folder);
    else {
        char *end;
        long long number = strtoll(which, &end, 10);
        if (*end || !*which || number < 0)
            return gls_fail(ctx, GLS_ERR_ARGUMENT, "weights '%s': expected best, final or the number of a step", which);
        *step = number;
        *path = gls_sprintf(ctx, "%s/checkpoints/step-%012lld.safetensors", folder, number);
    }
    return *path ? GLS_OK : GLS_ERR_MEMORY;
}

gls_status gls_run_saved_weights(gls_context *ctx, const char *folder, const char *which, char **path, int64_t *step) {
    GLS_GIVEN(ctx, ctx, folder, path);
    int64_t named = 0;
    *path = NULL;
    GLS_TRY(weights_path(ctx, folder, which, path, &named));
    if (step) *step = named;
    if (gls_file_exists(*path)) return GLS_OK;
    gls_fail(ctx, GLS_ERR_INPUT, "%s: the checkpoint does not exist", *path);
    gls_free(ctx, *path);
    *path = NULL;
    return GLS_ERR_INPUT;
}

/* ---- figures ---- */

static void read_figure(const char *text, int64_t length, const char *name, int64_t step, double *value) {
    json_t *line = json_loadb(text, (size_t)length, 0, NULL);
    const char *given = json_string_value(json_object_get(line, "name"));
    if (given && strcmp(given, name) == 0 && (!step || json_integer_value(json_object_get(line, "step")) <= step))
        *value = json_number_value(json_object_get(line, "value"));
    json_decref(line);
}

gls_status gls_run_saved_figure(gls_context *ctx, const char *folder, const char *name, int64_t step, double *value) {
    GLS_GIVEN(ctx, ctx, folder, name, value);
    char *path = gls_sprintf(ctx, "%s/metrics.jsonl", folder), *quoted = gls_sprintf(ctx, "\"%s\"", name), *text = NULL;
    gls_reader *reader = NULL;
    *value = NAN;
    gls_status status = path && quoted ? GLS_OK : GLS_ERR_MEMORY;
    if (status == GLS_OK && gls_file_exists(path)) status = gls_reader_open(ctx, path, &reader);
    for (int64_t length; status == GLS_OK && reader;) {
        status = gls_reader_line(reader, LONGEST_LINE, &text, &length);
        if (status != GLS_OK || !text) break;
        /* Only lines that name it are worth parsing: a trace may have millions. */
        if (strstr(text, quoted)) read_figure(text, length, name, step, value);
    }
    gls_reader_close(reader);
    gls_free(ctx, path);
    gls_free(ctx, quoted);
    return status;
}
