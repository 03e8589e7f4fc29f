/* Targets, weights and keys of a table, from the values that its rows keep beside the features. */
#include "data/csv.h"
#include <math.h>
#include <string.h>

static double side_of(const gls_csv_reading *r, int64_t row, const gls_csv_column *c) {
    return r->side[row * r->sides + c->place];
}

/* ---- targets ---- */

/* The texts of a column, borrowed; from gls_alloc. */
static const char **words_of(const gls_csv_reading *r, const gls_csv_column *c) {
    int64_t words = gls_vocabulary_size(c->words);
    const char **name = gls_alloc(r->ctx, words, sizeof *name);
    for (int64_t k = 0; name && k < words; k++) name[k] = gls_vocabulary_word(c->words, k);
    return name;
}

/* Classes are told apart by their texts, once each; rows then take their text's class. */
static gls_status text_classes(gls_csv_reading *r, const gls_csv_column *c, gls_data_info *info) {
    int64_t words = gls_vocabulary_size(c->words);
    const char **name = words_of(r, c);
    int32_t *class = NULL, *label = gls_alloc(r->ctx, r->rows, sizeof *label);
    r->source->label = label;
    gls_status status = name && label ? GLS_OK : GLS_ERR_MEMORY;
    if (status == GLS_OK) status = gls_classes_from_names(r->ctx, r->path, name, words, NULL, r->like, info, &class);
    for (int64_t i = 0; status == GLS_OK && i < r->rows; i++) label[i] = class[(int32_t)side_of(r, i, c)];
    gls_free(r->ctx, class);
    gls_free(r->ctx, name);
    return status;
}

static gls_status number_targets(gls_csv_reading *r, const gls_csv_column *c, gls_data_info *info) {
    double *value = gls_alloc(r->ctx, r->rows, sizeof *value);
    gls_real *y = r->source->y = gls_alloc(r->ctx, r->rows, sizeof *y);
    gls_status status = value && y ? GLS_OK : GLS_ERR_MEMORY;
    for (int64_t i = 0; status == GLS_OK && i < r->rows; i++) {
        value[i] = side_of(r, i, c);
        y[i] = (gls_real)value[i];
        if (!isfinite(y[i]))
            status = gls_fail(r->ctx, GLS_ERR_INPUT, "%s: column '%.80s': %g is too large", r->path, c->name, value[i]);
    }
    info->target = GLS_TARGET_REAL;
    info->targets = 1;
    bool classes = r->options->kind == GLS_CSV_AUTO &&
                   (r->like ? r->like->target == GLS_TARGET_CLASS : gls_classes_likely(value, r->rows));
    if (status == GLS_OK && classes)
        status = gls_classes_from_integers(r->ctx, r->path, value, r->rows, NULL, r->like, info, &r->source->label);
    gls_free(r->ctx, value);
    return status;
}

static gls_status set_targets(gls_csv_reading *r, const gls_csv_column *c) {
    gls_csv_source *s = r->source;
    gls_data_info *info = &s->owned.source.info;
    gls_status status = c->texts ? text_classes(r, c, info) : number_targets(r, c, info);
    const char *const *names = info->class_names; /* one block, to be copied */
    info->class_names = NULL;
    if (status == GLS_OK && names) status = gls_owned_class_names(&s->owned, names, info->classes);
    gls_free(r->ctx, (void *)names);
    return status;
}

/* ---- weights and keys ---- */

static gls_status set_weights(gls_csv_reading *r, const gls_csv_column *c) {
    r->source->mass = gls_alloc(r->ctx, r->rows, sizeof *r->source->mass);
    if (!r->source->mass) return GLS_ERR_MEMORY;
    for (int64_t i = 0; i < r->rows; i++) {
        r->source->mass[i] = side_of(r, i, c);
        if (!(r->source->mass[i] > 0) || !isfinite(r->source->mass[i]))
            return gls_fail(r->ctx, GLS_ERR_INPUT, "%s: column '%.80s': row %lld has weight %g; expected more than 0",
                            r->path, c->name, (long long)i, r->source->mass[i]);
    }
    r->source->owned.source.has_mass = true;
    return GLS_OK;
}

/* Whole numbers are themselves, texts are numbered in the order of their first appearance. */
static gls_status set_keys(gls_csv_reading *r, const gls_csv_column *c) {
    static const double most = 9007199254740992; /* 2^53: above, doubles leave whole numbers out */
    int64_t *key;
    GLS_TRY(gls_owned_column(&r->source->owned, c->name, &key));
    for (int64_t i = 0; i < r->rows; i++) {
        double value = side_of(r, i, c);
        if (!(fabs(value) <= most) || value != floor(value))
            return gls_fail(r->ctx, GLS_ERR_INPUT,
                            "%s: column '%.80s': row %lld has key %.17g; expected a whole number of at most 2^53, or "
                            "texts",
                            r->path, c->name, (long long)i, value);
        key[i] = (int64_t)value;
    }
    if (!c->texts) return GLS_OK;
    const char **name = words_of(r, c);
    gls_status status =
        name ? gls_owned_column_texts(&r->source->owned, c->name, name, gls_vocabulary_size(c->words)) : GLS_ERR_MEMORY;
    gls_free(r->ctx, name);
    return status;
}

gls_status gls_csv_targets(gls_csv_reading *r) {
    const gls_csv_column *target = gls_csv_find_role(r, GLS_CSV_TARGET);
    const gls_csv_column *weight = gls_csv_find_role(r, GLS_CSV_WEIGHT), *key = gls_csv_find_role(r, GLS_CSV_KEY);
    if (target) GLS_TRY(set_targets(r, target));
    if (weight) GLS_TRY(set_weights(r, weight));
    return key ? set_keys(r, key) : GLS_OK;
}
