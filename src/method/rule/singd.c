/* singd, stochastic interpolated normalised gradient descent. m = g(w_1); then w' = w - h m, h = 1/(p|m| + q); a point
 * y uniform on [w, w']; m = beta m + (1 - beta) g(y); on from w'. Held is -m, which is also the oracle's direction. */
#include "method/rule/rows.h"

#include <string.h>

typedef struct singd_options {
    gls_method_common common;
    double beta, p, q;
    int output;
    int64_t K, T;
} singd_options;

typedef struct singd {
    gls_real *direction, *at, *output;
    int64_t told;   /* gradients taken: 0 asks at w_1 */
    int64_t chosen; /* number of the iterate that is the result; 0: the last */
    double h;
    uint64_t seed;
} singd;

enum { DIRECTION, AT };

static gls_status create(void *memory, const gls_method_setup *setup) {
    singd *self = memory;
    const singd_options *o = setup->options;
    self->direction = setup->state[DIRECTION];
    self->at = setup->state[AT];
    self->seed = setup->seed;
    if (o->output == 0) return GLS_OK;
    double steps = o->T > 0 ? (double)o->T : setup->total_steps;
    if (!(steps >= 1))
        return gls_fail(setup->ctx, GLS_ERR_ARGUMENT, "method singd: output: theory needs T, the number of steps");
    gls_random random = gls_random_create(self->seed, "singd output", 0, 0);
    int64_t i = 1 + gls_random_below(&random, (int64_t)fmin(steps, 0x1p62));
    self->chosen = i - o->K > 1 ? i - o->K : 1;
    if (!self->output) self->output = gls_alloc(setup->ctx, setup->parameters, sizeof *self->output);
    return self->output ? GLS_OK : GLS_ERR_MEMORY;
}

static void destroy(gls_context *ctx, void *memory) {
    gls_free(ctx, ((singd *)memory)->output);
}

static void query(const void *memory, const gls_real *w, gls_query *query) {
    const singd *self = memory;
    bool begun = self->told > 0;
    *query =
        (gls_query){.kind = GLS_QUERY_ORACLE, .at = begun ? self->at : w, .direction = begun ? self->direction : NULL};
}

/* n = keep n - take g after step = -h n */
GLS_SIMD static void kernel(gls_real *restrict step, gls_real *restrict n, const gls_real *restrict g, gls_real h,
                            gls_real keep, gls_real take, int64_t size) {
    for (int64_t i = 0; i < size; i++) {
        step[i] = -(h * n[i]);
        n[i] = keep * n[i] - take * g[i];
    }
}

static void singd_main(const gls_range *r) {
    const singd *self = r->update->self;
    double keep = self->told > 0 ? ((const singd_options *)r->options)->beta : 0;
    kernel(r->step, r->state[DIRECTION], r->g, (gls_real)self->h, (gls_real)keep, (gls_real)(1 - keep), r->size);
    r->sums[0] += gls_sum_squares(r->state[DIRECTION], r->size);
}

static void finish(gls_update *update, const gls_real *w) {
    singd *self = update->self;
    const singd_options *o = update->options;
    update->lr = update->factor = self->h;
    self->told++; /* w is now iterate number `told` */
    if (self->output && self->told == self->chosen) memcpy(self->output, w, (size_t)update->parameters * sizeof *w);
    double norm2 = update->sums[0];
    update->zero = gls_rule_norm_is_zero(norm2) && o->q == 0;
    self->h = update->zero ? 0 : 1 / (o->p * sqrt(norm2) + o->q);
    gls_random random = gls_random_create(self->seed, "singd", (uint64_t)self->told, 0);
    memcpy(self->at, w, (size_t)update->parameters * sizeof *w);
    gls_team_axpy(update->ctx, self->at, gls_random_uniform(&random) * self->h, self->direction, update->parameters);
}

static gls_status arrays(void *memory, const gls_method_setup *setup, const char *prefix, gls_arrays *list) {
    singd *self = memory;
    gls_context *ctx = setup->ctx;
    GLS_TRY(gls_arrays_add_state(ctx, list, prefix, "told", GLS_I64, 1, &self->told));
    GLS_TRY(gls_arrays_add_state(ctx, list, prefix, "h", GLS_F64, 1, &self->h));
    if (!self->output) return GLS_OK;
    return gls_arrays_add_state(ctx, list, prefix, "output", GLS_DTYPE_REAL, setup->parameters, self->output);
}

static const gls_real *output(const void *memory, const gls_real *w) {
    const singd *self = memory;
    if (!self->output) return w;
    return self->told >= self->chosen ? self->output : NULL;
}

static const char *const vectors[] = {"direction", "at", NULL};

static const gls_option table[] = {
    ROW_BETA(singd_options, beta, "0.9", "share of m that is kept"),
    ROW_POSITIVE(singd_options, p, "1", 0, "the step is m/(p|m| + q)"),
    ROW_NOT_NEGATIVE(singd_options, q, "10", 0, "the step is m/(p|m| + q)"),
    GLS_ENUM("output", singd_options, output, "last", "last|theory",
             "theory: iterate max(i - K, 1), i drawn from 1..T before the run"),
    GLS_INT("K", singd_options, K, "0", 0, INFINITY, "number of steps by which the output precedes the drawn iterate"),
    GLS_INT("T", singd_options, T, "0", 0, INFINITY, "number of steps of the run; 0: taken from the run"),
    GLS_METHOD_COUPLED,
    GLS_METHOD_REST,
    {0}};

const gls_method_type gls_method_singd = {.member = {"singd", "stochastic interpolated normalised gradient descent",
                                                     "[T] Alg. 3", table, sizeof(singd_options)},
                                          .self_size = sizeof(singd),
                                          .vectors = vectors,
                                          .create = create,
                                          .destroy = destroy,
                                          .main = singd_main,
                                          .finish = finish,
                                          .query = query,
                                          .arrays = arrays,
                                          .output = output};
