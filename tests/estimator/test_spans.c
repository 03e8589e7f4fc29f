/* Batch norm whose statistics span fixed groups: every span against itself alone as a mini-batch (loss, gradient, chain
 * of running statistics), bits over threads and waves, micro-batches of whole spans from explicit gradients, refusals.
 */
#include "estimator/support.h"

#include <stdio.h>

enum { ROWS = 26, SPAN = 4, SPANS = (ROWS + SPAN - 1) / SPAN };

typedef struct model {
    const char *family, *options; /* without braces */
    int64_t channels, side;
} model;

static const model models[] = {
    {"resnet", "depth: 8, width: 4", 3, 8},
    {"mlp", "hidden: [20, 30], norm: batch, activation: tanh", 12, 0},
    {"layers", "layers: [{conv: {channels: 8}}, batch_norm, relu, flatten, {dense: {units: 4}}]", 2, 6},
};
enum { MODELS = sizeof(models) / sizeof *models };

static bench open_on(int threads, const model *m, int64_t bn_group) {
    char options[200];
    snprintf(options, sizeof(options), "{%s, bn_group: %d}", m->options, (int)bn_group);
    return bench_model_on(threads, m->family, options, ROWS, m->channels, m->side);
}

static bench open_model(const model *m, int64_t bn_group) {
    return open_on(2, m, bn_group);
}

static void new_pass(bench *b, gls_pass_options options) {
    options.size = sizeof(options);
    gls_pass_destroy(b->pass);
    OK(b->ctx, gls_pass_create(b->p, &options, &b->pass));
}

static double mean_pass(bench *b, const gls_batch *batch) {
    gls_batch_stream stream;
    gls_batch_stream_init(&stream, batch);
    gls_pass_request request = {.w = b->w, .rows = &stream.stream, .want = GLS_WANT_GRADIENT, .g = b->g};
    gls_pass_result result;
    OK(b->ctx, gls_pass_run(b->pass, &request, &result));
    return result.loss;
}

/* By definition: spans alone, one after the other. each[span's first row, d] are their gradients. */
typedef struct definition {
    double *each;
    double loss;
    gls_real *state;
    int64_t states;
} definition;

static definition define(const model *m, int64_t slice) {
    bench b = open_model(m, 0);
    definition out = {.each = calloc((size_t)(ROWS * b.d), sizeof(double)),
                      .states = gls_layout_size(b.p->state_layout)};
    new_pass(&b, (gls_pass_options){.slice = slice});
    for (int64_t i = 0; i < ROWS; i += SPAN) {
        gls_batch part = gls_batch_view(&b.batch, i, ROWS - i < SPAN ? ROWS - i : SPAN);
        out.loss += mean_pass(&b, &part);
        for (int64_t k = 0; k < b.d; k++) out.each[i * b.d + k] = b.g[k];
        gls_problem_commit(b.p, gls_pass_state_next(b.pass));
    }
    out.state = calloc((size_t)out.states, sizeof *out.state);
    memcpy(out.state, b.p->state, (size_t)out.states * sizeof *out.state);
    bench_close(&b);
    return out;
}

static void release(definition *by) {
    free(by->each), free(by->state);
}

static void assert_definition(const bench *b, const definition *by, double loss) {
    double *sum = calloc((size_t)b->d, sizeof *sum), apart = 0, norm = 0;
    for (int64_t i = 0; i < ROWS; i++)
        for (int64_t k = 0; k < b->d; k++) sum[k] += by->each[i * b->d + k];
    for (int64_t k = 0; k < b->d; k++) {
        apart += (b->g[k] - sum[k]) * (b->g[k] - sum[k]);
        norm += sum[k] * sum[k];
    }
    if (!(sqrt(apart) <= 20 * real_tolerance() * sqrt(norm))) fail_msg("g is %g from %g", sqrt(apart), sqrt(norm));
    assert_true(fabs(loss - by->loss) <= 5 * real_tolerance() * by->loss);
    const gls_real *state = gls_pass_state_next(b->pass);
    for (int64_t k = 0; k < by->states; k++)
        assert_true(fabs(state[k] - by->state[k]) <= 5 * real_tolerance() * (1 + fabs(by->state[k])));
    free(sum);
}

/* The problem's own groups, and the pass's span, whether slices meet or hold whole spans. */
static void spans_are_mini_batches(void **state) {
    const int64_t slices[] = {1, 3, 8, 100};
    for (int m = 0; m < MODELS; m++) {
        definition by = define(&models[m], 0);
        for (int k = 0; k < 8; k++) {
            bench b = open_model(&models[m], k % 2 ? SPAN : 0);
            new_pass(&b, (gls_pass_options){.slice = slices[k / 2], .span = SPAN});
            assert_definition(&b, &by, mean_pass(&b, &b.batch));
            bench_close(&b);
        }
        release(&by);
    }
}

/* The chain of running statistics has the bits of spans evaluated alone. */
static void chain_of_statistics(void **state) {
    for (int m = 0; m < MODELS; m++) {
        definition by = define(&models[m], 100);
        bench b = open_model(&models[m], SPAN);
        new_pass(&b, (gls_pass_options){.slice = 8});
        mean_pass(&b, &b.batch);
        assert_memory_equal(gls_pass_state_next(b.pass), by.state, (size_t)by.states * sizeof *by.state);
        OK(b.ctx, bench_run(&b, "microbatch microbatch=8 ratio_every=0"));
        assert_memory_equal(gls_pass_state_next(b.pass), by.state, (size_t)by.states * sizeof *by.state);
        bench_close(&b);
        release(&by);
    }
}

/* Threads, waves, and which of the two says what the span is. */
static void bits(void **state) {
    static const char *const chains[] = {"mean", "microbatch microbatch=8 ratio_every=0",
                                         "microbatch microbatch=4 bound=0.3 ratio_every=0"};
    const int64_t wave[] = {0, 2 * SPAN, 3 * SPAN, 2 * SPAN, 0, 2 * SPAN};
    for (int c = 0; c < 3; c++) {
        gls_real *g = NULL, *next = NULL;
        for (int k = 0; k < 6; k++) {
            bench b = open_on(1 + k % 3, &models[0], k < 5 ? SPAN : 0);
            new_pass(&b, (gls_pass_options){.slice = SPAN, .lanes = 2, .wave = wave[k], .span = k < 5 ? 0 : SPAN});
            OK(b.ctx, bench_run(&b, chains[c]));
            int64_t states = gls_layout_size(b.p->state_layout);
            if (!g) {
                g = calloc((size_t)b.d, sizeof *g);
                next = calloc((size_t)states, sizeof *next);
                memcpy(g, b.g, (size_t)b.d * sizeof *g);
                memcpy(next, gls_pass_state_next(b.pass), (size_t)states * sizeof *next);
            }
            assert_memory_equal(g, b.g, (size_t)b.d * sizeof *g);
            assert_memory_equal(next, gls_pass_state_next(b.pass), (size_t)states * sizeof *next);
            bench_close(&b);
        }
        free(g), free(next);
    }
}

/* Micro-batches of one, two and three spans; the last one smaller. */
static void micro_batches_of_whole_spans(void **state) {
    static const char *const ways[] = {"streamed", "derived"};
    for (int m = 0; m < MODELS; m++) {
        definition by = define(&models[m], 0);
        bench b = open_model(&models[m], SPAN);
        double *wanted = calloc((size_t)b.d, sizeof *wanted);
        for (int k = 0; k < 12; k++) {
            char chain[200];
            int64_t size = SPAN * (1 + k % 3);
            double bound = k / 6 ? 0.3 : 0;
            define_microbatch(&b, by.each, size, bound, false, wanted);
            snprintf(chain, sizeof(chain), "microbatch microbatch=%d bound=%g way=%s ratio_every=0", (int)size, bound,
                     ways[k / 3 % 2]);
            OK(b.ctx, bench_run(&b, chain));
            assert_g(&b, wanted, 20 * real_tolerance());
        }
        free(wanted);
        bench_close(&b);
        release(&by);
    }
}

/* The largest micro-batch is the plain gradient, bit for bit. */
static void one_micro_batch_is_plain(void **state) {
    bench b = open_model(&models[0], SPAN);
    OK(b.ctx, bench_run(&b, "mean"));
    gls_real *g = calloc((size_t)b.d, sizeof *g);
    memcpy(g, b.g, (size_t)b.d * sizeof *g);
    OK(b.ctx, bench_run(&b, "microbatch microbatch=28"));
    assert_memory_equal(g, b.g, (size_t)b.d * sizeof *g);
    free(g);
    bench_close(&b);
}

static void refused(bench *b, const char *chain, const char *words) {
    assert_int_equal(bench_run(b, chain), GLS_ERR_UNSUPPORTED);
    if (!strstr(gls_context_message(b->ctx), words)) fail_msg("%s: %s", chain, gls_context_message(b->ctx));
}

static void what_is_finer_is_refused(void **state) {
    bench b = open_model(&models[0], 0);
    refused(&b, "microbatch microbatch=1 bound=1", "bn_group");
    refused(&b, "microbatch microbatch=1 bound=1", "train.bn_span");
    refused(&b, "microbatch microbatch=8", "bn_group");
    refused(&b, "mean ledger=true", "group norm");
    new_pass(&b, (gls_pass_options){.span = 4});
    refused(&b, "microbatch microbatch=6", "train.bn_span");
    bench_close(&b);
    b = open_model(&models[0], SPAN);
    refused(&b, "microbatch microbatch=1 bound=1", "multiple of 4");
    refused(&b, "microbatch microbatch=6", "multiple of 4");
    gls_pass *pass;
    gls_pass_options options = {.size = sizeof(options), .span = 8};
    assert_int_equal(gls_pass_create(b.p, &options, &pass), GLS_ERR_ARGUMENT);
    assert_non_null(strstr(gls_context_message(b.ctx), "train.bn_span"));
    /* Norms of single examples and of parts of a span; those of whole spans are answered. */
    gls_point *point;
    gls_evaluation *e;
    double norms[8];
    OK(b.ctx, gls_point_create(b.p, &point));
    OK(b.ctx, gls_point_set(point, b.w));
    OK(b.ctx, gls_evaluation_create(b.p, 8, GLS_WANT_NORMS, GLS_MODE_TRAIN, &e));
    gls_batch part = gls_batch_view(&b.batch, 0, 8);
    gls_evaluate_args args = {.point = point, .rows = &part, .want = GLS_WANT_NORMS, .state = b.p->state};
    OK(b.ctx, gls_evaluate(e, &args));
    assert_int_equal(gls_ask_norms(e, NULL, norms), GLS_ERR_UNSUPPORTED);
    const int32_t inside[] = {0, 0, 0, 1, 1, 1, 1, 1}, between[] = {0, 0, 0, 0, 1, 1, 1, 1};
    assert_int_equal(gls_ask_norms(e, &(gls_partition){2, inside}, norms), GLS_ERR_UNSUPPORTED);
    OK(b.ctx, gls_ask_norms(e, &(gls_partition){2, between}, norms));
    gls_evaluation_destroy(e);
    gls_point_destroy(point);
    bench_close(&b);
}

static void groups_without_batch_norm(void **state) {
    bench b = bench_model("mlp", "{}", 4, 3, 0);
    gls_problem *p;
    gls_value *map = gls_value_create(b.ctx, GLS_VALUE_MAP, NULL, NULL);
    OK(b.ctx, gls_value_append(b.ctx, map, gls_value_create(b.ctx, GLS_VALUE_TEXT, "bn_group", "4")));
    assert_int_equal(gls_model_create(b.ctx, "mlp", map, &b.rows.info, &p), GLS_ERR_ARGUMENT);
    assert_non_null(strstr(gls_context_message(b.ctx), "bn_group"));
    gls_value_destroy(b.ctx, map);
    bench_close(&b);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(spans_are_mini_batches),
        cmocka_unit_test(chain_of_statistics),
        cmocka_unit_test(bits),
        cmocka_unit_test(micro_batches_of_whole_spans),
        cmocka_unit_test(one_micro_batch_is_plain),
        cmocka_unit_test(what_is_finer_is_refused),
        cmocka_unit_test(groups_without_batch_norm),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
