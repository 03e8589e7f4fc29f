/* The pass: state, spans, failures, callbacks, memory, loaders. */
#include "estimator/support.h"
#include "problem/awkward.h"

#include <stdatomic.h>
#include <stdio.h>
#include <unistd.h>

static gls_pass_result pass_over(bench *b, const gls_batch *batch, gls_real *g) {
    gls_batch_stream stream;
    gls_batch_stream_init(&stream, batch);
    gls_pass_request request = {.w = b->w, .rows = &stream.stream, .want = GLS_WANT_GRADIENT, .g = g};
    gls_pass_result result;
    OK(b->ctx, gls_pass_run(b->pass, &request, &result));
    return result;
}

static void new_pass(bench *b, gls_pass_options options) {
    options.size = sizeof(options);
    gls_pass_destroy(b->pass);
    OK(b->ctx, gls_pass_create(b->p, &options, &b->pass));
}

/* Successors by definition: one for each slot that has a row, the others as they were, the mean from the first row;
 * committed only when somebody does it. */
static void successors_of_carried_state(void **state) {
    bench b = bench_problem(&awkward_stateful, 27);
    new_pass(&b, (gls_pass_options){.slice = 4});
    gls_real before[65];
    memcpy(before, b.p->state, sizeof(before));
    pass_over(&b, &b.batch, b.g);
    assert_memory_equal(before, b.p->state, sizeof(before));
    const gls_real *next = gls_pass_state_next(b.pass);
    for (int64_t i = 0; i < 64; i++) {
        double z = 0;
        for (int64_t j = 0; j < 6 && i < 27; j++) z += (double)b.w[j] * b.batch.x[i * 6 + j];
        double wanted = i < 27 ? tanh(z + before[1 + i]) : before[1 + i];
        assert_true(fabs(next[1 + i] - wanted) < 1e-6);
    }
    assert_true(fabs(next[0] - (0.9 * before[0] + 0.1 * b.batch.y[0])) < 1e-6);
    gls_problem_commit(b.p, next);
    assert_memory_equal(b.p->state, next, sizeof(before));
    bench_close(&b);
}

/* Spans of nine: each normalised by itself, the state handed on from one to the next. */
static void spans_follow_each_other(void **state) {
    bench b = bench_problem(&awkward_coupled, 25);
    gls_real *sum = calloc((size_t)b.d, sizeof *sum), kept = b.p->state[0];
    double loss = 0;
    new_pass(&b, (gls_pass_options){.slice = 4});
    for (int64_t i = 0; i < 25; i += 9) {
        gls_batch part = gls_batch_view(&b.batch, i, 25 - i < 9 ? 25 - i : 9);
        loss += pass_over(&b, &part, b.g).loss;
        for (int64_t k = 0; k < b.d; k++) sum[k] += b.g[k];
        gls_problem_commit(b.p, gls_pass_state_next(b.pass));
    }
    gls_real after = b.p->state[0];
    b.p->state[0] = kept;
    new_pass(&b, (gls_pass_options){.slice = 4, .span = 9});
    double together = pass_over(&b, &b.batch, b.g).loss;
    assert_true(fabs(together - loss) < 1e-5 * loss);
    for (int64_t k = 0; k < b.d; k++) assert_true(fabs(b.g[k] - sum[k]) < 10 * real_tolerance() * (1 + fabs(sum[k])));
    assert_true(fabs(gls_pass_state_next(b.pass)[0] - after) < 1e-6 && after != kept);
    free(sum);
    bench_close(&b);
}

typedef struct calls {
    atomic_int inside, most, count;
    int64_t fails; /* multiples of this example number fail with their number */
} calls;

static int quadratic(void *user, const gls_real *w, int64_t count, const int64_t *example, const double *weight,
                     double *value, gls_real *gradient) {
    calls *c = user;
    int inside = atomic_fetch_add(&c->inside, 1) + 1, most = atomic_load(&c->most), code = 0;
    while (inside > most && !atomic_compare_exchange_weak(&c->most, &most, inside)) {
    }
    atomic_fetch_add(&c->count, 1);
    usleep(300);
    *value = 0;
    for (int64_t i = 0; i < count && !code; i++) {
        double m = weight ? weight[i] : 1, r = w[0] - (double)example[i];
        if (c->fails && example[i] > 0 && example[i] % c->fails == 0) code = (int)example[i];
        *value += 0.5 * m * r * r;
        if (gradient) gradient[0] += (gls_real)(m * r);
    }
    if (c->fails && example[0] / 4 % 4 == 1) usleep(3000); /* the lowest failing slice is the slowest */
    atomic_fetch_sub(&c->inside, 1);
    return code;
}

static bench bench_callback(calls *c, bool serial, int64_t n) {
    bench b = {.ctx = conformance_context(3)};
    gls_objective objective = {
        .size = sizeof(objective), .parameters = 1, .examples = n, .evaluate = quadratic, .user = c, .serial = serial};
    rows_make(&b.rows, n, 0, false, 0, 0, false);
    b.batch = b.rows.batch;
    OK(b.ctx, gls_problem_create_objective(b.ctx, &objective, &b.p));
    b.w = calloc(1, sizeof *b.w);
    b.g = calloc(1, sizeof *b.g);
    b.d = 1;
    OK(b.ctx, gls_pass_create(b.p, &(gls_pass_options){.size = sizeof(gls_pass_options), .slice = 4}, &b.pass));
    return b;
}

/* Plain training: value and gradient come from one call a slice. A serial callback never runs twice at once. */
static void callbacks_are_called_once_a_slice(void **state) {
    for (int serial = 0; serial < 2; serial++) {
        calls c = {0};
        bench b = bench_callback(&c, serial, 40);
        gls_pass_result result = pass_over(&b, &b.batch, b.g);
        assert_int_equal(atomic_load(&c.count), 10);
        if (serial) assert_int_equal(atomic_load(&c.most), 1);
        assert_true(fabs(b.g[0] + 780) < 1e-3 && fabs(result.loss - 0.5 * 20540) < 1e-3);
        assert_true(result.mass == 40);
        bench_close(&b);
    }
}

/* Examples 5, 10, ... fail: the status is the callback's and the code that of the lowest slice, at every thread count.
 */
static void the_lowest_failing_slice_is_reported(void **state) {
    for (int round = 0; round < 10; round++) {
        calls c = {.fails = 5};
        bench b = bench_callback(&c, false, 40);
        gls_batch_stream stream;
        gls_batch_stream_init(&stream, &b.batch);
        gls_pass_request request = {.w = b.w, .rows = &stream.stream, .want = GLS_WANT_GRADIENT, .g = b.g};
        gls_pass_result result;
        assert_int_equal(gls_pass_run(b.pass, &request, &result), GLS_ERR_CALLBACK);
        assert_int_equal(gls_context_callback_code(b.ctx), 5);
        c.fails = 0;
        OK(b.ctx, gls_pass_run(b.pass, &request, &result)); /* a failure leaves nothing behind */
        assert_true(fabs(b.g[0] + 780) < 1e-3);
        bench_close(&b);
    }
}

static atomic_int blocks;

static void *counting_allocate(void *user, size_t size, size_t alignment) {
    atomic_fetch_add(&blocks, 1);
    return aligned_alloc(alignment, (size + alignment - 1) / alignment * alignment);
}

static void counting_release(void *user, void *block, size_t size) {
    free(block);
}

/* After the first run of a kind nothing is allocated. */
static void later_runs_allocate_nothing(void **state) {
    static const char *const chains[] = {"mean", "microbatch microbatch=4 way=streamed ledger=true",
                                         "microbatch microbatch=4 way=derived ratio_every=1", "quant;clip_norm"};
    gls_allocator allocator = {counting_allocate, counting_release, NULL};
    gls_context_options options = {.size = sizeof(options), .threads = 2, .allocator = &allocator};
    bench b = bench_softmax(50, false, 2), own = b;
    OK(b.ctx, gls_context_create(&own.ctx, &options));
    OK(own.ctx, gls_problem_create(own.ctx, "softmax", NULL, &b.rows.info, &own.p));
    OK(own.ctx, gls_pass_create(own.p, NULL, &own.pass));
    for (int k = 0; k < 4; k++) {
        gls_estimator *e;
        OK(own.ctx, bench_estimator(&own, chains[k], &e));
        OK(own.ctx, bench_estimate(&own, e));
        int before = atomic_load(&blocks);
        own.batch = gls_batch_view(&b.batch, 0, 45); /* fewer rows need no more */
        OK(own.ctx, bench_estimate(&own, e));
        own.batch = b.batch;
        OK(own.ctx, bench_estimate(&own, e));
        assert_int_equal(atomic_load(&blocks), before);
        gls_estimator_destroy(e);
    }
    gls_pass_destroy(own.pass);
    gls_problem_destroy(own.p);
    gls_context_destroy(own.ctx);
    bench_close(&b);
}

/* Through a loader: the same bits with and without fetching ahead, and with other waves. */
static void bits_do_not_depend_on_prefetch(void **state) {
    bench b = bench_softmax(70, false, 2);
    gls_source *source;
    OK(b.ctx, gls_source_from_dense(b.ctx, b.batch.x, b.batch.label, NULL, &b.rows.info, &source));
    gls_real *first = NULL;
    for (int k = 0; k < 4; k++) {
        gls_loader_options options = {.size = sizeof(options), .workers = k % 2 ? 2 : 0, .wave = k < 2 ? 70 : 16};
        gls_loader *loader;
        gls_stream *stream;
        OK(b.ctx, gls_loader_create(b.ctx, source, &options, &loader));
        OK(b.ctx, gls_loader_push(loader, b.batch.index, 70, 1));
        OK(b.ctx, gls_loader_front(loader, &stream));
        gls_pass_request request = {.w = b.w, .rows = stream, .want = GLS_WANT_GRADIENT, .g = b.g};
        gls_pass_result result;
        new_pass(&b, (gls_pass_options){.slice = 8, .lanes = 2, .wave = k < 2 ? 0 : 16});
        OK(b.ctx, gls_pass_run(b.pass, &request, &result));
        if (!first) {
            first = calloc((size_t)b.d, sizeof *first);
            memcpy(first, b.g, (size_t)b.d * sizeof *first);
        }
        assert_memory_equal(first, b.g, (size_t)b.d * sizeof *first);
        gls_loader_destroy(loader);
    }
    gls_source_destroy(source);
    free(first);
    bench_close(&b);
}

/* A NaN in the weights is not an error of the pass: the squared norm shows it. */
static void a_nan_shows_in_the_norm(void **state) {
    bench b = bench_softmax(9, false, 2);
    b.w[3] = NAN;
    gls_pass_result result = pass_over(&b, &b.batch, b.g);
    assert_true(isnan(result.loss) && !isfinite(result.norm2));
    bench_close(&b);
}

static void recorded_gradients_by_draw(void **state) {
    gls_real gradients[] = {1, 2, 3, 4, 10, 20, 30, 40}; /* [2 steps, 2 examples, 2] */
    gls_context *ctx = conformance_context(1);
    bench b = {.ctx = ctx, .d = 2};
    rows_make(&b.rows, 2, 0, false, 0, 0, false);
    b.batch = b.rows.batch;
    OK(ctx, gls_problem_create_recorded(ctx, gradients, 2, 2, 2, &b.p));
    OK(ctx, gls_pass_create(b.p, NULL, &b.pass));
    gls_real w[2] = {1, -1}, g[2];
    b.w = w;
    for (uint64_t draw = 0; draw < 4; draw++) {
        double scale = draw % 2 ? 10 : 1;
        b.batch.draw = draw;
        gls_pass_result result = pass_over(&b, &b.batch, g);
        assert_true(g[0] == 4 * scale && g[1] == 6 * scale && fabs(result.loss + 2 * scale) < 1e-5);
    }
    gls_pass_destroy(b.pass);
    gls_problem_destroy(b.p);
    gls_context_destroy(ctx);
    rows_free(&b.rows);
}

static void masses_come_with_the_source(void **state) {
    gls_context *ctx = conformance_context(1);
    double mass[3] = {1, 2.5, 4};
    int64_t index[2] = {2, 0};
    gls_source *source;
    gls_rows *rows;
    gls_batch batch;
    OK(ctx, gls_source_indices(ctx, 3, mass, &source));
    OK(ctx, gls_rows_create(ctx, gls_source_info(source), 2, &rows));
    gls_fetch fetch = {.count = 2, .index = index};
    OK(ctx, gls_source_fetch(source, ctx, &fetch, rows, &batch));
    assert_true(batch.mass[0] == 4 && batch.mass[1] == 1 && gls_batch_mass(&batch) == 5);
    gls_rows_destroy(rows);
    gls_source_destroy(source);
    gls_context_destroy(ctx);
}

/* x^2/2 + y^2, and with a kink at y = 0 also |y|. */
static int bent(void *user, const gls_real *w, int64_t count, const int64_t *example, const double *weight,
                double *value, gls_real *gradient) {
    (void)example;
    bool kink = *(const bool *)user;
    for (int64_t i = 0; i < count; i++) {
        double c = weight ? weight[i] : 1, y = w[1];
        *value += c * (w[0] * w[0] / 2 + y * y + (kink ? fabs(y) : 0));
        if (!gradient) continue;
        gradient[0] += (gls_real)(c * w[0]);
        gradient[1] += (gls_real)(c * (2 * y + (kink ? (y > 0) - (y < 0) : 0)));
    }
    return 0;
}

/* Differences of a smooth objective are right and beyond doubt; across a kink they depend on their width. */
static void products_across_a_kink_are_doubted(void **state) {
    for (int kink = 0; kink < 2; kink++) {
        gls_context *ctx = conformance_context(1);
        bool user = kink;
        gls_objective objective = {
            .size = sizeof objective, .parameters = 2, .examples = 3, .evaluate = bent, .user = &user};
        gls_problem *p;
        gls_pass *pass;
        OK(ctx, gls_problem_create_objective(ctx, &objective, &p));
        OK(ctx, gls_pass_create(p, NULL, &pass));
        int64_t index[3] = {0, 1, 2}, slot[3] = {0, 1, 2};
        gls_batch batch = {.rows = 3, .index = index, .slot = slot};
        gls_batch_stream stream;
        gls_batch_stream_init(&stream, &batch);
        gls_real w[2] = {1, (gls_real)1e-7}, v[2] = {3, 4}, out[2];
        double mass;
        OK(ctx, gls_pass_hessian_vector(pass, w, v, &stream.stream, GLS_MODE_TRAIN, out, &mass));
        assert_true(mass == 3 && fabs(out[0] - 9) < 0.01);
        if (kink)
            assert_true(gls_pass_hessian_doubt(pass) > 0.4);
        else
            assert_true(gls_pass_hessian_doubt(pass) < 0.01 && fabs(out[1] - 24) < 0.01);
        gls_pass_destroy(pass);
        gls_problem_destroy(p);
        gls_context_destroy(ctx);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(successors_of_carried_state),       cmocka_unit_test(spans_follow_each_other),
        cmocka_unit_test(callbacks_are_called_once_a_slice), cmocka_unit_test(the_lowest_failing_slice_is_reported),
        cmocka_unit_test(later_runs_allocate_nothing),       cmocka_unit_test(bits_do_not_depend_on_prefetch),
        cmocka_unit_test(a_nan_shows_in_the_norm),           cmocka_unit_test(recorded_gradients_by_draw),
        cmocka_unit_test(masses_come_with_the_source),       cmocka_unit_test(products_across_a_kink_are_doubted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
