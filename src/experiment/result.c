/* result.json: what was claimed, what was done, what came out. */
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "experiment/experiment.h"
#include <glissade/run.h>

static json_t *texts(const gls_texts *list) {
    json_t *out = json_array();
    for (int64_t i = 0; i < list->count; i++) json_array_append_new(out, json_string(list->item[i]));
    return out;
}

/* A tree of the file as JSON; what reads as a number stays the text that it was written as. */
static json_t *tree(const gls_value *value) {
    if (!value) return json_null();
    if (value->kind == GLS_VALUE_TEXT) return json_string(value->text);
    json_t *out = value->kind == GLS_VALUE_MAP    ? json_object()
                  : value->kind == GLS_VALUE_LIST ? json_array()
                                                  : json_null();
    for (int64_t i = 0; i < value->count; i++) {
        const gls_value *item = value->items[i];
        if (value->kind == GLS_VALUE_MAP)
            json_object_set_new(out, item->key, tree(item));
        else
            json_array_append_new(out, tree(item));
    }
    return out;
}

/* ---- arms ---- */

static json_t *figure_of(const gls_experiment_runner *r, const gls_experiment_result *of, const char *name) {
    json_t *each = json_array();
    double sum = 0, squares = 0, n = (double)r->scale->seeds;
    for (int64_t s = 0; s < r->scale->seeds; s++) {
        double x = gls_experiment_outcome_get(of->outcome[s], name);
        json_array_append_new(each, gls_experiment_number(x));
        sum += x;
    }
    for (int64_t s = 0; s < r->scale->seeds; s++) {
        double x = gls_experiment_outcome_get(of->outcome[s], name) - sum / n;
        squares += x * x;
    }
    return json_pack("{s:o, s:o, s:o}", "each", each, "mean", gls_experiment_number(sum / n), "deviation",
                     gls_experiment_number(sqrt(squares / (n - 1))));
}

/* Figures of the table, and those that the rule reads. */
static void add_figures(const gls_experiment_runner *r, int64_t arm, json_t *to) {
    const gls_experiment_text *text = r->experiment->text;
    const gls_experiment_claim *claim = text->expect.item;
    for (int64_t i = 0; i < text->show.count; i++)
        json_object_set_new(to, text->show.item[i], figure_of(r, &r->result[arm], text->show.item[i]));
    for (int64_t i = 0; i < text->expect.count; i++) {
        for (int64_t k = 0; claim[i].of && k < claim[i].of->count; k++) {
            const char *figure, *key = claim[i].of->items[k]->key;
            if (gls_experiment_arm_of(r->experiment, key, &figure) == arm && figure)
                json_object_set_new(to, figure, figure_of(r, &r->result[arm], figure));
        }
        if (claim[i].figure) json_object_set_new(to, claim[i].figure, figure_of(r, &r->result[arm], claim[i].figure));
    }
}

/* What any two arms of one task can be compared by, whatever the rule reads. */
static json_t *losses_of(const gls_experiment_runner *r, int64_t arm) {
    static const char *const name[] = {"train_loss", "validation_loss", "test_loss"};
    json_t *out = json_object();
    for (size_t i = 0; i < sizeof name / sizeof *name; i++)
        if (!isnan(gls_experiment_outcome_get(r->result[arm].outcome[0], name[i])))
            json_object_set_new(out, name[i], figure_of(r, &r->result[arm], name[i]));
    return out;
}

static json_t *describe_arm(const gls_experiment_runner *r, int64_t i) {
    const gls_experiment_arm *arm = gls_experiment_arm_at(r->experiment, i);
    const gls_experiment_result *of = &r->result[i];
    json_int_t diverged = 0;
    for (int64_t s = 0; s < r->scale->seeds; s++) diverged += json_is_true(json_object_get(of->outcome[s], "diverged"));
    json_t *figures = json_object();
    add_figures(r, i, figures);
    return json_pack("{s:s, s:s?, s:o, s:o, s:s?, s:s?, s:b, s:O, s:I, s:f, s:o, s:o}", "name", arm->name, "line",
                     arm->line, "x", gls_experiment_number(arm->x), "set", texts(&arm->set), "key",
                     !arm->rates.count ? NULL
                     : arm->key        ? arm->key
                                       : r->experiment->text->tune->key,
                     "value", *of->value ? of->value : NULL, "edge", of->edge, "tried", of->tried, "diverged", diverged,
                     "seconds", of->seconds, "figures", figures, "losses", losses_of(r, i));
}

/* ---- the whole ---- */

static json_t *protocol(const gls_experiment_runner *r) {
    const gls_experiment_tune *tune = r->experiment->text->tune;
    if (!tune) return json_null();
    return json_pack("{s:s, s:s, s:b, s:f, s:I, s:I}", "key", tune->key, "by", tune->by, "greatest", tune->greatest,
                     "factor", tune->factor, "widen", (json_int_t)tune->widen, "seeds",
                     (json_int_t)r->scale->tune_seeds);
}

static void add_origin(const gls_experiment_runner *r, json_t *to) {
    char date[16], version[32];
    time_t now = time(NULL);
    struct tm day;
    strftime(date, sizeof date, "%Y-%m-%d", gmtime_r(&now, &day));
    snprintf(version, sizeof version, "%d.%d.%d", GLS_VERSION_MAJOR, GLS_VERSION_MINOR, GLS_VERSION_PATCH);
    json_object_set_new(to, "date", json_string(date));
    json_object_set_new(to, "version", json_string(version));
    json_object_set_new(to, "libraries", json_string(gls_gemm_describe(r->ctx)));
    json_object_set_new(to, "precision", json_string(sizeof(gls_real) == 8 ? "double" : "float"));
    json_object_set_new(to, "processors", json_integer(gls_processors()));
}

gls_status gls_experiment_describe(const gls_experiment_runner *r, json_t **out, gls_experiment_verdict *verdict) {
    const gls_experiment_text *text = r->experiment->text;
    double seconds = 0;
    json_t *all = json_pack("{s:s, s:s, s:s, s:o, s:s, s:s, s:s, s:I, s:I, s:o, s:[], s:[], s:[], s:o}", "experiment",
                            r->experiment->name, "title", text->title, "paper", text->paper, "rows", texts(&text->rows),
                            "claim", text->claim, "here", text->here, "scale", r->scale->name, "seeds",
                            (json_int_t)r->scale->seeds, "first_seed", (json_int_t)r->scale->first_seed, "tune",
                            protocol(r), "expect", "arms", "figures", "printed", tree(text->printed));
    *out = all;
    if (!all) return gls_fail(r->ctx, GLS_ERR_MEMORY, "experiment: no memory");
    for (int64_t i = 0; i < text->arms.count; i++) {
        seconds += r->result[i].seconds;
        if (json_array_append_new(json_object_get(all, "arms"), describe_arm(r, i)))
            return gls_fail(r->ctx, GLS_ERR_MEMORY, "experiment: no memory");
    }
    json_object_set_new(all, "seconds", json_real(seconds));
    json_object_set_new(all, "set", texts(&r->scale->set));
    json_object_set_new(all, "show", texts(&text->show));
    add_origin(r, all);
    GLS_TRY(gls_experiment_judge(r, json_object_get(all, "expect"), verdict));
    json_object_set_new(all, "verdict", json_string(gls_experiment_verdict_name(*verdict)));
    return gls_experiment_draw(r, json_object_get(all, "figures"));
}
