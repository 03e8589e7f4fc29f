/* Writing a table: features as numbers under their names, then the target. */
#include "data/csv.h"
#include "base/io.h"
#include "base/text.h"
#include <stdio.h>
#include <string.h>

typedef struct output {
    gls_writer *writer;
    const gls_data_info *info;
    char delimiter;
    const char *target;
    char block[1 << 14];
    int64_t used;
    gls_status status;
} output;

static void put(output *o, const char *text, int64_t length) {
    if (o->used + length > (int64_t)sizeof o->block && o->status == GLS_OK) {
        o->status = gls_writer_write(o->writer, o->block, o->used);
        o->used = 0;
    }
    if (length > (int64_t)sizeof o->block && o->status == GLS_OK) o->status = gls_writer_write(o->writer, text, length);
    if (length > (int64_t)sizeof o->block || o->status != GLS_OK) return;
    memcpy(o->block + o->used, text, (size_t)length);
    o->used += length;
}

/* A text that would read back otherwise is quoted. */
static void put_text(output *o, const char *text) {
    int64_t length = (int64_t)strlen(text);
    const char marks[] = {o->delimiter, '"', '\r', '\n', 0};
    bool blank = length && (strchr(" \t", text[0]) || strchr(" \t", text[length - 1]));
    if (length && !strpbrk(text, marks) && !blank) {
        put(o, text, length);
        return;
    }
    put(o, "\"", 1);
    for (const char *p = text; *p; p++) put(o, *p == '"' ? "\"\"" : p, *p == '"' ? 2 : 1);
    put(o, "\"", 1);
}

static void put_number(output *o, double value) {
    char text[GLS_REAL_TEXT];
    int length = sizeof(gls_real) == 4 ? snprintf(text, sizeof text, "%.9g", value) : 0;
    if (!length) gls_text_from_real(text, value);
    put(o, text, length ? length : (int64_t)strlen(text));
}

static void put_target(output *o, const gls_batch *batch, int64_t i) {
    const gls_data_info *info = o->info;
    if (info->target == GLS_TARGET_CLASS && info->class_names)
        put_text(o, info->class_names[batch->label[i]]);
    else if (info->target == GLS_TARGET_CLASS)
        put_number(o, batch->label[i]);
    else
        put_number(o, (double)batch->y[i]);
}

static double value_of(const gls_batch *batch, int64_t i, int64_t j, int64_t *at) {
    if (batch->x) return (double)batch->x[i * batch->features + j];
    if (*at < batch->row[i + 1] && batch->column[*at] == j) return (double)batch->value[(*at)++];
    return 0;
}

static gls_status write_rows(void *user, const gls_batch *batch, int64_t begin) {
    output *o = user;
    for (int64_t i = 0; i < batch->rows; i++) {
        int64_t at = batch->row ? batch->row[i] : 0;
        for (int64_t j = 0; j < batch->features; j++) {
            if (j) put(o, &o->delimiter, 1);
            put_number(o, value_of(batch, i, j, &at));
        }
        if (o->info->target != GLS_TARGET_NONE) {
            put(o, &o->delimiter, 1);
            put_target(o, batch, i);
        }
        put(o, "\n", 1);
    }
    return o->status;
}

static void write_header(output *o) {
    char number[24];
    for (int64_t j = 0; j < o->info->features; j++) {
        if (j) put(o, &o->delimiter, 1);
        snprintf(number, sizeof number, "x%lld", (long long)(j + 1));
        put_text(o, o->info->feature_names ? o->info->feature_names[j] : number);
    }
    if (o->info->target != GLS_TARGET_NONE) {
        put(o, &o->delimiter, 1);
        put_text(o, o->target);
    }
    put(o, "\n", 1);
}

gls_status gls_csv_write(gls_context *ctx, const gls_source *source, const char *path, const gls_csv_options *options) {
    const gls_data_info *info = &source->info;
    bool classes = info->target == GLS_TARGET_CLASS;
    if (info->length || !info->features || (info->target == GLS_TARGET_REAL && info->targets != 1))
        return gls_fail(ctx, GLS_ERR_UNSUPPORTED, "%s: csv holds examples with features and at most one target", path);
    gls_source_say_dense(ctx, source, path, 2); /* "0," */
    output *o = gls_alloc(ctx, 1, sizeof *o);
    if (!o) return GLS_ERR_MEMORY;
    o->info = info;
    o->delimiter = strstr(path, ".tsv") || strstr(path, ".tab") ? '\t' : ',';
    if (options->delimiter && strlen(options->delimiter) == 1) o->delimiter = options->delimiter[0];
    o->target = options->target ? options->target : classes ? "class" : "target";
    gls_status status = gls_writer_open(ctx, path, &o->writer);
    if (status == GLS_OK) {
        write_header(o);
        status = gls_source_scan(ctx, source, write_rows, o);
        if (status == GLS_OK) status = gls_writer_write(o->writer, o->block, o->used);
        if (status == GLS_OK)
            status = gls_writer_commit(o->writer);
        else
            gls_writer_abort(o->writer);
    }
    gls_free(ctx, o);
    return status;
}
