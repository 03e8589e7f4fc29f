/* What an estimator makes of gradients that are in memory already: the chain over the recorded problem, for a caller
 * who has rows of gradients and no problem. */
#include <glissade/comm.h>
#include <glissade/estimator.h>

#include <math.h>

typedef struct matrix_work {
    gls_context *ctx;
    const gls_estimator_matrix *matrix;
    gls_problem *problem;
    gls_pass *pass;
    gls_estimator *estimator;
    gls_real *w;     /* [d] zeros: a point is asked for, and the gradients do not depend on it */
    int64_t *number; /* [n] 0, 1, ...: of rows as examples and as slots */
} matrix_work;

static gls_status check_matrix(gls_context *ctx, const gls_estimator_matrix *m) {
    if (!m->g || m->n < 1 || m->d < 1)
        return gls_fail(ctx, GLS_ERR_ARGUMENT,
                        "gradients [%lld, %lld]: expected at least one row of at least one parameter", (long long)m->n,
                        (long long)m->d);
    for (int64_t i = 0; m->mass && i < m->n; i++)
        if (!(m->mass[i] >= 0) || isinf(m->mass[i]))
            return gls_fail(ctx, GLS_ERR_ARGUMENT,
                            "mass of row %lld is %g: expected a finite number that is not below 0", (long long)i,
                            m->mass[i]);
    double mass = m->mass ? 0 : 1;
    for (int64_t i = 0; m->mass && i < m->n; i++) mass += m->mass[i];
    if (!(mass > 0)) return gls_fail(ctx, GLS_ERR_ARGUMENT, "mass: all of them are 0: expected one above it");
    gls_comm *comm = gls_context_comm(ctx);
    if (comm && gls_comm_size(comm) > 1)
        return gls_fail(ctx, GLS_ERR_UNSUPPORTED,
                        "gradients in memory are those of one process: expected a context without other ranks");
    return GLS_OK;
}

static gls_status prepare(matrix_work *k, const gls_value *spec) {
    const gls_estimator_matrix *m = k->matrix;
    GLS_TRY(gls_problem_create_recorded(k->ctx, m->g, 1, m->n, m->d, &k->problem));
    GLS_TRY(gls_pass_create(k->problem, NULL, &k->pass));
    GLS_TRY(gls_estimator_create(k->problem, spec, gls_context_seed(k->ctx), &k->estimator));
    const char *key = gls_estimator_key(k->estimator);
    if (key && !m->key)
        return gls_fail(k->ctx, GLS_ERR_ARGUMENT, "the chain makes groups by key '%s': expected a key for every row",
                        key);
    if (m->key && !key)
        return gls_fail(k->ctx, GLS_ERR_ARGUMENT, "rows have keys, but no stage of the chain makes groups by key");
    k->w = gls_alloc(k->ctx, m->d, sizeof *k->w);
    k->number = gls_alloc(k->ctx, m->n, sizeof *k->number);
    if (!k->w || !k->number) return GLS_ERR_MEMORY;
    for (int64_t i = 0; i < m->n; i++) k->number[i] = i;
    return GLS_OK;
}

static gls_status estimate(matrix_work *k, gls_real *g, gls_estimate *out, gls_record *record) {
    const gls_estimator_matrix *m = k->matrix;
    gls_batch rows = {
        .rows = m->n, .index = k->number, .slot = k->number, .mass = m->mass, .key = m->key, .draw = m->draw};
    gls_batch_stream stream;
    gls_batch_stream_init(&stream, &rows);
    GLS_TRY(gls_estimator_estimate(k->estimator, k->pass, k->w, &stream.stream, 0, g, out, record));
    out->loss = NAN;
    return GLS_OK;
}

gls_status gls_estimator_run_matrix(gls_context *ctx, const gls_value *spec, const gls_estimator_matrix *matrix,
                                    gls_real *g, gls_estimate *out, gls_record *record) {
    GLS_GIVEN(ctx, ctx, matrix, g);
    gls_estimate own;
    matrix_work work = {.ctx = ctx, .matrix = matrix};
    GLS_TRY(check_matrix(ctx, matrix));
    gls_status status = prepare(&work, spec);
    if (status == GLS_OK) status = estimate(&work, g, out ? out : &own, record);
    gls_free(ctx, work.number);
    gls_free(ctx, work.w);
    gls_estimator_destroy(work.estimator);
    gls_pass_destroy(work.pass);
    gls_problem_destroy(work.problem);
    return status;
}
