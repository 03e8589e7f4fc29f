/* What the tests of the monitor share: gradients that are drawn, and monitors of them. */
#ifndef TESTS_MONITOR_SUPPORT_H
#define TESTS_MONITOR_SUPPORT_H

#include "../measure/check.h"

#include <glissade/monitor.h>

enum { N = 24, D = 11, FIRST = 4 }; /* rows of a look; parameters, in blocks of FIRST and D - FIRST */

/* Rows around a mean, for look number `look`; the same in two blocks. */
typedef struct rows {
    gls_real g[N * D], first[N * FIRST], second[N * (D - FIRST)];
} rows;

static inline void draw_rows(rows *r, int look) {
    gls_random random = gls_random_create(5, "rows", (uint64_t)look, 0);
    for (int i = 0; i < N; i++)
        for (int k = 0; k < D; k++) {
            double x = gls_random_normal(&random) * (1 + k % 3) + (k == 2 ? 6 : 0);
            r->g[i * D + k] = (gls_real)x;
            if (k < FIRST)
                r->first[i * FIRST + k] = (gls_real)x;
            else
                r->second[i * (D - FIRST) + k - FIRST] = (gls_real)x;
        }
}

/* Squared norms of the rows, and of their mean. */
static inline double norms_of(const rows *r, double *norm2) {
    double sum[D] = {0}, mean2 = 0;
    for (int i = 0; i < N; i++) {
        norm2[i] = 0;
        for (int k = 0; k < D; k++) {
            double x = (double)r->g[i * D + k];
            norm2[i] += x * x;
            sum[k] += x / N;
        }
    }
    for (int k = 0; k < D; k++) mean2 += sum[k] * sum[k];
    return mean2;
}

/* Of layouts: none, one block, two. */
static inline gls_monitor *make_monitor(gls_context *ctx, int blocks, int64_t examples, const char *key,
                                        const char *text) {
    gls_layout *layout = NULL;
    gls_monitor *monitor;
    gls_value *spec = gls_value_create(ctx, GLS_VALUE_MAP, NULL, NULL);
    if (key) GOOD(gls_value_append(ctx, spec, gls_value_create(ctx, GLS_VALUE_TEXT, key, text)));
    if (blocks) GOOD(gls_layout_create(ctx, &layout));
    const int64_t size[2] = {blocks == 1 ? D : FIRST, D - FIRST};
    for (int b = 0; b < blocks; b++) GOOD(gls_layout_add(layout, b ? "second" : "first", 1, &size[b], 0));
    gls_monitor_options options = {
        .size = sizeof options, .spec = spec, .layout = layout, .examples = examples, .seed = 9};
    GOOD(gls_monitor_create(ctx, &options, &monitor));
    gls_layout_destroy(layout);
    gls_value_destroy(ctx, spec);
    return monitor;
}

static inline const gls_measure_result *result_of(const gls_monitor_report *report, const char *measure) {
    for (int64_t i = 0; i < report->count; i++)
        if (strcmp(report->result[i].measure, measure) == 0) return &report->result[i];
    fail_msg("no result of %s", measure);
    return NULL;
}

#endif
