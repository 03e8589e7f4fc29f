/* time_conv: depthwise convolution over the positions of a row: every channel by itself, weights [channels, kernel],
 * zeros in front of and behind every document. A row's sums for the weights are formed together with the input's
 * gradient and left in aux, so that the parameters are scale and shift. */
#include "base/kernels.h"
#include "model/export.h"
#include "model/layers.h"
#include "model/op.h"
#include "model/use.h"

static const gls_option options[] = {
    GLS_INT("kernel", gls_op_time_conv_options, kernel, "15", 1, 9999, "positions that an output sees, an odd number"),
    GLS_BOOL("bias", gls_op_time_conv_options, bias, "true", "add a bias"),
    {0},
};

static gls_status shape(gls_graph *g, gls_node *node) {
    const gls_op_time_conv_options *o = node->options;
    GLS_TRY(gls_op_takes_positions(g, node));
    if (o->kernel % 2 == 0)
        return gls_node_fail(g, node, "kernel: %lld, expected an odd number: as many positions before as behind",
                             (long long)o->kernel);
    node->out = node->in;
    int64_t size[2] = {node->in.c, o->kernel};
    gls_parameter how = {g->init, o->kernel, o->kernel};
    GLS_TRY(gls_graph_parameter(g, node, 0, "weight", 2, size, 0, how));
    if (!o->bias) return GLS_OK;
    how.init = g->init == GLS_INIT_TORCH ? GLS_INIT_TORCH : GLS_INIT_ZEROS;
    return gls_graph_parameter(g, node, 1, "bias", 1, &node->in.c, GLS_BLOCK_NO_DECAY, how);
}

/* Sums of the weights, in their order, then of the bias. */
static int64_t sums_size(const gls_node *node) {
    const gls_op_time_conv_options *o = node->options;
    return node->in.c * (o->kernel + 1);
}

static int64_t aux(const gls_node *node, int64_t rows, bool backward) {
    return backward ? rows * sums_size(node) * (int64_t)sizeof(double) : 0;
}

static double *row_sums(const gls_exec *x, int i, int64_t row) {
    return (double *)gls_exec_aux(x, i) + row * sums_size(gls_exec_node(x, i));
}

static gls_status uses(gls_graph *g, int i) {
    const gls_node *node = &g->node[i];
    const gls_op_time_conv_options *o = node->options;
    int64_t weights = node->in.c * o->kernel;
    for (int k = 0; k < 2 && node->block[k] >= 0; k++) {
        int64_t width = k ? node->in.c : weights;
        gls_view sums = {.source = GLS_VIEW_AUX_DOUBLE,
                         .node = i,
                         .positions = 1,
                         .width = width,
                         .inner = width,
                         .offset = k ? weights : 0,
                         .stride = width,
                         .row_stride = sums_size(node)};
        GLS_TRY(gls_graph_use(
            g, (gls_use){.kind = &gls_use_scale_shift, .node = i, .block = node->block[k], .grad = sums}));
    }
    return GLS_OK;
}

/* ---- weights by tap: [kernel, channels] ---- */

static int64_t pack_bytes(const gls_node *node) {
    const gls_op_time_conv_options *o = node->options;
    return node->in.c * o->kernel * (int64_t)sizeof(gls_real);
}

static gls_status pack(const gls_graph *g, const gls_node *node, const gls_real *w, void *packed) {
    const gls_op_time_conv_options *o = node->options;
    const gls_real *weight = w + gls_layout_block(g->layout, node->block[0])->offset;
    gls_real *to = packed;
    for (int64_t c = 0; c < node->in.c; c++)
        for (int64_t j = 0; j < o->kernel; j++) to[j * node->in.c + c] = weight[c * o->kernel + j];
    return GLS_OK;
}

/* ---- runs of positions that see each other ---- */

/* One document of a row, or the whole row; the taps that a position's neighbours inside it have. */
typedef struct run {
    int64_t c, half, begin, end;
} run;

/* The next run from `at` on; false: there is none. Padding belongs to none. */
static bool next_run(const gls_exec *x, int i, int64_t row, int64_t at, run *out) {
    const gls_node *node = gls_exec_node(x, i);
    const gls_op_time_conv_options *o = node->options;
    const int32_t *document = gls_exec_document(x, row);
    int64_t length = node->in.w;
    while (document && at < length && document[at] < 0) at++;
    if (at >= length) return false;
    *out = (run){.c = node->in.c, .half = o->kernel / 2, .begin = at, .end = length};
    for (int64_t t = at + 1; document && t < length; t++)
        if (document[t] != document[at]) {
            out->end = t;
            break;
        }
    return true;
}

static int64_t first_of(const run *r, int64_t t) {
    return t - r->half > r->begin ? t - r->half : r->begin;
}
static int64_t end_of(const run *r, int64_t t) {
    return t + r->half + 1 < r->end ? t + r->half + 1 : r->end;
}

GLS_SIMD static void add_product(gls_real *restrict y, const gls_real *restrict a, const gls_real *restrict b,
                                 int64_t n) {
    for (int64_t k = 0; k < n; k++) y[k] += a[k] * b[k];
}

GLS_SIMD static void add_wide_product(double *restrict y, const gls_real *restrict a, const gls_real *restrict b,
                                      int64_t n) {
    for (int64_t k = 0; k < n; k++) y[k] += (double)a[k] * b[k];
}

/* y_t += sum over the neighbours q of w[q - t + half] x_q */
static void convolve(const run *r, const gls_real *w, const gls_real *x, gls_real *y) {
    for (int64_t t = r->begin; t < r->end; t++)
        for (int64_t q = first_of(r, t); q < end_of(r, t); q++)
            add_product(y + t * r->c, w + (q - t + r->half) * r->c, x + q * r->c, r->c);
}

/* dx_q += sum over the outputs t that see q of w[q - t + half] e_t */
static void convolve_back(const run *r, const gls_real *w, const gls_real *e, gls_real *dx) {
    for (int64_t t = r->begin; t < r->end; t++)
        for (int64_t q = first_of(r, t); q < end_of(r, t); q++)
            add_product(dx + q * r->c, w + (q - t + r->half) * r->c, e + t * r->c, r->c);
}

/* sums[q - t + half] += e_t x_q, [kernel, channels] */
static void correlate(const run *r, const gls_real *e, const gls_real *x, double *sums) {
    for (int64_t t = r->begin; t < r->end; t++)
        for (int64_t q = first_of(r, t); q < end_of(r, t); q++)
            add_wide_product(sums + (q - t + r->half) * r->c, e + t * r->c, x + q * r->c, r->c);
}

static void total(const run *r, const gls_real *e, double *sums) {
    for (int64_t t = r->begin; t < r->end; t++)
        for (int64_t k = 0; k < r->c; k++) sums[k] += e[t * r->c + k];
}

/* ---- rows ---- */

/* The sums of a row by tap. */
static int64_t scratch(const gls_node *node, int64_t rows) {
    (void)rows;
    return pack_bytes(node) / (int64_t)sizeof(gls_real) * (int64_t)sizeof(double);
}

static const gls_real *row_at(const gls_exec *x, int i, const gls_real *of, int64_t row) {
    return of + row * gls_extent_size(gls_exec_node(x, i)->in);
}

/* The bias at every position of a document, zeros in padding. */
static void begin_outputs(const gls_exec *x, int i, int64_t row, gls_real *y) {
    const gls_node *node = gls_exec_node(x, i);
    const gls_real *bias = gls_exec_weight(x, node->block[1]);
    const int32_t *document = gls_exec_document(x, row);
    for (int64_t t = 0; t < node->in.w; t++)
        for (int64_t k = 0; k < node->in.c; k++)
            y[t * node->in.c + k] = bias && (!document || document[t] >= 0) ? bias[k] : 0;
}

static gls_status forward(gls_exec *x, int i) {
    int64_t size = gls_extent_size(gls_exec_node(x, i)->in);
    run r = {0};
    for (int64_t row = 0; row < x->rows; row++) {
        gls_real *y = gls_exec_value(x, i) + row * size;
        begin_outputs(x, i, row, y);
        for (r.end = 0; next_run(x, i, row, r.end, &r);)
            convolve(&r, x->packed[i], row_at(x, i, gls_exec_in(x, i, 0), row), y);
    }
    return GLS_OK;
}

/* Sums by tap from scratch into aux, by channel. */
static void keep_sums(const gls_exec *x, int i, int64_t row) {
    const gls_node *node = gls_exec_node(x, i);
    const gls_op_time_conv_options *o = node->options;
    const double *from = x->scratch;
    double *to = row_sums(x, i, row);
    for (int64_t c = 0; c < node->in.c; c++)
        for (int64_t j = 0; j < o->kernel; j++) to[c * o->kernel + j] = from[j * node->in.c + c];
}

static void clear_sums(const gls_exec *x, int i, int64_t row) {
    const gls_node *node = gls_exec_node(x, i);
    int64_t weights = sums_size(node) - node->in.c;
    double *taps = x->scratch, *bias = row_sums(x, i, row) + weights;
    for (int64_t k = 0; k < weights; k++) taps[k] = 0;
    for (int64_t k = 0; k < node->in.c; k++) bias[k] = 0;
}

static double *bias_sums(const gls_exec *x, int i, int64_t row) {
    const gls_node *node = gls_exec_node(x, i);
    return row_sums(x, i, row) + sums_size(node) - node->in.c;
}

/* The input's gradient of a row, zeros at first; NULL: not wanted. */
static gls_real *begin_gradient(const gls_exec *x, int i, int64_t row) {
    int64_t size = gls_extent_size(gls_exec_node(x, i)->in);
    if (!gls_exec_wants(x, i, 0)) return NULL;
    gls_real *dx = gls_exec_in_grad(x, i, 0) + row * size;
    if (!gls_exec_adds(x, i, 0)) gls_fill(dx, 0, size);
    return dx;
}

static gls_status backward(gls_exec *x, int i) {
    run r = {0};
    for (int64_t row = 0; row < x->rows; row++) {
        const gls_real *in = row_at(x, i, gls_exec_in(x, i, 0), row), *e = row_at(x, i, gls_exec_grad(x, i), row);
        gls_real *dx = begin_gradient(x, i, row);
        clear_sums(x, i, row);
        for (r.end = 0; next_run(x, i, row, r.end, &r);) {
            correlate(&r, e, in, x->scratch);
            total(&r, e, bias_sums(x, i, row));
            if (dx) convolve_back(&r, x->packed[i], e, dx);
        }
        keep_sums(x, i, row);
    }
    return GLS_OK;
}

/* ---- tangents: linear in the input and in the weights ---- */

static gls_status forward_tangent(gls_exec *t, int i) {
    const gls_exec *x = gls_exec_primal(t);
    int64_t size = gls_extent_size(gls_exec_node(t, i)->in);
    run r = {0};
    for (int64_t row = 0; row < t->rows; row++) {
        gls_real *y = gls_exec_value(t, i) + row * size;
        begin_outputs(t, i, row, y);
        for (r.end = 0; next_run(t, i, row, r.end, &r);) {
            convolve(&r, t->packed[i], row_at(x, i, gls_exec_in(x, i, 0), row), y);
            if (!gls_exec_still(t, i, 0)) convolve(&r, x->packed[i], row_at(t, i, gls_exec_in(t, i, 0), row), y);
        }
    }
    return GLS_OK;
}

static gls_status backward_tangent(gls_exec *t, int i) {
    const gls_exec *x = gls_exec_primal(t);
    run r = {0};
    for (int64_t row = 0; row < t->rows; row++) {
        const gls_real *in = row_at(x, i, gls_exec_in(x, i, 0), row), *e = row_at(x, i, gls_exec_grad(x, i), row);
        const gls_real *in_dot = row_at(t, i, gls_exec_in(t, i, 0), row),
                       *e_dot = row_at(t, i, gls_exec_grad(t, i), row);
        gls_real *dx = begin_gradient(t, i, row);
        clear_sums(t, i, row);
        for (r.end = 0; next_run(t, i, row, r.end, &r);) {
            correlate(&r, e_dot, in, t->scratch);
            if (!gls_exec_still(t, i, 0)) correlate(&r, e, in_dot, t->scratch);
            total(&r, e_dot, bias_sums(t, i, row));
            if (!dx) continue;
            convolve_back(&r, x->packed[i], e_dot, dx);
            convolve_back(&r, t->packed[i], e, dx);
        }
        keep_sums(t, i, row);
    }
    return GLS_OK;
}

static double work(const gls_node *node) {
    const gls_op_time_conv_options *o = node->options;
    return (double)gls_extent_size(node->out) * (double)o->kernel;
}

/* [batch, c, 1, w], zeros in padding. */
static const char *without_padding(gls_export *x, int i, const char *value) {
    int64_t w = x->graph->node[i].in.w;
    const char *ones = gls_export_ones(x, i, w);
    char name[GLS_ONNX_NAME];
    if (!ones) return value;
    ones = gls_onnx_reshape(x->to, gls_export_name(x, i, "ones_by_channel", name), ones, GLS_ONNX_EXTENTS(0, 1, 1, w));
    return gls_onnx_node(x->to, "Mul", gls_export_name(x, i, "inside", name), GLS_ONNX_ARGS(value, ones), NULL);
}

static void onnx(gls_export *x, int i) {
    const gls_node *node = &x->graph->node[i];
    const gls_op_time_conv_options *o = node->options;
    const char *in = without_padding(x, i, gls_export_in(x, i, 0, GLS_FORM_IMAGE)), *bias = gls_export_weight(x, i, 1);
    const char *weight = gls_export_weight_as(x, i, 0, 4, (const int64_t[]){node->in.c, 1, 1, o->kernel});
    const char *y = gls_onnx_node(
        x->to, "Conv", node->name, *bias ? GLS_ONNX_ARGS(in, weight, bias) : GLS_ONNX_ARGS(in, weight),
        GLS_ONNX_WITH(GLS_ONNX_INTS("kernel_shape", 1, o->kernel),
                      GLS_ONNX_INTS("pads", 0, o->kernel / 2, 0, o->kernel / 2), GLS_ONNX_INT("group", node->in.c)));
    gls_export_out(x, i, GLS_FORM_IMAGE, without_padding(x, i, y));
}

const gls_op gls_op_time_conv = {
    .member = {.name = "time_conv",
               .help = "depthwise convolution over positions, inside documents",
               .source = "",
               .options = options,
               .options_size = sizeof(gls_op_time_conv_options)},
    .formula = "y_t = sum over j of weight_j x_{t + j - (kernel - 1) / 2} by channel, + bias; padding stays 0",
    .shapes = "[c, 1, w] -> the same",
    .parameters = "weight [c, kernel] scale and shift; bias [c] scale and shift",
    .blocks = 2,
    GLS_OP_ONE_INPUT,
    .flags = GLS_OP_KEEPS_INPUT | GLS_OP_NO_PADDING,
    .shape = shape,
    .impl = GLS_OP_PORTABLE(.setup = gls_op_keeps_positions, .pack_bytes = pack_bytes, .pack = pack, .scratch = scratch,
                            .forward = forward, .backward = backward, .forward_tangent = forward_tangent,
                            .backward_tangent = backward_tangent),
    .uses = uses,
    .aux = aux,
    .work = work,
    .onnx = onnx,
};
