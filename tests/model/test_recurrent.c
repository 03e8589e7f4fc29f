/* An op whose parameters are used over time, made of what the room offers to everybody: an LSTM. Its recurrent product
 * is a matrix use of h one position before and of the gates' gradient in aux; each gate's input weights use a part of
 * that gradient's columns; its last cells are carried from one mini-batch to the next by slot. */
#include "check.h"

#include "model/network.h"
#include "model/op.h"
#include "model/use.h"

typedef struct lstm_options {
    int64_t units, slots;
} lstm_options;

static const gls_option options[] = {
    {"units", GLS_OPTION_INT, offsetof(lstm_options, units), NULL, 1, 1e6, GLS_OPTION_REQUIRED, NULL, "outputs"},
    {"slots", GLS_OPTION_INT, offsetof(lstm_options, slots), NULL, 1, 1e6, GLS_OPTION_REQUIRED, NULL, "carried cells"},
    {NULL},
};

enum { GATES = 4, RECURRENT = GATES, BIAS, BLOCKS };
enum { IN, FORGET, NEW, OUT }; /* the gates */
static const double start = 0.25;

static gls_status shape(gls_graph *g, gls_node *node) {
    static const char *const suffix[GATES] = {"in", "forget", "new", "out"};
    const lstm_options *o = node->options;
    int64_t h = o->units, w[] = {h, node->in.c}, u[] = {GATES * h, h}, b = GATES * h;
    gls_parameter how = {g->init, node->in.c, h};
    gls_graph_state_block cell = {.suffix = "cell", .dims = 2, .shape = {o->slots, h}, GLS_BLOCK_BY_SLOT, start};
    node->out = (gls_extent){h, 1, node->in.w};
    for (int k = 0; k < GATES; k++) GLS_TRY(gls_graph_parameter(g, node, k, suffix[k], 2, w, 0, how));
    GLS_TRY(gls_graph_parameter(g, node, RECURRENT, "recurrent", 2, u, GLS_BLOCK_TILED, how));
    GLS_TRY(gls_graph_parameter(g, node, BIAS, "bias", 1, &b, GLS_BLOCK_NO_DECAY, how));
    return gls_graph_state(g, node, 0, &cell);
}

/* A row of aux: the gates' gradient [T, 4 H], the gates [T, 4 H], the cells [T, H]. */
static int64_t row_size(const gls_node *node) {
    return gls_extent_size(node->out) * (2 * GATES + 1);
}

static int64_t aux(const gls_node *node, int64_t rows, bool backward) {
    (void)backward;
    return rows * row_size(node) * (int64_t)sizeof(gls_real);
}

static gls_status uses(gls_graph *g, int i) {
    const gls_node *node = &g->node[i];
    int64_t h = node->out.c, steps = node->out.w;
    gls_view gates = {.source = GLS_VIEW_AUX_REAL,
                      .node = i,
                      .positions = steps,
                      .width = GATES * h,
                      .inner = GATES * h,
                      .stride = GATES * h,
                      .row_stride = row_size(node)};
    gls_use use = {.kind = &gls_use_matrix, .node = i, .input = gls_view_value(g, node->input[0]), .grad = gates};
    use.grad.width = use.grad.inner = h;
    for (int k = 0; k < GATES; k++) {
        use.block = node->block[k];
        use.grad.offset = k * h;
        GLS_TRY(gls_graph_use(g, use));
    }
    use.block = node->block[RECURRENT];
    use.input = gls_view_value(g, i);
    use.input.lag = 1;
    use.grad = gates;
    GLS_TRY(gls_graph_use(g, use));
    use.kind = &gls_use_scale_shift;
    use.block = node->block[BIAS];
    return gls_graph_use(g, use);
}

static gls_real sigmoid(gls_real z) {
    return 1 / (1 + (gls_real)exp(-z));
}

/* One position of one row; before is h one position before, or NULL. */
static void step(gls_exec *x, int i, const gls_real *in, const gls_real *before, const gls_real *cell_before,
                 gls_real *gates, gls_real *cell, gls_real *out) {
    const gls_node *node = gls_exec_node(x, i);
    int64_t h = node->out.c, c = node->in.c;
    const gls_real *u = gls_exec_weight(x, node->block[RECURRENT]), *b = gls_exec_weight(x, node->block[BIAS]);
    for (int64_t k = 0; k < GATES * h; k++) {
        const gls_real *w = gls_exec_weight(x, node->block[k / h]) + k % h * c;
        double z = b[k];
        for (int64_t j = 0; j < c; j++) z += w[j] * in[j];
        for (int64_t j = 0; j < h && before; j++) z += u[k * h + j] * before[j];
        gates[k] = k / h == NEW ? (gls_real)tanh(z) : sigmoid((gls_real)z);
    }
    for (int64_t k = 0; k < h; k++) {
        cell[k] = gates[FORGET * h + k] * cell_before[k] + gates[IN * h + k] * gates[NEW * h + k];
        out[k] = gates[OUT * h + k] * (gls_real)tanh(cell[k]);
    }
}

static gls_status forward(gls_exec *x, int i) {
    const gls_node *node = gls_exec_node(x, i);
    int64_t h = node->out.c, c = node->in.c, steps = node->out.w;
    for (int64_t r = 0; r < x->rows; r++) {
        int64_t carried = node->state[0] + x->args->rows->slot[r] * h;
        const gls_real *in = gls_exec_in(x, i, 0) + r * steps * c, *cell_before = x->args->state + carried;
        gls_real *gates = (gls_real *)gls_exec_aux(x, i) + r * row_size(node) + GATES * h * steps;
        gls_real *cell = gates + GATES * h * steps, *out = gls_exec_value(x, i) + r * steps * h;
        for (int64_t t = 0; t < steps; t++, cell_before = cell, cell += h)
            step(x, i, in + t * c, t ? out + (t - 1) * h : NULL, cell_before, gates + t * GATES * h, cell, out + t * h);
        if (x->args->state_next) memcpy(x->args->state_next + carried, cell_before, (size_t)h * sizeof *cell);
    }
    return GLS_OK;
}

/* dh, dc [H]: what comes from position t + 1; then what goes to t - 1. dz [4 H] is made. */
static void step_backward(gls_exec *x, int i, const gls_real *e, const gls_real *gates, const gls_real *cell,
                          const gls_real *cell_before, gls_real *dz, gls_real *dh, gls_real *dc) {
    const gls_node *node = gls_exec_node(x, i);
    int64_t h = node->out.c;
    const gls_real *u = gls_exec_weight(x, node->block[RECURRENT]);
    for (int64_t k = 0; k < h; k++) {
        gls_real in = gates[k], forget = gates[h + k], new = gates[2 * h + k], out = gates[3 * h + k];
        gls_real y = (gls_real)tanh(cell[k]), d = e[k] + dh[k], inside = dc[k] + d * out * (1 - y * y);
        dz[k] = inside * new *in *(1 - in);
        dz[h + k] = inside * cell_before[k] * forget * (1 - forget);
        dz[2 * h + k] = inside * in * (1 - new *new);
        dz[3 * h + k] = d * y * out * (1 - out);
        dc[k] = inside * forget;
    }
    for (int64_t j = 0; j < h; j++) {
        dh[j] = 0;
        for (int64_t k = 0; k < GATES * h; k++) dh[j] += u[k * h + j] * dz[k];
    }
}

static void input_gradient(gls_exec *x, int i, const gls_real *dz, gls_real *dx) {
    const gls_node *node = gls_exec_node(x, i);
    int64_t h = node->out.c, c = node->in.c;
    for (int64_t j = 0; j < c; j++) {
        gls_real sum = 0;
        for (int64_t k = 0; k < GATES * h; k++) sum += gls_exec_weight(x, node->block[k / h])[k % h * c + j] * dz[k];
        dx[j] = gls_exec_adds(x, i, 0) ? dx[j] + sum : sum;
    }
}

static int64_t scratch(const gls_node *node, int64_t rows) {
    (void)rows;
    return 2 * node->out.c * (int64_t)sizeof(gls_real);
}

static gls_status backward(gls_exec *x, int i) {
    const gls_node *node = gls_exec_node(x, i);
    int64_t h = node->out.c, c = node->in.c, steps = node->out.w;
    gls_real *dh = x->scratch, *dc = dh + h;
    for (int64_t r = 0; r < x->rows; r++) {
        const gls_real *e = gls_exec_grad(x, i) + r * steps * h;
        const gls_real *first = x->args->state + node->state[0] + x->args->rows->slot[r] * h;
        gls_real *dz = (gls_real *)gls_exec_aux(x, i) + r * row_size(node);
        gls_real *gates = dz + GATES * h * steps, *cell = gates + GATES * h * steps;
        for (int64_t k = 0; k < 2 * h; k++) dh[k] = 0;
        for (int64_t t = steps - 1; t >= 0; t--) {
            step_backward(x, i, e + t * h, gates + t * GATES * h, cell + t * h, t ? cell + (t - 1) * h : first,
                          dz + t * GATES * h, dh, dc);
            if (gls_exec_wants(x, i, 0))
                input_gradient(x, i, dz + t * GATES * h, gls_exec_in_grad(x, i, 0) + (r * steps + t) * c);
        }
    }
    return GLS_OK;
}

static const gls_op lstm = {
    .member = {.name = "carried_lstm",
               .help = "long short-term memory",
               .source = "Hochreiter and Schmidhuber 1997",
               .options = options,
               .options_size = sizeof(lstm_options)},
    GLS_OP_ONE_INPUT,
    .blocks = BLOCKS,
    .states = 1,
    .flags = GLS_OP_OWN_LAYOUT,
    .shape = shape,
    .impl = GLS_OP_PORTABLE(.scratch = scratch, .forward = forward, .backward = backward),
    .uses = uses,
    .aux = aux,
};

/* The second network's tanh could write over h, were it not that the recurrent product reads h to the end. */
static const char *const networks[] = {
    "{layers: [{embedding: {dim: 5}}, {carried_lstm: {units: 7, slots: 12}}, {dense: {units: 20}}]}",
    "{layers: [{embedding: {dim: 6}}, {carried_lstm: {units: 3, slots: 12}}, tanh, {carried_lstm: {units: 5, slots: "
    "12}}, tanh,"
    " {dense: {units: 20}}]}",
};

static gls_context *context(void) {
    gls_context *ctx = check_context(1, false);
    assert_int_equal(gls_op_register(ctx, &lstm), GLS_OK);
    return ctx;
}

static void gradients(void **state) {
    if (sizeof(gls_real) == 4) skip(); /* difference quotients are for double */
    for (int i = 0; i < 2; i++) {
        gls_context *ctx = context();
        check_data d = check_tokens_create(3, 20, 6, 0);
        gls_problem *p = check_model(ctx, "layers", networks[i], &d.info);
        assert_true(check_differences(p, &d.batch, GLS_MODE_TRAIN, 1e-4) < 1e-6);
        gls_problem_destroy(p);
        check_data_destroy(&d);
        gls_context_destroy(ctx);
    }
}

static void questions(void **state) {
    static const gls_storage storage[] = {GLS_STORAGE_REAL, GLS_STORAGE_BF16};
    for (int i = 0; i < 4; i++) {
        gls_context *ctx = context();
        check_data d = check_tokens_create(12, 20, 6, 0);
        gls_problem *p = check_model(ctx, "layers", networks[i / 2], &d.info);
        ((gls_network *)p->self)->storage = storage[i % 2];
        check_questions_of(p, &d.batch, sizeof(gls_real) == 4 ? 2e-5 : 1e-11);
        gls_problem_destroy(p);
        check_data_destroy(&d);
        gls_context_destroy(ctx);
    }
}

/* Cells begin where the op says, and a mini-batch leaves those of its own slots to the next. */
static void carried(void **state) {
    gls_context *ctx = context();
    check_data d = check_tokens_create(4, 20, 6, 0);
    gls_problem *p = check_model(ctx, "layers", networks[0], &d.info);
    const gls_block *cell = gls_layout_find(p->state_layout, "carried_lstm2.cell");
    assert_non_null(cell);
    assert_int_equal(cell->flags, GLS_BLOCK_BY_SLOT);
    assert_int_equal(cell->size, 12 * 7);
    for (int64_t k = 0; k < cell->size; k++) assert_true(p->state[cell->offset + k] == (gls_real)start);
    check_run r = check_run_create(p, &d.batch, GLS_WANT_GRADIENT, GLS_MODE_TRAIN);
    gls_real *w = check_weights(p);
    double first = check_loss(&r, w);
    for (int64_t k = 0; k < cell->size; k++) assert_true((r.state_next[k] != 0) == (k < 4 * 7));
    r.args.state = r.state_next;
    r.args.state_next = NULL;
    assert_true(check_loss(&r, w) != first);
    free(w);
    check_run_destroy(&r);
    gls_problem_destroy(p);
    check_data_destroy(&d);
    gls_context_destroy(ctx);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(gradients), cmocka_unit_test(questions),
                                       cmocka_unit_test(carried)};
    return cmocka_run_group_tests_name("recurrent", tests, NULL, NULL);
}
