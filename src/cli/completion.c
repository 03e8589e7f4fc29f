/* A bash script made from the tables of verbs, options and members. */
#include <stdio.h>
#include <string.h>

#include "cli/cli.h"

static void print_names(gls_context *ctx, gls_kind kind) {
    const gls_member *member;
    for (int64_t i = 0; (member = gls_members_at(ctx, kind, i)); i++) printf(" %s", member->name);
}

static void value_words(gls_context *ctx) {
    const gls_preset *preset;
    printf("    case \"$last\" in\n    --preset) words=\"");
    for (int64_t i = 0; (preset = gls_preset_at(i)); i++) printf(" %s", preset->name);
    printf("\" ;;\n    --method) words=\"");
    print_names(ctx, GLS_KIND_METHOD);
    printf("\" ;;\n    --estimator) words=\"");
    print_names(ctx, GLS_KIND_ESTIMATOR);
    printf("\" ;;\n    --format|--to) words=\"");
    print_names(ctx, GLS_KIND_FORMAT);
    printf("\" ;;\n    esac\n");
}

/* The choices of options that have some. */
static void choice_words(void) {
    printf("    [ -z \"$words\" ] && case \"$last\" in\n");
    for (const cli_verb *const *v = cli_verbs; *v; v++)
        for (const cli_flag *f = (*v)->flags; f && f->name; f++) {
            if (!f->choices) continue;
            printf("    --%s) words=\"", f->name);
            for (const char *c = f->choices; *c; c++) putchar(*c == '|' ? ' ' : *c);
            printf("\" ;;\n");
        }
    printf("    esac\n");
}

static void verb_words(void) {
    printf("    [ -z \"$words\" ] && case \"${COMP_WORDS[1]}\" in\n");
    for (const cli_verb *const *v = cli_verbs; *v; v++) {
        printf("    %s) words=\"", (*v)->name);
        for (const cli_flag *f = (*v)->flags; f && f->name; f++) printf(" --%s", f->name);
        for (int i = 0; (*v)->words && (*v)->words[i]; i++) printf(" %s", (*v)->words[i]);
        if (*v == &cli_help)
            for (const cli_verb *const *other = cli_verbs; *other; other++) printf(" %s", (*other)->name);
        printf("\" ;;\n");
    }
    printf("    esac\n");
}

static int run(const cli_args *args) {
    if (args->positionals != 1 || strcmp(args->positional[0], "bash") != 0)
        return cli_bad("only bash is supported: glissade completion bash");
    gls_context *ctx = cli_context(NULL);
    if (!ctx) return CLI_FAILED;
    puts("# bash completion of glissade: source <(glissade completion bash)");
    puts("_glissade() {");
    puts("    local word=\"${COMP_WORDS[COMP_CWORD]}\" last=\"${COMP_WORDS[COMP_CWORD-1]}\" words=\"\"");
    puts("    if [ \"$COMP_CWORD\" -eq 1 ]; then");
    printf("        words=\"");
    for (const cli_verb *const *v = cli_verbs; *v; v++) printf(" %s", (*v)->name);
    puts("\"\n        COMPREPLY=($(compgen -W \"$words\" -- \"$word\"))\n        return\n    fi");
    value_words(ctx);
    choice_words();
    verb_words();
    puts("    COMPREPLY=($(compgen -W \"$words\" -- \"$word\") $(compgen -f -- \"$word\"))\n}");
    puts("complete -o filenames -F _glissade glissade glissade64");
    gls_context_destroy(ctx);
    return CLI_DONE;
}

static const char *const words[] = {"bash", NULL};
const cli_verb cli_completion = {
    .name = "completion",
    .synopsis = "completion bash",
    .help = "print a script that completes commands, options and names in bash",
    .details = "To use it: source <(glissade completion bash)",
    .words = words,
    .ranks = CLI_RANKS_FIRST,
    .run = run,
};
