/* Activations and their gradients stored in 16 bits: the conversion by its definition; networks against the same ones
 * with full storage, and their answers against each other. */
#include "check.h"

#include "base/bf16.h"
#include "base/gemm_bf16.h"
#include "model/dnnl_panels.h"
#include "model/layers.h"
#include "model/network.h"
#include "model/op.h"
#include "model/storage.h"

/* The nearest of the two neighbours whose last 16 bits are zero; ties to the even one. */
static float nearest(float x) {
    uint32_t bits, low, high;
    memcpy(&bits, &x, sizeof bits);
    low = bits & 0xffff0000;
    high = low + 0x10000;
    float down, up;
    memcpy(&down, &low, sizeof down);
    memcpy(&up, &high, sizeof up);
    double under = fabs((double)x - down), over = fabs((double)up - x);
    return under < over || (under == over && !(low & 0x10000)) ? down : up;
}

static void conversion(void **state) {
    enum { N = 20011 };
    static gls_real x[N], back[N];
    static uint16_t stored[N];
    gls_random random = gls_random_create(3, "conversion", 0, 0);
    for (int i = 0; i < N; i++) {
        uint32_t bits[4];
        gls_random_block(&random, (uint32_t)i, bits);
        if (i % 3 == 0) bits[0] = (bits[0] & 0xffff0000) | 0x8000; /* a tie */
        if ((bits[0] & 0x7f800000) == 0x7f800000) bits[0] &= 0xbfffffff;
        if ((bits[0] & 0x7fff0000) == 0x7f7f0000) bits[0] &= 0xbfffffff; /* would round to infinity */
        float v;
        memcpy(&v, bits, sizeof v);
        x[i] = v;
    }
    gls_storage_narrow(stored, x, N);
    gls_storage_widen(back, stored, N);
    for (int i = 0; i < N; i++) assert_true(back[i] == nearest((float)x[i]));
    const gls_real special[] = {0, -(gls_real)0.0, INFINITY, -INFINITY, NAN, (gls_real)3.4028235e38, 1};
    gls_storage_narrow(stored, special, 7);
    gls_storage_widen(back, stored, 7);
    assert_true(back[0] == 0 && !signbit(back[0]) && back[1] == 0 && signbit(back[1]));
    assert_true(back[2] == INFINITY && back[3] == -INFINITY && isnan(back[4]) && back[5] == INFINITY && back[6] == 1);
    uint32_t payload = 0x7f800001; /* a NaN whose upper half alone would be infinity */
    float quiet;
    memcpy(&quiet, &payload, sizeof quiet);
    x[0] = quiet;
    gls_storage_narrow(stored, x, 1);
    gls_storage_widen(back, stored, 1);
    assert_true(isnan(back[0]));
}

static void panels(void **state) {
    if (!gls_gemm_bf16_here()) skip();
    static const int64_t shape[][2] = {{1, 1}, {5, 3}, {16, 16}, {33, 70}, {64, 20}, {130, 257}};
    for (size_t k = 0; k < sizeof shape / sizeof *shape; k++)
        for (int64_t panel = 16; panel <= 64; panel *= 2) {
            int64_t out = shape[k][0], in = shape[k][1], outs = (out + panel - 1) / panel * panel,
                    ins = (in + 15) / 16 * 16;
            gls_real *w = malloc((size_t)(out * in) * sizeof *w);
            uint16_t *packed = malloc((size_t)(outs * ins + 1) * sizeof *packed);
            gls_random random = gls_random_create(4, "panels", 0, 0);
            for (int64_t i = 0; i < out * in; i++) w[i] = (gls_real)gls_random_normal(&random);
            w[0] = out > 1 ? -INFINITY : 1;
            for (int64_t i = 0; i <= outs * ins; i++) packed[i] = 0x1234;
            gls_dnnl_panels(packed, w, out, in, panel);
            for (int64_t o = 0; o < outs; o++)
                for (int64_t i = 0; i < ins; i++) {
                    uint16_t expected = o < out && i < in ? gls_bf16_narrow((float)w[o * in + i]) : 0;
                    int64_t block = o / panel * (ins / 16) + i / 16;
                    assert_int_equal(packed[((block * 8 + i % 16 / 2) * panel + o % panel) * 2 + i % 2], expected);
                }
            assert_int_equal(packed[outs * ins], 0x1234);
            free(w);
            free(packed);
        }
}

typedef struct sample {
    const char *family, *options;
    int64_t c, h, w, classes;
    double error; /* of the gradient, relative */
} sample;

/* A dozen buffers are off by up to 2^-9 each; where a maximum moves to another position, or a relu opens, no rounding
 * error bounds what follows. */
#define SMOOTH 0.01
#define KINKS 0.15

static const sample samples[] = {
    {"mlp", "{hidden: [300, 120], activation: relu}", 20, 0, 0, 5, KINKS},
    {"mlp", "{hidden: [40, 30, 20], activation: gelu, norm: layer, dropout: 0.3}", 5, 0, 0, 3, SMOOTH},
    {"convnet", "{channels: 16, units: 300}", 3, 12, 10, 4, KINKS},
    {"convnet", "{channels: 4, variant: cuda, dropout: 0.2}", 2, 9, 7, 3, KINKS},
    {"layers",
     "{layers: [{conv: {channels: 12, pad: 1}}, tanh, {group_norm: {groups: 3}}, {conv: {channels: 8}}, sigmoid,"
     " {average_pool: {}}, {conv: {channels: 8, pad: 1}}, gelu, flatten, {dense: {units: 4}}]}",
     3, 12, 10, 4, SMOOTH},
    {"resnet", "{depth: 8, norm: group}", 3, 9, 8, 3, KINKS},
    {"resnet", "{depth: 8, width: 4, norm: batch, bn_group: 4}", 3, 9, 8, 3, KINKS},
    {"nplm", "{embedding: 24, window: 3, hidden: 24, tie: true}", 60, 6, -1, 0, SMOOTH},
    {"layers",
     "{layers: [{embedding: {dim: 70, name: e}}, tanh, {dense: {units: 500, tie: e.weight}}, tanh,"
     " {dense: {units: 70, tie: e.weight, transpose: true}}, gelu, {dense: {units: 500}}]}",
     500, 11, -1, 0, SMOOTH},
};
enum { SAMPLES = sizeof samples / sizeof *samples, ROWS = 12 };

/* The same network and batch, in one of the two storages. */
typedef struct side {
    gls_context *ctx;
    check_data data;
    gls_problem *p;
    check_run run;
    gls_real *w, *g;
    int64_t d, bytes;
    double loss;
} side;

static void evaluate(const sample *s, bool portable, gls_storage storage, side *a) {
    *a = (side){.ctx = check_context(2, portable)};
    a->data = check_data_create(ROWS, s->c, s->h, s->w, s->classes, 0);
    a->p = check_model(a->ctx, s->family, s->options, &a->data.info);
    gls_network *net = a->p->self;
    net->storage = storage;
    bool coupled = a->p->coupling != GLS_COUPLING_NONE;
    unsigned want = GLS_WANT_GRADIENT | (coupled ? 0 : GLS_WANT_NORMS | GLS_WANT_INNER);
    a->run = check_run_create(a->p, &a->data.batch, want, GLS_MODE_TRAIN);
    a->run.args.span = coupled ? 4 : 0;
    a->d = gls_problem_size(a->p);
    a->w = calloc((size_t)a->d, sizeof *a->w);
    assert_int_equal(gls_problem_initialize(a->p, 3, a->w), GLS_OK);
    a->g = calloc((size_t)a->d, sizeof *a->g);
    check_gradient_at(&a->run, a->w, a->g);
    assert_int_equal(gls_ask_loss(a->run.e, &a->loss), GLS_OK);
    gls_memory_plan *plan = NULL;
    assert_int_equal(gls_memory_plan_create(net->graph, 64, GLS_WANT_GRADIENT, GLS_MODE_TRAIN, storage, &plan), GLS_OK);
    a->bytes = plan->bytes;
    gls_memory_plan_destroy(net->graph, plan);
}

/* Two ways from x that meet again, twice: the first one adds to a gradient that the second one has written. */
static int meet(gls_graph *g, const char *name, const char *op, const void *options, int x) {
    char text[128];
    gls_op_conv_options conv = {.channels = 32, .kernel = 3, .stride = 2, .pad = 1};
    int way = gls_graph_add(g, op, gls_layer_name(text, "%s.%s", name, op), options, 1, &x);
    int both[] = {way, gls_layer_conv(g, gls_layer_name(text, "%s.conv.%s", name, op), conv, x)};
    return gls_graph_add(g, "add", gls_layer_name(text, "%s.add.%s", name, op), NULL, 2, both);
}

static int compose(gls_graph *g, const char *name, const void *given, const int *input) {
    gls_op_pad_channels_options pad = {.channels = 32, .stride = 2};
    gls_op_pool_options pool = {.kernel = 3, .stride = 2, .pad = 1};
    (void)given;
    return meet(g, name, "max_pool", &pool, meet(g, name, "pad_channels", &pad, input[0]));
}

static const gls_op fork_twice = {
    .member = {.name = "fork_twice", .help = "a pool and a shortcut beside convolutions", .source = ""},
    .formula = "",
    .shapes = "",
    .parameters = "",
    GLS_OP_ONE_INPUT,
    .compose = compose,
};

static int compose_flat(gls_graph *g, const char *name, const void *given, const int *input) {
    char text[128];
    (void)given;
    int first = gls_layer(g, "flatten", gls_layer_name(text, "%s.first", name), input[0]);
    int both[] = {first, gls_layer(g, "flatten", gls_layer_name(text, "%s.second", name), input[0])};
    return gls_graph_add(g, "add", name, NULL, 2, both);
}

static const gls_op flatten_twice = {
    .member = {.name = "flatten_twice", .help = "twice an image as features", .source = ""},
    .formula = "",
    .shapes = "",
    .parameters = "",
    GLS_OP_ONE_INPUT,
    .compose = compose_flat,
};

static void gradient_in_bf16(const char *options, bool portable, bool staged, side *a) {
    bool any;
    *a = (side){.ctx = check_context(1, portable), .data = check_data_create(ROWS, 3, 16, 16, 3, 0)};
    assert_int_equal(gls_op_register(a->ctx, &fork_twice), GLS_OK);
    assert_int_equal(gls_op_register(a->ctx, &flatten_twice), GLS_OK);
    a->p = check_model(a->ctx, "layers", options, &a->data.info);
    gls_network *net = a->p->self;
    if (!staged) assert_int_equal(gls_graph_finish_stored(net->graph, false, &any), GLS_OK);
    net->storage = GLS_STORAGE_BF16;
    a->run = check_run_create(a->p, &a->data.batch, GLS_WANT_GRADIENT, GLS_MODE_TRAIN);
    a->d = gls_problem_size(a->p);
    a->w = calloc((size_t)a->d, sizeof *a->w);
    a->g = calloc((size_t)a->d, sizeof *a->g);
    assert_int_equal(gls_problem_initialize(a->p, 3, a->w), GLS_OK);
    check_gradient_at(&a->run, a->w, a->g);
}

static void done(side *a) {
    free(a->w);
    free(a->g);
    check_run_destroy(&a->run);
    gls_problem_destroy(a->p);
    check_data_destroy(&a->data);
    gls_context_destroy(a->ctx);
}

static void gradients_agree(void **state) {
    for (int i = 0; i < 2 * SAMPLES; i++) {
        side full, narrow;
        evaluate(&samples[i / 2], i % 2, GLS_STORAGE_REAL, &full);
        evaluate(&samples[i / 2], i % 2, GLS_STORAGE_BF16, &narrow);
        double norm = 0, difference = 0;
        for (int64_t j = 0; j < full.d; j++) {
            double e = (double)full.g[j] - narrow.g[j];
            norm += (double)full.g[j] * full.g[j];
            difference += e * e;
        }
        double error = sqrt(difference / norm);
        if (error > samples[i / 2].error) print_error("%s: %g\n", samples[i / 2].options, error);
        assert_true(error <= samples[i / 2].error);
        assert_true(difference > 0);
        assert_true(fabs(full.loss - narrow.loss) <= 0.01 * fabs(full.loss));
        done(&full);
        done(&narrow);
    }
}

/* Ops that take what is stored as it is compute what they would of wide copies. */
static void wide_copies_change_nothing(void **state) {
    static const char *const networks[] = {
        "{layers: [{conv: {channels: 16, pad: 1}}, {fork_twice: {}}, {max_pool: {}}, relu, {flatten_twice: {}},"
        " {dense: {units: 3}}]}",
        "{layers: [{conv: {channels: 20, pad: 1}}, {max_pool: {}}, {leaky_relu: {slope: 0.3}}, {fork_twice: {}},"
        " flatten, {dense: {units: 3}}]}",
        "{layers: [{conv: {channels: 8, pad: 1}}, {residual_block: {channels: 16, stride: 2, norm: group}},"
        " {max_pool: {kernel: 3}}, flatten, {dense: {units: 3}}]}",
    };
    for (int i = 0; i < 6; i++) {
        side own, copies;
        gradient_in_bf16(networks[i / 2], i % 2, false, &own);
        gradient_in_bf16(networks[i / 2], i % 2, true, &copies);
        double sum = 0;
        for (int64_t j = 0; j < own.d; j++) {
            if (own.g[j] != copies.g[j]) fail_msg("%s: %lld", networks[i / 2], (long long)j);
            sum += fabs((double)own.g[j]);
        }
        assert_true(sum > 0);
        done(&own);
        done(&copies);
    }
}

/* Whatever rounding has done to the activations, all answers are about the same gradients. */
static void answers_agree(void **state) {
    double tolerance = sizeof(gls_real) == 4 ? 2e-5 : 1e-11;
    for (int i = 0; i < 2 * SAMPLES; i++) {
        side a;
        evaluate(&samples[i / 2], i % 2, GLS_STORAGE_BF16, &a);
        if (a.p->coupling == GLS_COUPLING_NONE) check_questions(&a.run, ROWS, tolerance);
        done(&a);
    }
}

/* Tiles: weighted gradients are linear, and the sum over single rows is the whole. */
static void rows_add_up(void **state) {
    for (int i = 0; i < SAMPLES; i++) {
        side a;
        evaluate(&samples[i], true, GLS_STORAGE_BF16, &a);
        gls_real *sum = calloc((size_t)a.d, sizeof *sum);
        double norm = 0, difference = 0;
        int64_t groups = a.p->coupling == GLS_COUPLING_NONE ? ROWS : ROWS / 4;
        for (int64_t k = 0; k < groups; k++) {
            double weights[ROWS];
            for (int64_t r = 0; r < ROWS; r++) weights[r] = r / (ROWS / groups) == k;
            assert_int_equal(gls_ask_gradient(a.run.e, GLS_PRODUCT_GRADIENT, weights, sum), GLS_OK);
        }
        for (int64_t j = 0; j < a.d; j++) {
            norm += (double)a.g[j] * a.g[j];
            difference += ((double)a.g[j] - sum[j]) * ((double)a.g[j] - sum[j]);
        }
        assert_true(difference <= 1e-10 * norm);
        free(sum);
        done(&a);
    }
}

static void memory_is_smaller(void **state) {
    static const sample large[] = {
        {"mlp", "{hidden: [256, 256, 256, 256]}", 64, 0, 0, 5},
        {"layers",
         "{layers: [{conv: {channels: 16, pad: 1}}, relu, {conv: {channels: 16, pad: 1}}, tanh, {conv: {channels: 16,"
         " pad: 1}}, relu, {conv: {channels: 16, pad: 1}}, relu, {max_pool: {}}, flatten, {dense: {units: 4}}]}",
         3, 24, 24, 4},
        {"resnet", "{depth: 20, norm: group}", 3, 16, 16, 4},
    };
    for (int i = 0; i < 3; i++) {
        side full, narrow;
        evaluate(&large[i], true, GLS_STORAGE_REAL, &full);
        evaluate(&large[i], true, GLS_STORAGE_BF16, &narrow);
        print_message("%s: %.0f %% of the memory\n", large[i].family,
                      100.0 * (double)narrow.bytes / (double)full.bytes);
        assert_true((double)narrow.bytes < 0.9 * (double)full.bytes);
        done(&full);
        done(&narrow);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(conversion),
        cmocka_unit_test(panels),
        cmocka_unit_test(gradients_agree),
        cmocka_unit_test(answers_agree),
        cmocka_unit_test(wide_copies_change_nothing),
        cmocka_unit_test(rows_add_up),
        cmocka_unit_test(memory_is_smaller),
    };
    return cmocka_run_group_tests_name("storage", tests, NULL, NULL);
}
