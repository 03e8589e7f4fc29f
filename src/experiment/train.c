/* Work of kind train: a training run, its result and all that it traced and measured along the way. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/io.h"
#include "experiment/experiment.h"
#include "report/run_folder.h"
#include <glissade/run.h>

enum { POINTS = 120 }; /* of a series: as many as a figure shows */

static void watch(void *user, const gls_progress *progress) {
    double share = progress->total_steps > 0 ? (double)progress->step / (double)progress->total_steps : 0;
    gls_experiment_job_look(user, share < 1 ? share : 0.99);
}

static double number(const json_t *value) {
    return json_is_number(value) ? json_number_value(value) : NAN;
}

/* Numbers as figures under their names, also those that are not finite; of a list of domains as domains.NUMBER.FIGURE.
 */
static void keep_result(json_t *outcome, json_t *result) {
    const char *name;
    json_t *value, *domain;
    size_t i;
    json_object_foreach(result, name, value) {
        if (json_is_number(value) || json_is_null(value)) gls_experiment_outcome_figure(outcome, name, number(value));
    }
    json_array_foreach(json_object_get(result, "domains"), i, domain) {
        json_object_foreach(domain, name, value) {
            char full[160];
            snprintf(full, sizeof full, "domains.%zu.%s", i, name);
            gls_experiment_outcome_figure(outcome, full, json_number_value(value));
        }
    }
}

static double at(const json_t *series, const char *field, size_t i) {
    return number(json_array_get(json_object_get(series, field), i));
}

static void keep_series(json_t *outcome, json_t *all) {
    const char *name;
    json_t *series;
    json_object_foreach(all, name, series) {
        size_t n = json_array_size(json_object_get(series, "value")), stride = (n + POINTS - 1) / POINTS;
        for (size_t i = 0; i < n; i++)
            if (i % stride == 0 || i == n - 1)
                gls_experiment_outcome_point(outcome, name, (int64_t)at(series, "step", i), at(series, "epoch", i),
                                             at(series, "value", i));
    }
}

/* Every number that a measure found is a point of the series MEASURE.FIGURE, unless it called it meaningless. */
static void keep_measures(json_t *outcome, const json_t *measures) {
    size_t i;
    json_t *one, *value;
    const char *figure;
    json_array_foreach(measures, i, one) {
        json_t *result = json_object_get(one, "result");
        bool meaningless = json_is_string(json_object_get(result, "meaningless"));
        json_object_foreach(result, figure, value) {
            char name[160];
            snprintf(name, sizeof name, "%s.%s", json_string_value(json_object_get(one, "measure")), figure);
            gls_experiment_outcome_series(outcome, name);
            if (json_is_number(value) && !meaningless)
                gls_experiment_outcome_point(outcome, name, json_integer_value(json_object_get(one, "step")),
                                             json_number_value(json_object_get(one, "epoch")),
                                             json_number_value(value));
        }
    }
}

static gls_status keep(gls_experiment_job *job, json_t *outcome) {
    json_t *run = NULL;
    GLS_TRY(gls_report_folder_read(job->ctx, job->folder, "run", &run));
    keep_result(outcome, json_object_get(run, "result"));
    keep_series(outcome, json_object_get(run, "series"));
    keep_measures(outcome, json_object_get(run, "measures"));
    json_decref(run);
    return GLS_OK;
}

static gls_status train_in(gls_experiment_job *job, bool *diverged) {
    gls_run_options options = {.size = sizeof options,
                               .config = job->config,
                               .folder = job->folder,
                               .resume = gls_file_exists(job->folder),
                               .progress = watch,
                               .user = job};
    gls_run *run = NULL;
    gls_run_result result = {0};
    gls_status status = gls_run_create(job->child, &options, &run);
    if (status == GLS_OK) status = gls_run_train(run, &result);
    *diverged = status == GLS_ERR_NONFINITE;
    if (status != GLS_OK && !*diverged) gls_fail(job->ctx, status, "%s", gls_context_message(job->child));
    gls_run_destroy(run);
    if (*diverged) return GLS_OK;
    if (status == GLS_OK && result.stopped == GLS_STOP_INTERRUPTED)
        return gls_fail(job->ctx, GLS_ERR_INTERRUPTED, "interrupted");
    return status;
}

static gls_status run(gls_experiment_job *job, json_t *outcome) {
    bool diverged = false;
    GLS_TRY(gls_experiment_job_enter(job, job->config));
    gls_status status = train_in(job, &diverged);
    gls_experiment_job_leave(job);
    if (diverged) json_object_set_new(outcome, "diverged", json_true());
    return status == GLS_OK ? keep(job, outcome) : status;
}

const gls_experiment_kind gls_experiment_train = {.name = "train", .seed_key = "train.seed", .run = run};
