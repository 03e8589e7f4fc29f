/* Outputs of a set through the pass: many slices of one shape, whatever cut, threads and shares; from a source without
 * labels by way of a loader; and an objective that says what it predicts. */
#include "support.h"

#include <glissade/model.h>

#include "base/yaml.h"

enum { ROWS = 300, CHANNELS = 3, SIDE = 8, FEATURES = CHANNELS * SIDE * SIDE, CLASSES = 5 };

typedef struct sample {
    const char *name, *options;
} sample;

static const sample samples[] = {
    {"softmax", NULL},
    {"mlp", "{hidden: [300, 40], activation: tanh, norm: batch, dropout: 0.3}"},
    {"convnet", "{channels: 4, units: 50}"},
    {"resnet", "{depth: 8, width: 4}"},
};
enum { SAMPLES = sizeof(samples) / sizeof *samples };

static gls_real x[ROWS * FEATURES];
static int32_t label[ROWS];
static const gls_data_info info = {.examples = ROWS,
                                   .features = FEATURES,
                                   .dims = 3,
                                   .shape = {CHANNELS, SIDE, SIDE},
                                   .target = GLS_TARGET_CLASS,
                                   .classes = CLASSES};

typedef struct subject {
    gls_context *ctx;
    gls_problem *p;
    gls_pass *pass;
    gls_real *w;
} subject;

static subject open_sample(const sample *s, int threads, int64_t slice) {
    subject out = {.ctx = conformance_context(threads)};
    gls_value *map = NULL;
    if (s->options) OK(out.ctx, gls_yaml_parse(out.ctx, "test", s->options, (int64_t)strlen(s->options), &map));
    OK(out.ctx, gls_model_create(out.ctx, s->name, map, &info, &out.p));
    gls_value_destroy(out.ctx, map);
    gls_pass_options options = {.size = sizeof(options), .slice = slice, .wave = slice ? 5 * slice : 0};
    OK(out.ctx, gls_pass_create(out.p, &options, &out.pass));
    int64_t d = gls_problem_size(out.p);
    out.w = calloc((size_t)d, sizeof *out.w);
    OK(out.ctx, gls_problem_initialize(out.p, 3, out.w));
    gls_random random = gls_random_create(2, "outputs", 0, 0);
    for (int64_t i = 0; i < d; i++) out.w[i] += (gls_real)(0.05 * gls_random_normal(&random));
    return out;
}

static void close_sample(subject *s) {
    free(s->w);
    gls_pass_destroy(s->pass);
    gls_problem_destroy(s->p);
    gls_context_destroy(s->ctx);
}

/* Rows [first, first + rows) as the share of one rank, without labels. */
typedef struct share {
    gls_stream stream;
    gls_batch rows;
} share;

static gls_status get(gls_stream *stream, int64_t begin, int64_t count, gls_batch *out) {
    *out = gls_batch_view(&((share *)stream)->rows, begin, count);
    return GLS_OK;
}

static const gls_stream_ops ops = {get};
static int64_t number[ROWS];

static void outputs_of_share(subject *s, int64_t first, int64_t rows, gls_real *out) {
    gls_batch all = {.rows = ROWS, .features = FEATURES, .x = x, .index = number, .slot = number};
    share part = {{&ops, rows, first, ROWS}, gls_batch_view(&all, first, rows)};
    OK(s->ctx, gls_pass_outputs(s->pass, s->w, &part.stream, out));
}

static void bits_do_not_depend_on_the_cut(void **state) {
    static const int64_t slices[] = {0, 1, 32, 77};
    static const int64_t shares[][4] = {{0, ROWS}, {0, 100, ROWS}, {0, 1, 255, ROWS}, {0, 128, 256, ROWS}};
    gls_real *wanted = calloc(ROWS * CLASSES, sizeof *wanted), *got = calloc(ROWS * CLASSES, sizeof *got);
    for (int k = 0; k < SAMPLES; k++) {
        subject one = open_sample(&samples[k], 1, 0);
        outputs_of_share(&one, 0, ROWS, wanted);
        close_sample(&one);
        for (int i = 0; i < 4; i++) {
            subject s = open_sample(&samples[k], 1 + i % 2, slices[i]);
            memset(got, 0, ROWS * CLASSES * sizeof *got);
            for (int r = 0; r < 3 && shares[i][r] < ROWS; r++)
                outputs_of_share(&s, shares[i][r], shares[i][r + 1] - shares[i][r], got);
            if (memcmp(wanted, got, ROWS * CLASSES * sizeof *got) != 0) fail_msg("%s, cut %d", samples[k].name, i);
            close_sample(&s);
        }
    }
    free(wanted), free(got);
}

/* A source without labels gives rows without room for any, and the outputs of the labelled one. */
static void from_a_source_without_labels(void **state) {
    gls_real *out[2];
    int32_t *class = calloc(ROWS, sizeof *class);
    for (int labelled = 0; labelled < 2; labelled++) {
        subject s = open_sample(&samples[1], 2, 0);
        gls_data_info rows = info;
        gls_source *source;
        gls_loader *loader;
        gls_stream *stream;
        gls_batch batch;
        if (!labelled) rows.target = GLS_TARGET_NONE, rows.classes = 0;
        OK(s.ctx, gls_source_from_dense(s.ctx, x, labelled ? label : NULL, NULL, &rows, &source));
        assert_true(gls_source_has_targets(source) == labelled);
        gls_loader_options options = {.size = sizeof(options), .workers = 1, .wave = 64};
        OK(s.ctx, gls_loader_create(s.ctx, source, &options, &loader));
        OK(s.ctx, gls_loader_push(loader, number, ROWS, 0));
        OK(s.ctx, gls_loader_front(loader, &stream));
        OK(s.ctx, stream->ops->get(stream, 0, 10, &batch));
        assert_true((batch.label != NULL) == labelled);
        out[labelled] = calloc(ROWS * CLASSES, sizeof **out);
        OK(s.ctx, gls_pass_outputs(s.pass, s.w, stream, out[labelled]));
        OK(s.ctx, gls_problem_classify(s.p, ROWS, out[labelled], class));
        gls_pass_request request = {.w = s.w, .rows = stream, .want = GLS_WANT_SCORES, .mode = GLS_MODE_EVALUATE};
        gls_pass_result result;
        gls_status status = gls_pass_run(s.pass, &request, &result);
        assert_int_equal(status, labelled ? GLS_OK : GLS_ERR_ARGUMENT);
        int64_t right = 0;
        for (int i = 0; i < ROWS; i++) right += class[i] == label[i];
        if (labelled) assert_true(fabs(result.score[0] - (double)right) <= 2); /* other slices: ties within rounding */
        gls_loader_destroy(loader);
        gls_source_destroy(source);
        close_sample(&s);
    }
    assert_memory_equal(out[0], out[1], ROWS * CLASSES * sizeof **out);
    free(out[0]), free(out[1]), free(class);
}

/* The loss of a pass that was asked for outputs alone is not a number, not zero. */
static void outputs_alone_have_no_loss(void **state) {
    subject s = open_sample(&samples[0], 1, 0);
    gls_batch batch = {.rows = ROWS, .features = FEATURES, .x = x, .index = number, .slot = number};
    gls_batch_stream stream;
    gls_batch_stream_init(&stream, &batch);
    gls_pass_request request = {.w = s.w, .rows = &stream.stream, .want = GLS_WANT_OUTPUTS, .mode = GLS_MODE_EVALUATE};
    gls_pass_result result;
    OK(s.ctx, gls_pass_run(s.pass, &request, &result));
    assert_true(isnan(result.loss) && result.rows == ROWS);
    close_sample(&s);
}

/* Nothing is trained on data without targets, one sentence says so. */
static void nothing_is_trained_without_targets(void **state) {
    static const char *const names[] = {"logistic", "softmax", "least_squares", "smoothed_hinge", "mlp", "convnet"};
    gls_context *ctx = conformance_context(1);
    gls_data_info bare = info;
    bare.target = GLS_TARGET_NONE;
    bare.classes = 0;
    for (size_t i = 0; i < sizeof(names) / sizeof *names; i++) {
        gls_problem *p;
        assert_int_equal(gls_model_create(ctx, names[i], NULL, &bare, &p), GLS_ERR_ARGUMENT);
        assert_non_null(strstr(gls_context_message(ctx), "have none"));
        assert_non_null(strstr(gls_context_message(ctx), names[i]));
    }
    gls_context_destroy(ctx);
}

typedef struct counter {
    int64_t bytes;
} counter;

static void *allocate(void *user, size_t size, size_t alignment) {
    __atomic_add_fetch(&((counter *)user)->bytes, (int64_t)size, __ATOMIC_SEQ_CST);
    return aligned_alloc(alignment, (size + alignment - 1) / alignment * alignment);
}

static void release(void *user, void *block, size_t size) {
    __atomic_sub_fetch(&((counter *)user)->bytes, (int64_t)size, __ATOMIC_SEQ_CST);
    free(block);
}

/* An evaluation for outputs alone books nothing for the loss. */
static void outputs_alone_book_no_loss(void **state) {
    counter count = {0};
    gls_allocator allocator = {allocate, release, &count};
    gls_context_options options = {.size = sizeof(options), .threads = 1, .allocator = &allocator};
    gls_context *ctx;
    assert_int_equal(gls_context_create(&ctx, &options), GLS_OK);
    for (int k = 0; k < 2; k++) {
        const unsigned wants[] = {GLS_WANT_OUTPUTS, GLS_WANT_OUTPUTS | GLS_WANT_LOSSES};
        int64_t bytes[2];
        gls_problem *p;
        OK(ctx, gls_model_create(ctx, k ? "convnet" : "softmax", NULL, &info, &p));
        for (int i = 0; i < 2; i++) {
            gls_evaluation *e;
            int64_t before = count.bytes;
            OK(ctx, gls_evaluation_create(p, ROWS, wants[i], GLS_MODE_EVALUATE, &e));
            bytes[i] = count.bytes - before;
            gls_evaluation_destroy(e);
        }
        assert_true(bytes[0] + ROWS * (int64_t)sizeof(double) <= bytes[1]);
        gls_problem_destroy(p);
    }
    gls_context_destroy(ctx);
    assert_int_equal(count.bytes, 0);
}

/* f_i = 1/2 (w - i)^2; its output is the distance w - i, and what that says is up to the objective. */
static int half_square(void *user, const gls_real *w, int64_t count, const int64_t *example, const double *weight,
                       double *value, gls_real *gradient) {
    for (int64_t i = 0; i < count; i++) {
        double r = (double)w[0] - (double)example[i], c = weight ? weight[i] : 1;
        *value += 0.5 * c * r * r;
        if (gradient) gradient[0] += (gls_real)(c * r);
    }
    return 0;
}

static int distances(void *user, const gls_real *w, int64_t count, const int64_t *example, gls_real *out) {
    const int *fails = user;
    for (int64_t i = 0; i < count; i++) out[i] = w[0] - (gls_real)example[i];
    return *fails;
}

static void an_objective_may_have_outputs(void **state) {
    enum { N = 200 };
    gls_context *ctx = conformance_context(2);
    int fails = 0;
    gls_objective o = {.size = sizeof(o), .parameters = 1, .examples = N, .evaluate = half_square, .user = &fails};
    gls_problem *p;
    gls_pass *pass;
    gls_real w = 70.5, out[N];
    int32_t class[N];
    gls_batch batch = {.rows = N, .index = number, .slot = number};
    gls_batch_stream stream;
    gls_batch_stream_init(&stream, &batch);
    o.output = distances;
    assert_int_equal(gls_problem_create_objective(ctx, &o, &p), GLS_ERR_ARGUMENT);
    o.outputs = 1;
    o.link = (gls_link)99;
    assert_int_equal(gls_problem_create_objective(ctx, &o, &p), GLS_ERR_ARGUMENT);
    for (int says = 0; says < 2; says++) {
        o.link = says ? GLS_LINK_SIGN : GLS_LINK_NONE;
        OK(ctx, gls_problem_create_objective(ctx, &o, &p));
        OK(ctx, gls_pass_create(p, NULL, &pass));
        OK(ctx, gls_pass_outputs(pass, &w, &stream.stream, out));
        for (int i = 0; i < N; i++) assert_true(out[i] == w - (gls_real)i);
        gls_status status = gls_problem_classify(p, N, out, class);
        assert_int_equal(status, says ? GLS_OK : GLS_ERR_UNSUPPORTED);
        if (!says) assert_non_null(strstr(gls_context_message(ctx), "what its outputs mean"));
        for (int i = 0; i < N && says; i++) assert_int_equal(class[i], i <= 70);
        fails = 42;
        assert_int_equal(gls_pass_outputs(pass, &w, &stream.stream, out), GLS_ERR_CALLBACK);
        assert_int_equal(gls_context_callback_code(ctx), 42);
        fails = 0;
        gls_pass_destroy(pass);
        gls_problem_destroy(p);
    }
    gls_context_destroy(ctx);
}

int main(void) {
    gls_random random = gls_random_create(5, "rows", 0, 0);
    for (int i = 0; i < ROWS * FEATURES; i++) x[i] = (gls_real)gls_random_normal(&random);
    for (int i = 0; i < ROWS; i++) {
        label[i] = (int32_t)gls_random_below(&random, CLASSES);
        number[i] = i;
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bits_do_not_depend_on_the_cut), cmocka_unit_test(from_a_source_without_labels),
        cmocka_unit_test(outputs_alone_have_no_loss),    cmocka_unit_test(nothing_is_trained_without_targets),
        cmocka_unit_test(outputs_alone_book_no_loss),    cmocka_unit_test(an_objective_may_have_outputs),
    };
    return cmocka_run_group_tests_name("estimator_outputs", tests, NULL, NULL);
}
