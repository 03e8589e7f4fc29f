/* Lanczos with full reorthogonalisation and thick restarts: a full basis keeps the Ritz vectors of both ends and
 * continues from them (Wu and Simon, 2000). Without the reorthogonalisation float vectors soon are not orthogonal. */
#include "measure/lanczos.h"

#include "base/kernels.h"

#include <lapacke.h>
#include <math.h>
#include <string.h>

/* V has `used` orthonormal columns with A V = V T + beta v e^T; T is `basis` wide, row-major. */
typedef struct state {
    gls_context *ctx;
    const gls_lanczos *options;
    int basis, used;
    gls_real *v; /* [basis + 1, n] */
    gls_real *y; /* [n] */
    double *t;   /* [basis, basis] the projection */
    double *s;   /* [basis, basis] its eigenvectors by column */
    double *theta;
    double beta;
    gls_spectrum *out;
} state;

static gls_real *column(const state *l, int i) {
    return l->v + (int64_t)i * l->options->n;
}

/* Takes the columns 0 .. count-1 out of x, twice: once leaves rounding of the size of what was taken, twice is enough.
 * What was taken is added to h where it is not NULL. */
static void orthogonalise(state *l, gls_real *x, int count, double *h) {
    int64_t n = l->options->n;
    for (int round = 0; round < 2; round++) {
        for (int i = 0; i < count; i++) {
            double c = gls_team_dot(l->ctx, column(l, i), x, n);
            gls_team_axpy(l->ctx, x, -c, column(l, i), n);
            if (h) h[i] += c;
        }
    }
}

static double normalise(state *l, gls_real *x) {
    double norm = sqrt(gls_team_sum_squares(l->ctx, x, l->options->n));
    if (norm > 0) gls_team_scale(l->ctx, x, 1 / norm, l->options->n);
    return norm;
}

/* A fresh direction orthogonal to the columns so far. */
static void fresh(state *l, gls_random *random, gls_real *x, int count) {
    for (int64_t i = 0; i < l->options->n; i++) x[i] = (gls_real)gls_random_normal(random);
    normalise(l, x);
    orthogonalise(l, x, count, NULL);
    normalise(l, x);
}

/* One product with the last column; the new direction becomes column used. */
static gls_status extend(state *l, gls_random *random, double scale) {
    int64_t n = l->options->n;
    int last = l->used - 1;
    double h[512] = {0}; /* the largest basis that gls_lanczos_ends takes */
    GLS_TRY(l->options->apply(l->options->user, column(l, last), l->y));
    l->out->products++;
    double before = sqrt(gls_team_sum_squares(l->ctx, l->y, n));
    if (!isfinite(before)) return gls_fail(l->ctx, GLS_ERR_NONFINITE, "sharpness: a Hessian product is not finite");
    orthogonalise(l, l->y, l->used, h);
    for (int i = 0; i < l->used; i++) l->t[i * l->basis + last] = l->t[last * l->basis + i] = h[i];
    gls_real *next = column(l, l->used);
    memcpy(next, l->y, (size_t)n * sizeof *next);
    l->beta = normalise(l, next);
    double tiny = sizeof(gls_real) == 4 ? 1e-6 : 1e-14; /* some roundings: what is smaller is rounding alone */
    if (l->beta <= tiny * fmax(before, scale)) { /* an invariant subspace: continue in another direction, uncoupled */
        l->beta = 0;
        if (l->used < n) fresh(l, random, next, l->used);
    }
    return GLS_OK;
}

/* Eigenpairs of the leading `used` square of T: theta ascending, s by column with leading dimension basis. */
static gls_status solve(void *user, int64_t task, int worker) {
    state *l = user;
    for (int i = 0; i < l->used; i++) {
        for (int j = 0; j < l->used; j++)
            l->s[i * l->basis + j] = 0.5 * (l->t[i * l->basis + j] + l->t[j * l->basis + i]);
    }
    int info = (int)LAPACKE_dsyev(LAPACK_ROW_MAJOR, 'V', 'U', l->used, l->s, l->basis, l->theta);
    if (info != 0) return gls_fail(l->ctx, GLS_ERR_INTERNAL, "dsyev failed with %d", info);
    const double *bottom = l->s + (l->used - 1) * l->basis;
    gls_spectrum *out = l->out;
    out->smallest = l->theta[0];
    out->largest = l->theta[l->used - 1];
    out->smallest_residual = fabs(l->beta * bottom[0]);
    out->largest_residual = fabs(l->beta * bottom[l->used - 1]);
    double bound = l->options->tolerance * fmax(fabs(out->smallest), fabs(out->largest));
    out->converged = out->largest_residual <= bound && (l->options->top_only || out->smallest_residual <= 10 * bound);
    return GLS_OK;
}

/* Keeps the outer Ritz vectors of both ends, a quarter of the basis each, and the last direction. Half a basis of room
 * is left for new products. */
static void restart(state *l, double *kept) {
    int64_t n = l->options->n;
    int half = l->basis / 4, keep = 2 * half;
    for (int64_t i = 0; i < n; i++) {
        for (int k = 0; k < keep; k++) {
            int from = k < half ? k : l->used - keep + k;
            double sum = 0;
            for (int j = 0; j < l->used; j++) sum += (double)column(l, j)[i] * l->s[j * l->basis + from];
            kept[k] = sum;
        }
        for (int k = 0; k < keep; k++) column(l, k)[i] = (gls_real)kept[k];
    }
    memcpy(column(l, keep), column(l, l->used), (size_t)n * sizeof(gls_real));
    for (int i = 0; i < l->basis * l->basis; i++) l->t[i] = 0;
    for (int k = 0; k < keep; k++) {
        int from = k < half ? k : l->used - keep + k;
        l->t[k * l->basis + k] = l->theta[from];
    }
    /* The arrow of couplings is found again by the next product's orthogonalisation. */
    l->used = keep + 1;
}

/* The small eigenproblem is solved after every fifth product and when the basis is full: it costs little beside them.
 */
static gls_status iterate(state *l, double *kept) {
    gls_random random = l->options->random;
    double scale = 0;
    fresh(l, &random, column(l, 0), 0);
    l->used = 1;
    for (;;) {
        GLS_TRY(extend(l, &random, scale));
        bool full = l->used == l->basis, spent = l->out->products >= l->options->products;
        if (full || spent || l->used % 5 == 0) {
            GLS_TRY(gls_parallel(l->ctx, 1, solve, l)); /* one thread inside: its bits must not depend on the team */
            scale = fmax(fabs(l->out->smallest), fabs(l->out->largest));
            bool whole = l->used == l->options->n;
            if (whole) l->out->converged = true;
            bool settled = l->out->converged && (l->beta > 0 || whole || full);
            if (settled || spent) return GLS_OK;
            if (full) {
                restart(l, kept);
                continue;
            }
        }
        if (gls_interrupted(l->ctx)) return gls_fail(l->ctx, GLS_ERR_INTERRUPTED, "sharpness: interrupted");
        l->used++;
    }
}

/* Below 8 vectors a restart would keep too little of either end; 512 are what extend() has room for. */
gls_status gls_lanczos_ends(gls_context *ctx, const gls_lanczos *options, gls_spectrum *spectrum) {
    *spectrum = (gls_spectrum){0};
    if (options->n < 1 || options->basis < 8 || options->basis > 512) {
        return gls_fail(ctx, GLS_ERR_ARGUMENT, "Lanczos: a basis of %d vectors for an operator of size %lld",
                        options->basis, (long long)options->n);
    }
    int basis = options->basis < options->n ? options->basis : (int)options->n;
    state l = {.ctx = ctx, .options = options, .basis = basis, .out = spectrum};
    l.v = gls_alloc(ctx, (basis + 1) * options->n, sizeof *l.v);
    l.y = gls_alloc(ctx, options->n, sizeof *l.y);
    l.t = gls_alloc(ctx, (int64_t)basis * basis, sizeof *l.t);
    l.s = gls_alloc(ctx, (int64_t)basis * basis, sizeof *l.s);
    l.theta = gls_alloc(ctx, 2 * basis, sizeof *l.theta);
    gls_status status = l.v && l.y && l.t && l.s && l.theta ? iterate(&l, l.theta + basis) : GLS_ERR_MEMORY;
    gls_free(ctx, l.v);
    gls_free(ctx, l.y);
    gls_free(ctx, l.t);
    gls_free(ctx, l.s);
    gls_free(ctx, l.theta);
    return status;
}
