/* Format libsvm: lines `label qid:N index:value ...` with ascending indices from 1 or 0, into compressed sparse rows.
 * Rows to be predicted may leave the label out; a row of zeros is then written `1:0`, since an empty line is skipped.
 */
#include "data/sparse_rows.h"
#include "data/table.h"
#include "base/io.h"
#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct libsvm_options {
    int64_t features;
    int target, base;
} libsvm_options;

enum { BASE_0, BASE_1, BASE_AUTO };
enum { TARGET_AUTO, TARGET_CLASS, TARGET_REAL };
/* A line of 64 MiB has no line ends, so the file is of another kind. */
enum { LINE_LIMIT = 1 << 26 };

static const gls_option libsvm_table[] = {
    GLS_INT("features", libsvm_options, features, "0", 0, INT32_MAX,
            "number of features; 0: the largest index of the training file"),
    GLS_ENUM("target", libsvm_options, target, "auto", "auto|class|real",
             "auto: integers are classes and numbers at once, others numbers"),
    GLS_ENUM("base", libsvm_options, base, "1", "0|1|auto",
             "the first feature's index; auto: 0 if the file has an index 0, else 1"),
    {0},
};

typedef struct parser {
    gls_context *ctx;
    gls_reader *reader;
    gls_owned_arrays *arrays;
    double *label;
    int64_t *line; /* [rows] where each one stands */
    int64_t rows, row_room, nonzeros, room;
    int base;             /* BASE_AUTO until an index 0 or the end of the file decides */
    int64_t width, limit; /* largest index seen, and features allowed */
    int64_t *query;       /* [rows] qid, or NULL: the first row has none */
    bool limit_of_training;
    bool integers;
    bool bare;            /* labels may be missing and are not kept */
    gls_stored *file;     /* rows that did not fit into memory, or NULL: all are in the arrays */
    int64_t kept, values; /* the first row in the arrays; non-zeros before it */
} parser;

/* Bytes of a non-zero in memory; where there is a file, so many values wait for it. */
enum { VALUE_BYTES = sizeof(int32_t) + sizeof(gls_real), WAITING = 1 << 16 };

static gls_status GLS_PRINTF(2, 3) bad_line(parser *p, const char *format, ...) {
    char text[256];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    return gls_fail(p->ctx, GLS_ERR_INPUT, "%s:%lld: %s", gls_reader_path(p->reader),
                    (long long)gls_reader_line_number(p->reader), text);
}

static bool blank(char c) {
    return c == ' ' || c == '\t' || c == '\r';
}

/* The word at p, short enough for a message. */
static int word_length(const char *p) {
    int n = 0;
    while (p[n] && !blank(p[n]) && n < 40) n++;
    return n;
}

/* Room for one more row, with its closing offset, and for `more` values. */
static gls_status grow(parser *p, int64_t more) {
    if (p->rows + 2 > p->row_room) {
        int64_t room = p->row_room ? p->row_room * 2 : 1024;
        int64_t *row = gls_resize(p->ctx, p->arrays->row, room, sizeof *row);
        if (row) p->arrays->row = row;
        double *label = row ? gls_resize(p->ctx, p->label, room, sizeof *label) : NULL;
        if (!label) return GLS_ERR_MEMORY;
        p->label = label;
        int64_t *line = gls_resize(p->ctx, p->line, room, sizeof *line);
        if (!line) return GLS_ERR_MEMORY;
        p->line = line;
        int64_t *query = p->query ? gls_resize(p->ctx, p->query, room, sizeof *query) : NULL;
        if (p->query && !query) return GLS_ERR_MEMORY;
        p->query = query;
        p->row_room = room;
    }
    if (p->nonzeros + more > p->room) {
        int64_t room = p->room * 2 > p->nonzeros + more ? p->room * 2 : p->nonzeros + more + 4096;
        int32_t *column = gls_resize(p->ctx, p->arrays->column, room, sizeof *column);
        if (column) p->arrays->column = column;
        gls_real *value = column ? gls_resize(p->ctx, p->arrays->value, room, sizeof *value) : NULL;
        if (!value) return GLS_ERR_MEMORY;
        p->arrays->value = value;
        p->room = room;
    }
    return GLS_OK;
}

/* The index as it is written: with BASE_AUTO columns keep it so until all are known. */
static gls_status check_index(parser *p, int64_t index, int64_t previous, const char *word) {
    if (index == 0 && p->base == BASE_1)
        return bad_line(p, "index 0: indices start at 1 (base: 0 says that they start at 0)");
    if (index == 0) p->base = BASE_0;
    int64_t most = p->limit - (p->base == BASE_0);
    if (index > most && p->limit_of_training)
        return bad_line(p, "index %lld, but there are %lld features (option features sets the width)", (long long)index,
                        (long long)p->limit);
    if (index > most) return bad_line(p, "index '%.*s' is too large", word_length(word), word);
    if (index <= previous)
        return bad_line(p, "index %lld after %lld: indices must ascend", (long long)index, (long long)previous);
    return GLS_OK;
}

/* An index stops growing once it is beyond INT32_MAX, the largest that a column can hold; it is then refused. */
static gls_status parse_pair(parser *p, const char **text, int64_t previous) {
    const char *s = *text, *word = s;
    int64_t index = 0;
    double value;
    for (; *s >= '0' && *s <= '9'; s++)
        if (index <= INT32_MAX) index = index * 10 + (*s - '0');
    if (s == word || *s != ':') return bad_line(p, "'%.*s': expected index:value", word_length(word), word);
    GLS_TRY(check_index(p, index, previous, word));
    s++;
    if (!gls_scan_number(&s, &value) || (*s && !blank(*s)))
        return bad_line(p, "'%.*s': expected a number after the colon", word_length(word), word);
    if (!isfinite((gls_real)value)) return bad_line(p, "'%.*s': the value is not finite", word_length(word), word);
    GLS_TRY(grow(p, 1));
    p->arrays->column[p->nonzeros] = (int32_t)index;
    p->arrays->value[p->nonzeros++] = (gls_real)value;
    if (index > p->width) p->width = index;
    *text = s;
    return GLS_OK;
}

/* The label at *text, if there must be one or there is one. */
static gls_status parse_label(parser *p, const char **text) {
    const char *s = *text, *word = s;
    double label;
    bool number = gls_scan_number(&s, &label);
    if (p->bare && number && *s == ':') return GLS_OK; /* the row begins with a value */
    if (!number || (*s && !blank(*s)))
        return bad_line(p, "'%.*s': expected a number as label", word_length(word), word);
    if (!isfinite((gls_real)label)) return bad_line(p, "'%.*s': the label is not finite", word_length(word), word);
    *text = s;
    p->label[p->rows] = label;
    p->integers &= fabs(label) <= INT32_MAX && label == floor(label);
    return GLS_OK;
}

/* `qid:N` behind the label, in every row or in none. */
static gls_status parse_query(parser *p, const char **text) {
    const char *s = *text;
    while (blank(*s)) s++;
    bool given = strncmp(s, "qid:", 4) == 0;
    if (p->rows == 0 && given && !p->query) {
        p->query = gls_alloc(p->ctx, p->row_room, sizeof *p->query);
        if (!p->query) return GLS_ERR_MEMORY;
    }
    if (given != (p->query != NULL))
        return bad_line(p, given ? "a qid, but the rows above have none" : "no qid, but the rows above have one");
    if (!given) return GLS_OK;
    char *end;
    errno = 0;
    long long value = strtoll(s + 4, &end, 10);
    if (errno || end == s + 4 || (*end && !blank(*end)) || !((s[4] >= '0' && s[4] <= '9') || s[4] == '-'))
        return bad_line(p, "'%.*s': expected a whole number after qid:", word_length(s), s);
    p->query[p->rows] = value;
    *text = end;
    return GLS_OK;
}

static gls_status put_rows(parser *p) {
    GLS_TRY(gls_sparse_rows_append(p->file, p->arrays->row + p->kept, p->rows - p->kept, p->arrays->column,
                                   p->arrays->value));
    p->kept = p->rows;
    p->values += p->nonzeros;
    p->nonzeros = 0;
    return GLS_OK;
}

/* Rows go to a file from where on they do not fit, those before them as well. */
static gls_status spill(parser *p) {
    if (p->file) return p->nonzeros < WAITING ? GLS_OK : put_rows(p);
    if (gls_bound_holds(p->ctx, p->room * VALUE_BYTES)) return GLS_OK;
    GLS_TRY(gls_stored_create(p->ctx, gls_reader_path(p->reader), &p->file));
    return put_rows(p);
}

static gls_status parse_line(parser *p, char *line, int64_t length) {
    if ((int64_t)strlen(line) != length) return bad_line(p, "a NUL byte");
    char *comment = strchr(line, '#');
    if (comment) *comment = 0;
    const char *s = line;
    while (blank(*s)) s++;
    if (!*s) return GLS_OK;
    GLS_TRY(grow(p, 0));
    GLS_TRY(parse_label(p, &s));
    GLS_TRY(parse_query(p, &s));
    int64_t previous = -1;
    for (;;) {
        while (blank(*s)) s++;
        if (!*s) break;
        GLS_TRY(parse_pair(p, &s, previous));
        previous = p->arrays->column[p->nonzeros - 1];
    }
    p->line[p->rows] = gls_reader_line_number(p->reader);
    p->arrays->row[++p->rows] = p->values + p->nonzeros;
    return spill(p);
}

static gls_status parse_lines(parser *p) {
    for (;;) {
        char *line;
        int64_t length;
        GLS_TRY(gls_reader_line(p->reader, LINE_LIMIT, &line, &length));
        if (!line) break;
        GLS_TRY(parse_line(p, line, length));
    }
    if (!p->rows) return gls_fail(p->ctx, GLS_ERR_INPUT, "%s: no examples", gls_reader_path(p->reader));
    return GLS_OK;
}

static gls_status set_targets(parser *p, const libsvm_options *o, const gls_data_info *like, gls_data_info *info) {
    const char *path = gls_reader_path(p->reader);
    info->target = GLS_TARGET_REAL;
    info->targets = 1;
    p->arrays->y = gls_alloc(p->ctx, p->rows, sizeof *p->arrays->y);
    if (!p->arrays->y) return GLS_ERR_MEMORY;
    for (int64_t i = 0; i < p->rows; i++) p->arrays->y[i] = (gls_real)p->label[i];
    bool classes = o->target == TARGET_CLASS || (o->target == TARGET_AUTO && p->integers);
    if (like && o->target == TARGET_AUTO)
        classes = like->target == GLS_TARGET_CLASS;
    else if (o->target == TARGET_AUTO && classes)
        classes = gls_classes_likely(p->label, p->rows);
    if (!classes) return GLS_OK;
    if (!p->integers)
        return gls_fail(p->ctx, GLS_ERR_INPUT, "%s: classes need integer labels, and these are not integers", path);
    if (o->target == TARGET_CLASS) {
        info->targets = 0;
        gls_free(p->ctx, p->arrays->y);
        p->arrays->y = NULL;
    }
    return gls_classes_from_integers(p->ctx, path, p->label, p->rows, p->line, like, info, &p->arrays->label);
}

/* Columns from 0. Where the training file's base was found by itself, another file without an index 0 says its own only
 * if it has the last index that base 1 allows. */
static gls_status settle_base(parser *p) {
    bool any = p->values + p->nonzeros > 0;
    if (p->base == BASE_AUTO && p->limit_of_training && p->width < p->limit && any)
        return gls_fail(p->ctx, GLS_ERR_INPUT,
                        "%s: neither index 0 nor %lld occurs, so that base: auto cannot tell where indices start; "
                        "expected base: 0 or base: 1",
                        gls_reader_path(p->reader), (long long)p->limit);
    if (p->base == BASE_AUTO) p->base = BASE_1;
    if (p->limit_of_training && p->base == BASE_0 && p->width >= p->limit && any)
        return gls_fail(p->ctx, GLS_ERR_INPUT, "%s: indices from 0 to %lld, but there are %lld features",
                        gls_reader_path(p->reader), (long long)p->width, (long long)p->limit);
    for (int64_t k = 0; p->base == BASE_1 && !p->file && k < p->nonzeros; k++) p->arrays->column[k]--;
    if (p->base == BASE_0) p->width++;
    return GLS_OK;
}

static void begin_parser(parser *p, const libsvm_options *o, gls_part part, const gls_data_info *like) {
    p->integers = true;
    p->limit = INT32_MAX;
    p->base = o->base;
    p->bare = part == GLS_PART_ROWS;
    int64_t width = o->features ? o->features : like ? like->features : 0;
    if (!width) return;
    p->limit = width;
    p->limit_of_training = true;
}

static gls_status parse_file(parser *p, const libsvm_options *o, const gls_data_info *like, gls_data_info *info) {
    GLS_TRY(parse_lines(p));
    GLS_TRY(settle_base(p));
    info->examples = p->rows;
    info->features = p->limit_of_training ? p->limit : p->width;
    info->sparse = true;
    return p->bare ? GLS_OK : set_targets(p, o, like, info);
}

static gls_status make_source(parser *p, const gls_data_info *info, gls_source **out) {
    gls_stored *file = p->file;
    if (!file) {
        gls_bound_take(p->ctx, p->nonzeros * VALUE_BYTES);
        return gls_source_own(p->ctx, info, p->arrays, out);
    }
    GLS_TRY(put_rows(p));
    p->file = NULL;
    return gls_sparse_rows_own(p->ctx, info, p->arrays, file, p->base == BASE_1, out);
}

static gls_status keep_queries(const int64_t *query, gls_source **out) {
    int64_t *key;
    gls_status status = gls_owned_column((gls_owned_source *)*out, "qid", &key);
    if (status == GLS_OK) {
        memcpy(key, query, (size_t)(*out)->info.examples * sizeof *key);
        return GLS_OK;
    }
    gls_source_destroy(*out);
    *out = NULL;
    return status;
}

static gls_status open_libsvm(gls_context *ctx, const char *path, const void *options, gls_part part,
                              const gls_data_info *like, gls_source **out) {
    gls_data_info info = {0};
    gls_owned_arrays arrays = {0};
    parser p = {.ctx = ctx, .arrays = &arrays};
    begin_parser(&p, options, part, like);
    GLS_TRY(gls_reader_open(ctx, path, &p.reader));
    gls_status status = parse_file(&p, options, like, &info);
    if (status == GLS_OK) status = make_source(&p, &info, out);
    gls_reader_close(p.reader);
    if (status == GLS_OK && p.query) status = keep_queries(p.query, out);
    gls_stored_close(p.file);
    gls_free(ctx, p.query);
    gls_free(ctx, p.label);
    gls_free(ctx, p.line);
    gls_owned_arrays_free(ctx, &arrays);
    gls_free(ctx, (void *)info.class_names);
    return status;
}

/* ---- writing ---- */

typedef struct output {
    gls_writer *writer;
    const gls_data_info *info;
    bool numeric; /* class names are numbers */
    int digits;
    int64_t values;       /* written so far */
    const int64_t *query; /* [examples] qid, or NULL */
} output;

static gls_status write_value(output *o, int64_t column, gls_real value) {
    o->values++;
    return gls_writer_printf(o->writer, " %lld:%.*g", (long long)column + 1, o->digits, (double)value);
}

static gls_status write_row(output *o, const gls_batch *batch, int64_t i) {
    if (o->info->target == GLS_TARGET_CLASS && o->numeric)
        GLS_TRY(gls_writer_printf(o->writer, "%s", o->info->class_names[batch->label[i]]));
    else if (o->info->target == GLS_TARGET_CLASS)
        GLS_TRY(gls_writer_printf(o->writer, "%d", (int)batch->label[i]));
    else if (o->info->target == GLS_TARGET_REAL)
        GLS_TRY(gls_writer_printf(o->writer, "%.*g", o->digits, (double)batch->y[i]));
    if (o->query) GLS_TRY(gls_writer_printf(o->writer, " qid:%lld", (long long)o->query[batch->index[i]]));
    int64_t before = o->values;
    if (batch->row)
        for (int64_t k = batch->row[i]; k < batch->row[i + 1]; k++)
            GLS_TRY(write_value(o, batch->column[k], batch->value[k]));
    else
        for (int64_t j = 0; j < batch->features; j++)
            if (batch->x[i * batch->features + j] != 0) GLS_TRY(write_value(o, j, batch->x[i * batch->features + j]));
    bool nothing = o->info->target == GLS_TARGET_NONE && o->values == before; /* an empty line would be skipped */
    return gls_writer_printf(o->writer, nothing ? " 1:0\n" : "\n");
}

static gls_status write_batch(void *user, const gls_batch *batch, int64_t begin) {
    for (int64_t i = 0; i < batch->rows; i++) GLS_TRY(write_row(user, batch, i));
    return GLS_OK;
}

static gls_status write_libsvm(gls_context *ctx, const gls_source *source, const char *path, const void *options) {
    const gls_data_info *info = &source->info;
    if (info->length || (info->target == GLS_TARGET_REAL && info->targets != 1))
        return gls_fail(ctx, GLS_ERR_UNSUPPORTED, "%s: libsvm holds one label per example", path);
    output o = {.info = info,
                .numeric = info->class_names != NULL,
                .digits = sizeof(gls_real) == 4 ? 9 : 17,
                .query = info->target == GLS_TARGET_NONE ? NULL : gls_source_column(source, "qid")};
    for (int64_t k = 0; o.numeric && k < info->classes; k++) {
        const char *text = info->class_names[k];
        double value;
        o.numeric = gls_scan_number(&text, &value) && !*text;
    }
    GLS_TRY(gls_writer_open(ctx, path, &o.writer));
    gls_status status = gls_source_scan(ctx, source, write_batch, &o);
    if (status == GLS_OK) return gls_writer_commit(o.writer);
    gls_writer_abort(o.writer);
    return status;
}

const gls_format gls_format_libsvm = {
    .member = {"libsvm", "LIBSVM text, sparse: label index:value ...", "", libsvm_table, sizeof(libsvm_options)},
    .bounded = true,
    .open = open_libsvm,
    .write = write_libsvm,
};
