/* Epochs in blocks: every example once, whole blocks together, and the variance of a mini-batch's mean that the
 * documentation states. */
#include "support.h"

enum { EXAMPLES = 1003, BLOCK = 20, MIXED = 4, BATCH = 16 };

static gls_sampler *blocks_of(gls_context *ctx, int64_t n, int64_t stretch, int64_t mixed, uint64_t seed) {
    gls_sampler_options o = {
        .size = sizeof o, .examples = n, .shuffle = true, .seed = seed, .stretch = stretch, .mixed = mixed};
    gls_sampler *s;
    if (gls_sampler_create(ctx, &o, &s) != GLS_OK) fail_msg("%s", gls_context_message(ctx));
    return s;
}

static void epoch_of(gls_sampler *s, int64_t n, int64_t batch, int64_t *order) {
    uint64_t draw;
    for (int64_t at = 0, count; at < n; at += count)
        assert_int_equal(gls_sampler_next(s, batch, order + at, &count, &draw), GLS_OK);
}

static int ascending(const void *a, const void *b) {
    return (*(const int64_t *)a > *(const int64_t *)b) - (*(const int64_t *)a < *(const int64_t *)b);
}

/* Runs of neighbours (cyclically) in a window: at most as many as blocks are mixed. */
static int64_t runs_in(const int64_t *window, int64_t count) {
    int64_t sorted[BLOCK * MIXED], runs = 0;
    memcpy(sorted, window, (size_t)count * sizeof *sorted);
    qsort(sorted, (size_t)count, sizeof *sorted, ascending);
    for (int64_t i = 0; i < count; i++)
        runs += i == 0 ? sorted[0] || sorted[count - 1] != EXAMPLES - 1 || count == 1 : sorted[i] != sorted[i - 1] + 1;
    return runs;
}

static void every_example_once_in_blocks(void **state) {
    counting c;
    gls_context *ctx = counting_context(&c, 1);
    gls_sampler *s = blocks_of(ctx, EXAMPLES, BLOCK, MIXED, 5);
    static int64_t order[4][EXAMPLES];
    for (int e = 0; e < 4; e++) {
        bool seen[EXAMPLES] = {0};
        int64_t shuffled = 0;
        epoch_of(s, EXAMPLES, BATCH, order[e]);
        for (int64_t i = 0; i < EXAMPLES; i++) {
            assert_false(seen[order[e][i]]);
            seen[order[e][i]] = true;
            shuffled += i > 0 && order[e][i] != order[e][i - 1] + 1;
        }
        assert_true(shuffled > EXAMPLES * 8 / 10);
        for (int64_t at = 0; at < EXAMPLES; at += BLOCK * MIXED) {
            int64_t count = EXAMPLES - at < BLOCK * MIXED ? EXAMPLES - at : BLOCK * MIXED;
            assert_true(runs_in(order[e] + at, count) <= MIXED);
        }
        for (int p = 0; p < e; p++) assert_memory_not_equal(order[e], order[p], sizeof order[e]);
    }
    gls_sampler_destroy(s);
    counting_end(&c, ctx);
}

/* From any place a sampler that was restored goes on the same. */
static void restored(void **state) {
    counting c;
    gls_context *ctx = counting_context(&c, 1);
    static int64_t whole[3 * EXAMPLES], index[BATCH];
    gls_sampler *s = blocks_of(ctx, EXAMPLES, BLOCK, MIXED, 9);
    for (int e = 0; e < 3; e++) epoch_of(s, EXAMPLES, BATCH, whole + e * EXAMPLES);
    gls_sampler_destroy(s);
    for (int64_t place = 0; place < EXAMPLES; place += 7 * BATCH) {
        int64_t count;
        uint64_t draw;
        gls_arrays arrays = {0};
        s = blocks_of(ctx, EXAMPLES, BLOCK, MIXED, 9);
        assert_int_equal(gls_sampler_arrays(s, "", &arrays), GLS_OK);
        int64_t *position = arrays.item[0].data;
        position[0] = 1;
        position[1] = place;
        assert_int_equal(gls_sampler_restored(s), GLS_OK);
        assert_int_equal(gls_sampler_next(s, BATCH, index, &count, &draw), GLS_OK);
        assert_memory_equal(index, whole + EXAMPLES + place, (size_t)count * sizeof *index);
        gls_arrays_clear(ctx, &arrays);
        gls_sampler_destroy(s);
    }
    counting_end(&c, ctx);
}

/* A value that is the same all over a block of the file (a file sorted by class): the variance of a mini-batch's mean
 * is that of independent draws times 1 + (B - 1)/W, up to what is drawn without replacement. */
static void variance_of_means(void **state) {
    enum { N = 6400, SIZE = 32, STRETCH = 40, EPOCHS = 60 };
    counting c;
    gls_context *ctx = counting_context(&c, 1);
    static int64_t order[N];
    for (int64_t mixed = 4; mixed <= 16; mixed *= 2) {
        gls_sampler *s = blocks_of(ctx, N, STRETCH, mixed, 3);
        double sum = 0;
        for (int e = 0; e < EPOCHS; e++) {
            epoch_of(s, N, SIZE, order);
            for (int64_t at = 0; at < N; at += SIZE) {
                double mean = 0;
                for (int64_t i = at; i < at + SIZE; i++) mean += order[i] / (N / 2) ? 1 : -1;
                sum += mean / SIZE * mean / SIZE;
            }
        }
        double found = sum / (EPOCHS * (N / SIZE)), stated = (1 + (SIZE - 1) / (double)mixed) / SIZE;
        if (fabs(found / stated - 1) > 0.12) fail_msg("%d blocks: %g, stated %g", (int)mixed, found, stated);
        gls_sampler_destroy(s);
    }
    counting_end(&c, ctx);
}

/* Every example comes to every part of the epoch equally often. */
static void places_are_uniform(void **state) {
    enum { N = 103, EPOCHS = 4000, PARTS = 4 };
    counting c;
    gls_context *ctx = counting_context(&c, 1);
    static int64_t order[N], seen[N][PARTS];
    gls_sampler *s = blocks_of(ctx, N, 10, 3, 1);
    for (int e = 0; e < EPOCHS; e++) {
        epoch_of(s, N, 16, order);
        for (int64_t i = 0; i < 100; i++) seen[order[i]][i / 25]++;
    }
    double expected = EPOCHS * 25.0 / N, worst = 0;
    for (int i = 0; i < N; i++)
        for (int p = 0; p < PARTS; p++) worst = fmax(worst, fabs((double)seen[i][p] - expected));
    assert_true(worst < 5 * sqrt(expected));
    gls_sampler_destroy(s);
    counting_end(&c, ctx);
}

static void wrong_options(void **state) {
    counting c;
    gls_context *ctx = counting_context(&c, 1);
    gls_sampler *s;
    gls_sampler_options o = {.size = sizeof o, .examples = 10, .stretch = 3, .mixed = 2};
    assert_int_equal(gls_sampler_create(ctx, &o, &s), GLS_ERR_ARGUMENT); /* not shuffled */
    o.shuffle = true;
    o.mixed = 0;
    assert_int_equal(gls_sampler_create(ctx, &o, &s), GLS_ERR_ARGUMENT);
    o.mixed = 1000;
    o.stretch = 1000;
    assert_int_equal(gls_sampler_create(ctx, &o, &s), GLS_OK);
    int64_t order[10], sum = 0;
    epoch_of(s, 10, 4, order);
    for (int i = 0; i < 10; i++) sum += order[i];
    assert_int_equal(sum, 45);
    gls_sampler_destroy(s);
    counting_end(&c, ctx);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_example_once_in_blocks),
        cmocka_unit_test(restored),
        cmocka_unit_test(variance_of_means),
        cmocka_unit_test(places_are_uniform),
        cmocka_unit_test(wrong_options),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
