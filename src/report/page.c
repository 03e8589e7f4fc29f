/* The page as a file: it is written whole or not at all, so that an open page that reloads itself never finds half of
 * one. */
#include "report/page.h"

#include <stdlib.h>
#include <string.h>

#include "base/io.h"
#include "report/assets.h"

static gls_status no_memory(gls_context *ctx) {
    return gls_fail(ctx, GLS_ERR_MEMORY, "report: out of memory");
}

/* Text of a page element: the five characters that mean something in HTML are escaped. */
static gls_status write_escaped(gls_writer *writer, const char *text) {
    for (; *text; text++) {
        const char *escape = *text == '&'    ? "&amp;"
                             : *text == '<'  ? "&lt;"
                             : *text == '>'  ? "&gt;"
                             : *text == '"'  ? "&quot;"
                             : *text == '\'' ? "&#39;"
                                             : NULL;
        GLS_TRY(escape ? gls_writer_write(writer, escape, (int64_t)strlen(escape)) : gls_writer_write(writer, text, 1));
    }
    return GLS_OK;
}

/* In a script element "<" could begin its end, or a comment that swallows it. In JSON it stands in texts alone, where
 * it may be spelt otherwise. */
static gls_status write_json(gls_context *ctx, gls_writer *writer, const json_t *data) {
    char *text = json_dumps(data, JSON_COMPACT | JSON_REAL_PRECISION(9));
    gls_status status = text ? GLS_OK : no_memory(ctx);
    for (char *at = text, *next; status == GLS_OK && *at; at = next) {
        next = strchrnul(at, '<');
        status = gls_writer_write(writer, at, next - at);
        if (status != GLS_OK || !*next) continue;
        status = gls_writer_write(writer, "\\u003c", 6);
        next++;
    }
    free(text);
    return status;
}

static gls_status write_text(gls_writer *writer, const char *text) {
    return gls_writer_write(writer, text, (int64_t)strlen(text));
}

static gls_status write_page(gls_context *ctx, gls_writer *writer, const gls_report_page *page) {
    GLS_TRY(write_text(writer, "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
                               "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"));
    GLS_TRY(write_text(writer, "<title>"));
    GLS_TRY(write_escaped(writer, page->title));
    GLS_TRY(write_text(writer, "</title>\n<style>\n"));
    GLS_TRY(write_text(writer, gls_asset_page_css));
    GLS_TRY(write_text(writer, "</style>\n</head>\n<body>\n<a class=\"skip\" href=\"#"));
    GLS_TRY(write_escaped(writer, page->first));
    GLS_TRY(write_text(writer, "\">To the summary</a>\n<header><h1>"));
    GLS_TRY(write_escaped(writer, page->title));
    GLS_TRY(write_text(writer, "</h1></header>\n<main id=\"content\"></main>\n<footer>Made by <code>"));
    GLS_TRY(write_escaped(writer, page->made_by));
    GLS_TRY(write_text(
        writer, "</code>. Charts: Chart.js (MIT).</footer>\n<noscript>This page draws its charts with a script that it "
                "carries itself.</noscript>\n<script type=\"application/json\" id=\"data\">"));
    GLS_TRY(write_json(ctx, writer, page->data));
    GLS_TRY(write_text(writer, "</script>\n<script>"));
    GLS_TRY(write_text(writer, gls_asset_chart_js));
    for (const char *const *script = page->scripts; *script; script++) {
        GLS_TRY(write_text(writer, "</script>\n<script>\n"));
        GLS_TRY(write_text(writer, *script));
    }
    return write_text(writer, "</script>\n</body>\n</html>\n");
}

gls_status gls_report_page_write(gls_context *ctx, const gls_report_page *page, const char *path) {
    gls_writer *writer = NULL;
    gls_status status = gls_writer_open(ctx, path, &writer);
    if (status == GLS_OK) status = write_page(ctx, writer, page);
    if (status == GLS_OK) return gls_writer_commit(writer);
    gls_writer_abort(writer);
    return status;
}
