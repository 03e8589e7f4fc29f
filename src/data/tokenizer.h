/* Sub-words: tokenizers in Hugging Face's format tokenizer.json, with the ids of the package `tokenizers`. */
#ifndef GLS_DATA_TOKENIZER_H
#define GLS_DATA_TOKENIZER_H

#include <glissade/data.h>

typedef struct gls_tokenizer gls_tokenizer;

/* From a file, or from its text; what: its name, for messages. GLS_ERR_INPUT for JSON that is no tokenizer, and for
 * what is not supported, by its name: models are BPE, WordPiece and Unigram. */
gls_status gls_tokenizer_read(gls_context *ctx, const char *path, gls_tokenizer **out);
gls_status gls_tokenizer_parse(gls_context *ctx, const char *what, const char *json, gls_tokenizer **out);
void gls_tokenizer_destroy(gls_tokenizer *tokenizer);

/* Its JSON on one line; tokens are in [0, size); their names; the number of a name, or -1. */
const char *gls_tokenizer_json(const gls_tokenizer *tokenizer);
int64_t gls_tokenizer_size(const gls_tokenizer *tokenizer);
const char *const *gls_tokenizer_names(const gls_tokenizer *tokenizer);
int32_t gls_tokenizer_find(const gls_tokenizer *tokenizer, const char *name);

/* A list of tokens that grows; token is from gls_alloc. */
typedef struct gls_token_list {
    int32_t *token;
    int64_t tokens, room;
} gls_token_list;
gls_status gls_token_list_reserve(gls_context *ctx, gls_token_list *list, int64_t more);
gls_status gls_token_list_add(gls_context *ctx, gls_token_list *list, int32_t token);

/* Appends the tokens of a text of valid UTF-8, without those that the post-processor would add. Not for two threads at
 * once: words are remembered. */
gls_status gls_tokenizer_encode(gls_tokenizer *tokenizer, const char *text, int64_t bytes, gls_token_list *to);

/* What the post-processor makes of one text, or of two: tokens and texts in turn, with their segments. */
typedef struct gls_tokenizer_frame {
    struct {
        int32_t token; /* -1: the first text, -2: the second */
        int32_t segment;
    } item[16];
    int items;
} gls_tokenizer_frame;
const gls_tokenizer_frame *gls_tokenizer_frame_of(const gls_tokenizer *tokenizer, bool pair);

/* How a token is written behind others: bytes of text, parted from them by a blank or not, but never at the beginning.
 */
typedef struct gls_tokenizer_writing {
    const char *text;
    int64_t bytes;
    bool parted;
    bool leads; /* its text begins with a blank that is left out at the beginning */
} gls_tokenizer_writing;
gls_tokenizer_writing gls_tokenizer_write(const gls_tokenizer *tokenizer, int32_t token);

/* ---- making one ---- */

/* Byte pairs of a text, as `size` tokens: the special ones, 256 bytes, then merges of the commonest pairs (of equally
 * common ones that of the lower numbers), of words as GPT-2 cuts them; json from gls_alloc. special is NULL-terminated.
 */
gls_status gls_tokenizer_train(gls_context *ctx, const char *what, const char *text, int64_t bytes, int64_t size,
                               const char *const *special, char **json);

#endif
