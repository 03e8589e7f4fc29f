/* Delimited text: chunks end where a record does, which the number of quotes before tells. A chunk without quotes is
 * split here; one with quotes by libcsv, whose two callbacks return nothing, so that the first failure is kept. */
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
    gls_status status;
    int64_t line, column;
    bool after_return; /* a CR ended the line, and an LF behind it belongs to it */
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

/* ---- with quotes ---- */

/* What libcsv says of a chunk that it did not take whole. */
static gls_status explain(const parsing *p, struct csv_parser *parser) {
    if (csv_error(parser) != CSV_EPARSE)
        return gls_fail(p->file->ctx, GLS_ERR_MEMORY, "%s: out of memory", gls_reader_path(p->file->reader));
    return refuse(p, count_byte((char *)parser->entry_buf, (int64_t)parser->entry_pos, '\n'),
                  "a quote inside of a field, or text behind a closing quote; expected the whole field in quotes and "
                  "its own quotes doubled (quote: '' takes quotes as they are)");
}

static gls_status feed(parsing *p, struct csv_parser *parser, const gls_delimited_chunk *chunk) {
    size_t taken = csv_parse(parser, chunk->text, (size_t)chunk->size, on_field, on_end, p);
    if (p->status != GLS_OK) return p->status;
    if (taken < (size_t)chunk->size) return explain(p, parser);
    if (!chunk->cut_off && csv_fini(parser, on_field, on_end, p) != 0) return refuse(p, 0, "a quote is not closed");
    return p->status;
}

static gls_status parse_quoted(parsing *p, const gls_delimited_chunk *chunk) {
    struct csv_parser parser;
    if (csv_init(&parser, CSV_STRICT | CSV_STRICT_FINI | CSV_APPEND_NULL | CSV_REPALL_NL) != 0) return GLS_ERR_MEMORY;
    csv_set_delim(&parser, (unsigned char)p->file->delimiter);
    csv_set_quote(&parser, (unsigned char)p->file->quote);
    csv_set_blk_size(&parser, 4096);
    gls_status status = feed(p, &parser, chunk);
    csv_free(&parser);
    return status;
}

/* ---- without ---- */

static bool is_blank(char c) {
    return c == ' ' || c == '\t';
}

/* The field [begin, end) without the blanks around it. A NUL stands behind it while it is handed out. */
static void put_field(parsing *p, char *begin, char *end, bool ends_line) {
    while (begin < end && is_blank(*begin)) begin++;
    while (end > begin && is_blank(end[-1])) end--;
    if (ends_line && !p->column && begin == end) return;
    char kept = *end;
    *end = 0;
    p->status = p->sink->field(p->sink->user, begin, end - begin, p->column++, p->line);
    p->after_return = false;
    *end = kept;
}

/* The NUL behind the text ends the last line, whose end is then that of the file. */
static gls_status parse_plain(parsing *p, gls_delimited_chunk *chunk) {
    bool stops[256] = {[0] = true, ['\n'] = true, ['\r'] = true};
    stops[(unsigned char)p->file->delimiter] = true;
    char *at = chunk->text, *end = at + chunk->size;
    *end = 0;
    while (at < end && p->status == GLS_OK) {
        char *begin = at;
        while (!stops[(unsigned char)*at]) at++;
        char c = *at;
        bool ends_line = c != p->file->delimiter;
        put_field(p, begin, at, ends_line);
        if (ends_line) on_end(at < end ? c : -1, p);
        at++;
    }
    /* The file may end behind a delimiter: an empty field. */
    if (p->status == GLS_OK && p->column) {
        put_field(p, end, end, true);
        on_end(-1, p);
    }
    return p->status;
}

gls_status gls_delimited_parse(const gls_delimited *file, gls_delimited_chunk *chunk, int64_t *line,
                               const gls_delimited_sink *sink) {
    parsing p = {.file = file, .sink = sink, .line = *line};
    const char *nul = memchr(chunk->text, 0, (size_t)chunk->size);
    if (nul) return refuse(&p, count_byte(chunk->text, nul - chunk->text, '\n'), "a NUL byte; expected text");
    bool quoted = file->quote && memchr(chunk->text, file->quote, (size_t)chunk->size);
    if (quoted)
        GLS_TRY(parse_quoted(&p, chunk));
    else if (!chunk->cut_off)
        GLS_TRY(parse_plain(&p, chunk));
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
