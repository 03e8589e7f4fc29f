/* Generators of token rows against their definitions. */
#include "support.h"

enum { ROWS = 4000, LENGTH = 25, WORDS = 50, TOPICS = 5 };

static double harmonic(double exponent, int64_t from, int64_t step) {
    double sum = 0;
    for (int64_t w = from; w < WORDS; w += step) sum += pow((double)(w + 1), -exponent);
    return sum;
}

/* What the definition says of the word behind another one. */
static double chance(double stay, double exponent, int32_t before, int32_t word) {
    double p = pow((double)(word + 1), -exponent);
    double own = before % TOPICS == word % TOPICS ? p / harmonic(exponent, word % TOPICS, TOPICS) : 0;
    return stay * own + (1 - stay) * p / harmonic(exponent, 0, 1);
}

static double entropy(double stay, double exponent) {
    double sum = 0;
    for (int32_t a = 0; a < WORDS; a++)
        for (int32_t b = 0; b < WORDS; b++) {
            double q = chance(stay, exponent, a, b);
            sum -= pow((double)(a + 1), -exponent) / harmonic(exponent, 0, 1) * q * log(q);
        }
    return sum;
}

/* Frequencies are within five deviations of Zipf's (wider, since words come in runs of their topic), and the text costs
 * what the chain's entropy says. */
static void zipf_follows_its_law(void **state) {
    static const double exponents[] = {1, 0.5}, stays[] = {0.6, 0};
    counting c;
    gls_context *ctx = counting_context(&c, 1);
    for (int k = 0; k < 2; k++) {
        char options[200];
        gls_rows *rows;
        snprintf(options, sizeof options,
                 "{train_size: %d, length: %d, vocabulary: %d, topics: %d, exponent: %g, stay: %g}", ROWS, LENGTH,
                 WORDS, TOPICS, exponents[k], stays[k]);
        gls_source *source = open_ok(ctx, "zipf", NULL, options);
        gls_batch b = whole(ctx, source, &rows);
        double count[WORDS] = {0}, cost = 0, n = ROWS * LENGTH;
        for (int64_t t = 0; t < ROWS * LENGTH; t++) {
            assert_in_range(b.token[t], 0, WORDS - 1);
            count[b.label[t]]++;
            cost -= log(chance(stays[k], exponents[k], b.token[t], b.label[t]));
            if (t + 1 < ROWS * LENGTH) assert_int_equal(b.label[t], b.token[t + 1]);
        }
        for (int w = 0; w < WORDS; w++) {
            double p = pow(w + 1, -exponents[k]) / harmonic(exponents[k], 0, 1);
            double runs = (1 + stays[k]) / (1 - stays[k]);
            assert_true(fabs(count[w] / n - p) < 5 * sqrt(p * (1 - p) * runs / n));
        }
        assert_true(fabs(cost / n - entropy(stays[k], exponents[k])) < 0.02);
        assert_string_equal(source->info.class_names[0], "<eos>");
        assert_string_equal(source->info.class_names[7], "w7");
        gls_rows_destroy(rows);
        gls_source_destroy(source);
    }
    counting_end(&c, ctx);
}

/* The same seed gives the same text; another seed and the test part another one; streams as of a text. */
static void zipf_is_keyed(void **state) {
    counting c;
    gls_context *ctx = counting_context(&c, 1);
    gls_source *a = open_ok(ctx, "zipf", NULL, "{train_size: 40, length: 8}"), *test;
    gls_source *again = open_ok(ctx, "zipf", NULL, "{train_size: 40, length: 8}");
    gls_source *other = open_ok(ctx, "zipf", NULL, "{train_size: 40, length: 8, seed: 2}");
    gls_source *streams = open_ok(ctx, "zipf", NULL, "{train_size: 40, length: 8, streams: 4}");
    assert_int_equal(open_status(ctx, "zipf", NULL, "{test_size: 40, length: 8}", GLS_PART_TEST, &a->info, &test),
                     GLS_OK);
    gls_source *sets[] = {a, again, other, test, streams};
    gls_rows *rows[5];
    gls_batch b[5];
    for (int k = 0; k < 5; k++) b[k] = whole(ctx, sets[k], &rows[k]);
    assert_memory_equal(b[0].token, b[1].token, 320 * sizeof(int32_t));
    assert_memory_not_equal(b[0].token, b[2].token, 320 * sizeof(int32_t));
    assert_memory_not_equal(b[0].token, b[3].token, 320 * sizeof(int32_t));
    assert_memory_equal(b[4].token + 8, b[0].token + 80, 8 * sizeof(int32_t));
    for (int k = 0; k < 5; k++) {
        gls_rows_destroy(rows[k]);
        gls_source_destroy(sets[k]);
    }
    counting_end(&c, ctx);
}

static void zipf_refuses(void **state) {
    counting c;
    gls_context *ctx = counting_context(&c, 1);
    gls_source *source;
    assert_int_equal(open_status(ctx, "zipf", NULL, "{vocabulary: 5, topics: 6}", GLS_PART_TRAIN, NULL, &source),
                     GLS_ERR_ARGUMENT);
    assert_says(ctx, "data.topics: 6, expected at most the 5 words");
    assert_int_equal(open_status(ctx, "zipf", NULL, "{train_size: 5, streams: 6}", GLS_PART_TRAIN, NULL, &source),
                     GLS_ERR_ARGUMENT);
    assert_says(ctx, "data.streams: 5 rows");
    counting_end(&c, ctx);
}

/* Every row is as the definition says, its answer is the stretch of the key that it asks for, and every stretch is
 * asked for about as often. */
static void spans_mark_their_answers(void **state) {
    enum { N = 3000, L = 30, KEYS = 6, STRETCHES = 3, LONGEST = 4, END = 3, KEY = 4, WORD = KEY + KEYS };
    counting c;
    gls_context *ctx = counting_context(&c, 1);
    gls_rows *rows;
    gls_source *source =
        open_ok(ctx, "spans", NULL, "{train_size: 3000, length: 30, keys: 6, words: 9, stretches: 3, longest: 4}");
    gls_batch b = whole(ctx, source, &rows);
    int64_t asked[STRETCHES] = {0}, sizes[LONGEST + 1] = {0};
    assert_int_equal(b.target, GLS_TARGET_SPAN);
    assert_int_equal(source->info.vocabulary, WORD + 9);
    assert_int_equal(source->info.separator, 2);
    for (int i = 0; i < N; i++) {
        const int32_t *t = b.token + i * L, *label = b.label + 2 * i;
        int seen = 0, found = -1, begin = 0;
        bool known[KEYS] = {false};
        assert_true(t[0] == 1 && t[2] == 2 && t[L - 1] == 2);
        assert_in_range(t[1], KEY, WORD - 1);
        for (int k = 3; k < L - 1; k++) {
            if (t[k] >= WORD) continue;
            if (t[k] >= KEY) {
                assert_false(begin || known[t[k] - KEY]);
                known[t[k] - KEY] = true;
                begin = k + 1;
                if (t[k] == t[1]) found = seen;
                continue;
            }
            assert_int_equal(t[k], END);
            assert_in_range(k - begin, 1, LONGEST);
            if (found == seen) {
                assert_int_equal(label[0], begin);
                assert_int_equal(label[1], k - 1);
                sizes[k - begin]++;
            }
            begin = 0;
            seen++;
        }
        assert_int_equal(seen, STRETCHES);
        assert_in_range(found, 0, STRETCHES - 1);
        asked[found]++;
    }
    for (int s = 0; s < STRETCHES; s++) assert_in_range(asked[s], 870, 1130); /* five deviations */
    for (int s = 1; s <= LONGEST; s++) assert_in_range(sizes[s], 630, 870);
    gls_rows_destroy(rows);
    gls_source_destroy(source);
    counting_end(&c, ctx);
}

static void spans_refuse(void **state) {
    counting c;
    gls_context *ctx = counting_context(&c, 1);
    gls_source *source;
    assert_int_equal(open_status(ctx, "spans", NULL, "{keys: 1}", GLS_PART_TRAIN, NULL, &source), GLS_ERR_ARGUMENT);
    assert_says(ctx, "data.stretches: 2, expected at most the 1 keys");
    assert_int_equal(open_status(ctx, "spans", NULL, "{length: 13}", GLS_PART_TRAIN, NULL, &source), GLS_ERR_ARGUMENT);
    assert_says(ctx, "data.length: 13 tokens, expected at least 14");
    counting_end(&c, ctx);
}

static gls_status attempt(gls_context *ctx) {
    gls_source *source = NULL;
    gls_status status = gls_source_open(ctx, "zipf", NULL, NULL, NULL, GLS_PART_TEST, NULL, &source);
    gls_source_destroy(source);
    source = NULL;
    if (status == GLS_OK) status = gls_source_open(ctx, "spans", NULL, NULL, NULL, GLS_PART_TEST, NULL, &source);
    gls_source_destroy(source);
    return status;
}

static void out_of_memory_anywhere(void **state) {
    fail_each_allocation(attempt);
}

int main(void) {
    const struct CMUnitTest list[] = {
        cmocka_unit_test(zipf_follows_its_law), cmocka_unit_test(zipf_is_keyed),
        cmocka_unit_test(zipf_refuses),         cmocka_unit_test(spans_mark_their_answers),
        cmocka_unit_test(spans_refuse),         cmocka_unit_test(out_of_memory_anywhere),
    };
    return cmocka_run_group_tests(list, NULL, NULL);
}
