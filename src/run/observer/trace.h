/* A file of lines that a resumed run continues: metrics.jsonl, measures.jsonl. */
#ifndef GLS_RUN_TRACE_H
#define GLS_RUN_TRACE_H

#include <glissade/base.h>

typedef struct gls_trace gls_trace;
/* position: the bytes that the checkpoint resumed from knows; what is behind them is cut off. */
gls_status gls_trace_open(gls_context *ctx, const char *folder, const char *file, int64_t position, gls_trace **out);
void gls_trace_close(gls_trace *trace); /* without flushing */
void gls_trace_text(gls_trace *trace,
                    const char *line); /* a whole line, without its end; NULL: memory was lacking for it */
void gls_trace_line(gls_trace *trace, int64_t step, double epoch, double seconds, const char *name, double value);
/* To the file, or the reason why a line could not be written; *position is the length of the file. */
gls_status gls_trace_flush(gls_trace *trace, int64_t *position);

#endif
