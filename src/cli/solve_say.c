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

static void quantiles(const cli_solving *k, figure of, double *sorted, double out[LEVELS]) {
    int64_t n = k->options.repeat;
    for (int64_t r = 0; r < n; r++) sorted[r] = of(&k->solution[r]);
    qsort(sorted, (size_t)n, sizeof *sorted, ascending);
    for (int i = 0; i < LEVELS; i++) out[i] = sorted[(int64_t)(levels[i] * (double)(n - 1) + 0.5)];
}

/* The first step at which half of the repetitions have |grad F| <= epsilon; infinite if that many never do. */
static double first_hit(const cli_solving *k, double *sorted) {
    int64_t n = k->options.repeat;
    for (int64_t r = 0; r < n; r++) sorted[r] = hit_of(&k->solution[r]);
    qsort(sorted, (size_t)n, sizeof *sorted, ascending);
    return sorted[(n + 1) / 2 - 1];
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
    if (k->options.follow) json_object_set_new(all, "first_hit", cli_number(first_hit(k, sorted)));
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
    fprintf(stderr, "%s with %s: %lld repetitions, %lld diverged", k->name, cli_get(k->args, "method"),
            (long long)k->options.repeat, (long long)diverged);
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
    if (k->options.follow) {
        double hit = first_hit(k, sorted);
        if (isfinite(hit))
            fprintf(stderr, "half of the repetitions have |grad F| <= %g at step %.0f\n", k->options.epsilon, hit);
        else
            fprintf(stderr, "fewer than half of the repetitions reach |grad F| <= %g\n", k->options.epsilon);
    }
    if (k->certificate)
        fprintf(stderr, "certificate: %zu points within %g, combined gradient of norm %.6g <= %g\n",
                json_array_size(json_object_get(k->certificate, "points")),
                json_real_value(json_object_get(k->certificate, "delta")),
                json_real_value(json_object_get(k->certificate, "norm")),
                json_real_value(json_object_get(k->certificate, "eps")));
}
