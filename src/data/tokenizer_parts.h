/* What a tokenizer is made of, for the files that read, run and train it. */
#ifndef GLS_DATA_TOKENIZER_PARTS_H
#define GLS_DATA_TOKENIZER_PARTS_H

#include "data/tokenizer.h"
#include "data/vocabulary.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

/* ---- bytes and patterns ---- */

/* Bytes that grow. */
typedef struct gls_tokenizer_bytes {
    gls_context *ctx;
    char *at;
    int64_t count, room;
} gls_tokenizer_bytes;
gls_status gls_tokenizer_bytes_add(gls_tokenizer_bytes *bytes, const char *from, int64_t count);
gls_status gls_tokenizer_bytes_add_character(gls_tokenizer_bytes *bytes, uint32_t character);

/* A character, and *at moves behind it; the text is valid UTF-8. */
uint32_t gls_tokenizer_character(const char **at);
/* The character by which a byte-level vocabulary writes a byte; and back, or -1. */
uint32_t gls_tokenizer_character_of_byte(int byte);
int gls_tokenizer_byte_of_character(uint32_t character);

/* White space as Unicode has it, punctuation as BERT has it: insides of a class of PCRE2. */
#define GLS_TOKENIZER_SPACE \
    "\\x09-\\x0d\\x20\\x{85}\\x{a0}\\x{1680}\\x{2000}-\\x{200a}\\x{2028}\\x{2029}\\x{202f}\\x{205f}\\x{3000}"
#define GLS_TOKENIZER_PUNCTUATION "!-/:-@\\[-`{-~\\p{P}"
/* Where GPT-2 cuts words. */
#define GLS_TOKENIZER_WORDS                                                               \
    "'(?:[sdmt]|ll|ve|re)| ?\\p{L}+| ?\\p{N}+| ?[^" GLS_TOKENIZER_SPACE "\\p{L}\\p{N}]+|" \
    "[" GLS_TOKENIZER_SPACE "]+(?![^" GLS_TOKENIZER_SPACE "])|[" GLS_TOKENIZER_SPACE "]+"

typedef struct gls_tokenizer_pattern {
    pcre2_code *code;
    pcre2_match_data *data;
    pcre2_match_context *limits;
} gls_tokenizer_pattern;
/* GLS_ERR_INPUT in the name of `what`. */
gls_status gls_tokenizer_pattern_create(gls_context *ctx, const char *what, const char *pattern, bool literal,
                                        gls_tokenizer_pattern *out);
void gls_tokenizer_pattern_clear(gls_tokenizer_pattern *pattern);
/* The next match from *begin on; *begin is -1 if there is none. Empty matches are none. */
gls_status gls_tokenizer_pattern_next(gls_context *ctx, const gls_tokenizer_pattern *pattern, const char *text,
                                      int64_t bytes, int64_t *begin, int64_t *end);

/* ---- steps ---- */

typedef enum gls_tokenizer_normal_kind {
    GLS_TOKENIZER_BERT,
    GLS_TOKENIZER_FORM,
    GLS_TOKENIZER_LOWER,
    GLS_TOKENIZER_STRIP,
    GLS_TOKENIZER_UNMARK,
    GLS_TOKENIZER_REPLACE,
    GLS_TOKENIZER_PREPEND,
    GLS_TOKENIZER_CHARSMAP
} gls_tokenizer_normal_kind;

/* A step of normalising: text becomes another text. */
typedef struct gls_tokenizer_normal {
    gls_tokenizer_normal_kind kind;
    bool clean, chinese, unaccent, lower; /* of BERT */
    bool left, right;                     /* of STRIP */
    const struct unicode_normalization_form *form;
    gls_tokenizer_pattern pattern; /* of REPLACE */
    const char *text;              /* of REPLACE and PREPEND; of CHARSMAP all texts that end with NUL */
    const unsigned char *unit;     /* of CHARSMAP: [units] of 4 bytes */
    int64_t units, text_bytes;
} gls_tokenizer_normal;
/* Of CHARSMAP alone (tokenizer_charsmap.c). */
gls_status gls_tokenizer_map_characters(const gls_tokenizer_normal *step, const char *text, int64_t bytes,
                                        gls_tokenizer_bytes *to);
gls_status gls_tokenizer_normalize(gls_context *ctx, const gls_tokenizer_normal *step, const char *text, int64_t bytes,
                                   gls_tokenizer_bytes *to);

typedef enum gls_tokenizer_behavior {
    GLS_TOKENIZER_REMOVED,
    GLS_TOKENIZER_ISOLATED,
    GLS_TOKENIZER_MERGED_WITH_PREVIOUS,
    GLS_TOKENIZER_MERGED_WITH_NEXT,
    GLS_TOKENIZER_CONTIGUOUS
} gls_tokenizer_behavior;

typedef enum gls_tokenizer_prefix {
    GLS_TOKENIZER_PREFIX_NONE,
    GLS_TOKENIZER_PREFIX_FIRST,
    GLS_TOKENIZER_PREFIX_ALL
} gls_tokenizer_prefix;

/* A step of cutting: first a blank may be put in front, and blanks be replaced; then it is cut at a pattern. */
typedef struct gls_tokenizer_cut {
    bool whole; /* is not cut */
    gls_tokenizer_pattern pattern;
    gls_tokenizer_behavior behavior;
    bool inverted; /* what matches is the text, and what is between is the separator */
    gls_tokenizer_prefix prefix;
    const char *blank; /* what blanks become, or NULL */
    gls_tokenizer_bytes made;
} gls_tokenizer_cut;
/* Appends the words of a text to `to`; first: it is the beginning of all. */
gls_status gls_tokenizer_cut_words(gls_tokenizer *t, int step, const char *text, int64_t bytes, bool first,
                                   gls_token_list *to);

enum { GLS_TOKENIZER_STEPS = 8 };

/* ---- models ---- */

/* Pairs of numbers to a number, open addressing; value -1: not there. */
typedef struct gls_tokenizer_pairs {
    gls_context *ctx;
    struct {
        uint64_t key;
        int64_t value;
    } * slot;
    int64_t slots, taken;
} gls_tokenizer_pairs;
gls_status gls_tokenizer_pairs_create(gls_context *ctx, int64_t expected, gls_tokenizer_pairs *out);
void gls_tokenizer_pairs_clear(gls_tokenizer_pairs *pairs);
int64_t gls_tokenizer_pairs_get(const gls_tokenizer_pairs *pairs, int32_t a, int32_t b);
gls_status gls_tokenizer_pairs_set(gls_tokenizer_pairs *pairs, int32_t a, int32_t b, int64_t value);

typedef struct gls_tokenizer_added {
    const char *text, *normal; /* as it is, and as it is searched for */
    int64_t bytes;             /* of normal */
    int32_t token;
    bool before, behind; /* takes white space before and behind with it */
    bool normalized;
} gls_tokenizer_added;

/* Of a word that is being merged. */
typedef struct gls_tokenizer_symbol {
    int32_t token; /* -1: merged into the one before */
    int64_t before, next;
} gls_tokenizer_symbol;
typedef struct gls_tokenizer_candidate {
    int64_t rank_token, at; /* rank << 32 | token of the pair that begins at symbol `at` */
} gls_tokenizer_candidate;

/* Of a word: the best sum of scores up to a place, and the piece that ends there. */
typedef struct gls_tokenizer_path {
    double score;
    int64_t begin;
    int32_t token;
} gls_tokenizer_path;
typedef struct gls_tokenizer_unigram {
    double *score, least;
    gls_tokenizer_pairs edges; /* of the pieces' prefixes (tokenizer_unigram.c) */
    int32_t nodes;
    gls_tokenizer_path *path; /* [room] scratch */
    int64_t room;
} gls_tokenizer_unigram;

typedef enum gls_tokenizer_model {
    GLS_TOKENIZER_BPE,
    GLS_TOKENIZER_WORDPIECE,
    GLS_TOKENIZER_UNIGRAM
} gls_tokenizer_model;
typedef enum gls_tokenizer_spelling {
    GLS_TOKENIZER_SPELL_PARTED,
    GLS_TOKENIZER_SPELL_BYTES,
    GLS_TOKENIZER_SPELL_PIECES,
    GLS_TOKENIZER_SPELL_BLANKS
} gls_tokenizer_spelling;

struct gls_tokenizer {
    gls_context *ctx;
    gls_arena *arena;
    const char *json;

    gls_tokenizer_normal normal[GLS_TOKENIZER_STEPS];
    int normals;
    gls_tokenizer_bytes made[2]; /* by the steps in turn */
    gls_tokenizer_cut cut[GLS_TOKENIZER_STEPS];
    int cuts;
    gls_tokenizer_added *added;
    int64_t added_count;
    bool begins[256]; /* an added token begins with this byte */

    gls_tokenizer_model model;
    gls_vocabulary *words; /* of the model; id[number] is the token */
    int32_t *id;
    const char **names; /* [size] */
    int64_t size;
    int32_t unknown;      /* or -1 */
    bool fuses, fallback; /* BPE: unknown characters in a row are one token; become bytes */
    bool whole_words;     /* BPE: a word of the vocabulary is not merged */
    bool byte_level;
    int32_t byte[256];          /* tokens of single bytes, or -1 */
    gls_tokenizer_pairs merges; /* value: rank << 32 | token */
    const char *prefix;         /* WordPiece: of a piece that goes on */
    int64_t most_characters;
    gls_tokenizer_unigram unigram;

    gls_tokenizer_spelling spelling;
    bool tidy;                      /* no blank before . ? ! , and the like */
    const char *blank;              /* how a blank is written in names */
    gls_tokenizer_writing *writing; /* [size] */
    gls_tokenizer_frame single, pair;

    gls_vocabulary *seen; /* words with their tokens in store */
    struct {
        int64_t begin, tokens;
    } * place;
    int64_t places;
    gls_token_list store;
    gls_tokenizer_symbol *symbol; /* scratch of BPE */
    int64_t symbols;
    gls_tokenizer_candidate *heap;
    int64_t heap_room;
};

/* The token of a piece of the model, or -1. */
int32_t gls_tokenizer_piece(const gls_tokenizer *t, const char *text, int64_t bytes);
/* Appends the tokens of one word. */
gls_status gls_tokenizer_bpe(gls_tokenizer *t, const char *word, int64_t bytes, gls_token_list *to);
gls_status gls_tokenizer_wordpiece(gls_tokenizer *t, const char *word, int64_t bytes, gls_token_list *to);
gls_status gls_tokenizer_unigram_word(gls_tokenizer *t, const char *word, int64_t bytes, gls_token_list *to);
void gls_tokenizer_unigram_clear(gls_tokenizer *t);
gls_status gls_tokenizer_word(gls_tokenizer *t, const char *word, int64_t bytes, gls_token_list *to);
/* Fills writing once all else is there. */
gls_status gls_tokenizer_spell_all(gls_tokenizer *t);

/* ---- reading ---- */

struct json_t;
typedef struct gls_tokenizer_reading {
    gls_context *ctx;
    const char *what;
    gls_tokenizer *t;
} gls_tokenizer_reading;
/* GLS_ERR_INPUT: what, "tokenizer", the place and the sentence. */
gls_status gls_tokenizer_wrong(const gls_tokenizer_reading *r, const char *place, const char *format, ...)
    GLS_PRINTF(3, 4);
char *gls_tokenizer_keep(const gls_tokenizer_reading *r, const char *text);
/* GLS_ERR_INPUT naming the first field below `one` that is of another type than its key says. */
gls_status gls_tokenizer_check_types(const gls_tokenizer_reading *r, const struct json_t *one, const char *owner);
/* Of an object: a text, or NULL; true or false, `otherwise` where it is missing or null. */
const char *gls_tokenizer_text_of(const struct json_t *object, const char *key);
bool gls_tokenizer_bool_of(const struct json_t *object, const char *key, bool otherwise);
/* The model and its vocabulary; the steps around it. */
gls_status gls_tokenizer_read_model(const gls_tokenizer_reading *r, const struct json_t *root);
gls_status gls_tokenizer_read_unigram(const gls_tokenizer_reading *r, const struct json_t *model);
gls_status gls_tokenizer_read_charsmap(const gls_tokenizer_reading *r, const char *base64, gls_tokenizer_normal *n);
gls_status gls_tokenizer_read_normals(const gls_tokenizer_reading *r, const struct json_t *one);
gls_status gls_tokenizer_read_cuts(const gls_tokenizer_reading *r, const struct json_t *one);
gls_status gls_tokenizer_read_decoder(const gls_tokenizer_reading *r, const struct json_t *one);
gls_status gls_tokenizer_read_frames(const gls_tokenizer_reading *r, const struct json_t *one);

#endif
