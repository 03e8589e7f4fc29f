/* `solve`: repetitions of a method on an analytic problem. solve_say.c prints what came out. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cli/solve.h"

typedef cli_solving work;

/* ---- reading ---- */

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
    for (int64_t i = 0; (member = gls_members_at(k->ctx, GLS_KIND_METHOD, i)) && strcmp(member->name, name) != 0;) i++;
    for (const gls_option *o = member && known ? member->options : NULL; o && o->key; o++) {
        if (!(o->flags & GLS_OPTION_REQUIRED) || gls_value_get(k->options.method, o->key)) continue;
        double value = NAN;
        if (strcmp(o->key, "L") == 0) value = known->lipschitz;
        if (strcmp(o->key, "gap") == 0 && isfinite(known->minimum)) {
            GLS_TRY(value_at_start(k, &value));
            value = fmax(value - known->minimum, 1e-300); /* the option must be positive */
        }
        if (isnan(value)) continue;
        char path[64], text[40];
        snprintf(path, sizeof path, "method.%s", o->key);
        snprintf(text, sizeof text, "%.17g", value);
        GLS_TRY(cli_config_set(k->ctx, k->config, k->name, path, text));
    }
    return GLS_OK;
}

/* A number, or a fraction: 0.5, 2/3. */
static gls_status read_share(work *k) {
    const char *text = cli_get(k->args, "share");
    char *end;
    k->share = text ? strtod(text, &end) : 0.5;
    if (!text) return GLS_OK;
    if (end != text && *end == '/') {
        const char *below = end + 1;
        k->share /= strtod(below, &end);
        if (end == below) k->share = NAN;
    }
    if (end != text && !*end && k->share > 0 && k->share <= 1) return GLS_OK;
    return gls_fail(k->ctx, GLS_ERR_ARGUMENT, "--share: expected a number above 0 and at most 1, as in 2/3, found '%s'",
                    text);
}

/* What needs the true F at every iterate. */
static gls_status read_follow(work *k) {
    static const char *const flags[] = {"follow", "epsilon", "gap", "series"};
    const gls_constants *known = gls_analytic_constants(k->problem);
    for (int i = 0; i < 4; i++) k->options.follow |= cli_has(k->args, flags[i]);
    k->options.epsilon = cli_real(k->args, "epsilon", 0);
    k->options.value_epsilon = cli_real(k->args, "gap", 0);
    GLS_TRY(read_share(k));
    if (cli_has(k->args, "gap") && !(known && isfinite(known->minimum)))
        return gls_fail(k->ctx, GLS_ERR_ARGUMENT, "--gap: the minimum of problem '%s' is not known; use --epsilon",
                        k->name);
    return GLS_OK;
}

static gls_status configure(work *k) {
    static const char *const sections[] = {"method", "problem", "estimator", "average", NULL};
    const char *method = cli_get(k->args, "method");
    const struct {
        const char *flag, *key, *value;
    } given[] = {{"solve", "problem.name", k->name},
                 {"--method", "method.name", method},
                 {"--estimator", "estimator", cli_get(k->args, "estimator")},
                 {"--average", "average", cli_get(k->args, "average")},
                 {"--noise", "problem.noise", cli_get(k->args, "noise")}};
    if (!method)
        return gls_fail(k->ctx, GLS_ERR_ARGUMENT,
                        "no method was given: expected --method NAME; `glissade list methods` lists them");
    GLS_TRY(gls_config_parse(k->ctx, "--set", "", 0, &k->config));
    for (size_t i = 0; i < sizeof given / sizeof *given; i++)
        GLS_TRY(cli_config_set(k->ctx, k->config, given[i].flag, given[i].key, given[i].value));
    GLS_TRY(cli_apply_sets(k->ctx, k->args, sections, k->config));
    GLS_TRY(gls_problem_create(k->ctx, k->name, gls_value_get(k->config, "problem"), NULL, &k->problem));
    k->options.method = gls_value_get(k->config, "method");
    k->options.estimator = gls_value_get(k->config, "estimator");
    k->options.average = gls_value_get(k->config, "average");
    k->options.steps = cli_int(k->args, "steps", 1000);
    k->options.repeat = cli_int(k->args, "repeat", 1);
    k->options.batch = cli_int(k->args, "batch", k->problem->data.examples == 1 ? 1 : 0);
    const char *order = cli_get(k->args, "order");
    if (order && strcmp(order, "sequential") == 0) k->options.order = GLS_ORDER_SEQUENTIAL;
    GLS_TRY(read_follow(k));
    GLS_TRY(read_init(k));
    return fill_constants(k);
}

/* ---- looking on ---- */

static gls_status observe(void *user, const gls_solve_state *state) {
    work *k = user;
    cli_series_add(k->series, state);
    if (state->repetition || !k->path.w || k->path.count >= CLI_PATH_MOST) return GLS_OK;
    memcpy(k->path.w + k->path.count++ * k->path.d, state->w, (size_t)k->path.d * sizeof *state->w);
    return GLS_OK;
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
        json_array_append_new(points, cli_vector(c.points + j * d, d));
        json_array_append_new(weights, json_real(c.weights[j]));
    }
    k->certificate = json_pack("{s:f, s:f, s:f, s:o, s:o}", "delta", c.delta, "eps", c.eps, "norm", c.norm, "points",
                               points, "weights", weights);
    return GLS_OK;
}

/* ---- the verb ---- */

static gls_status keep_path(work *k) {
    int64_t d = gls_problem_size(k->problem);
    if (d > 2)
        return gls_fail(k->ctx, GLS_ERR_ARGUMENT, "--plot: a path in %lld dimensions, expected 1 or 2", (long long)d);
    k->path.d = d;
    k->path.w = gls_alloc(k->ctx, CLI_PATH_MOST * d, sizeof *k->path.w);
    if (!k->path.w) return GLS_ERR_MEMORY;
    if (k->init) { /* observe sees what follows the start */
        memcpy(k->path.w, k->init, (size_t)d * sizeof *k->init);
        k->path.count = 1;
    }
    return GLS_OK;
}

static gls_status solve(work *k) {
    int64_t d = gls_problem_size(k->problem), points;
    if (__builtin_mul_overflow(k->options.repeat, d, &points))
        return gls_fail(k->ctx, GLS_ERR_MEMORY, "--repeat times %lld parameters is too large", (long long)d);
    k->solution = gls_alloc(k->ctx, k->options.repeat, sizeof *k->solution);
    k->point = gls_alloc(k->ctx, points, sizeof *k->point);
    if (!k->solution || !k->point) return GLS_ERR_MEMORY;
    k->options.finish = finish;
    k->options.user = k;
    if (cli_has(k->args, "plot")) GLS_TRY(keep_path(k));
    if (cli_has(k->args, "series")) GLS_TRY(cli_series_open(k));
    if (k->path.w || k->series) k->options.observe = observe;
    struct timespec from, to;
    clock_gettime(CLOCK_MONOTONIC, &from);
    gls_status status = gls_solve(k->problem, &k->options, k->solution, k->point, NULL);
    clock_gettime(CLOCK_MONOTONIC, &to);
    k->seconds = (double)(to.tv_sec - from.tv_sec) + 1e-9 * (double)(to.tv_nsec - from.tv_nsec);
    return status;
}

/* Files that were asked for. */
static gls_status write_files(work *k) {
    if (cli_has(k->args, "plot"))
        GLS_TRY(cli_plot_path(k->problem, &k->path, cli_get(k->args, "method"), cli_get(k->args, "plot")));
    return k->series ? cli_series_write(k, cli_get(k->args, "series")) : GLS_OK;
}

static int report(work *k) {
    double *sorted = gls_alloc(k->ctx, k->options.repeat, sizeof *sorted);
    if (!sorted) return cli_fail(k->ctx, GLS_ERR_MEMORY, false);
    cli_solve_say(k, sorted);
    int code = cli_has(k->args, "json") ? cli_solve_json(k, sorted) : CLI_DONE;
    gls_free(k->ctx, sorted);
    return code;
}

static int run(const cli_args *args) {
    if (args->positionals != 1) return cli_bad("solve needs one problem; `glissade list problems` lists them");
    work k = {.args = args, .name = args->positional[0], .options = {.size = sizeof k.options}};
    gls_context_options context = {.size = sizeof context, .log = cli_log};
    context.threads = cli_threads(args);
    k.options.seed = context.seed = (uint64_t)cli_int(args, "seed", 1);
    if (gls_context_create(&k.ctx, &context) != GLS_OK) return cli_bad("out of memory");
    cli_signals *signals = cli_signals_start(k.ctx, NULL);
    gls_status status = configure(&k);
    if (status == GLS_OK) status = solve(&k);
    bool failed = status == GLS_OK && cli_solve_failed(&k), writing = status == GLS_OK;
    if (writing && !failed) status = write_files(&k);
    int code = status == GLS_OK ? report(&k) : cli_fail(k.ctx, status, writing);
    if (failed && code == CLI_DONE) {
        cli_bad("all of %lld repetitions diverged: try a smaller lr", (long long)k.options.repeat);
        code = CLI_FAILED;
    }
    cli_signals_stop(signals);
    json_decref(k.certificate);
    cli_series_close(k.series);
    gls_problem_destroy(k.problem);
    gls_value_destroy(k.ctx, k.config);
    void *blocks[] = {k.solution, k.point, k.init, k.path.w};
    for (int i = 0; i < 4; i++) gls_free(k.ctx, blocks[i]);
    gls_context_destroy(k.ctx);
    return code;
}

static const cli_flag flags[] = {
    {"method", "NAME", "the method; `glissade list methods` lists them"},
    {"set", "KEY=VALUE",
     "an option of the method (lr=0.1), or problem.KEY, estimator.KEY, average.KEY; may be repeated", .repeats = true},
    {"noise", "SPEC", "noise of the gradient: a name, or {name: stable, index: 1.5, scale: 1}"},
    {"steps", "N", "most answers that a repetition is given (1000)", CLI_INT, 0, 1e15},
    {"batch", "N",
     "draws of the noise, or examples, in each gradient; 0: every example (1, or 0 for a problem with examples)",
     CLI_INT, 0, 1e15},
    {"repeat", "N", "repetitions with seeds of their own, side by side (1)", CLI_INT, 1, 1e15},
    {"init", "W", "the start: one number, or one for each coordinate, separated by commas; default: the problem's own"},
    {"average", "SPEC", "take an average of the iterates as the result: uniform, weighted, ..."},
    {"estimator", "SPEC", "how to combine a mini-batch: {name: normalized, microbatch: 8}, or a list"},
    {"order", "ORDER", "examples of a mini-batch: drawn with replacement (the default), or one after another",
     CLI_CHOICE, .choices = "replacement|sequential"},
    {"epsilon", "E", "find the first step with |grad F| <= E", CLI_REAL, 0, INFINITY},
    {"gap", "E", "find the first step with F - min F <= E", CLI_REAL, 1e-300, INFINITY},
    {"share", "S", "share of the repetitions that must have got there, as in 2/3 (0.5)"},
    {"follow", NULL, "evaluate F at every iterate: time averages; implied by --epsilon, --gap and --series"},
    {"series", "FILE.csv", "the first repetition step by step: value, gradient norm, time averages, average regret"},
    {"seed", "N", "seed of all random numbers (1)", CLI_INT, 0, INFINITY},
    {"threads", "N", "threads; 0 (the default): one for each free processor", CLI_INT, 0, 1024},
    {"plot", "FILE.svg", "draw the first repetition's path, in one or two dimensions"},
    CLI_FLAG_JSON,
    {NULL}};

const cli_verb cli_solve = {
    .name = "solve",
    .synopsis = "solve PROBLEM --method NAME [options]",
    .help = "run a method on an analytic problem, many repetitions side by side",
    .flags = flags,
    .run = run,
};
