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

/* {theorem: NAME} and every --set. */
static gls_status read_inputs(gls_context *ctx, const cli_args *args, gls_value **config) {
    static const char *const sections[] = {"theory", NULL};
    GLS_TRY(gls_config_parse(ctx, "--set", "", 0, config));
    GLS_TRY(cli_config_set(ctx, *config, "theory", "theory.theorem", args->positional[0]));
    return cli_apply_sets(ctx, args, sections, *config);
}

static int print_json(const gls_theorem *theorem, const gls_record *values) {
    json_t *list = json_array();
    for (const gls_theorem_output *o = theorem->outputs; o->name; o++) {
        double value = gls_record_get(values, o->name);
        if (isnan(value)) continue;
        json_array_append_new(list, json_pack("{s:s, s:s, s:s, s:o}", "name", o->name, "kind", o->kind, "help", o->help,
                                              "value", cli_number(value)));
    }
    return cli_print_json(json_pack("{s:s, s:s, s:o, s:o}", "theorem", theorem->member.name, "source",
                                    theorem->member.source, "conditions", cli_theorem_conditions(theorem), "values",
                                    list),
                          0);
}

static int print(const gls_theorem *theorem, const gls_record *values) {
    printf("%s: %s  %s\n", theorem->member.name, theorem->member.help, theorem->member.source);
    for (const gls_theorem_output *o = theorem->outputs; o->name; o++) {
        double value = gls_record_get(values, o->name);
        if (!isnan(value)) printf("  %-14s %-14.8g %-10s %s\n", o->name, value, o->kind, o->help);
    }
    for (const gls_theorem_condition *c = theorem->conditions; c && c->text; c++) printf("  holds: %s\n", c->text);
    return CLI_DONE;
}

static int run(const cli_args *args) {
    if (args->positionals != 1)
        return cli_bad("theory needs one theorem; `glissade list theorems` lists them with their inputs");
    gls_context *ctx = cli_context(NULL);
    if (!ctx) return CLI_FAILED;
    gls_value *config = NULL;
    gls_record values;
    gls_status status = read_inputs(ctx, args, &config);
    if (status == GLS_OK) status = gls_theory_values(ctx, gls_value_get(config, "theory"), &values);
    int code;
    if (status != GLS_OK) {
        code = cli_fail(ctx, status, false);
    } else {
        const gls_theorem *theorem = cli_theorem(args->positional[0]);
        code = cli_has(args, "json") ? print_json(theorem, &values) : print(theorem, &values);
    }
    gls_value_destroy(ctx, config);
    gls_context_destroy(ctx);
    return code;
}

static const cli_flag flags[] = {
    {"set", "KEY=VALUE", "an input of the theorem, as in --set L=10; may be repeated", .repeats = true},
    CLI_FLAG_JSON,
    {NULL}};

const cli_verb cli_theory = {
    .name = "theory",
    .synopsis = "theory THEOREM --set INPUT=VALUE ...",
    .help = "the rate, batch, steps and bound that a theorem gives",
    .details =
        "`glissade list theorems` lists the theorems, `glissade list theorems NAME` the inputs with their units, "
        "the conditions and what each value is. A condition that the inputs violate is an error.",
    .flags = flags,
    .run = run,
};
