/* dropout: in training every element is dropped with probability p and else divided by 1 - p. Element k of an example
 * is decided by (seed, "dropout.NAME", draw, slot, k) in the order [c, h, w], so the mask depends on neither slice nor
 * layout. */
#include <stdio.h>

#include "model/layers.h"
#include "model/op.h"

static const gls_option options[] = {
    GLS_REAL("p", gls_op_dropout_options, p, "0.5", 0, 1, "probability of dropping", .flags = GLS_OPTION_BELOW_MAX),
    {0},
};

/* One byte an element: kept or not. */
static int64_t aux(const gls_node *node, int64_t rows, bool backward) {
    (void)backward;
    return rows * gls_extent_size(node->out);
}

/* Four elements a block of random bits; an element is kept where its 32 bits reach p 2^32. */
static void draw_row(const gls_node *node, gls_random random, double p, uint8_t *keep) {
    int64_t inner = node->inner, positions = gls_extent_positions(node->out), size = gls_extent_size(node->out);
    uint32_t bound = (uint32_t)(p * 4294967296.0), bits[4];
    for (int64_t k = 0; k < size; k++) {
        if (k % 4 == 0) gls_random_block(&random, (uint32_t)(k / 4), bits);
        int64_t c = k / positions, at = (c / inner * positions + k % positions) * inner + c % inner;
        keep[at] = bits[k % 4] >= bound;
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
    char purpose[256];
    snprintf(purpose, sizeof purpose, "dropout.%s", node->name);
    for (int64_t r = 0; r < x->rows; r++)
        draw_row(node, gls_random_create(x->args->seed, purpose, batch->draw, (uint32_t)batch->slot[r]), o->p,
                 keep + r * size);
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
    .flags = GLS_OP_IN_PLACE | GLS_OP_GRAD_IN_PLACE | GLS_OP_EVALUATE_ALIAS | GLS_OP_LINEAR,
    .shape = gls_op_same_shape,
    .impl = GLS_OP_PORTABLE(.forward = forward, .backward = backward),
    .aux = aux,
};
