/* Encoders of texts and images, bert and vit: gradients and Hessian products against difference quotients, questions
 * against explicit gradients, what their layers give, padding against rows without it, and what is refused. */
#include "check.h"

enum { ROWS = 12, LENGTH = 36, WORDS = 20, SEPARATOR = 3 };

typedef enum target { HIDDEN, LABEL, SPAN } target;
typedef struct sample {
    const char *options;
    target target;
    gls_documents documents;
} sample;

/* 36 positions: attention takes its queries in blocks of 32. */
static const sample samples[] = {
    {"{dim: 8, heads: 2, depth: 2, dropout: 0.2}", HIDDEN, GLS_DOCUMENTS_WHOLE},
    {"{dim: 8, heads: 2, depth: 1, tie: false, positions: 50}", HIDDEN, GLS_DOCUMENTS_PADDED},
    {"{dim: 6, heads: 3, depth: 1, hidden: 7}", HIDDEN, GLS_DOCUMENTS_PACKED},
    {"{dim: 8, heads: 2, depth: 1, segments: 0}", LABEL, GLS_DOCUMENTS_WHOLE},
    {"{dim: 8, heads: 2, depth: 1, segments: 3, label_smoothing: 0.1}", LABEL, GLS_DOCUMENTS_PADDED},
    {"{dim: 8, heads: 2, depth: 1}", SPAN, GLS_DOCUMENTS_WHOLE},
    {"{dim: 8, heads: 2, depth: 1}", SPAN, GLS_DOCUMENTS_PADDED},
};
enum { SAMPLES = sizeof samples / sizeof *samples };

typedef struct fixture {
    gls_context *ctx;
    check_data d;
    int32_t *document;
    gls_problem *p;
} fixture;

/* Rows of 20 to 36 positions; packed ones hold two documents. */
static int32_t *documents(check_data *d, gls_documents kind) {
    int64_t rows = d->batch.rows;
    if (kind == GLS_DOCUMENTS_WHOLE) return NULL;
    int32_t *document = malloc((size_t)(rows * LENGTH) * sizeof *document);
    for (int64_t t = 0; t < rows * LENGTH; t++) {
        bool padded = t % LENGTH >= 20 + 7 * (t / LENGTH) % 17;
        document[t] = padded ? -1 : kind == GLS_DOCUMENTS_PACKED && t % LENGTH > 8;
    }
    d->info.documents = kind;
    d->batch.document = document;
    return document;
}

/* About every fourth token is hidden; spans lie in the first 20 positions. */
static void set_targets(check_data *d, target kind) {
    gls_random random = gls_random_create(5, "targets", 0, 0);
    for (int64_t r = 0; r < d->batch.rows; r++) {
        int64_t hidden = 0;
        for (int64_t t = r * LENGTH; kind == HIDDEN && t < (r + 1) * LENGTH; t++) {
            bool padded = d->batch.document && d->batch.document[t] < 0;
            d->label[t] = padded || gls_random_below(&random, 4) ? -1 : (int32_t)gls_random_below(&random, WORDS);
            hidden += d->label[t] >= 0;
        }
        if (kind == HIDDEN) d->mass[r] = (double)hidden / LENGTH;
        if (kind != SPAN) continue;
        d->label[2 * r] = (int32_t)gls_random_below(&random, 20);
        d->label[2 * r + 1] = d->label[2 * r] + (int32_t)gls_random_below(&random, 20 - d->label[2 * r]);
    }
    d->info.masked = kind == HIDDEN;
    d->info.separator = SEPARATOR;
    if (kind != SPAN) return;
    d->info.target = d->batch.target = GLS_TARGET_SPAN;
    d->info.classes = LENGTH;
}

static fixture make(const sample *s, int64_t rows) {
    fixture f = {.ctx = check_context(1, false),
                 .d = check_tokens_create(rows, WORDS, LENGTH, s->target == HIDDEN ? 0 : 3)};
    f.document = documents(&f.d, s->documents);
    set_targets(&f.d, s->target);
    f.p = check_model(f.ctx, "bert", s->options, &f.d.info);
    return f;
}

static void end(fixture *f) {
    gls_problem_destroy(f->p);
    check_data_destroy(&f->d);
    free(f->document);
    gls_context_destroy(f->ctx);
}

static void gradients_of_bert(void **state) {
    if (sizeof(gls_real) == 4) skip(); /* difference quotients are for double */
    for (int i = 0; i < SAMPLES; i++) {
        fixture f = make(&samples[i], 3);
        assert_true(check_differences(f.p, &f.d.batch, GLS_MODE_TRAIN, 1e-4) < 1e-6);
        assert_true(check_hessian(f.p, &f.d.batch, GLS_MODE_TRAIN) < 1e-6);
        end(&f);
    }
}

static void questions_of_bert(void **state) {
    for (int i = 0; i < SAMPLES; i++) {
        fixture f = make(&samples[i], ROWS);
        check_questions_of(f.p, &f.d.batch, sizeof(gls_real) == 4 ? 2e-4 : 1e-12);
        end(&f);
    }
}

static const struct {
    const char *family, *options;
} images[] = {
    {"vit", "{dim: 6, heads: 2, depth: 2, patch: 4, dropout: 0.2}"},
    {"vit", "{dim: 6, heads: 3, depth: 1, patch: 2, hidden: 5, pool: mean, init: torch}"},
    {"layers", "{layers: [{conv: {channels: 16, kernel: 3, pad: 1}}, {patches: {size: 4}}, {dense: {units: 18}},"
               " class_token, {attention: {causal: false, heads: 2}}, first, tanh, {dense: {units: 5}}]}"},
};
enum { IMAGES = sizeof images / sizeof *images };

static void gradients_of_vit(void **state) {
    if (sizeof(gls_real) == 4) skip();
    for (int i = 0; i < IMAGES; i++) {
        gls_context *ctx = check_context(1, false);
        check_data d = check_data_create(3, 3, 8, 12, 5, 0);
        gls_problem *p = check_model(ctx, images[i].family, images[i].options, &d.info);
        assert_true(check_differences(p, &d.batch, GLS_MODE_TRAIN, 1e-4) < 1e-6);
        assert_true(check_hessian(p, &d.batch, GLS_MODE_TRAIN) < 1e-6);
        gls_problem_destroy(p);
        check_data_destroy(&d);
        gls_context_destroy(ctx);
    }
}

static void questions_of_vit(void **state) {
    for (int i = 0; i < IMAGES; i++) {
        gls_context *ctx = check_context(1, false);
        check_data d = check_data_create(ROWS, 3, 8, 12, 5, 0);
        gls_problem *p = check_model(ctx, images[i].family, images[i].options, &d.info);
        check_questions_of(p, &d.batch, sizeof(gls_real) == 4 ? 2e-4 : 1e-12);
        gls_problem_destroy(p);
        check_data_destroy(&d);
        gls_context_destroy(ctx);
    }
}

/* ---- what layers give ---- */

static gls_real *outputs(gls_problem *p, const gls_batch *batch, const gls_real *w) {
    check_run run = check_run_create(p, batch, GLS_WANT_OUTPUTS, GLS_MODE_EVALUATE);
    gls_real *y = calloc((size_t)(batch->rows * p->outputs), sizeof *y);
    check_run_at(&run, w);
    assert_int_equal(gls_ask_outputs(run.e, y), GLS_OK);
    check_run_destroy(&run);
    return y;
}

static void patches_come_line_by_line(void **state) {
    enum { C = 2, H = 4, W = 6, P = 2 };
    gls_context *ctx = check_context(1, false);
    check_data d = check_data_create(3, C, H, W, 0, C * P * P);
    gls_problem *p = check_model(ctx, "layers", "{layers: [{patches: {size: 2}}, global_pool]}", &d.info);
    gls_real none[1] = {0}, *y = outputs(p, &d.batch, none);
    for (int r = 0; r < 3; r++)
        for (int k = 0; k < C * P * P; k++) {
            double mean = 0;
            for (int t = 0; t < H * W / P / P; t++) {
                int row = t / (W / P) * P + k / P % P, column = t % (W / P) * P + k % P;
                mean += d.x[((r * C + k / P / P) * H + row) * W + column] / (H * W / P / P);
            }
            assert_true(fabs(y[r * C * P * P + k] - mean) < 1e-6);
        }
    free(y);
    gls_problem_destroy(p);
    p = check_model(ctx, "layers", "{layers: [{patches: {size: 2}}, first]}", &d.info);
    y = outputs(p, &d.batch, none);
    for (int k = 0; k < C * P * P; k++) assert_true(y[k] == d.x[(k / P / P * H + k / P % P) * W + k % P]);
    free(y);
    gls_problem_destroy(p);
    check_data_destroy(&d);
    gls_context_destroy(ctx);
}

/* A text ends with its separator, and what is behind the last segment is of the last one. */
static void segments_are_counted(void **state) {
    enum { LONG = 8, KINDS = 5 };
    static const int32_t token[LONG] = {4, 1, 2, 2, 1, 3, 1, 0}, segment[LONG] = {0, 0, 1, 1, 1, 2, 2, 2};
    gls_context *ctx = check_context(1, false);
    check_data d = check_tokens_create(1, KINDS, LONG, 0);
    memcpy(d.token, token, sizeof token);
    gls_problem *p =
        check_model(ctx, "layers", "{layers: [{embedding: {dim: 5}}, {segments: {count: 3, separator: 1}}]}", &d.info);
    gls_real *w = check_weights(p), *y = outputs(p, &d.batch, w);
    for (int t = 0; t < LONG; t++)
        for (int k = 0; k < KINDS; k++)
            assert_true(y[t * KINDS + k] == w[token[t] * KINDS + k] + w[(KINDS + segment[t]) * KINDS + k]);
    free(w);
    free(y);
    gls_problem_destroy(p);
    check_data_destroy(&d);
    gls_context_destroy(ctx);
}

/* 15 tokens of a row, alone and in front of padding: the same label; of a span the same outputs, and padding is never
 * chosen. */
static void padding_changes_nothing(void **state) {
    enum { SHORT = 15 };
    for (int spans = 0; spans < 2; spans++) {
        gls_context *ctx = check_context(1, false);
        check_data d = check_tokens_create(2, WORDS, LENGTH, 3), cut = check_tokens_create(2, WORDS, SHORT, 3);
        int32_t document[2 * LENGTH];
        for (int t = 0; t < 2 * LENGTH; t++) {
            document[t] = t % LENGTH < SHORT ? 0 : -1;
            if (t % LENGTH < SHORT) cut.token[t / LENGTH * SHORT + t % LENGTH] = d.token[t];
        }
        d.batch.document = document;
        d.info.documents = GLS_DOCUMENTS_PADDED;
        d.info.separator = cut.info.separator = SEPARATOR;
        if (spans) d.info.target = cut.info.target = GLS_TARGET_SPAN;
        if (spans) d.info.classes = LENGTH, cut.info.classes = SHORT;
        gls_problem *p = check_model(ctx, "bert", "{dim: 8, heads: 2, positions: 36}", &d.info);
        gls_problem *q = check_model(ctx, "bert", "{dim: 8, heads: 2, positions: 36}", &cut.info);
        gls_real *w = check_weights(p), *y = outputs(p, &d.batch, w), *z = outputs(q, &cut.batch, w);
        int64_t all = spans ? LENGTH : 3, some = spans ? SHORT : 3;
        for (int64_t k = 0; k < 2 * all * (spans ? 2 : 1); k++) {
            double gap = k % all < some ? y[k] - z[k / all * some + k % all] : 0;
            assert_true(fabs(gap) < (sizeof(gls_real) == 4 ? 1e-5 : 1e-12));
            if (k % all >= some) assert_true(y[k] < -1e8);
        }
        free(w), free(y), free(z);
        gls_problem_destroy(p);
        gls_problem_destroy(q);
        check_data_destroy(&d);
        check_data_destroy(&cut);
        gls_context_destroy(ctx);
    }
}

/* ---- scores and refusals ---- */

/* Both ends must be right; the loss is the mean of both. */
static void spans_are_scored_whole(void **state) {
    fixture f = make(&samples[5], ROWS);
    gls_real *w = check_weights(f.p), *z = outputs(f.p, &f.d.batch, w);
    check_run run = check_run_create(f.p, &f.d.batch, GLS_WANT_SCORES, GLS_MODE_EVALUATE);
    double expected = 0, loss = 0, score = 0;
    for (int r = 0; r < ROWS; r++) {
        int right = 0;
        for (int e = 0; e < 2; e++) {
            const gls_real *own = z + (2 * r + e) * LENGTH;
            int best = 0, label = r % 3 ? f.d.label[2 * r + e] : -1;
            double sum = 0;
            for (int t = 1; t < LENGTH; t++) best = own[t] > own[best] ? t : best;
            if (label < 0) label = f.d.label[2 * r + e] = best; /* every third row is right */
            for (int t = 0; t < LENGTH; t++) sum += exp(own[t] - own[best]);
            loss += (log(sum) + own[best] - own[label]) / 2;
            right += best == label;
        }
        expected += right == 2;
    }
    assert_true(fabs(check_loss(&run, w) / loss - 1) < 1e-5);
    assert_int_equal(gls_ask_scores(run.e, &score), GLS_OK);
    assert_true(score == expected && expected >= ROWS / 3);
    assert_string_equal(f.p->score[0], "exact_match");
    check_run_destroy(&run);
    free(w), free(z);
    end(&f);
}

static void refuse(const char *family, const char *options, const gls_data_info *info, const char *says) {
    gls_context *ctx = check_context(1, false);
    gls_value *value = NULL;
    gls_problem *p = NULL;
    assert_int_equal(gls_yaml_parse(ctx, "test", options, (int64_t)strlen(options), &value), GLS_OK);
    assert_int_not_equal(gls_model_create(ctx, family, value, info, &p), GLS_OK);
    if (!strstr(gls_context_message(ctx), says)) fail_msg("%s", gls_context_message(ctx));
    gls_value_destroy(ctx, value);
    gls_context_destroy(ctx);
}

static void refusals(void **state) {
    check_data text = check_tokens_create(2, WORDS, LENGTH, 3), image = check_data_create(2, 3, 8, 12, 5, 0);
    gls_data_info next = text.info, flat = image.info;
    next.target = GLS_TARGET_TOKENS;
    next.classes = WORDS;
    flat.dims = 1;
    flat.shape[0] = flat.features;
    refuse("bert", "{}", &next, "mask_tokens");
    refuse("bert", "{heads: 3}", &text.info, "3 heads do not divide dim 128");
    refuse("bert", "{positions: 35}", &text.info, "rows of 36 positions, but it has vectors for 35");
    refuse("bert", "{}", &image.info, "tokens");
    refuse("vit", "{patch: 5}", &image.info, "patches of 5 pixels a side do not divide [3, 8, 12]");
    refuse("vit", "{}", &text.info, "not images");
    refuse("vit", "{}", &flat, "not images");
    check_data_destroy(&text);
    check_data_destroy(&image);
}

static void labels_out_of_range(void **state) {
    for (int i = 3; i < SAMPLES; i += 2) {
        fixture f = make(&samples[i], 2);
        check_run run = check_run_create(f.p, &f.d.batch, GLS_WANT_LOSSES, GLS_MODE_TRAIN);
        gls_real *w = check_weights(f.p);
        f.d.label[1] = i == 3 ? 3 : LENGTH;
        assert_int_equal(gls_point_set(run.point, w), GLS_OK);
        assert_int_equal(gls_evaluate(run.e, &run.args), GLS_ERR_INPUT);
        assert_non_null(strstr(gls_context_message(f.ctx), i == 3 ? "label 3, expected 0 to 2" : "label 36, expected"));
        f.d.batch.length = LENGTH + 4;
        assert_int_equal(gls_evaluate(run.e, &run.args), GLS_ERR_ARGUMENT);
        assert_non_null(strstr(gls_context_message(f.ctx), "rows of 40 tokens, but the network was made for 36"));
        free(w);
        check_run_destroy(&run);
        end(&f);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gradients_of_bert),
        cmocka_unit_test(questions_of_bert),
        cmocka_unit_test(gradients_of_vit),
        cmocka_unit_test(questions_of_vit),
        cmocka_unit_test(patches_come_line_by_line),
        cmocka_unit_test(segments_are_counted),
        cmocka_unit_test(padding_changes_nothing),
        cmocka_unit_test(spans_are_scored_whole),
        cmocka_unit_test(refusals),
        cmocka_unit_test(labels_out_of_range),
    };
    return cmocka_run_group_tests_name("encoders", tests, NULL, NULL);
}
