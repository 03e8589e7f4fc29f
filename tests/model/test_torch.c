/* The same weights in PyTorch, under the same names, give the same gradients, Hessian products, running statistics and
 * logits; batch norm's mini-batch of 128 is cut into slices here. Skipped where there is no PyTorch. */
#include "check.h"

#include <sys/stat.h>
#include <unistd.h>

#include <glissade/estimator.h>

static char folder[] = "/tmp/glissade_torch_XXXXXX";

static FILE *open_file(const char *kind, const char *suffix) {
    char path[256];
    snprintf(path, sizeof path, "%s/%s.%s", folder, kind, suffix);
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    return file;
}

static void write_layout(const char *kind, const gls_layout *layout, const gls_real *x) {
    FILE *text = open_file(kind, "txt"), *data = open_file(kind, "bin");
    for (int64_t b = 0; b < gls_layout_count(layout); b++) {
        const gls_block *block = gls_layout_block(layout, b);
        fprintf(text, "%s", block->name);
        for (int k = 0; k < block->dims; k++) fprintf(text, " %lld", (long long)block->shape[k]);
        fprintf(text, "\n");
        fwrite(x + block->offset, sizeof *x, (size_t)block->size, data);
    }
    fclose(text);
    fclose(data);
}

static void write_batch(const check_data *d) {
    FILE *text = open_file("batch", "txt"), *data = open_file("batch", "bin");
    long long rows = d->batch.rows, length = d->batch.length;
    if (length)
        fprintf(text, "x %lld %lld\nlabel %lld %lld\n", rows, length, rows, length);
    else
        fprintf(text, "x %lld 3 32 32\nlabel %lld\n", rows, rows);
    if (d->x) fwrite(d->x, sizeof *d->x, (size_t)(d->batch.rows * d->batch.features), data);
    for (int64_t t = 0; t < rows * length; t++) {
        gls_real token = (gls_real)d->token[t];
        fwrite(&token, sizeof token, 1, data);
    }
    for (int64_t i = 0; i < rows * (length ? length : 1); i++) {
        gls_real label = (gls_real)d->label[i];
        fwrite(&label, sizeof label, 1, data);
    }
    fclose(text);
    fclose(data);
}

/* A direction, and the Hessian in training mode times it; torch has only sums of losses. */
static void write_hessian(gls_problem *p, gls_pass *pass, const check_data *d, const gls_real *w, gls_real *g) {
    int64_t size = gls_problem_size(p);
    gls_real *v = calloc((size_t)size, sizeof *v);
    gls_random random = gls_random_create(21, "direction", 0, 0);
    for (int64_t i = 0; i < size; i++) v[i] = (gls_real)gls_random_normal(&random);
    write_layout("direction", gls_problem_layout(p), v);
    gls_batch_stream stream;
    gls_batch_stream_init(&stream, &d->batch);
    double mass = 0;
    memset(g, 0, (size_t)size * sizeof *g);
    assert_int_equal(gls_pass_hessian_vector(pass, w, v, &stream.stream, GLS_MODE_TRAIN, g, &mass), GLS_OK);
    write_layout("hessian", gls_problem_layout(p), g);
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
    write_layout("gradient", gls_problem_layout(p), g);
    write_hessian(p, pass, d, w, g);
    gls_problem_commit(p, gls_pass_state_next(pass));
    if (p->state) write_layout("state_next", p->state_layout, p->state);
    free(g);
    gls_pass_destroy(pass);
}

static void write_logits(gls_problem *p, const check_data *d, const gls_real *w) {
    check_run r = check_run_create(p, &d->batch, GLS_WANT_OUTPUTS, GLS_MODE_EVALUATE);
    gls_real *logits = calloc((size_t)(d->batch.rows * p->outputs), sizeof *logits);
    check_run_at(&r, w);
    assert_int_equal(gls_ask_outputs(r.e, logits), GLS_OK);
    FILE *text = open_file("logits", "txt"), *data = open_file("logits", "bin");
    fprintf(text, "logits %lld %lld\n", (long long)d->batch.rows, (long long)p->outputs);
    fwrite(logits, sizeof *logits, (size_t)(d->batch.rows * p->outputs), data);
    fclose(text);
    fclose(data);
    free(logits);
    check_run_destroy(&r);
}

static void compare(const char *family, const char *options, int64_t rows) {
    char script[512], command[1024];
    snprintf(script, sizeof script, "%s", __FILE__);
    snprintf(strrchr(script, '/') ? strrchr(script, '/') + 1 : script, 64, "torch_compare.py");
    if (access(script, R_OK) != 0 || access("/usr/bin/python3", X_OK) != 0) skip();
    gls_context *ctx = check_context(2, false);
    bool tokens = strcmp(family, "nplm") == 0 || strcmp(family, "lstm") == 0 || strcmp(family, "transformer") == 0;
    check_data d = tokens ? check_tokens_create(rows, 700, 12, 0) : check_data_create(rows, 3, 32, 32, 10, 0);
    gls_problem *p = check_model(ctx, family, options, &d.info);
    gls_real *w = check_weights(p);
    write_batch(&d);
    write_layout("weights", gls_problem_layout(p), w);
    write_layout("state", p->state_layout, p->state);
    write_training(p, &d, w);
    write_logits(p, &d, w);
    snprintf(command, sizeof command, "/usr/bin/python3 %s %s %s %d", script, folder, family, (int)sizeof(gls_real));
    int status = system(command);
    free(w);
    gls_problem_destroy(p);
    check_data_destroy(&d);
    gls_context_destroy(ctx);
    if (status == 77 << 8) skip();
    assert_int_equal(status, 0);
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

static int remove_folder(void **state) {
    char command[256];
    snprintf(command, sizeof command, "rm -r %s", folder);
    return system(command);
}

static int make_folder(void **state) {
    return mkdtemp(folder) ? 0 : -1;
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(mlp),        cmocka_unit_test(convnet),
                                       cmocka_unit_test(resnet20),   cmocka_unit_test(resnet20_group_norm),
                                       cmocka_unit_test(nplm),       cmocka_unit_test(lstm),
                                       cmocka_unit_test(transformer)};
    return cmocka_run_group_tests_name("torch", tests, make_folder, remove_folder);
}
