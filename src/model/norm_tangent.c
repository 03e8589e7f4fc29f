/* Loops and formulas of the normalisations' tangents; methods.md has none of them: they are the chain rule twice. */
#include "model/norm_tangent.h"

#include "base/kernels.h"
#include "model/kernels.h"

/* ---- formulas ---- */

/* variance' = 2 (E x x' - mean mean'), rstd' = -rstd^3 variance' / 2. */
void gls_norm_moments_tangent_set(gls_norm_moments_tangent *of, double first, double mixed) {
    of->mean_dot = first / of->n;
    of->rstd_dot = -of->rstd * of->rstd * of->rstd * (mixed / of->n - of->mean * of->mean_dot);
}

/* The tangent of rstd total / n + (x - mean) rstd^3 moment / n, sorted by factors. */
gls_norm_terms gls_norm_terms_of(const gls_norm_moments_tangent *of, const gls_norm_sums_tangent *s) {
    double r = of->rstd, r3 = r * r * r, v = r3 * s->moment / of->n;
    return (gls_norm_terms){.u = (of->rstd_dot * s->total + r * s->total_dot) / of->n - of->mean_dot * v,
                            .v = v,
                            .w = (3 * r * r * of->rstd_dot * s->moment + r3 * s->moment_dot) / of->n};
}

void gls_norm_tangent_set(const gls_norm_tangent *to, const gls_exec *t, int i, int64_t k,
                          const gls_norm_moments_tangent *of) {
    const gls_node *node = gls_exec_node(t, i);
    double scale = gls_exec_weight(gls_exec_primal(t), node->block[0])[k];
    double scale_dot = gls_exec_weight(t, node->block[0])[k], shift_dot = gls_exec_weight(t, node->block[1])[k];
    to->mean[k] = (gls_real)of->mean;
    to->a[k] = (gls_real)(scale * of->rstd);
    to->b[k] = (gls_real)(scale * of->rstd_dot + scale_dot * of->rstd);
    to->c[k] = (gls_real)(shift_dot - scale * of->rstd * of->mean_dot);
    to->u[k] = to->v[k] = to->w[k] = 0;
}

gls_norm_sums_tangent gls_norm_channel_sums(const gls_exec *t, int i, int64_t k, const gls_norm_moments_tangent *of,
                                            const double *values, const double *tangents) {
    const gls_node *node = gls_exec_node(t, i);
    double scale = gls_exec_weight(gls_exec_primal(t), node->block[0])[k];
    double scale_dot = gls_exec_weight(t, node->block[0])[k];
    double total = values[node->out.c + k], moment = values[k] / of->rstd;
    double total_dot = tangents[node->out.c + k], moment_dot = (tangents[k] - of->rstd_dot * moment) / of->rstd;
    return (gls_norm_sums_tangent){.total = scale * total,
                                   .moment = scale * moment,
                                   .total_dot = scale_dot * total + scale * total_dot,
                                   .moment_dot = scale_dot * moment + scale * moment_dot};
}

gls_norm_sums_tangent gls_norm_row_finish_tangent(gls_exec *t, int i, int64_t row, int64_t k,
                                                  const gls_norm_moments_tangent *of) {
    int64_t c = gls_exec_node(t, i)->out.c;
    const double *values = gls_norm_row_aux(gls_exec_primal(t), i, row);
    double *sums = gls_norm_row_aux(t, i, row);
    double moment_dot = sums[k] - of->mean_dot * values[c + k];
    sums[k] = of->rstd * moment_dot + of->rstd_dot * (values[k] / of->rstd);
    return gls_norm_channel_sums(t, i, k, of, values, sums);
}

/* ---- loops ---- */

gls_norm_tangent gls_norm_tangent_room(void *scratch, int64_t c) {
    gls_real *at = scratch;
    return (gls_norm_tangent){at, at + c, at + 2 * c, at + 3 * c, at + 4 * c, at + 5 * c, at + 6 * c};
}

int64_t gls_norm_tangent_bytes(int64_t c) {
    return 7 * c * (int64_t)sizeof(gls_real);
}

void gls_norm_tangent_terms(const gls_norm_tangent *to, int64_t begin, int64_t end, const gls_norm_moments_tangent *of,
                            const gls_norm_sums_tangent *sums) {
    gls_norm_terms terms = gls_norm_terms_of(of, sums);
    for (int64_t k = begin; k < end; k++) {
        to->u[k] = (gls_real)terms.u;
        to->v[k] = (gls_real)terms.v;
        to->w[k] = (gls_real)terms.w;
    }
}

GLS_SIMD static void block_moments(const gls_real *x, const gls_real *dx, int64_t positions, int64_t inner,
                                   double *first, double *mixed) {
    for (int64_t p = 0; p < positions; p++)
        for (int64_t k = 0; k < inner; k++) {
            double v = dx[p * inner + k];
            first[k] += v;
            mixed[k] += v * x[p * inner + k];
        }
}

void gls_norm_row_moments_tangent(const gls_exec *t, int i, int64_t row, double *first, double *mixed) {
    const gls_node *node = gls_exec_node(t, i);
    int64_t positions = gls_extent_positions(node->out), at = row * gls_extent_size(node->out);
    for (int64_t c = 0; c < node->out.c; c += node->inner)
        block_moments(gls_exec_in(gls_exec_primal(t), i, 0) + at + c * positions,
                      gls_exec_in(t, i, 0) + at + c * positions, gls_norm_row_positions(t, i, row), node->inner,
                      first + c, mixed + c);
}

GLS_SIMD static void block_forward(gls_real *restrict y, const gls_real *restrict x, const gls_real *restrict dx,
                                   int64_t positions, int64_t inner, const gls_real *restrict mean,
                                   const gls_real *restrict a, const gls_real *restrict b, const gls_real *restrict c) {
    for (int64_t p = 0; p < positions; p++)
        for (int64_t k = 0; k < inner; k++) {
            int64_t at = p * inner + k;
            y[at] = a[k] * dx[at] + b[k] * (x[at] - mean[k]) + c[k];
        }
}

void gls_norm_row_forward_tangent(gls_exec *t, int i, int64_t row, const gls_norm_tangent *with) {
    const gls_exec *x = gls_exec_primal(t);
    const gls_node *node = gls_exec_node(t, i);
    int64_t positions = gls_extent_positions(node->out), size = gls_extent_size(node->out), first = row * size;
    gls_real *y = gls_exec_value(t, i) + first;
    for (int64_t c = 0; c < node->out.c; c += node->inner) {
        int64_t at = c * positions;
        block_forward(y + at, gls_exec_in(x, i, 0) + first + at, gls_exec_in(t, i, 0) + first + at,
                      gls_norm_row_positions(t, i, row), node->inner, with->mean + c, with->a + c, with->b + c,
                      with->c + c);
    }
    gls_norm_clear_padding(t, i, row, gls_exec_value(t, i));
    if (node->inputs > 1) gls_add(y, gls_exec_in(t, i, 1) + first, size);
    if (node->activation) gls_activation_grad(y, y, gls_exec_value(x, i) + first, size, node->slope, false);
}

/* The four streams of backward over one block of channels. */
typedef struct streams {
    const gls_real *x, *dx, *e, *de;
} streams;

static streams streams_at(const gls_exec *t, int i, int64_t at) {
    const gls_exec *x = gls_exec_primal(t);
    return (streams){gls_exec_in(x, i, 0) + at, gls_exec_in(t, i, 0) + at, gls_exec_grad(x, i) + at,
                     gls_exec_grad(t, i) + at};
}

GLS_SIMD static void block_sums(streams s, int64_t positions, int64_t inner, const gls_real *mean, double *moment,
                                double *total) {
    for (int64_t p = 0; p < positions; p++)
        for (int64_t k = 0; k < inner; k++) {
            int64_t at = p * inner + k;
            total[k] += s.de[at];
            moment[k] += (double)s.de[at] * (s.x[at] - mean[k]) + (double)s.e[at] * s.dx[at];
        }
}

void gls_norm_row_sums_tangent(const gls_exec *t, int i, int64_t row, const gls_norm_tangent *with, double *moment,
                               double *total) {
    const gls_node *node = gls_exec_node(t, i);
    int64_t positions = gls_extent_positions(node->out), first = row * gls_extent_size(node->out);
    for (int64_t c = 0; c < node->out.c; c++) moment[c] = total[c] = 0;
    for (int64_t c = 0; c < node->out.c; c += node->inner)
        block_sums(streams_at(t, i, first + c * positions), gls_norm_row_positions(t, i, row), node->inner,
                   with->mean + c, moment + c, total + c);
}

GLS_SIMD static void block_backward(gls_real *restrict d, streams s, int64_t positions, int64_t inner,
                                    const gls_norm_tangent *with, int64_t c, bool adds) {
    const gls_real *restrict mean = with->mean + c, *restrict a = with->a + c, *restrict b = with->b + c,
                             *restrict u = with->u + c, *restrict v = with->v + c, *restrict w = with->w + c;
    for (int64_t p = 0; p < positions; p++)
        for (int64_t k = 0; k < inner; k++) {
            int64_t at = p * inner + k;
            gls_real sum = a[k] * s.de[at] + b[k] * s.e[at] - u[k] - v[k] * s.dx[at] - w[k] * (s.x[at] - mean[k]);
            d[at] = adds ? d[at] + sum : sum;
        }
}

void gls_norm_row_backward_tangent(gls_exec *t, int i, int64_t row, const gls_norm_tangent *with) {
    const gls_node *node = gls_exec_node(t, i);
    if (!gls_exec_wants(t, i, 0)) return;
    int64_t positions = gls_extent_positions(node->out), first = row * gls_extent_size(node->out);
    for (int64_t c = 0; c < node->out.c; c += node->inner) {
        int64_t at = first + c * positions;
        block_backward(gls_exec_in_grad(t, i, 0) + at, streams_at(t, i, at), gls_norm_row_positions(t, i, row),
                       node->inner, with, c, gls_exec_adds(t, i, 0));
    }
    if (!gls_exec_adds(t, i, 0)) gls_norm_clear_padding(t, i, row, gls_exec_in_grad(t, i, 0));
}
