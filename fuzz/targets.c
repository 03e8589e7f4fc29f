/* The input becomes a file in memory, which is opened as a user's file would be. A source that opens must hold what its
 * info says: every row is fetched, features are finite, labels are classes. */
#include "targets.h"
#include "base/io.h"
#include "base/tensors.h"
#include "base/yaml.h"
#include "data/npy.h"
#include "data/tokenizer.h"
#include "report/run_folder.h"
#include <glissade/data.h>
#include <glissade/predict.h>
#include <glissade/run.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* No block over 64 MiB and no more than 512 MiB of them: a parser that trusts a size meets "out of memory", not the
 * machine's end. */
static size_t held;

static void *limited_allocate(void *user, size_t size, size_t alignment) {
    void *block = NULL;
    bool fits = size <= (size_t)64 << 20 && held + size <= (size_t)512 << 20;
    if (!fits || posix_memalign(&block, alignment, size) != 0) return NULL;
    held += size;
    return block;
}

static void limited_release(void *user, void *block, size_t size) {
    held -= size;
    free(block);
}

static gls_context *create_context(void) {
    gls_allocator allocator = {limited_allocate, limited_release, NULL};
    gls_context_options options = {.size = sizeof options, .threads = 1, .allocator = &allocator};
    gls_context *ctx;
    if (gls_context_create(&ctx, &options) != GLS_OK) abort();
    return ctx;
}

typedef struct memory_file {
    int fd;
    char path[64];
} memory_file;

static memory_file create_file(const void *data, size_t size) {
    memory_file file = {.fd = memfd_create("fuzz", 0)};
    if (file.fd < 0 || (size && write(file.fd, data, size) != (ssize_t)size)) abort();
    snprintf(file.path, sizeof file.path, "/proc/self/fd/%d", file.fd);
    return file;
}

static void check_rows(gls_context *ctx, const gls_source *source) {
    const gls_data_info *info = &source->info;
    int64_t values = info->examples * (info->sparse ? 1 : info->features + info->length);
    if (values > 1 << 20) return;
    gls_rows *rows;
    if (gls_rows_create(ctx, info, 1, &rows) != GLS_OK) return;
    for (int64_t i = 0; i < info->examples; i++) {
        gls_fetch fetch = {.count = 1, .index = &i};
        gls_batch b;
        if (gls_source_fetch(source, ctx, &fetch, rows, &b) != GLS_OK) abort();
        for (int64_t j = 0; b.x && j < info->features; j++)
            if (!isfinite(b.x[j])) abort();
        for (int64_t k = 0; b.row && k < b.row[1]; k++)
            if (!isfinite(b.value[k]) || b.column[k] < 0 || b.column[k] >= info->features) abort();
        for (int64_t t = 0; b.token && t < info->length; t++)
            if (b.token[t] < 0 || b.token[t] >= info->vocabulary || (b.next_tokens && b.label[t] >= info->vocabulary))
                abort();
        for (int64_t t = 0; b.label && !b.token && gls_target_by_position(info->target) && t < info->length; t++)
            if (b.label[t] >= info->classes) abort();
        if (b.spans && (b.label[0] < 0 || b.label[1] < b.label[0] || b.label[1] >= info->length)) abort();
        if (info->target == GLS_TARGET_CLASS && (b.label[0] < 0 || b.label[0] >= info->classes)) abort();
    }
    gls_rows_destroy(rows);
}

/* Opens the input as the main file of a format, or as the file that `option` names beside other content. */
static void open_file(const char *format, const uint8_t *data, size_t size, const char *option, const void *other,
                      size_t other_size) {
    gls_context *ctx = create_context();
    memory_file file = create_file(data, size), second = create_file(other, other_size);
    gls_value *map = gls_value_create(ctx, GLS_VALUE_MAP, NULL, NULL);
    if (option) {
        gls_value *labels =
            gls_value_create(ctx, GLS_VALUE_TEXT, "labels", strcmp(option, "labels") == 0 ? second.path : file.path);
        if (gls_value_append(ctx, map, labels) != GLS_OK) abort();
    }
    const char *path = option && strcmp(option, "main") == 0 ? second.path : file.path;
    gls_source *source;
    if (gls_source_open(ctx, format, path, map, NULL, GLS_PART_TRAIN, NULL, &source) == GLS_OK)
        check_rows(ctx, source);
    else if (!*gls_context_message(ctx) || source)
        abort();
    gls_source_destroy(source);
    gls_value_destroy(ctx, map);
    gls_context_destroy(ctx);
    close(file.fd);
    close(second.fd);
}

static const char two_labels[] = "\0\0\10\1\0\0\0\2\1\0", two_images[] = "\0\0\10\2\0\0\0\2\0\0\0\2\1\2\3\4";

static void run_libsvm(const uint8_t *data, size_t size) {
    open_file("libsvm", data, size, NULL, "", 0);
}
static void run_idx(const uint8_t *data, size_t size) {
    open_file("idx", data, size, "labels", two_labels, sizeof two_labels - 1);
}
static void run_idx_labels(const uint8_t *data, size_t size) {
    open_file("idx", data, size, "main", two_images, sizeof two_images - 1);
}
static void run_cifar(const uint8_t *data, size_t size) {
    open_file("cifar10", data, size, NULL, "", 0);
}
static void run_npy(const uint8_t *data, size_t size) {
    open_file("npy", data, size, NULL, "", 0);
}
/* The same bytes as features and as targets: both readers, and targets of any type. */
static void run_npy_targets(const uint8_t *data, size_t size) {
    open_file("npy", data, size, "labels", data, size);
}
static void run_png_labels(const uint8_t *data, size_t size) {
    open_file("images", data, size, "main", "", 0);
}

/* Words with a small vocabulary, then the file as the test set of the first half of it; then bytes, classes, answers.
 */
static void run_text(const uint8_t *data, size_t size) {
    gls_context *ctx = create_context();
    memory_file file = create_file(data, size), half = create_file(data, size / 2);
    static const char *const options[] = {"{length: 3, vocabulary: 20}", "{length: 3, min_count: 2}",
                                          "{length: 5, unit: byte}", "{length: 9, rows: labelled}",
                                          "{length: 9, rows: spans, texts: [2, 3], long: cut}"};
    for (size_t k = 0; k < sizeof options / sizeof *options; k++) {
        gls_value *map = NULL;
        gls_source *train, *test = NULL;
        if (gls_yaml_parse(ctx, "fuzz", options[k], (int64_t)strlen(options[k]), &map) != GLS_OK) abort();
        if (gls_source_open(ctx, "text", half.path, map, NULL, GLS_PART_TRAIN, NULL, &train) == GLS_OK) {
            check_rows(ctx, train);
            if (gls_source_open(ctx, "text", file.path, map, NULL, GLS_PART_TEST, &train->info, &test) == GLS_OK)
                check_rows(ctx, test);
        }
        if (!train && !*gls_context_message(ctx)) abort();
        gls_source_destroy(test);
        gls_source_destroy(train);
        gls_value_destroy(ctx, map);
    }
    gls_context_destroy(ctx);
    close(file.fd);
    close(half.fd);
}

/* A tokenizer, and a text for it. */
static void run_tokenizer(const uint8_t *data, size_t size) {
    static const char text[] = "The cat's  12 caf\303\251s,\n\n\346\227\245\346\234\254 \360\237\230\200 <mask> ";
    gls_context *ctx = create_context();
    memory_file file = create_file(data, size);
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

/* A folder with this one image. */
static void run_png(const uint8_t *data, size_t size) {
    gls_context *ctx = create_context();
    memory_file file = create_file(data, size);
    char labels[80];
    snprintf(labels, sizeof labels, "%s one\n", strrchr(file.path, '/') + 1);
    memory_file list = create_file(labels, strlen(labels));
    gls_value *map = gls_value_create(ctx, GLS_VALUE_MAP, NULL, NULL);
    if (gls_value_append(ctx, map, gls_value_create(ctx, GLS_VALUE_TEXT, "labels", list.path)) != GLS_OK ||
        gls_value_append(ctx, map, gls_value_create(ctx, GLS_VALUE_TEXT, "alpha", "channel")) != GLS_OK)
        abort();
    gls_source *source;
    if (gls_source_open(ctx, "images", "/proc/self/fd", map, NULL, GLS_PART_TRAIN, NULL, &source) == GLS_OK)
        check_rows(ctx, source);
    gls_source_destroy(source);
    gls_value_destroy(ctx, map);
    gls_context_destroy(ctx);
    close(file.fd);
    close(list.fd);
}

/* A table: its options are its first line, where that is a map. A second half that follows is the test set of it. */
static void run_csv(const uint8_t *data, size_t size) {
    gls_context *ctx = create_context();
    const uint8_t *line = memchr(data, '\n', size);
    size_t skip = line && data[0] == '{' ? (size_t)(line - data) + 1 : 0;
    gls_value *map = NULL;
    if (skip && gls_yaml_parse(ctx, "fuzz", (const char *)data, (int64_t)skip, &map) != GLS_OK) map = NULL;
    memory_file file = create_file(data + skip, size - skip);
    gls_source *train, *test = NULL;
    for (int part = GLS_PART_TEST; part <= GLS_PART_ROWS; part++) {
        gls_status status = gls_source_open(ctx, "csv", file.path, map, NULL, GLS_PART_TRAIN, NULL, &train);
        if (status != GLS_OK && !*gls_context_message(ctx)) abort();
        if (status == GLS_OK) check_rows(ctx, train);
        if (status == GLS_OK &&
            gls_source_open(ctx, "csv", file.path, map, NULL, (gls_part)part, &train->info, &test) == GLS_OK)
            check_rows(ctx, test);
        gls_source_destroy(test);
        gls_source_destroy(train);
        test = NULL;
    }
    gls_value_destroy(ctx, map);
    gls_context_destroy(ctx);
    close(file.fd);
}

/* As values, then as labels and as lengths of two rows of three frames. */
static void run_frames(const uint8_t *data, size_t size) {
    static const char *const keys[] = {NULL, "labels", "frames"};
    char rows[128 + 6 * sizeof(float)] = "\x93NUMPY\1\0\x76";
    int used = 10 + snprintf(rows + 10, 118, "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3, 1), }");
    memset(rows + used, ' ', (size_t)(127 - used));
    rows[127] = '\n';
    for (int k = 0; k < 3; k++) {
        gls_context *ctx = create_context();
        memory_file file = create_file(data, size), values = create_file(rows, sizeof rows);
        gls_value *map = gls_value_create(ctx, GLS_VALUE_MAP, NULL, NULL);
        if (k && gls_value_append(ctx, map, gls_value_create(ctx, GLS_VALUE_TEXT, keys[k], file.path)) != GLS_OK)
            abort();
        gls_source *source;
        if (gls_source_open(ctx, "frames", k ? values.path : file.path, map, NULL, GLS_PART_TRAIN, NULL, &source) ==
            GLS_OK)
            check_rows(ctx, source);
        else if (!*gls_context_message(ctx) || source)
            abort();
        gls_source_destroy(source);
        gls_value_destroy(ctx, map);
        gls_context_destroy(ctx);
        close(file.fd);
        close(values.fd);
    }
}

static void run_npz(const uint8_t *data, size_t size) {
    open_file("npz", data, size, NULL, "", 0);
}

/* Lines of any file, packed or not. */
static void run_reader(const uint8_t *data, size_t size) {
    gls_context *ctx = create_context();
    memory_file file = create_file(data, size);
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
    gls_context *ctx = create_context();
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
        check_rows(ctx, out);
    else if (!*gls_context_message(ctx) || out)
        abort();
    gls_source_destroy(out);
    gls_value_destroy(ctx, list);
    gls_context_destroy(ctx);
}

/* A configuration; its method and schedule sections make a method, its estimator section an estimator. */
static void run_config(const uint8_t *data, size_t size) {
    gls_context *ctx = create_context();
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
    gls_context *ctx = create_context();
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
    gls_context *ctx = create_context();
    memory_file file = create_file(data, size);
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

/* A trained model from its file. */
static void run_trained(const uint8_t *data, size_t size) {
    gls_context *ctx = create_context();
    memory_file file = create_file(data, size);
    gls_predictor *predictor;
    gls_status status = gls_predictor_open(ctx, file.path, &predictor);
    if ((status == GLS_OK) != (predictor != NULL) || (status != GLS_OK && !*gls_context_message(ctx))) abort();
    if (predictor && gls_predictor_outputs(predictor) < 1) abort();
    gls_predictor_destroy(predictor);
    gls_context_destroy(ctx);
    close(file.fd);
}

/* One file of a run's folder, whichever its first byte says, for the report. */
static void run_report(const uint8_t *data, size_t size) {
    static const char *const names[] = {"config.yaml", "metrics.jsonl", "measures.jsonl", "result.json"};
    char folder[] = "/dev/shm/glissade_fuzz_XXXXXX", path[64];
    gls_context *ctx = create_context();
    json_t *run = NULL;
    if (!size || !mkdtemp(folder)) {
        gls_context_destroy(ctx);
        return;
    }
    snprintf(path, sizeof path, "%s/%s", folder, names[data[0] % 4]);
    FILE *f = fopen(path, "w");
    if (!f || fwrite(data + 1, 1, size - 1, f) != size - 1 || fclose(f)) abort();
    if (gls_report_folder_read(ctx, folder, "fuzz", &run) != GLS_OK && !*gls_context_message(ctx)) abort();
    json_decref(run);
    gls_context_destroy(ctx);
    remove(path);
    rmdir(folder);
}

const fuzz_target fuzz_targets[] = {
    {"libsvm", run_libsvm},
    {"idx", run_idx},
    {"idx_labels", run_idx_labels},
    {"cifar10", run_cifar},
    {"npy", run_npy},
    {"npy_targets", run_npy_targets},
    {"npz", run_npz},
    {"frames", run_frames},
    {"csv", run_csv},
    {"jpeg", run_png},
    {"png", run_png},
    {"png_labels", run_png_labels},
    {"text", run_text},
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
