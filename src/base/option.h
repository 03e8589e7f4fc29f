/* One option of a table: what its value takes in memory, how it is read and how it is written. An object of options
 * (options.c) keeps the struct and what the struct points at. */
#ifndef GLS_BASE_OPTION_H
#define GLS_BASE_OPTION_H

#include <glissade/options.h>

/* Bytes of an option's field in its struct. */
size_t gls_option_size(const gls_option *option);
/* Whether the field holds the whole value; otherwise it points at a text, a tree, items or a struct. */
bool gls_option_plain(const gls_option *option);
/* The words that a size may be, for -1, -2, ...: "all", or what its row says. */
const char *gls_option_size_words(const gls_option *option);
/* Whether a number lies within minimum and maximum, as the flags say. */
bool gls_option_within(const gls_option *option, double value);

/* Memory that a value points at, one block behind the other; a map's block holds its options. */
typedef struct gls_option_memory {
    struct gls_option_memory *next;
    gls_options *options;
    max_align_t data[];
} gls_option_memory;

void gls_option_memory_free(gls_context *ctx, gls_option_memory *first);

typedef struct gls_option_reader {
    gls_context *ctx;
    const char *owner; /* who speaks in messages */
    gls_option_memory *memory;
} gls_option_reader;

/* Reads a value into `to` [gls_option_size]; key is how messages call it ("betas[1]"). Trees and strings point into
 * value, which must live as long as what was read; all else is in reader->memory, also after a failure. */
gls_status gls_option_read(gls_option_reader *reader, const gls_option *option, const char *key, const gls_value *value,
                           void *to);

/* "FILE:12: option 'betas[1]' of method adam: expected a number at least 0 and below 1, found '2'". */
gls_status gls_option_fail(const gls_option_reader *reader, const gls_option *option, const char *key,
                           const gls_value *found);
/* What is at `at` as a tree; *out is NULL where it is absent. */
gls_status gls_option_write(gls_context *ctx, const gls_option *option, const char *key, const void *at,
                            gls_value **out);

#endif
