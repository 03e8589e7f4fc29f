/* Rows of tokens in memory. */
#ifndef GLS_DATA_TOKENS_H
#define GLS_DATA_TOKENS_H

#include "data/source.h"

typedef struct gls_token_source {
    gls_owned_source owned;
    const int32_t *token; /* [tokens], row after row; the last row may end early */
    int64_t tokens;
    const int32_t *label;    /* [examples], or next tokens [tokens] */
    const int32_t *document; /* [tokens] where the info has documents */
    void *owns;              /* freed with the source, or NULL */
} gls_token_source;

/* [vocabulary] names of token rows, whatever their targets are, or NULL. */
const char *const *gls_token_names(const gls_data_info *info);
/* The place in its text of row j of a set with streams. */
int64_t gls_token_row_of(const gls_data_info *info, int64_t j);
/* One with this info but without class names; its arrays are the caller's to set. */
gls_status gls_token_source_create(gls_context *ctx, const gls_data_info *info, gls_token_source **out);

#endif
