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

void gls_experiment_outcome_point(json_t *outcome, const char *name, int64_t step, double epoch, double value) {
    json_t *all = json_object_get(outcome, "series"), *series = json_object_get(all, name);
    if (!series) {
        series = json_pack("{s:[], s:[], s:[]}", "step", "epoch", "value");
        json_object_set_new(all, name, series);
    }
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

static double of_series(const json_t *values, const char *what) {
    size_t n = json_array_size(values);
    if (!n) return NAN;
    return strcmp(what, "first") == 0      ? number_of(json_array_get(values, 0))
           : strcmp(what, "last") == 0     ? number_of(json_array_get(values, n - 1))
           : strcmp(what, "mean") == 0     ? mean_from(values, 0)
           : strcmp(what, "late") == 0     ? mean_from(values, n / 2)
           : strcmp(what, "least") == 0    ? extreme(values, false)
           : strcmp(what, "greatest") == 0 ? extreme(values, true)
                                           : NAN;
}

double gls_experiment_outcome_get(const json_t *outcome, const char *name) {
    const char *colon = strchr(name, ':');
    if (!outcome || json_is_true(json_object_get(outcome, "diverged"))) return NAN;
    if (!colon) return number_of(json_object_get(json_object_get(outcome, "figures"), name));
    char series[128];
    if ((size_t)(colon - name) >= sizeof series) return NAN;
    memcpy(series, name, (size_t)(colon - name));
    series[colon - name] = 0;
    const json_t *found = json_object_get(json_object_get(outcome, "series"), series);
    return of_series(json_object_get(found, "value"), colon + 1);
}
