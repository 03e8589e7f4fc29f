/* `theory`: the values that a theorem gives for inputs of one's own. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "cli/cli.h"

const gls_theorem *cli_theorem(const char *name) {
    const gls_theorem *theorem = NULL;
    for (int64_t i = 0; (theorem = gls_theorem_at(i)) && strcmp(theorem->member.name, name) != 0;) i++;
    return theorem;
}

json_t *cli_theorem_conditions(const gls_theorem *theorem) {
    json_t *list = json_array();
    for (const gls_theorem_condition *c = theorem->conditions; c && c->text; c++)
        json_array_append_new(list, json_string(c->text));
    return list;
}

typedef struct work {
    const cli_args *args;
    gls_context *ctx;
    const gls_theorem *theorem; /* NULL: there is none of that name, which gls_theory_values will say */
    gls_value *config;
    gls_measured_input input[GLS_MEASURED_INPUTS];
    const char *from[GLS_MEASURED_INPUTS]; /* the --measure that had it; NULL: none had */
    int64_t inputs;
} work;

/* ---- inputs: every --set, then what was measured ---- */

static const gls_value *given(const work *k, const char *input) {
    return gls_value_get(gls_value_get(k->config, "theory"), input);
}

/* Of several --measure the last that has an input. */
static gls_status read_measured(work *k, const char *path) {
    gls_measured_input read[GLS_MEASURED_INPUTS];
    int64_t count;
    GLS_TRY(gls_measured_inputs(k->ctx, k->theorem, read, &count));
    GLS_TRY(gls_measured_read(k->ctx, path, read, count));
    for (int64_t i = 0; i < count; i++) {
        if (!read[i].found) continue;
        k->input[i] = read[i];
        k->from[i] = path;
    }
    return GLS_OK;
}

/* One sentence for all that was not measured, with the command that would. */
static gls_status refuse_missing(const work *k) {
    char what[400] = "", only[200] = "";
    size_t w = 0, o = 0;
    for (int64_t i = 0; i < k->inputs; i++) {
        const gls_measured_input *in = &k->input[i];
        if (in->found || !in->required || given(k, in->input)) continue;
        w += (size_t)snprintf(what + w, sizeof what - w, "%s%s (%s of %s)", w ? ", " : "", in->input, in->figure,
                              in->measure);
        if (!strstr(only, in->measure))
            o += (size_t)snprintf(only + o, sizeof only - o, "%s%s", o ? "," : "", in->measure);
    }
    if (!w) return GLS_OK;
    /* Its line is fitted through several steps: a single point has none. */
    const char *along = strstr(only, "smoothness") ? " (smoothness: along a run, measure.smoothness.every=1)" : "";
    return gls_fail(k->ctx, GLS_ERR_ARGUMENT,
                    "theorem %s needs %s, which %s has not measured: `glissade measure RUN --only %s --json > "
                    "measured.json` and --measure measured.json%s, or --set",
                    k->theorem->member.name, what, cli_get(k->args, "measure"), only, along);
}

static gls_status fill(work *k) {
    for (int64_t i = 0; i < k->inputs; i++) {
        char key[64], text[40], origin[160];
        if (!k->from[i] || given(k, k->input[i].input)) continue;
        snprintf(key, sizeof key, "theory.%s", k->input[i].input);
        snprintf(text, sizeof text, "%.17g", k->input[i].value);
        snprintf(origin, sizeof origin, "--measure %.60s: %s of %s", k->from[i], k->input[i].figure,
                 k->input[i].measure);
        GLS_TRY(cli_config_set(k->ctx, k->config, origin, key, text));
    }
    return GLS_OK;
}

static gls_status read_inputs(work *k) {
    static const char *const sections[] = {"theory", NULL};
    GLS_TRY(gls_config_parse(k->ctx, "--set", "", 0, &k->config));
    GLS_TRY(cli_config_set(k->ctx, k->config, "theory", "theory.theorem", k->args->positional[0]));
    GLS_TRY(cli_apply_sets(k->ctx, k->args, sections, k->config));
    if (!k->theorem || !cli_has(k->args, "measure")) return GLS_OK;
    GLS_TRY(gls_measured_inputs(k->ctx, k->theorem, k->input, &k->inputs));
    for (int i = 0; i < k->args->count; i++)
        if (strcmp(k->args->given[i].flag->name, "measure") == 0) GLS_TRY(read_measured(k, k->args->given[i].text));
    return refuse_missing(k);
}

/* ---- what came out ---- */

/* Inputs that a --set overrides show what was measured beside it. */
static json_t *inputs_json(const work *k) {
    json_t *list = json_array();
    for (int64_t i = 0; i < k->inputs; i++) {
        const gls_measured_input *in = &k->input[i];
        const gls_value *set = given(k, in->input);
        if (!k->from[i]) continue;
        json_t *one = json_pack("{s:s, s:o, s:s, s:s, s:s, s:I, s:s, s:b}", "name", in->input, "measured",
                                cli_number(in->value), "measure", in->measure, "figure", in->figure, "among", in->among,
                                "found", (json_int_t)in->found, "from", k->from[i], "used", set == NULL);
        json_array_append_new(list, one);
    }
    return list;
}

static int print_json(const work *k, json_t *inputs, const gls_record *values) {
    const gls_theorem *theorem = k->theorem;
    json_t *list = json_array();
    for (const gls_theorem_output *o = theorem->outputs; o->name; o++) {
        double value = gls_record_get(values, o->name);
        if (isnan(value)) continue;
        json_array_append_new(list, json_pack("{s:s, s:s, s:s, s:o}", "name", o->name, "kind", o->kind, "help", o->help,
                                              "value", cli_number(value)));
    }
    return cli_print_json(json_pack("{s:s, s:s, s:o, s:o, s:o}", "theorem", theorem->member.name, "source",
                                    theorem->member.source, "conditions", cli_theorem_conditions(theorem), "inputs",
                                    inputs, "values", list),
                          0);
}

static void print_inputs(const json_t *inputs) {
    const json_t *one;
    size_t i;
    json_array_foreach(inputs, i, one) {
        printf("  %-14s %-14.8g measured   %s of %s, the %s of %lld in %s%s\n",
               json_string_value(json_object_get(one, "name")), json_real_value(json_object_get(one, "measured")),
               json_string_value(json_object_get(one, "figure")), json_string_value(json_object_get(one, "measure")),
               json_string_value(json_object_get(one, "among")), json_integer_value(json_object_get(one, "found")),
               json_string_value(json_object_get(one, "from")),
               json_is_true(json_object_get(one, "used")) ? "" : "; --set is used instead");
    }
}

static int print(const work *k, const json_t *inputs, const gls_record *values) {
    const gls_theorem *theorem = k->theorem;
    printf("%s: %s  %s\n", theorem->member.name, theorem->member.help, theorem->member.source);
    print_inputs(inputs);
    for (const gls_theorem_output *o = theorem->outputs; o->name; o++) {
        double value = gls_record_get(values, o->name);
        if (!isnan(value)) printf("  %-14s %-14.8g %-10s %s\n", o->name, value, o->kind, o->help);
    }
    for (const gls_theorem_condition *c = theorem->conditions; c && c->text; c++) printf("  holds: %s\n", c->text);
    return CLI_DONE;
}

static gls_status compute(work *k, json_t **inputs, gls_record *values) {
    GLS_TRY(read_inputs(k));
    *inputs = inputs_json(k); /* before the measured ones look like set ones */
    GLS_TRY(fill(k));
    return gls_theory_values(k->ctx, gls_value_get(k->config, "theory"), values);
}

static int run(const cli_args *args) {
    if (args->positionals != 1)
        return cli_bad("theory needs one theorem; `glissade list theorems` lists them with their inputs");
    work k = {.args = args, .ctx = cli_context(NULL), .theorem = cli_theorem(args->positional[0])};
    if (!k.ctx) return CLI_FAILED;
    json_t *inputs = NULL;
    gls_record values;
    gls_status status = compute(&k, &inputs, &values);
    int code;
    if (status != GLS_OK)
        code = cli_fail(k.ctx, status, false);
    else
        code = cli_has(args, "json") ? print_json(&k, json_incref(inputs), &values) : print(&k, inputs, &values);
    json_decref(inputs);
    gls_value_destroy(k.ctx, k.config);
    gls_context_destroy(k.ctx);
    return code;
}

static const cli_flag flags[] = {
    {"set", "KEY=VALUE", "an input of the theorem, as in --set L=10; may be repeated", .repeats = true},
    {"measure", "RUN",
     "take inputs from what a run measured, or from a file with the JSON of `glissade measure`; may be repeated, the "
     "last "
     "that has an input counts; --set comes first",
     .repeats = true},
    CLI_FLAG_JSON,
    {NULL}};

const cli_verb cli_theory = {
    .name = "theory",
    .synopsis = "theory THEOREM --set INPUT=VALUE ... [--measure RUN]",
    .help = "the rate, batch, steps and bound that a theorem gives",
    .details =
        "`glissade list theorems` lists the theorems, `glissade list theorems NAME` the inputs with their units, "
        "the conditions and what each value is. A condition that the inputs violate is an error. docs/methods.md says "
        "which measures --measure reads.",
    .flags = flags,
    .ranks = CLI_RANKS_FIRST,
    .run = run,
};
