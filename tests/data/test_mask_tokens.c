/* Transform mask_tokens: how many tokens are hidden and what becomes of them, which never are, what is drawn anew and
 * what is not, the word that it adds, and what it refuses. */
#include "support.h"

#include <unistd.h>

enum { ROWS = 400, LENGTH = 40, WORDS = 12, TOKENS = ROWS * LENGTH };

typedef struct text {
    int32_t token[TOKENS], label[TOKENS], document[TOKENS];
} text;

static const char *const words[WORDS] = {"<unk>", "<eos>", "a", "b", "c", "d", "e", "f", "g", "[SEP]", "h", "i"};

/* Rows of 10 to 40 tokens, the rest is padding. */
static gls_source *make(gls_context *ctx, text *t, const char *const *names) {
    gls_random random = gls_random_create(3, "text", 0, 0);
    for (int k = 0; k < TOKENS; k++) {
        bool padded = k % LENGTH >= 10 + k / LENGTH % 31;
        t->token[k] = padded ? 0 : (int32_t)gls_random_below(&random, WORDS);
        t->label[k] = padded ? -1 : 2;
        t->document[k] = padded ? -1 : 0;
    }
    gls_data_info info = {.examples = ROWS,
                          .length = LENGTH,
                          .vocabulary = WORDS,
                          .classes = WORDS,
                          .target = GLS_TARGET_TOKENS,
                          .class_names = names};
    gls_source *source;
    assert_int_equal(gls_source_from_documents(ctx, t->token, t->label, t->document, &info, &source), GLS_OK);
    return source;
}

static bool special(int32_t token) {
    return token == 0 || token == 1 || token == 9;
}

static int64_t candidates(const text *t, int row) {
    int64_t count = 0;
    for (int k = row * LENGTH; k < (row + 1) * LENGTH; k++) count += t->label[k] >= 0 && !special(t->token[k]);
    return count;
}

/* Fetches all rows as training rows of one draw, or as others. */
static gls_batch fetch(gls_context *ctx, const gls_source *source, bool augment, uint64_t draw, gls_rows **rows) {
    static int64_t index[ROWS];
    for (int i = 0; i < ROWS; i++) index[i] = i;
    gls_fetch all = {.count = ROWS, .index = index, .augment = augment, .draw = draw, .seed = 8};
    gls_batch batch;
    assert_int_equal(gls_rows_create(ctx, &source->info, ROWS, rows), GLS_OK);
    assert_int_equal(gls_source_fetch(source, ctx, &all, *rows, &batch), GLS_OK);
    return batch;
}

static void check_shares(gls_context *ctx, const gls_source *source, const text *t, bool augment) {
    gls_rows *rows;
    gls_batch batch = fetch(ctx, source, augment, 4, &rows);
    double masked = 0, stayed = 0, hidden = 0, at[2] = {0};
    for (int r = 0; r < ROWS; r++) {
        int64_t found = candidates(t, r), here = 0, expected = llround(0.2 * (double)found);
        for (int k = r * LENGTH; k < (r + 1) * LENGTH; k++) {
            int32_t token = batch.token[k];
            assert_int_equal(batch.document[k], t->document[k]);
            if (batch.label[k] < 0) {
                assert_int_equal(token, t->token[k]);
                continue;
            }
            assert_int_equal(batch.label[k], t->token[k]);
            assert_false(special(t->token[k]) || t->document[k] < 0);
            here++;
            masked += token == WORDS;
            stayed += token == t->token[k];
            at[k % LENGTH >= 5] += k % LENGTH < 10;
        }
        assert_int_equal(here, expected > 0 ? expected : found > 0);
        assert_true(fabs(batch.mass[r] - (double)here / LENGTH) < 1e-12);
        hidden += (double)here;
    }
    /* Standard deviations of about 0.012: 0.8, and 0.1 + 0.1 / 12. */
    assert_true(fabs(masked / hidden - 0.8) < 0.04);
    assert_true(fabs(stayed / hidden - 0.1 - 0.1 / WORDS) < 0.04);
    assert_true(fabs(at[0] / (at[0] + at[1]) - 0.5) < 0.1);
    gls_rows_destroy(rows);
}

static void shares(void **state) {
    static text t;
    counting c;
    gls_context *ctx = counting_context(&c, 1);
    gls_source *source = transformed(ctx, make(ctx, &t, words), "[{mask_tokens: {share: 0.2}}]", 1, NULL);
    assert_int_equal(source->info.vocabulary, WORDS + 1);
    assert_int_equal(source->info.classes, WORDS + 1);
    assert_string_equal(source->info.class_names[WORDS], "<mask>");
    assert_true(source->info.masked);
    check_shares(ctx, source, &t, true);
    check_shares(ctx, source, &t, false);
    gls_source_destroy(source);
    gls_context_destroy(ctx);
}
/* Training rows differ by draw, others never; both are functions of the seed alone. */
static void draws(void **state) {
    static text t;
    counting c;
    gls_context *ctx = counting_context(&c, 1);
    gls_source *source = transformed(ctx, make(ctx, &t, words), "[mask_tokens]", 1, NULL);
    const struct {
        bool augment;
        uint64_t draw;
    } way[] = {{true, 1}, {true, 2}, {true, 1}, {false, 1}, {false, 2}};
    gls_rows *rows[5];
    gls_batch batch[5];
    for (int k = 0; k < 5; k++) batch[k] = fetch(ctx, source, way[k].augment, way[k].draw, &rows[k]);
    assert_memory_not_equal(batch[0].label, batch[1].label, TOKENS * sizeof(int32_t));
    assert_memory_equal(batch[0].label, batch[2].label, TOKENS * sizeof(int32_t));
    assert_memory_equal(batch[0].token, batch[2].token, TOKENS * sizeof(int32_t));
    assert_memory_equal(batch[3].label, batch[4].label, TOKENS * sizeof(int32_t));
    assert_memory_equal(batch[3].token, batch[4].token, TOKENS * sizeof(int32_t));
    /* A row by itself, in another place, is hidden alike. */
    int64_t index = 17;
    gls_fetch one = {.count = 1, .index = &index, .draw = 9, .seed = 2};
    gls_rows *row;
    gls_batch alone;
    assert_int_equal(gls_rows_create(ctx, &source->info, 1, &row), GLS_OK);
    assert_int_equal(gls_source_fetch(source, ctx, &one, row, &alone), GLS_OK);
    assert_memory_equal(alone.token, batch[3].token + 17 * LENGTH, LENGTH * sizeof(int32_t));
    gls_rows_destroy(row);
    for (int k = 0; k < 5; k++) gls_rows_destroy(rows[k]);
    gls_source_destroy(source);
    gls_context_destroy(ctx);
}

/* A vocabulary that has the word keeps its size. Without names the new token is the last. Rows to be predicted are not
 * changed, and have room for the word. */
static void vocabularies(void **state) {
    static text t;
    counting c;
    gls_context *ctx = counting_context(&c, 1);
    const char *names[WORDS];
    for (int k = 0; k < WORDS; k++) names[k] = k == 5 ? "[MASK]" : words[k];
    gls_source *source =
        transformed(ctx, make(ctx, &t, names), "[{mask_tokens: {share: 1, mask: 1, random: 0}}]", 1, NULL);
    assert_int_equal(source->info.vocabulary, WORDS);
    gls_rows *rows;
    gls_batch batch = fetch(ctx, source, false, 0, &rows);
    for (int k = 0; k < TOKENS; k++) assert_true(batch.label[k] < 0 || batch.token[k] == 5);
    gls_rows_destroy(rows);
    gls_source_destroy(source);

    gls_source *train = transformed(ctx, make(ctx, &t, NULL), "[mask_tokens]", 1, NULL);
    assert_int_equal(train->info.vocabulary, WORDS + 1);
    gls_data_info info = {.examples = ROWS, .length = LENGTH, .vocabulary = WORDS};
    gls_source *bare;
    assert_int_equal(gls_source_from_tokens(ctx, t.token, NULL, &info, &bare), GLS_OK);
    bare = transformed(ctx, bare, "[mask_tokens]", 1, train);
    assert_int_equal(bare->info.vocabulary, WORDS + 1);
    batch = fetch(ctx, bare, false, 0, &rows);
    assert_memory_equal(batch.token, t.token, sizeof t.token);
    gls_rows_destroy(rows);
    gls_source_destroy(bare);
    gls_source_destroy(train);
    gls_context_destroy(ctx);
}

static void refused(gls_context *ctx, gls_source *source, const char *list, const char *says) {
    gls_value *value = yaml(ctx, list);
    gls_source *out;
    assert_int_not_equal(gls_transforms_apply(ctx, source, value, 1, NULL, &out), GLS_OK);
    if (!strstr(gls_context_message(ctx), says)) fail_msg("%s", gls_context_message(ctx));
    gls_value_destroy(ctx, value);
}

static void refusals(void **state) {
    static text t;
    counting c;
    gls_context *ctx = counting_context(&c, 1);
    refused(ctx, open_ok(ctx, "gaussians", NULL, NULL), "[mask_tokens]", "mask_tokens: needs rows of a text");
    refused(ctx, make(ctx, &t, words), "[mask_tokens, mask_tokens]", "mask_tokens: needs rows of a text");
    refused(ctx, make(ctx, &t, words), "[{mask_tokens: {mask: 0.8, random: 0.3}}]", "shares of one whole, got 1.1");
    refused(ctx, make(ctx, &t, words), "[{mask_tokens: 0}]", "share");
    gls_context_destroy(ctx);
}

/* Spans as targets of rows in memory. */
static void spans(void **state) {
    static text t;
    counting c;
    gls_context *ctx = counting_context(&c, 1);
    gls_source_destroy(make(ctx, &t, words));
    int32_t ends[2 * ROWS];
    for (int i = 0; i < ROWS; i++) ends[2 * i] = i % 5, ends[2 * i + 1] = i % 5 + i % 3;
    gls_data_info info = {.examples = ROWS, .length = LENGTH, .vocabulary = WORDS, .target = GLS_TARGET_SPAN};
    gls_source *source;
    assert_int_equal(gls_source_from_documents(ctx, t.token, ends, t.document, &info, &source), GLS_OK);
    assert_int_equal(source->info.classes, LENGTH);
    gls_rows *rows;
    gls_batch batch = fetch(ctx, source, true, 0, &rows), view = gls_batch_view(&batch, 30, 2);
    assert_int_equal(gls_batch_labels(&batch), 2);
    assert_int_equal(gls_data_labels(&source->info), 2);
    assert_memory_equal(batch.label, ends, sizeof ends);
    assert_ptr_equal(view.label, batch.label + 60);
    gls_rows_destroy(rows);
    gls_source_destroy(source);
    ends[7] = LENGTH;
    assert_int_equal(gls_source_from_documents(ctx, t.token, ends, t.document, &info, &source), GLS_ERR_ARGUMENT);
    assert_non_null(strstr(gls_context_message(ctx), "of example 3 is none of [0, 40)"));
    ends[7] = 30;
    assert_int_equal(gls_source_from_documents(ctx, t.token, ends, t.document, &info, &source), GLS_ERR_ARGUMENT);
    assert_non_null(strstr(gls_context_message(ctx), "the span of example 3 ends in padding"));
    gls_context_destroy(ctx);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(shares), cmocka_unit_test(draws),
                                       cmocka_unit_test(vocabularies), cmocka_unit_test(refusals),
                                       cmocka_unit_test(spans)};
    return cmocka_run_group_tests_name("mask_tokens", tests, NULL, NULL);
}
