/* Describes a set: its size and values, and what may be wrong with it, in one pass over the rows. */
#include "data/tokens.h"
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

typedef struct row_hash {
    XXH128_hash_t hash;
    int64_t index;
    int32_t label;
} row_hash;

typedef struct look {
    const gls_data_info *info;
    gls_description *out;
    int64_t kinds;        /* features that have values: all of dense rows, those that occur of sparse ones */
    int32_t *kind;        /* [kinds] ascending, of sparse rows; else NULL */
    double *least, *most; /* [kinds] over the values seen */
    int64_t *seen;        /* [kinds] values seen: all of dense rows, stored ones of sparse rows */
    double *total;        /* [kinds] sum of the finite ones */
    row_hash *hash;
    int64_t finite, nonzero;
    double *token_count; /* [vocabulary] of token rows, without what only fills a last row */
    int64_t tokens;
    double sum, y_sum;
    bool started, y_started;
} look;

static void look_at_value(look *l, int64_t feature, double v) {
    gls_description *d = l->out;
    l->seen[feature]++;
    if (!isfinite(v)) {
        d->nonfinite++;
        return;
    }
    if (l->seen[feature] == 1 || v < l->least[feature]) l->least[feature] = v;
    if (l->seen[feature] == 1 || v > l->most[feature]) l->most[feature] = v;
    l->finite++;
    l->nonzero += v != 0;
    l->total[feature] += v;
}

static void look_at_targets(look *l, const gls_batch *batch, int64_t i) {
    gls_description *d = l->out;
    if (l->info->target == GLS_TARGET_CLASS && batch->label[i] >= 0 && batch->label[i] < l->info->classes)
        d->class_count[batch->label[i]]++;
    for (int64_t t = 0; t < l->info->targets; t++) {
        double y = (double)batch->y[i * l->info->targets + t];
        if (!l->y_started || y < d->target_minimum) d->target_minimum = y;
        if (!l->y_started || y > d->target_maximum) d->target_maximum = y;
        l->y_started = true;
        l->y_sum += y;
    }
}

static XXH128_hash_t look_at_tokens(look *l, const gls_batch *batch, int64_t i) {
    const int32_t *token = batch->token + i * batch->length;
    const int32_t *label = gls_target_by_position(batch->target) ? batch->label + i * batch->length : NULL;
    const int32_t *document = batch->document ? batch->document + i * batch->length : NULL;
    for (int64_t t = 0; t < batch->length; t++) {
        if ((label && label[t] < 0) || (document && document[t] < 0)) continue;
        l->token_count[token[t]]++;
        l->tokens++;
    }
    return XXH3_128bits(token, (size_t)batch->length * sizeof *token);
}

static int compare_columns(const void *a, const void *b) {
    int32_t x = *(const int32_t *)a, y = *(const int32_t *)b;
    return (x > y) - (x < y);
}

static int64_t kind_of(const look *l, int32_t column) {
    return (const int32_t *)bsearch(&column, l->kind, (size_t)l->kinds, sizeof column, compare_columns) - l->kind;
}

/* A sparse row's hash covers its columns and its values, so that rows with equal values elsewhere differ. */
static gls_status look_at_rows(void *user, const gls_batch *batch, int64_t begin) {
    look *l = user;
    for (int64_t i = 0; i < batch->rows; i++) {
        int64_t before = l->nonzero, bad = l->out->nonfinite;
        row_hash *hash = &l->hash[begin + i];
        if (batch->row) {
            int64_t from = batch->row[i], count = batch->row[i + 1] - from;
            for (int64_t k = from; k < from + count; k++)
                look_at_value(l, kind_of(l, batch->column[k]), (double)batch->value[k]);
            XXH128_hash_t values = XXH3_128bits(batch->value + from, (size_t)count * sizeof *batch->value);
            hash->hash =
                XXH3_128bits_withSeed(batch->column + from, (size_t)count * sizeof *batch->column, values.low64);
            hash->hash.high64 ^= values.high64;
        } else if (batch->x) {
            const gls_real *x = batch->x + i * batch->features;
            for (int64_t j = 0; j < batch->features; j++) look_at_value(l, j, (double)x[j]);
            hash->hash = XXH3_128bits(x, (size_t)batch->features * sizeof *x);
        } else if (batch->token) {
            hash->hash = look_at_tokens(l, batch, i);
        }
        if (l->info->features && l->nonzero == before && l->out->nonfinite == bad) l->out->empty_rows++;
        hash->index = begin + i;
        hash->label = l->info->target == GLS_TARGET_CLASS ? batch->label[i] : 0;
        look_at_targets(l, batch, i);
    }
    return GLS_OK;
}

static int compare_hashes(const void *a, const void *b) {
    const row_hash *x = a, *y = b;
    int order = XXH128_cmp(&x->hash, &y->hash);
    return order ? order : (x->index > y->index) - (x->index < y->index);
}

static void count_duplicates(look *l) {
    qsort(l->hash, (size_t)l->info->examples, sizeof *l->hash, compare_hashes);
    for (int64_t i = 1, first = 0; i < l->info->examples; i++) {
        if (!XXH128_isEqual(l->hash[i].hash, l->hash[first].hash)) {
            first = i;
            continue;
        }
        l->out->duplicate_rows++;
        l->out->conflicting_rows += l->hash[i].label != l->hash[first].label;
    }
}

static void conclude(look *l) {
    gls_description *d = l->out;
    const gls_data_info *info = l->info;
    double values = (double)info->examples * (double)info->features;
    int64_t least = 0, most = 0;
    if (l->kinds < info->features) { /* features that never occur are 0 */
        d->constant_features = info->features - l->kinds;
        l->started = true;
    }
    for (int64_t j = 0; j < l->kinds; j++) {
        if (l->seen[j] < info->examples) { /* zeros that sparse rows leave out */
            if (!l->seen[j] || l->least[j] > 0) l->least[j] = 0;
            if (!l->seen[j] || l->most[j] < 0) l->most[j] = 0;
        }
        d->constant_features += l->least[j] == l->most[j];
        l->sum += l->total[j];
        if (!l->started || l->least[j] < d->minimum) d->minimum = l->least[j];
        if (!l->started || l->most[j] > d->maximum) d->maximum = l->most[j];
        l->started = true;
    }
    d->mean = values > 0 ? l->sum / (values - (double)d->nonfinite) : 0;
    d->density = values > 0 ? (double)l->nonzero / values : 0;
    d->target_mean = l->y_started ? l->y_sum / ((double)info->examples * (double)info->targets) : 0;
    for (int64_t k = 0; d->class_count && k < info->classes; k++) {
        int64_t count = d->class_count[k];
        d->missing_classes += count == 0;
        if (count && (!least || count < least)) least = count;
        if (count > most) most = count;
    }
    d->imbalance = least ? (double)most / (double)least : 0;
    if (info->features || info->length) count_duplicates(l);
}

/* ---- columns of a table ---- */

/* Bytes of the column's name in that of a feature, "column" or "column=text". */
static int64_t name_length(const char *feature) {
    return (int64_t)strcspn(feature, "=");
}

/* Whether feature j is a text of a column: it has no other values than 0 and 1. */
static bool is_text(const look *l, int64_t j) {
    return strchr(l->info->feature_names[j], '=') && l->least[j] >= 0 && l->most[j] <= 1;
}

/* The feature behind the last one of the column that begins at feature j. */
static int64_t column_end(const look *l, int64_t j) {
    const char *const *name = l->info->feature_names;
    int64_t length = name_length(name[j]) + 1, end = j + 1;
    while (is_text(l, j) && end < l->info->features && strncmp(name[j], name[end], (size_t)length) == 0) end++;
    return end;
}

static gls_status find_columns(gls_context *ctx, const look *l) {
    gls_description *d = l->out;
    const gls_data_info *info = l->info;
    if (!info->feature_names || info->sparse) return GLS_OK;
    for (int64_t j = 0; j < info->features; j = column_end(l, j)) d->columns++;
    d->column = gls_alloc(ctx, d->columns, sizeof *d->column);
    if (!d->column) return GLS_ERR_MEMORY;
    gls_description_column *c = d->column;
    for (int64_t j = 0, end; j < info->features; j = end, c++) {
        bool texts = is_text(l, j);
        const char *name = info->feature_names[j];
        end = column_end(l, j);
        *c = (gls_description_column){
            .name = gls_sprintf(ctx, "%.*s", (int)(texts ? name_length(name) : (int64_t)strlen(name)), name),
            .texts = texts ? end - j : 0,
            .first = j,
            .minimum = l->least[j],
            .maximum = l->most[j],
            .mean = l->total[j] / (double)info->examples};
        if (!c->name) return GLS_ERR_MEMORY;
    }
    return GLS_OK;
}

/* ---- text ---- */

typedef struct lines {
    gls_context *ctx;
    char *text;
    int64_t used, room;
    bool failed;
} lines;

/* A failed allocation is remembered until the end, so that callers need not check. */
static void GLS_PRINTF(2, 3) add(lines *l, const char *format, ...) {
    char piece[512];
    va_list args;
    va_start(args, format);
    vsnprintf(piece, sizeof piece, format, args);
    va_end(args);
    int64_t n = (int64_t)strlen(piece);
    if (l->used + n + 1 > l->room) {
        int64_t room = 2 * (l->used + n + 1) + 512;
        char *grown = gls_resize(l->ctx, l->text, room, 1);
        if (!grown) {
            l->failed = true;
            return;
        }
        l->text = grown;
        l->room = room;
    }
    memcpy(l->text + l->used, piece, (size_t)n + 1);
    l->used += n;
}

static void add_classes(lines *l, const gls_description *d) {
    enum { SHOWN = 30 };
    add(l, "%lld classes:", (long long)d->info.classes);
    for (int64_t k = 0; k < d->info.classes && k < SHOWN; k++)
        if (d->info.class_names)
            add(l, "%s %.60s %lld", k ? "," : "", d->info.class_names[k], (long long)d->class_count[k]);
        else
            add(l, "%s %lld: %lld", k ? "," : "", (long long)k, (long long)d->class_count[k]);
    add(l, "%s\n", d->info.classes > SHOWN ? ", ..." : "");
}

/* The places of the largest values, at most `most` of them, in descending order; returns how many. */
static int64_t find_largest(const double *value, int64_t count, int64_t most, int64_t *place) {
    int64_t n = 0;
    for (int64_t k = 0; k < count; k++) {
        int64_t at = n < most ? n++ : most;
        for (; at > 0 && value[k] > value[place[at - 1]]; at--)
            if (at < most) place[at] = place[at - 1];
        if (at < most) place[at] = k;
    }
    return n;
}

/* A text of a table on one line. */
static void add_one_text(lines *l, const char *text) {
    enum { SHOWN = 30 };
    char line[SHOWN + 1];
    size_t n = strlen(text);
    if (n > SHOWN)
        for (n = SHOWN; n && ((unsigned char)text[n] & 0xc0) == 0x80; n--) {
        } /* whole characters of UTF-8 */
    for (size_t k = 0; k < n; k++) line[k] = (unsigned char)text[k] < ' ' ? ' ' : text[k];
    line[n] = 0;
    add(l, "%s%s", n ? line : "(missing)", text[n] ? "..." : "");
}

static void add_columns(lines *l, const look *seen) {
    enum { SHOWN = 100, TEXTS = 4 };
    const gls_description *d = seen->out;
    for (int64_t j = 0; j < d->columns && j < SHOWN; j++) {
        const gls_description_column *c = &d->column[j];
        int64_t place[TEXTS], n = find_largest(seen->total + c->first, c->texts, TEXTS, place);
        add(l, "  %-24.60s ", c->name);
        if (c->texts)
            add(l, "%lld text%s:", (long long)c->texts, c->texts == 1 ? "" : "s");
        else
            add(l, "%.6g to %.6g, mean %.6g", c->minimum, c->maximum, c->mean);
        for (int64_t k = 0; k < n; k++) {
            add(l, "%s ", k ? "," : "");
            add_one_text(l, seen->info->feature_names[c->first + place[k]] + strlen(c->name) + 1);
            add(l, " %.3g%%", 100 * seen->total[c->first + place[k]] / (double)seen->info->examples);
        }
        add(l, "%s\n", c->texts > n ? ", ..." : "");
    }
    if (d->columns > SHOWN) add(l, "  and %lld columns more\n", (long long)(d->columns - SHOWN));
}

/* The most frequent tokens, by name where the targets are tokens too. */
static void add_tokens(lines *l, const look *seen) {
    enum { SHOWN = 8 };
    const gls_data_info *info = seen->info;
    int64_t used = 0, shown[SHOWN], n = find_largest(seen->token_count, info->vocabulary, SHOWN, shown);
    for (int64_t k = 0; k < info->vocabulary; k++) used += seen->token_count[k] > 0;
    add(l, "%lld tokens of %lld kinds, most often", (long long)seen->tokens, (long long)used);
    for (int64_t k = 0; k < n && seen->token_count[shown[k]]; k++) {
        double share = 100 * seen->token_count[shown[k]] / (double)seen->tokens;
        if (gls_token_names(info))
            add(l, "%s %.60s %.3g%%", k ? "," : "", gls_token_names(info)[shown[k]], share);
        else
            add(l, "%s %lld: %.3g%%", k ? "," : "", (long long)shown[k], share);
    }
    add(l, "\n");
}

/* A largest class of more than ten times the smallest is worth a note: accuracy then says little. */
static void add_trouble(lines *l, const gls_description *d) {
    const struct {
        int64_t count;
        const char *what;
    } trouble[] = {
        {d->nonfinite, "values that are NaN or infinite"},
        {d->constant_features, "constant features"},
        {d->empty_rows, "rows that are all zero"},
        {d->duplicate_rows, "rows equal to an earlier one"},
        {d->conflicting_rows, "of these with another class"},
        {d->missing_classes, "classes without an example"},
    };
    bool any = d->imbalance > 10;
    for (size_t i = 0; i < sizeof trouble / sizeof *trouble; i++) {
        if (trouble[i].count) add(l, "note: %lld %s\n", (long long)trouble[i].count, trouble[i].what);
        any |= trouble[i].count != 0;
    }
    if (d->imbalance > 10) add(l, "note: the largest class is %.3g times the smallest\n", d->imbalance);
    if (!any) add(l, "no trouble found in the values\n");
}

static gls_status write_text(gls_context *ctx, gls_description *d, const look *seen) {
    lines l = {.ctx = ctx};
    const gls_data_info *info = &d->info;
    add(&l, "%lld examples", (long long)info->examples);
    if (info->vocabulary)
        add(&l, " of %lld tokens, vocabulary %lld", (long long)info->length, (long long)info->vocabulary);
    else if (info->length)
        add(&l, " of at most %lld frames of %lld values", (long long)info->length,
            (long long)(info->features / info->length));
    else
        add(&l, " of %lld features", (long long)info->features);
    for (int i = 0; info->dims > 1 && !info->length && i < info->dims; i++)
        add(&l, "%s%lld%s", i ? " x " : " (", (long long)info->shape[i], i + 1 == info->dims ? ")" : "");
    add(&l, "%s\n", info->sparse ? ", sparse" : "");
    add_columns(&l, seen);
    if (info->target == GLS_TARGET_CLASS) add_classes(&l, d);
    if (info->target == GLS_TARGET_FRAMES || info->target == GLS_TARGET_SEQUENCE)
        add(&l, "labels: %s of %lld classes\n", info->target == GLS_TARGET_FRAMES ? "one at a frame," : "sequences",
            (long long)info->classes);
    if (info->targets)
        add(&l, "targets: %lld per row, %.6g to %.6g, mean %.6g\n", (long long)info->targets, d->target_minimum,
            d->target_maximum, d->target_mean);
    if (seen->tokens) add_tokens(&l, seen);
    if (info->features)
        add(&l, "values: %.6g to %.6g, mean %.6g, %.4g%% non-zero\n", d->minimum, d->maximum, d->mean,
            100 * d->density);
    add_trouble(&l, d);
    d->text = l.text;
    return l.failed ? GLS_ERR_MEMORY : GLS_OK;
}

/* Appends a batch's columns, dropping repetitions whenever the list has doubled. */
typedef struct gathered {
    gls_context *ctx;
    int32_t *column;
    int64_t count, room;
} gathered;

static void drop_repetitions(gathered *g) {
    int64_t kept = 0;
    if (g->count) qsort(g->column, (size_t)g->count, sizeof *g->column, compare_columns);
    for (int64_t k = 0; k < g->count; k++)
        if (!kept || g->column[k] != g->column[kept - 1]) g->column[kept++] = g->column[k];
    g->count = kept;
}

static gls_status gather_columns(void *user, const gls_batch *batch, int64_t begin) {
    gathered *g = user;
    int64_t more = batch->row[batch->rows];
    if (g->count + more > g->room) {
        drop_repetitions(g);
        int64_t room = 2 * g->count + more + 4096;
        int32_t *grown = gls_resize(g->ctx, g->column, room, sizeof *grown);
        if (!grown) return GLS_ERR_MEMORY;
        g->column = grown;
        g->room = room;
    }
    if (more) memcpy(g->column + g->count, batch->column, (size_t)more * sizeof *g->column);
    g->count += more;
    return GLS_OK;
}

/* Memory is for the features that occur: one row may have the index 2147483647 alone. */
static gls_status find_kinds(look *l, gls_context *ctx, const gls_source *source) {
    l->kinds = source->info.features;
    if (!source->info.sparse) return GLS_OK;
    gathered g = {.ctx = ctx};
    gls_status status = gls_source_scan(ctx, source, gather_columns, &g);
    drop_repetitions(&g);
    l->kind = g.column;
    l->kinds = g.count;
    return status;
}

/* Rows come in batches; what is kept are four numbers a feature, and a hash (32 bytes) of each example. */
gls_status gls_source_describe(gls_context *ctx, const gls_source *source, gls_description *out) {
    GLS_GIVEN(ctx, ctx, source, out);
    const gls_data_info *info = &source->info;
    *out = (gls_description){.info = *info};
    look l = {.info = info, .out = out};
    gls_status status = find_kinds(&l, ctx, source);
    l.least = gls_alloc(ctx, l.kinds, sizeof *l.least);
    l.most = gls_alloc(ctx, l.kinds, sizeof *l.most);
    l.seen = gls_alloc(ctx, l.kinds, sizeof *l.seen);
    l.total = gls_alloc(ctx, l.kinds, sizeof *l.total);
    l.hash = gls_alloc(ctx, info->examples, sizeof *l.hash);
    l.token_count = gls_alloc(ctx, info->vocabulary, sizeof *l.token_count);
    bool classes = info->target == GLS_TARGET_CLASS;
    if (classes) out->class_count = gls_alloc(ctx, info->classes, sizeof *out->class_count);
    bool room = l.least && l.most && l.seen && l.total && l.hash && l.token_count && (!classes || out->class_count);
    if (status == GLS_OK && !room) status = GLS_ERR_MEMORY;
    if (status == GLS_OK) status = gls_source_scan(ctx, source, look_at_rows, &l);
    if (status == GLS_OK) conclude(&l);
    if (status == GLS_OK) status = find_columns(ctx, &l);
    if (status == GLS_OK) status = write_text(ctx, out, &l);
    gls_free(ctx, l.kind);
    gls_free(ctx, l.least);
    gls_free(ctx, l.most);
    gls_free(ctx, l.seen);
    gls_free(ctx, l.total);
    gls_free(ctx, l.hash);
    gls_free(ctx, l.token_count);
    if (status != GLS_OK) gls_description_clear(ctx, out);
    return status;
}

void gls_description_clear(gls_context *ctx, gls_description *description) {
    if (!ctx || !description) return;
    for (int64_t j = 0; j < description->columns && description->column; j++)
        gls_free(ctx, description->column[j].name);
    gls_free(ctx, description->column);
    gls_free(ctx, description->class_count);
    gls_free(ctx, description->text);
    *description = (gls_description){0};
}
