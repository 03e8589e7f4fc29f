/* `help`: made from the tables of verbs and options. */
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "cli/cli.h"

static int width(void) {
    int columns = cli_width(stdout);
    return columns < CLI_WIDEST ? columns : CLI_WIDEST;
}

static void overview(void) {
    cli_wrap(stdout, "Glissade trains models with gradient methods that stay in control, and measures their gradients.",
             0, width());
    puts("\nusage: glissade COMMAND [options]\n");
    for (const cli_verb *const *v = cli_verbs; *v; v++) {
        printf("  %-11s ", (*v)->name);
        cli_wrap(stdout, (*v)->help, 14, cli_width(stdout));
    }
    puts("\nTo begin:   glissade train --preset demo-mlp-msgd\n"
         "More help:  glissade help COMMAND\n"
         "Exit codes: 0 success, 1 failure while running, 2 wrong usage or wrong input");
}

static void print_flag(const cli_flag *flag) {
    enum { COLUMN = 22 };
    char name[64];
    int length =
        snprintf(name, sizeof name, "  --%s%s%s", flag->name, flag->value ? " " : "", flag->value ? flag->value : "");
    printf("%-*s", COLUMN, name);
    if (length >= COLUMN) printf("\n%*s", COLUMN, "");
    cli_wrap(stdout, flag->help, COLUMN, width());
}

static int run(const cli_args *args) {
    if (args->positionals > 1)
        return cli_bad("help is about one command, found '%s' and '%s'", args->positional[0], args->positional[1]);
    const cli_verb *verb = args->positionals ? cli_find_verb(args->positional[0]) : NULL;
    if (args->positionals && !verb) return CLI_BAD;
    if (cli_has(args, "man")) return cli_manual(verb);
    if (!verb) {
        overview();
        return CLI_DONE;
    }
    char about[2048];
    snprintf(about, sizeof about, "%c%s.%s%s", toupper((unsigned char)verb->help[0]), verb->help + 1,
             verb->details ? " " : "", verb->details ? verb->details : "");
    printf("usage: glissade %s\n\n", verb->synopsis);
    cli_wrap(stdout, about, 0, width());
    if (verb->flags) puts("\nOptions:");
    for (const cli_flag *f = verb->flags; f && f->name; f++) print_flag(f);
    if (verb->more_help) verb->more_help(stdout);
    return CLI_DONE;
}

static const cli_flag flags[] = {{"man", NULL, "print the manual page in roff: glissade help --man train | man -l -"},
                                 {NULL}};

const cli_verb cli_help = {
    .name = "help",
    .synopsis = "help [COMMAND]  [--man]",
    .help = "show the help of a command",
    .flags = flags,
    .ranks = CLI_RANKS_FIRST,
    .run = run,
};
