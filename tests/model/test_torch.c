/* The same weights in PyTorch, under the same names, give the same gradients, Hessian products, running statistics and
 * logits; batch norm's mini-batch of 128 is cut into slices here. Skipped where there is no PyTorch. */
#include "check.h"

#include <sys/stat.h>
#include <unistd.h>

#include <glissade/estimator.h>

#include "base/tensors.h"

static char folder[] = "/tmp/glissade_torch_XXXXXX";

static void write_arrays(gls_context *ctx, const char *kind, gls_arrays *arrays) {
    char path[256];
    snprintf(path, sizeof path, "%s/%s.safetensors", folder, kind);
    assert_int_equal(gls_tensors_write(ctx, path, arrays, NULL, 0), GLS_OK);
    gls_arrays_clear(ctx, arrays);
}

static void write_layout(gls_context *ctx, const char *kind, const gls_layout *layout, gls_real *x) {
    gls_arrays arrays = {0};
    assert_int_equal(gls_arrays_add_layout(ctx, &arrays, layout, "", x), GLS_OK);
    write_arrays(ctx, kind, &arrays);
}

static void write_reals(gls_context *ctx, const char *kind, int64_t rows, int64_t each, gls_real *x) {
    gls_arrays arrays = {0};
    int64_t shape[2] = {rows, each};
    assert_int_equal(gls_arrays_add(ctx, &arrays, kind, GLS_DTYPE_REAL, each ? 2 : 1, shape, x), GLS_OK);
    write_arrays(ctx, kind, &arrays);
}

static void write_batch(gls_context *ctx, const check_data *d) {
    const gls_batch *b = &d->batch;
    int64_t labels = gls_batch_labels(b), tokens[2] = {b->rows, b->length}, image[4] = {b->rows, 3, 32, 32};
    int64_t label[2] = {b->rows, labels};
    gls_arrays arrays = {0};
    if (b->length)
        gls_arrays_add(ctx, &arrays, "x", GLS_I32, 2, tokens, d->token);
    else
        gls_arrays_add(ctx, &arrays, "x", GLS_DTYPE_REAL, 4, image, d->x);
    if (b->document) gls_arrays_add(ctx, &arrays, "document", GLS_I32, 2, tokens, (void *)(uintptr_t)b->document);
    assert_int_equal(gls_arrays_add(ctx, &arrays, "label", GLS_I32, labels > 1 ? 2 : 1, label, d->label), GLS_OK);
    write_arrays(ctx, "batch", &arrays);
}

/* A direction, and the Hessian in training mode times it; torch has only sums of losses. */
static void write_hessian(gls_problem *p, gls_pass *pass, const check_data *d, const gls_real *w, gls_real *g) {
    int64_t size = gls_problem_size(p);
    gls_real *v = calloc((size_t)size, sizeof *v);
    gls_random random = gls_random_create(21, "direction", 0, 0);
    for (int64_t i = 0; i < size; i++) v[i] = (gls_real)gls_random_normal(&random);
    write_layout(p->ctx, "direction", gls_problem_layout(p), v);
    gls_batch_stream stream;
    gls_batch_stream_init(&stream, &d->batch);
    double mass = 0;
    memset(g, 0, (size_t)size * sizeof *g);
    assert_int_equal(gls_pass_hessian_vector(pass, w, v, &stream.stream, GLS_MODE_TRAIN, g, &mass), GLS_OK);
    write_layout(p->ctx, "hessian", gls_problem_layout(p), g);
    free(v);
}

static void write_training(gls_problem *p, const check_data *d, const gls_real *w) {
    gls_pass *pass = NULL;
    gls_pass_options options = {.size = sizeof options, .slice = 24};
    assert_int_equal(gls_pass_create(p, &options, &pass), GLS_OK);
    gls_real *g = calloc((size_t)gls_problem_size(p), sizeof *g);
    gls_batch_stream stream;
    gls_batch_stream_init(&stream, &d->batch);
    gls_pass_request request = {
        .w = w, .rows = &stream.stream, .want = GLS_WANT_GRADIENT, .mode = GLS_MODE_TRAIN, .g = g};
    gls_pass_result result;
    assert_int_equal(gls_pass_run(pass, &request, &result), GLS_OK);
    write_layout(p->ctx, "gradient", gls_problem_layout(p), g);
    gls_real loss = (gls_real)result.loss;
    write_reals(p->ctx, "loss", 1, 0, &loss);
    write_hessian(p, pass, d, w, g);
    gls_problem_commit(p, gls_pass_state_next(pass));
    if (p->state) write_layout(p->ctx, "state_next", p->state_layout, p->state);
    free(g);
    gls_pass_destroy(pass);
}

static void write_logits(gls_problem *p, const check_data *d, const gls_real *w) {
    check_run r = check_run_create(p, &d->batch, GLS_WANT_OUTPUTS, GLS_MODE_EVALUATE);
    gls_real *logits = calloc((size_t)(d->batch.rows * p->outputs), sizeof *logits);
    check_run_at(&r, w);
    assert_int_equal(gls_ask_outputs(r.e, logits), GLS_OK);
    write_reals(p->ctx, "logits", d->batch.rows, p->outputs, logits);
    free(logits);
    check_run_destroy(&r);
}

/* Data for families of texts: 12 tokens a row and the next ones; of bert 16 with a separator here and there and padding
 * behind some, hidden words (a fourth of them), three labels or spans. */
static check_data data_for(const char *peer, int64_t rows) {
    enum { WORDS = 700, BERT = 16 };
    static int32_t document[64 * BERT];
    if (strncmp(peer, "bert", 4) != 0) {
        bool images = strcmp(peer, "nplm") != 0 && strcmp(peer, "lstm") != 0 && strcmp(peer, "transformer") != 0 &&
                      strcmp(peer, "gpt2") != 0;
        return images ? check_data_create(rows, 3, 32, 32, 10, 0) : check_tokens_create(rows, WORDS, 12, 0);
    }
    bool words = strcmp(peer, "bert_words") == 0, spans = strcmp(peer, "bert_spans") == 0;
    check_data d = check_tokens_create(rows, WORDS, BERT, words ? 0 : 3);
    for (int64_t t = 0; t < rows * BERT; t++) {
        int64_t place = t % BERT, row = t / BERT;
        document[t] = place < 6 + row % 11 ? 0 : -1;
        if (place == 2 + row % 4) d.token[t] = 3;
        if (words && (document[t] < 0 || (place + row) % 4)) d.label[t] = -1;
    }
    for (int64_t r = 0; r < rows; r++) {
        double hidden = 0;
        for (int64_t t = r * BERT; words && t < (r + 1) * BERT; t++) hidden += d.label[t] >= 0;
        if (words) d.mass[r] = hidden / BERT;
        if (spans) d.label[2 * r + 1] = (d.label[2 * r] = (int32_t)(r % 5)) + (int32_t)(r % 2);
    }
    d.batch.document = document;
    d.batch.spans = spans;
    d.info.documents = GLS_DOCUMENTS_PADDED;
    d.info.separator = 3;
    d.info.masked = words;
    if (spans) d.info.target = GLS_TARGET_SPAN, d.info.classes = BERT;
    return d;
}

/* python is the one that has PyTorch, and where it is a peer's the transformers of the Python that GLISSADE_PEERS
 * names.
 */
static void compare_with(const char *peer, const char *family, const char *options, int64_t rows) {
    char script[512], command[1024];
    snprintf(script, sizeof script, "%s", __FILE__);
    snprintf(strrchr(script, '/') ? strrchr(script, '/') + 1 : script, 64, "torch_compare.py");
    if (access(script, R_OK) != 0 || access("/usr/bin/python3", X_OK) != 0) skip();
    gls_context *ctx = check_context(2, false);
    check_data d = data_for(peer, rows);
    gls_problem *p = check_model(ctx, family, options, &d.info);
    gls_real *w = check_weights(p);
    write_batch(ctx, &d);
    write_layout(ctx, "weights", gls_problem_layout(p), w);
    write_layout(ctx, "state", p->state_layout, p->state);
    write_training(p, &d, w);
    write_logits(p, &d, w);
    snprintf(command, sizeof command, "/usr/bin/python3 %s %s %s %d", script, folder, peer, (int)sizeof(gls_real));
    int status = system(command);
    free(w);
    gls_problem_destroy(p);
    check_data_destroy(&d);
    gls_context_destroy(ctx);
    if (status == 77 << 8) skip();
    assert_int_equal(status, 0);
}

static void compare(const char *family, const char *options, int64_t rows) {
    compare_with(family, family, options, rows);
}

static void mlp(void **state) {
    compare("mlp", "{hidden: [96, 40]}", 20);
}
static void convnet(void **state) {
    compare("convnet", "{channels: 16, units: 50}", 20);
}
static void resnet20(void **state) {
    compare("resnet", "{depth: 20}", 128);
}

static void resnet20_group_norm(void **state) {
    compare("resnet", "{depth: 20, norm: group}", 12);
}

static void nplm(void **state) {
    compare("nplm", "{embedding: 60, window: 4, hidden: 60, tie: true}", 40);
}

static void lstm(void **state) {
    compare("lstm", "{embedding: 40, hidden: 40, depth: 2, tie: true}", 40);
}

static void transformer(void **state) {
    compare("transformer", "{dim: 40, heads: 4, tie: true}", 40);
}

/* The smallest shapes of transformers' models. */
static void bert_words(void **state) {
    compare_with("bert_words", "bert", "{dim: 128, heads: 2, depth: 2}", 24);
}
static void bert_labels(void **state) {
    compare_with("bert_labels", "bert", "{dim: 128, heads: 2, depth: 2}", 24);
}
static void bert_spans(void **state) {
    compare_with("bert_spans", "bert", "{dim: 128, heads: 2, depth: 2}", 24);
}
static void vit(void **state) {
    compare_with("vit", "vit", "{patch: 8, dim: 192, heads: 3, depth: 2}", 12);
}
static void gpt2(void **state) {
    compare_with("gpt2", "transformer", "{dim: 64, heads: 4, depth: 2, tie: true}", 24);
}

static int remove_folder(void **state) {
    char command[256];
    snprintf(command, sizeof command, "rm -r %s", folder);
    return system(command);
}

static int make_folder(void **state) {
    return mkdtemp(folder) ? 0 : -1;
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(mlp),         cmocka_unit_test(convnet),
                                       cmocka_unit_test(resnet20),    cmocka_unit_test(resnet20_group_norm),
                                       cmocka_unit_test(nplm),        cmocka_unit_test(lstm),
                                       cmocka_unit_test(transformer), cmocka_unit_test(bert_words),
                                       cmocka_unit_test(bert_labels), cmocka_unit_test(bert_spans),
                                       cmocka_unit_test(vit),         cmocka_unit_test(gpt2)};
    return cmocka_run_group_tests_name("torch", tests, make_folder, remove_folder);
}
