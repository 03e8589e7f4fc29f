/* An observer that writes lines into a file of the run folder, on rank 0; its state is how far it got. */
#ifndef GLS_RUN_LINES_H
#define GLS_RUN_LINES_H

#include "run/loop/run.h"
#include "run/observer/trace.h"

typedef struct gls_lines {
    gls_context *ctx;
    const char *file;     /* name in the folder */
    const char *position; /* name of its array, "trainer/trace" */
    bool wanted;
    gls_trace *trace; /* NULL: not open */
    int64_t bytes;    /* of the file at the last flush */
} gls_lines;

/* Adds the observer: all verbs but figure and measured are filled in. */
gls_status gls_lines_observe(gls_run *run, const gls_lines *lines, gls_observer observer);

#endif
