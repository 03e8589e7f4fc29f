/* Networks through the one pass: bits do not depend on threads or on what else is asked, slices agree with the whole,
 * batch norm spans the mini-batch, a step allocates nothing after the first. */
#include "check.h"

#include <stdatomic.h>

#include <glissade/estimator.h>

typedef struct sample {
    const char *family, *options;
    int64_t rows, c, h, w, classes;
} sample;

static const sample samples[] = {
    {"mlp", "{hidden: [300, 120], dropout: 0.2}", 50, 20, 0, 0, 5},
    {"mlp", "{hidden: [40], norm: batch, activation: gelu}", 50, 20, 0, 0, 5},
    {"convnet", "{channels: 16, units: 300}", 26, 3, 12, 10, 4},
    {"resnet", "{depth: 8}", 26, 3, 9, 8, 3},
    {"resnet", "{depth: 8, norm: group}", 26, 3, 9, 8, 3},
};
enum { SAMPLES = sizeof samples / sizeof *samples };

typedef struct counter {
    atomic_int allocations;
} counter;

static void *count_allocate(void *user, size_t size, size_t alignment) {
    atomic_fetch_add(&((counter *)user)->allocations, 1);
    return aligned_alloc(alignment, (size + alignment - 1) / alignment * alignment);
}

static void count_release(void *user, void *block, size_t size) {
    free(block);
}

/* One pass over a sample's batch: gradient, loss and the state's successors. */
typedef struct outcome {
    int64_t d, states;
    gls_real *g, *state;
    double loss, correct;
    int allocations; /* of the second run */
} outcome;

static outcome run(const sample *s, int threads, int64_t slice, unsigned want) {
    counter count = {0};
    gls_allocator allocator = {count_allocate, count_release, &count};
    gls_context_options options = {.size = sizeof options, .threads = threads, .seed = 7, .allocator = &allocator};
    gls_context *ctx = NULL;
    assert_int_equal(gls_context_create(&ctx, &options), GLS_OK);
    check_data data = check_data_create(s->rows, s->c, s->h, s->w, s->classes, 0);
    gls_problem *p = check_model(ctx, s->family, s->options, &data.info);
    gls_pass *pass = NULL;
    gls_pass_options cut = {.size = sizeof cut, .slice = slice};
    assert_int_equal(gls_pass_create(p, &cut, &pass), GLS_OK);
    outcome out = {.d = gls_problem_size(p), .states = gls_layout_size(p->state_layout)};
    gls_real *w = check_weights(p);
    out.g = calloc((size_t)out.d, sizeof *out.g);
    out.state = calloc((size_t)out.states + 1, sizeof *out.state);
    for (int k = 0; k < 2; k++) {
        gls_batch_stream stream;
        gls_batch_stream_init(&stream, &data.batch);
        gls_pass_request request = {
            .w = w, .rows = &stream.stream, .want = want | GLS_WANT_GRADIENT, .mode = GLS_MODE_TRAIN, .g = out.g};
        gls_pass_result result;
        int before = atomic_load(&count.allocations);
        gls_status status = gls_pass_run(pass, &request, &result);
        if (status != GLS_OK) print_error("%s\n", gls_context_message(ctx));
        assert_int_equal(status, GLS_OK);
        out.allocations = atomic_load(&count.allocations) - before;
        out.loss = result.loss;
        out.correct = result.score[0];
    }
    if (out.states > 0) memcpy(out.state, gls_pass_state_next(pass), (size_t)out.states * sizeof *out.state);
    free(w);
    gls_pass_destroy(pass);
    gls_problem_destroy(p);
    check_data_destroy(&data);
    gls_context_destroy(ctx);
    return out;
}

static void release(outcome *o) {
    free(o->g);
    free(o->state);
}

static void bits_do_not_depend_on_threads_or_want(void **state) {
    for (int i = 0; i < SAMPLES; i++) {
        bool coupled = strstr(samples[i].options, "batch") || strstr(samples[i].options, "depth: 8}");
        outcome a = run(&samples[i], 1, 8, 0), b = run(&samples[i], 3, 8, 0);
        outcome c =
            run(&samples[i], 2, 8,
                GLS_WANT_LOSSES | GLS_WANT_SCORES | GLS_WANT_OUTPUTS | (coupled ? 0 : GLS_WANT_NORMS | GLS_WANT_INNER));
        assert_memory_equal(a.g, b.g, (size_t)a.d * sizeof *a.g);
        assert_memory_equal(a.g, c.g, (size_t)a.d * sizeof *a.g);
        assert_memory_equal(a.state, b.state, (size_t)a.states * sizeof *a.state);
        assert_true(a.loss == b.loss && a.loss == c.loss);
        assert_int_equal(b.allocations, 0);
        release(&a);
        release(&b);
        release(&c);
    }
}

static double distance(const gls_real *a, const gls_real *b, int64_t n) {
    double sum = 0, norm = 1e-30;
    for (int64_t i = 0; i < n; i++) {
        sum += ((double)a[i] - b[i]) * ((double)a[i] - b[i]);
        norm += (double)b[i] * b[i];
    }
    return sqrt(sum / norm);
}

/* Cut into slices of 8 (and a rest) or whole: the same function, statistics of batch norm and dropout included. */
static void slices_agree_with_the_whole(void **state) {
    double tolerance = sizeof(gls_real) == 4 ? 2e-5 : 1e-12;
    for (int i = 0; i < SAMPLES; i++) {
        outcome a = run(&samples[i], 2, 8, 0), b = run(&samples[i], 2, 64, 0);
        assert_true(distance(a.g, b.g, a.d) < tolerance);
        assert_true(distance(a.state, b.state, a.states) < tolerance);
        assert_true(fabs(a.loss - b.loss) < tolerance * fabs(b.loss));
        release(&a);
        release(&b);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bits_do_not_depend_on_threads_or_want),
        cmocka_unit_test(slices_agree_with_the_whole),
    };
    return cmocka_run_group_tests_name("network_pass", tests, NULL, NULL);
}
