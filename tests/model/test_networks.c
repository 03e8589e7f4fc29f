/* Families and ops in double: gradients against difference quotients, whole and block by block. */
#include "samples.h"

#include "model/network.h"
#include "problem/evaluation.h"

static double worst_error(const sample *s) {
    gls_context *ctx = check_context(1, false);
    check_data d = check_data_create(s->rows, s->c, s->h, s->w, s->classes, s->targets);
    gls_problem *p = check_model(ctx, s->family, s->options, &d.info);
    double worst = check_differences(p, &d.batch, GLS_MODE_TRAIN, 1e-5);
    gls_problem_destroy(p);
    check_data_destroy(&d);
    gls_context_destroy(ctx);
    return worst;
}

static void gradients(void **state) {
    for (size_t i = 0; i < sizeof samples / sizeof *samples; i++) {
        double worst = worst_error(&samples[i]);
        if (worst >= 1e-6) print_error("%s %s: %g\n", samples[i].family, samples[i].options, worst);
        assert_true(worst < 1e-6);
    }
}

typedef struct refusal {
    const char *family, *options, *says;
} refusal;

static void check_refused(gls_context *ctx, const refusal *bad, size_t count, const gls_data_info *info) {
    for (size_t i = 0; i < count; i++) {
        gls_value *value = NULL;
        gls_problem *p = NULL;
        if (bad[i].options)
            assert_int_equal(gls_yaml_parse(ctx, "test", bad[i].options, (int64_t)strlen(bad[i].options), &value),
                             GLS_OK);
        assert_int_equal(gls_model_create(ctx, bad[i].family, value, info, &p), GLS_ERR_ARGUMENT);
        if (!strstr(gls_context_message(ctx), bad[i].says)) fail_msg("%s: %s", bad[i].says, gls_context_message(ctx));
        gls_value_destroy(ctx, value);
    }
}

/* The same where the data are tokens. */
static void bad_tokens(void **state) {
    static const refusal bad[] = {
        {"mlp", NULL, "takes features, but the data are tokens; put an embedding before it"},
        {"layers", "{layers: [{embedding: {dim: 4}}, {embedding: {dim: 4}}, {dense: {units: 9}}]}",
         "takes tokens, but its input is a layer's output"},
        {"layers", "{layers: [{embedding: {dim: 4}}, {dense: {units: 8}}]}",
         "one input for each of 9 classes at every position, got [8, 1, 3]"},
        {"layers", "{layers: [{embedding: {dim: 4}}, global_pool, {dense: {units: 9}}]}", "got [9]"},
        {"layers", "{layers: [{embedding: {dim: 4, tie: nothing}}]}", "tied to 'nothing'"},
        {"layers", "{layers: [{embedding: {dim: 4}}, {dense: {units: 9}}], loss: squared}", "data have targets"},
        {"nplm", "{tie: true, embedding: 3, hidden: 4}", "hidden equal to embedding, got 4 and 3"},
        {"lstm", "{tie: true, embedding: 3, hidden: 4}", "hidden equal to embedding, got 4 and 3"},
        {"transformer", "{dim: 10, heads: 4}", "4 heads do not divide dim 10"},
        {"transformer", "{dim: 12, heads: 4, kv_heads: 3}", "3 does not divide 4 heads"},
        {"transformer", "{attention: none, positions: rotary}", "queries and keys, and attention is none"},
        {"transformer", "{dim: 9, heads: 3, positions: rotary}", "heads of an even length"},
        {"layers", "{layers: [{embedding: {dim: 9}}, gate, {dense: {units: 9}}]}", "even number of channels, got 9"},
        {"layers", "{layers: [{embedding: {dim: 9}}, global_pool, {dropout: {of: word}}]}",
         "drops words, but its input [9] has not the positions of a text"},
        {"layers", "{layers: [{embedding: {dim: 8}}, attention, {dense: {units: 9}}]}",
         "multiple of 3 channels, got 8"},
        {"softmax", NULL, "needs data with features"},
    };
    gls_context *ctx = check_context(1, false);
    check_data d = check_tokens_create(2, 9, 3, 0), one = check_tokens_create(2, 9, 3, 4);
    check_refused(ctx, bad, sizeof bad / sizeof *bad, &d.info);
    gls_problem *p = check_model(ctx, "layers", "{layers: [{embedding: {dim: 4}}, {dense: {units: 9}}]}", &d.info);
    check_run r = check_run_create(p, &d.batch, GLS_WANT_GRADIENT, GLS_MODE_TRAIN);
    gls_real *w = check_weights(p);
    assert_int_equal(gls_point_set(r.point, w), GLS_OK);
    d.token[4] = 9;
    assert_int_equal(gls_evaluate(r.e, &r.args), GLS_ERR_INPUT);
    assert_string_equal(gls_context_message(ctx), "example 1 has token 9, expected 0 to 8");
    d.token[4] = 8;
    d.label[2] = 9;
    assert_int_equal(gls_evaluate(r.e, &r.args), GLS_ERR_INPUT);
    assert_string_equal(gls_context_message(ctx), "example 0 has label 9, expected 0 to 8");
    r.args.rows = &one.batch;
    assert_int_equal(gls_evaluate(r.e, &r.args), GLS_ERR_ARGUMENT);
    assert_string_equal(gls_context_message(ctx), "the rows have one label each, but the network was made for "
                                                  "labels by position");
    gls_batch shorter = d.batch;
    shorter.length = 2;
    r.args.rows = &shorter;
    assert_int_equal(gls_evaluate(r.e, &r.args), GLS_ERR_ARGUMENT);
    assert_string_equal(gls_context_message(ctx), "rows of 2 tokens, but the network was made for 3");
    free(w);
    check_run_destroy(&r);
    gls_problem_destroy(p);
    check_data_destroy(&d);
    check_data_destroy(&one);
    gls_context_destroy(ctx);
}

/* The loss of an example is its mass times the mean over its labels, the score the share of right ones: by definition,
 * from the network's outputs. */
static void next_token_loss(void **state) {
    enum { ROWS = 3, LENGTH = 4, WORDS = 6 };
    gls_context *ctx = check_context(1, false);
    check_data d = check_tokens_create(ROWS, WORDS, LENGTH, 0);
    gls_problem *p = check_model(ctx, "layers", "{layers: [{embedding: {dim: 6}}]}", &d.info);
    unsigned want = GLS_WANT_OUTPUTS | GLS_WANT_LOSSES | GLS_WANT_SCORES;
    check_run r = check_run_create(p, &d.batch, want, GLS_MODE_EVALUATE);
    gls_real *w = check_weights(p), z[ROWS * LENGTH * WORDS];
    double losses[ROWS], score, right = 0;
    assert_string_equal(p->score[0], "accuracy");
    d.label[0] = -1;
    check_run_at(&r, w);
    assert_int_equal(gls_ask_outputs(r.e, z), GLS_OK);
    assert_int_equal(gls_ask_losses(r.e, losses), GLS_OK);
    assert_int_equal(gls_ask_scores(r.e, &score), GLS_OK);
    for (int i = 0; i < ROWS; i++) {
        double sum = 0, labels = 0, correct = 0;
        for (int t = i * LENGTH; t < (i + 1) * LENGTH; t++) {
            double total = 0;
            int best = 0;
            if (d.label[t] < 0) continue;
            for (int c = 0; c < WORDS; c++) {
                assert_true(z[t * WORDS + c] == w[d.token[t] * WORDS + c]);
                total += exp(z[t * WORDS + c]);
                if (z[t * WORDS + c] > z[t * WORDS + best]) best = c;
            }
            sum += log(total) - z[t * WORDS + d.label[t]];
            correct += best == d.label[t];
            labels++;
        }
        assert_true(fabs(losses[i] - d.mass[i] * sum / labels) < 1e-12);
        right += d.mass[i] * correct / labels;
    }
    assert_true(fabs(score - right) < 1e-12);
    free(w);
    check_run_destroy(&r);
    gls_problem_destroy(p);
    check_data_destroy(&d);
    gls_context_destroy(ctx);
}

/* Wrong input is refused with a sentence that says what and where. */
static void bad_input(void **state) {
    static const refusal bad[] = {
        {"mpl", NULL, "did you mean 'mlp'?"},
        {"mlp", "{hiden: [3]}", "hidden"},
        {"mlp", "{hidden: [3, x]}", "'x'"},
        {"resnet", "{depth: 21}", "6n+2"},
        {"layers", "{layers: [convv]}", "conv"},
        {"layers", "{layers: [{conv: {channels: 4, kernel: 9}}]}",
         "layer 'conv1' (conv): a kernel of 9 does not fit into [3, 6, 5]"},
        {"layers", "{layers: [{dense: {units: 4}}]}", "put a flatten or a pool before it"},
        {"layers", "{layers: [flatten, {dense: {units: 4}}]}", "one input for each of 5 classes, got [4]"},
        {"layers", "{layers: [{conv: {channels: 4, groups: 2}}]}", "2 groups do not divide 3 input"},
        {"layers", "{layers: [flatten, {relu: {slope: 1}}]}", "takes no option 'slope'"},
        {"layers", "{layers: [flatten, {dense: {units: 5, tie: nothing}}]}", "tied to 'nothing'"},
        {"layers", "{layers: [flatten, {dense: {bias: false}}]}", "units is missing"},
        {"layers", "{}", "layers"},
    };
    gls_context *ctx = check_context(1, false);
    check_data d = check_data_create(2, 3, 6, 5, 5, 0);
    check_refused(ctx, bad, sizeof bad / sizeof *bad, &d.info);
    gls_problem *p = check_model(ctx, "mlp", NULL, &d.info);
    check_run r = check_run_create(p, &d.batch, GLS_WANT_GRADIENT, GLS_MODE_TRAIN);
    gls_real *w = check_weights(p);
    gls_batch none = d.batch;
    none.rows = 0;
    r.args.rows = &none;
    assert_int_equal(gls_point_set(r.point, w), GLS_OK);
    assert_int_equal(gls_evaluate(r.e, &r.args), GLS_ERR_ARGUMENT);
    assert_non_null(strstr(gls_context_message(ctx), "no rows"));
    r.args.rows = &d.batch;
    d.label[1] = 5;
    assert_int_equal(gls_evaluate(r.e, &r.args), GLS_ERR_INPUT);
    assert_non_null(strstr(gls_context_message(ctx), "label 5"));
    free(w);
    check_run_destroy(&r);
    gls_problem_destroy(p);
    check_data_destroy(&d);
    gls_context_destroy(ctx);
}

/* A composed layer in a list is what the family makes of it. */
static void composed(void **state) {
    static const char *const list =
        "{layers: [{conv: {channels: 16, pad: 1, bias: false, name: conv1}}, {batch_norm: {name: bn1}}, relu,"
        " {residual_block: {channels: 16, name: layer1.0}}, {residual_block: {channels: 32, stride: 2, name: "
        "layer2.0}},"
        " {residual_block: {channels: 64, stride: 2, name: layer3.0}}, global_pool, flatten,"
        " {dense: {units: 3, name: fc}}]}";
    gls_context *ctx = check_context(1, false);
    check_data d = check_data_create(5, 3, 9, 8, 3, 0);
    gls_problem *p[] = {check_model(ctx, "resnet", "{depth: 8}", &d.info), check_model(ctx, "layers", list, &d.info)};
    int64_t size = gls_problem_size(p[0]);
    assert_int_equal(gls_problem_size(p[1]), size);
    gls_real *w[2], *g[2];
    for (int k = 0; k < 2; k++) {
        check_run r = check_run_create(p[k], &d.batch, GLS_WANT_GRADIENT, GLS_MODE_TRAIN);
        w[k] = check_weights(p[k]);
        g[k] = calloc((size_t)size, sizeof *g[k]);
        check_gradient_at(&r, w[k], g[k]);
        check_run_destroy(&r);
    }
    for (int64_t b = 0; b < gls_layout_count(gls_problem_layout(p[0])); b++)
        assert_string_equal(gls_layout_block(gls_problem_layout(p[0]), b)->name,
                            gls_layout_block(gls_problem_layout(p[1]), b)->name);
    assert_memory_equal(w[0], w[1], (size_t)size * sizeof *w[0]);
    assert_memory_equal(g[0], g[1], (size_t)size * sizeof *g[0]);
    for (int k = 0; k < 2; k++) {
        free(w[k]);
        free(g[k]);
        gls_problem_destroy(p[k]);
    }
    check_data_destroy(&d);
    gls_context_destroy(ctx);
}

/* The summary counts what the layout has, and the work of a known network. */
static void summary(void **state) {
    gls_context *ctx = check_context(1, false);
    check_data d = check_data_create(1, 3, 32, 32, 10, 0);
    gls_problem *p = check_model(ctx, "resnet", "{depth: 20}", &d.info);
    assert_int_equal(gls_problem_size(p), 269722);
    int64_t parameters = 0;
    double work = 0;
    for (int64_t i = 0; i < gls_model_layers(p); i++) {
        gls_layer_summary layer;
        assert_int_equal(gls_model_summary(p, i, &layer), GLS_OK);
        parameters += layer.parameters;
        work += layer.multiply_adds;
    }
    assert_int_equal(parameters, 269722);
    assert_true(fabs(work - 40.55e6) < 0.01e6);
    assert_non_null(gls_layout_find(gls_problem_layout(p), "layer2.0.bn1.weight"));
    assert_non_null(gls_layout_find(p->state_layout, "layer3.2.bn2.running_var"));
    gls_problem_destroy(p);
    check_data_destroy(&d);
    gls_context_destroy(ctx);
}

/* Every layer of every family is on a line of its own with its op and its parameters; other problems have blocks. */
static void can_be_printed(void **state) {
    (void)state;
    gls_context *ctx = check_context(1, false);
    check_data d = check_data_create(2, 3, 8, 8, 5, 0);
    static const char *const families[] = {"mlp", "convnet", "resnet"};
    for (int f = 0; f < 3; f++) {
        gls_problem *p = check_model(ctx, families[f], NULL, &d.info);
        char *text = gls_problem_view(p), *at = text;
        for (int64_t i = 0; i < gls_model_layers(p); i++) {
            gls_layer_summary layer;
            char line[80];
            assert_int_equal(gls_model_summary(p, i, &layer), GLS_OK);
            snprintf(line, sizeof line, "\n  %-20s %s ", layer.name, layer.op);
            at = strstr(at, line);
            if (!at) fail_msg("%s: no layer %s in: %s", families[f], layer.name, text);
        }
        gls_free(ctx, text);
        gls_problem_destroy(p);
    }
    gls_problem *p = check_model(ctx, "layers", "{layers: [flatten, {dense: {units: 5, bias: false}}]}", &d.info);
    char *text = gls_problem_view(p);
    assert_non_null(strstr(text, "weight [5, 192]\n"));
    assert_non_null(strstr(text, "examples do not couple"));
    gls_free(ctx, text);
    gls_problem_destroy(p);
    p = check_model(ctx, "softmax", NULL, &d.info);
    text = gls_problem_view(p);
    assert_non_null(strstr(text, "blocks\n"));
    gls_free(ctx, text);
    gls_problem_destroy(p);
    check_data_destroy(&d);
    gls_context_destroy(ctx);
}

/* Where nobody asks for outputs, the loss's gradient takes their place: less memory, the same bits. */
static void losses_in_place(void **state) {
    static const char *const losses[] = {"auto", "squared"};
    gls_context *ctx = check_context(1, false);
    check_data d = check_data_create(6, 5, 0, 0, 40, 0);
    check_data_mix(&d);
    for (int k = 0; k < 2; k++) {
        char text[128];
        snprintf(text, sizeof text, "{layers: [{dense: {units: 7}}, tanh, {dense: {units: 40}}], loss: %s}", losses[k]);
        gls_problem *p = check_model(ctx, "layers", text, &d.info);
        int64_t size = gls_problem_size(p);
        gls_real *w = calloc((size_t)size, sizeof *w), *g[2];
        assert_int_equal(gls_problem_initialize(p, 1, w), GLS_OK);
        double loss[2];
        int64_t bytes[2];
        for (int other = 0; other < 2; other++) {
            unsigned want = GLS_WANT_GRADIENT | GLS_WANT_LOSSES | (other ? GLS_WANT_OUTPUTS : 0);
            check_run run = check_run_create(p, &d.batch, want, GLS_MODE_TRAIN);
            const gls_memory_plan *plan = ((const gls_exec *)run.e->self)->plan;
            assert_int_equal(plan->loss_in_place, k == 0 && !other);
            bytes[other] = plan->bytes;
            g[other] = calloc((size_t)size, sizeof *w);
            loss[other] = check_loss(&run, w);
            assert_int_equal(gls_ask_gradient(run.e, GLS_PRODUCT_GRADIENT, NULL, g[other]), GLS_OK);
            check_run_destroy(&run);
        }
        assert_memory_equal(g[0], g[1], (size_t)size * sizeof *w);
        assert_true(loss[0] == loss[1]);
        if (k == 0) assert_true(bytes[1] - bytes[0] >= 6 * 40 * (int64_t)sizeof *w);
        free(w);
        free(g[0]);
        free(g[1]);
        gls_problem_destroy(p);
    }
    check_data_destroy(&d);
    gls_context_destroy(ctx);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(gradients),      cmocka_unit_test(bad_input),
                                       cmocka_unit_test(bad_tokens),     cmocka_unit_test(next_token_loss),
                                       cmocka_unit_test(summary),        cmocka_unit_test(composed),
                                       cmocka_unit_test(can_be_printed), cmocka_unit_test(losses_in_place)};
    return cmocka_run_group_tests_name("networks", tests, NULL, NULL);
}
