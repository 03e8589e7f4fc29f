/* Format text: words, characters, bytes or sub-words as rows of `length` tokens whose targets are the next tokens. The
 * text is cut without regard to lines, or each line is a document: one a row, or several that do not see each other. */
#include "data/text.h"

#include "base/arith.h"
#include "base/io.h"
#include "data/table.h"
#include "data/text_labelled.h"
#include "data/token_rows.h"
#include "data/tokens.h"
#include <string.h>

typedef struct text_options {
    int unit, rows;
    const char *tokenizer, *end;
    const char *label;
    gls_texts texts;
    int long_texts;
    int64_t length, streams, vocabulary, min_count;
} text_options;

enum { ROWS_TEXT, ROWS_LINES, ROWS_PACKED, ROWS_LABELLED, ROWS_SPANS };

static const gls_option column_name = {.type = GLS_OPTION_STRING};

static const gls_option text_table[] = {
    GLS_ENUM("unit", text_options, unit, "word", GLS_TOKEN_UNIT_CHOICES,
             "what a token is; word: words between white space, char: characters of UTF-8, both with <eos> at the end "
             "of a line; subword: tokens of a tokenizer"),
    GLS_PATH("tokenizer", text_options, tokenizer, NULL, "of unit: subword, a file in the format tokenizer.json"),
    GLS_STRING("end", text_options, end, "",
               "of unit: subword, the token that ends every line instead of its line break; none where rows: text does "
               "not name one"),
    GLS_ENUM("rows", text_options, rows, "text", "text|lines|packed|labelled|spans",
             "what a row is; text: length tokens wherever they lie; lines: a line, padded; packed: as many lines as "
             "fit, which do not see each other; labelled: a text, or two, with a class; "
             "spans: a question and a text that holds the answer"),
    GLS_STRING("label", text_options, label, "1",
               "of rows: labelled and spans, the column of the labels or answers: its name in the first line, or, of a "
               "file without such a line, "
               "its number"),
    GLS_LIST(
        "texts", text_options, texts, "[2]", 1, 2, &column_name,
        "of rows: labelled and spans, the columns of the text, or of the two; tabs part columns, in .csv files commas"),
    GLS_ENUM("long", text_options, long_texts, "refuse", "refuse|cut",
             "of rows: labelled and spans, what becomes of texts that a row does not hold; cut: the longer one loses "
             "its end "
             "first"),
    GLS_INT("length", text_options, length, "35", 1, 1 << 20, "tokens per example"),
    GLS_INT("streams", text_options, streams, "0", 0, INT32_MAX,
            "places of the text that are read side by side: row k of each makes mini-batch k (batch: streams, shuffle: "
            "false), so that state can be carried; 0: none"),
    GLS_SIZE("vocabulary", text_options, vocabulary, "all", 2, INT32_MAX,
             "the most frequent words to keep, <unk> and <eos> among them; other words become <unk>"),
    GLS_INT("min_count", text_options, min_count, "1", 1, INT32_MAX, "rarer words of the training file become <unk>"),
    {0},
};

/* ---- opening ---- */

static gls_status name_bytes(gls_owned_source *owned) {
    char text[GLS_TOKEN_BYTES][8];
    const char *name[GLS_TOKEN_BYTES];
    for (int k = 0; k < GLS_TOKEN_BYTES; k++) {
        gls_token_byte_name(k, text[k]);
        name[k] = text[k];
    }
    return gls_owned_class_names(owned, name, GLS_TOKEN_BYTES);
}

/* The words of a training set, in their order; or the fixed ones, to which those of the file are added. */
static gls_status begin_vocabulary(gls_token_text *s, const gls_data_info *like) {
    if (like && !gls_token_names(like))
        return gls_fail(s->ctx, GLS_ERR_INPUT, "%s: this file is text, but the training set has no words", s->what);
    return gls_token_text_begin(s, like ? gls_token_names(like) : NULL, like ? like->vocabulary : 0);
}

/* Of the training set, or from its file. */
static gls_status open_tokenizer(gls_token_text *s, const text_options *o, const gls_data_info *like) {
    if (like && !like->tokenizer)
        return gls_fail(s->ctx, GLS_ERR_INPUT, "%s: this file is to be sub-words, but the training set has none",
                        s->what);
    if (!like && !o->tokenizer)
        return gls_fail(s->ctx, GLS_ERR_ARGUMENT,
                        "data.tokenizer: unit: subword needs a file tokenizer.json; "
                        "`glissade data tokenizer TEXT` makes one");
    GLS_TRY(like ? gls_tokenizer_parse(s->ctx, s->what, like->tokenizer, &s->tokenizer)
                 : gls_tokenizer_read(s->ctx, o->tokenizer, &s->tokenizer));
    return gls_token_end_of_subwords(s->ctx, s->tokenizer, o->end, o->rows != ROWS_TEXT, &s->end);
}

/* Options that another unit has. */
static gls_status check_unit(gls_context *ctx, const text_options *o) {
    bool subwords = o->unit == GLS_TOKEN_SUBWORD;
    const char *labelled = strcmp(o->label, "1") != 0                                  ? "label"
                           : o->texts.count != 1 || strcmp(o->texts.item[0], "2") != 0 ? "texts"
                           : o->long_texts                                             ? "long"
                                                                                       : NULL;
    if (labelled && o->rows < ROWS_LABELLED)
        return gls_fail(ctx, GLS_ERR_ARGUMENT, "data.%s: expected rows: labelled or spans beside it", labelled);
    if (!subwords && (o->tokenizer || *o->end))
        return gls_fail(ctx, GLS_ERR_ARGUMENT, "data.%s: expected unit: subword beside it",
                        o->tokenizer ? "tokenizer" : "end");
    if (subwords && (o->vocabulary >= 0 || o->min_count > 1))
        return gls_fail(ctx, GLS_ERR_ARGUMENT, "data.%s: a tokenizer has a vocabulary of its own",
                        o->vocabulary >= 0 ? "vocabulary" : "min_count");
    return GLS_OK;
}

/* Numbers by frequency; names from gls_alloc, borrowing the vocabulary's texts. */
static gls_status rank_words(gls_token_text *s, const text_options *o, int64_t fixed, gls_token_file *file,
                             const char ***names, int64_t *count) {
    int32_t *to = gls_alloc(s->ctx, gls_vocabulary_size(s->vocabulary), sizeof *to);
    if (!to) return GLS_ERR_MEMORY;
    gls_status status = gls_vocabulary_rank(s->vocabulary, fixed, o->vocabulary, o->min_count, to, names, count);
    for (int64_t t = 0; status == GLS_OK && t < s->list.tokens; t++) s->list.token[t] = to[s->list.token[t]];
    if (file->stored)
        file->to = to;
    else
        gls_free(s->ctx, to);
    return status;
}

/* The text from its first token to its last: each row goes on where the one before ends. */
static void take_text(gls_token_text *s, gls_token_source *made) {
    made->token = s->list.token;
    made->label = s->list.token + 1;
    made->tokens = s->list.tokens - 1;
    made->owns = s->list.token;
    made->owned.source.has_mass = made->tokens % made->owned.source.info.length != 0;
    s->list.token = NULL;
}

static void take_rows(const gls_token_rows *rows, int64_t length, gls_token_source *made) {
    made->token = rows->token;
    made->label = rows->label;
    made->document = rows->document;
    made->tokens = rows->rows * length;
    made->owns = rows->token;
    for (int64_t k = 0; k < made->tokens && !made->owned.source.has_mass; k++)
        made->owned.source.has_mass = rows->label[k] < 0;
}

static gls_status check_streams(const gls_token_text *s, const text_options *o, int64_t examples) {
    if (o->streams && o->rows != ROWS_TEXT)
        return gls_fail(s->ctx, GLS_ERR_ARGUMENT, "data.streams: rows of lines do not go on; expected rows: text");
    if (examples >= o->streams) return GLS_OK;
    return gls_fail(s->ctx, GLS_ERR_INPUT,
                    "%s: %lld rows of %lld tokens, expected at least one for each of %lld streams", s->what,
                    (long long)examples, (long long)o->length, (long long)o->streams);
}

/* Names NULL: bytes. */
static gls_status name_tokens(const gls_token_text *s, gls_owned_source *owned, const char *const *names,
                              int64_t count) {
    const char *json = s->tokenizer ? gls_tokenizer_json(s->tokenizer) : NULL, *const *kept = NULL;
    GLS_TRY(names ? gls_owned_class_names(owned, names, count) : name_bytes(owned));
    if (json) GLS_TRY(gls_owned_texts(owned, &json, 1, &kept));
    if (json) owned->source.info.tokenizer = *kept;
    return GLS_OK;
}

/* Frees the rows where it fails. */
static gls_status make_rows(gls_token_text *s, const text_options *o, gls_data_info *info, gls_token_rows *rows,
                            gls_owned_source **out) {
    gls_token_source *made;
    info->examples = o->rows == ROWS_TEXT ? gls_parts(s->list.tokens - 1, o->length) : rows->rows;
    gls_status status = check_streams(s, o, info->examples);
    if (status == GLS_OK) status = gls_token_source_create(s->ctx, info, &made);
    if (status != GLS_OK) {
        gls_free(s->ctx, rows->token);
        return status;
    }
    if (o->rows == ROWS_TEXT) {
        gls_bound_take(s->ctx, s->list.tokens * (int64_t)sizeof(int32_t));
        take_text(s, made);
    } else {
        take_rows(rows, o->length, made);
    }
    *out = &made->owned;
    return GLS_OK;
}

static gls_status make_stored(gls_token_text *s, const text_options *o, gls_data_info *info, int32_t end,
                              gls_token_file *file, gls_owned_source **out) {
    info->examples = gls_parts(file->tokens - 1, o->length);
    GLS_TRY(check_streams(s, o, info->examples));
    if (o->rows == ROWS_TEXT) return gls_token_rows_own(s->ctx, info, file, out);
    return gls_token_lines_own(s->ctx, s->what, info, end, o->rows == ROWS_PACKED, file, out);
}

/* Lines in memory, or in a file where their padding leaves no room. */
static gls_status cut_lines(gls_token_text *s, const text_options *o, int32_t end, gls_token_file *file,
                            gls_token_rows *rows) {
    if (o->rows == ROWS_TEXT || file->stored) return GLS_OK;
    GLS_TRY(gls_token_rows_of_lines(s, end, o->length, o->rows == ROWS_PACKED, rows));
    return rows->token ? GLS_OK : gls_token_text_move(s, file);
}

/* Takes the tokens, or those of the file; names NULL: bytes. */
static gls_status make_source(gls_token_text *s, const text_options *o, gls_token_file *file, const char *const *names,
                              int64_t count, gls_source **out) {
    gls_owned_source *made = NULL;
    gls_token_rows rows = {0};
    int32_t end = s->tokenizer ? s->end : gls_token_end_of_line((gls_token_unit)o->unit, names, count);
    gls_data_info info = {
        .length = o->length, .target = GLS_TARGET_TOKENS, .vocabulary = count, .documents = (gls_documents)o->rows};
    GLS_TRY(cut_lines(s, o, end, file, &rows));
    GLS_TRY(file->stored ? make_stored(s, o, &info, end, file, &made) : make_rows(s, o, &info, &rows, &made));
    made->source.info.streams = o->streams;
    gls_status status = name_tokens(s, made, names, count);
    if (status == GLS_OK)
        *out = &made->source;
    else
        gls_source_destroy(&made->source);
    return status;
}

/* The target of a token is the next one, so that there must be at least two. */
static gls_status check_tokens(const gls_token_text *s, int64_t tokens) {
    if (tokens >= 2) return GLS_OK;
    return gls_fail(s->ctx, GLS_ERR_INPUT, "%s: %s, expected at least two tokens", s->what,
                    tokens ? "one token" : "empty");
}

/* Vocabulary or tokenizer, and then the text. */
static gls_status read_tokens(gls_token_text *s, const text_options *o, const gls_data_info *like,
                              gls_token_file *file) {
    gls_reader *reader;
    if (s->unit == GLS_TOKEN_BYTE && like && like->vocabulary != GLS_TOKEN_BYTES)
        return gls_fail(s->ctx, GLS_ERR_INPUT,
                        "%s: the tokens are bytes, but the training set has %lld kinds of tokens", s->what,
                        (long long)like->vocabulary);
    bool words = s->unit == GLS_TOKEN_WORD || s->unit == GLS_TOKEN_CHARACTER;
    GLS_TRY(check_unit(s->ctx, o));
    if (words) GLS_TRY(begin_vocabulary(s, like));
    if (s->unit == GLS_TOKEN_SUBWORD) GLS_TRY(open_tokenizer(s, o, like));
    if (s->unit == GLS_TOKEN_BYTE) GLS_TRY(gls_token_file_of_bytes(s->ctx, s->what, file));
    if (file->stored) return GLS_OK;
    GLS_TRY(gls_reader_open(s->ctx, s->what, &reader));
    gls_status status = gls_token_text_read(s, reader);
    gls_reader_close(reader);
    GLS_TRY(status);
    GLS_TRY(check_tokens(s, s->stored + s->list.tokens));
    return gls_token_text_spilled(s, file);
}

static gls_status make_named(gls_token_text *s, const text_options *o, const gls_data_info *like, gls_token_file *file,
                             gls_source **out) {
    if (s->tokenizer)
        return make_source(s, o, file, gls_tokenizer_names(s->tokenizer), gls_tokenizer_size(s->tokenizer), out);
    if (s->unit == GLS_TOKEN_BYTE) return make_source(s, o, file, NULL, GLS_TOKEN_BYTES, out);
    if (like) return make_source(s, o, file, like->class_names, gls_vocabulary_size(s->vocabulary), out);
    const char **names = NULL;
    int64_t count;
    gls_status status = rank_words(s, o, GLS_TOKEN_FIXED, file, &names, &count);
    if (status == GLS_OK) status = make_source(s, o, file, names, count, out);
    gls_free(s->ctx, names);
    return status;
}

static gls_status read_all(gls_token_text *s, const text_options *o, const gls_data_info *like, gls_source **out) {
    gls_token_file file = {0};
    gls_status status = read_tokens(s, o, like, &file);
    if (status == GLS_OK) status = make_named(s, o, like, &file, out);
    gls_token_file_clear(s->ctx, &file);
    return status;
}

/* ---- labelled rows ---- */

static const char *const frame_words[] = {"<cls>", "<sep>"};
enum { FRAME_WORDS = sizeof frame_words / sizeof *frame_words };

/* <cls> text <sep>, and text <sep> of a second one; the two words are the first ones behind the fixed ones. */
static gls_status frame_of_words(gls_token_text *s, const gls_data_info *like, bool pair, gls_tokenizer_frame *f) {
    int32_t number[FRAME_WORDS];
    for (int k = 0; k < FRAME_WORDS; k++) {
        int64_t size = (int64_t)strlen(frame_words[k]);
        if (!like) GLS_TRY(gls_vocabulary_add(s->vocabulary, frame_words[k], size, &number[k]));
        if (like) number[k] = gls_vocabulary_find(s->vocabulary, frame_words[k], size);
        if (number[k] < 0)
            return gls_fail(s->ctx, GLS_ERR_INPUT, "%s: labelled rows, but the training set's vocabulary has no %s",
                            s->what, frame_words[k]);
    }
    *f = (gls_tokenizer_frame){.items = pair ? 5 : 3};
    for (int k = 0; k < f->items; k++) {
        f->item[k].token = k % 2 ? -1 - k / 2 : number[k > 0];
        f->item[k].segment = k > 2;
    }
    return GLS_OK;
}

static gls_status check_labelled(gls_context *ctx, const text_options *o) {
    const char *other = o->streams ? "streams" : *o->end ? "end" : NULL;
    if (other) return gls_fail(ctx, GLS_ERR_ARGUMENT, "data.%s: of no use to rows: labelled and spans", other);
    if (o->rows == ROWS_SPANS && o->texts.count != 2)
        return gls_fail(ctx, GLS_ERR_ARGUMENT, "data.texts: rows: spans takes two columns, a question and a text");
    if (o->unit != GLS_TOKEN_BYTE) return GLS_OK;
    return gls_fail(ctx, GLS_ERR_ARGUMENT, "data.unit: rows: labelled and spans take word, char or subword");
}

static gls_status begin_labelled(gls_token_text *s, const text_options *o, const gls_data_info *like,
                                 gls_tokenizer_frame *frame) {
    bool pair = o->texts.count == 2;
    GLS_TRY(check_unit(s->ctx, o));
    GLS_TRY(check_labelled(s->ctx, o));
    if (s->unit != GLS_TOKEN_SUBWORD) {
        GLS_TRY(begin_vocabulary(s, like));
        return frame_of_words(s, like, pair, frame);
    }
    text_options whole = *o;
    whole.rows = ROWS_TEXT;
    GLS_TRY(open_tokenizer(s, &whole, like));
    *frame = *gls_tokenizer_frame_of(s->tokenizer, pair);
    return GLS_OK;
}

static gls_status make_labelled(gls_token_text *s, const text_options *o, gls_token_labelled *read,
                                const gls_token_columns *columns, const gls_tokenizer_frame *frame,
                                const gls_data_info *like, gls_token_file *file, gls_source **out) {
    if (s->tokenizer)
        return gls_token_labelled_source(s, read, columns, frame, o->length, gls_tokenizer_names(s->tokenizer),
                                         gls_tokenizer_size(s->tokenizer), like, file, out);
    if (like)
        return gls_token_labelled_source(s, read, columns, frame, o->length, gls_token_names(like), like->vocabulary,
                                         like, file, out);
    const char **names = NULL;
    int64_t count;
    gls_status status = rank_words(s, o, GLS_TOKEN_FIXED + FRAME_WORDS, file, &names, &count);
    if (status == GLS_OK)
        status = gls_token_labelled_source(s, read, columns, frame, o->length, names, count, like, file, out);
    gls_free(s->ctx, names);
    return status;
}

static gls_status open_labelled(gls_token_text *s, const text_options *o, gls_part part, const gls_data_info *like,
                                gls_source **out) {
    size_t size = strlen(s->what);
    gls_token_labelled read = {0};
    gls_token_file file = {0};
    gls_tokenizer_frame frame;
    gls_token_columns columns = {.label = o->label,
                                 .texts = &o->texts,
                                 .comma = size > 4 && strcmp(s->what + size - 4, ".csv") == 0,
                                 .cut = o->long_texts,
                                 .bare = part == GLS_PART_ROWS,
                                 .spans = o->rows == ROWS_SPANS};
    gls_status status = begin_labelled(s, o, like, &frame);
    if (status == GLS_OK) status = gls_token_labelled_read(s, s->what, &columns, &read);
    if (status == GLS_OK) status = gls_token_text_spilled(s, &file);
    if (status == GLS_OK) status = make_labelled(s, o, &read, &columns, &frame, like, &file, out);
    gls_token_labelled_clear(&read);
    gls_token_file_clear(s->ctx, &file);
    return status;
}

/* Most of a text unknown: it is in another language, or split otherwise, than that of the training set. */
static void warn_unknown(const gls_token_text *s) {
    if (2 * s->unknown <= s->words) return;
    gls_log(s->ctx, GLS_LOG_WARNING, "%s: %lld of %lld tokens are not in the training set's vocabulary: <unk> for each",
            s->what, (long long)s->unknown, (long long)s->words);
}

static gls_status open_text(gls_context *ctx, const char *path, const void *options, gls_part part,
                            const gls_data_info *like, gls_source **out) {
    const text_options *o = options;
    gls_token_text s = {.ctx = ctx, .what = path, .unit = (gls_token_unit)o->unit, .end = -1, .spills = true};
    gls_status status = o->rows >= ROWS_LABELLED ? open_labelled(&s, o, part, like, out) : read_all(&s, o, like, out);
    if (status == GLS_OK) warn_unknown(&s);
    gls_tokenizer_destroy(s.tokenizer);
    gls_token_text_clear(&s);
    return status;
}

/* ---- writing ---- */

typedef struct output {
    gls_writer *writer;
    const gls_token_language *language;
    bool line_begins;
    int32_t last; /* the label behind the last token, or -1 */
} output;

static gls_status write_token(output *o, int32_t token) {
    char byte;
    gls_token_spelling w = gls_token_spell(o->language, token, &o->line_begins, &byte);
    if (w.parted) GLS_TRY(gls_writer_write(o->writer, " ", 1));
    return gls_writer_write(o->writer, w.text, w.bytes);
}

/* Every row's tokens, and the last row's last label at the end; of documents the labels, which are the lines. */
static gls_status write_rows(void *user, const gls_batch *batch, int64_t begin) {
    output *o = user;
    for (int64_t t = 0; t < batch->rows * batch->length; t++) {
        if (batch->label[t] < 0) continue;
        GLS_TRY(write_token(o, batch->document ? batch->label[t] : batch->token[t]));
        o->last = batch->document ? -1 : batch->label[t];
    }
    return GLS_OK;
}

static gls_status write_tokens(gls_context *ctx, const gls_source *source, const char *path,
                               const gls_token_language *language) {
    output o = {.language = language, .line_begins = true, .last = -1};
    GLS_TRY(gls_writer_open(ctx, path, &o.writer));
    gls_status status = gls_source_scan(ctx, source, write_rows, &o);
    if (status == GLS_OK && o.last >= 0) status = write_token(&o, o.last);
    if (status == GLS_OK) return gls_writer_commit(o.writer);
    gls_writer_abort(o.writer);
    return status;
}

/* Sub-words are written by their own tokenizer, whatever the unit. */
static gls_status write_text(gls_context *ctx, const gls_source *source, const char *path, const void *options) {
    const gls_data_info *info = &source->info;
    const text_options *o = options;
    gls_token_language l = {.unit = info->tokenizer ? GLS_TOKEN_SUBWORD : (gls_token_unit)o->unit,
                            .names = info->class_names,
                            .count = info->classes,
                            .end = -1};
    bool bytes = l.unit == GLS_TOKEN_BYTE;
    if (info->target != GLS_TARGET_TOKENS || info->masked ||
        (bytes ? info->classes > GLS_TOKEN_BYTES : !info->class_names))
        return gls_fail(ctx, GLS_ERR_UNSUPPORTED, "%s: text holds rows of tokens with their next tokens%s", path,
                        bytes ? ", of 256 kinds where the unit is a byte" : " and their words");
    if (info->streams)
        return gls_fail(ctx, GLS_ERR_UNSUPPORTED, "%s: rows of streams are not in the order of a text", path);
    if (info->tokenizer) GLS_TRY(gls_tokenizer_parse(ctx, path, info->tokenizer, &l.tokenizer));
    gls_status status = GLS_OK;
    if (info->tokenizer) status = gls_token_end_of_subwords(ctx, l.tokenizer, o->end, info->documents != 0, &l.end);
    if (status == GLS_OK) status = write_tokens(ctx, source, path, &l);
    gls_token_language_clear(&l);
    return status;
}

const gls_format gls_format_text = {
    .member = {"text", "text as rows of words, characters, bytes or sub-words, to predict the next one", "", text_table,
               sizeof(text_options)},
    .bounded = true,
    .open = open_text,
    .write = write_text,
};
