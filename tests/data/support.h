/* What tests of data/ share: options from YAML, sources read back whole, files from text. */
#ifndef TESTS_DATA_SUPPORT_H
#define TESTS_DATA_SUPPORT_H

#include "base/support.h"
#include "base/yaml.h"
#include <glissade/data.h>
#include <math.h>

/* The value of a line of YAML, to be destroyed; NULL for NULL. */
static inline gls_value *yaml(gls_context *ctx, const char *text) {
    gls_value *value = NULL;
    if (text && gls_yaml_parse(ctx, "test", text, (int64_t)strlen(text), &value) != GLS_OK)
        fail_msg("%s", gls_context_message(ctx));
    return value;
}

static inline gls_status open_status(gls_context *ctx, const char *format, const char *path, const char *options,
                                     gls_part part, const gls_data_info *like, gls_source **out) {
    gls_value *value = yaml(ctx, options);
    gls_status status = gls_source_open(ctx, format, path, value, NULL, part, like, out);
    gls_value_destroy(ctx, value);
    return status;
}

static inline gls_source *open_ok(gls_context *ctx, const char *format, const char *path, const char *options) {
    gls_source *source;
    if (open_status(ctx, format, path, options, GLS_PART_TRAIN, NULL, &source) != GLS_OK)
        fail_msg("%s", gls_context_message(ctx));
    return source;
}

/* Applies a YAML list of transforms; the source is taken. fitted: the training set made by the same list, or NULL. */
static inline gls_source *transformed(gls_context *ctx, gls_source *source, const char *list, uint64_t seed,
                                      const gls_source *fitted) {
    gls_value *value = yaml(ctx, list);
    gls_source *out;
    if (gls_transforms_apply(ctx, source, value, seed, fitted ? gls_source_fitted(fitted) : NULL, &out) != GLS_OK)
        fail_msg("%s", gls_context_message(ctx));
    gls_value_destroy(ctx, value);
    return out;
}

/* All rows of a source in order; rows_out is to be destroyed. */
static inline gls_batch whole(gls_context *ctx, const gls_source *source, gls_rows **rows_out) {
    int64_t n = source->info.examples, *index = calloc((size_t)n + 1, sizeof *index);
    for (int64_t i = 0; i < n; i++) index[i] = i;
    gls_fetch fetch = {.count = n, .index = index};
    gls_batch batch;
    assert_int_equal(gls_rows_create(ctx, &source->info, n, rows_out), GLS_OK);
    if (gls_source_fetch(source, ctx, &fetch, *rows_out, &batch) != GLS_OK) fail_msg("%s", gls_context_message(ctx));
    batch.index = (*rows_out)->index;
    free(index);
    return batch;
}

/* Value j of row i, dense or sparse. */
static inline double value_at(const gls_batch *b, int64_t i, int64_t j) {
    if (b->x) return (double)b->x[i * b->features + j];
    for (int64_t k = b->row[i]; k < b->row[i + 1]; k++)
        if (b->column[k] == j) return (double)b->value[k];
    return 0;
}

/* Two sources hold the same features and targets to the bit. */
static inline void assert_same_source(gls_context *ctx, const gls_source *a, const gls_source *b) {
    gls_rows *ra, *rb;
    assert_int_equal(a->info.examples, b->info.examples);
    assert_int_equal(a->info.features, b->info.features);
    assert_int_equal(a->info.target, b->info.target);
    gls_batch x = whole(ctx, a, &ra), y = whole(ctx, b, &rb);
    for (int64_t i = 0; i < x.rows; i++) {
        for (int64_t j = 0; j < x.features; j++)
            if (value_at(&x, i, j) != value_at(&y, i, j))
                fail_msg("row %d, feature %d: %.17g and %.17g", (int)i, (int)j, value_at(&x, i, j), value_at(&y, i, j));
        if (a->info.target == GLS_TARGET_CLASS) assert_int_equal(x.label[i], y.label[i]);
        for (int64_t t = 0; t < a->info.targets && b->info.targets; t++)
            assert_true(x.y[i * x.targets + t] == y.y[i * x.targets + t]);
    }
    gls_rows_destroy(ra);
    gls_rows_destroy(rb);
}

/* FOLDER/name, in a buffer that four calls share. */
static inline const char *in_folder(const char *folder, const char *name) {
    static char path[4][1024];
    static int next;
    char *p = path[next++ % 4];
    snprintf(p, sizeof path[0], "%s/%s", folder, name);
    return p;
}

static inline void write_text(const char *path, const char *text) {
    write_bytes(path, text, strlen(text));
}

static inline void remove_folder(const char *folder) {
    char command[600];
    snprintf(command, sizeof command, "rm -rf '%s'", folder);
    assert_int_equal(system(command), 0);
}

#endif
