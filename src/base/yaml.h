/* YAML to trees of values and back, by libyaml. */
#ifndef GLS_BASE_YAML_H
#define GLS_BASE_YAML_H

#include <glissade/base.h>

/* The deepest value that is read; the outermost is at 0. */
enum { GLS_YAML_DEPTH = 40 };

/* One document from text of `size` bytes; an empty one gives NULL. name is used for the file in messages and in
 * value->file. Depth and number of values are bounded, keys may not repeat. GLS_ERR_INPUT with line and column. */
gls_status gls_yaml_parse(gls_context *ctx, const char *name, const char *text, int64_t size, gls_value **out);
/* A text that comes from no file, nor do its values; messages begin with `what`. */
gls_status gls_yaml_parse_text(gls_context *ctx, const char *what, const char *text, gls_value **out);
/* One document from a file of at most 4 MiB. */
gls_status gls_yaml_read_file(gls_context *ctx, const char *path, gls_value **out);
/* YAML that reads to the same tree; from gls_alloc, NULL without memory. */
char *gls_yaml_text(gls_context *ctx, const gls_value *value);

#endif
