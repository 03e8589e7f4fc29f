/* Padded rows at the length of the longest of a slice: losses, gradients and outputs of short rows beside a long one,
 * and of the same rows without it; the dropout that they are given; and models made for rows of that length. */
#include "check.h"

enum { ROWS = 5, LENGTH = 40, WORDS = 20, SHORT = 13 };

typedef struct sample {
    const char *family, *options;
    int64_t classes;
} sample;

static const sample samples[] = {
    {"transformer", "{dim: 8, heads: 2, depth: 2, dropout: 0.2}", 0},
    {"transformer", "{dim: 8, heads: 2, positions: sinusoidal, norm: rms, feed_forward: swiglu}", 3},
    {"transformer", "{dim: 8, heads: 2, kv_heads: 1, positions: rotary, dropout: 0.1}", 3},
    {"transformer_xl", "{dim: 8, heads: 2, depth: 2, order: pre}", 0},
    {"transformer_xl", "{dim: 8, heads: 2, depth: 1}", 3},
    {"t5", "{dim: 8, heads: 2, depth: 2}", 3},
    {"bert", "{dim: 8, heads: 2, depth: 1, positions: 64}", 3},
    {"lstm", "{embedding: 6, hidden: 6, depth: 2, tie: true, dropout: 0.2, locked: true, activity: 1, change: 2}", 0},
    {"lstm", "{embedding: 6, hidden: 5, pool: last, weight_drop: 0.3, word_dropout: 0.1}", 3},
    {"nplm", "{embedding: 5, hidden: 6, window: 3, dropout: 0.3}", 3},
    {"conformer", "{dim: 8, heads: 2, depth: 1, kernel: 5, norm: layer, dropout: 0.1}", 3},
};
enum { SAMPLES = sizeof samples / sizeof *samples };

typedef struct fixture {
    gls_context *ctx;
    check_data d;
    int32_t *document;
    gls_problem *p;
    gls_real *w;
} fixture;

/* Rows of 1 to SHORT tokens, the last one of LENGTH. */
static fixture make(const sample *s) {
    fixture f = {.ctx = check_context(1, false), .d = check_tokens_create(ROWS, WORDS, LENGTH, s->classes)};
    f.document = malloc(ROWS * LENGTH * sizeof *f.document);
    for (int64_t r = 0; r < ROWS; r++) {
        int64_t n = r == ROWS - 1 ? LENGTH : SHORT - 3 * r;
        for (int64_t t = 0; t < LENGTH; t++) f.document[r * LENGTH + t] = t < n ? 0 : -1;
        for (int64_t t = n; t < LENGTH && gls_target_by_position(f.d.batch.target); t++) f.d.label[r * LENGTH + t] = -1;
    }
    f.d.batch.document = f.document;
    f.d.info.documents = GLS_DOCUMENTS_PADDED;
    f.p = check_model(f.ctx, s->family, s->options, &f.d.info);
    f.w = check_weights(f.p);
    return f;
}

static void end(fixture *f) {
    free(f->w);
    free(f->document);
    gls_problem_destroy(f->p);
    check_data_destroy(&f->d);
    gls_context_destroy(f->ctx);
}

typedef struct answers {
    double losses[ROWS], norms[ROWS];
    gls_real *g, *out; /* of the first rows: their weighted gradient; outputs of all */
} answers;

static answers answer(fixture *f, int64_t rows, gls_mode mode) {
    static const double weights[ROWS] = {1, -2, 3, 0.5, 0};
    answers a = {.g = calloc((size_t)gls_problem_size(f->p), sizeof *a.g),
                 .out = calloc((size_t)(ROWS * f->p->outputs), sizeof *a.out)};
    gls_batch batch = gls_batch_view(&f->d.batch, 0, rows);
    unsigned want = GLS_WANT_GRADIENT | GLS_WANT_LOSSES | GLS_WANT_NORMS | GLS_WANT_OUTPUTS;
    check_run r = check_run_create(f->p, &batch, want, mode);
    check_run_at(&r, f->w);
    assert_int_equal(gls_ask_losses(r.e, a.losses), GLS_OK);
    assert_int_equal(gls_ask_norms(r.e, NULL, a.norms), GLS_OK);
    assert_int_equal(gls_ask_gradient(r.e, GLS_PRODUCT_GRADIENT, weights, a.g), GLS_OK);
    assert_int_equal(gls_ask_outputs(r.e, a.out), GLS_OK);
    check_run_destroy(&r);
    return a;
}

static double tolerance(void) {
    return sizeof(gls_real) == 4 ? 5e-5 : 1e-11;
}

/* The short rows alone are evaluated at 15 positions (3/8 of 40), beside the long one at 40: the same answers. */
static void same_answers(void **state) {
    for (int i = 0; i < SAMPLES; i++)
        for (gls_mode mode = GLS_MODE_TRAIN; mode <= GLS_MODE_EVALUATE; mode++) {
            fixture f = make(&samples[i]);
            assert_true(f.p->shortens);
            answers all = answer(&f, ROWS, mode), some = answer(&f, ROWS - 1, mode);
            int64_t d = gls_problem_size(f.p), each = f.p->outputs / f.p->positions;
            for (int64_t r = 0; r < ROWS - 1; r++) {
                assert_true(fabs(some.losses[r] - all.losses[r]) < tolerance());
                assert_true(fabs(some.norms[r] - all.norms[r]) < tolerance() * (1 + all.norms[r]));
                for (int64_t t = 0; t < f.p->positions; t++) {
                    if (f.p->positions > 1 && f.document[r * LENGTH + t] < 0) break;
                    for (int64_t k = 0; k < each; k++) {
                        int64_t at = r * f.p->outputs + t * each + k;
                        assert_true(fabs(some.out[at] - all.out[at]) < tolerance());
                    }
                }
            }
            assert_true(check_distance(some.g, all.g, d) <= tolerance() * (1 + sqrt(check_dot(all.g, all.g, d))));
            free(all.g), free(all.out), free(some.g), free(some.out);
            end(&f);
        }
}

static void gradients(void **state) {
    if (sizeof(gls_real) == 4) skip(); /* difference quotients are for double */
    for (int i = 0; i < SAMPLES; i++) {
        fixture f = make(&samples[i]);
        gls_batch batch = gls_batch_view(&f.d.batch, 0, ROWS - 1);
        assert_true(check_differences(f.p, &batch, GLS_MODE_TRAIN, 1e-4) < 1e-6);
        assert_true(check_hessian(f.p, &batch, GLS_MODE_TRAIN) < 1e-6);
        end(&f);
    }
}

/* A model for rows of as many tokens as a row has says the same of that row without any padding: state does not go on
 * through padding, and the last position is the last token's. Learned positions are as many as those of the long rows.
 */
static void without_padding(void **state) {
    for (int i = 0; i < SAMPLES; i++) {
        if (!samples[i].classes) continue;
        fixture f = make(&samples[i]);
        answers padded = answer(&f, 1, GLS_MODE_EVALUATE);
        gls_data_info info = f.d.info;
        info.length = SHORT;
        info.documents = GLS_DOCUMENTS_WHOLE;
        gls_problem *p = check_model(f.ctx, samples[i].family, samples[i].options, &info);
        gls_batch batch = gls_batch_view(&f.d.batch, 0, 1);
        batch.length = SHORT;
        batch.document = NULL;
        gls_real out[3];
        if (gls_problem_size(p) == gls_problem_size(f.p)) {
            check_run r = check_run_create(p, &batch, GLS_WANT_OUTPUTS, GLS_MODE_EVALUATE);
            check_run_at(&r, f.w);
            assert_int_equal(gls_ask_outputs(r.e, out), GLS_OK);
            for (int k = 0; k < 3; k++) assert_true(fabs(out[k] - padded.out[k]) < tolerance());
            check_run_destroy(&r);
        }
        free(padded.g), free(padded.out);
        gls_problem_destroy(p);
        end(&f);
    }
}

/* What sees padding is evaluated at the whole length. */
static void keeps_length(void **state) {
    static const char *const options[] = {
        "{layers: [{embedding: {dim: 4}}, {group_norm: {groups: 2}}, global_pool, {dense: {units: 3}}]}",
        "{layers: [{embedding: {dim: 4}}, flatten, {dense: {units: 3}}]}"};
    for (int i = 0; i < 2; i++) {
        sample s = {"layers", options[i], 3};
        fixture f = make(&s);
        assert_false(f.p->shortens);
        end(&f);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(same_answers), cmocka_unit_test(gradients),
                                       cmocka_unit_test(without_padding), cmocka_unit_test(keeps_length)};
    return cmocka_run_group_tests_name("lengths", tests, NULL, NULL);
}
