#include "problem/rows.h"

#include <stdlib.h>
#include <string.h>

void rows_make(made_rows *rows, int64_t n, int64_t p, bool sparse, int64_t classes, int64_t targets, bool masses) {
    memset(rows, 0, sizeof *rows);
    gls_random random = gls_random_create(3, "rows", (uint64_t)(n + p), (uint32_t)classes);
    gls_real *x = rows->block[0] = calloc((size_t)(n * p) + 1, sizeof *x);
    int64_t *row = rows->block[1] = calloc((size_t)n + 1, sizeof *row);
    int32_t *column = rows->block[2] = calloc((size_t)(n * p) + 1, sizeof *column);
    int32_t *label = rows->block[3] = calloc((size_t)n, sizeof *label);
    gls_real *y = rows->block[4] = calloc((size_t)(n * targets) + 1, sizeof *y);
    int64_t *index = rows->block[5] = calloc((size_t)n, sizeof *index);
    int64_t *slot = rows->block[6] = calloc((size_t)n, sizeof *slot);
    double *mass = rows->block[7] = calloc((size_t)n, sizeof *mass);
    int64_t *key = rows->block[8] = calloc((size_t)n, sizeof *key);
    int64_t stored = 0;
    for (int64_t i = 0; i < n; i++) {
        for (int64_t j = 0; j < p; j++) {
            double value = gls_random_normal(&random);
            if (sparse && gls_random_uniform(&random) > 1.0 / 3) continue;
            x[sparse ? stored : i * p + j] = (gls_real)value;
            column[stored++] = (int32_t)j;
        }
        row[i + 1] = stored;
        if (classes) label[i] = (int32_t)gls_random_below(&random, classes);
        for (int64_t t = 0; t < targets; t++) y[i * targets + t] = (gls_real)gls_random_normal(&random);
        index[i] = i;
        slot[i] = i;
        mass[i] = 0.5 + 2 * gls_random_uniform(&random);
        key[i] = gls_random_below(&random, 5) * 10;
    }
    rows->info = (gls_data_info){.examples = n, .features = p, .dims = 1, .shape = {p}, .sparse = sparse};
    rows->info.target = classes ? GLS_TARGET_CLASS : targets ? GLS_TARGET_REAL : GLS_TARGET_NONE;
    rows->info.classes = classes;
    rows->info.targets = targets;
    rows->batch = (gls_batch){.rows = n, .features = p, .index = index, .slot = slot, .key = key, .draw = 9};
    if (sparse) {
        rows->batch.row = row;
        rows->batch.column = column;
        rows->batch.value = x;
    } else {
        rows->batch.x = x;
    }
    if (classes) rows->batch.label = label;
    if (targets) rows->batch.y = y;
    rows->batch.targets = targets;
    if (masses) rows->batch.mass = mass;
}

void rows_make_tokens(made_rows *rows, int64_t n, int64_t vocabulary, int64_t length) {
    rows_make(rows, n, 0, false, 0, 0, true);
    gls_random random = gls_random_create(4, "token rows", (uint64_t)n, (uint32_t)length);
    int32_t *token = rows->block[9] = calloc((size_t)(n * length), 2 * sizeof *token), *label = token + n * length;
    double *mass = rows->block[7];
    for (int64_t i = 0; i < n; i++) {
        int64_t labels = i % 3 == 2 ? length - 1 : length;
        for (int64_t t = i * length; t < (i + 1) * length; t++) {
            double u = gls_random_uniform(&random);
            token[t] = (int32_t)(u * u * (double)vocabulary);
            label[t] = t < i * length + labels ? (int32_t)gls_random_below(&random, vocabulary) : -1;
        }
        mass[i] = (double)labels / (double)length;
    }
    rows->info.length = rows->batch.length = length;
    rows->info.vocabulary = rows->info.classes = vocabulary;
    rows->info.target = rows->batch.target = GLS_TARGET_TOKENS;
    rows->batch.x = NULL;
    rows->batch.token = token;
    rows->batch.label = label;
}

void rows_mix(made_rows *rows) {
    int64_t n = rows->batch.rows;
    gls_random random = gls_random_create(5, "mixed rows", (uint64_t)n, 0);
    double *share = rows->block[9] = calloc((size_t)n, sizeof *share + sizeof(int32_t));
    int32_t *other = (int32_t *)(share + n);
    for (int64_t i = 0; i < n; i++) {
        share[i] = i % 4 ? gls_random_uniform(&random) : 1;
        other[i] = (int32_t)gls_random_below(&random, rows->info.classes);
    }
    rows->info.mixed = true;
    rows->batch.other_label = other;
    rows->batch.label_share = share;
}

void rows_free(made_rows *rows) {
    for (int i = 0; i < 10; i++) free(rows->block[i]);
}
