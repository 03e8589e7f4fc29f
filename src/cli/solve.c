#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "solve.h"

typedef struct work {
    gls_context *ctx;
    const cli_args *args;
    const char *name;
    gls_value *config; /* {problem: {...}, method: {...}, estimator, average} */
    gls_problem *problem;
    gls_solve_options options;
    gls_solution *solution;
    gls_real *point, *init;
    cli_path path;
    json_t *certificate;
    double seconds;
} work;

/* ---- reading ---- */

static gls_status set(work *k, const char *path, const char *value) {
    char *text = gls_sprintf(k->ctx, "%s=%s", path, value);
    if (!text) return GLS_ERR_MEMORY;
    gls_status status = gls_config_set(k->ctx, k->config, text);
    gls_free(k->ctx, text);
    return status;
}

/* --set keys belong to the method unless they begin with problem., estimator., average. or method. */
static gls_status set_keys(work *k) {
    static const char *const section[] = {"method.", "problem.", "estimator.", "average."};
    for (int i = 0; i < k->args->flags; i++) {
        if (strcmp(k->args->flag[i]->name, "set")) continue;
        const char *given = k->args->value[i];
        bool sectioned = false;
        for (int s = 0; s < 4; s++) sectioned |= !strncmp(given, section[s], strlen(section[s]));
        char *text = gls_sprintf(k->ctx, "%s%s", sectioned ? "" : "method.", given);
        if (!text) return GLS_ERR_MEMORY;
        gls_status status = gls_config_set(k->ctx, k->config, text);
        gls_free(k->ctx, text);
        GLS_TRY(status);
    }
    return GLS_OK;
}

static gls_status integer(work *k, const char *flag, int64_t initial, int64_t least, int64_t *out) {
    const char *text = cli_get(k->args, flag);
    char *end = NULL;
    double value = text ? strtod(text, &end) : (double)initial;
    if (text && (end == text || *end || !(value >= (double)least && value < 1e15) || value != floor(value)))
        return gls_fail(k->ctx, GLS_ERR_ARGUMENT, "--%s: expected a whole number of at least %lld, found '%s'", flag,
                        (long long)least, text);
    *out = (int64_t)value;
    return GLS_OK;
}

/* --init: one number for every coordinate, or one each. */
static gls_status read_init(work *k) {
    const char *text = cli_get(k->args, "init");
    if (!text) return GLS_OK;
    int64_t d = gls_problem_size(k->problem), count = 0;
    k->init = gls_alloc(k->ctx, d, sizeof *k->init);
    if (!k->init) return GLS_ERR_MEMORY;
    for (const char *at = text;; at++) {
        char *end;
        double value = strtod(at, &end);
        if (end == at || !isfinite(value) || (*end && *end != ','))
            return gls_fail(k->ctx, GLS_ERR_ARGUMENT, "--init: expected numbers with commas between, found '%s'", text);
        if (count < d) k->init[count] = (gls_real)value;
        count++;
        at = end;
        if (!*at) break;
    }
    if (count != 1 && count != d)
        return gls_fail(k->ctx, GLS_ERR_ARGUMENT, "--init: %lld numbers, expected 1 or %lld", (long long)count,
                        (long long)d);
    for (int64_t i = 1; i < d && count == 1; i++) k->init[i] = k->init[0];
    k->options.init = k->init;
    return GLS_OK;
}

/* The value at the start of the first repetition. */
static gls_status value_at_start(work *k, double *value) {
    gls_solve_options still = k->options;
    gls_value *plain = gls_value_create(k->ctx, GLS_VALUE_TEXT, "method", "sgd");
    if (!plain) return GLS_ERR_MEMORY;
    gls_solution solution;
    still.method = plain;
    still.estimator = still.average = NULL;
    still.steps = 0;
    still.repeat = 1;
    gls_status status = gls_solve(k->problem, &still, &solution, NULL, NULL);
    gls_value_destroy(k->ctx, plain);
    *value = solution.end.value;
    return status;
}

/* What the method requires and the problem knows: L, the Lipschitz constant, and gap = F(start) - min F. */
static gls_status fill_constants(work *k) {
    const gls_constants *known = gls_analytic_constants(k->problem);
    const char *name = cli_get(k->args, "method");
    const gls_member *member = NULL;
    for (int64_t i = 0; (member = gls_members_at(k->ctx, GLS_KIND_METHOD, i)) && strcmp(member->name, name);) i++;
    for (const gls_option *o = member && known ? member->options : NULL; o && o->key; o++) {
        if (!(o->flags & GLS_OPTION_REQUIRED) || gls_value_get(k->options.method, o->key)) continue;
        double value = NAN;
        if (!strcmp(o->key, "L")) value = known->lipschitz;
        if (!strcmp(o->key, "gap") && isfinite(known->minimum)) {
            GLS_TRY(value_at_start(k, &value));
            value = fmax(value - known->minimum, 1e-300);
        }
        if (isnan(value)) continue;
        char path[64], text[40];
        snprintf(path, sizeof path, "method.%s", o->key);
        snprintf(text, sizeof text, "%.17g", value);
        GLS_TRY(set(k, path, text));
    }
    return GLS_OK;
}

static gls_status configure(work *k) {
    const char *method = cli_get(k->args, "method");
    if (!method)
        return gls_fail(k->ctx, GLS_ERR_ARGUMENT, "which step rule? --method NAME; see `glissade list methods`");
    GLS_TRY(gls_config_parse(k->ctx, "--set", "", 0, &k->config));
    GLS_TRY(set(k, "problem.name", k->name));
    GLS_TRY(set(k, "method.name", method));
    static const char *const sections[] = {"estimator", "average"};
    for (int i = 0; i < 2; i++)
        if (cli_has(k->args, sections[i])) GLS_TRY(set(k, sections[i], cli_get(k->args, sections[i])));
    if (cli_has(k->args, "noise")) GLS_TRY(set(k, "problem.noise", cli_get(k->args, "noise")));
    GLS_TRY(set_keys(k));
    GLS_TRY(gls_problem_create(k->ctx, k->name, gls_value_get(k->config, "problem"), NULL, &k->problem));
    k->options.method = gls_value_get(k->config, "method");
    k->options.estimator = gls_value_get(k->config, "estimator");
    k->options.average = gls_value_get(k->config, "average");
    GLS_TRY(integer(k, "steps", 1000, 0, &k->options.steps));
    GLS_TRY(integer(k, "repeat", 1, 1, &k->options.repeat));
    GLS_TRY(integer(k, "batch", k->problem->data.examples == 1 ? 1 : 0, 0, &k->options.batch));
    if (cli_has(k->args, "epsilon")) {
        char *end;
        k->options.epsilon = strtod(cli_get(k->args, "epsilon"), &end);
        k->options.follow = true;
        if (*end || !(k->options.epsilon >= 0))
            return gls_fail(k->ctx, GLS_ERR_ARGUMENT, "--epsilon: expected a number of at least 0, found '%s'",
                            cli_get(k->args, "epsilon"));
    }
    GLS_TRY(read_init(k));
    return fill_constants(k);
}

/* ---- looking on ---- */

static gls_status observe(void *user, const gls_solve_state *state) {
    work *k = user;
    if (state->repetition || k->path.count >= CLI_PATH_MOST) return GLS_OK;
    memcpy(k->path.w + k->path.count++ * k->path.d, state->w, (size_t)k->path.d * sizeof *state->w);
    return GLS_OK;
}

static json_t *vector(const gls_real *x, int64_t n) {
    json_t *list = json_array();
    for (int64_t i = 0; i < n; i++) json_array_append_new(list, json_real((double)x[i]));
    return list;
}

static gls_status finish(void *user, const gls_solve_state *state) {
    work *k = user;
    gls_certificate c;
    int64_t d = gls_problem_size(k->problem);
    gls_record record;
    gls_record_clear(&record);
    gls_method_record(state->method, &record);
    if (state->repetition || isnan(gls_record_get(&record, "m_norm")) ||
        gls_method_certificate(state->method, &c) != GLS_OK)
        return GLS_OK;
    json_t *points = json_array(), *weights = json_array();
    for (int64_t j = 0; j < c.count; j++) {
        json_array_append_new(points, vector(c.points + j * d, d));
        json_array_append_new(weights, json_real(c.weights[j]));
    }
    k->certificate = json_pack("{s:f, s:f, s:f, s:o, s:o}", "delta", c.delta, "eps", c.eps, "norm", c.norm, "points",
                               points, "weights", weights);
    return GLS_OK;
}

/* ---- saying ---- */

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

static void quantiles(const work *k, figure of, double *sorted, double out[LEVELS]) {
    int64_t n = k->options.repeat;
    for (int64_t r = 0; r < n; r++) sorted[r] = of(&k->solution[r]);
    qsort(sorted, (size_t)n, sizeof *sorted, ascending);
    for (int i = 0; i < LEVELS; i++) out[i] = sorted[(int64_t)(levels[i] * (double)(n - 1) + 0.5)];
}

/* The first step at which half of the repetitions have |grad F| <= epsilon; infinite if that many never do. */
static double first_hit(const work *k, double *sorted) {
    int64_t n = k->options.repeat;
    for (int64_t r = 0; r < n; r++) sorted[r] = hit_of(&k->solution[r]);
    qsort(sorted, (size_t)n, sizeof *sorted, ascending);
    return sorted[(n + 1) / 2 - 1];
}

static json_t *number(double x) {
    return isfinite(x) ? json_real(x) : json_null();
}

static int say_json(const work *k, double *sorted) {
    const gls_solution *s = &k->solution[0];
    double q[LEVELS];
    int64_t diverged = 0, steps = 0;
    for (int64_t r = 0; r < k->options.repeat; r++) {
        diverged += k->solution[r].diverged;
        steps += k->solution[r].steps;
    }
    json_t *all = json_pack("{s:s, s:s, s:I, s:I, s:o, s:o, s:o, s:o, s:I, s:I, s:b, s:I}", "problem", k->name,
                            "method", cli_get(k->args, "method"), "repeat", (json_int_t)k->options.repeat, "steps",
                            (json_int_t)s->steps, "point", vector(k->point, gls_problem_size(k->problem)), "value",
                            number(s->end.value), "gradient_norm", number(s->end.gradient_norm), "distance",
                            number(s->end.distance), "value_calls", (json_int_t)s->values, "gradient_calls",
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
        for (int i = 0; i < LEVELS; i++) json_array_append_new(list, number(q[i]));
        json_object_set_new(table, rows[f].name, list);
    }
    json_object_set_new(all, "quantiles", table);
    if (k->options.follow) json_object_set_new(all, "first_hit", number(first_hit(k, sorted)));
    if (k->certificate) json_object_set(all, "certificate", k->certificate);
    json_object_set_new(all, "seconds", json_real(k->seconds));
    json_object_set_new(all, "steps_per_second", number((double)steps / k->seconds));
    char *text = json_dumps(all, JSON_COMPACT | JSON_REAL_PRECISION(12));
    json_decref(all);
    if (!text) return CLI_FAILED;
    puts(text);
    free(text);
    return CLI_DONE;
}

static void say(const work *k, double *sorted) {
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

/* ---- the verb ---- */

static gls_status solve(work *k) {
    int64_t d = gls_problem_size(k->problem), points;
    if (__builtin_mul_overflow(k->options.repeat, d, &points))
        return gls_fail(k->ctx, GLS_ERR_MEMORY, "--repeat times %lld parameters is too large", (long long)d);
    k->solution = gls_alloc(k->ctx, k->options.repeat, sizeof *k->solution);
    k->point = gls_alloc(k->ctx, points, sizeof *k->point);
    if (!k->solution || !k->point) return GLS_ERR_MEMORY;
    k->options.finish = finish;
    k->options.user = k;
    if (cli_has(k->args, "plot")) {
        if (d > 2)
            return gls_fail(k->ctx, GLS_ERR_ARGUMENT, "--plot: a path in %lld dimensions, expected 1 or 2",
                            (long long)d);
        k->path.d = d;
        k->path.w = gls_alloc(k->ctx, CLI_PATH_MOST * d, sizeof *k->path.w);
        if (!k->path.w) return GLS_ERR_MEMORY;
        k->options.observe = observe;
        if (k->init) { /* observe sees what follows the start */
            memcpy(k->path.w, k->init, (size_t)d * sizeof *k->init);
            k->path.count = 1;
        }
    }
    struct timespec from, to;
    clock_gettime(CLOCK_MONOTONIC, &from);
    gls_status status = gls_solve(k->problem, &k->options, k->solution, k->point, NULL);
    clock_gettime(CLOCK_MONOTONIC, &to);
    k->seconds = (double)(to.tv_sec - from.tv_sec) + 1e-9 * (double)(to.tv_nsec - from.tv_nsec);
    return status;
}

static int report(work *k) {
    double *sorted = gls_alloc(k->ctx, k->options.repeat, sizeof *sorted);
    if (!sorted) return cli_fail(k->ctx, GLS_ERR_MEMORY, false);
    say(k, sorted);
    int code = cli_has(k->args, "json") ? say_json(k, sorted) : CLI_DONE;
    gls_free(k->ctx, sorted);
    return code;
}

static int run(const cli_args *args) {
    if (args->positionals != 1) return cli_bad("solve takes one problem; see `glissade list problems`");
    work k = {.args = args, .name = args->positional[0], .options = {.size = sizeof k.options}};
    gls_context_options context = {.size = sizeof context, .log = cli_log};
    if (cli_has(args, "threads")) context.threads = atoi(cli_get(args, "threads"));
    if (context.threads < 0)
        return cli_bad("--threads: expected a number of at least 0, found '%s'", cli_get(args, "threads"));
    k.options.seed = context.seed = cli_has(args, "seed") ? strtoull(cli_get(args, "seed"), NULL, 10) : 1;
    if (gls_context_create(&k.ctx, &context) != GLS_OK) return cli_bad("out of memory");
    cli_signals *signals = cli_signals_start(k.ctx, NULL);
    gls_status status = configure(&k);
    if (status == GLS_OK) status = solve(&k);
    bool writing = status == GLS_OK && cli_has(args, "plot");
    if (writing) status = cli_plot_path(k.problem, &k.path, cli_get(args, "method"), cli_get(args, "plot"));
    int code = status == GLS_OK ? report(&k) : cli_fail(k.ctx, status, writing);
    cli_signals_stop(signals);
    json_decref(k.certificate);
    gls_problem_destroy(k.problem);
    gls_value_destroy(k.ctx, k.config);
    void *blocks[] = {k.solution, k.point, k.init, k.path.w};
    for (int i = 0; i < 4; i++) gls_free(k.ctx, blocks[i]);
    gls_context_destroy(k.ctx);
    return code;
}

static const cli_flag flags[] = {
    {"method", "NAME", "the step rule"},
    {"set", "KEY=VALUE",
     "an option of the method (lr=0.1), or problem.KEY, estimator.KEY, average.KEY; may be repeated"},
    {"noise", "SPEC", "of the gradient: a name, or {name: stable, index: 1.5, scale: 1}"},
    {"steps", "N", "answers a repetition is given at most (1000)"},
    {"batch", "N",
     "draws of the noise, or examples, in a gradient; 0: every example (1, or 0 where there are examples)"},
    {"repeat", "N", "repetitions with seeds of their own, side by side (1)"},
    {"init", "W", "start: one number, or one for each coordinate with commas; else the problem's own"},
    {"average", "SPEC", "the result is an average of iterates: uniform, weighted, ..."},
    {"estimator", "SPEC", "what is made of a mini-batch: {name: normalized, microbatch: 8}, or a list"},
    {"epsilon", "E", "look for the first step with |grad F| <= E"},
    {"seed", "N", "of everything that is drawn (1)"},
    {"threads", "N", "0: the processors there are (0)"},
    {"plot", "FILE.svg", "the first repetition's path, in one or two dimensions"},
    {"json", NULL, "the last line of standard output is one JSON object"},
    {NULL}};

const cli_verb cli_solve = {
    .name = "solve",
    .synopsis = "solve PROBLEM --method NAME [options]",
    .help = "run a method on an analytic problem, many repetitions side by side",
    .flags = flags,
    .run = run,
};
