/* glissade/report.h: run folders made into one self-contained page. Reads run folders only. */
#ifndef GLISSADE_REPORT_H
#define GLISSADE_REPORT_H

#include "base.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct gls_report_options {
    size_t size;
    const char *title; /* NULL: made from the runs' names */
    double refresh;    /* seconds after which the page loads itself anew; 0: never */
} gls_report_options;

/* Writes an HTML page that compares runs: summary, configuration differences, curves and measures. Each entry of runs
 * is a run folder, or a folder of runs that differ in their seed (seed-1, seed-2, ...), drawn as one line with a band.
 * The page needs no network and no other file. options may be NULL. GLS_ERR_FILE or GLS_ERR_INPUT naming the folder and
 * file that is missing or broken. */
GLS_API gls_status gls_report_write(gls_context *ctx, const char *const *runs, int64_t count,
                                    const gls_report_options *options, const char *path);

#ifdef __cplusplus
}
#endif
#endif
