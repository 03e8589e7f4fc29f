/* Classes from the labels in files: integers in ascending order, or names in alphabetical order. A test set is labelled
 * by the training set's classes. */
#include "data/source.h"
#include "base/sort.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int compare_names(const void *a, const void *b) {
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Sorts n items and drops repetitions; returns how many are left. */
static int64_t unique(void *items, int64_t n, size_t size, int (*compare)(const void *, const void *)) {
    char *p = items;
    qsort(items, (size_t)n, size, compare);
    int64_t kept = 0;
    for (int64_t i = 0; i < n; i++)
        if (i == 0 || compare(p + (size_t)i * size, p + (size_t)(kept - 1) * size) != 0)
            memmove(p + (size_t)kept++ * size, p + (size_t)i * size, size);
    return kept;
}

/* One block with the pointers and then the texts. */
static gls_status keep_names(gls_context *ctx, const char *const *name, int64_t n, gls_data_info *info) {
    size_t bytes = (size_t)n * sizeof(char *);
    for (int64_t i = 0; i < n; i++) bytes += strlen(name[i]) + 1;
    char **block = gls_alloc(ctx, (int64_t)bytes, 1);
    if (!block) return GLS_ERR_MEMORY;
    char *text = (char *)(block + n);
    for (int64_t i = 0; i < n; i++) {
        block[i] = strcpy(text, name[i]);
        text += strlen(name[i]) + 1;
    }
    info->class_names = (const char *const *)block;
    info->classes = n;
    info->target = GLS_TARGET_CLASS;
    return GLS_OK;
}

/* The distinct values: those of like, whose names are numbers, or those of the labels. From gls_alloc. */
static gls_status distinct_numbers(gls_context *ctx, const char *what, const double *value, int64_t n,
                                   const gls_data_info *like, double **out, int64_t *count) {
    *count = like ? like->classes : n;
    *out = gls_alloc(ctx, *count, sizeof **out);
    if (!*out) return GLS_ERR_MEMORY;
    if (!like) {
        if (n) memcpy(*out, value, (size_t)n * sizeof **out);
        *count = unique(*out, n, sizeof **out, gls_compare_doubles);
        return GLS_OK;
    }
    for (int64_t k = 0; k < like->classes; k++) {
        const char *text = like->class_names ? like->class_names[k] : "";
        if (!gls_scan_number(&text, &(*out)[k]) || *text) {
            if (like->class_names)
                return gls_fail(ctx, GLS_ERR_INPUT, "%s has integer labels, but the training set has class '%s'", what,
                                like->class_names[k]);
            (*out)[k] = (double)k;
        }
        if (k && (*out)[k] <= (*out)[k - 1])
            return gls_fail(ctx, GLS_ERR_INPUT, "%s: the training set's classes do not ascend", what);
    }
    return GLS_OK;
}

static gls_status name_numbers(gls_context *ctx, const double *known, int64_t count, gls_data_info *info) {
    char(*text)[32] = gls_alloc(ctx, count, sizeof *text);
    const char **name = gls_alloc(ctx, count, sizeof *name);
    gls_status status = text && name ? GLS_OK : GLS_ERR_MEMORY;
    for (int64_t k = 0; status == GLS_OK && k < count; k++) {
        snprintf(text[k], sizeof text[k], "%.0f", known[k]);
        name[k] = text[k];
    }
    if (status == GLS_OK) status = keep_names(ctx, name, count, info);
    gls_free(ctx, name);
    gls_free(ctx, text);
    return status;
}

static gls_status no_class(gls_context *ctx, const char *what, const char *label, int64_t example,
                           const int64_t *line) {
    if (line)
        return gls_fail(ctx, GLS_ERR_INPUT, "%s:%lld: label '%.60s' is not a class of the training set", what,
                        (long long)line[example], label);
    return gls_fail(ctx, GLS_ERR_INPUT, "%s: label '%.60s' of example %lld is not a class of the training set", what,
                    label, (long long)example);
}

static gls_status find_numbers(gls_context *ctx, const char *what, const double *value, int64_t n, const double *known,
                               int64_t count, const int64_t *line, int32_t **label) {
    char text[32];
    *label = gls_alloc(ctx, n, sizeof **label);
    if (!*label) return GLS_ERR_MEMORY;
    for (int64_t i = 0; i < n; i++) {
        const double *at = bsearch(&value[i], known, (size_t)count, sizeof *known, gls_compare_doubles);
        if (!at) {
            snprintf(text, sizeof text, "%.15g", value[i]);
            return no_class(ctx, what, text, i, line);
        }
        (*label)[i] = (int32_t)(at - known);
    }
    return GLS_OK;
}

/* More values than MAX_CLASSES, spread wider than that, are a regression's. */
bool gls_classes_likely(const double *value, int64_t n) {
    enum { MAX_CLASSES = 32768 };
    double least = n ? value[0] : 0, most = least;
    for (int64_t i = 0; i < n; i++) {
        if (!(fabs(value[i]) <= INT32_MAX) || value[i] != floor(value[i])) return false;
        if (value[i] < least) least = value[i];
        if (value[i] > most) most = value[i];
    }
    return n <= MAX_CLASSES || most - least < MAX_CLASSES;
}

gls_status gls_classes_from_integers(gls_context *ctx, const char *what, const double *value, int64_t n,
                                     const int64_t *line, const gls_data_info *like, gls_data_info *info,
                                     int32_t **label) {
    double *known = NULL;
    int64_t count;
    *label = NULL;
    if (like && like->target != GLS_TARGET_CLASS) like = NULL;
    gls_status status = distinct_numbers(ctx, what, value, n, like, &known, &count);
    if (status == GLS_OK) status = find_numbers(ctx, what, value, n, known, count, line, label);
    if (status == GLS_OK) status = name_numbers(ctx, known, count, info);
    if (status != GLS_OK) {
        gls_free(ctx, *label);
        *label = NULL;
    }
    gls_free(ctx, known);
    return status;
}

static gls_status label_names(gls_context *ctx, const char *what, const char *const *name, int64_t n,
                              const char *const *known, int64_t count, const int64_t *line, int32_t *label) {
    for (int64_t i = 0; i < n; i++) {
        const char *const *at = bsearch(&name[i], known, (size_t)count, sizeof *known, compare_names);
        if (!at) return no_class(ctx, what, name[i], i, line);
        label[i] = (int32_t)(at - known);
    }
    return GLS_OK;
}

/* True if every name is a whole number; value[i] is then set. */
static bool whole_numbers(const char *const *name, int64_t n, double *value) {
    for (int64_t i = 0; i < n; i++) {
        const char *text = name[i];
        if (!gls_scan_number(&text, &value[i]) || *text || value[i] != (double)(int32_t)value[i]) return false;
    }
    return true;
}

/* Names that are all whole numbers are sorted as numbers, so that 2 comes before 10. */
gls_status gls_classes_from_names(gls_context *ctx, const char *what, const char *const *name, int64_t n,
                                  const int64_t *line, const gls_data_info *like, gls_data_info *info,
                                  int32_t **label) {
    *label = NULL;
    if (like && (like->target != GLS_TARGET_CLASS || !like->class_names)) like = NULL;
    double *value = gls_alloc(ctx, n, sizeof *value);
    if (!value) return GLS_ERR_MEMORY;
    if (whole_numbers(name, n, value)) {
        gls_status status = gls_classes_from_integers(ctx, what, value, n, line, like, info, label);
        gls_free(ctx, value);
        return status;
    }
    gls_free(ctx, value);
    int64_t count = like ? like->classes : n;
    const char **known = gls_alloc(ctx, count, sizeof *known);
    *label = gls_alloc(ctx, n, sizeof **label);
    gls_status status = known && *label ? GLS_OK : GLS_ERR_MEMORY;
    if (status == GLS_OK) {
        memcpy(known, like ? like->class_names : name, (size_t)count * sizeof *known);
        count = unique(known, count, sizeof *known, compare_names);
        status = label_names(ctx, what, name, n, known, count, line, *label);
    }
    if (status == GLS_OK) status = keep_names(ctx, known, count, info);
    gls_free(ctx, known);
    if (status != GLS_OK) {
        gls_free(ctx, *label);
        *label = NULL;
    }
    return status;
}
