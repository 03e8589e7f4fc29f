/* Gradients and Hessian products of generalised linear models: sum_i weights[i] (residual_i x_i^T + m_i l2 W). Small
 * weight matrices go into the slice's sink; large ones are formed over tiles of features with all rows of the wave. */
#include "problem/glm.h"

#include "base/gemm.h"
#include "base/kernels.h"
#include "base/arith.h"

/* BLOCK_VALUES weighted residuals (16 KiB of floats) are kept on the stack, for BLOCK_ROWS rows or more at a time. */
enum { BLOCK_ROWS = 64, BLOCK_VALUES = 4096 };

static int64_t lower_bound(const int32_t *column, int64_t begin, int64_t end, int64_t feature) {
    while (begin < end) {
        int64_t middle = begin + (end - begin) / 2;
        if (column[middle] < feature)
            begin = middle + 1;
        else
            end = middle;
    }
    return begin;
}

static void add_sparse(const gls_glm *glm, const gls_batch *rows, const gls_real *residual, const double *weights,
                       int64_t begin, int64_t end, int64_t low, int64_t high, gls_real *g, int64_t ldg) {
    int64_t k = glm->outputs;
    bool all = low == 0 && high == glm->features;
    for (int64_t i = begin; i < end; i++) {
        double weight = weights ? weights[i] : 1;
        if (weight == 0) continue;
        int64_t first = rows->row[i], last = rows->row[i + 1];
        if (!all) {
            first = lower_bound(rows->column, first, last, low);
            last = lower_bound(rows->column, first, last, high);
        }
        for (int64_t c = 0; c < k; c++) {
            gls_real factor = (gls_real)(weight * residual[i * k + c]), *to = g + c * ldg;
            for (int64_t t = first; t < last; t++) to[rows->column[t] - low] += factor * rows->value[t];
        }
    }
}

/* One output: row by row. */
static void add_single(const gls_glm *glm, const gls_batch *rows, const gls_real *residual, const double *weights,
                       int64_t begin, int64_t end, int64_t low, int64_t high, gls_real *g) {
    for (int64_t i = begin; i < end; i++) {
        double factor = (weights ? weights[i] : 1) * (double)residual[i];
        if (weights && weights[i] == 0) continue;
        gls_axpy(g, factor, rows->x + i * glm->features + low, high - low);
    }
}

/* Blocks of rows and outputs whose weighted residuals fit the stack; the same calls with and without weights. */
static void add_dense(const gls_problem *p, const gls_batch *rows, const gls_real *residual, const double *weights,
                      int64_t begin, int64_t end, int64_t low, int64_t high, gls_real *g, int64_t ldg) {
    const gls_glm *glm = p->self;
    int64_t k = glm->outputs, d = glm->features;
    gls_real scaled[BLOCK_VALUES];
    int64_t outputs = gls_least(k, BLOCK_VALUES / BLOCK_ROWS);
    int64_t height = gls_least(BLOCK_VALUES / outputs, 512);
    for (int64_t i = begin; i < end; i += height) {
        int64_t n = gls_least(end - i, height);
        for (int64_t c = 0; c < k; c += outputs) {
            int64_t m = gls_least(k - c, outputs);
            for (int64_t r = 0; r < n; r++) {
                double weight = weights ? weights[i + r] : 1;
                for (int64_t s = 0; s < m; s++)
                    scaled[r * m + s] = weight == 0 ? 0 : (gls_real)(weight * residual[(i + r) * k + c + s]);
            }
            gls_gemm(gls_context_portable(p->ctx), true, false, m, high - low, n, 1, scaled, m, rows->x + i * d + low,
                     d, 1, g + c * ldg, ldg);
        }
    }
}

void gls_glm_add_rows(const gls_problem *p, const gls_batch *rows, const gls_real *residual, const double *weights,
                      int64_t begin, int64_t end, int64_t low, int64_t high, gls_real *g, int64_t ldg) {
    const gls_glm *glm = p->self;
    if (glm->sparse)
        add_sparse(glm, rows, residual, weights, begin, end, low, high, g, ldg);
    else if (glm->outputs == 1)
        add_single(glm, rows, residual, weights, begin, end, low, high, g);
    else
        add_dense(p, rows, residual, weights, begin, end, low, high, g, ldg);
}

static double weighted_mass(const gls_batch *rows, const double *weights) {
    if (!weights) return gls_batch_mass(rows);
    double sum = 0;
    for (int64_t i = 0; i < rows->rows; i++) sum += weights[i] * (rows->mass ? rows->mass[i] : 1);
    return sum;
}

static void add_penalty(const gls_glm *glm, const gls_real *w, double mass, int64_t low, int64_t high, gls_real *g,
                        int64_t ldg) {
    if (glm->options.l2 == 0 || mass == 0) return;
    for (int64_t c = 0; c < glm->outputs; c++)
        gls_axpy(g + c * ldg, glm->options.l2 * mass, w + c * glm->features + low, high - low);
}

static const gls_real *penalised(const gls_evaluate_args *args, gls_product product) {
    return gls_point_w(product == GLS_PRODUCT_HESSIAN ? args->direction : args->point);
}

static const gls_real *residuals(const gls_glm_evaluation *e, gls_product product) {
    return product == GLS_PRODUCT_HESSIAN ? e->curved : e->residual;
}

gls_status gls_glm_gradient(gls_problem *p, void *self, const gls_evaluate_args *args, gls_product product,
                            const double *weights, gls_sink *sink) {
    const gls_glm *glm = p->self;
    const gls_real *residual = residuals(self, product);
    int64_t k = glm->outputs, d = glm->features, n = args->rows->rows;
    if (!glm->tiled) {
        gls_real *g = gls_sink_block(sink, 0);
        gls_glm_add_rows(p, args->rows, residual, weights, 0, n, 0, d, g, d);
        add_penalty(glm, penalised(args, product), weighted_mass(args->rows, weights), 0, d, g, d);
    }
    if (!glm->options.bias) return GLS_OK;
    gls_real *bias = gls_sink_block(sink, 1);
    for (int64_t i = 0; i < n; i++) {
        double weight = weights ? weights[i] : 1;
        if (weight == 0) continue;
        for (int64_t c = 0; c < k; c++) bias[c] += (gls_real)(weight * residual[i * k + c]);
    }
    return GLS_OK;
}

int64_t gls_glm_tiles(gls_problem *p) {
    const gls_glm *glm = p->self;
    return glm->tiled ? gls_parts(glm->features, glm->tile) : 0;
}

gls_status gls_glm_gradient_tile(gls_problem *p, void *const *self, const gls_evaluate_args *const *args, int64_t count,
                                 gls_product product, const double *const *weights, int64_t tile, gls_real *g) {
    const gls_glm *glm = p->self;
    int64_t d = glm->features, low = tile * glm->tile, high = gls_least(low + glm->tile, d);
    double mass = 0;
    for (int64_t e = 0; e < count; e++) {
        const double *weight = weights ? weights[e] : NULL;
        gls_glm_add_rows(p, args[e]->rows, residuals(self[e], product), weight, 0, args[e]->rows->rows, low, high,
                         g + low, d);
        mass += weighted_mass(args[e]->rows, weight);
    }
    if (count > 0) add_penalty(glm, penalised(args[0], product), mass, low, high, g + low, d);
    return GLS_OK;
}
