/* Text as tokens: what words, characters, bytes and sub-words are, and how lines become rows. */
#ifndef GLS_DATA_TEXT_H
#define GLS_DATA_TEXT_H

#include "data/tokenizer.h"
#include "data/vocabulary.h"

struct gls_reader;

typedef enum gls_token_unit { GLS_TOKEN_WORD, GLS_TOKEN_CHARACTER, GLS_TOKEN_BYTE, GLS_TOKEN_SUBWORD } gls_token_unit;
#define GLS_TOKEN_UNIT_CHOICES "word|char|byte|subword"

/* The first words of every vocabulary that is built, and how many kinds of bytes there are. */
enum { GLS_TOKEN_UNKNOWN, GLS_TOKEN_END_OF_LINE, GLS_TOKEN_FIXED, GLS_TOKEN_BYTES = 256 };
extern const char *const gls_token_fixed[GLS_TOKEN_FIXED];

/* A text as one row of numbers, which grows. */
typedef struct gls_token_text {
    gls_context *ctx;
    const char *what; /* for messages: the file, or an option */
    gls_token_unit unit;
    gls_token_list list;
    gls_vocabulary *vocabulary; /* of words and characters */
    bool fixed;                 /* no word is added to it */
    bool refuses;               /* a word that is not in it, also where it has <unk> */
    int64_t line;               /* the number of the present line */
    int64_t words, unknown;     /* looked up in a fixed vocabulary, and of those how many became <unk> */
    gls_tokenizer *tokenizer;   /* of sub-words, borrowed */
    int32_t end;                /* of sub-words: ends every line instead of its line break; -1: none does */
    bool spills;                /* tokens that do not fit into memory go to a file */
    struct gls_stored *file;    /* the first `stored` ones, or NULL */
    int64_t stored;
} gls_token_text;

/* Begins a vocabulary with these words; NULL: the fixed ones, and `fixed` stays false. GLS_ERR_INPUT for a word that
 * comes twice. */
gls_status gls_token_text_begin(gls_token_text *text, const char *const *words, int64_t count);
/* Sub-words of lines or of a whole text, as UTF-8. */
gls_status gls_token_text_read_subwords(gls_token_text *text, struct gls_reader *reader);
gls_status gls_token_text_parse_subwords(gls_token_text *text, const char *from, int64_t bytes);
/* GLS_ERR_INPUT for a line that is not UTF-8 or holds a NUL byte. */
gls_status gls_token_text_check(const gls_token_text *text, const char *line, int64_t length);
/* What is left in the reader. Every line of words and characters ends with <eos>. GLS_ERR_INPUT names the line. */
gls_status gls_token_text_read(gls_token_text *text, struct gls_reader *reader);
/* A text in memory; its last line ends only if a line break says so. */
gls_status gls_token_text_parse(gls_token_text *text, const char *from);
/* Frees tokens and vocabulary. */
void gls_token_text_clear(gls_token_text *text);

/* What the tokens of a set are. */
typedef struct gls_token_language {
    gls_token_unit unit;
    const char *const *names; /* [count], borrowed */
    int64_t count;
    gls_tokenizer *tokenizer; /* of sub-words */
    int32_t end;              /* the token that ends a line, or -1 */
} gls_token_language;
/* Of a trained model: options are those of its format (a map or NULL). */
gls_status gls_token_language_create(gls_context *ctx, const char *what, const gls_value *options,
                                     const gls_data_info *info, gls_token_language *out);
void gls_token_language_clear(gls_token_language *language);
/* Of words, characters and bytes: the token that ends a line, or -1 where the names have none. */
int32_t gls_token_end_of_line(gls_token_unit unit, const char *const *names, int64_t count);
/* Of sub-words: the one of that name; "": none, or with `needed` the first that is there of those that others use.
 * GLS_ERR_ARGUMENT where there is none. */
gls_status gls_token_end_of_subwords(gls_context *ctx, const gls_tokenizer *tokenizer, const char *name, bool needed,
                                     int32_t *end);
/* Characters of a token's text behind the token `before` (-1: none), white space included: a word's own and the blank
 * or line break behind it, the end of a line only where no word is before it; of UTF-8, a byte that goes on with a
 * character counts none. */
int64_t gls_token_characters(const gls_token_language *language, int32_t token, int32_t before);
/* How a token is written behind others: bytes of text, parted from them by a blank or not. */
typedef struct gls_token_spelling {
    bool parted;
    const char *text;
    int64_t bytes;
} gls_token_spelling;
/* line_begins: kept from one token to the next, true at first; byte: room for one. */
gls_token_spelling gls_token_spell(const gls_token_language *language, int32_t token, bool *line_begins, char *byte);
/* "a", or "0x0a" for a byte that does not print. */
void gls_token_byte_name(int byte, char text[8]);

/* Lines as rows of `length` positions: the end of a line, then its tokens; the label of each is the next one, of the
 * last the end of the line. One line a row, or packed: as many as fit, in order. Lines without tokens are left out.
 * All three are [rows, length] in one block from gls_alloc that begins with token. */
typedef struct gls_token_rows {
    int64_t rows;
    int32_t *token, *label, *document;
} gls_token_rows;
/* Where the next line goes; begins with `line` and `used` 0, `row` -1. */
typedef struct gls_token_seat {
    gls_context *ctx;
    const char *what;
    int64_t length;
    bool packed;
    int64_t line, row, used; /* the last line's number and row, and the positions in use there */
    int32_t document;        /* of the last line in its row */
} gls_token_seat;
/* The next line, of so many tokens and its end: *at is the first of its positions, counted from the first row's; -1: it
 * is left out. GLS_ERR_INPUT for a line that is longer than a row. */
gls_status gls_token_seat_take(gls_token_seat *seat, int64_t tokens, int64_t *at);
/* GLS_ERR_INPUT names a line that is longer than a row. token stays NULL where the rows do not fit into memory. */
gls_status gls_token_rows_of_lines(const gls_token_text *text, int32_t end, int64_t length, bool packed,
                                   gls_token_rows *out);

#endif
