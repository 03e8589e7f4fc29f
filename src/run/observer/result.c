/* result.json: how the run ended. It is written last: a folder that has it belongs to a run that is whole. */
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/io.h"
#include "run/observer/named.h"
#include "run/observer/table.h"

static json_t *number(double x) {
    return isfinite(x) ? json_real(x) : json_null();
}

static void set(json_t *object, const char *prefix, const char *name, json_t *value) {
    char key[160];
    snprintf(key, sizeof key, "%s%s", prefix, name);
    json_object_set_new(object, key, value);
}

static void set_known(json_t *object, const char *prefix, const char *name, double x) {
    if (!isnan(x)) set(object, prefix, name, number(x));
}

static json_t *domains(const gls_domain_score *domain, int64_t count, const char *score) {
    json_t *list = json_array();
    for (int64_t d = 0; d < count; d++) {
        json_t *one = json_object();
        set(one, "", "domain", json_integer(domain[d].domain));
        set(one, "", "examples", json_integer(domain[d].examples));
        set(one, "", "loss", number(domain[d].loss));
        set(one, "", score, number(domain[d].score));
        json_array_append_new(list, one);
    }
    return list;
}

/* With every digit: a finished run that is resumed has the same result, to the bit. */
static char *text_of(gls_run *run, json_t *object) {
    char *text = object ? json_dumps(object, JSON_REAL_PRECISION(17)) : NULL;
    char *copy = text ? gls_strdup(run->ctx, text) : NULL;
    free(text);
    json_decref(object);
    if (!copy) gls_fail(run->ctx, GLS_ERR_MEMORY, "out of memory while writing the result");
    return copy;
}

char *gls_run_result_json(gls_run *run, const gls_run_result *r) {
    if (!run || !r) return NULL;
    if (run->whole && run->record) return text_of(run, json_incref(run->record));
    json_t *object = json_object();
    const char *score = r->score ? r->score : "score";
    set(object, "", "run", run->folder ? json_string(run->folder) : json_null());
    set(object, "", "steps", json_integer(r->steps));
    set(object, "", "epochs", number(r->epochs));
    set(object, "", "train_loss", number(r->train_loss));
    if (!isnan(r->train_loss) && r->train_examples != run->training->set.train->info.examples)
        set(object, "", "train_examples", json_integer(r->train_examples));
    set(object, "", "test_loss", number(r->test_loss));
    set(object, "test_", score, number(r->test_score));
    set_known(object, "train_", score, r->train_score);
    set_known(object, "validation_", "loss", r->validation_loss);
    set_known(object, "validation_", score, r->validation_score);
    if (run->training->set.train->info.target == GLS_TARGET_TOKENS) {
        set_known(object, "train_", "perplexity", exp(r->train_loss));
        set_known(object, "validation_", "perplexity", exp(r->validation_loss));
        set_known(object, "test_", "perplexity", exp(r->test_loss));
    }
    set(object, "", "seconds", number(r->seconds));
    set(object, "", "examples_per_second", number(r->examples_per_second));
    set(object, "", "stopped", json_string(gls_stop_reason_name(r->stopped)));
    set(object, "", "refused", json_integer(r->refused));
    set(object, "", "parameters", json_integer(gls_problem_size(run->training->problem)));
    if (run->training->counters.bytes && r->steps)
        set(object, "", "bytes_a_step", number((double)run->training->counters.bytes / (double)r->steps));
    int64_t count;
    const gls_domain_score *domain = gls_run_domains(run, &count);
    if (count) json_object_set_new(object, "domains", domains(domain, count, score));
    json_t *named = gls_named_json(run);
    if (named) json_object_set_new(object, "tests", named);
    return text_of(run, object);
}

static gls_status write_result(gls_run *run, const gls_run_result *result) {
    char *text = gls_run_result_json(run, result), *path = NULL;
    gls_status status = text ? gls_folder_path(run, "result.json", &path) : GLS_ERR_MEMORY;
    if (status == GLS_OK) status = gls_write_text(run->ctx, path, text);
    gls_free(run->ctx, text);
    gls_free(run->ctx, path);
    return status;
}

static gls_status end(void *user, gls_run *run, unsigned why) {
    (void)user;
    if (!(why & GLS_WHY_END)) return GLS_OK;
    GLS_TRY(gls_observers_flush(run));
    return run->rank == 0 ? write_result(run, &run->result) : GLS_OK;
}

gls_status gls_observe_result(gls_run *run) {
    if (!run->folder) return GLS_OK;
    return gls_run_observe(run, &(gls_observer){.name = "result", .end = end});
}
