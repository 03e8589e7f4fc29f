/* scale: a constant times the input. */
#include "model/export.h"
#include "model/layers.h"
#include "model/op.h"

static const gls_option options[] = {
    GLS_REAL("by", gls_op_scale_options, by, NULL, -1e9, 1e9, "the constant", .flags = GLS_OPTION_REQUIRED),
    {0},
};

static gls_status forward(gls_exec *x, int i) {
    gls_real by = (gls_real)((const gls_op_scale_options *)gls_exec_node(x, i)->options)->by;
    const gls_real *in = gls_exec_in(x, i, 0);
    gls_real *out = gls_exec_value(x, i);
    for (int64_t k = 0; k < gls_exec_size(x, i); k++) out[k] = by * in[k];
    return GLS_OK;
}

static gls_status backward(gls_exec *x, int i) {
    if (!gls_exec_wants(x, i, 0)) return GLS_OK;
    gls_real by = (gls_real)((const gls_op_scale_options *)gls_exec_node(x, i)->options)->by;
    const gls_real *e = gls_exec_grad(x, i);
    gls_real *d = gls_exec_in_grad(x, i, 0);
    bool adds = gls_exec_adds(x, i, 0);
    for (int64_t k = 0; k < gls_exec_size(x, i); k++) d[k] = adds ? d[k] + by * e[k] : by * e[k];
    return GLS_OK;
}

static void onnx(gls_export *x, int i) {
    const gls_node *node = &x->graph->node[i];
    char name[GLS_ONNX_NAME];
    gls_form form = gls_export_form(x, i, 0);
    const char *in = gls_export_in(x, i, 0, form),
               *by = gls_onnx_real(x->to, gls_export_name(x, i, "by", name),
                                   ((const gls_op_scale_options *)node->options)->by);
    gls_export_out(x, i, form, gls_onnx_node(x->to, "Mul", node->name, GLS_ONNX_ARGS(in, by), NULL));
}

const gls_op gls_op_scale = {
    .member = {.name = "scale",
               .help = "a constant times the input",
               .source = "",
               .options = options,
               .options_size = sizeof(gls_op_scale_options)},
    .formula = "y = by x",
    .shapes = "[c, h, w] -> [c, h, w]",
    .parameters = "",
    GLS_OP_ONE_INPUT,
    .flags = GLS_OP_LINEAR | GLS_OP_GRAD_IN_PLACE | GLS_OP_BY_POSITION,
    .shape = gls_op_same_shape,
    .impl = GLS_OP_PORTABLE(.forward = forward, .backward = backward),
    .onnx = onnx,
};
