/* The command `glissade`: finds the verb, reads its options, runs it. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/cli.h"

/* In the order of `glissade help`: what most people need first. */
const cli_verb *const cli_verbs[] = {&cli_train,  &cli_report, &cli_predict, &cli_evaluate,   &cli_sample, &cli_measure,
                                     &cli_advise, &cli_sweep,  &cli_solve,   &cli_replay,     &cli_data,   &cli_theory,
                                     &cli_list,   &cli_help,   &cli_version, &cli_completion, NULL};

static const char *verb_at(const void *user, int64_t i) {
    const cli_verb *const *verbs = user;
    return verbs[i] ? verbs[i]->name : NULL;
}

const cli_verb *cli_find_verb(const char *name) {
    for (const cli_verb *const *v = cli_verbs; *v; v++)
        if (strcmp((*v)->name, name) == 0) return *v;
    char text[160];
    cli_bad("unknown command '%s'%s", name,
            cli_nearest(name, verb_at, cli_verbs, "; `glissade help` lists the commands", text));
    return NULL;
}

/* A processor newer than OpenBLAS is taken for the slowest one. The library reads this variable before main, so the
 * command starts itself again; where OpenBLAS knows its processor, that would cost 10 ms for nothing. */
static void name_the_core(char **argv) {
#ifdef __x86_64__
    const char *core = __builtin_cpu_supports("avx512f") ? "SkylakeX"
                       : __builtin_cpu_supports("avx2")  ? "Haswell"
                                                         : NULL;
    if (!core || strcmp(gls_blas_core(), "Prescott") != 0 || getenv("OPENBLAS_CORETYPE") ||
        setenv("OPENBLAS_CORETYPE", core, 1))
        return;
    execv("/proc/self/exe", argv);
#endif
}

int main(int argc, char **argv) {
    name_the_core(argv);
    signal(SIGXFSZ, SIG_IGN); /* a file that grows too large is a failed write like any other */
    if (argc < 2) {
        cli_help.run(&(cli_args){0});
        return CLI_BAD;
    }
    const char *name = argv[1];
    if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0) name = "help";
    if (strcmp(name, "--version") == 0) name = "version";
    const cli_verb *verb = cli_find_verb(name);
    if (!verb) return CLI_BAD;
    cli_args args;
    for (int i = 2; i < argc && strcmp(argv[i], "--") != 0; i++) {
        if (strcmp(argv[i], "--help") != 0 && strcmp(argv[i], "-h") != 0) continue;
        const char *about[] = {verb->name};
        return cli_help.run(&(cli_args){.positional = about, .positionals = 1});
    }
    if (!cli_parse(verb, argc - 2, argv + 2, &args)) return CLI_BAD;
    int code = verb->run(&args);
    cli_args_free(&args);
    if (fflush(stdout) && code == CLI_DONE) {
        perror("glissade: standard output");
        code = CLI_FAILED;
    }
    return code;
}
