/* A text that grows: what the functions that print an object write into. A failed allocation is kept until the end, so
 * that they are plain sequences of calls. */
#ifndef GLS_BASE_LINES_H
#define GLS_BASE_LINES_H

#include <glissade/base.h>

typedef struct gls_lines {
    gls_context *ctx;
    char *text;
    int64_t length, room;
    bool failed;
} gls_lines;

void gls_lines_add(gls_lines *lines, const char *format, ...) GLS_PRINTF(2, 3);
/* "[3, 32, 32]" */
void gls_lines_add_shape(gls_lines *lines, int dims, const int64_t *shape);
/* A value on one line, as YAML's flow style: {from: 0.1, name: poly}. */
void gls_lines_add_value(gls_lines *lines, const gls_value *value);
/* One option: its schedule, its list or map, else its text; "-" where it has none. */
void gls_lines_add_option(gls_lines *lines, const gls_options *options, const gls_option *option);
/* The text, from gls_alloc; NULL with a message if memory ran out on the way. */
char *gls_lines_end(gls_lines *lines);

#endif
