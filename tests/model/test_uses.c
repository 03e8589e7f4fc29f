/* Parameter uses: group norms and inner products against explicit gradients of the groups, weighted gradients against
 * their parts. */
#include "check.h"

#include "model/layers.h"
#include "model/network.h"

/* One block looked up twice and multiplied with: every pair of uses has its cross term. */
static gls_status build_shared(gls_graph *g, const void *options) {
    gls_op_embedding_options own = {.dim = 9}, tied = {.dim = 9, .tie = "e.weight"};
    gls_op_dense_options dense = {.units = 9, .bias = true}, last = {.units = 40, .bias = true, .tie = "e.weight"};
    int x = gls_graph_input(g), both[2];
    both[0] = gls_graph_add(g, "embedding", "e", &own, 1, &x);
    both[0] = gls_graph_add(g, "dense", "fc", &dense, 1, &both[0]);
    both[0] = gls_layer(g, "tanh", "act", both[0]);
    both[1] = gls_graph_add(g, "embedding", "again", &tied, 1, &x);
    x = gls_graph_add(g, "add", "sum", NULL, 2, both);
    x = gls_layer(g, "gelu", "act2", x);
    x = gls_graph_add(g, "dense", "last", &last, 1, &x);
    gls_family_loss(g, options, x);
    return g->status;
}

static const gls_option shared_options[] = {GLS_FAMILY_OPTIONS(struct { gls_family_options common; }), {NULL}};

static const gls_family shared = {
    .type = {.member = {.name = "shared", .options = shared_options, .options_size = sizeof(gls_family_options)},
             GLS_NETWORK_VERBS},
    .build = build_shared,
};

typedef struct sample {
    const char *family, *options;
    int64_t rows, c, h, w, classes;
    gls_mode mode;
} sample;

static const sample samples[] = {
    {"mlp", "{hidden: [300, 120], activation: relu}", 12, 20, 0, 0, 5},
    {"convnet", "{channels: 16, units: 300}", 12, 3, 12, 10, 4},
    {"convnet", "{channels: 3, variant: cuda}", 12, 2, 9, 7, 3},
    {"mlp", "{hidden: [9, 7], activation: gelu, norm: layer, dropout: 0.3}", 12, 5, 0, 0, 3},
    {"resnet", "{depth: 8, norm: group}", 12, 3, 9, 8, 3},
    {"layers",
     "{layers: [{dense: {units: 7, name: a}}, tanh, {dense: {units: 9, tie: a.weight, transpose: true}}, tanh,"
     " {dense: {units: 7, tie: a.weight}}]}",
     12, 9, 0, 0, 7},
    {"layers",
     "{layers: [{conv: {channels: 60, kernel: 1}}, {dense: {units: 50}}, gelu, {dense: {units: 3}}, global_pool]}", 12,
     2, 1, 7, 3},
    {"resnet", "{depth: 8, norm: batch}", 12, 3, 9, 8, 3, GLS_MODE_EVALUATE},
    {"layers", "{layers: [{embedding: {dim: 7}}, tanh, {dense: {units: 20}}]}", 12, 20, 5, -1, 0},
    {"layers", "{layers: [{embedding: {dim: 6}}, {dense: {units: 6}}, global_pool, tanh, {dense: {units: 4}}]}", 12, 30,
     9, -1, 4},
    {"layers",
     "{layers: [{embedding: {dim: 6, name: e}}, {dense: {units: 6}}, tanh, {dense: {units: 20, tie: e.weight}}]}", 12,
     20, 5, -1, 0},
    {"layers",
     "{layers: [{embedding: {dim: 70, name: e}}, tanh, {dense: {units: 500, tie: e.weight}}, tanh,"
     " {dense: {units: 70, tie: e.weight, transpose: true}}, gelu, {dense: {units: 500}}]}",
     12, 500, 11, -1, 0},
    {"layers",
     "{layers: [{embedding: {dim: 20, name: e}}, {dense: {units: 20, tie: e.weight, transpose: true}}, tanh,"
     " {dense: {units: 20, tie: e.weight}}, global_pool, {dense: {units: 3}}]}",
     12, 20, 1, -1, 3},
    {"nplm", "{embedding: 24, window: 3, hidden: 24, tie: true}", 12, 60, 6, -1, 0},
    {"shared", NULL, 12, 40, 7, -1, 0},
};
enum { SAMPLES = sizeof samples / sizeof *samples };

typedef struct asked {
    gls_context *ctx;
    check_data data;
    gls_problem *p;
    check_run run;
    gls_real *w, *g;
    double *weights;
    int64_t d;
} asked;

static void ask(const sample *s, bool portable, asked *a) {
    *a = (asked){.ctx = check_context(2, portable)};
    assert_int_equal(gls_member_register(a->ctx, &gls_family_kind, &shared.type.member), GLS_OK);
    a->data = check_data_create(s->rows, s->c, s->h, s->w, s->classes, 0);
    a->p = check_model(a->ctx, s->family, s->options, &a->data.info);
    a->run = check_run_create(a->p, &a->data.batch,
                              GLS_WANT_GRADIENT | GLS_WANT_NORMS | GLS_WANT_INNER | GLS_WANT_SHARED, s->mode);
    a->d = gls_problem_size(a->p);
    a->w = check_weights(a->p);
    a->g = calloc((size_t)a->d, sizeof *a->g);
    a->weights = calloc((size_t)s->rows, sizeof *a->weights);
    check_run_at(&a->run, a->w);
}

static void done(asked *a) {
    free(a->w);
    free(a->g);
    free(a->weights);
    check_run_destroy(&a->run);
    gls_problem_destroy(a->p);
    check_data_destroy(&a->data);
    gls_context_destroy(a->ctx);
}

static void weighted(asked *a, const double *weights) {
    memset(a->g, 0, (size_t)a->d * sizeof *a->g);
    assert_int_equal(gls_ask_gradient(a->run.e, GLS_PRODUCT_GRADIENT, weights, a->g), GLS_OK);
}

static const double tolerance = sizeof(gls_real) == 4 ? 2e-5 : 1e-11;

static void norms_and_inner(void **state) {
    for (int i = 0; i < 2 * SAMPLES; i++) {
        asked a;
        ask(&samples[i / 2], i % 2, &a);
        check_questions(&a.run, a.data.batch.rows, tolerance);
        done(&a);
    }
}

/* sum c_i g_i is linear in the weights, equal weights are a factor, zero weights leave nothing, questions repeat. */
static void weights_are_linear(void **state) {
    for (int i = 0; i < SAMPLES; i++) {
        asked a;
        ask(&samples[i], false, &a);
        int64_t rows = a.data.batch.rows;
        gls_real *sum = calloc((size_t)a.d, sizeof *sum), *first = calloc((size_t)a.d, sizeof *first);
        weighted(&a, NULL);
        memcpy(first, a.g, (size_t)a.d * sizeof *first);
        double norm = 0;
        for (int64_t j = 0; j < a.d; j++) norm += (double)first[j] * first[j];
        for (int64_t r = 0; r < rows; r++) a.weights[r] = 0.5 + 0.1 * (double)r;
        weighted(&a, a.weights);
        memcpy(sum, a.g, (size_t)a.d * sizeof *sum);
        for (int64_t r = 0; r < rows; r++) a.weights[r] = 0.5 - 0.1 * (double)r;
        weighted(&a, a.weights);
        for (int64_t j = 0; j < a.d; j++)
            assert_true(fabs((double)a.g[j] + sum[j] - first[j]) <= 10 * tolerance * sqrt(norm));
        for (int64_t r = 0; r < rows; r++) a.weights[r] = 0;
        weighted(&a, a.weights);
        for (int64_t j = 0; j < a.d; j++) assert_true(a.g[j] == 0);
        weighted(&a, NULL);
        assert_memory_equal(a.g, first, (size_t)a.d * sizeof *first);
        free(sum);
        free(first);
        done(&a);
    }
}

/* Library and portable kernels agree on loss and gradient. */
static void portable_agrees(void **state) {
    for (int i = 0; i < SAMPLES; i++) {
        asked a, b;
        ask(&samples[i], false, &a);
        ask(&samples[i], true, &b);
        weighted(&a, NULL);
        weighted(&b, NULL);
        double norm = 0, difference = 0;
        for (int64_t j = 0; j < a.d; j++) {
            norm += (double)a.g[j] * a.g[j];
            difference += ((double)a.g[j] - b.g[j]) * ((double)a.g[j] - b.g[j]);
        }
        assert_true(difference <= tolerance * tolerance * norm);
        done(&a);
        done(&b);
    }
}

/* Two rows with the same features whose gradients all but cancel: the double sum would lose every digit in float, the
 * explicit form takes over. */
static void cancelled_norms(void **state) {
    gls_context *ctx = check_context(1, false);
    check_data d = check_data_create(2, 64, 0, 0, 0, 16);
    memcpy(d.x + 64, d.x, 64 * sizeof *d.x);
    double squares = 1, gap = 1e-3, norm; /* 1: the bias's feature */
    for (int k = 0; k < 64; k++) squares += (double)d.x[k] * d.x[k];
    for (int k = 0; k < 16; k++) {
        d.y[k] = 1 + (gls_real)gap;
        d.y[16 + k] = -1;
    }
    gls_problem *p = check_model(ctx, "mlp", "{hidden: [], loss: squared}", &d.info);
    gls_real *w = calloc((size_t)gls_problem_size(p), sizeof *w);
    check_run run = check_run_create(p, &d.batch, GLS_WANT_NORMS, GLS_MODE_TRAIN);
    check_run_at(&run, w);
    int32_t group[] = {0, 0};
    gls_partition both = {1, group};
    assert_int_equal(gls_ask_norms(run.e, &both, &norm), GLS_OK);
    double expected = 16 * gap * gap * squares;
    assert_true(fabs(norm - expected) < (sizeof(gls_real) == 4 ? 1e-3 : 1e-10) * expected);
    free(w);
    check_run_destroy(&run);
    gls_problem_destroy(p);
    check_data_destroy(&d);
    gls_context_destroy(ctx);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(norms_and_inner),
        cmocka_unit_test(weights_are_linear),
        cmocka_unit_test(portable_agrees),
        cmocka_unit_test(cancelled_norms),
    };
    return cmocka_run_group_tests_name("uses", tests, NULL, NULL);
}
