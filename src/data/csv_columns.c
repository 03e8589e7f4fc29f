/* The columns of a table: names from its first line, roles from the options, and features from the training set where
 * there is one. */
#include "data/csv.h"
#include "base/text.h"
#include <string.h>

static const char *column_at(const void *user, int64_t i) {
    const gls_csv_reading *r = user;
    return i < r->columns ? r->column[i].name : NULL;
}

static gls_csv_column *find(gls_csv_reading *r, const char *name) {
    for (int64_t j = 0; j < r->columns; j++)
        if (strcmp(r->column[j].name, name) == 0) return &r->column[j];
    return NULL;
}

const gls_csv_column *gls_csv_find_role(const gls_csv_reading *r, gls_csv_role role) {
    for (int64_t j = 0; j < r->columns; j++)
        if (r->column[j].role == role) return &r->column[j];
    return NULL;
}

/* ---- names ---- */

static bool is_number(const char *text) {
    double value;
    return gls_scan_number(&text, &value) && !*text;
}

static gls_status check_header(gls_csv_reading *r) {
    bool numbers = true;
    for (int64_t j = 0; j < r->columns; j++) numbers &= is_number(r->first[j]);
    if (numbers)
        return gls_fail(r->ctx, GLS_ERR_INPUT,
                        "%s:1: the first line holds numbers only; expected the columns' names (header: false says that "
                        "there are none)",
                        r->path);
    if (r->columns == 1 && !r->options->delimiter && strpbrk(r->first[0], ";\t|"))
        return gls_fail(r->ctx, GLS_ERR_INPUT, "%s:1: '%.80s' is one column; option delimiter says what parts columns",
                        r->path, r->first[0]);
    return GLS_OK;
}

static gls_status check_distinct(gls_csv_reading *r) {
    gls_vocabulary *names;
    GLS_TRY(gls_vocabulary_create(r->ctx, &names));
    gls_status status = GLS_OK;
    for (int64_t j = 0; status == GLS_OK && j < r->columns; j++) {
        const char *name = r->column[j].name;
        int32_t number = 0;
        status = gls_vocabulary_add(names, name, (int64_t)strlen(name), &number);
        if (status == GLS_OK && number < j)
            status = gls_fail(r->ctx, GLS_ERR_INPUT, "%s:1: columns %lld and %lld are both called '%.80s'", r->path,
                              (long long)number + 1, (long long)j + 1, name);
    }
    gls_vocabulary_destroy(names);
    return status;
}

/* Names are kept in the source's arena, since keys and features are called by them. */
static gls_status name_columns(gls_csv_reading *r) {
    gls_arena *arena = r->source->owned.arena;
    for (int64_t j = 0; j < r->columns; j++) {
        gls_csv_column *c = &r->column[j];
        c->unnamed = r->options->header && !r->first[j][0];
        bool numbered = c->unnamed || !r->options->header;
        char *number = numbered ? gls_sprintf(r->ctx, "%lld", (long long)(j + 1)) : NULL;
        const char *text = numbered ? number : r->first[j];
        char *name = text ? gls_arena_alloc(arena, (int64_t)strlen(text) + 1, 1) : NULL;
        if (name) c->name = strcpy(name, text);
        gls_free(r->ctx, number);
        if (!name) return GLS_ERR_MEMORY;
        c->feature = -1;
    }
    if (!r->options->header) return GLS_OK;
    GLS_TRY(check_header(r));
    return check_distinct(r);
}

/* ---- roles ---- */

static gls_status no_column(gls_csv_reading *r, const char *option, const char *name) {
    const char *nearest = gls_nearest(name, column_at, r);
    char all[GLS_NAMES_TEXT];
    gls_text_of_names(all, column_at, r);
    return gls_fail(r->ctx, GLS_ERR_INPUT, "%s: %s: there is no column '%s'%s%s%s; the columns are %.400s", r->path,
                    option, name, nearest ? "; did you mean '" : "", nearest ? nearest : "", nearest ? "'?" : "", all);
}

static gls_status has_part(const gls_csv_reading *r, const char *option, const char *name) {
    return gls_fail(r->ctx, GLS_ERR_ARGUMENT, "%s: %s: column '%s' has another part already", r->path, option, name);
}

/* A column that the training file has, and another file need not. */
static gls_status give_role(gls_csv_reading *r, const char *option, const char *name, gls_csv_role role, bool needed) {
    if (!name) return GLS_OK;
    gls_csv_column *c = find(r, name);
    if (!c) return needed ? no_column(r, option, name) : GLS_OK;
    if (c->given) return has_part(r, option, name);
    c->given = true;
    c->role = role;
    return GLS_OK;
}

static gls_status give_roles(gls_csv_reading *r) {
    const gls_csv_options *o = r->options;
    bool train = r->like == NULL, bare = r->part == GLS_PART_ROWS;
    for (int64_t j = 0; j < r->columns; j++) r->column[j].role = o->features.count ? GLS_CSV_IGNORED : GLS_CSV_FEATURE;
    for (int64_t k = 0; k < o->features.count; k++)
        GLS_TRY(give_role(r, "features", o->features.item[k], GLS_CSV_FEATURE, train));
    for (int64_t j = 0; j < r->columns; j++) r->column[j].unnamed &= !o->features.count;
    /* Rows to be predicted may have both, empty or of other classes: nobody reads them. */
    GLS_TRY(give_role(r, "target", o->target, bare ? GLS_CSV_IGNORED : GLS_CSV_TARGET, !bare));
    GLS_TRY(give_role(r, "weight", o->weight, bare ? GLS_CSV_IGNORED : GLS_CSV_WEIGHT, train && !bare));
    GLS_TRY(give_role(r, "key", o->key, GLS_CSV_KEY, train));
    for (int64_t k = 0; k < o->ignore.count; k++) {
        gls_csv_column *c = find(r, o->ignore.item[k]);
        if (!c && train) return no_column(r, "ignore", o->ignore.item[k]);
        if (c && c->given) return has_part(r, "ignore", c->name);
        if (c) c->given = true;
        if (c) c->role = GLS_CSV_IGNORED;
    }
    for (int64_t k = 0; k < o->categories.count; k++) {
        gls_csv_column *c = find(r, o->categories.item[k]);
        if (!c && train) return no_column(r, "categories", o->categories.item[k]);
        if (c) c->decided = c->texts = true;
    }
    for (int64_t j = 0; j < r->columns; j++)
        if (r->column[j].unnamed && r->column[j].role == GLS_CSV_FEATURE)
            return gls_fail(r->ctx, GLS_ERR_INPUT,
                            "%s:1: column %lld has no name (an index that another program wrote?); ignore: ['%lld'] "
                            "leaves it out",
                            r->path, (long long)(j + 1), (long long)(j + 1));
    return GLS_OK;
}

/* ---- features of the training set ---- */

/* Whether feature number f is `name` (*value NULL) or a category of it, "name=value". */
static bool belongs(const gls_data_info *like, int64_t f, const char *name, size_t length, const char **value) {
    const char *feature = like->feature_names[f];
    if (strncmp(feature, name, length) != 0 || (feature[length] && feature[length] != '=')) return false;
    *value = feature[length] ? feature + length + 1 : NULL;
    return true;
}

static gls_status add_known(gls_csv_column *c, const char *value, int64_t feature) {
    int32_t number;
    if (!*value) {
        c->feature = feature;
        return GLS_OK;
    }
    GLS_TRY(gls_vocabulary_add(c->words, value, (int64_t)strlen(value), &number));
    c->known[number] = feature;
    return GLS_OK;
}

/* A column that the training set did not have is left out, and that is said. */
static gls_status take_known(gls_csv_reading *r, gls_csv_column *c, bool *covered) {
    size_t length = strlen(c->name);
    const char *value;
    int64_t found = 0;
    for (int64_t f = 0; f < r->like->features; f++) {
        if (covered[f] || !belongs(r->like, f, c->name, length, &value)) continue;
        covered[f] = true;
        if (!found++) {
            c->decided = true;
            c->texts = value != NULL;
            if (c->texts) {
                GLS_TRY(gls_vocabulary_create(r->ctx, &c->words));
                c->known = gls_alloc(r->ctx, r->like->features, sizeof *c->known);
                if (!c->known) return GLS_ERR_MEMORY;
                for (int64_t k = 0; k < r->like->features; k++) c->known[k] = -1;
            }
        }
        if (value && c->words)
            GLS_TRY(add_known(c, value, f));
        else
            c->feature = f;
    }
    if (found) return GLS_OK;
    c->role = GLS_CSV_IGNORED;
    gls_log(r->ctx, GLS_LOG_WARNING, "%s: column '%s' is left out: the training set has none of that name", r->path,
            c->name);
    return GLS_OK;
}

/* The training set's format knows no names: its features are the columns in order. */
static gls_status take_in_order(gls_csv_reading *r) {
    int64_t features = 0;
    for (int64_t j = 0; j < r->columns; j++)
        if (r->column[j].role == GLS_CSV_FEATURE) {
            r->column[j].decided = true;
            r->column[j].feature = features++;
        }
    if (features == r->like->features) return GLS_OK;
    return gls_fail(r->ctx, GLS_ERR_INPUT, "%s: %lld columns of features, but the training set has %lld features",
                    r->path, (long long)features, (long long)r->like->features);
}

static gls_status follow_training(gls_csv_reading *r) {
    if (!r->like->feature_names) return take_in_order(r);
    bool *covered = gls_alloc(r->ctx, r->like->features, sizeof *covered);
    gls_status status = covered ? GLS_OK : GLS_ERR_MEMORY;
    for (int64_t j = 0; status == GLS_OK && j < r->columns; j++)
        if (r->column[j].role == GLS_CSV_FEATURE) status = take_known(r, &r->column[j], covered);
    for (int64_t f = 0; status == GLS_OK && f < r->like->features; f++)
        if (!covered[f])
            status = gls_fail(r->ctx, GLS_ERR_INPUT, "%s: there is no column for the training set's '%.100s'", r->path,
                              r->like->feature_names[f]);
    gls_free(r->ctx, covered);
    return status;
}

/* Texts where classes are asked for or some class of the training set is no number. */
static void decide_target(const gls_csv_reading *r, gls_csv_column *c) {
    const gls_data_info *like = r->like;
    c->decided = r->options->kind != GLS_CSV_AUTO;
    c->texts = r->options->kind == GLS_CSV_CLASS;
    for (int64_t k = 0; like && like->class_names && k < like->classes; k++)
        c->texts |= r->options->kind == GLS_CSV_AUTO && !is_number(like->class_names[k]);
}

gls_status gls_csv_columns(gls_csv_reading *r) {
    r->columns = r->firsts;
    r->column = gls_alloc(r->ctx, r->columns, sizeof *r->column);
    if (!r->column) return GLS_ERR_MEMORY;
    GLS_TRY(name_columns(r));
    GLS_TRY(give_roles(r));
    if (r->like) GLS_TRY(follow_training(r));
    for (int64_t j = 0; j < r->columns; j++) {
        gls_csv_column *c = &r->column[j];
        if (c->role == GLS_CSV_TARGET) decide_target(r, c);
        if (c->role == GLS_CSV_WEIGHT) c->decided = true;
        if (c->role == GLS_CSV_FEATURE)
            c->place = r->source->cells++;
        else if (c->role != GLS_CSV_IGNORED)
            c->place = r->sides++;
    }
    if (r->source->cells) return GLS_OK;
    return gls_fail(r->ctx, GLS_ERR_INPUT, "%s: no column of features is left", r->path);
}
