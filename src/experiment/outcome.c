/* What a run came to, as JSON: figures at its end, and series along it. */
#include <math.h>
#include <string.h>

#include "experiment/experiment.h"

json_t *gls_experiment_number(double x) {
    return isfinite(x) ? json_real(x) : json_null();
}

json_t *gls_experiment_outcome_create(void) {
    return json_pack("{s:{}, s:{}, s:f, s:b}", "figures", "series", "seconds", 0.0, "diverged", 0);
}

void gls_experiment_outcome_figure(json_t *outcome, const char *name, double value) {
    json_object_set_new(json_object_get(outcome, "figures"), name, gls_experiment_number(value));
}

json_t *gls_experiment_outcome_series(json_t *outcome, const char *name) {
    json_t *all = json_object_get(outcome, "series"), *series = json_object_get(all, name);
    if (!series) {
        series = json_pack("{s:[], s:[], s:[]}", "step", "epoch", "value");
        json_object_set_new(all, name, series);
    }
    return series;
}

void gls_experiment_outcome_point(json_t *outcome, const char *name, int64_t step, double epoch, double value) {
    json_t *series = gls_experiment_outcome_series(outcome, name);
    json_array_append_new(json_object_get(series, "step"), json_integer(step));
    json_array_append_new(json_object_get(series, "epoch"), gls_experiment_number(epoch));
    json_array_append_new(json_object_get(series, "value"), gls_experiment_number(value));
}

static double number_of(const json_t *value) {
    return json_is_number(value) ? json_number_value(value) : NAN;
}

/* Over those from `from` on that are numbers. */
static double mean_from(const json_t *values, size_t from) {
    double sum = 0;
    int64_t count = 0;
    for (size_t i = from; i < json_array_size(values); i++) {
        double x = number_of(json_array_get(values, i));
        if (isnan(x)) continue;
        sum += x;
        count++;
    }
    return count ? sum / (double)count : NAN;
}

static double extreme(const json_t *values, bool greatest) {
    double found = NAN;
    for (size_t i = 0; i < json_array_size(values); i++) {
        double x = number_of(json_array_get(values, i));
        if (isnan(found) || (greatest ? x > found : x < found)) found = x;
    }
    return found;
}

static double first_of(const json_t *values) {
    return number_of(json_array_get(values, 0));
}

static double last_of(const json_t *values) {
    return number_of(json_array_get(values, json_array_size(values) - 1));
}

static double mean_of(const json_t *values) {
    return mean_from(values, 0);
}

static double late_of(const json_t *values) {
    return mean_from(values, json_array_size(values) / 2);
}

static double least_of(const json_t *values) {
    return extreme(values, false);
}

static double greatest_of(const json_t *values) {
    return extreme(values, true);
}

typedef double (*reading)(const json_t *values);

static reading reading_named(const char *name) {
    static const struct {
        const char *name;
        reading read;
    } all[] = {{"first", first_of}, {"last", last_of},   {"mean", mean_of},
               {"late", late_of},   {"least", least_of}, {"greatest", greatest_of}};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        if (strcmp(name, all[i].name) == 0) return all[i].read;
    return NULL;
}

bool gls_experiment_reads_series(const char *what) {
    return reading_named(what) != NULL;
}

/* The series that "NAME:last" is read off; NULL: there is none of that name, or the figure is none of a series. */
static const json_t *series_behind(const json_t *outcome, const char *name, const char *colon) {
    char series[128];
    if (!colon || (size_t)(colon - name) >= sizeof series) return NULL;
    memcpy(series, name, (size_t)(colon - name));
    series[colon - name] = 0;
    return json_object_get(json_object_get(outcome, "series"), series);
}

bool gls_experiment_outcome_has(const json_t *outcome, const char *name) {
    const char *colon = strchr(name, ':');
    return colon ? series_behind(outcome, name, colon) != NULL
                 : json_object_get(json_object_get(outcome, "figures"), name) != NULL;
}

double gls_experiment_outcome_get(const json_t *outcome, const char *name) {
    const char *colon = strchr(name, ':');
    if (!outcome || json_is_true(json_object_get(outcome, "diverged"))) return NAN;
    if (!colon) return number_of(json_object_get(json_object_get(outcome, "figures"), name));
    const json_t *values = json_object_get(series_behind(outcome, name, colon), "value");
    reading read = reading_named(colon + 1);
    return read && json_array_size(values) ? read(values) : NAN;
}
