/* glissade/report.h: run folders made into one self-contained page. Reads run folders only. */
#ifndef GLISSADE_REPORT_H
#define GLISSADE_REPORT_H

#include <glissade/base.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct gls_report_options {
    size_t size;
    const char *title; /* NULL: made from the runs' names */
    double refresh;    /* seconds after which an open page reloads itself and keeps its view; 0: never */
} gls_report_options;

/* Writes an HTML page that compares runs: what their gradients say, summary, configuration differences, curves and
 * measures. Each entry of runs is a run folder, or any folder that holds runs, which is walked. Runs that differ in
 * their seed (seed-1, seed-2, ...) are drawn as one line with a band; trials of a sweep are one table by the swept
 * keys. The page needs no network and no other file. options may be NULL. A run that a crash cut short is shown as far
 * as it goes, and one that is broken, or a folder without runs, is left out; the page and, unless it refreshes itself,
 * the context's log say so. GLS_ERR_INPUT if no run is left, naming the folder, file, line and field that is missing or
 * broken; GLS_ERR_FILE if the page cannot be written. */
GLS_API gls_status gls_report_write(gls_context *ctx, const char *const *runs, int64_t count,
                                    const gls_report_options *options, const char *path);

/* Whether all runs in these folders have ended (written result.json), every seed of a run with several. */
GLS_API gls_status gls_report_ended(gls_context *ctx, const char *const *runs, int64_t count, bool *ended);

/* Writes the page about an experiment from its result.json (gls_experiment_run): verdict, figures beside the paper's
 * numbers, arms. GLS_ERR_INPUT for a file that is something else. */
GLS_API gls_status gls_report_experiment(gls_context *ctx, const char *result, const char *path);

#ifdef __cplusplus
}
#endif
#endif
