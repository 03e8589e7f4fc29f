/* A run that had ended: resumed without a further step, its folder stays as it is, and its result is the one in it. */
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/io.h"
#include "run/loop/run.h"

enum { RECORD_LIMIT = 1 << 26 };

static double real_of(const json_t *object, const char *prefix, const char *name) {
    char key[160];
    snprintf(key, sizeof key, "%s%s", prefix, name);
    const json_t *value = json_object_get(object, key);
    return json_is_number(value) ? json_number_value(value) : NAN;
}

/* False for a file that is not a result, or that of an earlier end: steps were taken since. */
static bool read_result(const gls_run *run, const json_t *object, gls_run_result *out) {
    const char *name = gls_training_score_name(run->training), *score = name ? name : "score";
    gls_stop_reason stopped;
    if (!gls_stop_reason_named(json_string_value(json_object_get(object, "stopped")), &stopped)) return false;
    *out = (gls_run_result){.steps = json_integer_value(json_object_get(object, "steps")),
                            .refused = json_integer_value(json_object_get(object, "refused")),
                            .epochs = real_of(object, "", "epochs"),
                            .train_loss = real_of(object, "", "train_loss"),
                            .validation_loss = real_of(object, "", "validation_loss"),
                            .test_loss = real_of(object, "", "test_loss"),
                            .train_score = real_of(object, "train_", score),
                            .validation_score = real_of(object, "validation_", score),
                            .test_score = real_of(object, "test_", score),
                            .seconds = real_of(object, "", "seconds"),
                            .examples_per_second = real_of(object, "", "examples_per_second"),
                            .stopped = stopped};
    return out->steps == run->training->counters.steps && out->steps > 0;
}

static bool is_changed(const gls_run *run, const char *key) {
    size_t i;
    json_t *change;
    json_array_foreach(run->changes, i, change) {
        if (strcmp(json_string_value(json_object_get(change, "key")), key) == 0) return true;
    }
    return false;
}

/* A record that cannot be read is none: the run then ends once more. */
static gls_status look(gls_run *run) {
    char *path = NULL, *text = NULL;
    int64_t size;
    GLS_TRY(gls_folder_path(run, "result.json", &path));
    gls_status status = gls_file_exists(path) ? gls_read_file(run->ctx, path, RECORD_LIMIT, &text, &size) : GLS_OK;
    gls_free(run->ctx, path);
    GLS_TRY(status);
    run->record = text ? json_loads(text, 0, NULL) : NULL;
    gls_free(run->ctx, text);
    run->whole = read_result(run, run->record, &run->result);
    if (run->whole) json_object_set_new(run->record, "run", json_string(run->folder));
    run->spent = run->whole && run->result.stopped == GLS_STOP_TIME && !is_changed(run, "train.time");
    return GLS_OK;
}

gls_status gls_finished_look(gls_run *run) {
    struct {
        gls_run_result result;
        bool whole, spent;
    } found = {0};
    gls_status status = run->options.resume && run->rank == 0 ? look(run) : GLS_OK;
    found.result = run->result;
    found.whole = run->whole;
    found.spent = run->spent;
    GLS_TRY(gls_comm_broadcast(run->ctx, &found, sizeof found, 0, status));
    const gls_training *t = run->training;
    run->whole = found.whole;
    run->spent = found.spent;
    run->result = found.result;
    run->result.score = gls_training_score_name(t);
    run->result.score_lower = t->score && t->score->lower;
    return GLS_OK;
}

/* What a time limit keeps back for the end is known only after steps: it is not asked again. */
gls_status gls_finished_ask(gls_run *run) {
    gls_query query;
    if (run->spent) gls_run_stop(run, GLS_STOP_TIME);
    for (int64_t i = 0; i < run->slots && !run->stop; i++) {
        const gls_observer *o = &run->slot[i].observer;
        if (o->before && run->slot[i].place != run->place) GLS_TRY(o->before(o->user, run));
    }
    GLS_TRY(gls_method_query(run->training->method, run->training->w, &query));
    if (!run->stop && query.kind == GLS_QUERY_DONE) run->stop = GLS_STOP_METHOD;
    return GLS_OK;
}
