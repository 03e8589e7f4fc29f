/* One page: style, scripts and data in a single file. */
#ifndef GLS_REPORT_PAGE_H
#define GLS_REPORT_PAGE_H

#include <glissade/base.h>
#include <jansson.h>

typedef struct gls_report_page {
    const char *title, *made_by; /* "glissade report" */
    const char *first;           /* id of the first heading, for readers who skip */
    const char *const *scripts;  /* in the order in which they need each other; ends with NULL */
    const json_t *data;          /* what they draw */
} gls_report_page;

/* Writes it whole or not at all. GLS_ERR_FILE if it cannot be written. */
gls_status gls_report_page_write(gls_context *ctx, const gls_report_page *page, const char *path);

#endif
