/* The convolution: single rows' gradients are formed explicitly in scratch, since the double sum over positions never
 * pays for images; a slice's sum is one call. */
#include <string.h>

#include "base/kernels.h"
#include "model/conv.h"
#include "model/dnnl.h"
#include "model/storage.h"
#include "model/use/factors.h"

/* Scratch: what the implementation needs, a gradient being formed, a group's sum, and a copy of output gradients, wide
 * or scaled; elsewhere copies of narrow inputs. */
typedef struct room {
    gls_conv_shape shape;
    int64_t used, own; /* reals of a gradient as the implementation forms it, and that rounded up */
    gls_view_reader input, grad;
    void *implementation;
    gls_real *formed, *sum, *scaled, *wide;
    const gls_dnnl_weights *library; /* NULL: the portable way */
    bool stored;                     /* which takes what is stored narrow */
} room;

static room sizes(const gls_graph *g, const gls_use *use, gls_storage storage) {
    const gls_node *node = &g->node[use->node];
    room to = {.shape = gls_conv_shape_of(node), .stored = gls_node_takes(node, storage)};
    to.library = to.stored ? node->stored_library : node->library;
    to.used = gls_conv_weights(&to.shape);
    int64_t most = to.used;
    if (to.library) to.used = gls_dnnl_own_size(to.library);
    if (to.used > most) most = to.used;
    to.own = (most + 15) & ~(int64_t)15;
    return to;
}

static int64_t implementation_bytes(const room *to, int64_t rows) {
    if (to->library) return gls_dnnl_scratch(to->library, rows);
    return gls_room_bytes(gls_conv_scratch(&to->shape), sizeof(gls_real));
}

static int64_t scratch(const gls_graph *g, const gls_memory_plan *plan, const gls_use *use) {
    room to = sizes(g, use, plan->storage);
    int64_t rows = plan->max_rows, reals = 2 * to.own;
    if (!gls_memory_plan_narrow(plan, &use->grad)) reals += rows * gls_extent_size(to.shape.out);
    return implementation_bytes(&to, rows) + reals * (int64_t)sizeof(gls_real);
}

/* Output gradients, then inputs. */
static int64_t wide(const gls_graph *g, const gls_memory_plan *plan, const gls_use *use) {
    gls_conv_shape shape = gls_conv_shape_of(&g->node[use->node]);
    bool narrow = gls_memory_plan_narrow(plan, &use->grad) || gls_memory_plan_narrow(plan, &use->input);
    return narrow ? plan->max_rows * (gls_extent_size(shape.out) + gls_extent_size(shape.in)) : 0;
}

static room room_of(gls_exec *x, const gls_use *use) {
    room to = sizes(x->graph, use, x->plan->storage);
    int64_t bytes =
        to.library ? gls_dnnl_conv_scratch(x->object[use->node]) : implementation_bytes(&to, x->plan->max_rows);
    to.input = gls_view_reader_of(gls_exec_inputs(x), &use->input);
    to.grad = gls_view_reader_of(gls_exec_grads(x), &use->grad);
    to.implementation = x->scratch;
    to.formed = (gls_real *)((char *)x->scratch + bytes);
    to.sum = to.formed + to.own;
    bool narrow = gls_memory_plan_narrow(x->plan, &use->grad);
    to.scaled = narrow ? gls_storage_wide(x) : to.sum + to.own;
    to.wide = x->room ? gls_storage_wide(x) + x->plan->max_rows * gls_extent_size(to.shape.out) : NULL;
    return to;
}

/* Output gradients from a row on, as `form` takes them. */
static const void *grads(const room *in, int64_t row, int64_t count) {
    return in->stored ? gls_view_reader_stored(&in->grad, row)
                      : gls_view_reader_rows(&in->grad, row, count, in->scaled);
}

/* The library walks over its operands with strides at which they come slowly from memory. Where both fit into a
 * core's own cache, reading them in order first costs less than it saves. */
static void bring_near(const room *in, int64_t rows, const void *inputs, const void *e) {
    enum { LINE = 64, NEAR = 3 << 18, STORED = sizeof(uint16_t) }; /* bytes */
    int64_t bytes[] = {rows * gls_extent_size(in->shape.in) * STORED, rows * gls_extent_size(in->shape.out) * STORED};
    const volatile char *from[] = {inputs, e};
    for (int k = 0; k < 2 && bytes[0] + bytes[1] <= NEAR; k++)
        for (int64_t at = 0; at < bytes[k]; at += LINE) (void)from[k][at];
}

/* The gradient of rows [row, row + count) as the implementation forms it: its layout is its own, its norm is right. */
static gls_status form(gls_exec *x, const gls_use *use, const room *in, int64_t row, int64_t count, const void *e,
                       gls_real *to) {
    if (in->library) {
        const void *inputs = in->stored ? gls_view_reader_stored(&in->input, row)
                                        : gls_view_reader_rows(&in->input, row, count, in->wide);
        if (in->stored) bring_near(in, count, inputs, e);
        return gls_dnnl_conv_weights(x->object[use->node], count, inputs, e, to);
    }
    gls_fill(to, 0, in->used);
    for (int64_t r = 0; r < count; r++)
        gls_conv_weights_add(x->graph->portable, &in->shape, gls_view_reader_rows(&in->input, row + r, 1, in->wide),
                             (const gls_real *)e + r * gls_extent_size(in->shape.out), to, in->implementation);
    return GLS_OK;
}

/* The same as the layout has it; formed and sum are overwritten. */
static gls_status form_plain(gls_exec *x, const gls_use *use, const room *in, int64_t row, int64_t count, const void *e,
                             const gls_real **plain) {
    GLS_TRY(form(x, use, in, row, count, e, in->formed));
    *plain = in->formed;
    if (in->library) {
        GLS_TRY(gls_dnnl_conv_plain(x->object[use->node], in->formed, in->sum));
        *plain = in->sum;
    }
    return GLS_OK;
}

static bool uniform(const double *weights, int64_t rows) {
    for (int64_t r = 1; r < rows; r++)
        if (weights[r] != weights[0]) return false;
    return true;
}

static int64_t sum_size(const gls_graph *g, const gls_use *use) {
    int64_t real = sizes(g, use, GLS_STORAGE_REAL).own, narrow = sizes(g, use, GLS_STORAGE_BF16).own;
    return real > narrow ? real : narrow;
}

/* The sum of all rows' gradients, one after the other. */
static gls_status make_sum(gls_exec *x, const gls_use *use, const room *in, gls_real *sum) {
    gls_fill(sum, 0, in->own);
    for (int64_t r = 0; r < x->rows; r++) {
        GLS_TRY(form(x, use, in, r, 1, grads(in, r, 1), in->formed));
        gls_add(sum, in->formed, in->used);
    }
    gls_exec_sum_end(x, use, true);
    return GLS_OK;
}

/* With GLS_WANT_SHARED the gradient is this sum, which they have left or it is made now: it does not depend on
 * what was asked before. */
static gls_status add_sum(gls_exec *x, const gls_use *use, const room *in, gls_real *room_of_sum, gls_real *g) {
    if (!gls_exec_sum(x, use)) GLS_TRY(make_sum(x, use, in, room_of_sum));
    const gls_real *sum = room_of_sum;
    if (in->library) {
        GLS_TRY(gls_dnnl_conv_plain(x->object[use->node], sum, in->sum));
        sum = in->sum;
    }
    gls_add(g, sum, gls_conv_weights(&in->shape));
    return GLS_OK;
}

/* Products take what is stored narrow as operands, so that scaled ones are rounded again. */
static const void *scale_rows(const gls_exec *x, const room *in, const double *weights, const void *e) {
    int64_t size = gls_extent_size(in->shape.out);
    if (in->stored) {
        const uint16_t *from = e;
        uint16_t *to = (uint16_t *)in->scaled;
        for (int64_t r = 0; r < x->rows; r++) gls_storage_scale(to + r * size, from + r * size, weights[r], size);
        return to;
    }
    if (e != in->scaled) memcpy(in->scaled, e, (size_t)(x->rows * size) * sizeof *in->scaled);
    for (int64_t r = 0; r < x->rows; r++) gls_scale(in->scaled + r * size, weights[r], size);
    return in->scaled;
}

static gls_status gradient(gls_exec *x, const gls_use *use, const double *weights, gls_real *g) {
    room in = room_of(x, use);
    gls_real *sum = weights ? NULL : gls_exec_sum_begin(x, use);
    if (sum) return add_sum(x, use, &in, sum, g);
    const void *e = grads(&in, 0, x->rows);
    const gls_real *plain;
    int64_t parameters = gls_conv_weights(&in.shape);
    bool same = !weights || uniform(weights, x->rows);
    if (!same) e = scale_rows(x, &in, weights, e);
    GLS_TRY(form_plain(x, use, &in, 0, x->rows, e, &plain));
    if (weights && same)
        gls_axpy(g, weights[0], plain, parameters);
    else
        gls_add(g, plain, parameters);
    return GLS_OK;
}

/* With GLS_WANT_SHARED rows are added up for the gradient as well, unless a partition takes them out of order. */
static gls_status norms(gls_exec *x, const gls_use *use, const gls_partition *partition, double *out) {
    room in = room_of(x, use);
    gls_real *sum = gls_exec_sum(x, use) ? NULL : gls_exec_sum_begin(x, use);
    if (sum) gls_fill(sum, 0, in.own);
    int64_t summed = 0;
    bool in_order = true;
    for (int64_t group = 0; group < partition->groups; group++) {
        int64_t members = 0;
        for (int64_t r = 0; r < x->rows; r++) {
            if (partition->group[r] != group) continue;
            gls_real *to = members++ == 0 ? in.sum : in.formed;
            GLS_TRY(form(x, use, &in, r, 1, grads(&in, r, 1), to));
            in_order &= r == summed++;
            if (sum && in_order) gls_add(sum, to, in.used);
            if (to == in.formed) gls_add(in.sum, in.formed, in.used);
        }
        if (members > 0) out[group] += gls_sum_squares(in.sum, in.used);
    }
    if (sum) gls_exec_sum_end(x, use, in_order && summed == x->rows);
    return GLS_OK;
}

static gls_status inner(gls_exec *x, const gls_use *use, const gls_partition *partition, const gls_point *point,
                        double *out) {
    room in = room_of(x, use);
    const gls_real *v = gls_point_w(point) + gls_layout_block(x->graph->layout, use->block)->offset, *plain;
    for (int64_t r = 0; r < x->rows; r++) {
        if (partition->group[r] < 0) continue;
        GLS_TRY(form_plain(x, use, &in, r, 1, grads(&in, r, 1), &plain));
        out[partition->group[r]] += gls_dot(plain, v, gls_conv_weights(&in.shape));
    }
    return GLS_OK;
}

const gls_use_kind gls_use_convolution = {
    .name = "convolution",
    .views_input = true,
    .product = true,
    .gradient = gradient,
    .norms = norms,
    .inner = inner,
    .summed = sum_size,
    .wide = wide,
    .scratch = scratch,
};
