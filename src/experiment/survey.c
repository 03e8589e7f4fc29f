/* Work of kind survey: measures at the point where a configuration begins. Figures are called MEASURE.FIGURE; those of
 * several values are series. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/value.h"
#include "experiment/experiment.h"
#include <glissade/run.h>

typedef struct survey_options {
    const char *only, *sample;
} survey_options;

static const gls_option table[] = {
    GLS_STRING("only", survey_options, only, NULL, "which measures", .flags = GLS_OPTION_REQUIRED),
    GLS_STRING("sample", survey_options, sample, NULL, "examples that each reads"),
    {0}};

static void begin(void *user, const gls_measure_type *type) {
    gls_experiment_job_look(user, 0.5);
}

static bool are_sizes(const char *name) {
    return strcmp(name, "sizes") == 0 || strcmp(name, "variance_samples") == 0;
}

/* The steps of a series are the sizes that its values belong to where the measure says some, else 0, 1, 2, ... */
static void keep_array(const gls_measure_result *result, const gls_figure *figure, const char *name, json_t *outcome) {
    const double *size = NULL;
    for (int64_t k = 0; k < result->figures; k++)
        if (are_sizes(result->figure[k].name) && result->figure[k].count == figure->count)
            size = result->figure[k].value;
    for (int64_t i = 0; i < figure->count; i++)
        gls_experiment_outcome_point(outcome, name, size ? (int64_t)size[i] : i, NAN, figure->value[i]);
}

static void keep(const gls_survey *survey, json_t *outcome) {
    for (int64_t i = 0; i < survey->count; i++) {
        const gls_measure_result *result = &survey->result[i];
        for (int64_t k = 0; k < result->figures && !result->meaningless; k++) {
            char name[160];
            snprintf(name, sizeof name, "%s.%s", result->measure, result->figure[k].name);
            if (result->figure[k].array)
                keep_array(result, &result->figure[k], name, outcome);
            else
                gls_experiment_outcome_figure(outcome, name, gls_measure_result_get(result, result->figure[k].name));
        }
    }
}

static gls_status survey_in(gls_experiment_job *job, const void *section, json_t *outcome) {
    const survey_options *o = section;
    gls_survey_options options = {.size = sizeof options,
                                  .config = job->config,
                                  .only = o->only,
                                  .sample = o->sample,
                                  .begin = begin,
                                  .user = job};
    gls_survey found = {0};
    gls_status status = gls_survey_run(job->child, &options, &found);
    if (status == GLS_OK)
        keep(&found, outcome);
    else
        gls_fail(job->ctx, status, "%s", gls_context_message(job->child));
    gls_survey_clear(&found);
    return status;
}

static gls_status run(gls_experiment_job *job, json_t *outcome) {
    return gls_experiment_job_by(job, "survey", table, sizeof(survey_options), true, survey_in, outcome);
}

const gls_experiment_kind gls_experiment_survey = {.name = "survey", .seed_key = "train.seed", .run = run};
