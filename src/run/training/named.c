/* The sets of data.tests: names of the user's own. */
#include <ctype.h>
#include <string.h>

#include "base/value.h"
#include "run/training/training.h"

static bool is_name(const char *name) {
    /* Figures of a run are SET_loss and the like: these names have some already. */
    static const char *const taken[] = {"auto", "train", "validation", "test",        "final",
                                        "best", "full",  "decayed",    "last_window", NULL};
    if (strncmp(name, "final_", 6) == 0 || strncmp(name, "best_", 5) == 0) return false;
    for (int i = 0; taken[i]; i++)
        if (strcmp(name, taken[i]) == 0) return false;
    for (const char *c = name; *c; c++)
        if (!isalnum((unsigned char)*c) && *c != '_' && *c != '-') return false;
    return *name && strlen(name) <= 32;
}

static gls_status check_names(const gls_training *t) {
    const gls_value *tests = t->data->tests;
    char place[GLS_ORIGIN_TEXT];
    if (!tests) return GLS_OK;
    if (tests->kind != GLS_VALUE_MAP)
        return gls_fail(t->ctx, GLS_ERR_ARGUMENT, "%sdata.tests: expected a map, as in {clean: a.npy, other: b.npy}",
                        gls_value_origin(tests, place));
    for (int64_t i = 0; i < tests->count; i++)
        if (!is_name(tests->items[i]->key) || tests->items[i]->kind != GLS_VALUE_TEXT)
            return gls_fail(
                t->ctx, GLS_ERR_ARGUMENT,
                "%sdata.tests: expected a name of at most 32 letters, digits, _ and -, not one of the run's "
                "own sets, and a path; found '%s'",
                gls_value_origin(tests->items[i], place), tests->items[i]->key);
    return GLS_OK;
}

gls_status gls_training_check_monitor(const gls_training *t) {
    static const char *const own[] = {"auto", "train", "validation", "test", NULL};
    const char *monitor = t->train->monitor;
    GLS_TRY(check_names(t));
    for (int i = 0; own[i]; i++)
        if (strcmp(monitor, own[i]) == 0) return GLS_OK;
    if (t->data->tests && gls_value_get(t->data->tests, monitor)) return GLS_OK;
    return gls_fail(t->ctx, GLS_ERR_ARGUMENT,
                    "train.monitor: expected auto, train, validation, test or a name of data.tests, found '%s'",
                    monitor);
}

gls_status gls_training_open_named(gls_training *t, gls_status (*open)(gls_training *t, const char *path,
                                                                       gls_training_input input, gls_source **out)) {
    const gls_value *tests = t->data->tests;
    if (!tests || !tests->count) return GLS_OK;
    t->set.named = gls_alloc(t->ctx, tests->count, sizeof *t->set.named);
    if (!t->set.named) return GLS_ERR_MEMORY;
    for (int64_t i = 0; i < tests->count; i++) {
        gls_named_set *set = &t->set.named[t->set.named_count++];
        set->name = tests->items[i]->key;
        char *path = NULL;
        GLS_TRY(gls_config_absolute_path(t->ctx, tests->items[i], &path));
        gls_status status = open(t, path, GLS_INPUT_TESTS, &set->source);
        gls_free(t->ctx, path);
        GLS_TRY(status);
    }
    return GLS_OK;
}

void gls_training_close_named(gls_training *t) {
    for (int64_t i = 0; i < t->set.named_count; i++) gls_source_destroy(t->set.named[i].source);
    gls_free(t->ctx, t->set.named);
}

const gls_source *gls_training_named(const gls_training *t, const char *name) {
    for (int64_t i = 0; i < t->set.named_count; i++)
        if (strcmp(t->set.named[i].name, name) == 0) return t->set.named[i].source;
    return NULL;
}
