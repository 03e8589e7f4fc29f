/* Run folders made by hand, and the data of the page about them. */
#ifndef TEST_REPORT_SUPPORT_H
#define TEST_REPORT_SUPPORT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include <glissade/report.h>
#include <jansson.h>

#include "base/io.h"

static char folder[] = "/tmp/gls-report-XXXXXX";

static inline void put(const char *name, const char *text) {
    char path[512];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    char *slash = strrchr(path, '/');
    *slash = 0;
    mkdir(path, 0700);
    *slash = '/';
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

static const char config[] = "model: {name: softmax, l2: 1e-4}\nmethod: {name: sgd, lr: 0.5, groups: [{match: x}]}\n";

static inline json_t *page_data(const char *page) {
    static const char mark[] = "id=\"data\">";
    const char *start = strstr(page, mark);
    assert_non_null(start);
    start += strlen(mark);
    const char *end = strstr(start, "</script>");
    assert_non_null(end);
    json_t *data = json_loadb(start, (size_t)(end - start), 0, NULL);
    assert_non_null(data);
    return data;
}

static inline void write_and_read(gls_context *ctx, const char *const *runs, int64_t count, char **page) {
    char path[512];
    snprintf(path, sizeof path, "%s/page.html", folder);
    assert_int_equal(gls_report_write(ctx, runs, count, NULL, path), GLS_OK);
    int64_t size;
    assert_int_equal(gls_read_file(ctx, path, 1 << 24, page, &size), GLS_OK);
}

static inline int setup(void **state) {
    gls_context *ctx = NULL;
    if (!mkdtemp(folder) || gls_context_create(&ctx, NULL) != GLS_OK) return -1;
    *state = ctx;
    return 0;
}

static inline int teardown(void **state) {
    char command[600];
    gls_context_destroy(*state);
    snprintf(command, sizeof command, "rm -rf '%s'", folder);
    return system(command);
}

#endif
