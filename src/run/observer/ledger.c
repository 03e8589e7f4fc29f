/* ledger.safetensors: written by an observer at the end of a run, read back by `glissade suspects`. */
#include "run/observer/ledger.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/io.h"
#include "base/tensors.h"
#include "data/source.h"
#include "run/observer/ledger_windows.h"
#include "run/observer/table.h"

static const char file_name[] = "ledger.safetensors";
enum { MAX_COLUMNS = 64 }; /* that are read back; a set has a handful */

/* The file's own arrays in fixed order, [n] each; data holds one pointer for each. */
static gls_status add_own(gls_context *ctx, gls_arrays *arrays, int64_t n, const void *const *data) {
    static const struct {
        const char *name;
        gls_dtype dtype;
    } own[] = {{"seen", GLS_F64}, {"log_factor", GLS_F64}, {"norm", GLS_F64},
               {"loss", GLS_F64}, {"index", GLS_I64},      {"label", GLS_I64}};
    for (size_t k = 0; k < sizeof own / sizeof *own; k++)
        GLS_TRY(gls_arrays_add_vector(ctx, arrays, own[k].name, own[k].dtype, n, (void *)(uintptr_t)data[k]));
    return GLS_OK;
}

/* ---- writing ---- */

typedef struct finals {
    double *loss; /* [examples] */
    int64_t *label;
} finals;

static gls_status take_slice(void *user, gls_slice *slice) {
    finals *f = user;
    const gls_batch *rows = slice->rows;
    /* The pass reads the set in order, so a slice's examples are consecutive. */
    for (int64_t i = 0; rows->label && gls_batch_labels(rows) == 1 && i < rows->rows; i++)
        f->label[rows->index[i]] = rows->label[i];
    return gls_ask_losses(slice->evaluation, f->loss + rows->index[0]);
}

static gls_status pass_over(gls_run *run, gls_loader *loader, int64_t n, finals *f) {
    gls_stream *rows;
    GLS_TRY(gls_loader_whole(loader, &rows));
    gls_pass_request request = {.w = gls_run_output(run),
                                .rows = rows,
                                .want = GLS_WANT_LOSSES,
                                .mode = GLS_MODE_EVALUATE,
                                .slice = take_slice,
                                .user = f};
    gls_pass_result result;
    GLS_TRY(gls_pass_run(run->training->evaluation_pass, &request, &result));
    GLS_TRY(gls_comm_reduce_double(run->ctx, GLS_SUM, f->loss, n, GLS_OK));
    return gls_comm_reduce_int64(run->ctx, GLS_SUM, f->label, n, GLS_OK);
}

static const char *const window_names[] = {"window/seen", "window/log_factor", "window/norm"};

/* [windows, examples] each, in the file after the whole; kept in *room. */
static gls_status add_windows(gls_run *run, const gls_run_windows *windows, double **room, gls_arrays *arrays) {
    if (!windows) return GLS_OK;
    const int64_t shape[] = {windows->count, windows->examples}, all = windows->count * windows->examples;
    *room = gls_alloc(run->ctx, 3 * all, sizeof **room);
    if (!*room) return GLS_ERR_MEMORY;
    for (int which = 0; which < 3; which++) {
        double *to = *room + which * all;
        for (int64_t j = 0; j < windows->count; j++)
            gls_run_windows_copy(windows, &run->training->ledger, which, j, to + j * windows->examples);
        GLS_TRY(gls_arrays_add(run->ctx, arrays, window_names[which], GLS_F64, 2, shape, to));
    }
    return GLS_OK;
}

/* All class names, each behind a mark; "" where classes are numbers. */
static char *join_classes(gls_context *ctx, const gls_data_info *info) {
    bool named = info->target == GLS_TARGET_CLASS && info->class_names;
    size_t size = 1;
    for (int64_t k = 0; named && k < info->classes; k++) size += strlen(info->class_names[k]) + 1;
    char *text = gls_alloc(ctx, (int64_t)size, 1), *to = text;
    for (int64_t k = 0; text && named && k < info->classes; k++) {
        *to++ = GLS_LEDGER_MARK;
        to = stpcpy(to, info->class_names[k]);
    }
    return text;
}

/* Examples go by their index in the data file (column `original` of a transform, if there is one); columns of the set
 * go along, so that `suspects` needs the data no more. */
static gls_status write_file(gls_run *run, const gls_run_windows *windows, finals *f) {
    gls_context *ctx = run->ctx;
    const gls_ledger *ledger = &run->training->ledger;
    const gls_source *set = run->training->set.train;
    int64_t n = ledger->examples;
    const int64_t *original = gls_source_column(set, "original");
    int64_t *index = gls_alloc(ctx, n, sizeof *index);
    char *names = gls_strdup(ctx, ""), *called = join_classes(ctx, &set->info), *path = NULL, examples[32], classes[32],
         parts[32];
    double *room = NULL;
    gls_arrays arrays = {0};
    gls_status status = index && names && called ? gls_folder_path(run, file_name, &path) : GLS_ERR_MEMORY;
    for (int64_t i = 0; index && i < n; i++) index[i] = original ? original[i] : i;
    const void *const data[] = {ledger->seen, ledger->log_factor, ledger->norm, f->loss, index, f->label};
    if (status == GLS_OK) status = add_own(ctx, &arrays, n, data);
    for (const gls_column *c = set->columns; c && c->name && status == GLS_OK; c++) {
        char name[160];
        snprintf(name, sizeof name, "column/%.140s", c->name);
        status = gls_arrays_add_vector(ctx, &arrays, name, GLS_I64, n, (void *)(uintptr_t)c->value);
        char *longer = gls_sprintf(ctx, "%s%s%s", names, *names ? "," : "", c->name);
        gls_free(ctx, names);
        names = longer;
        if (!names) status = GLS_ERR_MEMORY;
    }
    if (status == GLS_OK) status = add_windows(run, windows, &room, &arrays);
    snprintf(examples, sizeof examples, "%lld", (long long)n);
    snprintf(parts, sizeof parts, "%lld", windows ? (long long)windows->count : 1LL);
    snprintf(classes, sizeof classes, "%lld",
             set->info.target == GLS_TARGET_CLASS ? (long long)set->info.classes : 0LL);
    const gls_note notes[] = {
        {"examples", examples}, {"classes", classes}, {"columns", names}, {"windows", parts}, {"class_names", called}};
    if (status == GLS_OK) status = gls_tensors_write(ctx, path, &arrays, notes, 5);
    gls_arrays_clear(ctx, &arrays);
    gls_free(ctx, room);
    gls_free(ctx, index);
    gls_free(ctx, names);
    gls_free(ctx, called);
    gls_free(ctx, path);
    return status;
}

static gls_status end(void *user, gls_run *run, unsigned why) {
    const gls_run_windows *windows = user;
    const gls_ledger *ledger = &run->training->ledger;
    if (!(why & GLS_WHY_END)) return GLS_OK;
    finals f = {gls_alloc(run->ctx, ledger->examples, sizeof(double)),
                gls_alloc(run->ctx, ledger->examples, sizeof(int64_t))};
    gls_loader *loader = NULL;
    gls_status status =
        f.loss && f.label ? gls_training_loader(run->training, run->training->set.train, &loader) : GLS_ERR_MEMORY;
    if (status == GLS_OK) status = pass_over(run, loader, ledger->examples, &f);
    gls_loader_destroy(loader);
    if (status == GLS_OK && run->rank == 0) status = write_file(run, windows, &f);
    gls_free(run->ctx, f.loss);
    gls_free(run->ctx, f.label);
    return status;
}

static gls_status before(void *user, gls_run *run) {
    gls_run_windows_advance(user, run->training);
    return GLS_OK;
}

static gls_status arrays_of(void *user, const char *prefix, gls_arrays *list) {
    return gls_run_windows_arrays(user, prefix, list);
}

static void destroy(void *user) {
    gls_run_windows_destroy(user);
}

gls_status gls_observe_ledger(gls_run *run) {
    gls_run_windows *windows;
    GLS_TRY(gls_run_windows_create(run, &windows));
    gls_observer observer = {.name = "ledger", .user = windows, .end = end};
    if (windows) {
        observer.before = before;
        observer.arrays = arrays_of;
        observer.destroy = destroy;
    }
    if (run->folder && run->training->ledger.examples) return gls_run_observe(run, &observer);
    gls_run_windows_destroy(windows);
    return GLS_OK;
}

/* ---- reading ---- */

static gls_status number_of(gls_run_ledger *l, const gls_tensors *file, const char *path, const char *key,
                            int64_t *out) {
    const char *text = gls_tensors_note(file, key);
    char *end = NULL;
    *out = text ? strtoll(text, &end, 10) : -1;
    if (!text || *end || *out < 0 || *out > INT64_MAX / 64)
        return gls_fail(l->ctx, GLS_ERR_INPUT, "%s: the note '%s' is not a count", path, key);
    return GLS_OK;
}

static gls_status add_columns(gls_run_ledger *l, const gls_tensors *file, gls_arrays *arrays) {
    const char *list = gls_tensors_note(file, "columns");
    l->names = gls_strdup(l->ctx, list ? list : "");
    l->column = gls_alloc(l->ctx, MAX_COLUMNS + 1, sizeof *l->column);
    if (!l->names || !l->column) return GLS_ERR_MEMORY;
    int64_t columns = 0;
    char *rest = l->names;
    for (char *name; columns < MAX_COLUMNS && (name = strsep(&rest, ","));) {
        if (!*name) continue;
        int64_t *value = gls_alloc(l->ctx, l->examples, sizeof *value);
        if (!value) return GLS_ERR_MEMORY;
        l->column[columns++] = (gls_column){name, value};
        char key[160];
        snprintf(key, sizeof key, "column/%.140s", name);
        GLS_TRY(gls_arrays_add_vector(l->ctx, arrays, key, GLS_I64, l->examples, value));
    }
    return GLS_OK;
}

/* One window in place of the whole; 0: the whole. */
static gls_status take_window(gls_run_ledger *l, gls_tensors *file, const char *path, int64_t window) {
    if (!window) return GLS_OK;
    if (gls_tensors_note(file, "windows")) GLS_TRY(number_of(l, file, path, "windows", &l->windows));
    if (l->windows < 2)
        return gls_fail(l->ctx, GLS_ERR_ARGUMENT,
                        "%s: this ledger has no windows; train with --set train.ledger_windows=N", path);
    if (window > l->windows)
        return gls_fail(l->ctx, GLS_ERR_ARGUMENT, "window %lld: expected one of the %lld windows of %s",
                        (long long)window, (long long)l->windows, path);
    if (l->examples > 0 && l->windows > INT64_MAX / 64 / l->examples)
        return gls_fail(l->ctx, GLS_ERR_INPUT, "%s: the notes 'windows' and 'examples' are too large", path);
    const int64_t shape[] = {l->windows, l->examples}, all = l->windows * l->examples;
    double *x = gls_alloc(l->ctx, 3 * all, sizeof *x), *const to[] = {l->suspects.seen, l->suspects.log_factor,
                                                                      l->suspects.norm};
    gls_arrays arrays = {0};
    gls_status status = x ? GLS_OK : GLS_ERR_MEMORY;
    for (int k = 0; k < 3 && status == GLS_OK; k++)
        status = gls_arrays_add(l->ctx, &arrays, window_names[k], GLS_F64, 2, shape, x + k * all);
    if (status == GLS_OK) status = gls_tensors_restore(file, &arrays);
    for (int k = 0; k < 3 && status == GLS_OK; k++)
        memcpy(to[k], x + k * all + (window - 1) * l->examples, (size_t)l->examples * sizeof *x);
    gls_arrays_clear(l->ctx, &arrays);
    gls_free(l->ctx, x);
    return status;
}

/* The file has mean losses, gls_suspicion sums. Labels index tables later, so they are checked here. */
static gls_status restore(gls_run_ledger *l, gls_tensors *file, const char *path, int64_t window) {
    GLS_TRY(number_of(l, file, path, "examples", &l->examples));
    GLS_TRY(number_of(l, file, path, "classes", &l->classes));
    const char *called = gls_tensors_note(file, "class_names");
    if (called && *called) {
        l->class_names = gls_strdup(l->ctx, called);
        if (!l->class_names) return GLS_ERR_MEMORY;
    }
    GLS_TRY(gls_suspicion_create(l->ctx, l->examples, &l->suspects));
    l->index = gls_alloc(l->ctx, l->examples, sizeof *l->index);
    l->label = gls_alloc(l->ctx, l->examples, sizeof *l->label);
    if (!l->index || !l->label) return GLS_ERR_MEMORY;
    gls_arrays arrays = {0};
    gls_status status = add_columns(l, file, &arrays);
    const void *const data[] = {l->suspects.seen, l->suspects.log_factor, l->suspects.norm, l->suspects.loss, l->index,
                                l->label};
    if (status == GLS_OK) status = add_own(l->ctx, &arrays, l->examples, data);
    if (status == GLS_OK) status = gls_tensors_restore(file, &arrays);
    gls_arrays_clear(l->ctx, &arrays);
    if (status == GLS_OK) status = take_window(l, file, path, window);
    GLS_TRY(status);
    for (int64_t i = 0; i < l->examples; i++) {
        l->suspects.loss[i] *= l->suspects.seen[i];
        if (l->classes && (l->label[i] < 0 || l->label[i] >= l->classes))
            return gls_fail(l->ctx, GLS_ERR_INPUT, "%s: label %lld of example %lld is outside [0, %lld)", path,
                            (long long)l->label[i], (long long)i, (long long)l->classes);
    }
    return GLS_OK;
}

gls_status gls_run_ledger_open(gls_context *ctx, const char *run_folder, int64_t window, gls_run_ledger *out) {
    *out = (gls_run_ledger){.ctx = ctx};
    char *path = gls_sprintf(ctx, "%s/%s", run_folder, file_name);
    if (!path) return GLS_ERR_MEMORY;
    gls_tensors *file = NULL;
    gls_status status = GLS_OK;
    if (!gls_file_exists(path))
        status = gls_fail(ctx, GLS_ERR_FILE,
                          "%s: this run kept no ledger; train with --set estimator.ledger=true (estimator: {name: "
                          "microbatch, ledger: true})",
                          run_folder);
    if (status == GLS_OK) status = gls_tensors_open(ctx, path, &file);
    if (status == GLS_OK) status = restore(out, file, path, window);
    gls_tensors_close(file);
    gls_free(ctx, path);
    if (status != GLS_OK) gls_run_ledger_close(out);
    return status;
}

void gls_run_ledger_close(gls_run_ledger *ledger) {
    gls_context *ctx = ledger->ctx;
    for (gls_column *c = ledger->column; c && c->name; c++) gls_free(ctx, (void *)(uintptr_t)c->value);
    gls_free(ctx, ledger->column);
    gls_free(ctx, ledger->names);
    gls_free(ctx, ledger->class_names);
    gls_free(ctx, ledger->index);
    gls_free(ctx, ledger->label);
    gls_suspicion_destroy(ctx, &ledger->suspects);
    *ledger = (gls_run_ledger){.ctx = ctx};
}
