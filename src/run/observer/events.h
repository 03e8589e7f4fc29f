/* TensorBoard event files: records of scalars and histograms, framed with masked CRC-32C. */
#ifndef GLS_RUN_EVENTS_H
#define GLS_RUN_EVENTS_H

#include <glissade/base.h>

typedef struct gls_events gls_events;

/* Begins a file events.out.tfevents.SECONDS.NANOSECONDS.PID.glissade in a folder that is there. What is written can be
 * read while the file grows. first: the first step that may be told; of steps from there on TensorBoard then forgets
 * what earlier files of the folder hold, which a killed run wrote after its last checkpoint. */
gls_status gls_events_create(gls_context *ctx, const char *folder, int64_t first, gls_events **out);
/* A failure to write is reported by gls_events_flush. */
void gls_events_scalar(gls_events *events, int64_t step, const char *tag, double value);
/* A histogram: bucket i counts values in (limit[i-1], limit[i]]. */
void gls_events_histogram(gls_events *events, int64_t step, const char *tag, int64_t buckets, const double *limit,
                          const double *count);
gls_status gls_events_flush(gls_events *events);
void gls_events_destroy(gls_events *events); /* flushes; NULL is legal */

#endif
