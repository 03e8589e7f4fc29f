/* A text that grows: what the functions that print an object write into. A failed allocation is kept until the end, so
 * that they are plain sequences of calls. */
#ifndef GLS_BASE_PRINTOUT_H
#define GLS_BASE_PRINTOUT_H

#include <glissade/options.h>

typedef struct gls_printout {
    gls_context *ctx;
    char *text;
    int64_t length, room;
    bool failed;
} gls_printout;

void gls_printout_add(gls_printout *printout, const char *format, ...) GLS_PRINTF(2, 3);
/* "[3, 32, 32]" */
void gls_printout_add_shape(gls_printout *printout, int dims, const int64_t *shape);
/* A value on one line, as YAML's flow style: {from: 0.1, name: poly}. */
void gls_printout_add_value(gls_printout *printout, const gls_value *value);
/* One option: its schedule, its list or map, else its text; "-" where it has none. */
void gls_printout_add_option(gls_printout *printout, const gls_options *options, const gls_option *option);
/* The text, from gls_alloc; NULL with a message if memory ran out on the way. */
char *gls_printout_end(gls_printout *printout);

#endif
