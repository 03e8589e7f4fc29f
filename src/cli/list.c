/* `list`: the members of every kind, from their tables. */
#include <stdio.h>
#include <string.h>

#include "cli/cli.h"

enum { NARROWEST = 17 }; /* of the column of names */

static const char presets[] = "presets", theorems[] = "theorems", experiments[] = "experiments";
static const char *const words[] = {"methods",     "estimators", "measures",  "models",    "problems",
                                    "data",        "transforms", "schedules", "noises",    "exchanges",
                                    "batch_rules", theorems,     presets,     experiments, NULL};

static const char *word_at(const void *user, int64_t i) {
    return ((const char *const *)user)[i];
}

static int kind_of(const char *word) {
    for (int kind = 0; kind < GLS_KIND_COUNT; kind++)
        if (gls_kind_name((gls_kind)kind) && strcmp(gls_kind_name((gls_kind)kind), word) == 0) return kind;
    return -1;
}

/* "lr=0.1, beta=0.9": the defaults of options. */
static void print_defaults(const gls_option *table) {
    int column = 0, columns = cli_width(stdout), room = columns < 117 ? columns - 21 : 96;
    for (const gls_option *o = table; o && o->key; o++) {
        if (o->flags & GLS_OPTION_HIDDEN) continue;
        char text[160];
        int n = snprintf(text, sizeof text, "%s%s%s", o->key, o->initial ? "=" : "", o->initial ? o->initial : "");
        if (column && column + n + 2 > room) {
            printf(",\n");
            column = 0;
        }
        printf("%s%s", column ? ", " : "                    ", text);
        column += n + 2;
    }
    if (column) putchar('\n');
}

static void print_options(const gls_option *table) {
    for (const gls_option *o = table; o && o->key; o++) {
        if (o->flags & GLS_OPTION_HIDDEN) continue;
        char expects[400], text[1200];
        gls_option_describe(o, expects, sizeof expects);
        int indent = printf("    %-22s %-10s ", o->key, o->initial ? o->initial : "-");
        snprintf(text, sizeof text, "%s (%s)", o->help ? o->help : "", expects);
        cli_wrap(stdout, text, indent < 38 ? indent : 38, cli_width(stdout));
    }
}

static int wider(int width, const char *name) {
    return (int)strlen(name) > width ? (int)strlen(name) : width;
}

/* width: of the column of names. */
static void print_line(int width, const char *name, const char *text) {
    printf("  %-*s ", width, name);
    cli_wrap(stdout, text, width + 3, cli_width(stdout));
}

static void print_member(const gls_member *member, int width, bool whole) {
    char text[800];
    snprintf(text, sizeof text, "%s%s%s", member->help, *member->source ? "  " : "", member->source);
    print_line(width, member->name, text);
    if (whole)
        print_options(member->options);
    else
        print_defaults(member->options);
}

static json_t *describe(const char *name, const char *help, const char *source, const gls_option *table) {
    json_t *options = json_array();
    for (const gls_option *o = table; o && o->key; o++) {
        char expects[400];
        gls_option_describe(o, expects, sizeof expects);
        json_array_append_new(options, json_pack("{s:s, s:s?, s:s?, s:s?, s:s}", "key", o->key, "default", o->initial,
                                                 "help", o->help, "choices", o->choices, "expects", expects));
    }
    return json_pack("{s:s, s:s?, s:s?, s:o}", "name", name, "help", help, "source", source, "options", options);
}

static void list_presets(json_t *into) {
    const gls_preset *p;
    int width = NARROWEST;
    if (!into) puts(presets);
    for (int64_t i = 0; (p = gls_preset_at(i)); i++) width = wider(width, p->name);
    for (int64_t i = 0; (p = gls_preset_at(i)); i++) {
        if (into)
            json_array_append_new(into, describe(p->name, p->help, "", NULL));
        else
            print_line(width, p->name, p->help);
    }
}

/* All members of a kind, or those named; names is ended by one that is a kind. */
static void list_kind(gls_context *ctx, gls_kind kind, const char *only, json_t *into) {
    const gls_member *member;
    int width = NARROWEST;
    if (!into && gls_members_at(ctx, kind, 0)) puts(gls_kind_name(kind));
    for (int64_t i = 0; (member = gls_members_at(ctx, kind, i)); i++) width = wider(width, member->name);
    for (int64_t i = 0; (member = gls_members_at(ctx, kind, i)); i++) {
        if (only && strcmp(only, member->name) != 0) continue;
        if (into)
            json_array_append_new(into, describe(member->name, member->help, member->source, member->options));
        else
            print_member(member, width, only != NULL);
    }
}

/* What a theorem asks for and gives, beside its inputs. */
static void describe_theorem(const gls_theorem *theorem, json_t *into) {
    json_t *outputs = json_array();
    for (const gls_theorem_output *o = theorem->outputs; o->name; o++)
        json_array_append_new(outputs, json_pack("{s:s, s:s, s:s}", "name", o->name, "kind", o->kind, "help", o->help));
    json_t *whole =
        describe(theorem->member.name, theorem->member.help, theorem->member.source, theorem->member.options);
    json_object_set_new(whole, "conditions", cli_theorem_conditions(theorem));
    json_object_set_new(whole, "outputs", outputs);
    json_array_append_new(into, whole);
}

static void print_theorem(const gls_theorem *theorem, int width, bool whole) {
    print_member(&theorem->member, width, whole);
    for (const gls_theorem_condition *c = theorem->conditions; whole && c && c->text; c++)
        printf("    needs                  %s\n", c->text);
    for (const gls_theorem_output *o = theorem->outputs; whole && o->name; o++)
        printf("    gives %-16s %-10s %s\n", o->name, o->kind, o->help);
}

static void list_theorems(const char *only, json_t *into) {
    const gls_theorem *theorem;
    int width = NARROWEST;
    if (!into) puts(theorems);
    for (int64_t i = 0; (theorem = gls_theorem_at(i)); i++) width = wider(width, theorem->member.name);
    for (int64_t i = 0; (theorem = gls_theorem_at(i)); i++) {
        if (only && strcmp(only, theorem->member.name) != 0) continue;
        if (into)
            describe_theorem(theorem, into);
        else
            print_theorem(theorem, width, only != NULL);
    }
}

/* asked: this kind was named, not all. */
static int list_word(gls_context *ctx, const char *word, const char *only, bool asked, json_t *root) {
    json_t *into = root ? json_array() : NULL;
    int code = CLI_DONE;
    if (strcmp(word, experiments) == 0)
        code = cli_list_experiments(ctx, asked, into);
    else if (strcmp(word, presets) == 0)
        list_presets(into);
    else if (strcmp(word, theorems) == 0)
        list_theorems(only, into);
    else
        list_kind(ctx, (gls_kind)kind_of(word), only, into);
    if (root) json_object_set_new(root, word, into);
    return code;
}

static bool is_member(gls_context *ctx, const char *word, const char *name) {
    const gls_member *member;
    int kind = kind_of(word);
    if (strcmp(word, theorems) == 0) return cli_theorem(name) != NULL;
    for (int64_t i = 0; kind >= 0 && (member = gls_members_at(ctx, (gls_kind)kind, i)); i++)
        if (strcmp(member->name, name) == 0) return true;
    return false;
}

static bool is_word(const char *word) {
    for (int i = 0; words[i]; i++)
        if (strcmp(words[i], word) == 0) return true;
    return false;
}

/* Arguments are kinds, each perhaps followed by a member of it. */
static int list_given(gls_context *ctx, const cli_args *args, json_t *root) {
    for (int i = 0; i < args->positionals; i++) {
        const char *word = args->positional[i];
        if (!is_word(word)) {
            char text[160];
            return cli_bad("unknown kind '%s'%s", word,
                           cli_nearest(word, word_at, words,
                                       "; expected methods, estimators, measures, models, problems, data, transforms, "
                                       "schedules, noises, exchanges, batch_rules, theorems, presets or experiments",
                                       text));
        }
        const char *next = i + 1 < args->positionals ? args->positional[i + 1] : NULL;
        bool only = next && is_member(ctx, word, next);
        if (next && !only && !is_word(next))
            return cli_bad("there is no '%s' among the %s; `glissade list %s` lists them", next, word, word);
        int code = list_word(ctx, word, only ? next : NULL, true, root);
        if (code != CLI_DONE) return code;
        if (only) i++;
    }
    return CLI_DONE;
}

static int run(const cli_args *args) {
    gls_context *ctx = cli_context(NULL);
    if (!ctx) return CLI_FAILED;
    json_t *root = cli_has(args, "json") ? json_object() : NULL;
    int code = list_given(ctx, args, root);
    for (int i = 0; words[i] && !args->positionals && code == CLI_DONE; i++)
        code = list_word(ctx, words[i], NULL, false, root);
    if (root && code == CLI_DONE)
        code = cli_print_json(root, 0);
    else
        json_decref(root);
    gls_context_destroy(ctx);
    return code;
}

static const cli_flag flags[] = {{"json", NULL, "print one JSON object with an array for each kind"}, {NULL}};

const cli_verb cli_list = {
    .name = "list",
    .synopsis = "list [KIND [NAME]]...",
    .help = "list methods, models, measures, data sets, theorems, presets and experiments",
    .details = "Kinds: methods, estimators, measures, models, problems, data, transforms, schedules, noises, "
               "exchanges, batch_rules, theorems, "
               "presets, experiments. "
               "With a name, its options are shown one on a line, with their defaults.",
    .flags = flags,
    .words = words,
    .ranks = CLI_RANKS_FIRST,
    .run = run,
};
