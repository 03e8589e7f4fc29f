/* Texts with labels, pairs of texts, questions with answers: one row of tokens each. */
#ifndef GLS_DATA_TEXT_LABELLED_H
#define GLS_DATA_TEXT_LABELLED_H

#include "data/source.h"
#include "data/text.h"
#include "data/token_rows.h"

/* Columns by name, or all by number from 1 where the file has no header. */
typedef struct gls_token_columns {
    const char *label;
    const gls_texts *texts; /* one or two */
    bool comma;             /* fields parted by commas, perhaps quoted; else by tabs */
    bool cut;               /* texts that do not fit are cut, the longer one first; else refused */
    bool bare;              /* labels are neither needed nor read */
    bool spans;             /* a label is a stretch of the second text, the answer to the first one */
} gls_token_columns;

/* What was read: row i has tokens [end[2i - 1], end[2i]) and [end[2i], end[2i + 1]) of the text, at line[i]. */
typedef struct gls_token_labelled {
    gls_context *ctx;
    gls_arena *arena;
    const char **label; /* [rows], or NULL where bare */
    int64_t *end, *line;
    int64_t *span; /* [rows, 2] of spans: the first and the last token of the answer in the second text */
    int64_t rows, room;
} gls_token_labelled;
/* Words and characters go into the text's vocabulary. GLS_ERR_INPUT names the line; GLS_ERR_ARGUMENT the column. */
gls_status gls_token_labelled_read(gls_token_text *text, const char *path, const gls_token_columns *columns,
                                   gls_token_labelled *out);
void gls_token_labelled_clear(gls_token_labelled *labelled);
/* How many tokens of each text a row holds: size is what there is and becomes what fits, the longer text being cut
 * first. false: it does not fit. */
bool gls_token_labelled_fit(const gls_tokenizer_frame *frame, bool cut, int64_t length, int64_t size[2]);
/* Rows of `length` tokens, padded, with classes or spans; names [count] are those of the tokens. The tokens are the
 * text's, or in the file, which is then taken; they go to it where rows do not fit into memory. */
gls_status gls_token_labelled_source(gls_token_text *text, gls_token_labelled *labelled,
                                     const gls_token_columns *columns, const gls_tokenizer_frame *frame, int64_t length,
                                     const char *const *names, int64_t count, const gls_data_info *like,
                                     gls_token_file *file, gls_source **out);

#endif
