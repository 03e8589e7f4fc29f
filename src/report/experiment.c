/* The page about an experiment, from its result.json alone. */
#include <glissade/report.h>

#include <string.h>

#include "base/io.h"
#include "report/assets.h"
#include "report/page.h"

enum { RESULT_LIMIT = 256 << 20 };

static const char *const scripts[] = {gls_asset_page_js, gls_asset_frame_js, gls_asset_experiment_js, NULL};

static gls_status read_result(gls_context *ctx, const char *path, json_t **out) {
    char *text = NULL;
    int64_t size = 0;
    json_error_t error = {0};
    GLS_TRY(gls_read_file(ctx, path, RESULT_LIMIT, &text, &size));
    *out = json_loadb(text, (size_t)size, 0, &error);
    gls_free(ctx, text);
    if (!*out) return gls_fail(ctx, GLS_ERR_INPUT, "%s:%d: %s", path, error.line, error.text);
    if (json_is_string(json_object_get(*out, "verdict"))) return GLS_OK;
    json_decref(*out);
    return gls_fail(ctx, GLS_ERR_INPUT, "%s: expected the result of an experiment, with field \"verdict\"", path);
}

gls_status gls_report_experiment(gls_context *ctx, const char *result, const char *path) {
    GLS_GIVEN(ctx, ctx, result, path);
    json_t *found = NULL;
    GLS_TRY(read_result(ctx, result, &found));
    json_t *data = json_pack("{s:[], s:O}", "groups", "experiment", found);
    const char *title = json_string_value(json_object_get(found, "title"));
    gls_report_page page = {title ? title : "Experiment", "glissade experiment", "verdict", scripts, data};
    gls_status status =
        data ? gls_report_page_write(ctx, &page, path) : gls_fail(ctx, GLS_ERR_MEMORY, "report: out of memory");
    json_decref(data);
    json_decref(found);
    return status;
}
