/* ctc: f_i = m_i / labels times -log of the probability of the row's sequence of labels, over all alignments with its
 * frames; model/ctc.h has the recursions. With the number of labels, at least 1, over a constant as mass, F is the loss
 * for each label. */
#include "model/ctc.h"

#include "base/kernels.h"
#include "model/layers.h"
#include "model/op/loss.h"
#include "problem/sequence.h"

static const gls_option options[] = {
    GLS_INT("blank", gls_op_ctc_options, blank, "0", 0, 1e9,
            "the output that stands for no label; those of the labels are the others, in order"),
    GLS_ENUM("impossible", gls_op_ctc_options, impossible, "error", GLS_CTC_IMPOSSIBLE_CHOICES,
             GLS_CTC_IMPOSSIBLE_HELP),
    {0},
};

static gls_status shape(gls_graph *g, gls_node *node) {
    const gls_op_ctc_options *o = node->options;
    char text[64];
    if (g->data->target != GLS_TARGET_SEQUENCE)
        return gls_node_fail(g, node, "needs sequences of labels, which these data do not have");
    GLS_TRY(gls_op_takes_one_document(g, node));
    if (node->in.c != g->data->classes + 1 || node->in.w != g->data->length)
        return gls_node_fail(g, node,
                             "needs an input for each of %lld classes and the blank at all %lld positions, got %s",
                             (long long)g->data->classes, (long long)g->data->length, gls_extent_text(node->in, text));
    if (o->blank > g->data->classes)
        return gls_node_fail(g, node, "blank: %lld, expected 0 to %lld, the number of classes", (long long)o->blank,
                             (long long)g->data->classes);
    node->out = (gls_extent){1, 1, 1};
    return GLS_OK;
}

static int64_t scratch(const gls_node *node, int64_t rows) {
    (void)rows;
    return gls_ctc_bytes(node->in.w, node->in.c, node->in.w, true);
}

/* Frames of a row that are not padding. */
static int64_t frames_of(const gls_exec *x, int i, int64_t r) {
    const int32_t *document = gls_exec_document(x, r);
    int64_t length = gls_exec_node(x, i)->in.w, frames = 0;
    while (frames < length && (!document || document[frames] >= 0)) frames++;
    return frames;
}

static gls_ctc_row row_of(const gls_exec *x, int i, int64_t r) {
    const gls_node *node = gls_exec_node(x, i);
    const gls_op_ctc_options *o = node->options;
    const int32_t *label = x->args->rows->label + r * node->in.w;
    return (gls_ctc_row){.z = gls_exec_in(gls_exec_values(x), i, 0) + r * gls_extent_size(node->in),
                         .z_dot = gls_exec_primal(x) ? gls_exec_in(x, i, 0) + r * gls_extent_size(node->in) : NULL,
                         .frames = frames_of(x, i, r),
                         .width = node->in.c,
                         .blank = o->blank,
                         .label = label,
                         .labels = gls_sequence_length(label, node->in.w)};
}

static double weight_of(const gls_exec *x, const gls_ctc_row *row, int64_t r) {
    return gls_loss_mass(x->args->rows, r) / (double)(row->labels > 0 ? row->labels : 1);
}

static bool possible(const gls_ctc_row *row) {
    return row->frames > 0 && row->frames >= gls_ctc_frames(row);
}

static gls_status check_row(const gls_exec *x, int i, const gls_ctc_row *row, int64_t r) {
    const gls_op_ctc_options *o = gls_exec_node(x, i)->options;
    long long example = (long long)x->args->rows->index[r];
    for (int64_t k = 0; k < row->labels; k++)
        if (row->label[k] >= row->width - 1)
            return gls_fail(x->ctx, GLS_ERR_INPUT, "example %lld has label %lld, expected 0 to %lld", example,
                            (long long)row->label[k], (long long)row->width - 2);
    if (possible(row) || o->impossible == GLS_CTC_SKIP) return GLS_OK;
    return gls_fail(x->ctx, GLS_ERR_INPUT,
                    "example %lld: its %lld labels take %lld frames, one each and a blank between equal ones, but it "
                    "has %lld (impossible: skip leaves such examples out)",
                    example, (long long)row->labels, (long long)gls_ctc_frames(row), (long long)row->frames);
}

static gls_status forward(gls_exec *x, int i) {
    double *loss = gls_exec_aux(x, i);
    for (int64_t r = 0; r < x->rows; r++) {
        gls_ctc_row row = row_of(x, i, r);
        GLS_TRY(check_row(x, i, &row, r));
        loss[r] = possible(&row) ? weight_of(x, &row, r) * gls_ctc_loss(&row, x->scratch).v : 0;
    }
    return GLS_OK;
}

/* Padding has gradient 0. On an execution of tangents the row has tangents too, and this is the gradient's. */
static gls_status backward(gls_exec *x, int i) {
    int64_t size = gls_extent_size(gls_exec_node(x, i)->in);
    if (!gls_exec_wants(x, i, 0)) return GLS_OK;
    for (int64_t r = 0; r < x->rows; r++) {
        gls_ctc_row row = row_of(x, i, r);
        gls_real *d = gls_exec_in_grad(x, i, 0) + r * size;
        int64_t used = possible(&row) ? row.frames * row.width : 0;
        if (used) gls_ctc_gradient(&row, weight_of(x, &row, r), x->scratch, d);
        gls_fill(d + used, 0, size - used);
    }
    return GLS_OK;
}

/* 1 - edits / labels, so that more is better; below 0 where too much was read. */
static gls_status scores(gls_exec *x, int i, double *sum) {
    int64_t length = gls_exec_node(x, i)->in.w;
    int64_t *room = x->scratch; /* length + 1, of edits; then a row as it is read */
    int32_t *read = (int32_t *)(room + length + 1);
    *sum = 0;
    for (int64_t r = 0; r < x->rows; r++) {
        gls_ctc_row row = row_of(x, i, r);
        int64_t count = gls_sequence_decode(row.z, row.frames, row.width, row.blank, read);
        double edits = (double)gls_sequence_edits(read, count, row.label, row.labels, room);
        *sum += gls_loss_mass(x->args->rows, r) - weight_of(x, &row, r) * edits;
    }
    return GLS_OK;
}

static gls_link output_link(const gls_graph *g, const gls_node *node) {
    (void)g, (void)node;
    return GLS_LINK_SEQUENCE;
}

/* A blank for certain: e^-1000 is 0. */
static void padding(const gls_node *node, gls_real *z) {
    const gls_op_ctc_options *o = node->options;
    for (int64_t c = 0; c < node->in.c; c++) z[c] = c == o->blank ? 0 : -1000;
}

const gls_op gls_op_ctc = {
    .member = {.name = "ctc",
               .help = "-log of the probability of a sequence of labels over all alignments",
               .source = "Graves et al. 2006",
               .options = options,
               .options_size = sizeof(gls_op_ctc_options)},
    .formula = "f = m / labels times -log sum over the alignments of prod_t softmax(z_t)[its symbol]",
    .shapes = "[classes + 1, 1, w] -> a loss",
    GLS_LOSS_OP,
    .impl = GLS_OP_PORTABLE(.setup = gls_op_keeps_positions, .scratch = scratch, .forward = forward,
                            .backward = backward, .backward_tangent = backward),
    .aux = gls_loss_aux,
    .link = output_link,
    .padding = padding,
    .score = "label_accuracy",
    .scores = scores,
};
