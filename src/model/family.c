/* What model families share: names of layers, the choice of a normalisation and of a loss. */
#include "model/layers.h"
#include "model/network.h"
#include "model/op.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

const char *gls_layer_name(char text[128], const char *format, ...) {
    va_list args;
    va_start(args, format);
    vsnprintf(text, 128, format, args);
    va_end(args);
    return text;
}

int gls_layer_normalise(gls_graph *g, gls_norm_choice norm, const char *name, int x, int residual) {
    const int input[] = {x, residual};
    int inputs = residual < 0 ? 1 : 2;
    if (norm.kind == GLS_NORM_BATCH) return gls_graph_add(g, "batch_norm", name, NULL, inputs, input);
    /* eps is the op's default. */
    gls_op_group_norm_options o = {.groups = norm.groups, .eps = 1e-5};
    return gls_graph_add(g, "group_norm", name, &o, inputs, input);
}

static bool has_classes(const gls_graph *g) {
    gls_target_kind target = g->data ? g->data->target : GLS_TARGET_NONE;
    return target == GLS_TARGET_CLASS || target == GLS_TARGET_SPAN || gls_target_by_position(target);
}

static gls_loss_choice chosen_loss(const gls_graph *g, const gls_family_options *o) {
    if (o->loss != GLS_LOSS_AUTO) return (gls_loss_choice)o->loss;
    if (g->data && g->data->target == GLS_TARGET_SEQUENCE) return GLS_LOSS_CTC;
    return has_classes(g) ? GLS_LOSS_CROSS_ENTROPY : GLS_LOSS_SQUARED;
}

int64_t gls_family_outputs(const gls_graph *g, const gls_family_options *o) {
    if (chosen_loss(g, o) == GLS_LOSS_LOGISTIC) return 1;
    if (chosen_loss(g, o) == GLS_LOSS_CTC) return g->data ? g->data->classes + 1 : 0;
    return has_classes(g) ? g->data->classes : g->data ? g->data->targets : 0;
}

/* Options that the loss does not read are refused. */
static void check_loss_options(gls_graph *g, const gls_family_options *o, gls_loss_choice loss) {
    bool smooths = loss == GLS_LOSS_CROSS_ENTROPY, aligns = loss == GLS_LOSS_CTC;
    if (!smooths && (o->label_smoothing > 0 || o->last))
        gls_graph_fail(g, "%s: of use to the loss cross_entropy alone", o->last ? "last" : "label_smoothing");
    if (!aligns && (o->blank || o->impossible))
        gls_graph_fail(g, "%s: of use to the loss ctc alone", o->blank ? "blank" : "impossible");
}

int gls_family_loss(gls_graph *g, const gls_family_options *o, int node) {
    check_loss_options(g, o, chosen_loss(g, o));
    gls_op_ctc_options ctc = {.blank = o->blank, .impossible = o->impossible};
    switch (chosen_loss(g, o)) {
    case GLS_LOSS_LOGISTIC:
        return gls_graph_add(g, "logistic_loss", "loss", NULL, 1, &node);
    case GLS_LOSS_SQUARED:
        return gls_graph_add(g, "squared_error", "loss", NULL, 1, &node);
    case GLS_LOSS_CTC:
        return gls_graph_add(g, "ctc", "loss", &ctc, 1, &node);
    default:
        break;
    }
    gls_op_cross_entropy_options options = {o->label_smoothing, o->last};
    return gls_graph_add(g, "softmax_cross_entropy", "loss", &options, 1, &node);
}

bool gls_family_predicts_words(const gls_graph *g) {
    return g->data && g->data->target == GLS_TARGET_TOKENS;
}

bool gls_family_finds_spans(const gls_graph *g) {
    return g->data && g->data->target == GLS_TARGET_SPAN;
}

gls_status gls_family_span_output(gls_graph *g, const gls_family_options *o, int x) {
    enum { ENDS = 2 };
    x = gls_layer_dense(g, "output", ENDS, x);
    gls_family_loss(g, o, gls_layer(g, "pointer", "ends", x));
    return g->status;
}

gls_status gls_family_check_tie(gls_graph *g, const char *name, bool tie, int64_t hidden, int64_t embedding) {
    if (!tie || (gls_family_predicts_words(g) && hidden == embedding)) return GLS_OK;
    gls_graph_fail(g, "%s: tie needs next words as targets and hidden equal to embedding, got %lld and %lld", name,
                   (long long)hidden, (long long)embedding);
    return g->status;
}

int gls_family_embedding(gls_graph *g, int64_t dim) {
    gls_op_embedding_options embedding = {.dim = dim};
    int x = gls_graph_input(g);
    return gls_graph_add(g, "embedding", "embedding", &embedding, 1, &x);
}

int gls_family_input(gls_graph *g, gls_family_input_choice choice, int64_t dim) {
    if (choice == GLS_FAMILY_WORDS) return gls_family_embedding(g, dim);
    gls_op_gaussian_options gaussian = {.dim = dim, .seed = 1}; /* the op's default */
    int x = gls_graph_input(g);
    return gls_graph_add(g, "gaussian", "gaussian", &gaussian, 1, &x);
}

gls_status gls_family_text_output(gls_graph *g, const gls_family_options *o, bool tie, int x) {
    gls_op_dense_options output = {
        .units = gls_family_outputs(g, o), .bias = true, .tie = tie ? "embedding.weight" : NULL};
    if (gls_family_finds_spans(g)) return gls_family_span_output(g, o, x);
    bool pooled = x >= 0 && strcmp(g->node[x].op->member.name, "last") == 0;
    if (!pooled && (!g->data || !gls_target_by_position(g->data->target))) x = gls_layer(g, "global_pool", "pool", x);
    x = gls_graph_add(g, "dense", "output", &output, 1, &x);
    gls_family_loss(g, o, x);
    return g->status;
}
