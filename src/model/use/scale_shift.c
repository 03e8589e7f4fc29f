/* Scale and shift: y_c = scale_c z_c + shift_c. A row's gradient is a sum over positions: of e for a plain bias (formed
 * here), or one that backward-data has formed anyway and left in the op's aux, [rows, sums] doubles. */
#include "model/kernels.h"
#include "model/use.h"

static const double *row_sums(gls_exec *x, const gls_use *use, int64_t row) {
    const gls_node *node = &x->graph->node[use->node];
    int64_t c = node->out.c, size = gls_extent_size(node->out);
    if (use->sums_row >= 0) return (const double *)x->aux[use->node] + row * use->sums_stride + use->sums_row;
    gls_channel_sums(x->grad[use->node] + row * size, c, gls_extent_positions(node->out), node->inner, x->scratch);
    return x->scratch;
}

static gls_status gradient(gls_exec *x, const gls_use *use, const double *weights, gls_real *g) {
    int64_t c = x->graph->node[use->node].out.c;
    double *total = (double *)x->scratch + c;
    for (int64_t k = 0; k < c; k++) total[k] = 0;
    for (int64_t r = 0; r < x->rows; r++) {
        const double *sums = row_sums(x, use, r);
        double weight = weights ? weights[r] : 1;
        for (int64_t k = 0; k < c; k++) total[k] += weight * sums[k];
    }
    for (int64_t k = 0; k < c; k++) g[k] += (gls_real)total[k];
    return GLS_OK;
}

static gls_status norms(gls_exec *x, const gls_use *use, const gls_partition *partition, double *out) {
    int64_t c = x->graph->node[use->node].out.c;
    double *total = (double *)x->scratch + c;
    for (int64_t group = 0; group < partition->groups; group++) {
        for (int64_t k = 0; k < c; k++) total[k] = 0;
        for (int64_t r = 0; r < x->rows; r++) {
            if (partition->group[r] != group) continue;
            const double *sums = row_sums(x, use, r);
            for (int64_t k = 0; k < c; k++) total[k] += sums[k];
        }
        for (int64_t k = 0; k < c; k++) out[group] += total[k] * total[k];
    }
    return GLS_OK;
}

static gls_status inner(gls_exec *x, const gls_use *use, const gls_partition *partition, const gls_point *point,
                        double *out) {
    int64_t c = x->graph->node[use->node].out.c;
    const gls_real *v = gls_point_w(point) + gls_layout_block(x->graph->layout, use->block)->offset;
    for (int64_t r = 0; r < x->rows; r++) {
        if (partition->group[r] < 0) continue;
        const double *sums = row_sums(x, use, r);
        double sum = 0;
        for (int64_t k = 0; k < c; k++) sum += sums[k] * v[k];
        out[partition->group[r]] += sum;
    }
    return GLS_OK;
}

static int64_t scratch(const gls_graph *g, const gls_use *use, int64_t rows, unsigned want) {
    return 2 * g->node[use->node].out.c * (int64_t)sizeof(double);
}

const gls_use_kind gls_use_scale_shift = {
    .name = "scale and shift",
    .gradient = gradient,
    .norms = norms,
    .inner = inner,
    .scratch = scratch,
};
