/* A ring of the newest points. All fields are doubles, the counter too: a checkpoint saves them as one array. */
#include "measure/series.h"

#include <math.h>

/* A restored counter may be any number: one that counts nothing is none. */
static int64_t added(const gls_series *s) {
    const double most = 9007199254740992; /* 2^53: up to there doubles count */
    return s->added >= 0 && s->added < most ? (int64_t)s->added : 0;
}

void gls_series_add(gls_series *s, double x, double y) {
    int64_t place = added(s) % GLS_SERIES_POINTS;
    s->x[place] = x;
    s->y[place] = y;
    s->added = (double)(added(s) + 1);
}

int64_t gls_series_count(const gls_series *s) {
    return added(s) < GLS_SERIES_POINTS ? added(s) : GLS_SERIES_POINTS;
}

double gls_series_last(const gls_series *s) {
    return added(s) > 0 ? s->y[(added(s) - 1) % GLS_SERIES_POINTS] : NAN;
}

void gls_series_copy(const gls_series *s, double *x, double *y) {
    int64_t count = gls_series_count(s), begin = added(s) - count;
    for (int64_t i = 0; i < count; i++) {
        x[i] = s->x[(begin + i) % GLS_SERIES_POINTS];
        y[i] = s->y[(begin + i) % GLS_SERIES_POINTS];
    }
}

gls_status gls_series_arrays(gls_context *ctx, gls_series *s, const char *prefix, gls_arrays *arrays) {
    return gls_arrays_add_state(ctx, arrays, prefix, "series", GLS_F64, sizeof *s / sizeof(double), &s->added);
}
