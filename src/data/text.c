/* Format text: words or bytes, cut into rows of `length` tokens whose targets are the next tokens. */
#include "data/table.h"
#include "data/tokens.h"
#include "data/vocabulary.h"
#include "base/io.h"
#include "base/arith.h"
#include <stdio.h>
#include <string.h>

typedef struct text_options {
    int unit;
    int64_t length, vocabulary, min_count;
} text_options;

enum { UNIT_WORD, UNIT_BYTE };
/* Longer lines or words mean that the file is not text; `unit: byte` reads any file. */
enum { LINE_LIMIT = 1 << 26, WORD_LIMIT = 4096, BYTES = 256 };

static const gls_option text_table[] = {
    GLS_ENUM("unit", text_options, unit, "word", "word|byte",
             "what a token is; word: words between white space, and <eos> at the end of a line"),
    GLS_INT("length", text_options, length, "35", 1, 1 << 20, "tokens per example"),
    GLS_SIZE("vocabulary", text_options, vocabulary, "all", 2, INT32_MAX,
             "the most frequent words to keep, <unk> and <eos> among them; other words become <unk>"),
    GLS_INT("min_count", text_options, min_count, "1", 1, INT32_MAX, "rarer words of the training file become <unk>"),
    {0},
};

/* The first words of every vocabulary that is built. */
static const char *const fixed_words[] = {"<unk>", "<eos>"};
enum { UNKNOWN, END_OF_LINE, FIXED_WORDS };

/* The file as one row of numbers. */
typedef struct stream {
    gls_context *ctx;
    gls_reader *reader;
    int32_t *token;
    int64_t tokens, room;
    gls_vocabulary *vocabulary;
    bool fixed;      /* the training set's vocabulary: no word is added */
    int32_t unknown; /* the number of <unk>, or -1 */
} stream;

static gls_status reserve(stream *s, int64_t more) {
    if (s->tokens + more <= s->room) return GLS_OK;
    int64_t room = 2 * s->room > s->tokens + more ? 2 * s->room : s->tokens + more + 4096;
    int32_t *grown = gls_resize(s->ctx, s->token, room, sizeof *grown);
    if (!grown) return GLS_ERR_MEMORY;
    s->token = grown;
    s->room = room;
    return GLS_OK;
}

/* ---- words ---- */

static bool blank(char c) {
    return c == ' ' || (c >= '\t' && c <= '\r');
}

/* Outside of the training set an unknown word becomes <unk>, and is an error where the vocabulary has none. */
static gls_status add_word(stream *s, const char *word, int64_t length) {
    int32_t number;
    if (length > WORD_LIMIT)
        return gls_fail(s->ctx, GLS_ERR_INPUT, "%s:%lld: a word of %lld bytes, expected at most %d",
                        gls_reader_path(s->reader), (long long)gls_reader_line_number(s->reader), (long long)length,
                        WORD_LIMIT);
    if (!s->fixed) {
        GLS_TRY(gls_vocabulary_add(s->vocabulary, word, length, &number));
    } else {
        number = gls_vocabulary_find(s->vocabulary, word, length);
        if (number < 0) number = s->unknown;
        if (number < 0)
            return gls_fail(s->ctx, GLS_ERR_INPUT,
                            "%s:%lld: '%.*s' is not a word of the training set, whose vocabulary has no <unk>",
                            gls_reader_path(s->reader), (long long)gls_reader_line_number(s->reader),
                            length < 60 ? (int)length : 60, word);
    }
    GLS_TRY(reserve(s, 1));
    s->token[s->tokens++] = number;
    return GLS_OK;
}

static gls_status read_words(stream *s) {
    for (;;) {
        char *line;
        int64_t length;
        GLS_TRY(gls_reader_line(s->reader, LINE_LIMIT, &line, &length));
        if (!line) return GLS_OK;
        if ((int64_t)strlen(line) != length)
            return gls_fail(s->ctx, GLS_ERR_INPUT, "%s:%lld: a NUL byte, expected words (unit: byte reads any file)",
                            gls_reader_path(s->reader), (long long)gls_reader_line_number(s->reader));
        for (char *at = line; *at;) {
            while (blank(*at)) at++;
            char *word = at;
            while (*at && !blank(*at)) at++;
            if (at > word) GLS_TRY(add_word(s, word, at - word));
        }
        GLS_TRY(add_word(s, fixed_words[END_OF_LINE], (int64_t)strlen(fixed_words[END_OF_LINE])));
    }
}

/* The words of a training set, in their order; or the fixed ones, to which those of the file are added. */
static gls_status begin_vocabulary(stream *s, const gls_data_info *like) {
    int32_t number;
    const char *path = gls_reader_path(s->reader);
    s->fixed = like != NULL;
    GLS_TRY(gls_vocabulary_create(s->ctx, &s->vocabulary));
    if (like && (like->target != GLS_TARGET_TOKENS || !like->class_names))
        return gls_fail(s->ctx, GLS_ERR_INPUT, "%s: this file is text, but the training set has no words", path);
    const char *const *word = like ? like->class_names : fixed_words;
    int64_t words = like ? like->classes : FIXED_WORDS;
    for (int64_t k = 0; k < words; k++) {
        GLS_TRY(gls_vocabulary_add(s->vocabulary, word[k], (int64_t)strlen(word[k]), &number));
        if (number != k)
            return gls_fail(s->ctx, GLS_ERR_INPUT, "%s: the training set's vocabulary has '%.60s' twice", path,
                            word[k]);
    }
    s->unknown = gls_vocabulary_find(s->vocabulary, fixed_words[UNKNOWN], (int64_t)strlen(fixed_words[UNKNOWN]));
    return GLS_OK;
}

/* Numbers by frequency; names from gls_alloc, borrowing the vocabulary's texts. */
static gls_status rank_words(stream *s, const text_options *o, const char ***names, int64_t *count) {
    int32_t *to = gls_alloc(s->ctx, gls_vocabulary_size(s->vocabulary), sizeof *to);
    if (!to) return GLS_ERR_MEMORY;
    gls_status status = gls_vocabulary_rank(s->vocabulary, FIXED_WORDS, o->vocabulary, o->min_count, to, names, count);
    for (int64_t t = 0; status == GLS_OK && t < s->tokens; t++) s->token[t] = to[s->token[t]];
    gls_free(s->ctx, to);
    return status;
}

/* ---- bytes ---- */

static gls_status read_bytes(stream *s) {
    unsigned char piece[4096];
    for (;;) {
        int64_t got;
        GLS_TRY(gls_reader_read(s->reader, piece, sizeof piece, &got));
        if (!got) return GLS_OK;
        GLS_TRY(reserve(s, got));
        for (int64_t k = 0; k < got; k++) s->token[s->tokens++] = piece[k];
    }
}

/* "a", or "0x0a" for what does not print. */
static gls_status name_bytes(gls_owned_source *owned) {
    char text[BYTES][8];
    const char *name[BYTES];
    for (int k = 0; k < BYTES; k++) {
        snprintf(text[k], sizeof text[k], k > ' ' && k < 127 ? "%c" : "0x%02x", k);
        name[k] = text[k];
    }
    return gls_owned_class_names(owned, name, BYTES);
}

/* ---- opening ---- */

/* Takes the tokens; names NULL: bytes. */
static gls_status make_source(stream *s, const text_options *o, const char *const *names, int64_t count,
                              gls_source **out) {
    gls_token_source *made;
    gls_data_info info = {.examples = gls_parts(s->tokens - 1, o->length),
                          .length = o->length,
                          .target = GLS_TARGET_TOKENS,
                          .vocabulary = count};
    GLS_TRY(gls_token_source_create(s->ctx, &info, &made));
    made->token = s->token;
    made->label = s->token + 1;
    made->tokens = s->tokens - 1;
    made->owns = s->token;
    made->owned.source.has_mass = made->tokens % o->length != 0;
    s->token = NULL;
    gls_status status = names ? gls_owned_class_names(&made->owned, names, count) : name_bytes(&made->owned);
    if (status == GLS_OK)
        *out = &made->owned.source;
    else
        gls_source_destroy(&made->owned.source);
    return status;
}

/* The target of a token is the next one, so that there must be at least two. */
static gls_status read_all(stream *s, const text_options *o, const gls_data_info *like, gls_source **out) {
    const char **names = NULL;
    int64_t count = BYTES;
    if (o->unit == UNIT_BYTE) {
        if (like && like->vocabulary != BYTES)
            return gls_fail(s->ctx, GLS_ERR_INPUT,
                            "%s: the tokens are bytes, but the training set has %lld kinds of tokens",
                            gls_reader_path(s->reader), (long long)like->vocabulary);
        GLS_TRY(read_bytes(s));
    } else {
        GLS_TRY(begin_vocabulary(s, like));
        GLS_TRY(read_words(s));
        count = gls_vocabulary_size(s->vocabulary);
    }
    if (s->tokens < 2)
        return gls_fail(s->ctx, GLS_ERR_INPUT, "%s: %s, expected at least two tokens", gls_reader_path(s->reader),
                        s->tokens ? "one token" : "empty");
    gls_status status = GLS_OK;
    if (o->unit == UNIT_WORD && !like) status = rank_words(s, o, &names, &count);
    const char *const *words = o->unit == UNIT_BYTE ? NULL : like ? like->class_names : names;
    if (status == GLS_OK) status = make_source(s, o, words, count, out);
    gls_free(s->ctx, names);
    return status;
}

static gls_status open_text(gls_context *ctx, const char *path, const void *options, gls_part part,
                            const gls_data_info *like, gls_source **out) {
    stream s = {.ctx = ctx};
    GLS_TRY(gls_reader_open(ctx, path, &s.reader));
    gls_status status = read_all(&s, options, like, out);
    gls_reader_close(s.reader);
    gls_vocabulary_destroy(s.vocabulary);
    gls_free(ctx, s.token);
    return status;
}

/* ---- writing ---- */

typedef struct output {
    gls_writer *writer;
    const gls_data_info *info;
    bool bytes, line_begins;
    int32_t last; /* the label behind the last token, or -1 */
} output;

static gls_status write_token(output *o, int32_t token) {
    if (o->bytes) {
        unsigned char byte = (unsigned char)token;
        return gls_writer_write(o->writer, &byte, 1);
    }
    const char *word = o->info->class_names[token];
    bool ends = strcmp(word, fixed_words[END_OF_LINE]) == 0;
    if (!ends && !o->line_begins) GLS_TRY(gls_writer_write(o->writer, " ", 1));
    o->line_begins = ends;
    return ends ? gls_writer_write(o->writer, "\n", 1) : gls_writer_write(o->writer, word, (int64_t)strlen(word));
}

/* Every row's tokens; the last row's last label follows at the end. */
static gls_status write_rows(void *user, const gls_batch *batch, int64_t begin) {
    output *o = user;
    for (int64_t i = 0; i < batch->rows; i++)
        for (int64_t t = 0; t < batch->length; t++) {
            int32_t label = batch->label[i * batch->length + t];
            if (label < 0) break;
            GLS_TRY(write_token(o, batch->token[i * batch->length + t]));
            o->last = label;
        }
    return GLS_OK;
}

static gls_status write_text(gls_context *ctx, const gls_source *source, const char *path, const void *options) {
    const gls_data_info *info = &source->info;
    output o = {.info = info, .bytes = ((const text_options *)options)->unit == UNIT_BYTE, .last = -1};
    o.line_begins = true;
    if (info->target != GLS_TARGET_TOKENS || (o.bytes ? info->classes > BYTES : !info->class_names))
        return gls_fail(ctx, GLS_ERR_UNSUPPORTED, "%s: text holds rows of tokens with their next tokens%s", path,
                        o.bytes ? ", of 256 kinds where the unit is a byte" : " and their words");
    GLS_TRY(gls_writer_open(ctx, path, &o.writer));
    gls_status status = gls_source_scan(ctx, source, write_rows, &o);
    if (status == GLS_OK && o.last >= 0) status = write_token(&o, o.last);
    if (status == GLS_OK) return gls_writer_commit(o.writer);
    gls_writer_abort(o.writer);
    return status;
}

const gls_format gls_format_text = {
    .member = {"text", "text as rows of words or bytes, to predict the next one", "", text_table, sizeof(text_options)},
    .open = open_text,
    .write = write_text,
};
