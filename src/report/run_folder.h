/* One run folder as JSON, which the page's script draws. */
#ifndef GLS_REPORT_RUN_FOLDER_H
#define GLS_REPORT_RUN_FOLDER_H

#include <glissade/base.h>
#include <jansson.h>

/* {name, config: {"method.lr": "0.1", ...}, result: {...} or null, series: {name: {step, epoch, time, value}},
 * measures: [{step, measure, result}], warnings: ["..."]}. A folder cut short by a crash is read as far as it goes,
 * with a warning; GLS_ERR_INPUT names file, line and field of what cannot be read. The caller owns *out. */
gls_status gls_report_folder_read(gls_context *ctx, const char *folder, const char *name, json_t **out);
/* The seeds' folders of a run with several seeds (those that have a configuration), names relative to it, ascending;
 * count 0 if it is a plain run. The names are freed one by one and then the list, with gls_free. */
gls_status gls_report_folder_seeds(gls_context *ctx, const char *folder, char ***names, int64_t *count);
/* Whether the run, or each of its seeds, has ended. */
gls_status gls_report_folder_ended(gls_context *ctx, const char *folder, bool *ended);

#endif
