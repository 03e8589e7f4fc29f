/* One run folder as JSON, which the page's script draws. */
#ifndef GLS_REPORT_RUN_FOLDER_H
#define GLS_REPORT_RUN_FOLDER_H

#include <glissade/base.h>
#include <jansson.h>

/* {name, config: {"method.lr": "0.1", ...}, defaults: ["method.beta", ...], result: {...} or null, series: {name:
 * {step, epoch, time, value}}, measures: [{step, measure, result}], meaningless: [{step, epoch, time, measure, why}],
 * warnings:
 * ["..."]}. A folder cut short by a crash is read as far as it goes, with a warning; GLS_ERR_INPUT names file, line and
 * field of what cannot be read. The caller owns *out. */
gls_status gls_report_folder_read(gls_context *ctx, const char *folder, const char *name, json_t **out);
/* defaults.c: the keys of its config whose values are those of their tables, or the plan's. */
gls_status gls_report_defaults(gls_context *ctx, json_t *run);
bool gls_report_is_file(const char *path); /* an ordinary one */
/* A text of JSON, which is UTF-8: other bytes become question marks. NULL without memory. */
json_t *gls_report_text(gls_context *ctx, const char *text);

#endif
