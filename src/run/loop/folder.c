/* The run folder, and the configuration in it: what was asked for with defaults, absolute paths and the plan's choices,
 * so that it gives the same run wherever it is read. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/gemm.h"
#include "base/io.h"
#include "base/yaml.h"
#include "run/config/members.h"
#include "run/loop/trainer.h"

gls_status gls_folder_path(gls_run *run, const char *file, char **path) {
    *path = gls_sprintf(run->ctx, "%s/%s", run->folder, file);
    return *path ? GLS_OK : GLS_ERR_MEMORY;
}

/* ---- the resolved configuration ---- */

static bool is_path_of(const gls_option *table, const char *key) {
    for (; table && table->key; table++)
        if (table->type == GLS_OPTION_PATH && !strcmp(table->key, key)) return true;
    return false;
}

/* Whether a key of the data section, of a format or of a transform names a file. */
static bool is_path_key(gls_context *ctx, const char *key) {
    static const gls_kind kinds[] = {GLS_KIND_FORMAT, GLS_KIND_TRANSFORM};
    if (is_path_of(gls_data_table, key)) return true;
    for (int k = 0; k < 2; k++) {
        const gls_member *member;
        for (int64_t i = 0; (member = gls_members_at(ctx, kinds[k], i)); i++)
            if (is_path_of(member->options, key)) return true;
    }
    return false;
}

static gls_status absolute(gls_context *ctx, const gls_value *from, char **out) {
    const char *slash = from->file && from->line > 0 ? strrchr(from->file, '/') : NULL;
    char here[4096] = "";
    bool rooted = from->text[0] == '/' || (slash && from->file[0] == '/');
    if (!rooted && !getcwd(here, sizeof here))
        return gls_fail(ctx, GLS_ERR_FILE, "cannot tell the present folder: %s", strerror(errno));
    int folder = slash && from->text[0] != '/' ? (int)(slash - from->file) + 1 : 0;
    *out = gls_sprintf(ctx, "%s%s%.*s%s", here, rooted ? "" : "/", folder, folder ? from->file : "", from->text);
    return *out ? GLS_OK : GLS_ERR_MEMORY;
}

gls_status gls_absolute_paths(gls_context *ctx, gls_value *value) {
    for (int64_t i = 0; i < value->count; i++) {
        gls_value *item = value->items[i];
        if (item->kind == GLS_VALUE_TEXT && item->key && is_path_key(ctx, item->key)) {
            char *path = NULL;
            GLS_TRY(absolute(ctx, item, &path));
            gls_value *replaced = gls_value_create(ctx, GLS_VALUE_TEXT, item->key, path);
            gls_free(ctx, path);
            if (!replaced) return GLS_ERR_MEMORY;
            replaced->quoted = true;
            gls_value_destroy(ctx, item);
            value->items[i] = replaced;
        }
        GLS_TRY(gls_absolute_paths(ctx, value->items[i]));
    }
    return GLS_OK;
}

/* What the plan chose, with the precision and libraries it was chosen for. */
static gls_status append_plan(gls_run *run, gls_value *out) {
    char number[3][32], version[32];
    snprintf(version, sizeof version, "%d.%d.%d", GLS_VERSION_MAJOR, GLS_VERSION_MINOR, GLS_VERSION_PATCH);
    const int64_t chosen[] = {run->plan.slice, run->plan.wave, run->plan.lanes};
    for (int i = 0; i < 3; i++) snprintf(number[i], sizeof number[i], "%lld", (long long)chosen[i]);
    const char *const entry[][2] = {{"slice", number[0]},
                                    {"wave", number[1]},
                                    {"lanes", number[2]},
                                    {"precision", sizeof(gls_real) == 4 ? "float" : "double"},
                                    {"libraries", gls_gemm_describe(run->ctx)},
                                    {"version", version}};
    gls_value *plan = gls_value_create(run->ctx, GLS_VALUE_MAP, "plan", NULL);
    GLS_TRY(gls_value_append(run->ctx, out, plan));
    for (size_t i = 0; i < sizeof entry / sizeof *entry; i++)
        GLS_TRY(gls_value_append(run->ctx, plan, gls_value_create(run->ctx, GLS_VALUE_TEXT, entry[i][0], entry[i][1])));
    return GLS_OK;
}

static gls_status resolve(gls_run *run, gls_value *out) {
    const gls_value *config = run->config;
    for (int64_t i = 0; i < config->count; i++) {
        const gls_value *section = config->items[i];
        if (!strcmp(section->key, "plan")) continue;
        gls_value *copy = gls_value_clone(run->ctx, section);
        GLS_TRY(gls_value_append(run->ctx, out, copy));
        if (!strcmp(section->key, "data")) GLS_TRY(gls_absolute_paths(run->ctx, copy));
    }
    return append_plan(run, out);
}

static gls_status write_config(gls_run *run) {
    gls_value *map = gls_value_create(run->ctx, GLS_VALUE_MAP, NULL, NULL);
    char *path = NULL, *text = NULL;
    gls_status status = map ? resolve(run, map) : GLS_ERR_MEMORY;
    if (status == GLS_OK) {
        text = gls_yaml_text(run->ctx, map);
        status = text ? gls_folder_path(run, "config.yaml", &path) : GLS_ERR_MEMORY;
    }
    if (status == GLS_OK) status = gls_write_text(run->ctx, path, text);
    gls_value_destroy(run->ctx, map);
    gls_free(run->ctx, text);
    gls_free(run->ctx, path);
    return status;
}

/* ---- the folder ---- */

static gls_status prepare(gls_run *run) {
    char *config = NULL, *checkpoints = NULL;
    GLS_TRY(gls_folder_path(run, "config.yaml", &config));
    bool there = gls_file_exists(config);
    gls_free(run->ctx, config);
    if (there && !run->options.resume)
        return gls_fail(run->ctx, GLS_ERR_ARGUMENT,
                        "%s holds a run already: go on with it by --resume %s, or choose "
                        "another folder",
                        run->folder, run->folder);
    GLS_TRY(gls_folder_path(run, "checkpoints", &checkpoints));
    gls_status status = gls_make_directory(run->ctx, checkpoints);
    gls_free(run->ctx, checkpoints);
    return status == GLS_OK ? write_config(run) : status;
}

gls_status gls_folder_prepare(gls_run *run) {
    return gls_comm_agree(run->ctx, run->rank == 0 ? prepare(run) : GLS_OK);
}
