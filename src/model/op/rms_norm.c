/* rms_norm: per example and position, division by the root of the mean square over the channels. */
#include <math.h>

#include "model/export.h"
#include "model/layers.h"
#include "model/norm.h"
#include "model/use.h"

static const gls_option options[] = {
    GLS_REAL("eps", gls_op_layer_norm_options, eps, "1e-5", 0, 1, "added to the mean square",
             .flags = GLS_OPTION_ABOVE_MIN),
    {0},
};

static gls_status shape(gls_graph *g, gls_node *node) {
    node->out = node->in;
    return gls_graph_parameter(g, node, 0, "weight", 1, &node->in.c, GLS_BLOCK_NO_DECAY,
                               (gls_parameter){.init = GLS_INIT_ONES});
}

/* With a backward pass every row's sums [c]; then 1 / root of every position. */
static int64_t aux(const gls_node *node, int64_t rows, bool backward) {
    return rows * ((backward ? node->out.c : 0) + gls_extent_positions(node->out)) * (int64_t)sizeof(double);
}

static double *roots(const gls_exec *x, int i, int64_t row) {
    const gls_node *node = gls_exec_node(x, i);
    return (double *)gls_exec_aux(x, i) + (x->plan->backward ? x->plan->max_rows * node->out.c : 0) +
           row * gls_extent_positions(node->out);
}

static gls_status uses(gls_graph *g, int i) {
    int64_t c = g->node[i].out.c;
    gls_view sums = {
        .source = GLS_VIEW_AUX_DOUBLE, .node = i, .positions = 1, .width = c, .inner = c, .stride = c, .row_stride = c};
    return gls_graph_use(
        g, (gls_use){.kind = &gls_use_scale_shift, .node = i, .block = g->node[i].block[0], .grad = sums});
}

static gls_status forward(gls_exec *x, int i) {
    const gls_node *node = gls_exec_node(x, i);
    const gls_op_layer_norm_options *o = node->options;
    const gls_real *scale = gls_exec_weight(x, node->block[0]);
    int64_t size = gls_extent_size(node->out), c = node->out.c;
    for (int64_t r = 0; r < x->rows; r++) {
        const gls_real *in = gls_exec_in(x, i, 0) + r * size;
        gls_real *out = gls_exec_value(x, i) + r * size;
        double *root = roots(x, i, r);
        for (int64_t p = 0; p < gls_extent_positions(node->out); p++) {
            double square = 0;
            for (int64_t k = 0; k < c; k++)
                square += (double)in[gls_norm_place(node, k, p)] * in[gls_norm_place(node, k, p)];
            root[p] = 1 / sqrt(square / (double)c + o->eps);
            for (int64_t k = 0; k < c; k++)
                out[gls_norm_place(node, k, p)] = in[gls_norm_place(node, k, p)] * (gls_real)root[p] * scale[k];
        }
    }
    return GLS_OK;
}

/* One position: into the row's sums, and with u = scale e the input's gradient root (u - xhat mean(u xhat)). */
static void position_backward(gls_exec *x, int i, int64_t row, int64_t p, double *sums) {
    const gls_node *node = gls_exec_node(x, i);
    const gls_real *scale = gls_exec_weight(x, node->block[0]);
    int64_t first = row * gls_extent_size(node->out), c = node->out.c;
    const gls_real *in = gls_exec_in(x, i, 0) + first, *e = gls_exec_grad(x, i) + first;
    double root = roots(x, i, row)[p], moment = 0;
    for (int64_t k = 0; k < c; k++) {
        int64_t at = gls_norm_place(node, k, p);
        double term = e[at] * in[at] * root;
        sums[k] += term;
        moment += scale[k] * term;
    }
    if (!gls_exec_wants(x, i, 0)) return;
    gls_real *d = gls_exec_in_grad(x, i, 0) + first;
    bool adds = gls_exec_adds(x, i, 0);
    for (int64_t k = 0; k < c; k++) {
        int64_t at = gls_norm_place(node, k, p);
        gls_real v = (gls_real)(root * (scale[k] * e[at] - in[at] * root * moment / (double)c));
        d[at] = adds ? d[at] + v : v;
    }
}

/* All positions of all rows, each row's sums begun anew; x may be an execution of tangents. */
static gls_status positions_backward(gls_exec *x, int i,
                                     void (*one)(gls_exec *x, int i, int64_t row, int64_t p, double *sums)) {
    const gls_node *node = gls_exec_node(x, i);
    for (int64_t r = 0; r < x->rows; r++) {
        double *sums = (double *)gls_exec_aux(x, i) + r * node->out.c;
        for (int64_t k = 0; k < node->out.c; k++) sums[k] = 0;
        for (int64_t p = 0; p < gls_extent_positions(node->out); p++) one(x, i, r, p, sums);
    }
    return GLS_OK;
}

static gls_status backward(gls_exec *x, int i) {
    return positions_backward(x, i, position_backward);
}

/* ---- tangents, a dash: y' = s x' r + (s r' + s' r) x, r' = -r^3 mean(x x') ---- */

static void position_forward_tangent(gls_exec *t, int i, int64_t row, int64_t p) {
    const gls_exec *x = gls_exec_primal(t);
    const gls_node *node = gls_exec_node(t, i);
    const gls_real *scale = gls_exec_weight(x, node->block[0]), *scale_dot = gls_exec_weight(t, node->block[0]);
    int64_t first = row * gls_extent_size(node->out), c = node->out.c;
    const gls_real *in = gls_exec_in(x, i, 0) + first, *in_dot = gls_exec_in(t, i, 0) + first;
    double root = roots(x, i, row)[p], mixed = 0;
    for (int64_t k = 0; k < c; k++) {
        int64_t at = gls_norm_place(node, k, p);
        mixed += (double)in[at] * in_dot[at];
    }
    double root_dot = roots(t, i, row)[p] = -root * root * root * mixed / (double)c;
    for (int64_t k = 0; k < c; k++) {
        int64_t at = first + gls_norm_place(node, k, p);
        double factor = scale[k] * root_dot + scale_dot[k] * root;
        gls_exec_value(t, i)[at] = (gls_real)(scale[k] * root * in_dot[at - first] + factor * in[at - first]);
    }
}

static gls_status forward_tangent(gls_exec *t, int i) {
    for (int64_t r = 0; r < t->rows; r++)
        for (int64_t p = 0; p < gls_extent_positions(gls_exec_node(t, i)->out); p++)
            position_forward_tangent(t, i, r, p);
    return GLS_OK;
}

/* With u = s e, m = mean(u x): the input's gradient r u - r^3 m x moves by
 * r u' + r' u - r^3 m x' - (3 r^2 r' m + r^3 m') x. */
static void position_backward_tangent(gls_exec *t, int i, int64_t row, int64_t p, double *sums) {
    const gls_exec *x = gls_exec_primal(t);
    const gls_node *node = gls_exec_node(t, i);
    const gls_real *scale = gls_exec_weight(x, node->block[0]), *scale_dot = gls_exec_weight(t, node->block[0]);
    int64_t first = row * gls_extent_size(node->out), c = node->out.c;
    const gls_real *in = gls_exec_in(x, i, 0) + first, *in_dot = gls_exec_in(t, i, 0) + first;
    const gls_real *e = gls_exec_grad(x, i) + first, *e_dot = gls_exec_grad(t, i) + first;
    double r = roots(x, i, row)[p], r_dot = roots(t, i, row)[p], m = 0, m_dot = 0;
    for (int64_t k = 0; k < c; k++) {
        int64_t at = gls_norm_place(node, k, p);
        double term = (double)e[at] * in[at], term_dot = (double)e_dot[at] * in[at] + (double)e[at] * in_dot[at];
        sums[k] += term_dot * r + term * r_dot;
        m += scale[k] * term / (double)c;
        m_dot += (scale_dot[k] * term + scale[k] * term_dot) / (double)c;
    }
    if (!gls_exec_wants(t, i, 0)) return;
    gls_real *d = gls_exec_in_grad(t, i, 0) + first;
    double by_in = 3 * r * r * r_dot * m + r * r * r * m_dot, by_in_dot = r * r * r * m;
    bool adds = gls_exec_adds(t, i, 0);
    for (int64_t k = 0; k < c; k++) {
        int64_t at = gls_norm_place(node, k, p);
        double v = r * (scale_dot[k] * e[at] + scale[k] * e_dot[at]) + r_dot * scale[k] * e[at] -
                   by_in_dot * in_dot[at] - by_in * in[at];
        d[at] = (gls_real)(adds ? d[at] + v : v);
    }
}

static gls_status backward_tangent(gls_exec *t, int i) {
    return positions_backward(t, i, position_backward_tangent);
}

static void onnx(gls_export *x, int i) {
    const gls_op_layer_norm_options *o = x->graph->node[i].options;
    bool image = x->graph->node[i].in.h > 1;
    gls_form form = image ? GLS_FORM_IMAGE : gls_export_by_position(x, i);
    char name[GLS_ONNX_NAME];
    const char *in = gls_export_in(x, i, 0, form),
               *eps = gls_onnx_real(x->to, gls_export_name(x, i, "eps", name), o->eps);
    const char *y = gls_onnx_node(x->to, "Mul", gls_export_name(x, i, "square", name), GLS_ONNX_ARGS(in, in), NULL);
    y = gls_onnx_node(x->to, "ReduceMean", gls_export_name(x, i, "mean", name), GLS_ONNX_ARGS(y),
                      GLS_ONNX_WITH(GLS_ONNX_INTS("axes", image ? 1 : -1)));
    y = gls_onnx_node(x->to, "Add", gls_export_name(x, i, "above", name), GLS_ONNX_ARGS(y, eps), NULL);
    y = gls_onnx_node(x->to, "Sqrt", gls_export_name(x, i, "root", name), GLS_ONNX_ARGS(y), NULL);
    y = gls_onnx_node(x->to, "Div", gls_export_name(x, i, "normal", name), GLS_ONNX_ARGS(in, y), NULL);
    gls_export_out(x, i, form, gls_export_scale_shift(x, i, form, y));
}

const gls_op gls_op_rms_norm = {
    .member = {.name = "rms_norm",
               .help = "division by the root mean square over the channels of every position",
               .source = "Zhang and Sennrich 2019",
               .options = options,
               .options_size = sizeof(gls_op_layer_norm_options)},
    .formula = "y = weight x / sqrt(mean(x^2) + eps), the mean over the channels of a position",
    .shapes = "[c, h, w] -> [c, h, w]",
    .parameters = "weight [c] scale and shift",
    .blocks = 1,
    GLS_OP_ONE_INPUT,
    .flags = GLS_OP_KEEPS_INPUT | GLS_OP_GRAD_IN_PLACE | GLS_OP_BY_POSITION,
    .shape = shape,
    .impl = GLS_OP_PORTABLE(.forward = forward, .backward = backward, .forward_tangent = forward_tangent,
                            .backward_tangent = backward_tangent),
    .uses = uses,
    .aux = aux,
    .onnx = onnx,
};
