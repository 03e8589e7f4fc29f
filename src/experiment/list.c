/* What experiments there are in a folder, and which rows of the papers wait for one. */
#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/io.h"
#include "base/value.h"
#include "base/yaml.h"
#include "experiment/experiment.h"

static gls_status add(gls_experiment_rows *rows, const char *place, const char *experiment, const char *about,
                      const char *scales) {
    gls_experiment_row *grown = gls_resize(rows->ctx, rows->row, rows->rows + 1, sizeof *grown);
    if (!grown) return GLS_ERR_MEMORY;
    rows->row = grown;
    /* Names live as long as the context: a list is short, and asked for once. */
    grown[rows->rows] =
        (gls_experiment_row){gls_context_name(rows->ctx, place), gls_context_name(rows->ctx, experiment),
                             gls_context_name(rows->ctx, about), gls_context_name(rows->ctx, scales)};
    const gls_experiment_row *added = &grown[rows->rows];
    if (!added->place || !added->about || (experiment && !added->experiment) || (scales && !added->scales))
        return GLS_ERR_MEMORY;
    rows->rows++;
    return GLS_OK;
}

static gls_status add_experiment(gls_experiment_rows *rows, const char *folder) {
    gls_experiment *e = NULL;
    char scales[200] = "";
    GLS_TRY(gls_experiment_open(rows->ctx, folder, &e));
    const char *name;
    for (int64_t i = 0; (name = gls_experiment_scale_at(e, i)); i++) {
        size_t used = strlen(scales);
        snprintf(scales + used, sizeof scales - used, "%s%s", i ? " " : "", name);
    }
    gls_status status = GLS_OK;
    for (int64_t i = 0; i < e->text->rows.count && status == GLS_OK; i++)
        status = add(rows, e->text->rows.item[i], e->name, e->text->title, scales);
    gls_experiment_destroy(e);
    return status;
}

/* A folder is one experiment's if experiment.yaml is in it. */
static gls_status add_folders(gls_experiment_rows *rows, const char *folder) {
    DIR *dir = opendir(folder);
    if (!dir) return gls_fail(rows->ctx, GLS_ERR_FILE, "%s: cannot be read: %s", folder, strerror(errno));
    gls_status status = GLS_OK;
    for (struct dirent *entry; status == GLS_OK && (entry = readdir(dir));) {
        if (entry->d_name[0] == '.') continue;
        char *own = gls_sprintf(rows->ctx, "%s/%s", folder, entry->d_name);
        char *file = gls_sprintf(rows->ctx, "%s/%s/experiment.yaml", folder, entry->d_name);
        status = own && file ? GLS_OK : GLS_ERR_MEMORY;
        if (status == GLS_OK && gls_file_exists(file)) status = add_experiment(rows, own);
        gls_free(rows->ctx, file);
        gls_free(rows->ctx, own);
    }
    closedir(dir);
    return status;
}

/* rows.yaml: {"[N] figure 3": "waiting: ImageNet, which is not to be had"} */
static gls_status add_others(gls_experiment_rows *rows, const char *folder) {
    char *path = gls_sprintf(rows->ctx, "%s/rows.yaml", folder);
    gls_value *file = NULL;
    if (!path) return GLS_ERR_MEMORY;
    gls_status status =
        gls_file_exists(path) ? gls_yaml_read_file(rows->ctx, gls_context_name(rows->ctx, path), &file) : GLS_OK;
    for (int64_t i = 0; status == GLS_OK && file && i < file->count; i++) {
        const gls_value *row = file->items[i];
        status = row->key && row->text ? add(rows, row->key, NULL, row->text, NULL)
                                       : gls_fail(rows->ctx, GLS_ERR_INPUT,
                                                  "%s: expected rows, and `waiting: ...` or `elsewhere: ...`", path);
    }
    gls_value_destroy(rows->ctx, file);
    gls_free(rows->ctx, path);
    return status;
}

/* By paper, figures before tables, numbers as numbers: "[T] figure 3-1" before "[T] figure 3-10". */
static int compare(const void *a, const void *b) {
    const gls_experiment_row *one = a, *other = b;
    int order = strverscmp(one->place, other->place);
    if (order) return order;
    return strcmp(one->experiment ? one->experiment : "", other->experiment ? other->experiment : "");
}

gls_status gls_experiments_list(gls_context *ctx, const char *folder, gls_experiment_rows *out) {
    GLS_GIVEN(ctx, ctx, folder, out);
    *out = (gls_experiment_rows){.ctx = ctx};
    GLS_TRY(add_folders(out, folder));
    GLS_TRY(add_others(out, folder));
    if (out->rows) qsort(out->row, (size_t)out->rows, sizeof *out->row, compare);
    return GLS_OK;
}

void gls_experiment_rows_clear(gls_experiment_rows *rows) {
    if (!rows || !rows->ctx) return;
    gls_free(rows->ctx, rows->row);
    *rows = (gls_experiment_rows){0};
}
