/* flatten: [c, h, w] as features in the order c, h, w. Blocked layouts are permuted, plain ones stay where they are. */
#include <string.h>

#include "base/bf16.h"
#include "base/kernels.h"
#include "model/export.h"
#include "model/op.h"

static gls_status shape(gls_graph *g, gls_node *node) {
    (void)g;
    node->out = (gls_extent){gls_extent_size(node->in), 1, 1};
    return GLS_OK;
}

/* One block of channels, [positions, inner] to or from [inner, positions]: written in order. Compiled again for the
 * blocked layouts. */
GLS_ALWAYS_INLINE void permute(char *plain, char *blocked, int64_t positions, const int64_t inner,
                               const int64_t element, bool to_plain) {
    size_t bytes = (size_t)element;
    if (to_plain)
        for (int64_t k = 0; k < inner; k++)
            for (int64_t p = 0; p < positions; p++)
                memcpy(plain + (k * positions + p) * element, blocked + (p * inner + k) * element, bytes);
    else
        for (int64_t p = 0; p < positions; p++)
            for (int64_t k = 0; k < inner; k++)
                memcpy(blocked + (p * inner + k) * element, plain + (k * positions + p) * element, bytes);
}

static void permute_block(char *plain, char *blocked, int64_t positions, int64_t inner, bool narrow, bool to_plain) {
    if (narrow && inner == 16)
        permute(plain, blocked, positions, 16, sizeof(uint16_t), to_plain);
    else if (narrow)
        permute(plain, blocked, positions, inner, sizeof(uint16_t), to_plain);
    else if (inner == 16)
        permute(plain, blocked, positions, 16, sizeof(gls_real), to_plain);
    else
        permute(plain, blocked, positions, inner, sizeof(gls_real), to_plain);
}

static void add_block(const char *plain, char *blocked, int64_t positions, int64_t inner, bool narrow) {
    for (int64_t k = 0; k < inner; k++)
        for (int64_t p = 0; p < positions; p++) {
            int64_t from = k * positions + p, to = p * inner + k;
            if (narrow)
                ((uint16_t *)blocked)[to] = gls_bf16_sum(((uint16_t *)blocked)[to], ((const uint16_t *)plain)[from]);
            else
                ((gls_real *)blocked)[to] += ((const gls_real *)plain)[from];
        }
}

static gls_status forward(gls_exec *x, int i) {
    const gls_node *node = gls_exec_node(x, i);
    gls_exec_sides s = gls_exec_sides_of(x, i, false);
    int64_t inner = node->in_inner, positions = gls_extent_positions(node->in), step = positions * inner * s.element;
    for (int64_t b = 0; b < x->rows * (node->in.c / inner); b++)
        permute_block(s.out + b * step, s.in + b * step, positions, inner, s.narrow, true);
    return GLS_OK;
}

static gls_status backward(gls_exec *x, int i) {
    if (!gls_exec_wants(x, i, 0)) return GLS_OK;
    const gls_node *node = gls_exec_node(x, i);
    gls_exec_sides s = gls_exec_sides_of(x, i, true);
    int64_t inner = node->in_inner, positions = gls_extent_positions(node->in), step = positions * inner * s.element;
    for (int64_t b = 0; b < x->rows * (node->in.c / inner); b++)
        if (gls_exec_adds(x, i, 0))
            add_block(s.out + b * step, s.in + b * step, positions, inner, s.narrow);
        else
            permute_block(s.out + b * step, s.in + b * step, positions, inner, s.narrow, false);
    return GLS_OK;
}

static void onnx(gls_export *x, int i) {
    gls_export_out(x, i, GLS_FORM_FEATURES, gls_export_in(x, i, 0, GLS_FORM_FEATURES));
}

const gls_op gls_op_flatten = {
    .member = {.name = "flatten", .help = "an image as features", .source = ""},
    .formula = "y = x, in the order c, h, w",
    .shapes = "[c, h, w] -> [c h w]",
    .parameters = "",
    GLS_OP_ONE_INPUT,
    .flags = GLS_OP_VIEW | GLS_OP_LINEAR,
    .shape = shape,
    .impl = GLS_OP_PORTABLE(.forward = forward, .backward = backward),
    .stored = GLS_OP_STORED(.forward = forward, .backward = backward),
    .onnx = onnx,
};
