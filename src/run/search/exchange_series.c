/* The series of an exchange: its rows, and their JSON, which is also what a later call continues from. */
#include "run/search/exchange.h"

#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/io.h"

enum { LONGEST = 1 << 28 };

/* ---- rows ---- */

gls_exchange_row *gls_exchange_series_grow(gls_context *ctx, gls_exchange_series *series, int64_t examples) {
    gls_exchange_row *grown = gls_resize(ctx, series->row, series->rows + 1, sizeof *grown);
    if (!grown) return NULL;
    series->row = grown;
    grown += series->rows;
    *grown = (gls_exchange_row){.each = gls_alloc(ctx, 2 * examples, sizeof *grown->each)};
    if (!grown->each) return NULL;
    series->rows++;
    return grown;
}

static gls_sweep_stat stat(const double *x, int64_t n) {
    double mean = 0, squares = 0;
    for (int64_t i = 0; i < n; i++) mean += x[i] / (double)n;
    for (int64_t i = 0; i < n; i++) squares += (x[i] - mean) * (x[i] - mean);
    return (gls_sweep_stat){mean, n > 1 ? sqrt(squares / (double)(n - 1)) : NAN};
}

void gls_exchange_row_close(gls_exchange_row *row, int64_t examples) {
    row->distance = stat(row->each, examples);
    row->eps_stab = stat(row->each + examples, examples);
    row->gap = row->test_loss - row->train_loss;
}

void gls_exchange_series_clear(gls_context *ctx, gls_exchange_series *series) {
    for (int64_t i = 0; i < series->rows; i++) gls_free(ctx, series->row[i].each);
    gls_free(ctx, series->row);
    *series = (gls_exchange_series){.batch = series->batch};
}

/* ---- as JSON ---- */

static json_t *number(double x) {
    return isfinite(x) ? json_real(x) : json_null();
}

static json_t *numbers(const double *x, int64_t n) {
    json_t *list = json_array();
    for (int64_t i = 0; i < n; i++) json_array_append_new(list, number(x[i]));
    return list;
}

static json_t *stat_json(gls_sweep_stat stat) {
    return json_pack("{s:o, s:o}", "mean", number(stat.mean), "deviation", number(stat.deviation));
}

static json_t *row_json(const gls_exchange_row *r, int64_t n) {
    return json_pack("{s:f, s:I, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "epoch", r->epoch, "step",
                     (json_int_t)r->step, "distance", stat_json(r->distance), "eps_stab", stat_json(r->eps_stab), "gap",
                     number(r->gap), "train_loss", number(r->train_loss), "test_loss", number(r->test_loss),
                     "train_score", number(r->train_score), "test_score", number(r->test_score), "distances",
                     numbers(r->each, n), "eps_stabs", numbers(r->each + n, n));
}

static json_t *series_json(const gls_exchange *x, const gls_exchange_series *s) {
    json_t *rows = json_array(), *examples = json_array();
    for (int64_t i = 0; i < s->rows; i++) json_array_append_new(rows, row_json(&s->row[i], x->examples));
    for (int64_t k = 0; k < x->examples; k++) json_array_append_new(examples, json_integer(x->example[k]));
    return json_pack("{s:I, s:o, s:b, s:o}", "batch", (json_int_t)s->batch, "exchanged", examples, "diverged",
                     s->diverged, "rows", rows);
}

/* All digits: what is read back is what was written. */
static char *text_of(gls_context *ctx, json_t *object, const char *end) {
    char *text = object ? json_dumps(object, JSON_COMPACT | JSON_REAL_PRECISION(17)) : NULL;
    char *copy = text ? gls_sprintf(ctx, "%s%s", text, end) : NULL;
    free(text);
    json_decref(object);
    return copy;
}

char *gls_exchange_json(const gls_exchange *x) {
    if (!x) return NULL;
    json_t *all = json_object(), *list = json_array();
    for (int64_t b = 0; b < x->batches; b++) json_array_append_new(list, series_json(x, &x->series[b]));
    json_object_set_new(all, "interrupted", json_boolean(x->interrupted));
    json_object_set_new(all, "series", list);
    return text_of(x->ctx, all, "");
}

gls_status gls_exchange_series_write(const gls_exchange *x, const gls_exchange_series *s, const char *path) {
    char *text = text_of(x->ctx, series_json(x, s), "\n");
    gls_status status = text ? gls_write_text(x->ctx, path, text) : GLS_ERR_MEMORY;
    gls_free(x->ctx, text);
    return status;
}

/* ---- and back ---- */

static double real(const json_t *object, const char *key) {
    const json_t *value = json_object_get(object, key);
    return json_is_number(value) ? json_number_value(value) : NAN;
}

static void read_each(double *to, const json_t *list, int64_t n) {
    for (int64_t k = 0; k < n; k++) {
        const json_t *one = json_array_get(list, (size_t)k);
        to[k] = json_is_number(one) ? json_number_value(one) : NAN;
    }
}

static gls_status read_row(const gls_exchange *x, const json_t *from, gls_exchange_series *series) {
    gls_exchange_row *row = gls_exchange_series_grow(x->ctx, series, x->examples);
    if (!row) return GLS_ERR_MEMORY;
    row->epoch = real(from, "epoch");
    row->step = json_integer_value(json_object_get(from, "step"));
    row->train_loss = real(from, "train_loss");
    row->test_loss = real(from, "test_loss");
    row->train_score = real(from, "train_score");
    row->test_score = real(from, "test_score");
    read_each(row->each, json_object_get(from, "distances"), x->examples);
    read_each(row->each + x->examples, json_object_get(from, "eps_stabs"), x->examples);
    gls_exchange_row_close(row, x->examples);
    return GLS_OK;
}

static bool same_examples(const gls_exchange *x, const json_t *list) {
    bool same = (int64_t)json_array_size(list) == x->examples;
    for (int64_t k = 0; k < x->examples && same; k++)
        same = json_integer_value(json_array_get(list, (size_t)k)) == x->example[k];
    return same;
}

gls_status gls_exchange_series_read(const gls_exchange *x, const char *path, gls_exchange_series *series) {
    char *text = NULL;
    int64_t size;
    if (!gls_file_exists(path)) return GLS_OK;
    GLS_TRY(gls_read_file(x->ctx, path, LONGEST, &text, &size));
    json_t *all = json_loadb(text, (size_t)size, 0, NULL), *rows = json_object_get(all, "rows");
    gls_free(x->ctx, text);
    gls_status status = GLS_OK;
    if (!json_is_array(rows))
        status = gls_fail(x->ctx, GLS_ERR_INPUT, "%s: expected the series of an exchange", path);
    else if (!same_examples(x, json_object_get(all, "exchanged")))
        status = gls_fail(
            x->ctx, GLS_ERR_ARGUMENT,
            "%s: this folder is about other exchanged examples; expected the same ones, or another folder", path);
    for (size_t i = 0; i < json_array_size(rows) && status == GLS_OK; i++)
        status = read_row(x, json_array_get(rows, i), series);
    json_decref(all);
    return status;
}
