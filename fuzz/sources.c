/* Data: the input is opened as a user's file would be. A source that opens must hold what its info says. */
#include "sources.h"
#include "base/yaml.h"
#include "shared.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The end of map and context. */
static void open_alone(gls_context *ctx, const char *format, const char *path, gls_value *map) {
    gls_source *source;
    if (gls_source_open(ctx, format, path, map, NULL, GLS_PART_TRAIN, NULL, &source) == GLS_OK)
        fuzz_check_rows(ctx, source);
    else if (!*gls_context_message(ctx) || source)
        abort();
    gls_source_destroy(source);
    gls_value_destroy(ctx, map);
    gls_context_destroy(ctx);
}

/* Opens the input as the main file of a format, or as the file that `option` names beside other content. */
static void open_file(const char *format, const uint8_t *data, size_t size, const char *option, const void *other,
                      size_t other_size) {
    gls_context *ctx = fuzz_context();
    fuzz_memory file = fuzz_file(data, size), second = fuzz_file(other, other_size);
    gls_value *map = gls_value_create(ctx, GLS_VALUE_MAP, NULL, NULL);
    if (option) {
        gls_value *labels =
            gls_value_create(ctx, GLS_VALUE_TEXT, "labels", strcmp(option, "labels") == 0 ? second.path : file.path);
        if (gls_value_append(ctx, map, labels) != GLS_OK) abort();
    }
    const char *path = option && strcmp(option, "main") == 0 ? second.path : file.path;
    open_alone(ctx, format, path, map);
    close(file.fd);
    close(second.fd);
}

static const char two_labels[] = "\0\0\10\1\0\0\0\2\1\0", two_images[] = "\0\0\10\2\0\0\0\2\0\0\0\2\1\2\3\4";

void fuzz_idx(const uint8_t *data, size_t size) {
    open_file("idx", data, size, "labels", two_labels, sizeof two_labels - 1);
}
void fuzz_idx_labels(const uint8_t *data, size_t size) {
    open_file("idx", data, size, "main", two_images, sizeof two_images - 1);
}
void fuzz_cifar(const uint8_t *data, size_t size) {
    open_file("cifar10", data, size, NULL, "", 0);
}
void fuzz_npy(const uint8_t *data, size_t size) {
    open_file("npy", data, size, NULL, "", 0);
}
/* The same bytes as features and as targets: both readers, and targets of any type. */
void fuzz_npy_targets(const uint8_t *data, size_t size) {
    open_file("npy", data, size, "labels", data, size);
}
void fuzz_png_labels(const uint8_t *data, size_t size) {
    open_file("images", data, size, "main", "", 0);
}

/* Words with a small vocabulary, then the file as the test set of the first half of it; then bytes, classes, answers.
 */
void fuzz_text(const uint8_t *data, size_t size) {
    gls_context *ctx = fuzz_context();
    fuzz_memory file = fuzz_file(data, size), half = fuzz_file(data, size / 2);
    static const char *const options[] = {"{length: 3, vocabulary: 20}", "{length: 3, min_count: 2}",
                                          "{length: 5, unit: byte}", "{length: 9, rows: labelled}",
                                          "{length: 9, rows: spans, texts: [2, 3], long: cut}"};
    for (size_t k = 0; k < sizeof options / sizeof *options; k++) {
        gls_value *map = NULL;
        gls_source *train, *test = NULL;
        if (gls_yaml_parse(ctx, "fuzz", options[k], (int64_t)strlen(options[k]), &map) != GLS_OK) abort();
        if (gls_source_open(ctx, "text", half.path, map, NULL, GLS_PART_TRAIN, NULL, &train) == GLS_OK) {
            fuzz_check_rows(ctx, train);
            if (gls_source_open(ctx, "text", file.path, map, NULL, GLS_PART_TEST, &train->info, &test) == GLS_OK)
                fuzz_check_rows(ctx, test);
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

/* A folder with this one image, as it is and scaled to a grey one of four pixels. */
void fuzz_picture(const uint8_t *data, size_t size) {
    static const char *const options[] = {"{alpha: channel, labels: %s}", "{channels: grey, size: 2, labels: %s}"};
    fuzz_memory file = fuzz_file(data, size);
    char labels[80], text[200];
    snprintf(labels, sizeof labels, "%s one\n", strrchr(file.path, '/') + 1);
    fuzz_memory list = fuzz_file(labels, strlen(labels));
    for (int k = 0; k < 2; k++) {
        gls_context *ctx = fuzz_picture_context();
        gls_value *map = NULL;
        int length = snprintf(text, sizeof text, options[k], list.path);
        if (gls_yaml_parse(ctx, "fuzz", text, length, &map) != GLS_OK) abort();
        open_alone(ctx, "images", "/proc/self/fd", map);
    }
    close(file.fd);
    close(list.fd);
}

/* A change nearly always breaks a checksum: also with the right ones. */
void fuzz_png(const uint8_t *data, size_t size) {
    uint8_t *right = fuzz_png_checksums(data, size);
    fuzz_picture(data, size);
    fuzz_picture(right, size);
    free(right);
}

/* Options are the first line where that is a map. The file is training set, and test set and rows after it. */
static void open_with_options(const char *format, const uint8_t *data, size_t size) {
    gls_context *ctx = fuzz_context();
    const uint8_t *line = memchr(data, '\n', size);
    size_t skip = line && data[0] == '{' ? (size_t)(line - data) + 1 : 0;
    gls_value *map = NULL;
    if (skip && gls_yaml_parse(ctx, "fuzz", (const char *)data, (int64_t)skip, &map) != GLS_OK) map = NULL;
    fuzz_memory file = fuzz_file(data + skip, size - skip);
    gls_source *train, *test = NULL;
    for (int part = GLS_PART_TEST; part <= GLS_PART_ROWS; part++) {
        gls_status status = gls_source_open(ctx, format, file.path, map, NULL, GLS_PART_TRAIN, NULL, &train);
        if (status != GLS_OK && !*gls_context_message(ctx)) abort();
        if (status == GLS_OK) fuzz_check_rows(ctx, train);
        if (status == GLS_OK &&
            gls_source_open(ctx, format, file.path, map, NULL, (gls_part)part, &train->info, &test) == GLS_OK)
            fuzz_check_rows(ctx, test);
        gls_source_destroy(test);
        gls_source_destroy(train);
        test = NULL;
    }
    gls_value_destroy(ctx, map);
    gls_context_destroy(ctx);
    close(file.fd);
}

void fuzz_csv(const uint8_t *data, size_t size) {
    open_with_options("csv", data, size);
}
void fuzz_libsvm(const uint8_t *data, size_t size) {
    open_with_options("libsvm", data, size);
}
void fuzz_labelled(const uint8_t *data, size_t size) {
    open_with_options("text", data, size);
}

/* As values, then as labels and as lengths of two rows of three frames. */
void fuzz_frames(const uint8_t *data, size_t size) {
    static const char *const keys[] = {NULL, "labels", "frames"};
    char rows[128 + 6 * sizeof(float)] = "\x93NUMPY\1\0\x76";
    int used = 10 + snprintf(rows + 10, 118, "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3, 1), }");
    memset(rows + used, ' ', (size_t)(127 - used));
    rows[127] = '\n';
    for (int k = 0; k < 3; k++) {
        gls_context *ctx = fuzz_context();
        fuzz_memory file = fuzz_file(data, size), values = fuzz_file(rows, sizeof rows);
        gls_value *map = gls_value_create(ctx, GLS_VALUE_MAP, NULL, NULL);
        if (k && gls_value_append(ctx, map, gls_value_create(ctx, GLS_VALUE_TEXT, keys[k], file.path)) != GLS_OK)
            abort();
        open_alone(ctx, "frames", k ? values.path : file.path, map);
        close(file.fd);
        close(values.fd);
    }
}

void fuzz_npz(const uint8_t *data, size_t size) {
    open_file("npz", data, size, NULL, "", 0);
}
