/* Format csv: a table of delimited text, a row an example. */
#include "data/csv.h"
#include "data/table.h"

static const gls_option csv_table[] = {
    GLS_STRING("target", gls_csv_options, target, NULL, "column of the targets; none: rows without targets"),
    GLS_ENUM("kind", gls_csv_options, kind, "auto", "auto|class|real",
             "what targets are; auto: texts are classes, whole numbers both classes and numbers, others numbers"),
    GLS_LIST("features", gls_csv_options, features, NULL, 0, 0, GLS_ITEM(.type = GLS_OPTION_STRING),
             "columns of the features; default: all that no other option names"),
    GLS_LIST("ignore", gls_csv_options, ignore, NULL, 0, 0, GLS_ITEM(.type = GLS_OPTION_STRING),
             "columns to leave out"),
    GLS_STRING("weight", gls_csv_options, weight, NULL, "column of the examples' weights, numbers above 0"),
    GLS_STRING("key", gls_csv_options, key, NULL, "column of a key (user, domain): whole numbers or texts"),
    GLS_LIST("categories", gls_csv_options, categories, NULL, 0, 0, GLS_ITEM(.type = GLS_OPTION_STRING),
             "columns whose numbers are names: one feature of each value, as of texts"),
    GLS_LIST("missing", gls_csv_options, missing, "['', NA, N/A, NaN, nan, 'null', 'NULL', '?']", 0, 0,
             GLS_ITEM(.type = GLS_OPTION_STRING), "texts that stand for a missing value"),
    GLS_ENUM("fill", gls_csv_options, fill, "refuse", "refuse|zero|mean",
             "missing values: refused; 0, or the training file's mean; a missing text is a category of its own"),
    GLS_ENUM("unknown", gls_csv_options, unknown, "refuse", "refuse|zero",
             "texts that the training file does not have: refused, or none of its categories"),
    GLS_INT("most_categories", gls_csv_options, most_categories, "1000", 1, 1000000,
            "different texts that a column of features may have"),
    GLS_BOOL("header", gls_csv_options, header, "true", "the first line names the columns; else they are 1, 2, ..."),
    GLS_STRING("delimiter", gls_csv_options, delimiter, NULL,
               "one character, or \\t; default: a comma, and a tab where the file's name has .tsv or .tab"),
    GLS_STRING("quote", gls_csv_options, quote, "\"", "one character; empty: quotes mean nothing"),
    {0},
};

static gls_status read_all(gls_csv_reading *r) {
    GLS_TRY(gls_csv_source_create(r->ctx, &r->source));
    r->source->path = r->path;
    GLS_TRY(gls_csv_read(r));
    GLS_TRY(gls_csv_source_finish(r->source, r->rows));
    GLS_TRY(gls_csv_features(r));
    return gls_csv_targets(r);
}

static gls_status open_csv(gls_context *ctx, const char *path, const void *options, gls_part part,
                           const gls_data_info *like, gls_source **out) {
    gls_csv_reading r = {.ctx = ctx, .path = path, .options = options, .part = part, .like = like};
    gls_status status = read_all(&r);
    for (int64_t j = 0; r.column && j < r.columns; j++) {
        gls_vocabulary_destroy(r.column[j].words);
        gls_free(ctx, r.column[j].known);
    }
    for (int64_t j = 0; j < r.firsts; j++) gls_free(ctx, r.first[j]);
    gls_free(ctx, r.first);
    gls_free(ctx, r.column);
    gls_free(ctx, r.side);
    if (status == GLS_OK)
        *out = &r.source->owned.source;
    else if (r.source)
        gls_source_destroy(&r.source->owned.source);
    return status;
}

static gls_status write_csv(gls_context *ctx, const gls_source *source, const char *path, const void *options) {
    return gls_csv_write(ctx, source, path, options);
}

const gls_format gls_format_csv = {
    .member = {"csv", "a table of delimited text (.csv, .tsv), categories one-hot", "", csv_table,
               sizeof(gls_csv_options)},
    .bounded = true,
    .open = open_csv,
    .write = write_csv,
};
