/* A text as rows of tokens that does not fit into memory. */
#ifndef GLS_DATA_TOKEN_ROWS_H
#define GLS_DATA_TOKEN_ROWS_H

#include "data/stored.h"
#include "data/text.h"

/* The tokens of a text in a file. */
typedef struct gls_token_file {
    gls_stored *stored;
    int64_t tokens;
    int width;   /* bytes of a token: 1, or 4 */
    int32_t *to; /* what each number means, from gls_alloc; NULL: itself */
} gls_token_file;

/* Tokens [begin, begin + count) as the numbers that they mean. */
gls_status gls_token_file_read(const gls_token_file *file, gls_context *ctx, int64_t begin, int64_t count, int32_t *to);
void gls_token_file_expect(const gls_token_file *file, int64_t begin, int64_t end, bool soon);
/* Tokens that do not fit into memory go to text->file, if `text->spills`; else that is GLS_ERR_INPUT. To be called
 * when some have come. */
gls_status gls_token_text_spill(gls_token_text *text);
/* All of them, which are numbers as they are meant, although they would fit. */
gls_status gls_token_text_move(gls_token_text *text, gls_token_file *file);
/* What has gone there, once all have come; file->stored is NULL where all are in memory. */
gls_status gls_token_text_spilled(gls_token_text *text, gls_token_file *file);
/* Where a file's own bytes are its tokens, and do not fit into memory: the file itself; else file->stored is NULL. */
gls_status gls_token_file_of_bytes(gls_context *ctx, const char *path, gls_token_file *file);
/* A source with this info (of rows that go on where the one before ends), but without names; takes the file's parts,
 * also when it fails. */
gls_status gls_token_rows_own(gls_context *ctx, const gls_data_info *info, gls_token_file *file,
                              gls_owned_source **out);
/* The same of rows that are lines (text.h), each with its `end`; sets info->examples. GLS_ERR_INPUT as in memory. */
gls_status gls_token_lines_own(gls_context *ctx, const char *what, gls_data_info *info, int32_t end, bool packed,
                               gls_token_file *file, gls_owned_source **out);
void gls_token_file_clear(gls_context *ctx, gls_token_file *file);

#endif
