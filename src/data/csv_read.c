/* The rows of a table: every value becomes a number, a category's number or a missing value, as it is read. */
#include "data/csv.h"
#include "base/arith.h"
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static gls_status GLS_PRINTF(4, 5)
    bad_value(const gls_csv_reading *r, const gls_csv_column *c, int64_t line, const char *format, ...) {
    char text[400];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    return gls_fail(r->ctx, GLS_ERR_INPUT, "%s:%lld: column '%.80s': %s", r->path, (long long)line, c->name, text);
}

static uint32_t length_bit(int64_t length) {
    return (uint32_t)1 << gls_least(length, 31);
}

bool gls_csv_is_missing(const gls_csv_reading *r, const char *text, int64_t length) {
    const gls_texts *missing = &r->options->missing;
    if (!(r->missing_lengths[(unsigned char)*text] & length_bit(length))) return false;
    for (int64_t k = 0; k < missing->count; k++)
        if (strcmp(missing->item[k], text) == 0) return true;
    return false;
}

static gls_status store(gls_csv_reading *r, gls_csv_column *c, double value, int64_t line) {
    if (c->role != GLS_CSV_FEATURE) {
        r->side[r->rows * r->sides + c->place] = value;
        return GLS_OK;
    }
    gls_real cell = (gls_real)value;
    if (isinf(value)) return bad_value(r, c, line, "a number is too large");
    if (!isfinite(cell)) return bad_value(r, c, line, "%g is too large", value);
    r->cells[c->place] = cell;
    c->sum += value;
    c->values++;
    return GLS_OK;
}

/* Missing features are counted, and judged once all are known. */
static gls_status store_missing(gls_csv_reading *r, gls_csv_column *c, int64_t line) {
    if (c->role != GLS_CSV_FEATURE) return bad_value(r, c, line, "the value is missing");
    if (!c->missing++) c->missing_line = line;
    r->cells[c->place] = NAN;
    return GLS_OK;
}

static bool is_class(const gls_data_info *like, const char *text) {
    for (int64_t k = 0; k < like->classes; k++)
        if (strcmp(like->class_names[k], text) == 0) return true;
    return false;
}

/* A text that was not seen before. */
static gls_status check_new(gls_csv_reading *r, const gls_csv_column *c, const char *text, int64_t line) {
    bool classes = c->role == GLS_CSV_TARGET && r->like && r->like->class_names;
    if (classes && !is_class(r->like, text))
        return bad_value(r, c, line, "'%.80s' is not a class of the training set", text);
    if (c->role != GLS_CSV_FEATURE) return GLS_OK;
    /* A category's number is kept as a real, and floats hold whole numbers up to here. */
    if (gls_vocabulary_size(c->words) > 1 << 24) return bad_value(r, c, line, "more than %d different texts", 1 << 24);
    if (c->known && r->options->unknown == GLS_CSV_REFUSE)
        return bad_value(r, c, line,
                         "'%.80s' is not among the training set's values (data.unknown: zero in the training takes "
                         "such as none of them)",
                         text);
    if (!c->known && gls_vocabulary_size(c->words) > r->options->most_categories)
        return bad_value(r, c, line,
                         "'%.80s' is one text more than the %lld allowed (option most_categories); ignore: [%.80s] "
                         "leaves the column out",
                         text, (long long)r->options->most_categories, c->name);
    return GLS_OK;
}

static gls_status put_text(gls_csv_reading *r, gls_csv_column *c, const char *text, int64_t length, int64_t line) {
    if (gls_csv_is_missing(r, text, length)) return store_missing(r, c, line);
    if (!c->words) GLS_TRY(gls_vocabulary_create(r->ctx, &c->words));
    int64_t before = gls_vocabulary_size(c->words);
    int32_t number;
    GLS_TRY(gls_vocabulary_add(c->words, text, length, &number));
    if (number >= before) GLS_TRY(check_new(r, c, text, line));
    c->decided = c->texts = true;
    return store(r, c, number, line);
}

/* What other programs write for numbers that are none would else make texts of a column that begins with one. */
static bool is_infinite(const char *text) {
    char *end;
    double value = strtod(text, &end);
    return end > text && !*end && !isfinite(value);
}

static gls_status put_value(gls_csv_reading *r, gls_csv_column *c, const char *text, int64_t length, int64_t line) {
    const char *rest = text;
    double value;
    if (gls_scan_number(&rest, &value) && rest == text + length) {
        c->decided = true;
        return store(r, c, value, line);
    }
    if (gls_csv_is_missing(r, text, length)) return store_missing(r, c, line);
    if (!c->decided && is_infinite(text))
        return bad_value(
            r, c, line, "'%.80s' is not finite; `missing` takes it as missing, `categories` the column as texts", text);
    if (!c->decided) return put_text(r, c, text, length, line);
    return bad_value(
        r, c, line, "'%.80s' is not a number%s", text,
        c->role == GLS_CSV_FEATURE && !r->like
            ? " as those above it are; `categories` takes the column as texts, `missing` this one as missing"
            : "");
}

gls_status gls_csv_side_room(gls_csv_reading *r, int64_t rows) {
    if ((r->rows + rows) * r->sides <= r->side_room) return GLS_OK;
    int64_t room = r->side_room + r->side_room / 2 + (rows + 1024) * r->sides;
    double *side = gls_resize(r->ctx, r->side, room, sizeof *side);
    if (!side) return GLS_ERR_MEMORY;
    r->side = side;
    r->side_room = room;
    return GLS_OK;
}

static gls_status begin_row(gls_csv_reading *r) {
    GLS_TRY(gls_csv_side_room(r, 1));
    return gls_csv_source_row(r->source, r->rows, &r->cells);
}

static gls_status take_field(void *user, const char *text, int64_t length, int64_t j, int64_t line) {
    gls_csv_reading *r = user;
    if (!r->cells) GLS_TRY(begin_row(r));
    if (j >= r->columns) return GLS_OK; /* the record is refused when it ends */
    gls_csv_column *c = &r->column[j];
    if (c->role == GLS_CSV_IGNORED) return GLS_OK;
    return c->texts ? put_text(r, c, text, length, line) : put_value(r, c, text, length, line);
}

static gls_status end_row(void *user, int64_t fields, int64_t line) {
    gls_csv_reading *r = user;
    if (fields != r->columns)
        return gls_fail(r->ctx, GLS_ERR_INPUT, "%s:%lld: %lld fields, expected %lld as in the first line", r->path,
                        (long long)line, (long long)fields, (long long)r->columns);
    r->cells = NULL;
    r->rows++;
    return GLS_OK;
}

/* ---- the first record ---- */

static gls_status keep_first(gls_csv_reading *r, const char *text, int64_t j, int64_t line) {
    if (j >= GLS_CSV_MOST_COLUMNS)
        return gls_fail(r->ctx, GLS_ERR_INPUT, "%s:%lld: more than %d columns", r->path, (long long)line,
                        GLS_CSV_MOST_COLUMNS);
    if ((j & (j - 1)) == 0) { /* room for 2 j, or for 1 */
        char **grown = gls_resize(r->ctx, r->first, j ? 2 * j : 1, sizeof *grown);
        if (!grown) return GLS_ERR_MEMORY;
        r->first = grown;
    }
    r->first[r->firsts] = gls_strdup(r->ctx, text);
    return r->first[r->firsts++] ? GLS_OK : GLS_ERR_MEMORY;
}

static gls_status on_field(void *user, const char *text, int64_t length, int64_t j, int64_t line) {
    gls_csv_reading *r = user;
    return r->column ? take_field(r, text, length, j, line) : keep_first(r, text, j, line);
}

/* Without a header the first record is a row as well. */
static gls_status on_record(void *user, int64_t fields, int64_t line) {
    gls_csv_reading *r = user;
    if (r->column) return end_row(r, fields, line);
    GLS_TRY(gls_csv_columns(r));
    if (r->options->header) return GLS_OK;
    for (int64_t j = 0; j < r->columns; j++) GLS_TRY(take_field(r, r->first[j], (int64_t)strlen(r->first[j]), j, line));
    return end_row(r, fields, line);
}

gls_status gls_csv_read_in_order(gls_csv_reading *r, gls_delimited_chunk *chunk) {
    gls_delimited_sink sink = {r, on_field, on_record, NULL};
    return gls_delimited_parse(r->file, chunk, &r->line, &sink);
}

/* ---- the whole file ---- */

/* Delimiter: as given, or a tab where the name says .tsv or .tab. */
static gls_status choose_marks(const gls_csv_reading *r, char *delimiter, char *quote) {
    const char *given = r->options->delimiter, *marks = r->options->quote;
    if (given && strcmp(given, "\\t") == 0) given = "\t";
    if ((given && strlen(given) != 1) || (marks && strlen(marks) > 1))
        return gls_fail(r->ctx, GLS_ERR_ARGUMENT,
                        "csv: delimiter and quote: expected one character each (a tab as \\t, no quote as '')");
    const char *name = strrchr(r->path, '/') ? strrchr(r->path, '/') : r->path;
    bool tabs = strstr(name, ".tsv") || strstr(name, ".tab");
    *delimiter = given ? *given : tabs ? '\t' : ',';
    *quote = marks ? *marks : 0;
    if (*delimiter != *quote && !strchr("\r\n", *delimiter)) return GLS_OK;
    return gls_fail(r->ctx, GLS_ERR_ARGUMENT, "csv: delimiter and quote must differ, and be no ends of lines");
}

/* The values that are missing, by column, in one message. */
static gls_status judge_missing(const gls_csv_reading *r) {
    char text[600] = "";
    size_t used = 0;
    int64_t missing = 0;
    for (int64_t j = 0; j < r->columns; j++) {
        const gls_csv_column *c = &r->column[j];
        if (!c->missing) continue;
        missing += c->missing;
        if (used < 400)
            used += (size_t)snprintf(text + used, sizeof text - used, "%s'%.60s' %lld (first in line %lld)",
                                     used ? ", " : "", c->name, (long long)c->missing, (long long)c->missing_line);
    }
    if (!missing) return GLS_OK;
    const char *are = missing == 1 ? " is" : "s are";
    if (r->options->fill == GLS_CSV_REFUSE)
        return gls_fail(r->ctx, GLS_ERR_INPUT, "%s: %lld value%s missing: %s; option fill (zero, mean) fills them",
                        r->path, (long long)missing, are, text);
    gls_log(r->ctx, GLS_LOG_INFO, "%s: %lld value%s missing: %s", r->path, (long long)missing, are, text);
    return GLS_OK;
}

gls_status gls_csv_read(gls_csv_reading *r) {
    char delimiter = 0, quote = 0;
    GLS_TRY(choose_marks(r, &delimiter, &quote));
    for (int64_t k = 0; k < r->options->missing.count; k++) {
        const char *text = r->options->missing.item[k];
        r->missing_lengths[(unsigned char)*text] |= length_bit((int64_t)strlen(text));
    }
    r->line = 1;
    GLS_TRY(gls_delimited_open(r->ctx, r->path, delimiter, quote, &r->file));
    gls_status status = gls_csv_read_parts(r);
    gls_delimited_close(r->file);
    GLS_TRY(status);
    if (!r->rows) return gls_fail(r->ctx, GLS_ERR_INPUT, "%s: no examples", r->path);
    return judge_missing(r);
}
