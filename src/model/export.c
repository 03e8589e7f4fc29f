/* A network as an ONNX graph: every op writes its own nodes, and values change their form between those that want
 * another one. */
#include "model/export.h"

#include <math.h>
#include <stdio.h>

#include "model/network.h"
#include "model/op.h"

const char *gls_export_name(const gls_export *x, int i, const char *part, char text[GLS_ONNX_NAME]) {
    snprintf(text, GLS_ONNX_NAME, "%s.%s", x->graph->node[i].name, part);
    return text;
}

/* ---- forms ---- */

gls_form gls_export_form(const gls_export *x, int i, int k) {
    return x->form[x->graph->node[i].input[k]];
}

static const char *to_sequence(gls_export *x, int i, const char *value, gls_form from, gls_extent e) {
    char name[GLS_ONNX_NAME];
    gls_export_name(x, i, "positions", name);
    if (from == GLS_FORM_FEATURES) return gls_onnx_reshape(x->to, name, value, GLS_ONNX_EXTENTS(0, 1, e.c));
    value = gls_onnx_reshape(x->to, name, value, GLS_ONNX_EXTENTS(0, e.c, e.w));
    return gls_onnx_transpose(x->to, name, value, 3, (const int64_t[]){0, 2, 1});
}

static const char *to_image(gls_export *x, int i, const char *value, gls_form from, gls_extent e) {
    char name[GLS_ONNX_NAME];
    gls_export_name(x, i, "image", name);
    if (from == GLS_FORM_SEQUENCE) value = gls_onnx_transpose(x->to, name, value, 3, (const int64_t[]){0, 2, 1});
    return gls_onnx_reshape(x->to, name, value, GLS_ONNX_EXTENTS(0, e.c, e.h, e.w));
}

const char *gls_export_in(gls_export *x, int i, int k, gls_form form) {
    int input = x->graph->node[i].input[k];
    const char *value = x->value[input];
    gls_form from = x->form[input];
    gls_extent e = x->graph->node[input].out;
    char name[GLS_ONNX_NAME];
    if (form == from) return value;
    if (form == GLS_FORM_IMAGE) return to_image(x, i, value, from, e);
    if (form == GLS_FORM_SEQUENCE) return to_sequence(x, i, value, from, e);
    if (from == GLS_FORM_SEQUENCE && e.w > 1)
        value = gls_onnx_transpose(x->to, gls_export_name(x, i, "image", name), value, 3, (const int64_t[]){0, 2, 1});
    return gls_onnx_reshape(x->to, gls_export_name(x, i, "features", name), value,
                            GLS_ONNX_EXTENTS(0, gls_extent_size(e)));
}

gls_form gls_export_by_position(const gls_export *x, int i) {
    return gls_extent_positions(x->graph->node[i].in) == 1 ? GLS_FORM_FEATURES : GLS_FORM_SEQUENCE;
}

void gls_export_out(gls_export *x, int i, gls_form form, const char *value) {
    const gls_node *node = &x->graph->node[i];
    char name[GLS_ONNX_NAME];
    gls_export_name(x, i, "activation", name);
    if (node->activation && node->slope == 0) value = gls_onnx_node(x->to, "Relu", name, GLS_ONNX_ARGS(value), NULL);
    if (node->activation && node->slope != 0)
        value = gls_onnx_node(x->to, "LeakyRelu", name, GLS_ONNX_ARGS(value),
                              GLS_ONNX_WITH(GLS_ONNX_REAL("alpha", node->slope)));
    x->value[i] = value;
    x->form[i] = form;
}

/* ---- parameters ---- */

const char *gls_export_weight(gls_export *x, int i, int k) {
    int64_t number = x->graph->node[i].block[k];
    if (number < 0) return "";
    const gls_block *block = gls_layout_block(x->graph->layout, number);
    return gls_onnx_reals(x->to, block->name, true, block->dims, block->shape, x->w + block->offset);
}

const char *gls_export_weight_as(gls_export *x, int i, int k, int dims, const int64_t *shape) {
    char name[GLS_ONNX_NAME];
    const gls_block *block = gls_layout_block(x->graph->layout, x->graph->node[i].block[k]);
    snprintf(name, sizeof name, "%s.shaped", block->name);
    return gls_onnx_reals(x->to, name, false, dims, shape, x->w + block->offset);
}

/* By channel along the axis where the form has it. */
static const char *channels(gls_export *x, int i, int k, gls_form form) {
    int64_t c = x->graph->node[i].out.c;
    if (form != GLS_FORM_IMAGE) return gls_export_weight(x, i, k);
    return gls_export_weight_as(x, i, k, 3, (const int64_t[]){c, 1, 1});
}

const char *gls_export_scale_shift(gls_export *x, int i, gls_form form, const char *value) {
    const gls_node *node = &x->graph->node[i];
    char name[GLS_ONNX_NAME];
    value = gls_onnx_node(x->to, "Mul", gls_export_name(x, i, "scaled", name),
                          GLS_ONNX_ARGS(value, channels(x, i, 0, form)), NULL);
    if (node->op->blocks < 2 || node->block[1] < 0) return value;
    return gls_onnx_node(x->to, "Add", gls_export_name(x, i, "shifted", name),
                         GLS_ONNX_ARGS(value, channels(x, i, 1, form)), NULL);
}

/* ---- functions ---- */

/* x (1 + erf(x sqrt(1/2))) / 2 */
const char *gls_export_gelu(gls_export *x, int i, const char *value) {
    gls_onnx *to = x->to;
    char name[GLS_ONNX_NAME];
    const char *root = gls_onnx_real(to, gls_export_name(x, i, "root", name), sqrt(0.5));
    const char *one = gls_onnx_real(to, gls_export_name(x, i, "one", name), 1);
    const char *half = gls_onnx_real(to, gls_export_name(x, i, "half", name), 0.5);
    const char *y = gls_onnx_node(to, "Mul", gls_export_name(x, i, "scaled", name), GLS_ONNX_ARGS(value, root), NULL);
    y = gls_onnx_node(to, "Erf", gls_export_name(x, i, "erf", name), GLS_ONNX_ARGS(y), NULL);
    y = gls_onnx_node(to, "Add", gls_export_name(x, i, "below", name), GLS_ONNX_ARGS(y, one), NULL);
    y = gls_onnx_node(to, "Mul", gls_export_name(x, i, "share", name), GLS_ONNX_ARGS(y, half), NULL);
    return gls_onnx_node(to, "Mul", gls_export_name(x, i, "gelu", name), GLS_ONNX_ARGS(value, y), NULL);
}

const char *gls_export_silu(gls_export *x, int i, const char *value) {
    char name[GLS_ONNX_NAME];
    const char *s = gls_onnx_node(x->to, "Sigmoid", gls_export_name(x, i, "sigmoid", name), GLS_ONNX_ARGS(value), NULL);
    return gls_onnx_node(x->to, "Mul", gls_export_name(x, i, "silu", name), GLS_ONNX_ARGS(value, s), NULL);
}

/* ---- the graph ---- */

static void begin(gls_export *x, const char *input) {
    gls_extent e = x->graph->node[0].out;
    bool tokens = x->graph->data->length > 0, /* or frames */ image = gls_extent_positions(e) > 1;
    x->value[0] = input;
    x->form[0] = tokens ? GLS_FORM_SEQUENCE : image ? GLS_FORM_IMAGE : GLS_FORM_FEATURES;
    if (!tokens)
        x->value[0] = gls_onnx_reshape(x->to, "example", input,
                                       image ? GLS_ONNX_EXTENTS(0, e.c, e.h, e.w) : GLS_ONNX_EXTENTS(0, e.c));
}

const char *gls_export_counted(gls_export *x, int64_t positions) {
    if (!x->lengths || positions != x->graph->data->length) return NULL;
    if (x->counted) return x->counted;
    int64_t *place = gls_onnx_room(x->to, positions, sizeof *place);
    if (!place) return NULL;
    for (int64_t t = 0; t < positions; t++) place[t] = t;
    const char *ends = gls_onnx_reshape(x->to, "ends", x->lengths, GLS_ONNX_EXTENTS(0, 1));
    x->counted = gls_onnx_node(x->to, "Less", "counted",
                               GLS_ONNX_ARGS(gls_onnx_ints(x->to, "places", positions, place), ends), NULL);
    return x->counted;
}

const char *gls_export_ones(gls_export *x, int i, int64_t positions) {
    const char *counted = gls_export_counted(x, positions);
    char name[GLS_ONNX_NAME];
    if (!counted) return NULL;
    const char *ones = gls_onnx_node(x->to, "Cast", gls_export_name(x, i, "ones", name), GLS_ONNX_ARGS(counted),
                                     GLS_ONNX_WITH(GLS_ONNX_INT("to", GLS_ONNX_TO_FLOAT)));
    return gls_onnx_reshape(x->to, gls_export_name(x, i, "ones_by_position", name), ones,
                            GLS_ONNX_EXTENTS(0, positions, 1));
}

const char *gls_export_remembered(gls_export *x) {
    if (!x->remembered) x->remembered = gls_onnx_input(x->to, "remembered", GLS_ONNX_WHOLE, 0, NULL);
    return x->remembered;
}

/* A loss may say what outputs are in padding: the same for all its positions. */
static void pad_outputs(gls_export *x) {
    const gls_graph *g = x->graph;
    const gls_node *loss = &g->node[g->loss];
    const char *counted = loss->op->padding ? gls_export_counted(x, loss->in.w) : NULL;
    gls_real *z = counted ? gls_onnx_room(x->to, loss->in.c, sizeof *z) : NULL;
    if (!z) return;
    loss->op->padding(loss, z);
    const char *there = gls_onnx_reshape(x->to, "counted_outputs", counted, GLS_ONNX_EXTENTS(0, loss->in.w, 1));
    const char *padding = gls_onnx_reals(x->to, "padding", false, 1, &loss->in.c, z);
    const char *y = gls_export_in(x, g->loss, 0, GLS_FORM_SEQUENCE);
    y = gls_onnx_node(x->to, "Where", "padded", GLS_ONNX_ARGS(there, y, padding), NULL);
    x->value[g->output] = y;
    x->form[g->output] = GLS_FORM_SEQUENCE;
}

gls_status gls_export_network(gls_export *x, const char *input) {
    const gls_graph *g = x->graph;
    if (g->data->documents == GLS_DOCUMENTS_PACKED)
        return gls_fail(
            g->ctx, GLS_ERR_UNSUPPORTED,
            "the model's rows are packed lines (rows: packed), which have no form in ONNX: expected rows of "
            "one text or line each");
    if (g->data->documents) x->lengths = gls_onnx_input(x->to, "lengths", GLS_ONNX_WHOLE, 0, NULL);
    begin(x, input);
    for (int i = 1; i <= g->output && gls_onnx_status(x->to) == GLS_OK; i++) {
        const gls_node *node = &g->node[i];
        bool passes = node->op->flags & GLS_OP_EVALUATE_ALIAS || (node->alias && node->op->flags & GLS_OP_ACTIVATION);
        if (passes)
            gls_export_out(x, i, gls_export_form(x, i, 0), x->value[node->input[0]]);
        else if (node->op->onnx)
            node->op->onnx(x, i);
        else
            gls_onnx_fail(x->to, GLS_ERR_UNSUPPORTED, "layer '%s' (%s) has no form in ONNX", node->name,
                          node->op->member.name);
    }
    pad_outputs(x);
    return gls_onnx_status(x->to);
}

/* As a problem's verb: outputs [batch, k], or [batch, positions, k] of a row with several predictions. */
gls_status gls_network_onnx(gls_problem *p, const gls_real *w, struct gls_onnx *to, const char *input,
                            const char **output) {
    const gls_graph *g = ((const gls_network *)p->self)->graph;
    gls_export x = {.to = to, .graph = g, .w = w, .state = p->state};
    x.value = gls_alloc(p->ctx, g->nodes, sizeof *x.value);
    x.form = gls_alloc(p->ctx, g->nodes, sizeof *x.form);
    gls_status status = x.value && x.form ? gls_export_network(&x, input) : GLS_ERR_MEMORY;
    bool several = gls_target_by_position(p->data.target) || p->data.target == GLS_TARGET_SPAN;
    gls_form form = several ? GLS_FORM_SEQUENCE : GLS_FORM_FEATURES;
    if (status == GLS_OK) *output = gls_export_in(&x, g->loss, 0, form);
    gls_free(p->ctx, x.value);
    gls_free(p->ctx, x.form);
    return status == GLS_OK ? gls_onnx_status(to) : status;
}
