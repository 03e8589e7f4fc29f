/* The command `glissade`: finds the verb, reads its options, runs it. */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/cli.h"

/* In the order of `glissade help`: what most people need first. */
const cli_verb *const cli_verbs[] = {
    &cli_train,  &cli_report, &cli_predict, &cli_evaluate, &cli_sample,     &cli_export,     &cli_measure,
    &cli_advise, &cli_sweep,  &cli_pair,    &cli_scale,    &cli_experiment, &cli_solve,      &cli_replay,
    &cli_data,   &cli_theory, &cli_list,    &cli_help,     &cli_version,    &cli_completion, NULL};

static const char *verb_at(const void *user, int64_t i) {
    const cli_verb *const *verbs = user;
    return verbs[i] ? verbs[i]->name : NULL;
}

static const cli_verb *find(const char *name) {
    for (const cli_verb *const *v = cli_verbs; *v; v++)
        if (strcmp((*v)->name, name) == 0) return *v;
    return NULL;
}

const cli_verb *cli_find_verb(const char *name) {
    const cli_verb *verb = find(name);
    if (verb) return verb;
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

/* Else the first file that is opened takes the number of a closed one, and messages go into it. They fail as they would
 * have: what is read from cannot be read, what is written to cannot be written. */
static void open_closed(void) {
    static const int mode[] = {[STDIN_FILENO] = O_WRONLY, [STDOUT_FILENO] = O_RDONLY, [STDERR_FILENO] = O_RDONLY};
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
        if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", mode[fd]) != fd) _exit(CLI_FAILED);
}

/* Whether SIGHUP was ignored when the process began, as nohup has it, is asked before any library is set up: UCX, which
 * Open MPI loads, takes SIGHUP for messages of its own, ignored or not. */
static void (*hangup)(int) = SIG_ERR;

static void ask_hangup(void) {
    struct sigaction begun;
    if (!sigaction(SIGHUP, NULL, &begun)) hangup = begun.sa_handler;
}

#ifdef __ELF__
__attribute__((section(".preinit_array"), used)) static void (*const ask_first)(void) = ask_hangup;
#endif

static void keep_hangup(void) {
    if (hangup != SIG_ERR) signal(SIGHUP, hangup);
}

/* ---- processes that a launcher started ---- */

/* Whether the verb is for this process; if not, *code is what it exits with. */
static bool has_work(const cli_verb *verb, const cli_args *args, int *code) {
    int ranks = gls_comm_size(args->comm);
    *code = CLI_DONE;
    if (ranks == 1 || verb->ranks == CLI_RANKS_ALL) return true;
    if (verb->ranks == CLI_RANKS_FIRST) return args->first;
    *code = CLI_BAD;
    if (args->first)
        cli_bad("%s is work of one process, and the launcher started %d: start it without the launcher", verb->name,
                ranks);
    return false;
}

/* Every process reads the options, and what is wrong with them is said once. */
static bool parse_together(const cli_verb *verb, int argc, char **argv, gls_comm *comm, cli_args *args) {
    bool first = gls_comm_rank(comm) == 0, fine = !first || cli_parse(verb, argc, argv, args);
    if (gls_comm_size(comm) > 1) {
        gls_context *ctx = cli_context(comm);
        fine = ctx && gls_comm_agree(ctx, fine ? GLS_OK : GLS_ERR_ARGUMENT) == GLS_OK;
        gls_context_destroy(ctx);
    }
    if (fine && !first) fine = cli_parse(verb, argc, argv, args);
    args->comm = comm;
    args->first = first;
    return fine;
}

static bool asks_for_help(int argc, char **argv) {
    for (int i = 0; i < argc && strcmp(argv[i], "--") != 0; i++)
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) return true;
    return false;
}

static int run(const cli_verb *verb, int argc, char **argv, gls_comm *comm) {
    cli_args args = {0};
    int code;
    if (asks_for_help(argc, argv)) {
        const char *about[] = {verb->name};
        return gls_comm_rank(comm) ? CLI_DONE : cli_help.run(&(cli_args){.positional = about, .positionals = 1});
    }
    if (!parse_together(verb, argc, argv, comm, &args)) return CLI_BAD;
    if (has_work(verb, &args, &code)) code = verb->run(&args);
    cli_args_free(&args);
    return code;
}

/* A rank is gone, and MPI does not come back: what cli_fail_together would say and return, from another thread. */
static void leave(void *user, int missing) {
    int speaker = missing == 0 ? 1 : 0;
    if (gls_comm_rank(user) == speaker || missing < 0)
        cli_bad("message passing between the ranks failed: rank %d is gone", missing);
    _exit(CLI_FAILED);
}

/* Where MPI cannot be started, short verbs work as if there were no launcher. */
static int run_named(const char *name, int argc, char **argv) {
    gls_comm *comm = NULL;
    gls_status status = gls_comm_create(&comm);
    gls_comm_on_stuck(comm, leave, comm);
    keep_hangup();
    const cli_verb *verb = gls_comm_rank(comm) == 0 ? cli_find_verb(name) : find(name);
    int code = CLI_BAD;
    if (verb && status != GLS_OK && verb->ranks != CLI_RANKS_FIRST) {
        cli_bad("%s", gls_comm_refusal());
        code = CLI_FAILED;
    } else if (verb) {
        code = run(verb, argc, argv, comm);
    }
    gls_comm_destroy(comm);
    return code;
}

int main(int argc, char **argv) {
    open_closed();
    keep_hangup();
    name_the_core(argv);
    signal(SIGXFSZ, SIG_IGN); /* a file that grows too large is a failed write like any other */
    if (argc < 2) {
        cli_help.run(&(cli_args){0});
        return CLI_BAD;
    }
    const char *name = argv[1];
    if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0) name = "help";
    if (strcmp(name, "--version") == 0) name = "version";
    int code = run_named(name, argc - 2, argv + 2);
    if (fflush(stdout) && code == CLI_DONE) {
        perror("glissade: standard output");
        code = CLI_FAILED;
    }
    return code;
}
