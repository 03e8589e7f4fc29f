/* The run folder, and the configuration in it: what was asked for with defaults, absolute paths and the plan's choices,
 * so that it gives the same run wherever it is read. */
#include <stdio.h>
#include <string.h>

#include "base/gemm.h"
#include "base/io.h"
#include "base/yaml.h"
#include "run/loop/run.h"

gls_status gls_folder_path(const gls_run *run, const char *file, char **path) {
    *path = gls_sprintf(run->ctx, "%s/%s", run->folder, file);
    return *path ? GLS_OK : GLS_ERR_MEMORY;
}

static gls_status own(gls_run *run, bool make, gls_status mine) {
    if (mine != GLS_OK || run->rank || run->lock || (!make && !gls_file_exists(run->folder))) return mine;
    return gls_lock_folder(run->ctx, run->folder, &run->lock);
}

gls_status gls_folder_own(gls_run *run, bool make, gls_status mine) {
    return gls_comm_agree(run->ctx, own(run, make, mine));
}

/* ---- the resolved configuration ---- */

/* What the plan chose, with the precision and libraries it was chosen for. */
static gls_status append_plan(gls_run *run, gls_value *out) {
    const gls_pass_options *plan = &run->training->plan;
    char number[3][32], version[32];
    snprintf(version, sizeof version, "%d.%d.%d", GLS_VERSION_MAJOR, GLS_VERSION_MINOR, GLS_VERSION_PATCH);
    const int64_t chosen[] = {plan->slice, plan->wave, plan->lanes};
    for (int i = 0; i < 3; i++) snprintf(number[i], sizeof number[i], "%lld", (long long)chosen[i]);
    const char *const entry[][2] = {{"slice", number[0]},
                                    {"wave", number[1]},
                                    {"lanes", number[2]},
                                    {"precision", gls_training_precision(run->training)},
                                    {"libraries", gls_gemm_describe(run->ctx)},
                                    {"version", version},
                                    {"emulate", run->training->problem->emulated ? "true" : "false"}}; /* bf16 alone */
    size_t entries = sizeof entry / sizeof *entry - (run->training->problem->precision != GLS_PRECISION_BF16);
    gls_value *section = gls_value_create(run->ctx, GLS_VALUE_MAP, "plan", NULL);
    GLS_TRY(gls_value_append(run->ctx, out, section));
    for (size_t i = 0; i < entries; i++)
        GLS_TRY(
            gls_value_append(run->ctx, section, gls_value_create(run->ctx, GLS_VALUE_TEXT, entry[i][0], entry[i][1])));
    return GLS_OK;
}

/* The sections whose members may name files. */
static bool names_files(const char *section) {
    static const char *const sections[] = {"data", "method", "measure"};
    for (size_t i = 0; i < sizeof sections / sizeof *sections; i++)
        if (strcmp(section, sections[i]) == 0) return true;
    return false;
}

static gls_status resolve(gls_run *run, gls_value *out) {
    const gls_value *config = run->training->config;
    for (int64_t i = 0; i < config->count; i++) {
        const gls_value *section = config->items[i];
        if (strcmp(section->key, "plan") == 0) continue;
        gls_value *copy = gls_value_clone(run->ctx, section);
        GLS_TRY(gls_value_append(run->ctx, out, copy));
        if (names_files(section->key)) GLS_TRY(gls_config_absolute_paths(run->ctx, copy));
    }
    return append_plan(run, out);
}

/* The map that config.yaml holds; the caller destroys it, also where this fails. */
static gls_status resolved(gls_run *run, gls_value **out) {
    *out = gls_value_create(run->ctx, GLS_VALUE_MAP, NULL, NULL);
    return *out ? resolve(run, *out) : GLS_ERR_MEMORY;
}

char *gls_run_config_text(gls_run *run) {
    if (!run) return NULL;
    gls_value *map = NULL;
    char *text = resolved(run, &map) == GLS_OK ? gls_yaml_text(run->ctx, map) : NULL;
    gls_value_destroy(run->ctx, map);
    return text;
}

static gls_status write_config(gls_run *run) {
    char *path = NULL, *text = gls_run_config_text(run);
    gls_status status = text ? gls_folder_path(run, "config.yaml", &path) : GLS_ERR_MEMORY;
    if (status == GLS_OK) status = gls_write_text(run->ctx, path, text);
    gls_free(run->ctx, text);
    gls_free(run->ctx, path);
    return status;
}

/* ---- the folder ---- */

/* A run that is there already: it is to be resumed, and as the same run. */
static gls_status check_saved(gls_run *run, const char *path) {
    if (!run->options.resume)
        return gls_fail(run->ctx, GLS_ERR_ARGUMENT,
                        "%s already holds a run: continue it with --resume %s, or choose another folder", run->folder,
                        run->folder);
    GLS_TRY(gls_inputs_check(run));
    gls_value *config = NULL;
    gls_status status = resolved(run, &config);
    if (status == GLS_OK) status = gls_changes_check(run, path, config);
    gls_value_destroy(run->ctx, config);
    return status;
}

static gls_status check(gls_run *run) {
    char *path = NULL;
    GLS_TRY(gls_folder_path(run, "config.yaml", &path));
    gls_status status = gls_file_exists(path) ? check_saved(run, path) : GLS_OK;
    gls_free(run->ctx, path);
    return status;
}

gls_status gls_folder_check(gls_run *run) {
    return gls_comm_agree(run->ctx, run->rank == 0 ? check(run) : GLS_OK);
}

static gls_status write_folder(gls_run *run) {
    char *checkpoints = NULL;
    GLS_TRY(gls_folder_path(run, "checkpoints", &checkpoints));
    gls_status status = gls_make_directory(run->ctx, checkpoints);
    gls_writer_clear(run->ctx, run->folder);
    gls_writer_clear(run->ctx, checkpoints);
    gls_free(run->ctx, checkpoints);
    if (status == GLS_OK) status = gls_inputs_write(run);
    if (status == GLS_OK) status = gls_changes_write(run);
    return status == GLS_OK ? write_config(run) : status;
}

gls_status gls_folder_write(gls_run *run) {
    return gls_comm_agree(run->ctx, run->rank == 0 ? write_folder(run) : GLS_OK);
}
