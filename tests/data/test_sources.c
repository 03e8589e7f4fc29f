/* Rows, views, sources over arrays, samplers, shares and streams. */
#include "support.h"

enum { N = 300, D = 5 };

/* Fetch by any index list gives the caller's arrays, dense and sparse; views address the same rows. */
static void fetch_gives_rows(void **state) {
    counting c;
    gls_context *ctx = counting_context(&c, 2);
    gls_real x[N * D], value[N * D], y[N * 2];
    int32_t label[N], column[N * D];
    int64_t row[N + 1] = {0};
    for (int64_t i = 0; i < N; i++) {
        row[i + 1] = row[i];
        label[i] = (int32_t)(i % 3);
        y[2 * i] = (gls_real)i;
        y[2 * i + 1] = (gls_real)-i;
        for (int64_t j = 0; j < D; j++) {
            x[i * D + j] = (i * 7 + j * 3) % 4 ? (gls_real)(i + 0.25 * (double)j) : 0;
            if (x[i * D + j] == 0) continue;
            column[row[i + 1]] = (int32_t)j;
            value[row[i + 1]++] = x[i * D + j];
        }
    }
    gls_data_info info = {.examples = N, .features = D, .target = GLS_TARGET_CLASS, .classes = 3, .targets = 2};
    gls_source *source[2];
    assert_int_equal(gls_source_from_dense(ctx, x, label, y, &info, &source[0]), GLS_OK);
    assert_int_equal(gls_source_from_sparse(ctx, row, column, value, label, y, &info, &source[1]), GLS_OK);
    for (int s = 0; s < 2; s++) {
        gls_rows *rows;
        int64_t index[] = {299, 0, 17, 17, 123}, slot[] = {40, 41, 42, 43, 44};
        gls_fetch fetch = {.count = 5, .index = index, .slot = slot, .draw = 9};
        gls_batch b;
        assert_int_equal(gls_rows_create(ctx, &source[s]->info, 5, &rows), GLS_OK);
        assert_int_equal(gls_source_fetch(source[s], ctx, &fetch, rows, &b), GLS_OK);
        assert_int_equal(b.draw, 9);
        assert_null(b.mass);
        for (int64_t first = 0; first < 5; first++) {
            gls_batch view = gls_batch_view(&b, first, 5 - first);
            for (int64_t i = 0; i < view.rows; i++) {
                int64_t from = index[first + i];
                assert_int_equal(view.index[i], from);
                assert_int_equal(view.slot[i], 40 + first + i);
                assert_int_equal(view.label[i], label[from]);
                assert_true(view.y[2 * i + 1] == y[2 * from + 1]);
                for (int64_t j = 0; j < D; j++) assert_true(value_at(&view, i, j) == (double)x[from * D + j]);
            }
        }
        assert_true(gls_batch_mass(&b) == 5);
        fetch.count = 6;
        assert_int_equal(gls_source_fetch(source[s], ctx, &fetch, rows, &b), GLS_ERR_ARGUMENT);
        fetch.count = 2;
        index[1] = N;
        assert_int_equal(gls_source_fetch(source[s], ctx, &fetch, rows, &b), GLS_ERR_ARGUMENT);
        gls_rows_destroy(rows);
        int32_t all[N];
        gls_real ys[N * 2];
        assert_int_equal(gls_source_targets(source[s], ctx, all, ys), GLS_OK);
        assert_memory_equal(all, label, sizeof all);
        assert_memory_equal(ys, y, sizeof ys);
    }
    gls_source_destroy(source[0]);
    gls_source_destroy(source[1]);
    gls_source_destroy(NULL);
    counting_end(&c, ctx);
}

/* Arrays that contradict their info are refused. */
static void wrong_arrays_are_refused(void **state) {
    counting c;
    gls_context *ctx = counting_context(&c, 1);
    gls_real x[4] = {1, 2, 3, 4};
    int32_t label[2] = {0, 2}, descending[2] = {1, 0}, wide[2] = {0, 2};
    int64_t row[2] = {0, 2};
    gls_data_info info = {.examples = 2, .features = 2, .target = GLS_TARGET_CLASS, .classes = 2};
    gls_source *source;
    assert_int_equal(gls_source_from_dense(ctx, x, label, NULL, &info, &source), GLS_ERR_ARGUMENT);
    assert_says(ctx, "label 2");
    assert_int_equal(gls_source_from_dense(ctx, x, NULL, NULL, &info, &source), GLS_ERR_ARGUMENT);
    info = (gls_data_info){.examples = 1, .features = 2};
    assert_int_equal(gls_source_from_sparse(ctx, row, descending, x, NULL, NULL, &info, &source), GLS_ERR_ARGUMENT);
    assert_int_equal(gls_source_from_sparse(ctx, row, wide, x, NULL, NULL, &info, &source), GLS_ERR_ARGUMENT);
    counting_end(&c, ctx);
}

static gls_sampler *sampler_of(gls_context *ctx, int64_t n, bool replacement, bool shuffle, bool drop) {
    gls_sampler_options o = {sizeof o,           .examples = n,     .replacement = replacement,
                             .shuffle = shuffle, .drop_last = drop, .seed = 5};
    gls_sampler *s;
    assert_int_equal(gls_sampler_create(ctx, &o, &s), GLS_OK);
    return s;
}

/* Every epoch is a permutation, each another one; the last mini-batch is the rest; draws count up. */
static void epochs_are_permutations(void **state) {
    counting c;
    gls_context *ctx = counting_context(&c, 1);
    gls_sampler *s = sampler_of(ctx, 103, false, true, false);
    int64_t index[40], count, order[3][103];
    uint64_t draw, expected = 0;
    for (int epoch = 0; epoch < 3; epoch++) {
        bool seen[103] = {0};
        for (int64_t at = 0; at < 103; at += count) {
            assert_int_equal(gls_sampler_next(s, 40, index, &count, &draw), GLS_OK);
            assert_int_equal(draw, expected++);
            assert_int_equal(count, at + 40 <= 103 ? 40 : 23);
            for (int64_t i = 0; i < count; i++) {
                assert_false(seen[index[i]]);
                seen[index[i]] = true;
                order[epoch][at + i] = index[i];
            }
        }
        assert_true(gls_sampler_epoch(s) == epoch + 1);
    }
    assert_memory_not_equal(order[0], order[1], sizeof order[0]);
    assert_memory_not_equal(order[1], order[2], sizeof order[0]);
    assert_int_equal(gls_sampler_next(s, 0, index, &count, &draw), GLS_ERR_ARGUMENT);
    gls_sampler_destroy(s);
    counting_end(&c, ctx);
}

/* Every window holds the examples that plain shuffling puts there, by length in each mini-batch: lengths of two of them
 * meet at most at one value, and their order is not that of the lengths everywhere. */
static void windows_by_length(void **state) {
    enum { EXAMPLES = 107, BATCH = 8, WINDOW = 40 };
    counting c;
    gls_context *ctx = counting_context(&c, 1);
    int64_t length[EXAMPLES], index[BATCH], plain[EXAMPLES], sorted[EXAMPLES], count, falls = 0;
    uint64_t draw;
    for (int64_t i = 0; i < EXAMPLES; i++) length[i] = i * 37 % 23;
    gls_sampler_options o = {.size = sizeof o, .examples = EXAMPLES, .shuffle = true, .seed = 5};
    gls_sampler *s, *t;
    assert_int_equal(gls_sampler_create(ctx, &o, &s), GLS_OK);
    o.length = length;
    o.block = BATCH;
    o.window = BATCH - 1;
    assert_int_equal(gls_sampler_create(ctx, &o, &t), GLS_ERR_ARGUMENT);
    o.window = WINDOW;
    assert_int_equal(gls_sampler_create(ctx, &o, &t), GLS_OK);
    for (int epoch = 0; epoch < 2; epoch++) {
        int64_t low[EXAMPLES / BATCH + 1], high[EXAMPLES / BATCH + 1];
        for (int64_t at = 0, k = 0; at < EXAMPLES; at += count, k++) {
            assert_int_equal(gls_sampler_next(s, BATCH, index, &count, &draw), GLS_OK);
            memcpy(plain + at, index, (size_t)count * sizeof *index);
            assert_int_equal(gls_sampler_next(t, BATCH, index, &count, &draw), GLS_OK);
            memcpy(sorted + at, index, (size_t)count * sizeof *index);
            for (int64_t i = 1; i < count; i++) assert_true(length[index[i - 1]] <= length[index[i]]);
            low[k] = length[index[0]];
            high[k] = length[index[count - 1]];
            int64_t first = k / (WINDOW / BATCH) * (WINDOW / BATCH);
            for (int64_t j = first; j < k; j++) assert_true(high[j] <= low[k] || high[k] <= low[j]);
            falls += k > first && low[k] < low[k - 1];
        }
        for (int64_t begin = 0; begin < EXAMPLES; begin += WINDOW) {
            int64_t end = begin + WINDOW < EXAMPLES ? begin + WINDOW : EXAMPLES;
            for (int64_t i = begin; i < end; i++) {
                int64_t found = 0;
                for (int64_t j = begin; j < end; j++) found += sorted[j] == plain[i];
                assert_int_equal(found, 1);
            }
        }
    }
    assert_true(falls > 2);
    gls_sampler_destroy(s);
    gls_sampler_destroy(t);
    counting_end(&c, ctx);
}

/* A sampler restored from its arrays goes on as if nothing had happened, in every mode, at every place. */
static void samplers_resume(void **state) {
    counting c;
    gls_context *ctx = counting_context(&c, 1);
    for (int mode = 0; mode < 4; mode++)
        for (int at = 0; at < 12; at++) {
            gls_sampler *a = sampler_of(ctx, 50, mode == 1, mode != 2, mode == 3);
            gls_sampler *b = sampler_of(ctx, 50, mode == 1, mode != 2, mode == 3);
            int64_t x[16], y[16], nx, ny;
            uint64_t dx, dy;
            for (int k = 0; k < at; k++) assert_int_equal(gls_sampler_next(a, 16, x, &nx, &dx), GLS_OK);
            gls_arrays from = {0}, to = {0};
            assert_int_equal(gls_sampler_arrays(a, "sampler.", &from), GLS_OK);
            assert_int_equal(gls_sampler_arrays(b, "sampler.", &to), GLS_OK);
            assert_string_equal(from.item[0].name, "sampler.position");
            memcpy(to.item[0].data, from.item[0].data, 3 * sizeof(int64_t));
            assert_int_equal(gls_sampler_restored(b), GLS_OK);
            for (int k = 0; k < 9; k++) {
                assert_int_equal(gls_sampler_next(a, 16, x, &nx, &dx), GLS_OK);
                assert_int_equal(gls_sampler_next(b, 16, y, &ny, &dy), GLS_OK);
                assert_int_equal(nx, ny);
                assert_int_equal(dx, dy);
                assert_memory_equal(x, y, (size_t)nx * sizeof *x);
                if (mode == 3) assert_int_equal(nx, 16);
            }
            ((int64_t *)to.item[0].data)[1] = 50;
            assert_int_equal(gls_sampler_restored(b), GLS_ERR_INPUT);
            gls_arrays_clear(ctx, &from);
            gls_arrays_clear(ctx, &to);
            gls_sampler_destroy(a);
            gls_sampler_destroy(b);
        }
    counting_end(&c, ctx);
}

/* With replacement every example is equally likely (chi-square of 100 cells, 20,000 draws) and repeats occur. */
static void replacement_is_uniform(void **state) {
    counting c;
    gls_context *ctx = counting_context(&c, 1);
    gls_sampler *s = sampler_of(ctx, 100, true, true, false);
    int64_t index[200], count, hits[100] = {0};
    uint64_t draw;
    for (int k = 0; k < 100; k++) {
        assert_int_equal(gls_sampler_next(s, 200, index, &count, &draw), GLS_OK);
        assert_int_equal(count, 200);
        for (int64_t i = 0; i < count; i++) hits[index[i]]++;
    }
    double chi = 0;
    for (int i = 0; i < 100; i++) chi += ((double)hits[i] - 200) * ((double)hits[i] - 200) / 200;
    assert_true(chi > 55 && chi < 155); /* 99 degrees of freedom: about four deviations */
    gls_sampler_destroy(s);
    counting_end(&c, ctx);
}

/* One process owns all rows; a batch in memory streams as its views. */
static void shares_and_streams(void **state) {
    counting c;
    gls_context *ctx = counting_context(&c, 1);
    int64_t first, count;
    gls_rank_share(ctx, 37, 8, &first, &count);
    assert_int_equal(first, 0);
    assert_int_equal(count, 37);
    gls_real x[6] = {1, 2, 3, 4, 5, 6};
    gls_batch batch = {.rows = 6, .features = 1, .x = x}, part;
    gls_batch_stream stream;
    gls_batch_stream_init(&stream, &batch);
    assert_int_equal(stream.stream.rows, 6);
    assert_int_equal(stream.stream.ops->get(&stream.stream, 2, 3, &part), GLS_OK);
    assert_int_equal(part.rows, 3);
    assert_true(part.x[0] == 3);
    counting_end(&c, ctx);
}

int main(void) {
    const struct CMUnitTest list[] = {
        cmocka_unit_test(fetch_gives_rows),        cmocka_unit_test(wrong_arrays_are_refused),
        cmocka_unit_test(epochs_are_permutations), cmocka_unit_test(samplers_resume),
        cmocka_unit_test(replacement_is_uniform),  cmocka_unit_test(shares_and_streams),
        cmocka_unit_test(windows_by_length),
    };
    return cmocka_run_group_tests(list, NULL, NULL);
}
