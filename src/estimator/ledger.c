/* The ledger: for every example of the set how often it was drawn, the log of the factor that its group was given, and
 * the norm of its own gradient. Every rank keeps the whole. */
#include "estimator/estimator.h"
#include "estimator/pass.h"

#include <math.h>
#include <string.h>

gls_status gls_ledger_create(gls_estimator *e) {
    e->examples = e->problem->data.examples;
    e->seen = gls_alloc(e->ctx, e->examples, sizeof(double));
    e->log_factor = gls_alloc(e->ctx, e->examples, sizeof(double));
    e->norm = gls_alloc(e->ctx, e->examples, sizeof(double));
    return e->seen && e->log_factor && e->norm ? GLS_OK : GLS_ERR_MEMORY;
}

gls_ledger gls_estimator_ledger(const gls_estimator *estimator) {
    if (!estimator) return (gls_ledger){0};
    return (gls_ledger){.examples = estimator->examples,
                        .seen = estimator->seen,
                        .log_factor = estimator->log_factor,
                        .norm = estimator->norm};
}

/* Rows by their place in the mini-batch, so that ranks can be added up. */
gls_status gls_ledger_begin(gls_making *making) {
    gls_estimate_rows *rows = &making->e->rows;
    rows->rows = making->rows->global_rows;
    GLS_TRY(gls_pass_room(making->e->ctx, &rows->value, &rows->room, 3 * rows->rows, sizeof(double)));
    memset(rows->value, 0, (size_t)(3 * rows->rows) * sizeof(double));
    return GLS_OK;
}

gls_status gls_ledger_slice(gls_making *making, gls_slice *slice) {
    gls_estimate_rows *rows = &making->e->rows;
    double *index = rows->value + making->rows->first + slice->first, *norm = index + 2 * rows->rows;
    GLS_TRY(gls_ask_norms(slice->evaluation, NULL, norm));
    for (int64_t i = 0; i < slice->rows->rows; i++) {
        index[i] = (double)slice->rows->index[i];
        norm[i] = sqrt(norm[i]);
    }
    return GLS_OK;
}

void gls_ledger_factor(gls_making *making, int64_t first, int64_t rows, double factor) {
    double *log_factor = making->e->rows.value + making->e->rows.rows + making->rows->first + first;
    for (int64_t i = 0; i < rows; i++) log_factor[i] += log(factor);
}

/* common_factor: what every group was multiplied by besides (rho). Examples whose group was left out (a zero or a
 * non-finite gradient) are not entered. The record receives the mean of the examples' squared norms, in the scale of
 * the mean gradient. */
gls_status gls_ledger_end(gls_making *making, double common_factor, gls_record *record) {
    gls_estimator *e = making->e;
    gls_estimate_rows *rows = &e->rows;
    GLS_TRY(gls_comm_reduce_double(e->ctx, GLS_SUM, rows->value, 3 * rows->rows, GLS_OK));
    double common = log(common_factor), squares = 0;
    const double *log_factor = rows->value + rows->rows, *norm = log_factor + rows->rows;
    for (int64_t i = 0; i < rows->rows; i++) {
        int64_t example = (int64_t)rows->value[i];
        squares += norm[i] * norm[i];
        if (example < 0 || example >= e->examples)
            return gls_fail(e->ctx, GLS_ERR_ARGUMENT, "ledger: example %lld is outside the set of %lld",
                            (long long)example, (long long)e->examples);
        if (!isfinite(log_factor[i] + common) || !isfinite(norm[i])) continue;
        e->seen[example]++;
        e->log_factor[example] += log_factor[i] + common;
        e->norm[example] += norm[i];
    }
    double scale = (double)rows->rows / making->result.mass;
    if (record) gls_record_set(record, "second_moment", squares / (double)rows->rows * scale * scale);
    return GLS_OK;
}
