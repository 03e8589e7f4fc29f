/* What goes to PyTorch and is compared there: weights, batch, gradients, Hessian products, state, logits and loss in
 * safetensors files; torch_compare.py reads them. */
#ifndef GLS_TESTS_MODEL_TORCH_FILES_H
#define GLS_TESTS_MODEL_TORCH_FILES_H

#include "check.h"

#include <sys/stat.h>
#include <unistd.h>

#include <glissade/estimator.h>

#include "base/tensors.h"

static char folder[] = "/tmp/glissade_torch_XXXXXX";

static inline void write_arrays(gls_context *ctx, const char *kind, gls_arrays *arrays) {
    char path[256];
    snprintf(path, sizeof path, "%s/%s.safetensors", folder, kind);
    assert_int_equal(gls_tensors_write(ctx, path, arrays, NULL, 0), GLS_OK);
    gls_arrays_clear(ctx, arrays);
}

static inline void write_layout(gls_context *ctx, const char *kind, const gls_layout *layout, gls_real *x) {
    gls_arrays arrays = {0};
    assert_int_equal(gls_arrays_add_layout(ctx, &arrays, layout, "", x), GLS_OK);
    write_arrays(ctx, kind, &arrays);
}

static inline void write_reals(gls_context *ctx, const char *kind, int64_t rows, int64_t each, gls_real *x) {
    gls_arrays arrays = {0};
    int64_t shape[2] = {rows, each};
    assert_int_equal(gls_arrays_add(ctx, &arrays, kind, GLS_DTYPE_REAL, each ? 2 : 1, shape, x), GLS_OK);
    write_arrays(ctx, kind, &arrays);
}

static inline void write_batch(gls_context *ctx, const check_data *d) {
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
static inline void write_hessian(gls_problem *p, gls_pass *pass, const check_data *d, const gls_real *w, gls_real *g) {
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

static inline void write_training(gls_problem *p, const check_data *d, const gls_real *w) {
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

static inline void write_logits(gls_problem *p, const check_data *d, const gls_real *w) {
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
static inline check_data data_for(const char *peer, int64_t rows) {
    enum { WORDS = 700, BERT = 16 };
    static int32_t document[64 * BERT];
    if (strncmp(peer, "bert", 4) != 0) {
        bool images = strcmp(peer, "nplm") != 0 && strcmp(peer, "lstm") != 0 && strstr(peer, "transformer") != peer &&
                      strcmp(peer, "gpt2") != 0 && strstr(peer, "t5") != peer;
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
    d.info.documents = GLS_DOCUMENTS_PADDED;
    d.info.separator = 3;
    d.info.masked = words;
    if (spans) d.info.target = d.batch.target = GLS_TARGET_SPAN, d.info.classes = BERT;
    return d;
}

/* Row i is in stream i, whose row before it was, for every third, the first or second of the stream, and left noise. */
static inline void remember(check_data *d) {
    d->info.streams = d->batch.rows;
    d->info.examples = 3 * d->batch.rows;
    for (int64_t i = 0; i < d->batch.rows; i++) d->index[i] = i % 3 * d->batch.rows + i;
}

static inline void leave_noise(gls_problem *p) {
    gls_random random = gls_random_create(8, "remembered", 0, 0);
    for (int64_t b = 0; b < gls_layout_count(p->state_layout); b++) {
        const gls_block *block = gls_layout_block(p->state_layout, b);
        bool counts = strstr(block->name, ".rows") != NULL;
        for (int64_t k = 0; k < block->size; k++)
            p->state[block->offset + k] = counts ? (gls_real)(k % 3) : (gls_real)gls_random_normal(&random);
    }
}

/* python is the one that has PyTorch, and where it is a peer's the transformers of the Python that GLISSADE_PEERS
 * names.
 */
static inline void compare_with(const char *peer, const char *family, const char *options, int64_t rows) {
    char script[512], command[1024];
    snprintf(script, sizeof script, "%s", __FILE__);
    snprintf(strrchr(script, '/') ? strrchr(script, '/') + 1 : script, 64, "torch_compare.py");
    if (access(script, R_OK) != 0 || access("/usr/bin/python3", X_OK) != 0) skip();
    gls_context *ctx = check_context(2, false);
    check_data d = data_for(peer, rows);
    bool memory = strcmp(family, "transformer_xl") == 0;
    if (memory) remember(&d);
    gls_problem *p = check_model(ctx, family, options, &d.info);
    gls_real *w = check_weights(p);
    if (memory) leave_noise(p);
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

static inline int remove_folder(void **state) {
    char command[256];
    snprintf(command, sizeof command, "rm -r %s", folder);
    return system(command);
}

static inline int make_folder(void **state) {
    return mkdtemp(folder) ? 0 : -1;
}

#endif
