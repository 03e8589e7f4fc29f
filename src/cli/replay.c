/* `replay`: recorded gradients through a method, from files to files. */
#include <math.h>
#include <stdio.h>

#include "cli/cli.h"

typedef struct play {
    gls_context *ctx;
    const cli_args *args;
    gls_value *config; /* {method: {...}, estimator: ...} */
    gls_npy gradients, init;
    gls_real *w, *trajectory;
    gls_replay_options options;
} play;

static gls_status configure(play *p) {
    static const char *const sections[] = {"method", "estimator", NULL};
    const char *method = cli_get(p->args, "method");
    if (!method)
        return gls_fail(p->ctx, GLS_ERR_ARGUMENT,
                        "no method was given: expected --method NAME; `glissade list methods` lists them");
    if (!cli_get(p->args, "gradients"))
        return gls_fail(p->ctx, GLS_ERR_ARGUMENT,
                        "no gradients were given: expected --gradients G.npy, of shape [steps, parameters]");
    GLS_TRY(gls_config_parse(p->ctx, "--set", "", 0, &p->config));
    GLS_TRY(cli_config_set(p->ctx, p->config, "--method", "method.name", method));
    GLS_TRY(cli_config_set(p->ctx, p->config, "--estimator", "estimator", cli_get(p->args, "estimator")));
    GLS_TRY(cli_apply_sets(p->ctx, p->args, sections, p->config));
    p->options.method = gls_value_get(p->config, "method");
    p->options.estimator = gls_value_get(p->config, "estimator");
    return GLS_OK;
}

static gls_status load(play *p) {
    const char *path = cli_get(p->args, "gradients"), *init = cli_get(p->args, "init");
    GLS_TRY(gls_npy_read_real(p->ctx, path, &p->gradients));
    const int64_t *shape = p->gradients.shape;
    int want = p->options.estimator ? 3 : 2;
    if (p->gradients.dims != want)
        return gls_fail(p->ctx, GLS_ERR_INPUT, "%s: %d dimensions, expected %s", path, p->gradients.dims,
                        want == 3 ? "[steps, examples, parameters] with --estimator"
                                  : "[steps, parameters]; gradients of "
                                    "single examples need --estimator");
    p->options.gradients = p->gradients.data;
    p->options.steps = shape[0];
    p->options.examples = want == 3 ? shape[1] : 1;
    p->options.parameters = shape[want - 1];
    if (p->gradients.count < 1) return gls_fail(p->ctx, GLS_ERR_INPUT, "%s: the array is empty", path);
    int64_t d = p->options.parameters;
    if (init) {
        GLS_TRY(gls_npy_read_real(p->ctx, init, &p->init));
        if (p->init.count != d || p->init.dims != 1)
            return gls_fail(p->ctx, GLS_ERR_INPUT, "%s: %lld values in %d dimensions, expected [%lld] as in %s", init,
                            (long long)p->init.count, p->init.dims, (long long)d, path);
        p->options.init = p->init.data;
    }
    p->w = gls_alloc(p->ctx, d, sizeof *p->w);
    if (!p->w) return GLS_ERR_MEMORY;
    if (!cli_has(p->args, "trajectory")) return GLS_OK;
    int64_t room;
    if (__builtin_mul_overflow(p->options.steps + 1, d, &room))
        return gls_fail(p->ctx, GLS_ERR_MEMORY, "%s: the trajectory is too large", path);
    p->options.trajectory = p->trajectory = gls_alloc(p->ctx, room, sizeof *p->trajectory);
    return p->trajectory ? GLS_OK : GLS_ERR_MEMORY;
}

static gls_status write_out(play *p) {
    int64_t shape[] = {p->options.steps + 1, p->options.parameters};
    const char *out = cli_get(p->args, "out"), *trajectory = cli_get(p->args, "trajectory");
    if (out) GLS_TRY(gls_npy_write(p->ctx, out, GLS_DTYPE_REAL, 1, shape + 1, p->w));
    if (trajectory) GLS_TRY(gls_npy_write(p->ctx, trajectory, GLS_DTYPE_REAL, 2, shape, p->trajectory));
    return GLS_OK;
}

/* Also of a replay that failed on the way: numbers that there are not are null. */
static int say(const play *p, const gls_step_report *report, bool finite) {
    double norm2 = finite ? 0 : NAN;
    for (int64_t i = 0; i < p->options.parameters && finite; i++) norm2 += (double)p->w[i] * (double)p->w[i];
    if (cli_has(p->args, "json"))
        return cli_print_json(json_pack("{s:s, s:I, s:I, s:o, s:o, s:o, s:o}", "method", cli_get(p->args, "method"),
                                        "steps", (json_int_t)p->options.steps, "parameters",
                                        (json_int_t)p->options.parameters, "norm", cli_number(sqrt(norm2)), "lr",
                                        cli_number(report->lr), "gradient_norm", cli_number(report->gradient_norm),
                                        "update_norm", cli_number(report->update_norm)),
                              12);
    char text[32];
    if (finite)
        fprintf(stderr, "%s: %s steps, |w| = %.6g\n", cli_get(p->args, "method"), cli_thousands(p->options.steps, text),
                sqrt(norm2));
    return CLI_DONE;
}

static int run(const cli_args *args) {
    if (args->positionals) return cli_bad("replay takes options only, found '%s'", args->positional[0]);
    play p = {.ctx = cli_context(NULL), .args = args, .options = {.size = sizeof p.options}};
    if (!p.ctx) return CLI_FAILED;
    gls_step_report report = {0};
    bool writing = false;
    gls_status status = configure(&p);
    if (status == GLS_OK) status = load(&p);
    if (status == GLS_OK) status = gls_replay(p.ctx, &p.options, p.w, &report);
    if (status == GLS_OK) {
        writing = true;
        status = write_out(&p);
    }
    int code = status == GLS_OK ? CLI_DONE : cli_fail(p.ctx, status, writing);
    if (status == GLS_OK || status == GLS_ERR_NONFINITE) {
        int said = say(&p, &report, status == GLS_OK);
        if (code == CLI_DONE) code = said;
    }
    gls_npy_clear(p.ctx, &p.gradients);
    gls_npy_clear(p.ctx, &p.init);
    gls_free(p.ctx, p.w);
    gls_free(p.ctx, p.trajectory);
    gls_value_destroy(p.ctx, p.config);
    gls_context_destroy(p.ctx);
    return code;
}

static const cli_flag flags[] = {
    {"method", "NAME", "the method; `glissade list methods` lists them"},
    {"gradients", "G.npy", "[steps, parameters]; with --estimator [steps, examples, parameters]"},
    {"estimator", "SPEC",
     "how to combine the examples of a step: a name, {name: microbatch, microbatch: 16} or a list"},
    {"set", "KEY=VALUE", "an option of the method (lr=0.1), or estimator.KEY=VALUE; may be repeated", .repeats = true},
    {"init", "W.npy", "the initial weights [parameters]; default: zeros"},
    {"out", "W.npy", "write the final weights [parameters] here"},
    {"trajectory", "W.npy", "write the weights after every step [steps + 1, parameters] here, the initial ones first"},
    CLI_FLAG_JSON,
    {NULL}};

const cli_verb cli_replay = {
    .name = "replay",
    .synopsis = "replay --method NAME --gradients G.npy [options]",
    .help = "feed recorded gradients to a method",
    .flags = flags,
    .run = run,
};
