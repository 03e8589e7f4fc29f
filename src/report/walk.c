/* Walks folders for runs: a run is a folder with a config.yaml; seeds of one run and trials of one sweep are told by
 * the names that `train` and `sweep` give them. */
#include "report/walk.h"

#include <ctype.h>
#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/io.h"
#include "base/value.h"
#include "base/yaml.h"

/* Deeper and more than anybody keeps runs; it ends a walk that went into something else. */
enum { DEEPEST = 8, MOST_PLACES = 2000 };

static bool is_folder(const char *path, bool follow) {
    struct stat info;
    return (follow ? stat : lstat)(path, &info) == 0 && S_ISDIR(info.st_mode);
}

static bool has_file(gls_context *ctx, const char *folder, const char *name) {
    char *path = gls_sprintf(ctx, "%s/%s", folder, name);
    bool there = path && gls_file_exists(path);
    gls_free(ctx, path);
    return there;
}

/* "seed-" and digits. */
static bool names_seed(const char *name) {
    if (strncmp(name, "seed-", 5) != 0 || !name[5]) return false;
    return strspn(name + 5, "0123456789") == strlen(name + 5);
}

static bool names_trial(const char *name) {
    return strncmp(name, "trial-", 6) == 0 && strlen(name) == 14 && strspn(name + 6, "0123456789abcdef") == 8;
}

/* ---- what is in a folder ---- */

typedef struct entries {
    char **name;
    int64_t count;
} entries;

static void clear_entries(gls_context *ctx, entries *e) {
    for (int64_t i = 0; i < e->count; i++) gls_free(ctx, e->name[i]);
    gls_free(ctx, e->name);
    *e = (entries){0};
}

static int by_name(const void *a, const void *b) {
    return strverscmp(*(char *const *)a, *(char *const *)b);
}

/* The folders in a folder. Names that begin with a dot belong to nobody's runs. */
static gls_status read_entries(gls_context *ctx, const char *folder, entries *out) {
    gls_status status = GLS_OK;
    DIR *dir = opendir(folder);
    *out = (entries){0};
    for (struct dirent *e; dir && status == GLS_OK && (e = readdir(dir));) {
        char *path = e->d_name[0] == '.' ? NULL : gls_sprintf(ctx, "%s/%s", folder, e->d_name);
        bool wanted = path && is_folder(path, false);
        gls_free(ctx, path);
        if (!wanted) continue;
        char **grown = gls_resize(ctx, out->name, out->count + 1, sizeof *grown);
        if (grown) out->name = grown;
        char *copy = grown ? gls_strdup(ctx, e->d_name) : NULL;
        if (copy)
            out->name[out->count++] = copy;
        else
            status = GLS_ERR_MEMORY;
    }
    if (dir) closedir(dir);
    if (out->count) qsort(out->name, (size_t)out->count, sizeof *out->name, by_name);
    return status;
}

/* ---- places ---- */

static void clear_place(gls_context *ctx, gls_report_place *p) {
    entries seeds = {p->seed, p->seeds};
    clear_entries(ctx, &seeds);
    gls_free(ctx, p->folder);
    gls_free(ctx, p->name);
    gls_free(ctx, p->sweep);
}

void gls_report_places_clear(gls_report_places *places) {
    for (int64_t i = 0; i < places->count; i++) clear_place(places->ctx, &places->place[i]);
    if (places->ctx) gls_free(places->ctx, places->place);
    *places = (gls_report_places){0};
}

/* Takes the seeds. */
static gls_status add_place(gls_report_places *places, const char *folder, const char *name, const char *sweep,
                            entries *seeds) {
    gls_context *ctx = places->ctx;
    gls_report_place p = {.folder = gls_strdup(ctx, folder),
                          .name = gls_strdup(ctx, name),
                          .sweep = sweep ? gls_strdup(ctx, sweep) : NULL,
                          .seed = seeds->name,
                          .seeds = seeds->count};
    *seeds = (entries){0};
    bool whole = p.folder && p.name && (p.sweep || !sweep);
    gls_report_place *grown = whole ? gls_resize(ctx, places->place, places->count + 1, sizeof *grown) : NULL;
    if (!grown) {
        clear_place(ctx, &p);
        return GLS_ERR_MEMORY;
    }
    places->place = grown;
    places->place[places->count++] = p;
    return GLS_OK;
}

/* Of the folders those of seeds that are runs: one that is just being made has no configuration yet. */
static gls_status keep_seeds(gls_context *ctx, const char *folder, entries *e) {
    int64_t kept = 0;
    for (int64_t i = 0; i < e->count; i++) {
        char *file = names_seed(e->name[i]) ? gls_sprintf(ctx, "%s/config.yaml", e->name[i]) : NULL;
        bool run = file && has_file(ctx, folder, file);
        gls_free(ctx, file);
        if (run)
            e->name[kept++] = e->name[i];
        else
            gls_free(ctx, e->name[i]);
    }
    e->count = kept;
    return GLS_OK;
}

static gls_status walk(gls_report_places *places, const char *folder, const char *name, const char *sweep, int depth);

static gls_status walk_below(gls_report_places *places, const char *folder, const char *name, int depth) {
    gls_context *ctx = places->ctx;
    entries below;
    gls_status status = read_entries(ctx, folder, &below);
    for (int64_t i = 0; i < below.count && status == GLS_OK && places->count < MOST_PLACES; i++) {
        char *path = gls_sprintf(ctx, "%s/%s", folder, below.name[i]);
        char *own = gls_sprintf(ctx, "%s%s%s", name, *name ? "/" : "", below.name[i]);
        status = path && own ? walk(places, path, own, names_trial(below.name[i]) ? folder : NULL, depth + 1)
                             : GLS_ERR_MEMORY;
        gls_free(ctx, path);
        gls_free(ctx, own);
    }
    clear_entries(ctx, &below);
    return status;
}

static gls_status walk(gls_report_places *places, const char *folder, const char *name, const char *sweep, int depth) {
    gls_context *ctx = places->ctx;
    entries seeds;
    gls_status status = read_entries(ctx, folder, &seeds);
    if (status == GLS_OK) status = keep_seeds(ctx, folder, &seeds);
    bool run = seeds.count || has_file(ctx, folder, "config.yaml");
    if (status == GLS_OK && run) status = add_place(places, folder, name, sweep, &seeds);
    clear_entries(ctx, &seeds);
    if (status != GLS_OK || run || depth >= DEEPEST) return status;
    return walk_below(places, folder, name, depth);
}

gls_status gls_report_places_find(gls_context *ctx, const char *folder, gls_report_places *out) {
    *out = (gls_report_places){.ctx = ctx};
    if (!is_folder(folder, true))
        return gls_fail(ctx, GLS_ERR_INPUT, "%s: expected a run folder, found %s", folder,
                        gls_file_exists(folder) ? "a file" : "nothing");
    GLS_TRY(walk(out, folder, "", NULL, 0));
    if (out->count) return GLS_OK;
    return gls_fail(
        ctx, GLS_ERR_INPUT,
        "%s: expected a run folder or one that holds runs, found no config.yaml in it or in the folders below", folder);
}

/* ---- have they ended ---- */

/* train.seeds of the configuration that runs with several seeds share; 1 where it says nothing. */
static int64_t seeds_wanted(gls_context *ctx, const char *folder) {
    char *path = gls_sprintf(ctx, "%s/config.yaml", folder);
    gls_value *config = NULL;
    int64_t seeds = 1;
    if (path && gls_file_exists(path) && gls_yaml_read_file(ctx, path, &config) == GLS_OK && config) {
        const gls_value *train = config->kind == GLS_VALUE_MAP ? gls_value_get(config, "train") : NULL;
        const gls_value *given = train && train->kind == GLS_VALUE_MAP ? gls_value_get(train, "seeds") : NULL;
        if (given && given->kind == GLS_VALUE_TEXT) seeds = atoll(given->text);
        gls_value_destroy(ctx, config);
    }
    gls_free(ctx, path);
    return seeds;
}

bool gls_report_place_ended(gls_context *ctx, const gls_report_place *place) {
    if (!place->seeds) return has_file(ctx, place->folder, "result.json");
    bool ended = place->seeds >= seeds_wanted(ctx, place->folder);
    for (int64_t s = 0; s < place->seeds && ended; s++) {
        char *file = gls_sprintf(ctx, "%s/result.json", place->seed[s]);
        ended = file && has_file(ctx, place->folder, file);
        gls_free(ctx, file);
    }
    return ended;
}
