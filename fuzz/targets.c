/* The table of targets, and those that are no data format. */
#include "targets.h"
#include "base/io.h"
#include "base/tensors.h"
#include "base/yaml.h"
#include "data/tokenizer.h"
#include "report/run_folder.h"
#include "shared.h"
#include "sources.h"
#include <glissade/predict.h>
#include <glissade/run.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* A tokenizer, and a text for it. */
static void run_tokenizer(const uint8_t *data, size_t size) {
    static const char text[] = "The cat's  12 caf\303\251s,\n\n\346\227\245\346\234\254 \360\237\230\200 <mask> ";
    gls_context *ctx = fuzz_context();
    fuzz_memory file = fuzz_file(data, size);
    gls_tokenizer *t;
    gls_token_list list = {0};
    if (gls_tokenizer_read(ctx, file.path, &t) != GLS_OK && (t || !*gls_context_message(ctx))) abort();
    if (t && gls_tokenizer_encode(t, text, sizeof text - 1, &list) == GLS_OK)
        for (int64_t k = 0; k < list.tokens; k++)
            if (list.token[k] < 0 || list.token[k] >= gls_tokenizer_size(t)) abort();
    gls_free(ctx, list.token);
    gls_tokenizer_destroy(t);
    gls_context_destroy(ctx);
    close(file.fd);
}

/* Lines of any file, packed or not. */
static void run_reader(const uint8_t *data, size_t size) {
    gls_context *ctx = fuzz_context();
    fuzz_memory file = fuzz_file(data, size);
    gls_reader *reader;
    if (gls_reader_open(ctx, file.path, &reader) == GLS_OK) {
        char *line = NULL;
        int64_t length, total = 0;
        while (total < 1 << 22 && gls_reader_line(reader, 1 << 20, &line, &length) == GLS_OK && line) {
            if (line[length] != 0) abort();
            total += length + 1;
        }
        gls_reader_close(reader);
    }
    gls_context_destroy(ctx);
    close(file.fd);
}

/* Option parsing: a list of transforms from YAML, applied to a small set. */
static void run_transforms(const uint8_t *data, size_t size) {
    gls_context *ctx = fuzz_context();
    gls_real x[4 * 9];
    int32_t label[4] = {0, 1, 2, 1};
    for (int i = 0; i < 36; i++) x[i] = (gls_real)i;
    gls_data_info info = {
        .examples = 4, .features = 9, .dims = 3, .shape = {1, 3, 3}, .target = GLS_TARGET_CLASS, .classes = 3};
    gls_value *list = NULL;
    gls_source *source, *out = NULL;
    if (gls_source_from_dense(ctx, x, label, NULL, &info, &source) != GLS_OK) abort();
    if (gls_yaml_parse(ctx, "fuzz", (const char *)data, (int64_t)size, &list) != GLS_OK)
        gls_source_destroy(source);
    else if (gls_transforms_apply(ctx, source, list, 1, NULL, &out) == GLS_OK)
        fuzz_check_rows(ctx, out);
    else if (!*gls_context_message(ctx) || out)
        abort();
    gls_source_destroy(out);
    gls_value_destroy(ctx, list);
    gls_context_destroy(ctx);
}

/* A configuration; its method and schedule sections make a method, its estimator section an estimator. */
static void run_config(const uint8_t *data, size_t size) {
    gls_context *ctx = fuzz_context();
    gls_value *config = NULL;
    gls_status status = gls_config_parse(ctx, "fuzz", (const char *)data, (int64_t)size, &config);
    if (status != GLS_OK && !*gls_context_message(ctx)) abort();
    const gls_value *spec = status == GLS_OK ? gls_value_get(config, "method") : NULL;
    const int64_t shape[1] = {4};
    gls_layout *layout = NULL;
    gls_method *method = NULL;
    if (gls_layout_create(ctx, &layout) != GLS_OK || gls_layout_add(layout, "w", 1, shape, 0) != GLS_OK) abort();
    gls_method_options options = {
        .size = sizeof options, .layout = layout, .spec = spec, .steps_per_epoch = 10, .total_steps = 100};
    if (spec && gls_method_create(ctx, &options, &method) == GLS_OK && gls_method_plain(method)) {
        gls_real w[4] = {1, 2, 3, 4}, g[4] = {1, 0, -1, 2};
        for (int k = 0; k < 3; k++)
            if (gls_method_step(method, w, g, NULL) != GLS_OK && !*gls_context_message(ctx)) abort();
    } else if (spec && !method && !*gls_context_message(ctx)) {
        abort();
    }
    gls_method_destroy(method);
    gls_layout_destroy(layout);
    gls_value_destroy(ctx, config);
    gls_context_destroy(ctx);
}

/* Overrides, one a line; what comes of them is written as YAML and must read back. */
static void run_overrides(const uint8_t *data, size_t size) {
    gls_context *ctx = fuzz_context();
    gls_value *config = NULL, *again = NULL;
    char *text = malloc(size + 1);
    if (!text || gls_config_parse(ctx, "fuzz", "", 0, &config) != GLS_OK) abort();
    memcpy(text, data, size);
    text[size] = 0;
    char *rest = text;
    for (char *line; (line = strsep(&rest, "\n"));)
        if (gls_config_set(ctx, config, line) != GLS_OK && !*gls_context_message(ctx)) abort();
    char *yaml = gls_config_text(ctx, config);
    if (yaml && gls_config_parse(ctx, "again", yaml, (int64_t)strlen(yaml), &again) != GLS_OK) abort();
    gls_free(ctx, yaml);
    gls_value_destroy(ctx, again);
    gls_value_destroy(ctx, config);
    free(text);
    gls_context_destroy(ctx);
}

/* A safetensors file: opened, and asked for one array. */
static void run_tensors(const uint8_t *data, size_t size) {
    gls_context *ctx = fuzz_context();
    fuzz_memory file = fuzz_tensors(data, size);
    gls_tensors *tensors = NULL;
    if (gls_tensors_open(ctx, file.path, &tensors) == GLS_OK) {
        float w[4];
        gls_arrays arrays = {0};
        if (gls_arrays_add_vector(ctx, &arrays, "w", GLS_F32, 4, w) == GLS_OK &&
            gls_tensors_restore(tensors, &arrays) != GLS_OK && !*gls_context_message(ctx))
            abort();
        gls_arrays_clear(ctx, &arrays);
    } else if (!*gls_context_message(ctx)) {
        abort();
    }
    gls_tensors_close(tensors);
    gls_context_destroy(ctx);
    close(file.fd);
}

/* Two rows of zeros, whatever the model has them of; NULL: too large, or another form. */
static gls_source *make_rows(gls_context *ctx, const gls_predictor *predictor, void *values, size_t size) {
    gls_data_info info = *gls_predictor_file_info(predictor);
    gls_source *rows = NULL;
    info.examples = 2;
    info.target = GLS_TARGET_NONE;
    if (info.sparse || info.streams || (info.length && !info.vocabulary)) return NULL;
    if ((size_t)info.features > size / sizeof(gls_real) / 2 || (size_t)info.length > size / sizeof(int32_t) / 2)
        return NULL;
    if (info.documents)
        gls_source_from_documents(ctx, values, NULL, values, &info, &rows);
    else if (info.vocabulary)
        gls_source_from_tokens(ctx, values, NULL, &info, &rows);
    else
        gls_source_from_dense(ctx, values, NULL, NULL, &info, &rows);
    return rows;
}

static void predict_rows(gls_context *ctx, gls_predictor *predictor) {
    static gls_real zeros[1 << 12], out[1 << 16];
    if (gls_predictor_outputs(predictor) > (int64_t)(sizeof out / sizeof *out) / 2) return;
    gls_source *rows = make_rows(ctx, predictor, zeros, sizeof zeros), *prepared = NULL;
    if (rows && gls_predictor_prepare(predictor, rows, &prepared) == GLS_OK &&
        gls_predictor_run(predictor, prepared, out) != GLS_OK && !*gls_context_message(ctx))
        abort();
    gls_source_destroy(prepared);
}

/* A trained model from its file, and what it says of two rows. */
static void run_trained(const uint8_t *data, size_t size) {
    gls_context *ctx = fuzz_context();
    fuzz_memory file = fuzz_tensors(data, size);
    gls_predictor *predictor;
    gls_status status = gls_predictor_open(ctx, file.path, &predictor);
    if ((status == GLS_OK) != (predictor != NULL) || (status != GLS_OK && !*gls_context_message(ctx))) abort();
    if (predictor && gls_predictor_outputs(predictor) < 1) abort();
    if (predictor) predict_rows(ctx, predictor);
    gls_predictor_destroy(predictor);
    gls_context_destroy(ctx);
    close(file.fd);
}

static void write_in(const char *folder, const char *name, const void *data, size_t size) {
    char path[64];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *f = fopen(path, "w");
    if (!f || fwrite(data, 1, size, f) != size || fclose(f)) abort();
}

static void remove_from(const char *folder, const char *name) {
    char path[64];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    if (unlink(path)) abort();
}

/* One file of a run's folder, whichever its first byte says, for the report; beside it a configuration that is whole,
 * without which nothing else is read. */
static void run_report(const uint8_t *data, size_t size) {
    static const char *const names[] = {"config.yaml", "metrics.jsonl", "measures.jsonl", "result.json", "scale.json"};
    static const char config[] = "train: {epochs: 1}\nmodel: {name: softmax}\nmethod: {name: sgd, lr: 0.1}\n";
    char folder[] = "/dev/shm/glissade_fuzz_XXXXXX";
    if (!size || !mkdtemp(folder)) return;
    int kind = (uint8_t)(data[0] - 'X') % (int)(sizeof names / sizeof *names);
    if (kind) write_in(folder, names[0], config, sizeof config - 1);
    write_in(folder, names[kind], data + 1, size - 1);
    gls_context *ctx = fuzz_context();
    json_t *run = NULL;
    if (gls_report_folder_read(ctx, folder, "fuzz", &run) != GLS_OK && !*gls_context_message(ctx)) abort();
    json_decref(run);
    gls_context_destroy(ctx);
    if (kind) remove_from(folder, names[0]);
    remove_from(folder, names[kind]);
    rmdir(folder);
}

const fuzz_target fuzz_targets[] = {
    {"libsvm", fuzz_libsvm},
    {"idx", fuzz_idx},
    {"idx_labels", fuzz_idx_labels},
    {"cifar10", fuzz_cifar},
    {"npy", fuzz_npy},
    {"npy_targets", fuzz_npy_targets},
    {"npz", fuzz_npz},
    {"frames", fuzz_frames},
    {"csv", fuzz_csv},
    {"jpeg", fuzz_picture},
    {"png", fuzz_png},
    {"png_labels", fuzz_png_labels},
    {"text", fuzz_text},
    {"labelled", fuzz_labelled},
    {"tokenizer", run_tokenizer},
    {"reader", run_reader},
    {"transforms", run_transforms},
    {"config", run_config},
    {"overrides", run_overrides},
    {"tensors", run_tensors},
    {"trained", run_trained},
    {"report", run_report},
    {NULL, NULL},
};
