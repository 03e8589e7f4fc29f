/* A ring of the newest points. All fields are doubles, the counter too: a checkpoint saves them as one array. */
#include "measure/series.h"

void gls_series_add(gls_series *s, double x, double y) {
    int64_t place = (int64_t)s->added % GLS_SERIES_POINTS;
    s->x[place] = x;
    s->y[place] = y;
    s->added += 1;
}

int64_t gls_series_count(const gls_series *s) {
    return s->added < GLS_SERIES_POINTS ? (int64_t)s->added : GLS_SERIES_POINTS;
}

void gls_series_copy(const gls_series *s, double *x, double *y) {
    int64_t count = gls_series_count(s), begin = (int64_t)s->added - count;
    for (int64_t i = 0; i < count; i++) {
        x[i] = s->x[(begin + i) % GLS_SERIES_POINTS];
        y[i] = s->y[(begin + i) % GLS_SERIES_POINTS];
    }
}

gls_status gls_series_arrays(gls_context *ctx, gls_series *s, const char *prefix, gls_arrays *arrays) {
    return gls_arrays_add_state(ctx, arrays, prefix, "series", GLS_F64, sizeof *s / sizeof(double), &s->added);
}
