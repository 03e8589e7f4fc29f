/* What `solve` prints: quantiles over the repetitions, for people and as JSON. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "cli/solve.h"

json_t *cli_vector(const gls_real *x, int64_t n) {
    json_t *list = json_array();
    for (int64_t i = 0; i < n; i++) json_array_append_new(list, cli_number((double)x[i]));
    return list;
}

static const double levels[] = {0, 0.05, 0.25, 0.5, 0.75, 0.95, 1};
enum { LEVELS = sizeof levels / sizeof *levels };

static int ascending(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

typedef double (*figure)(const gls_solution *s);
static double value_of(const gls_solution *s) {
    return s->diverged || isnan(s->end.value) ? INFINITY : s->end.value;
}
static double norm_of(const gls_solution *s) {
    return s->diverged || isnan(s->end.gradient_norm) ? INFINITY : s->end.gradient_norm;
}
static double distance_of(const gls_solution *s) {
    return s->diverged && !isnan(s->end.distance) ? INFINITY : s->end.distance;
}
static double hit_of(const gls_solution *s) {
    return s->first_hit < 0 ? INFINITY : (double)s->first_hit;
}
static double value_hit_of(const gls_solution *s) {
    return s->first_value_hit < 0 ? INFINITY : (double)s->first_value_hit;
}
static double end_of(const gls_solution *s) {
    return s->ended ? (double)s->steps : INFINITY;
}

static void quantiles(const cli_solving *k, figure of, double *sorted, double out[LEVELS]) {
    int64_t n = k->options.repeat;
    for (int64_t r = 0; r < n; r++) sorted[r] = of(&k->solution[r]);
    qsort(sorted, (size_t)n, sizeof *sorted, ascending);
    for (int i = 0; i < LEVELS; i++) out[i] = sorted[(int64_t)(levels[i] * (double)(n - 1) + 0.5)];
}

/* The step at which the share of the repetitions has got there; infinite if that many never do. */
static double complexity(const cli_solving *k, figure of, double *sorted) {
    int64_t n = k->options.repeat, needed = (int64_t)ceil(k->share * (double)n - 1e-9);
    for (int64_t r = 0; r < n; r++) sorted[r] = of(&k->solution[r]);
    qsort(sorted, (size_t)n, sizeof *sorted, ascending);
    return sorted[needed > 0 ? needed - 1 : 0];
}

static bool any_ended(const cli_solving *k) {
    for (int64_t r = 0; r < k->options.repeat; r++)
        if (k->solution[r].ended) return true;
    return false;
}

/* F(w) minus its minimum in the mean over gradient answers on their own rows; NaN where it has no meaning. */
static double regret_of(const cli_solving *k, const gls_solution *s) {
    const gls_constants *known = gls_analytic_constants(k->problem);
    return known && isfinite(known->minimum) ? s->mean_batch_value - known->minimum : NAN;
}

static void set_followed(const cli_solving *k, double *sorted, json_t *all) {
    const gls_solution *s = &k->solution[0];
    json_t *averages =
        json_pack("{s:o, s:o, s:o, s:o}", "value", cli_number(s->mean_value), "gradient_norm", cli_number(s->mean_norm),
                  "gradient_norm2", cli_number(s->mean_norm2), "least_gradient_norm", cli_number(s->least_norm));
    json_object_set_new(all, "time_averages", averages);
    json_object_set_new(all, "regret", cli_number(regret_of(k, s)));
    json_object_set_new(all, "share", json_real(k->share));
    if (cli_has(k->args, "epsilon")) json_object_set_new(all, "first_hit", cli_number(complexity(k, hit_of, sorted)));
    if (cli_has(k->args, "gap"))
        json_object_set_new(all, "first_value_hit", cli_number(complexity(k, value_hit_of, sorted)));
}

/* Point, value and calls are those of the first repetition; quantiles are over all of them. */
int cli_solve_json(const cli_solving *k, double *sorted) {
    const gls_solution *s = &k->solution[0];
    double q[LEVELS];
    int64_t diverged = 0, steps = 0;
    for (int64_t r = 0; r < k->options.repeat; r++) {
        diverged += k->solution[r].diverged;
        steps += k->solution[r].steps;
    }
    json_t *all = json_pack("{s:s, s:s, s:I, s:I, s:o, s:o, s:o, s:o, s:I, s:I, s:b, s:I}", "problem", k->name,
                            "method", cli_get(k->args, "method"), "repeat", (json_int_t)k->options.repeat, "steps",
                            (json_int_t)s->steps, "point", cli_vector(k->point, gls_problem_size(k->problem)), "value",
                            cli_number(s->end.value), "gradient_norm", cli_number(s->end.gradient_norm), "distance",
                            cli_number(s->end.distance), "value_calls", (json_int_t)s->values, "gradient_calls",
                            (json_int_t)s->gradients, "ended", s->ended, "diverged", (json_int_t)diverged);
    static const struct {
        const char *name;
        figure of;
    } rows[] = {{"value", value_of}, {"gradient_norm", norm_of}, {"distance", distance_of}};
    json_t *table = json_object(), *at = json_array();
    for (int i = 0; i < LEVELS; i++) json_array_append_new(at, json_real(levels[i]));
    json_object_set_new(table, "levels", at);
    for (int f = 0; f < 3; f++) {
        json_t *list = json_array();
        quantiles(k, rows[f].of, sorted, q);
        for (int i = 0; i < LEVELS; i++) json_array_append_new(list, cli_number(q[i]));
        json_object_set_new(table, rows[f].name, list);
    }
    json_object_set_new(all, "quantiles", table);
    if (k->options.follow) set_followed(k, sorted, all);
    if (any_ended(k)) json_object_set_new(all, "ended_by", cli_number(complexity(k, end_of, sorted)));
    if (k->certificate) json_object_set(all, "certificate", k->certificate);
    json_object_set_new(all, "seconds", json_real(k->seconds));
    json_object_set_new(all, "steps_per_second", cli_number((double)steps / k->seconds));
    return cli_print_json(all, 12);
}

bool cli_solve_failed(const cli_solving *k) {
    for (int64_t r = 0; r < k->options.repeat; r++)
        if (!k->solution[r].diverged && isfinite(k->solution[r].end.value)) return false;
    return true;
}

static void say_complexity(const cli_solving *k, const char *what, double step) {
    char share[32] = "half";
    if (k->share != 0.5) snprintf(share, sizeof share, "%.4g", k->share);
    if (isfinite(step))
        fprintf(stderr, "%s of the repetitions %s at step %.0f\n", share, what, step);
    else
        fprintf(stderr, "fewer than %s of the repetitions %s\n", share, what);
}

static void say_followed(const cli_solving *k, double *sorted) {
    const gls_solution *s = &k->solution[0];
    char what[64];
    fprintf(stderr, "time averages of the first repetition: F %.6g, |grad F| %.6g, least |grad F| %.6g\n",
            s->mean_value, s->mean_norm, s->least_norm);
    if (!isnan(regret_of(k, s))) fprintf(stderr, "average regret of the first repetition: %.6g\n", regret_of(k, s));
    snprintf(what, sizeof what, "have |grad F| <= %g", k->options.epsilon);
    if (cli_has(k->args, "epsilon")) say_complexity(k, what, complexity(k, hit_of, sorted));
    snprintf(what, sizeof what, "have F - min F <= %g", k->options.value_epsilon);
    if (cli_has(k->args, "gap")) say_complexity(k, what, complexity(k, value_hit_of, sorted));
}

void cli_solve_say(const cli_solving *k, double *sorted) {
    static const struct {
        const char *name;
        figure of;
    } rows[] = {{"F(w)", value_of}, {"|grad F|", norm_of}, {"|w - w*|", distance_of}};
    double q[LEVELS];
    int64_t steps = 0, values = 0, gradients = 0, diverged = 0;
    for (int64_t r = 0; r < k->options.repeat; r++) {
        const gls_solution *s = &k->solution[r];
        steps += s->steps;
        values += s->values;
        gradients += s->gradients;
        diverged += s->diverged;
    }
    char text[32];
    fprintf(stderr, "%s with %s: %lld repetition%s, %lld diverged", k->name, cli_get(k->args, "method"),
            (long long)k->options.repeat, k->options.repeat == 1 ? "" : "s", (long long)diverged);
    fprintf(stderr, "; %s answers", cli_thousands(steps, text));
    fprintf(stderr, " (%s values,", cli_thousands(values, text));
    fprintf(stderr, " %s gradients) in %.2f s, %.3g steps a second\n", cli_thousands(gradients, text), k->seconds,
            (double)steps / k->seconds);
    fprintf(stderr, "%-10s %12s %12s %12s %12s %12s %12s %12s\n", "", "least", "5%", "25%", "median", "75%", "95%",
            "most");
    for (int f = 0; f < 3; f++) {
        quantiles(k, rows[f].of, sorted, q);
        fprintf(stderr, "%-10s", rows[f].name);
        for (int i = 0; i < LEVELS; i++) fprintf(stderr, " %12.6g", q[i]);
        fputc('\n', stderr);
    }
    if (k->options.follow) say_followed(k, sorted);
    if (any_ended(k)) say_complexity(k, "have ended", complexity(k, end_of, sorted));
    if (k->certificate)
        fprintf(stderr, "certificate: %zu points within %g, combined gradient of norm %.6g <= %g\n",
                json_array_size(json_object_get(k->certificate, "points")),
                json_real_value(json_object_get(k->certificate, "delta")),
                json_real_value(json_object_get(k->certificate, "norm")),
                json_real_value(json_object_get(k->certificate, "eps")));
}
