#include <stdio.h>
#include <string.h>

#include "cli.h"

static void overview(FILE *to) {
    fputs("glissade trains models with gradient methods that stay in control, and measures the gradients meanwhile.\n\n"
          "usage: glissade VERB ...\n\n",
          to);
    for (const cli_verb *const *v = cli_verbs; *v; v++) fprintf(to, "  %-11s %s\n", (*v)->name, (*v)->help);
    fputs("\nTo begin:  glissade train --preset demo-mlp-msgd\n"
          "About one: glissade help VERB\n"
          "Exit code: 0 done, 1 failed while running, 2 bad usage or bad input\n",
          to);
}

static int run(const cli_args *args) {
    if (!args->positionals) {
        overview(stdout);
        return CLI_DONE;
    }
    const cli_verb *verb = cli_find_verb(args->positional[0]);
    if (!verb) return CLI_BAD;
    printf("usage: glissade %s\n\n%s.%s%s\n", verb->synopsis, verb->help, verb->details ? " " : "",
           verb->details ? verb->details : "");
    if (verb->flags) puts("\nOptions:");
    for (const cli_flag *f = verb->flags; f && f->name; f++) {
        char name[64];
        snprintf(name, sizeof name, "--%s %s", f->name, f->value ? f->value : "");
        printf("  %-18s %s\n", name, f->help);
    }
    if (verb->more_help) verb->more_help();
    return CLI_DONE;
}

const cli_verb cli_help = {
    .name = "help",
    .synopsis = "help [VERB]",
    .help = "what there is to say about a verb",
    .run = run,
};
