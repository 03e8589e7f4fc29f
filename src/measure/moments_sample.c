/* The moments of a sample at w. Inner products with the sum serve the variances alone: a whole set, which has none, is
 * read once. */
#include "base/kernels.h"
#include "measure/moments.h"

static gls_status sample_moments(gls_sample *s, const gls_real *w, double *a, double *c, gls_real *g,
                                 gls_moments *out) {
    int64_t d = gls_problem_size(s->in->problem);
    gls_sample_figures figures = {.norm2 = a, .g = g};
    GLS_TRY(gls_sample_rows(s, s->index, s->count, gls_sample_draw(s->in, 0), w, NULL, &figures));
    double norm2_sum = gls_team_sum_squares(s->ctx, g, d);
    if (!s->whole) {
        figures = (gls_sample_figures){.inner = c};
        GLS_TRY(gls_sample_rows(s, s->index, s->count, gls_sample_draw(s->in, 0), w, g, &figures));
    }
    gls_moments_rows(s->count, 1, a, c, norm2_sum, s->population, out);
    return GLS_OK;
}

gls_status gls_moments_sample(gls_sample *s, const gls_real *w, gls_moments *out) {
    double *a = gls_alloc(s->ctx, s->count, sizeof *a), *c = gls_alloc(s->ctx, s->count, sizeof *c);
    gls_real *g = gls_alloc(s->ctx, gls_problem_size(s->in->problem), sizeof *g);
    gls_status status = a && c && g ? sample_moments(s, w, a, c, g, out) : GLS_ERR_MEMORY;
    gls_free(s->ctx, a);
    gls_free(s->ctx, c);
    gls_free(s->ctx, g);
    return status;
}
