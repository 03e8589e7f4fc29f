/* Rows that hold documents: padded behind one, or several packed into a row. Gradients against difference quotients,
 * products of the Hessian too, questions against explicit gradients, and packed documents against the same ones alone.
 */
#include "check.h"

enum { ROWS = 12, LENGTH = 40, WORDS = 20 };

typedef struct sample {
    const char *family, *options;
    int64_t classes;
    bool packs;
} sample;

/* 40 positions: attention takes its queries in blocks of 32. */
static const sample samples[] = {
    {"transformer", "{dim: 8, heads: 2, depth: 1, tie: true}", 0, true},
    {"transformer", "{dim: 8, heads: 2, depth: 1, positions: sinusoidal, norm: rms}", 0, true},
    {"layers",
     "{layers: [{embedding: {dim: 16}}, {rotary: {heads: 2, kv_heads: 1}}, {attention: {heads: 2, kv_heads: 1, causal: "
     "false}}, {dense: {units: 20}}]}",
     0, true},
    {"transformer", "{dim: 8, heads: 2, depth: 1}", 3, false},
    {"transformer_xl", "{dim: 8, heads: 2, depth: 1, order: pre}", 0, true},
    {"transformer_xl", "{dim: 8, heads: 2, depth: 1, hidden: 6}", 3, false},
    {"t5", "{dim: 8, heads: 2, depth: 1, feed_forward: geglu}", 3, false},
    {"lstm", "{embedding: 5, hidden: 6}", 0, true},
    {"lstm", "{embedding: 5, hidden: 6, depth: 2, weight_drop: 0.3, activity: 1, tie: false}", 0, true},
    {"nplm", "{embedding: 5, hidden: 6, window: 3}", 0, true},
    {"lstm", "{embedding: 5, hidden: 6, depth: 2, pool: last, activity: 1, change: 2}", 3, false},
    {"lstm", "{embedding: 5, hidden: 6, weight_drop: 0.3, locked: true, dropout: 0.2}", 3, false},
    {"nplm", "{embedding: 5, hidden: 6, window: 3}", 3, false},
};
enum { SAMPLES = sizeof samples / sizeof *samples };

/* Documents of 1 to 13 positions: the first of each row alone, or as many as fit; the last row is full. */
static int32_t *documents(check_data *d, int64_t rows, bool packed) {
    gls_random random = gls_random_create(21, "documents", packed, 0);
    int32_t *document = malloc((size_t)(rows * LENGTH) * sizeof *document);
    d->info.documents = packed ? GLS_DOCUMENTS_PACKED : GLS_DOCUMENTS_PADDED;
    for (int64_t r = 0; r < rows; r++) {
        int64_t used = 0;
        bool full = !packed && r == rows - 1;
        for (int32_t number = 0; used < LENGTH && (packed || number == 0); number++) {
            int64_t n = full ? LENGTH : 1 + gls_random_below(&random, 13);
            if (n > LENGTH - used) break;
            for (int64_t t = used; t < used + n; t++) document[r * LENGTH + t] = number;
            used += n;
        }
        for (int64_t t = used; t < LENGTH; t++) document[r * LENGTH + t] = -1;
        for (int64_t t = 0; t < LENGTH && gls_target_by_position(d->batch.target); t++)
            d->label[r * LENGTH + t] = t < used ? d->label[r * LENGTH + t] < 0 ? 1 : d->label[r * LENGTH + t] : -1;
        d->mass[r] = gls_target_by_position(d->batch.target) ? (double)used / LENGTH : 1;
    }
    d->batch.document = document;
    return document;
}

typedef struct fixture {
    gls_context *ctx;
    check_data d;
    int32_t *document;
    gls_problem *p;
} fixture;

static fixture make(const sample *s, int64_t rows, bool packed) {
    fixture f = {.ctx = check_context(1, false), .d = check_tokens_create(rows, WORDS, LENGTH, s->classes)};
    f.document = documents(&f.d, rows, packed);
    f.p = check_model(f.ctx, s->family, s->options, &f.d.info);
    return f;
}

static void end(fixture *f) {
    gls_problem_destroy(f->p);
    check_data_destroy(&f->d);
    free(f->document);
    gls_context_destroy(f->ctx);
}

static void gradients(void **state) {
    if (sizeof(gls_real) == 4) skip(); /* difference quotients are for double */
    for (int i = 0; i < 2 * SAMPLES; i++) {
        if (i % 2 && !samples[i / 2].packs) continue;
        fixture f = make(&samples[i / 2], 3, i % 2);
        assert_true(check_differences(f.p, &f.d.batch, GLS_MODE_TRAIN, 1e-4) < 1e-6);
        assert_true(check_hessian(f.p, &f.d.batch, GLS_MODE_TRAIN) < 1e-6);
        end(&f);
    }
}

/* Hessian products, tangents of what is hidden and of places included. */
static void hessians(void **state) {
    if (sizeof(gls_real) == 4) skip(); /* difference quotients are for double */
    for (int i = 0; i < SAMPLES; i++) {
        fixture f = make(&samples[i], 3, samples[i].packs);
        assert_true(f.p->hessian_exact);
        assert_true(check_hessian(f.p, &f.d.batch, GLS_MODE_TRAIN) < 1e-6);
        end(&f);
    }
}

/* Of groups against weighted gradients of the same evaluation, and of each row against its gradient alone. */
static void questions(void **state) {
    double tolerance = sizeof(gls_real) == 4 ? 5e-5 : 1e-11;
    for (int i = 0; i < 2 * SAMPLES; i++) {
        if (i % 2 && !samples[i / 2].packs) continue;
        fixture f = make(&samples[i / 2], ROWS, i % 2);
        check_questions_of(f.p, &f.d.batch, tolerance);
        int64_t d = gls_problem_size(f.p);
        gls_real *w = check_weights(f.p), *g = calloc((size_t)d, sizeof *g);
        check_run all = check_run_create(f.p, &f.d.batch, GLS_WANT_GRADIENT | GLS_WANT_NORMS, GLS_MODE_TRAIN);
        double norms[ROWS];
        check_run_at(&all, w);
        assert_int_equal(gls_ask_norms(all.e, NULL, norms), GLS_OK);
        for (int64_t r = 0; r < ROWS; r++) {
            gls_batch one = gls_batch_view(&f.d.batch, r, 1);
            check_run alone = check_run_create(f.p, &one, GLS_WANT_GRADIENT, GLS_MODE_TRAIN);
            check_gradient_at(&alone, w, g);
            double norm = check_dot(g, g, d);
            assert_true(fabs(norms[r] - norm) <= tolerance * norm);
            check_run_destroy(&alone);
        }
        check_run_destroy(&all);
        free(w);
        free(g);
        end(&f);
    }
}

static void outputs_of(gls_problem *p, const gls_batch *batch, const gls_real *w, gls_real *out) {
    check_run r = check_run_create(p, batch, GLS_WANT_OUTPUTS, GLS_MODE_EVALUATE);
    check_run_at(&r, w);
    assert_int_equal(gls_ask_outputs(r.e, out), GLS_OK);
    check_run_destroy(&r);
}

/* Every document of a packed row, moved to the beginning of a row of its own, has the same outputs. */
static void alone(void **state) {
    static gls_real packed[LENGTH * WORDS], own[LENGTH * WORDS];
    for (int i = 0; i < SAMPLES; i++) {
        if (!samples[i].packs) continue;
        fixture f = make(&samples[i], 1, true);
        gls_real *w = check_weights(f.p);
        outputs_of(f.p, &f.d.batch, w, packed);
        int64_t seen = 0;
        for (int64_t begin = 0, n; begin < LENGTH && f.document[begin] >= 0; begin += n, seen++) {
            int32_t token[LENGTH] = {0}, document[LENGTH];
            for (n = 0; begin + n < LENGTH && f.document[begin + n] == f.document[begin]; n++)
                token[n] = f.d.token[begin + n];
            for (int64_t t = 0; t < LENGTH; t++) document[t] = t < n ? 0 : -1;
            gls_batch batch = f.d.batch;
            batch.token = token;
            batch.document = document;
            outputs_of(f.p, &batch, w, own);
            for (int64_t k = 0; k < n * WORDS; k++)
                assert_true(fabs(own[k] - packed[begin * WORDS + k]) < (sizeof(gls_real) == 4 ? 2e-5 : 1e-12));
        }
        assert_true(seen > 2);
        free(w);
        end(&f);
    }
}

/* Whatever tokens fill a row's end, no loss and no gradient changes, to the bit. */
static void padding(void **state) {
    for (int i = 0; i < SAMPLES; i++) {
        fixture f = make(&samples[i], 3, false);
        int64_t d = gls_problem_size(f.p);
        gls_real *w = check_weights(f.p), *g = calloc((size_t)(2 * d), sizeof *g);
        check_run r = check_run_create(f.p, &f.d.batch, GLS_WANT_GRADIENT, GLS_MODE_TRAIN);
        double before = check_loss(&r, w);
        check_gradient_at(&r, w, g);
        for (int64_t t = 0; t < 3 * LENGTH; t++)
            if (f.document[t] < 0) f.d.token[t] = (f.d.token[t] + 7) % WORDS;
        assert_true(check_loss(&r, w) == before);
        check_gradient_at(&r, w, g + d);
        assert_memory_equal(g, g + d, (size_t)d * sizeof *g);
        check_run_destroy(&r);
        free(w);
        free(g);
        end(&f);
    }
}

/* The mean over padded rows' tokens: loss of a row by its mass, times length over its tokens. */
static void masses(void **state) {
    fixture f = make(&samples[0], 3, false);
    gls_real *w = check_weights(f.p), *z = calloc(3 * LENGTH * WORDS, sizeof *z);
    outputs_of(f.p, &f.d.batch, w, z);
    double sum = 0;
    int64_t tokens = 0;
    for (int64_t t = 0; t < 3 * LENGTH; t++) {
        if (f.d.label[t] < 0) continue;
        double total = 0;
        for (int64_t k = 0; k < WORDS; k++) total += exp(z[t * WORDS + k]);
        sum += log(total) - z[t * WORDS + f.d.label[t]];
        tokens++;
    }
    check_run r = check_run_create(f.p, &f.d.batch, GLS_WANT_GRADIENT, GLS_MODE_TRAIN);
    double loss = check_loss(&r, w) / gls_batch_mass(&f.d.batch);
    assert_true(fabs(loss / (sum / (double)tokens) - 1) < (sizeof(gls_real) == 4 ? 1e-5 : 1e-12));
    check_run_destroy(&r);
    free(w);
    free(z);
    end(&f);
}

/* What looks back without regard to documents refuses packed ones; rows without numbers are refused. */
static void refuses(void **state) {
    static const char *const family[] = {"lstm", "transformer_xl"}, *const how[] = {"{change: 1}", "{memory: 4}"};
    for (int i = 0; i < 2; i++) {
        gls_context *ctx = check_context(1, false);
        gls_value *options = NULL;
        assert_int_equal(gls_yaml_parse(ctx, "test", how[i], (int64_t)strlen(how[i]), &options), GLS_OK);
        gls_data_info info = {.examples = 1,
                              .length = LENGTH,
                              .vocabulary = WORDS,
                              .classes = WORDS,
                              .target = GLS_TARGET_TOKENS,
                              .documents = GLS_DOCUMENTS_PACKED};
        gls_problem *p = NULL;
        assert_int_equal(gls_model_create(ctx, family[i], options, &info, &p), GLS_ERR_ARGUMENT);
        assert_non_null(strstr(gls_context_message(ctx), "would see each other"));
        gls_value_destroy(ctx, options);
        gls_context_destroy(ctx);
    }
    fixture f = make(&samples[0], 3, false);
    check_run r = check_run_create(f.p, &f.d.batch, GLS_WANT_GRADIENT, GLS_MODE_TRAIN);
    gls_real *w = check_weights(f.p);
    f.d.batch.document = NULL;
    assert_int_equal(gls_point_set(r.point, w), GLS_OK);
    assert_int_equal(gls_evaluate(r.e, &r.args), GLS_ERR_ARGUMENT);
    assert_non_null(strstr(gls_context_message(f.ctx), "where their documents are"));
    check_run_destroy(&r);
    free(w);
    end(&f);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gradients), cmocka_unit_test(hessians), cmocka_unit_test(questions), cmocka_unit_test(alone),
        cmocka_unit_test(padding),   cmocka_unit_test(masses),   cmocka_unit_test(refuses),
    };
    return cmocka_run_group_tests_name("documents", tests, NULL, NULL);
}
