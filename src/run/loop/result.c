/* How a run ends: final figures over whole sets, final.safetensors, result.json, and words about it. */
#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/io.h"
#include "run/observer/events.h"
#include "run/observer/ledger.h"
#include "run/loop/trainer.h"

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

static json_t *domains(const gls_run *run, const char *score) {
    json_t *list = json_array();
    for (int64_t d = 0; d < run->domains; d++) {
        json_t *one = json_object();
        set(one, "", "domain", json_integer(run->domain[d].domain));
        set(one, "", "examples", json_integer(run->domain[d].examples));
        set(one, "", "loss", number(run->domain[d].loss));
        set(one, "", score, number(run->domain[d].score));
        json_array_append_new(list, one);
    }
    return list;
}

char *gls_run_result_json(gls_run *run, const gls_run_result *r) {
    json_t *object = json_object();
    const char *score = r->score ? r->score : "score";
    set(object, "", "run", run->folder ? json_string(run->folder) : json_null());
    set(object, "", "steps", json_integer(r->steps));
    set(object, "", "epochs", number(r->epochs));
    set(object, "", "train_loss", number(r->train_loss));
    set(object, "", "test_loss", number(r->test_loss));
    set(object, "test_", score, number(r->test_score));
    set_known(object, "train_", score, r->train_score);
    set_known(object, "validation_", "loss", r->validation_loss);
    set_known(object, "validation_", score, r->validation_score);
    if (run->train_set->info.target == GLS_TARGET_TOKENS) {
        set_known(object, "train_", "perplexity", exp(r->train_loss));
        set_known(object, "validation_", "perplexity", exp(r->validation_loss));
        set_known(object, "test_", "perplexity", exp(r->test_loss));
    }
    set(object, "", "seconds", number(r->seconds));
    set(object, "", "examples_per_second", number(r->examples_per_second));
    set(object, "", "stopped", json_string(r->stopped));
    set(object, "", "refused", json_integer(r->refused));
    set(object, "", "parameters", json_integer(gls_problem_size(run->problem)));
    if (run->domains) json_object_set_new(object, "domains", domains(run, score));
    char *text = object ? json_dumps(object, JSON_REAL_PRECISION(12)) : NULL;
    char *copy = text ? gls_strdup(run->ctx, text) : NULL;
    free(text);
    json_decref(object);
    if (!copy) gls_fail(run->ctx, GLS_ERR_MEMORY, "out of memory while writing the result");
    return copy;
}

static gls_status write_result(gls_run *run, const gls_run_result *result) {
    char *text = gls_run_result_json(run, result), *path = NULL;
    gls_status status = text ? gls_folder_path(run, "result.json", &path) : GLS_ERR_MEMORY;
    if (status == GLS_OK) status = gls_write_text(run->ctx, path, text);
    gls_free(run->ctx, text);
    gls_free(run->ctx, path);
    return status;
}

static gls_status evaluate_all(gls_run *run, gls_run_result *r) {
    const gls_real *w = gls_run_output(run);
    GLS_TRY(gls_evaluate_set(run, run->train_set, w, &r->train_loss, &r->train_score));
    GLS_TRY(gls_evaluate_set(run, run->validation_set, w, &r->validation_loss, &r->validation_score));
    return gls_evaluate_set(run, run->test_set, w, &r->test_loss, &r->test_score);
}

static void trace_final(gls_run *run, const char *set_name, double loss, double score) {
    char name[160];
    snprintf(name, sizeof name, "final_%s_loss", set_name);
    if (!isnan(loss)) gls_run_trace(run, name, loss);
    snprintf(name, sizeof name, "final_%s_%s", set_name, run->problem->score_count ? run->problem->score[0] : "score");
    if (!isnan(score)) gls_run_trace(run, name, score);
}

static gls_status finish(gls_run *run, gls_run_result *result) {
    bool interrupted = run->stop && !strcmp(run->stop, "interrupted");
    const gls_counters *c = &run->counters;
    double seconds = gls_run_seconds(run);
    *result = (gls_run_result){
        .steps = c->steps,
        .refused = c->refused,
        .epochs = run->epoch,
        .train_loss = NAN,
        .validation_loss = NAN,
        .test_loss = NAN,
        .train_score = NAN,
        .validation_score = NAN,
        .test_score = NAN,
        .score = run->problem->score_count ? run->problem->score[0] : NULL,
        .seconds = seconds,
        .examples_per_second = seconds > 0 ? (double)c->examples / seconds : NAN,
        .stopped = run->stop ? run->stop : "unfinished",
    };
    if (run->folder) GLS_TRY(gls_checkpoint_save(run, false));
    if (interrupted) return GLS_OK;
    GLS_TRY(gls_taps_observe(run, true));
    GLS_TRY(evaluate_all(run, result));
    GLS_TRY(gls_run_evaluate_domains(run));
    trace_final(run, "train", result->train_loss, result->train_score);
    trace_final(run, "validation", result->validation_loss, result->validation_score);
    trace_final(run, "test", result->test_loss, result->test_score);
    if (!run->folder) return GLS_OK;
    GLS_TRY(gls_checkpoint_final(run));
    GLS_TRY(gls_ledger_save(run));
    gls_status status = GLS_OK;
    if (run->rank == 0) {
        int64_t position;
        status = gls_trace_flush(run->trace, &position);
        if (status == GLS_OK && run->measures) status = gls_trace_flush(run->measures, &position);
        if (status == GLS_OK && run->events) status = gls_events_flush(run->events);
        if (status == GLS_OK) status = write_result(run, result);
    }
    return gls_comm_agree(run->ctx, status);
}

gls_status gls_run_finish(gls_run *run, gls_run_result *result) {
    GLS_TRY(gls_run_failed(run));
    return run->failed = finish(run, result);
}

/* ---- the summary ---- */

typedef struct text {
    gls_context *ctx;
    char *at;
} text;

static void GLS_PRINTF(2, 3) add(text *t, const char *format, ...) {
    if (!t->at) return;
    char line[512];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    char *longer = gls_sprintf(t->ctx, "%s%s", t->at, line);
    gls_free(t->ctx, t->at);
    t->at = longer;
}

static void add_set(text *t, const char *name, const gls_source *source) {
    if (!source) return;
    const gls_data_info *info = &source->info;
    add(t, "%-12s %lld examples", name, (long long)info->examples);
    if (info->dims > 1) {
        add(t, " of ");
        for (int i = 0; i < info->dims; i++) add(t, "%s%lld", i ? " x " : "", (long long)info->shape[i]);
    } else if (info->features) {
        add(t, " of %lld %sfeatures", (long long)info->features, info->sparse ? "sparse " : "");
    }
    if (info->target == GLS_TARGET_CLASS) add(t, ", %lld classes", (long long)info->classes);
    add(t, "\n");
}

static void add_layout(text *t, const char *title, const gls_layout *layout) {
    if (!gls_layout_count(layout)) return;
    add(t, "%s\n", title);
    for (int64_t i = 0; i < gls_layout_count(layout); i++) {
        const gls_block *b = gls_layout_block(layout, i);
        char shape[128] = "";
        int used = 0;
        for (int k = 0; k < b->dims; k++)
            used +=
                snprintf(shape + used, sizeof shape - (size_t)used, "%s%lld", k ? " x " : "", (long long)b->shape[k]);
        add(t, "  %-36s %-24s %12lld\n", b->name, shape, (long long)b->size);
    }
    add(t, "  %-36s %-24s %12lld\n", "all", "", (long long)gls_layout_size(layout));
}

char *gls_run_summary(gls_run *run) {
    text t = {run->ctx, gls_strdup(run->ctx, "")};
    add_set(&t, "training", run->train_set);
    add_set(&t, "validation", run->validation_set);
    add_set(&t, "test", run->test_set);
    add(&t, "%-12s %s\n", "method", gls_method_name(run->method));
    if (run->total_steps > 0) add(&t, "%-12s %.0f, %.0f an epoch\n", "steps", run->total_steps, run->steps_per_epoch);
    add(&t, "%-12s slices of %lld rows in %lld lanes, waves of %lld rows, %s precision\n", "plan",
        (long long)run->plan.slice, (long long)run->plan.lanes, (long long)run->plan.wave,
        sizeof(gls_real) == 4 ? "float" : "double");
    add_layout(&t, "parameters", gls_problem_layout(run->problem));
    add_layout(&t, "state", run->problem->state_layout);
    return t.at;
}
