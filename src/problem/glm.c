/* Generalised linear models: layout, points, forward. */
#include "problem/glm.h"

#include "base/gemm.h"
#include "base/kernels.h"
#include "problem/evaluation.h"

enum {
    TILED_FROM = 32768, /* weights (128 KiB of floats): below, every lane keeps its own copy of the gradient */
    TILE_VALUES = 16384 /* gradient values a tile: 64 KiB of floats stay in a core's cache while rows are added */
};

/* Whole numbers come as classes and as numbers: a loss that takes either takes the numbers. */
static gls_status count_outputs(gls_problem *p, const gls_data_info *data, const gls_glm_loss *loss, int64_t *outputs) {
    const char *name = p->type->member.name;
    if (!data || data->features < 1) return gls_fail(p->ctx, GLS_ERR_ARGUMENT, "'%s' needs data with features", name);
    bool numbers = !loss->needs_classes && data->targets > 0, classes = data->target == GLS_TARGET_CLASS && !numbers;
    if (numbers && data->target == GLS_TARGET_CLASS) p->data.target = GLS_TARGET_REAL;
    if (loss->needs_classes && !classes)
        return gls_fail(p->ctx, GLS_ERR_ARGUMENT, "'%s' needs class targets, and these data have none", name);
    if (!classes && !(numbers && p->data.target == GLS_TARGET_REAL))
        return gls_fail(p->ctx, GLS_ERR_ARGUMENT, "'%s' needs real or class targets, and these data have none", name);
    if (loss->two_classes && data->classes != 2)
        return gls_fail(p->ctx, GLS_ERR_ARGUMENT, "'%s' needs two classes, and these data have %lld; use 'softmax'",
                        name, (long long)data->classes);
    if (classes && data->classes < 2)
        return gls_fail(p->ctx, GLS_ERR_ARGUMENT, "'%s' needs at least two classes, and these data have %lld", name,
                        (long long)data->classes);
    if (data->mixed && !classes)
        return gls_fail(p->ctx, GLS_ERR_ARGUMENT, "'%s' regresses numbers, and transform mixup mixes classes", name);
    *outputs = !classes ? data->targets : loss->signs && data->classes == 2 ? 1 : data->classes;
    return GLS_OK;
}

gls_status gls_glm_create(gls_problem *p, const void *options, const gls_data_info *data, const gls_glm_loss *loss) {
    gls_glm *glm = p->self;
    GLS_TRY(count_outputs(p, data, loss, &glm->outputs));
    glm->loss = loss;
    glm->features = data->features;
    if (options)
        glm->options = *(const gls_glm_options *)options;
    else
        glm->options = (gls_glm_options){.bias = true, .smoothing = 1};
    glm->sparse = data->sparse;
    int64_t size;
    if (__builtin_mul_overflow(glm->outputs, glm->features, &size))
        return gls_fail(p->ctx, GLS_ERR_MEMORY, "%lld x %lld weights do not fit", (long long)glm->outputs,
                        (long long)glm->features);
    glm->tiled = size >= TILED_FROM;
    /* Whole cache lines of floats; and with many outputs still tiles that are worth a task. */
    glm->tile = TILE_VALUES / glm->outputs / 16 * 16;
    if (glm->tile < 64) glm->tile = 64;
    int64_t shape[2] = {glm->outputs, glm->features};
    GLS_TRY(gls_layout_add(p->layout, "weight", 2, shape, glm->tiled ? GLS_BLOCK_TILED : 0));
    if (glm->options.bias) GLS_TRY(gls_layout_add(p->layout, "bias", 1, shape, GLS_BLOCK_NO_DECAY));
    p->outputs = glm->outputs;
    p->link = p->data.target == GLS_TARGET_REAL ? GLS_LINK_IDENTITY : glm->outputs == 1 ? loss->one : loss->several;
    if (gls_problem_prediction(p).classes > 0) {
        p->score_count = 1;
        p->score[0] = "accuracy";
    }
    p->oracle_exact = true;
    p->hessian_exact = true;
    return GLS_OK;
}

/* How many features a sparse row stores is not known here: 256 at most are assumed. */
void gls_glm_cost(gls_problem *p, double *multiply_adds, double *bytes) {
    const gls_glm *glm = p->self;
    double width = (double)glm->features;
    if (glm->sparse && width > 256) width = 256;
    *multiply_adds = width * (double)glm->outputs;
    *bytes = (double)(3 * glm->outputs + 4) * sizeof(double) + width * (sizeof(gls_real) + (glm->sparse ? 4 : 0));
}

gls_status gls_glm_onnx(gls_problem *p, const gls_real *w, gls_onnx *to, const char *input, const char **output) {
    const gls_glm *glm = p->self;
    int64_t shape[2] = {glm->outputs, glm->features};
    const char *x = gls_onnx_reshape(to, "features", input, GLS_ONNX_EXTENTS(0, glm->features));
    const char *weight = gls_onnx_reals(to, "weight", false, 2, shape, w);
    const char *bias = glm->options.bias ? gls_onnx_reals(to, "bias", false, 1, shape, w + shape[0] * shape[1]) : NULL;
    *output = gls_onnx_node(to, "Gemm", "outputs", bias ? GLS_ONNX_ARGS(x, weight, bias) : GLS_ONNX_ARGS(x, weight),
                            GLS_ONNX_WITH(GLS_ONNX_INT("transB", 1)));
    return gls_onnx_status(to);
}

/* ---- points ---- */

gls_status gls_glm_point_create(gls_problem *p, void **prepared) {
    *prepared = gls_alloc(p->ctx, 1, sizeof(gls_glm_point));
    return *prepared ? GLS_OK : GLS_ERR_MEMORY;
}

void gls_glm_point_destroy(gls_problem *p, void *prepared) {
    gls_free(p->ctx, prepared);
}

gls_status gls_glm_point_set(gls_problem *p, void *prepared, const gls_real *w) {
    const gls_glm *glm = p->self;
    gls_glm_point *point = prepared;
    point->norm2 = glm->options.l2 > 0 ? gls_team_sum_squares(p->ctx, w, glm->outputs * glm->features) : 0;
    return GLS_OK;
}

/* ---- evaluations ---- */

gls_status gls_glm_evaluation_create(gls_problem *p, int64_t max_rows, unsigned want, gls_mode mode, void **self) {
    const gls_glm *glm = p->self;
    gls_glm_evaluation *e = gls_alloc(p->ctx, 1, sizeof *e);
    if (!e) return GLS_ERR_MEMORY;
    *self = e;
    int64_t values;
    if (__builtin_mul_overflow(max_rows, glm->outputs, &values))
        return gls_fail(p->ctx, GLS_ERR_MEMORY, "outputs of %lld rows do not fit", (long long)max_rows);
    bool loss = gls_want_loss(want);
    e->z = gls_alloc(p->ctx, values, sizeof(gls_real));
    e->residual = gls_alloc(p->ctx, loss ? values : 0, sizeof(gls_real));
    e->curved = gls_alloc(p->ctx, want & GLS_WANT_HESSIAN ? values : 0, sizeof(gls_real));
    e->loss = gls_alloc(p->ctx, loss ? max_rows : 0, sizeof(double));
    e->slope = gls_alloc(p->ctx, 3 * glm->outputs, sizeof(double));
    return e->z && e->residual && e->curved && e->loss && e->slope ? GLS_OK : GLS_ERR_MEMORY;
}

void gls_glm_evaluation_destroy(gls_problem *p, void *self) {
    gls_glm_evaluation *e = self;
    gls_free(p->ctx, e->z);
    gls_free(p->ctx, e->residual);
    gls_free(p->ctx, e->curved);
    gls_free(p->ctx, e->loss);
    gls_free(p->ctx, e->slope);
    gls_free(p->ctx, e->matrix);
    gls_free(p->ctx, e);
}

double gls_glm_row_dot(const gls_glm *glm, const gls_batch *rows, int64_t i, const gls_real *v) {
    if (!glm->sparse) return gls_dot(rows->x + i * glm->features, v, glm->features);
    double sum = 0;
    for (int64_t t = rows->row[i]; t < rows->row[i + 1]; t++) sum += (double)rows->value[t] * v[rows->column[t]];
    return sum;
}

/* out [rows, k] = X V^T + bias of a point. One output is a sum in double for each row: a library's product would first
 * copy both sides, which costs a small mini-batch more than the product. */
static void apply(const gls_problem *p, const gls_batch *rows, const gls_point *at, gls_real *out) {
    const gls_glm *glm = p->self;
    int64_t k = glm->outputs, d = glm->features, n = rows->rows;
    const gls_real *w = gls_point_w(at);
    if (!glm->sparse && k > 1)
        gls_gemm(gls_context_portable(p->ctx), false, true, n, k, d, 1, rows->x, d, w, d, 0, out, k);
    else
        for (int64_t i = 0; i < n; i++)
            for (int64_t c = 0; c < k; c++) out[i * k + c] = (gls_real)gls_glm_row_dot(glm, rows, i, w + c * d);
    if (glm->options.bias)
        for (int64_t i = 0; i < n; i++)
            for (int64_t c = 0; c < k; c++) out[i * k + c] += w[k * d + c];
}

/* Both targets of a mixed row; else the second is the first, with share 1 of it. */
typedef struct row_targets {
    gls_glm_target one, other;
    double share;
} row_targets;

static gls_status check_label(const gls_problem *p, const gls_batch *rows, int64_t i, int32_t label) {
    if (label < 0 || label >= p->data.classes)
        return gls_fail(p->ctx, GLS_ERR_INPUT, "'%s': example %lld has class %d; expected 0 to %lld",
                        p->type->member.name, (long long)(rows->index ? rows->index[i] : i), label,
                        (long long)p->data.classes - 1);
    return GLS_OK;
}

static gls_status read_targets(const gls_problem *p, const gls_batch *rows, int64_t i, row_targets *t) {
    const gls_glm *glm = p->self;
    *t = (row_targets){{.label = -1}, {.label = -1}, 1};
    if (p->data.target != GLS_TARGET_CLASS) {
        t->one.y = rows->y + i * glm->outputs;
        return GLS_OK;
    }
    t->one.label = rows->label[i];
    if (rows->other_label) {
        t->share = rows->label_share[i];
        t->other.label = rows->other_label[i];
        GLS_TRY(check_label(p, rows, i, t->other.label));
    }
    return check_label(p, rows, i, t->one.label);
}

static gls_status check_rows(const gls_problem *p, const gls_batch *rows, bool loss) {
    const gls_glm *glm = p->self;
    bool features = glm->sparse ? rows->row && rows->column && rows->value : rows->x != NULL;
    bool targets = !loss || (p->data.target == GLS_TARGET_CLASS ? rows->label != NULL : rows->y != NULL);
    if (features && targets && rows->features == glm->features) return GLS_OK;
    return gls_fail(p->ctx, GLS_ERR_ARGUMENT, "'%s' was made for %s rows of %lld features with targets; got %lld%s%s",
                    p->type->member.name, glm->sparse ? "sparse" : "dense", (long long)glm->features,
                    (long long)rows->features, features ? "" : " in another form", targets ? "" : " without targets");
}

/* Loss at the outputs z [k] and its slope in e->slope [k]. */
static double value_of(const gls_glm *glm, gls_glm_evaluation *e, const gls_real *z, const row_targets *t) {
    double value = glm->loss->value(glm, z, t->one, e->slope);
    if (t->share == 1) return value;
    double *other = e->slope + glm->outputs, rest = 1 - t->share;
    value = t->share * value + rest * glm->loss->value(glm, z, t->other, other);
    for (int64_t c = 0; c < glm->outputs; c++) e->slope[c] = t->share * e->slope[c] + rest * other[c];
    return value;
}

/* Second derivative at z times the direction's outputs in e->slope [k], into the k behind them. */
static void curve_of(const gls_glm *glm, gls_glm_evaluation *e, const gls_real *z, const row_targets *t) {
    double *out = e->slope + glm->outputs, *other = out + glm->outputs;
    glm->loss->curve(glm, z, t->one, e->slope, out);
    if (t->share == 1) return;
    glm->loss->curve(glm, z, t->other, e->slope, other);
    for (int64_t c = 0; c < glm->outputs; c++) out[c] = t->share * out[c] + (1 - t->share) * other[c];
}

/* Loss and slope of every row at its outputs e->z; with a Hessian product, e->curved, the direction's outputs, is
 * replaced by the curvature times them. */
static gls_status evaluate_losses(gls_problem *p, gls_glm_evaluation *e, const gls_evaluate_args *args) {
    const gls_glm *glm = p->self;
    const gls_batch *rows = args->rows;
    int64_t k = glm->outputs;
    bool hessian = (args->want & GLS_WANT_HESSIAN) != 0;
    double penalty = 0.5 * glm->options.l2 * ((const gls_glm_point *)gls_point_prepared(args->point))->norm2;
    for (int64_t i = 0; i < rows->rows; i++) {
        row_targets t;
        GLS_TRY(read_targets(p, rows, i, &t));
        double mass = rows->mass ? rows->mass[i] : 1;
        e->loss[i] = mass * (value_of(glm, e, e->z + i * k, &t) + penalty);
        for (int64_t c = 0; c < k; c++) e->residual[i * k + c] = (gls_real)(mass * e->slope[c]);
        if (!hessian) continue;
        for (int64_t c = 0; c < k; c++) e->slope[c] = e->curved[i * k + c];
        curve_of(glm, e, e->z + i * k, &t);
        for (int64_t c = 0; c < k; c++) e->curved[i * k + c] = (gls_real)(mass * e->slope[k + c]);
    }
    return GLS_OK;
}

gls_status gls_glm_forward(gls_problem *p, void *self, const gls_evaluate_args *args, int stage, const double *met,
                           double *meet) {
    gls_glm_evaluation *e = self;
    bool loss = gls_want_loss(args->want);
    if (args->rows->rows == 0) return GLS_OK;
    GLS_TRY(check_rows(p, args->rows, loss));
    apply(p, args->rows, args->point, e->z);
    if (args->want & GLS_WANT_HESSIAN) apply(p, args->rows, args->direction, e->curved);
    return loss ? evaluate_losses(p, e, args) : GLS_OK;
}

gls_status gls_glm_losses(gls_problem *p, void *self, const gls_evaluate_args *args, double *losses) {
    const gls_glm_evaluation *e = self;
    for (int64_t i = 0; i < args->rows->rows; i++) losses[i] = e->loss[i];
    return GLS_OK;
}

gls_status gls_glm_scores(gls_problem *p, void *self, const gls_evaluate_args *args, double *sums) {
    const gls_glm *glm = p->self;
    const gls_glm_evaluation *e = self;
    sums[0] = 0;
    for (int64_t i = 0; i < args->rows->rows; i++) {
        row_targets t;
        GLS_TRY(read_targets(p, args->rows, i, &t));
        int32_t class = gls_link_class(p, e->z + i * glm->outputs, glm->outputs);
        double right = (class == t.one.label ? t.share : 0) + (class == t.other.label ? 1 - t.share : 0);
        if (right > 0) sums[0] += right * (args->rows->mass ? args->rows->mass[i] : 1);
    }
    return GLS_OK;
}

gls_status gls_glm_outputs(gls_problem *p, void *self, const gls_evaluate_args *args, gls_real *out) {
    const gls_glm *glm = p->self;
    const gls_glm_evaluation *e = self;
    for (int64_t i = 0; i < args->rows->rows * glm->outputs; i++) out[i] = e->z[i];
    return GLS_OK;
}
