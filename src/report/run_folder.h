/* One run folder as JSON: what the page's script draws. */
#ifndef GLS_REPORT_RUN_FOLDER_H
#define GLS_REPORT_RUN_FOLDER_H

#include <glissade/base.h>
#include <jansson.h>

/* {name, config: {"method.lr": "0.1", ...}, result: {...} or null, series: {name: {step, epoch, time, value}},
 * measures: [{step, measure, result}]}. The caller owns *out. */
gls_status gls_run_folder_read(gls_context *ctx, const char *folder, const char *name, json_t **out);
/* The seeds' folders of a run with several seeds, names relative to it, ascending; count 0 if it is a plain run. The
 * names are freed one by one and then the list, with gls_free. */
gls_status gls_run_folder_seeds(gls_context *ctx, const char *folder, char ***names, int64_t *count);

#endif
