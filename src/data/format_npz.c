/* Format npz: features and targets as two arrays of one NumPy archive. */
#include "data/npy_examples.h"
#include "base/text.h"
#include "data/table.h"
#include "data/zip.h"
#include <string.h>

typedef struct npz_options {
    const char *x, *y;
    double scale;
    int target;
} npz_options;

static const gls_option npz_table[] = {
    GLS_STRING("x", npz_options, x, NULL,
               "array of the features; default: x_train or x_test, else x, X, features, data, images or arr_0"),
    GLS_STRING("y", npz_options, y, NULL,
               "array of the targets; default: y_train or y_test, else y, Y, labels, label, target, targets or arr_1"),
    GLS_REAL("scale", npz_options, scale, "1", 0, 0, "factor by which the features are multiplied"),
    GLS_ENUM("target", npz_options, target, "auto", "auto|class|real",
             "auto: texts are classes, integers classes and numbers at once, floating types numbers"),
    {0},
};

static const char *const usual_x[] = {"x", "X", "features", "data", "images", "arr_0", NULL};
static const char *const usual_y[] = {"y", "Y", "labels", "label", "target", "targets", "arr_1", NULL};

/* Members are called NAME.npy. */
static int64_t find_array(const gls_zip *zip, const char *name) {
    for (int64_t i = 0; i < zip->count; i++) {
        size_t n = strlen(name);
        const char *member = zip->member[i].name;
        if (strncmp(member, name, n) == 0 && strcmp(member + n, ".npy") == 0) return i;
    }
    return -1;
}

static const char *member_at(const void *user, int64_t i) {
    const gls_zip *zip = user;
    return i < zip->count ? zip->member[i].name : NULL;
}

static gls_status no_array(const gls_zip *zip, const char *option, const char *name) {
    char all[GLS_NAMES_TEXT];
    gls_text_of_names(all, member_at, zip);
    return gls_fail(zip->ctx, GLS_ERR_INPUT, "%s: no array for option %s%s%s%s; the archive holds %.400s", zip->path,
                    option, name ? " ('" : "", name ? name : "", name ? "')" : "", *all ? all : "nothing");
}

static int64_t choose_array(const gls_zip *zip, const char *given, const char *first, const char *const *usual) {
    if (given) return find_array(zip, given);
    int64_t found = find_array(zip, first);
    for (; found < 0 && *usual; usual++) found = find_array(zip, *usual);
    return found;
}

static gls_status read_array(const gls_zip *zip, int64_t member, gls_npy *array, const char ***texts) {
    gls_reader *reader;
    *array = (gls_npy){0};
    GLS_TRY(gls_zip_read(zip, member, &reader));
    gls_status status = gls_npy_read_from(zip->ctx, reader, array, texts);
    gls_reader_close(reader);
    return status;
}

static gls_status read_features(const gls_zip *zip, const npz_options *o, gls_part part, gls_data_info *info,
                                gls_owned_arrays *arrays) {
    int64_t member = choose_array(zip, o->x, part == GLS_PART_TRAIN ? "x_train" : "x_test", usual_x);
    gls_npy x;
    if (member < 0) return no_array(zip, "x", o->x);
    GLS_TRY(read_array(zip, member, &x, NULL));
    return gls_npy_features(zip->ctx, zip->path, o->scale, &x, info, arrays);
}

static gls_status read_targets(const gls_zip *zip, const npz_options *o, gls_part part, const gls_data_info *like,
                               gls_data_info *info, gls_owned_arrays *arrays) {
    int64_t member = choose_array(zip, o->y, part == GLS_PART_TRAIN ? "y_train" : "y_test", usual_y);
    gls_npy y;
    const char **texts = NULL;
    if (member < 0) return o->y ? no_array(zip, "y", o->y) : GLS_OK;
    GLS_TRY(read_array(zip, member, &y, &texts));
    return gls_npy_targets(zip->ctx, zip->path, o->target, &y, texts, like, info, arrays);
}

static gls_status open_npz(gls_context *ctx, const char *path, const void *options, gls_part part,
                           const gls_data_info *like, gls_source **out) {
    gls_data_info info = {0};
    gls_owned_arrays arrays = {0};
    gls_zip zip;
    GLS_TRY(gls_zip_open(ctx, path, &zip));
    gls_status status = read_features(&zip, options, part, &info, &arrays);
    if (status == GLS_OK && part != GLS_PART_ROWS) status = read_targets(&zip, options, part, like, &info, &arrays);
    if (status == GLS_OK) status = gls_source_own(ctx, &info, &arrays, out);
    gls_zip_close(&zip);
    gls_owned_arrays_free(ctx, &arrays);
    gls_free(ctx, (void *)info.class_names);
    return status;
}

const gls_format gls_format_npz = {
    .member = {"npz", "a NumPy archive: features [n, ...] and targets", "", npz_table, sizeof(npz_options)},
    .open = open_npz,
};
