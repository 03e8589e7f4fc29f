/* dropout: in training every element is dropped with probability p and else divided by 1 - p. Element k of an example
 * is decided by (seed, "dropout.NAME", draw, slot, k) in the order [c, h, w], so the mask depends on neither slice nor
 * layout; a whole channel by (..., slot, c), a whole word by (..., word, 0). */
#include <stdio.h>
#include <string.h>

#include "model/layers.h"
#include "model/op.h"

static const gls_option options[] = {
    GLS_REAL("p", gls_op_dropout_options, p, "0.5", 0, 1, "probability of dropping", .flags = GLS_OPTION_BELOW_MAX),
    GLS_ENUM("of", gls_op_dropout_options, of, "element", "element|channel|word",
             "what is dropped together: nothing; a channel at all positions of an example (locked dropout); a word's "
             "vector at all places where the word stands in the mini-batch (embedding dropout)"),
    {0},
};

static gls_status shape(gls_graph *g, gls_node *node) {
    const gls_op_dropout_options *o = node->options;
    node->out = node->in;
    if (o->of != GLS_DROPOUT_WORDS || (g->data->vocabulary > 0 && gls_extent_positions(node->in) == g->data->length))
        return GLS_OK;
    char text[64];
    return gls_node_fail(g, node, "drops words, but its input %s has not the positions of a text",
                         gls_extent_text(node->in, text));
}

/* One byte an element: kept or not. */
static int64_t aux(const gls_node *node, int64_t rows, bool backward) {
    (void)backward;
    return rows * gls_extent_size(node->out);
}

/* What one mask of a row is drawn from. An element is kept where its 32 bits reach bound = p 2^32. positions: of a row
 * with all of its padding, which count in the order of the elements. */
typedef struct drawing {
    const gls_node *node;
    int64_t positions;
    uint64_t seed, draw;
    char purpose[256];
    uint32_t bound;
} drawing;

static int64_t place(const gls_node *node, int64_t c, int64_t position) {
    return (c / node->inner * gls_extent_positions(node->out) + position) * node->inner + c % node->inner;
}

/* Each mask element decides for `together` positions: 1, or all. Four a block of random bits. */
static void draw_row(const drawing *of, int64_t slot, int64_t together, uint8_t *keep) {
    int64_t parts = gls_extent_positions(of->node->out) / together, all = together > 1 ? 1 : of->positions;
    gls_random random = gls_random_create(of->seed, of->purpose, of->draw, (uint32_t)slot);
    uint32_t bits[4];
    for (int64_t c = 0, drawn = -1; c < of->node->out.c; c++)
        for (int64_t part = 0; part < parts; part++) {
            int64_t k = c * all + part;
            if (k / 4 != drawn) gls_random_block(&random, (uint32_t)(drawn = k / 4), bits);
            for (int64_t p = 0; p < together; p++) keep[place(of->node, c, part + p)] = bits[k % 4] >= of->bound;
        }
}

static void draw_words(const drawing *of, const int32_t *token, uint8_t *keep) {
    for (int64_t p = 0; p < gls_extent_positions(of->node->out); p++) {
        gls_random random = gls_random_create(of->seed, of->purpose, of->draw, (uint32_t)token[p]);
        bool kept = gls_random_u32(&random) >= of->bound;
        for (int64_t c = 0; c < of->node->out.c; c++) keep[place(of->node, c, p)] = kept;
    }
}

static void apply(gls_real *to, const gls_real *from, const uint8_t *keep, int64_t n, gls_real factor, bool adds) {
    for (int64_t k = 0; k < n; k++) {
        gls_real v = keep[k] ? factor * from[k] : 0;
        to[k] = adds ? to[k] + v : v;
    }
}

static gls_status forward(gls_exec *x, int i) {
    const gls_node *node = gls_exec_node(x, i);
    const gls_op_dropout_options *o = node->options;
    const gls_batch *batch = x->args->rows;
    int64_t size = gls_extent_size(node->out);
    uint8_t *keep = gls_exec_aux(x, i);
    const gls_graph *whole = x->graph->whole ? x->graph->whole : x->graph;
    drawing of = {.node = node,
                  .positions = gls_extent_positions(whole->node[i].out),
                  .seed = x->args->seed,
                  .draw = batch->draw,
                  .bound = (uint32_t)(o->p * 4294967296.0)};
    snprintf(of.purpose, sizeof of.purpose, "dropout.%s", node->name);
    int64_t together = o->of == GLS_DROPOUT_CHANNELS ? gls_extent_positions(node->out) : 1;
    for (int64_t r = 0; r < x->rows; r++)
        if (o->of == GLS_DROPOUT_WORDS)
            draw_words(&of, batch->token + r * batch->length, keep + r * size);
        else
            draw_row(&of, batch->slot[r], together, keep + r * size);
    apply(gls_exec_value(x, i), gls_exec_in(x, i, 0), keep, x->rows * size, (gls_real)(1 / (1 - o->p)), false);
    return GLS_OK;
}

static gls_status backward(gls_exec *x, int i) {
    if (!gls_exec_wants(x, i, 0)) return GLS_OK;
    const gls_node *node = gls_exec_node(x, i);
    const gls_op_dropout_options *o = node->options;
    apply(gls_exec_in_grad(x, i, 0), gls_exec_grad(x, i), gls_exec_aux(x, i), x->rows * gls_extent_size(node->out),
          (gls_real)(1 / (1 - o->p)), gls_exec_adds(x, i, 0));
    return GLS_OK;
}

const gls_op gls_op_dropout = {
    .member = {.name = "dropout",
               .help = "drops elements at random in training",
               .source = "",
               .options = options,
               .options_size = sizeof(gls_op_dropout_options)},
    .formula = "in training y = x / (1 - p), or 0 with probability p; in evaluation y = x",
    .shapes = "[c, h, w] -> [c, h, w]",
    .parameters = "",
    GLS_OP_ONE_INPUT,
    .flags = GLS_OP_IN_PLACE | GLS_OP_GRAD_IN_PLACE | GLS_OP_EVALUATE_ALIAS | GLS_OP_LINEAR | GLS_OP_NO_PADDING,
    .shape = shape,
    .impl = GLS_OP_PORTABLE(.forward = forward, .backward = backward),
    .aux = aux,
};
