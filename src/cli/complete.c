/* What may follow on a command line that is being typed: verbs, options, names of members, keys and values of --set. */
#include <stdio.h>
#include <string.h>

#include "cli/cli.h"

typedef struct typed {
    gls_context *ctx;
    const cli_verb *verb;
    const char *const *word; /* all words after the command's name; the last one is not finished */
    int words;
    const char *last;
} typed;

static void offer(const typed *t, const char *before, const char *word, const char *after, const char *help) {
    char text[200];
    snprintf(text, sizeof text, "%s%s%s", before, word, after);
    if (strncmp(text, t->last, strlen(t->last)) == 0) printf("%s\t%s\n", text, help ? help : "");
}

/* "mean|sum" */
static void offer_choices(const typed *t, const char *before, const char *choices) {
    while (*choices) {
        char word[64];
        size_t length = strcspn(choices, "|");
        snprintf(word, sizeof word, "%.*s", (int)length, choices);
        offer(t, before, word, "", NULL);
        choices += length + (choices[length] == '|');
    }
}

static void offer_members(const typed *t, const char *before, gls_kind kind) {
    const gls_member *member;
    for (int64_t i = 0; (member = gls_members_at(t->ctx, kind, i)); i++)
        offer(t, before, member->name, "", member->help);
}

static void offer_verbs(const typed *t) {
    for (const cli_verb *const *v = cli_verbs; *v; v++) offer(t, "", (*v)->name, "", (*v)->help);
}

/* ---- keys of a configuration ---- */

/* Sections whose keys depend on a member, which `chooser` names. */
static const struct section {
    const char *name, *chooser;
    const char *flag; /* the option of some verbs that names the member too, or NULL */
    gls_kind kind[2];
    int kinds;
} sections[] = {
    {"data", "data.format=", "format", {GLS_KIND_FORMAT}, 1},
    {"model", "model.name=", NULL, {GLS_KIND_FAMILY, GLS_KIND_PROBLEM}, 2},
    {"estimator", "estimator.name=", "estimator", {GLS_KIND_ESTIMATOR}, 1},
    {"method", "method.name=", "method", {GLS_KIND_METHOD}, 1},
    {"schedule", "schedule.name=", NULL, {GLS_KIND_SCHEDULE}, 1},
    {"measure", NULL, NULL, {GLS_KIND_MEASURE}, 1},
    {"train", NULL, NULL, {0}, 0},
    {"plan", NULL, NULL, {0}, 0},
};
enum { SECTIONS = sizeof sections / sizeof *sections };

/* The member that the line has named so far; NULL: none. */
static const char *chosen(const typed *t, const struct section *s) {
    const char *found = NULL;
    size_t length = s->chooser ? strlen(s->chooser) : 0;
    for (int i = 0; i + 1 < t->words; i++) {
        const char *word = t->word[i];
        if (length && strncmp(word, s->chooser, length) == 0) found = word + length;
        if (s->flag && strncmp(word, "--", 2) == 0 && strcmp(word + 2, s->flag) == 0 && i + 2 < t->words)
            found = t->word[i + 1];
    }
    return found;
}

/* A table's keys, or where the key is finished, its values. */
static void offer_table(const typed *t, const char *section, const gls_option *table) {
    for (const gls_option *o = table; o && o->key; o++) {
        if (o->flags & GLS_OPTION_HIDDEN) continue;
        char key[160];
        int length = snprintf(key, sizeof key, "%s.%s=", section, o->key);
        if (strncmp(t->last, key, (size_t)length) != 0)
            offer(t, "", key, "", o->help);
        else if (o->type == GLS_OPTION_ENUM)
            offer_choices(t, key, o->choices);
        else if (o->type == GLS_OPTION_BOOL)
            offer_choices(t, key, "true|false");
    }
}

static void offer_section(const typed *t, const struct section *s) {
    const char *name = chosen(t, s);
    offer_table(t, s->name, gls_config_section_table(s->name));
    if (s->chooser) {
        bool typing = strncmp(t->last, s->chooser, strlen(s->chooser)) == 0;
        if (!typing) offer(t, "", s->chooser, "", "which one");
        for (int k = 0; typing && k < s->kinds; k++) offer_members(t, s->chooser, s->kind[k]);
    }
    for (int k = 0; k < s->kinds; k++) {
        const gls_member *member;
        for (int64_t i = 0; (member = gls_members_at(t->ctx, s->kind[k], i)); i++) {
            if (!s->chooser)
                offer(t, "measure.", member->name, "=", member->help);
            else if (name && strcmp(name, member->name) == 0)
                offer_table(t, s->name, member->options);
        }
    }
}

static void offer_keys(const typed *t) {
    for (int k = 0; k < SECTIONS; k++) {
        size_t length = strlen(sections[k].name);
        if (strncmp(t->last, sections[k].name, length) == 0 && t->last[length] == '.')
            offer_section(t, &sections[k]);
        else
            offer(t, "", sections[k].name, ".", NULL);
    }
}

/* ---- options of verbs ---- */

static const struct {
    const char *flag;
    gls_kind kind;
} named[] = {{"method", GLS_KIND_METHOD}, {"methods", GLS_KIND_METHOD}, {"estimator", GLS_KIND_ESTIMATOR},
             {"format", GLS_KIND_FORMAT}, {"to", GLS_KIND_FORMAT},      {"only", GLS_KIND_MEASURE}};

static void offer_value(const typed *t, const cli_flag *flag) {
    const gls_preset *preset;
    if (flag->choices) offer_choices(t, "", flag->choices);
    if (strcmp(flag->name, "set") == 0 || strcmp(flag->name, "over") == 0) offer_keys(t);
    if (strcmp(flag->name, "preset") == 0)
        for (int64_t i = 0; (preset = gls_preset_at(i)); i++) offer(t, "", preset->name, "", preset->help);
    for (size_t i = 0; i < sizeof named / sizeof *named; i++)
        if (strcmp(named[i].flag, flag->name) == 0) offer_members(t, "", named[i].kind);
}

/* The option whose argument is being typed, or NULL. */
static const cli_flag *pending(const typed *t) {
    const char *before = t->words > 2 ? t->word[t->words - 2] : "";
    if (strncmp(before, "--", 2) != 0) return NULL;
    for (const cli_flag *f = t->verb->flags; f && f->name; f++)
        if (f->value && strcmp(f->name, before + 2) == 0) return f;
    return NULL;
}

/* `list` takes the name of a member behind its kind. */
static void offer_listed(const typed *t) {
    for (int kind = 0; kind < GLS_KIND_COUNT; kind++) {
        const char *name = gls_kind_name((gls_kind)kind);
        if (name && strcmp(name, t->word[1]) == 0) offer_members(t, "", (gls_kind)kind);
    }
}

static void offer_argument(const typed *t) {
    const char dash[] = "--";
    const cli_flag *flag = pending(t);
    if (flag) {
        offer_value(t, flag);
        return;
    }
    for (const cli_flag *f = t->verb->flags; *t->last == '-' && f && f->name; f++) offer(t, dash, f->name, "", f->help);
    if (*t->last == '-') return;
    for (int i = 0; t->words == 2 && t->verb->words && t->verb->words[i]; i++)
        offer(t, "", t->verb->words[i], "", NULL);
    if (t->verb == &cli_help && t->words == 2) offer_verbs(t);
    if (t->verb == &cli_list && t->words == 3) offer_listed(t);
}

int cli_complete(const char *const *words, int count) {
    gls_context *ctx = cli_context(NULL);
    if (!ctx) return CLI_FAILED;
    typed t = {.ctx = ctx, .word = words, .words = count, .last = count ? words[count - 1] : ""};
    for (const cli_verb *const *v = cli_verbs; count > 1 && *v; v++)
        if (strcmp((*v)->name, words[0]) == 0) t.verb = *v;
    if (count <= 1) offer_verbs(&t);
    if (t.verb) offer_argument(&t);
    gls_context_destroy(ctx);
    return CLI_DONE;
}
