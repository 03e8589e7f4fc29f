/* A resumed run is the same run: what its folder's configuration says may change in a few keys, which are written down
 * with the step. All else is refused before anything is written. */
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/io.h"
#include "base/text.h"
#include "base/value.h"
#include "base/yaml.h"
#include "run/loop/run.h"

enum { LONGEST_KEY = 256, RECORD_LIMIT = 1 << 26 };

/* A dot at the end: the key and all below it. "plan": older folders have none. Lengths and ends, what the bits do not
 * depend on, and what is written. */
/* clang-format off */
static const char *const changeable[] = {
    "name", "train.epochs", "train.steps", "train.time", "train.target_loss", "train.target_accuracy", "train.patience",
    "train.monitor", "train.seeds", "train.threads", "train.workers", "train.checkpoint_every", "train.keep",
    "train.log_every", "train.validate_every", "train.final_train", "train.tensorboard", "train.watchdog", "measure.", "plan", "plan.libraries",
    "plan.version", NULL};
/* clang-format on */

/* A file may move, where its content is recognised. */
static const char *const movable[] = {"data.train", "data.validation", "data.test"};

static bool may_change(const gls_run *run, const char *key) {
    for (size_t i = 0; run->recognised && i < sizeof movable / sizeof *movable; i++)
        if (strcmp(movable[i], key) == 0) return true;
    for (const char *const *known = changeable; *known; known++) {
        size_t length = strlen(*known);
        bool whole = (*known)[length - 1] == '.';
        if (whole ? strncmp(*known, key, length) == 0 : strcmp(*known, key) == 0) return true;
    }
    return false;
}

/* ---- two values ---- */

static bool same_text(const char *a, const char *b) {
    const char *rest[2];
    double x, y;
    if (strcmp(a, b) == 0) return true;
    if (!gls_text_to_real(a, &x, &rest[0]) || !gls_text_to_real(b, &y, &rest[1])) return false;
    return (x == y || (isnan(x) && isnan(y))) && !*rest[0] && !*rest[1];
}

static bool same(const gls_value *a, const gls_value *b) {
    if (!a || !b) return a == b;
    if (a->kind != b->kind || a->count != b->count) return false;
    if (a->kind == GLS_VALUE_TEXT) return same_text(a->text, b->text);
    for (int64_t i = 0; i < a->count; i++)
        if (!same(a->items[i], a->kind == GLS_VALUE_MAP ? gls_value_get(b, a->items[i]->key) : b->items[i]))
            return false;
    return true;
}

/* Its text, or YAML; from gls_alloc. */
static char *text_of(gls_context *ctx, const gls_value *value) {
    if (!value) return gls_strdup(ctx, "nothing");
    if (value->kind == GLS_VALUE_TEXT) return gls_strdup(ctx, value->text);
    char *text = gls_yaml_text(ctx, value);
    for (size_t n = text ? strlen(text) : 0; n && text[n - 1] == '\n'; n--) text[n - 1] = 0;
    return text;
}

/* ---- what changed ---- */

static gls_status refuse(gls_run *run, const char *key, const char *old, const char *new) {
    return gls_fail(run->ctx, GLS_ERR_ARGUMENT,
                    "%s: %s was '%s' and would be '%s'; a resumed run is the same run, in which only its length, ends, "
                    "threads, cadences and outputs may change; begin another with --from %s",
                    run->folder, key, old, new, run->folder);
}

gls_status gls_changes_note(gls_run *run, const char *key, const char *before, const char *after) {
    if (!run->changes) run->changes = json_array();
    json_t *change = json_pack("{s:s, s:s, s:s}", "key", key, "before", before, "after", after);
    if (json_array_append_new(run->changes, change) == 0) return GLS_OK;
    return gls_fail(run->ctx, GLS_ERR_MEMORY, "out of memory for the changes of a resumed run");
}

static gls_status note(gls_run *run, const char *key, const gls_value *old, const gls_value *new) {
    char *before = text_of(run->ctx, old), *after = text_of(run->ctx, new);
    gls_status status = before && after ? GLS_OK : GLS_ERR_MEMORY;
    if (status == GLS_OK && !may_change(run, key)) status = refuse(run, key, before, after);
    if (status == GLS_OK) status = gls_changes_note(run, key, before, after);
    gls_free(run->ctx, before);
    gls_free(run->ctx, after);
    return status;
}

static gls_status compare(gls_run *run, const char *path, const gls_value *old, const gls_value *new);

/* Entries of two maps, or of lists of one length, which go by their place. */
static gls_status compare_entries(gls_run *run, const char *path, const gls_value *old, const gls_value *new) {
    char key[LONGEST_KEY];
    for (int side = 0; side < 2; side++) {
        const gls_value *map = side ? new : old;
        for (int64_t i = 0; i < map->count; i++) {
            const char *name = map->items[i]->key;
            bool list = map->kind == GLS_VALUE_LIST;
            const gls_value *other = list ? (side ? old : new)->items[i] : gls_value_get(side ? old : new, name);
            if (side && other) continue; /* compared from the other side */
            if (list)
                snprintf(key, sizeof key, "%s.%lld", path, (long long)i);
            else
                snprintf(key, sizeof key, "%s%s%s", path, *path ? "." : "", name);
            /* A measure added or left out is one of its section. */
            if (strcmp(key, "measure") == 0 && !other) strcat(key, ".");
            GLS_TRY(compare(run, key, side ? other : map->items[i], side ? map->items[i] : other));
        }
    }
    return GLS_OK;
}

/* Down to the keys that differ; path is the name of both, "" at the top. */
static gls_status compare(gls_run *run, const char *path, const gls_value *old, const gls_value *new) {
    if (same(old, new)) return GLS_OK;
    bool maps = old && new && old->kind == GLS_VALUE_MAP &&new->kind == GLS_VALUE_MAP;
    bool lists = old && new && old->kind == GLS_VALUE_LIST &&new->kind == GLS_VALUE_LIST && old->count == new->count;
    return maps || lists ? compare_entries(run, path, old, new) : note(run, path, old, new);
}

gls_status gls_changes_check(gls_run *run, const char *path, const gls_value *config) {
    gls_value *saved = NULL, *old = NULL;
    gls_status status = gls_config_read(run->ctx, path, &saved);
    if (status == GLS_OK) status = gls_config_resolve(run->ctx, saved, &old);
    if (status == GLS_OK) status = compare(run, "", old, config);
    if (status == GLS_OK) status = gls_stretch_plan(run, old);
    gls_value_destroy(run->ctx, old);
    gls_value_destroy(run->ctx, saved);
    return status;
}

/* ---- the record ---- */

/* The lines that were there, and one for each change. */
static gls_status append(gls_run *run, const char *path, gls_writer *writer) {
    char *before = NULL;
    int64_t size = 0;
    size_t i;
    json_t *change;
    if (gls_file_exists(path)) GLS_TRY(gls_read_file(run->ctx, path, RECORD_LIMIT, &before, &size));
    gls_status status = size ? gls_writer_write(writer, before, size) : GLS_OK;
    gls_free(run->ctx, before);
    json_array_foreach(run->changes, i, change) {
        json_object_set_new(change, "step", json_integer((json_int_t)run->training->counters.steps));
        char *line = json_dumps(change, JSON_COMPACT | JSON_SORT_KEYS);
        if (status == GLS_OK) status = line ? gls_writer_printf(writer, "%s\n", line) : GLS_ERR_MEMORY;
        free(line);
    }
    return status;
}

gls_status gls_changes_write(gls_run *run) {
    char *path = NULL;
    gls_writer *writer = NULL;
    if (!run->changes) return GLS_OK;
    GLS_TRY(gls_folder_path(run, "changes.jsonl", &path));
    gls_status status = gls_writer_open(run->ctx, path, &writer);
    if (status == GLS_OK) status = append(run, path, writer);
    if (status == GLS_OK)
        status = gls_writer_commit(writer);
    else
        gls_writer_abort(writer);
    gls_free(run->ctx, path);
    json_decref(run->changes);
    run->changes = NULL;
    return status;
}
