/* Delimited text: chunks end where a record does, which the number of quotes before tells. Fields are split here; from
 * a field with a quote inside of it on, the rest of its record is libcsv's, whose two callbacks return nothing, so that
 * the first failure is kept. */
#include "data/delimited.h"
#include "base/arith.h"
#include "base/io.h"
#include <csv.h>
#include <string.h>

enum { RECORD_LIMIT = 1 << 24 };

struct gls_delimited {
    gls_context *ctx;
    gls_reader *reader;
    char delimiter, quote;
    bool ends[256];  /* what a field ends at: delimiter, LF, CR and the NUL behind a chunk */
    bool stops[256]; /* the same and the quote */
    bool begun, ended;
    char *rest; /* [rests] read already, behind the last chunk */
    int64_t rests, rest_room;
};

/* ---- chunks ---- */

gls_status gls_delimited_open(gls_context *ctx, const char *path, char delimiter, char quote, gls_delimited **out) {
    gls_delimited *file = *out = gls_alloc(ctx, 1, sizeof *file);
    if (!file) return GLS_ERR_MEMORY;
    file->ctx = ctx;
    file->delimiter = delimiter;
    file->quote = quote;
    file->ends[0] = file->ends['\n'] = file->ends['\r'] = file->ends[(unsigned char)delimiter] = true;
    memcpy(file->stops, file->ends, sizeof file->stops);
    file->stops[(unsigned char)quote] = true;
    gls_status status = gls_reader_open(ctx, path, &file->reader);
    if (status != GLS_OK) {
        gls_free(ctx, file);
        *out = NULL;
    }
    return status;
}

void gls_delimited_close(gls_delimited *file) {
    if (!file) return;
    gls_reader_close(file->reader);
    gls_free(file->ctx, file->rest);
    gls_free(file->ctx, file);
}

void gls_delimited_chunk_free(const gls_delimited *file, gls_delimited_chunk *chunk) {
    gls_free(file->ctx, chunk->text);
    *chunk = (gls_delimited_chunk){0};
}

static int64_t count_byte(const char *text, int64_t length, char byte) {
    int64_t count = 0;
    for (int64_t i = 0; i < length; i++) count += text[i] == byte;
    return count;
}

/* The end of the last whole record: behind an LF, or in a text without any behind a CR, that has an even number of
 * quotes before it. 0: there is none. */
static int64_t last_end(const gls_delimited *file, const char *text, int64_t size) {
    bool open = file->quote && (count_byte(text, size, file->quote) & 1);
    int64_t after_return = 0;
    for (int64_t i = size; i > 0; i--) {
        char c = text[i - 1];
        if (c == '\n' && !open) return i;
        if (c == '\r' && !open && i < size && !after_return) after_return = i;
        if (file->quote && c == file->quote) open = !open;
    }
    return after_return;
}

static gls_status reserve(const gls_delimited *file, char **text, int64_t *room, int64_t wanted) {
    if (wanted <= *room) return GLS_OK;
    char *grown = gls_resize(file->ctx, *text, wanted, 1);
    if (!grown) return GLS_ERR_MEMORY;
    *text = grown;
    *room = wanted;
    return GLS_OK;
}

/* Reads until the chunk has `wanted` bytes, or the file ends. The mark of UTF-8 is dropped. */
static gls_status fill(gls_delimited *file, int64_t wanted, gls_delimited_chunk *chunk) {
    GLS_TRY(reserve(file, &chunk->text, &chunk->room, wanted + 1));
    while (chunk->size < wanted && !file->ended) {
        int64_t got;
        GLS_TRY(gls_reader_read(file->reader, chunk->text + chunk->size, wanted - chunk->size, &got));
        file->ended = got == 0;
        chunk->size += got;
    }
    if (!file->begun && chunk->size >= 3 && memcmp(chunk->text, "\xef\xbb\xbf", 3) == 0) {
        chunk->size -= 3;
        memmove(chunk->text, chunk->text + 3, (size_t)chunk->size);
    }
    file->begun = true;
    return GLS_OK;
}

gls_status gls_delimited_cut(gls_delimited *file, int64_t wanted, gls_delimited_chunk *chunk) {
    chunk->size = 0;
    chunk->cut_off = false;
    if (wanted < file->rests + 64) wanted = file->rests + 64;
    GLS_TRY(reserve(file, &chunk->text, &chunk->room, wanted + 1));
    if (file->rests) memcpy(chunk->text, file->rest, (size_t)file->rests);
    chunk->size = file->rests;
    file->rests = 0;
    int64_t end = 0;
    for (;; wanted = gls_least(2 * wanted, RECORD_LIMIT + 1)) {
        GLS_TRY(fill(file, wanted, chunk));
        end = file->ended ? chunk->size : last_end(file, chunk->text, chunk->size);
        if (end || file->ended) break;
        if (chunk->size > RECORD_LIMIT) {
            chunk->cut_off = true;
            return GLS_OK;
        }
    }
    int64_t rests = chunk->size - end;
    GLS_TRY(reserve(file, &file->rest, &file->rest_room, rests));
    if (rests) memcpy(file->rest, chunk->text + end, (size_t)rests);
    file->rests = rests;
    chunk->size = end;
    return GLS_OK;
}

/* ---- parsing ---- */

typedef struct parsing {
    const gls_delimited *file;
    const gls_delimited_sink *sink;
    char *end; /* of the chunk */
    gls_status status;
    int64_t line, column;
    bool after_return;        /* a CR ended the line, and an LF behind it belongs to it */
    struct csv_parser parser; /* libcsv's, once `begun` */
    bool begun;
} parsing;

static gls_status refuse(const parsing *p, int64_t more_lines, const char *why) {
    return gls_fail(p->file->ctx, GLS_ERR_INPUT, "%s:%lld: %s", gls_reader_path(p->file->reader),
                    (long long)(p->line + more_lines), why);
}

static void on_field(void *text, size_t length, void *user) {
    parsing *p = user;
    if (p->status != GLS_OK) return;
    p->status = p->sink->field(p->sink->user, text, (int64_t)length, p->column++, p->line);
    p->after_return = false;
    if (length) p->line += count_byte(text, (int64_t)length, '\n');
}

/* c is what ended the line; -1: the end of the file. Lines without a field are empty. */
static void on_end(int c, void *user) {
    parsing *p = user;
    if (p->status != GLS_OK) return;
    if (p->column) p->status = p->sink->record(p->sink->user, p->column, p->line);
    p->column = 0;
    bool second = c == '\n' && p->after_return;
    if (c >= 0 && !second) p->line++;
    p->after_return = c == '\r';
}

/* ---- by libcsv ---- */

/* What libcsv says of a text that it did not take whole. */
static gls_status explain(parsing *p) {
    if (csv_error(&p->parser) != CSV_EPARSE)
        return gls_fail(p->file->ctx, GLS_ERR_MEMORY, "%s: out of memory", gls_reader_path(p->file->reader));
    return refuse(p, count_byte((char *)p->parser.entry_buf, (int64_t)p->parser.entry_pos, '\n'),
                  "a quote inside of a field, or text behind a closing quote; expected the whole field in quotes and "
                  "its own quotes doubled (quote: '' takes quotes as they are)");
}

static gls_status begin_libcsv(parsing *p) {
    if (p->begun) return GLS_OK;
    if (csv_init(&p->parser, CSV_STRICT | CSV_STRICT_FINI | CSV_APPEND_NULL | CSV_REPALL_NL) != 0)
        return GLS_ERR_MEMORY;
    csv_set_delim(&p->parser, (unsigned char)p->file->delimiter);
    csv_set_quote(&p->parser, (unsigned char)p->file->quote);
    csv_set_blk_size(&p->parser, 4096);
    p->begun = true;
    return GLS_OK;
}

/* [at, end) from the beginning of a field on; `last`: a record ends with it. */
static gls_status feed(parsing *p, const char *at, const char *end, bool last) {
    GLS_TRY(begin_libcsv(p));
    size_t size = (size_t)(end - at), taken = csv_parse(&p->parser, at, size, on_field, on_end, p);
    if (p->status != GLS_OK) return p->status;
    if (taken < size) return explain(p);
    if (last && csv_fini(&p->parser, on_field, on_end, p) != 0) return refuse(p, 0, "a quote is not closed");
    return p->status;
}

/* The rest of the record that the field at `at` is in; returns what is behind it. */
static char *leave_record(parsing *p, char *at) {
    bool open = false;
    char *end = at;
    for (; end < p->end && (open || (*end != '\n' && *end != '\r')); end++)
        if (*end == p->file->quote) open = !open;
    if (end < p->end) end++;
    p->status = feed(p, at, end, end == p->end);
    return end;
}

/* ---- by us ---- */

static bool is_blank(char c) {
    return c == ' ' || c == '\t';
}

/* A NUL stands behind the field while it is handed out. */
static void hand_out(parsing *p, char *begin, char *end) {
    char kept = *end;
    *end = 0;
    p->status = p->sink->field(p->sink->user, begin, end - begin, p->column++, p->line);
    p->after_return = false;
    *end = kept;
}

/* The field [begin, end) without the blanks around it. */
static void put_plain(parsing *p, char *begin, char *end) {
    while (begin < end && is_blank(*begin)) begin++;
    while (end > begin && is_blank(end[-1])) end--;
    if (begin < end || p->column || *end == p->file->delimiter) hand_out(p, begin, end);
}

/* A field that is all in quotes, without quotes in it. Else NULL. */
static char *put_quoted(parsing *p, char *begin) {
    if (is_blank(*begin)) return NULL;
    char *close = memchr(begin + 1, *begin, (size_t)(p->end - begin - 1));
    if (!close || !p->file->ends[(unsigned char)close[1]]) return NULL;
    hand_out(p, begin + 1, close);
    if (memchr(begin + 1, '\n', (size_t)(close - begin - 1))) p->line += count_byte(begin + 1, close - begin - 1, '\n');
    return close + 1;
}

/* Hands out the field at `begin`; returns where it ends, or NULL: it is libcsv's. */
static char *put_field(parsing *p, char *begin) {
    const gls_delimited *file = p->file;
    char *at = begin;
    if (p->sink->number && (at = (char *)p->sink->number(p->sink->user, begin, p->column, file->ends))) {
        p->column++;
        p->after_return = false;
        return at;
    }
    for (at = begin; !file->stops[(unsigned char)*at];) at++;
    if (!file->ends[(unsigned char)*at]) return at == begin ? put_quoted(p, begin) : NULL;
    put_plain(p, begin, at);
    return at;
}

/* The NUL behind the text ends the last line, whose end is then that of the file. */
static gls_status split(parsing *p, char *at) {
    *p->end = 0;
    while (at < p->end && p->status == GLS_OK) {
        char *behind = put_field(p, at);
        if (!behind) {
            at = leave_record(p, at);
            continue;
        }
        if (*behind != p->file->delimiter) on_end(behind < p->end ? *behind : -1, p);
        at = behind + 1;
    }
    /* The file may end behind a delimiter: an empty field. */
    if (p->status == GLS_OK && p->column) {
        hand_out(p, p->end, p->end);
        on_end(-1, p);
    }
    return p->status;
}

gls_status gls_delimited_parse(const gls_delimited *file, gls_delimited_chunk *chunk, int64_t *line,
                               const gls_delimited_sink *sink) {
    parsing p = {.file = file, .sink = sink, .line = *line, .end = chunk->text + chunk->size};
    const char *nul = memchr(chunk->text, 0, (size_t)chunk->size);
    if (nul) return refuse(&p, count_byte(chunk->text, nul - chunk->text, '\n'), "a NUL byte; expected text");
    gls_status status = GLS_OK;
    if (!chunk->cut_off)
        status = split(&p, chunk->text);
    else if (file->quote && memchr(chunk->text, file->quote, (size_t)chunk->size))
        status = feed(&p, chunk->text, p.end, false);
    if (p.begun) csv_free(&p.parser);
    GLS_TRY(status);
    if (chunk->cut_off) return refuse(&p, 0, "the record is longer than 16 MiB; is a quote not closed?");
    *line = p.line;
    return GLS_OK;
}

gls_status gls_delimited_read(gls_context *ctx, const char *path, char delimiter, char quote,
                              const gls_delimited_sink *sink) {
    enum { WANTED = 1 << 20 };
    gls_delimited *file;
    gls_delimited_chunk chunk = {0};
    int64_t line = 1;
    GLS_TRY(gls_delimited_open(ctx, path, delimiter, quote, &file));
    gls_status status = gls_delimited_cut(file, WANTED, &chunk);
    while (status == GLS_OK && chunk.size > 0) {
        status = gls_delimited_parse(file, &chunk, &line, sink);
        if (status == GLS_OK) status = gls_delimited_cut(file, WANTED, &chunk);
    }
    gls_delimited_chunk_free(file, &chunk);
    gls_delimited_close(file);
    return status;
}
