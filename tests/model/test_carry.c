/* A recurrent layer whose rows go on: gradients with a state that is not zero, what a row begins with, and streams of
 * rows against one long row. */
#include "check.h"

#include "estimator/streams.h"
#include "model/network.h"

enum { ROWS = 12, LENGTH = 6, WORDS = 20 };

static const char *const networks[] = {"{embedding: 5, hidden: 7, carry: true}",
                                       "{embedding: 6, hidden: 6, depth: 2, tie: true, carry: true}",
                                       "{embedding: 5, hidden: 7, carry: true, weight_drop: 0.3}"};
enum { NETWORKS = sizeof networks / sizeof *networks };

/* Rows ROWS .. 2 ROWS - 1 of as many streams, each the second of its own, behind a first one that left noise. */
static gls_problem *second_rows(gls_context *ctx, check_data *d, const char *options, int64_t rows) {
    d->info.streams = rows;
    d->info.examples = 3 * rows;
    for (int64_t i = 0; i < rows; i++) d->index[i] = rows + i;
    gls_problem *p = check_model(ctx, "lstm", options, &d->info);
    gls_random random = gls_random_create(8, "carried", 0, 0);
    for (int64_t b = 0; b < gls_layout_count(p->state_layout); b++) {
        const gls_block *block = gls_layout_block(p->state_layout, b);
        assert_int_equal(block->flags, GLS_BLOCK_BY_SLOT);
        bool counts = strstr(block->name, ".rows") != NULL;
        for (int64_t k = 0; k < block->size; k++)
            p->state[block->offset + k] = counts ? 1 : (gls_real)gls_random_normal(&random);
    }
    return p;
}

static void gradients(void **state) {
    if (sizeof(gls_real) == 4) skip(); /* difference quotients are for double */
    for (int i = 0; i < NETWORKS; i++) {
        gls_context *ctx = check_context(1, i % 2);
        check_data d = check_tokens_create(3, WORDS, LENGTH, 0);
        gls_problem *p = second_rows(ctx, &d, networks[i], 3);
        assert_true(check_differences(p, &d.batch, GLS_MODE_TRAIN, 1e-4) < 1e-6);
        assert_true(p->hessian_exact);
        for (gls_mode mode = GLS_MODE_TRAIN; mode <= GLS_MODE_EVALUATE; mode++)
            assert_true(check_hessian(p, &d.batch, mode) < 1e-6);
        gls_problem_destroy(p);
        check_data_destroy(&d);
        gls_context_destroy(ctx);
    }
}

static void questions(void **state) {
    for (int i = 0; i < NETWORKS; i++) {
        gls_context *ctx = check_context(1, false);
        check_data d = check_tokens_create(ROWS, WORDS, LENGTH, 0);
        gls_problem *p = second_rows(ctx, &d, networks[i], ROWS);
        check_questions_of(p, &d.batch, sizeof(gls_real) == 4 ? 5e-5 : 1e-11);
        gls_problem_destroy(p);
        check_data_destroy(&d);
        gls_context_destroy(ctx);
    }
}

/* Stored in 16 bits, what was carried reaches backward too: gradients are off by rounding alone. */
static void narrow_storage(void **state) {
    for (int i = 0; i < NETWORKS; i++) {
        gls_context *ctx = check_context(1, false);
        check_data d = check_tokens_create(ROWS, WORDS, LENGTH, 0);
        gls_problem *p[2];
        gls_real *g[2], *w = NULL;
        int64_t size = 0;
        for (int k = 0; k < 2; k++) {
            p[k] = second_rows(ctx, &d, networks[i], ROWS);
            ((gls_network *)p[k]->self)->storage = k ? GLS_STORAGE_BF16 : GLS_STORAGE_REAL;
            check_run r = check_run_create(p[k], &d.batch, GLS_WANT_GRADIENT, GLS_MODE_TRAIN);
            size = gls_problem_size(p[k]);
            if (!w) w = check_weights(p[k]);
            g[k] = calloc((size_t)size, sizeof **g);
            check_gradient_at(&r, w, g[k]);
            check_run_destroy(&r);
        }
        for (int64_t b = 0; b < gls_layout_count(gls_problem_layout(p[0])); b++) {
            const gls_block *block = gls_layout_block(gls_problem_layout(p[0]), b);
            double apart = check_distance(g[1] + block->offset, g[0] + block->offset, block->size);
            if (!(apart < 0.03)) print_error("%s: %g\n", block->name, apart);
            assert_true(apart > 0 && apart < 0.03);
        }
        for (int k = 0; k < 2; k++) {
            free(g[k]);
            gls_problem_destroy(p[k]);
        }
        free(w);
        check_data_destroy(&d);
        gls_context_destroy(ctx);
    }
}

/* The row after another begins with its state; any other row, or one in another slot, begins with zeros. */
static void begins(void **state) {
    gls_context *ctx = check_context(1, false);
    check_data d = check_tokens_create(2, WORDS, LENGTH, 0);
    d.info.streams = 2;
    d.info.examples = 8;
    gls_problem *p = check_model(ctx, "lstm", networks[1], &d.info);
    check_run r = check_run_create(p, &d.batch, GLS_WANT_GRADIENT, GLS_MODE_TRAIN);
    gls_real *w = check_weights(p);
    d.label[2 * LENGTH - 1] = d.label[2 * LENGTH - 2] = d.label[2 * LENGTH - 3] = 1;
    double fresh = check_loss(&r, w);
    const gls_block *rows = gls_layout_find(p->state_layout, "carry2.rows");
    assert_true(r.state_next[rows->offset] == 1 && r.state_next[rows->offset + 1] == 1);
    gls_problem_commit(p, r.state_next);
    check_who_goes_on(&r, &d, w, fresh);
    free(w);
    check_run_destroy(&r);
    gls_problem_destroy(p);
    check_data_destroy(&d);
    gls_context_destroy(ctx);
}

/* Loss, score and outputs of a text in PARTS rows a stream, or in one row: the same network on the same tokens. */
static void one_long_row(void **state) {
    enum { STREAMS = 3, PARTS = 4, LONG = PARTS * LENGTH };
    static int32_t token[2][STREAMS * LONG], label[2][STREAMS * LONG];
    static gls_real out[2][STREAMS * LONG * WORDS];
    gls_random random = gls_random_create(31, "text", 0, 0);
    for (int64_t r = 0; r < STREAMS; r++)
        for (int64_t t = 0; t < LONG; t++) {
            int64_t part = ((r * PARTS) + t / LENGTH) * LENGTH + t % LENGTH;
            token[0][r * LONG + t] = token[1][part] = (int32_t)gls_random_below(&random, WORDS);
            label[0][r * LONG + t] = label[1][part] = (int32_t)gls_random_below(&random, WORDS);
        }
    double loss[2], score[2];
    for (int i = 0; i < 2; i++) {
        gls_context *ctx = check_context(1 + i, false);
        gls_data_info info = {.examples = i ? STREAMS * PARTS : STREAMS,
                              .length = i ? LENGTH : LONG,
                              .vocabulary = WORDS,
                              .target = GLS_TARGET_TOKENS};
        gls_source *source = NULL;
        assert_int_equal(gls_source_from_tokens(ctx, token[i], label[i], &info, &source), GLS_OK);
        source->info.streams = i ? STREAMS : 0;
        gls_problem *p =
            check_model(ctx, "lstm", i ? networks[1] : "{embedding: 6, hidden: 6, depth: 2, tie: true}", &source->info);
        gls_real *w = check_weights(p);
        gls_pass *pass = NULL;
        gls_loader *loader = NULL;
        gls_loader_options options = {.size = sizeof options, .wave = 5, .align = 1};
        gls_pass_request request = {.w = w, .want = GLS_WANT_SCORES, .mode = GLS_MODE_EVALUATE};
        gls_pass_result result;
        assert_int_equal(gls_pass_create(p, NULL, &pass), GLS_OK);
        for (int k = 0; k < 2; k++) { /* a second pass begins anew */
            assert_int_equal(gls_loader_create(ctx, source, &options, &loader), GLS_OK);
            assert_int_equal(gls_pass_run_whole(pass, &source->info, loader, &request, &result), GLS_OK);
            gls_loader_destroy(loader);
        }
        assert_int_equal(gls_loader_create(ctx, source, &options, &loader), GLS_OK);
        assert_int_equal(gls_pass_outputs_whole(pass, &source->info, loader, w, out[i]), GLS_OK);
        gls_loader_destroy(loader);
        for (int64_t k = 0; k < gls_layout_size(p->state_layout); k++) assert_true(p->state[k] == 0);
        loss[i] = result.loss / result.mass;
        score[i] = result.score[0] / result.mass;
        gls_pass_destroy(pass);
        gls_problem_destroy(p);
        gls_source_destroy(source);
        free(w);
        gls_context_destroy(ctx);
    }
    double near = sizeof(gls_real) == 4 ? 1e-5 : 1e-12;
    assert_true(fabs(loss[0] - loss[1]) < near && fabs(score[0] - score[1]) < near);
    for (int64_t r = 0; r < STREAMS; r++) /* outputs come in the order of the examples: row k of every stream */
        for (int64_t t = 0; t < LONG; t++)
            for (int64_t c = 0; c < WORDS; c++) {
                int64_t example = t / LENGTH * STREAMS + r, at = (example * LENGTH + t % LENGTH) * WORDS + c;
                assert_true(fabs(out[0][(r * LONG + t) * WORDS + c] - out[1][at]) < near);
            }
}

static void refuses(void **state) {
    gls_context *ctx = check_context(1, false);
    check_data d = check_tokens_create(2, WORDS, LENGTH, 0);
    gls_value *options = NULL;
    gls_problem *p = NULL;
    assert_int_equal(gls_yaml_parse(ctx, "test", networks[0], (int64_t)strlen(networks[0]), &options), GLS_OK);
    assert_int_equal(gls_model_create(ctx, "lstm", options, &d.info, &p), GLS_ERR_ARGUMENT);
    assert_non_null(strstr(gls_context_message(ctx), "needs data whose rows go on"));
    gls_value_destroy(ctx, options);
    check_data_destroy(&d);
    gls_context_destroy(ctx);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(gradients),      cmocka_unit_test(questions),
                                       cmocka_unit_test(narrow_storage), cmocka_unit_test(begins),
                                       cmocka_unit_test(one_long_row),   cmocka_unit_test(refuses)};
    return cmocka_run_group_tests_name("carry", tests, NULL, NULL);
}
