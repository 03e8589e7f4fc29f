/* Labelled texts whose tokens are in a file. */
#ifndef GLS_DATA_TOKEN_LABELLED_H
#define GLS_DATA_TOKEN_LABELLED_H

#include "data/text_labelled.h"

/* A source with this info, but without names; every row fits. Takes labelled->end, the label and the file's parts. */
gls_status gls_token_labelled_own(gls_context *ctx, const gls_data_info *info, const gls_tokenizer_frame *frame,
                                  bool cut, gls_token_labelled *labelled, int32_t **label, gls_token_file *file,
                                  gls_owned_source **out);

#endif
