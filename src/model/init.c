/* Initial weights: one law a block, each block from a random stream of its own. */
#include <math.h>

#include "model/graph.h"

/* Rows of a [rows, columns] matrix made orthonormal (columns if there are fewer of them), from normal numbers, by
 * modified Gram-Schmidt twice, in double; scaled by gain. */
static gls_status orthogonal(const gls_graph *g, const gls_block *block, gls_random *random, gls_real *w) {
    int64_t rows = block->shape[0], columns = rows ? block->size / rows : 0;
    bool wide = rows <= columns;
    int64_t vectors = wide ? rows : columns, length = wide ? columns : rows;
    if (vectors == 0) return GLS_OK;
    double *q = gls_alloc(g->ctx, block->size, sizeof *q);
    if (!q) return GLS_ERR_MEMORY;
    for (int64_t i = 0; i < vectors; i++) {
        double *v = q + i * length;
        for (int64_t k = 0; k < length; k++) v[k] = gls_random_normal(random);
        for (int pass = 0; pass < 2; pass++)
            for (int64_t j = 0; j < i; j++) {
                const double *u = q + j * length;
                double dot = 0;
                for (int64_t k = 0; k < length; k++) dot += u[k] * v[k];
                for (int64_t k = 0; k < length; k++) v[k] -= dot * u[k];
            }
        double norm = 0;
        for (int64_t k = 0; k < length; k++) norm += v[k] * v[k];
        norm = sqrt(norm);
        for (int64_t k = 0; k < length; k++) v[k] /= norm;
    }
    double gain = sqrt(2.0);
    for (int64_t r = 0; r < rows; r++)
        for (int64_t c = 0; c < columns; c++)
            w[r * columns + c] = (gls_real)(gain * (wide ? q[r * length + c] : q[c * length + r]));
    gls_free(g->ctx, q);
    return GLS_OK;
}

static void uniform(gls_random *random, double bound, gls_real *w, int64_t n) {
    for (int64_t i = 0; i < n; i++) w[i] = (gls_real)(bound * (2 * gls_random_uniform(random) - 1));
}

/* He et al. 2015 (normal, 2 / fan_in), Glorot and Bengio 2010 (uniform, 6 / (fan_in + fan_out)), Saxe et al. 2014
 * (orthogonal, here with relu's gain sqrt(2)), and PyTorch's default (uniform, 1 / sqrt(fan_in)). */
gls_status gls_graph_initialize(const gls_graph *g, uint64_t seed, gls_real *w) {
    for (int64_t b = 0; b < gls_layout_count(g->layout); b++) {
        const gls_block *block = gls_layout_block(g->layout, b);
        const gls_parameter *p = &g->parameter[b];
        gls_random random = gls_random_create(seed, "initialize", (uint64_t)b, 0);
        gls_real *to = w + block->offset;
        double fan_in = (double)p->fan_in, fan_out = (double)p->fan_out;
        switch (p->init) {
        case GLS_INIT_HE:
            for (int64_t i = 0; i < block->size; i++)
                to[i] = (gls_real)(sqrt(2.0 / fan_in) * gls_random_normal(&random));
            break;
        case GLS_INIT_NORMAL:
            for (int64_t i = 0; i < block->size; i++)
                to[i] = (gls_real)(sqrt(1.0 / fan_in) * gls_random_normal(&random));
            break;
        case GLS_INIT_GLOROT:
            uniform(&random, sqrt(6.0 / (fan_in + fan_out)), to, block->size);
            break;
        case GLS_INIT_ORTHOGONAL:
            GLS_TRY(orthogonal(g, block, &random, to));
            break;
        case GLS_INIT_TORCH:
            uniform(&random, 1.0 / sqrt(fan_in), to, block->size);
            break;
        case GLS_INIT_ZEROS:
        case GLS_INIT_ONES:
            for (int64_t i = 0; i < block->size; i++) to[i] = p->init == GLS_INIT_ONES;
            break;
        }
    }
    return GLS_OK;
}

void gls_graph_initialize_state(const gls_graph *g, gls_real *state) {
    for (int64_t b = 0; b < gls_layout_count(g->state_layout); b++) {
        const gls_block *block = gls_layout_block(g->state_layout, b);
        for (int64_t i = 0; i < block->size; i++) state[block->offset + i] = (gls_real)g->start[b];
    }
}
