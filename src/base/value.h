/* Where a value was written, for messages; and names that a context keeps. */
#ifndef GLS_BASE_VALUE_H
#define GLS_BASE_VALUE_H

#include <glissade/base.h>

enum { GLS_ORIGIN_TEXT = 512 }; /* a file's name and a line; longer names are cut in messages */

/* "file:12: " where the value knows it, "file: " or "" else; value may be NULL. Returns text. */
const char *gls_value_origin(const gls_value *value, char text[GLS_ORIGIN_TEXT]);

/* A clone under another key; key NULL: none. */
gls_value *gls_value_clone_as(gls_context *ctx, const gls_value *value, const char *key);

/* Takes a key and its value out of a map; nothing where there is none. */
void gls_value_remove(gls_context *ctx, gls_value *map, const char *key);

/* A copy of the name that lives as long as the context, the same one for equal names; NULL for NULL, and without memory
 * (with a message). */
const char *gls_context_name(gls_context *ctx, const char *name);

/* A message that would be the same again in this context is logged once. */
void gls_log_once(gls_context *ctx, gls_log_level level, const char *format, ...) GLS_PRINTF(3, 4);

#endif
