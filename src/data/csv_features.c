/* What a table's columns become: one feature of a column of numbers, one of every category of a column of texts, named
 * "column" and "column=value"; then targets, weights and keys. */
#include "data/csv.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef struct category {
    const char *text;
    int32_t number;
} category;

static int by_text(const void *a, const void *b) {
    return strcmp(((const category *)a)->text, ((const category *)b)->text);
}

static bool is_text_feature(const gls_csv_column *c) {
    return c->role == GLS_CSV_FEATURE && c->texts;
}

/* ---- names ---- */

/* "a=b" as a column beside the categories of "a" would leave the two apart by luck only. */
static gls_status check_names(const gls_csv_reading *r) {
    for (int64_t j = 0; j < r->columns; j++) {
        const char *name = r->column[j].name, *sign = strchr(name, '=');
        size_t length = sign ? (size_t)(sign - name) : 0;
        for (int64_t k = 0; sign && r->column[j].role == GLS_CSV_FEATURE && k < r->columns; k++)
            if (is_text_feature(&r->column[k]) && strncmp(name, r->column[k].name, length) == 0 &&
                !r->column[k].name[length])
                return gls_fail(r->ctx, GLS_ERR_INPUT,
                                "%s: column '%.80s' is called like a category of column '%.80s'; rename one", r->path,
                                name, r->column[k].name);
    }
    return GLS_OK;
}

static gls_status name_feature(gls_csv_reading *r, const char **names, int64_t f, const gls_csv_column *c,
                               const char *value) {
    size_t length = strlen(c->name), more = value ? strlen(value) + 1 : 0;
    char *name = gls_arena_alloc(r->source->owned.arena, (int64_t)(length + more + 1), 1);
    if (!name) return GLS_ERR_MEMORY;
    memcpy(name, c->name, length + 1);
    if (value) {
        name[length] = '=';
        memcpy(name + length + 1, value, more);
    }
    names[f] = name;
    return GLS_OK;
}

/* ---- of a training set ---- */

/* Categories in alphabetical order, the missing one, "", before them. */
static gls_status lay_out_texts(gls_csv_reading *r, gls_csv_column *c, int32_t *place, const char **names, int64_t *f) {
    int64_t words = gls_vocabulary_size(c->words);
    category *order = gls_alloc(r->ctx, words, sizeof *order);
    if (!order) return GLS_ERR_MEMORY;
    for (int32_t k = 0; k < words; k++) order[k] = (category){gls_vocabulary_word(c->words, k), k};
    qsort(order, (size_t)words, sizeof *order, by_text);
    gls_status status = GLS_OK;
    if (c->missing) {
        c->feature = *f;
        status = name_feature(r, names, (*f)++, c, "");
    }
    for (int64_t k = 0; status == GLS_OK && k < words; k++) {
        place[order[k].number] = (int32_t)*f;
        status = name_feature(r, names, (*f)++, c, order[k].text);
    }
    gls_free(r->ctx, order);
    return status;
}

static int64_t count_features(const gls_csv_reading *r) {
    int64_t features = 0;
    for (int64_t j = 0; j < r->columns; j++) {
        const gls_csv_column *c = &r->column[j];
        if (c->role != GLS_CSV_FEATURE) continue;
        features += c->texts ? gls_vocabulary_size(c->words) + (c->missing > 0) : 1;
    }
    return features;
}

static gls_status lay_out_column(gls_csv_reading *r, gls_csv_column *c, int32_t *place, const char **names,
                                 int64_t *features) {
    if (c->texts) return lay_out_texts(r, c, place, names, features);
    if (!c->decided)
        return gls_fail(r->ctx, GLS_ERR_INPUT, "%s: column '%.80s' has no value; ignore: [%.80s] leaves it out",
                        r->path, c->name, c->name);
    c->feature = *features;
    return name_feature(r, names, (*features)++, c, NULL);
}

/* ---- cells ---- */

/* What a missing number becomes. */
static gls_real fill_of(const gls_csv_reading *r, const gls_csv_column *c) {
    if (r->options->fill != GLS_CSV_MEAN || c->texts) return 0;
    if (r->like && r->like->feature_fill) return r->like->feature_fill[c->feature];
    return (gls_real)(c->sum / (double)(c->values ? c->values : 1));
}

/* Categories that the training set does not know have no feature. */
static gls_status make_place(gls_csv_reading *r, const gls_csv_column *c, int32_t **place) {
    int64_t words = c->words ? gls_vocabulary_size(c->words) : 0;
    *place = gls_arena_alloc(r->source->owned.arena, words + 1, sizeof **place);
    if (!*place) return GLS_ERR_MEMORY;
    for (int64_t k = 0; k < words; k++)
        (*place)[k] = c->known && k < r->like->features && c->known[k] >= 0 ? (int32_t)c->known[k] : -1;
    return GLS_OK;
}

static gls_status lay_out(gls_csv_reading *r, gls_csv_cell *cell, const char **names, gls_real *fill) {
    int64_t features = 0;
    for (int64_t j = 0; j < r->columns; j++) {
        gls_csv_column *c = &r->column[j];
        if (c->role != GLS_CSV_FEATURE) continue;
        int32_t *place = NULL;
        if (c->texts) GLS_TRY(make_place(r, c, &place));
        if (!r->like) GLS_TRY(lay_out_column(r, c, place, names, &features));
        cell[c->place] = (gls_csv_cell){c->feature, fill_of(r, c), place};
        if (fill && !c->texts) fill[c->feature] = cell[c->place].fill;
    }
    return GLS_OK;
}

gls_status gls_csv_features(gls_csv_reading *r) {
    gls_csv_source *s = r->source;
    gls_data_info *info = &s->owned.source.info;
    info->examples = r->rows;
    info->features = r->like ? r->like->features : count_features(r);
    if (info->features > INT32_MAX)
        return gls_fail(r->ctx, GLS_ERR_INPUT, "%s: %lld features are too many", r->path, (long long)info->features);
    info->dims = 1;
    info->shape[0] = info->features;
    gls_csv_cell *cell = gls_arena_alloc(s->owned.arena, s->cells, sizeof *cell);
    const char **names = gls_arena_alloc(s->owned.arena, info->features, sizeof *names);
    bool mean = r->options->fill == GLS_CSV_MEAN;
    gls_real *fill = mean ? gls_arena_alloc(s->owned.arena, info->features, sizeof *fill) : NULL;
    if (!cell || !names || (mean && !fill)) return GLS_ERR_MEMORY;
    if (mean) memset(fill, 0, (size_t)info->features * sizeof *fill);
    if (!r->like) GLS_TRY(check_names(r));
    GLS_TRY(lay_out(r, cell, names, fill));
    s->cell = cell;
    info->feature_fill = fill;
    if (!r->like) info->feature_names = names;
    return r->like && r->like->feature_names
               ? gls_owned_texts(&s->owned, r->like->feature_names, info->features, &info->feature_names)
               : GLS_OK;
}
