/* Delimited text by libcsv. Its two callbacks return nothing, so that the first failure is kept and ends the reading
 * with the block. */
#include "data/delimited.h"
#include "base/io.h"
#include <csv.h>
#include <string.h>

enum { BLOCK = 1 << 16, FIELD_LIMIT = 1 << 24 };

typedef struct reading {
    gls_context *ctx;
    const char *path;
    const gls_delimited_sink *sink;
    gls_status status;
    int64_t line, column;
    bool after_return; /* a CR ended the line, and an LF behind it belongs to it */
} reading;

static int64_t count_lines(const char *text, int64_t length) {
    int64_t lines = 0;
    for (const char *p = text, *end = text + length; (p = memchr(p, '\n', (size_t)(end - p))); p++) lines++;
    return lines;
}

static void on_field(void *text, size_t length, void *user) {
    reading *r = user;
    if (r->status != GLS_OK) return;
    r->status = r->sink->field(r->sink->user, text, (int64_t)length, r->column++, r->line);
    r->after_return = false;
    if (length) r->line += count_lines(text, (int64_t)length);
}

/* c is what ended the line; -1: the end of the file. Lines without a field are empty. */
static void on_end(int c, void *user) {
    reading *r = user;
    if (r->status != GLS_OK) return;
    if (r->column) r->status = r->sink->record(r->sink->user, r->column, r->line);
    r->column = 0;
    bool second = c == '\n' && r->after_return;
    if (c >= 0 && !second) r->line++;
    r->after_return = c == '\r';
}

static gls_status refuse(const reading *r, int64_t more_lines, const char *why) {
    return gls_fail(r->ctx, GLS_ERR_INPUT, "%s:%lld: %s", r->path, (long long)(r->line + more_lines), why);
}

/* What libcsv says of a block that it did not take whole. */
static gls_status explain(const reading *r, struct csv_parser *parser) {
    if (csv_error(parser) != CSV_EPARSE) return gls_fail(r->ctx, GLS_ERR_MEMORY, "%s: out of memory", r->path);
    return refuse(r, count_lines((char *)parser->entry_buf, (int64_t)parser->entry_pos),
                  "a quote inside of a field, or text behind a closing quote; expected the whole field in quotes and "
                  "its own quotes doubled (quote: '' takes quotes as they are)");
}

static gls_status parse_block(reading *r, struct csv_parser *parser, const char *block, int64_t size) {
    const char *nul = memchr(block, 0, (size_t)size);
    if (nul) return refuse(r, count_lines(block, nul - block), "a NUL byte; expected text");
    size_t taken = csv_parse(parser, block, (size_t)size, on_field, on_end, r);
    if (r->status != GLS_OK) return r->status;
    if (taken < (size_t)size) return explain(r, parser);
    if (parser->entry_pos > FIELD_LIMIT) return refuse(r, 0, "the field is longer than 16 MiB; is a quote not closed?");
    return GLS_OK;
}

static gls_status read_blocks(reading *r, struct csv_parser *parser, gls_reader *reader, char *block) {
    bool first = true;
    for (int64_t got;; first = false) {
        GLS_TRY(gls_reader_read(reader, block, BLOCK, &got));
        if (!got) break;
        int64_t mark = first && got >= 3 && memcmp(block, "\xef\xbb\xbf", 3) == 0 ? 3 : 0; /* of UTF-8 */
        GLS_TRY(parse_block(r, parser, block + mark, got - mark));
    }
    if (csv_fini(parser, on_field, on_end, r) != 0) return refuse(r, 0, "a quote is not closed");
    return r->status;
}

gls_status gls_delimited_read(gls_context *ctx, const char *path, char delimiter, char quote,
                              const gls_delimited_sink *sink) {
    reading r = {.ctx = ctx, .path = path, .sink = sink, .line = 1};
    struct csv_parser parser;
    gls_reader *reader;
    GLS_TRY(gls_reader_open(ctx, path, &reader));
    char *block = gls_alloc(ctx, BLOCK, 1);
    gls_status status = block ? GLS_OK : GLS_ERR_MEMORY;
    if (block && csv_init(&parser, CSV_STRICT | CSV_STRICT_FINI | CSV_APPEND_NULL | CSV_REPALL_NL) == 0) {
        csv_set_delim(&parser, (unsigned char)delimiter);
        csv_set_quote(&parser, (unsigned char)quote);
        csv_set_blk_size(&parser, 4096);
        status = read_blocks(&r, &parser, reader, block);
        csv_free(&parser);
    }
    gls_free(ctx, block);
    gls_reader_close(reader);
    return status;
}
