/* The command's inside: verbs in a table, their options in tables, one parser for all of them. */
#ifndef GLS_CLI_CLI_H
#define GLS_CLI_CLI_H

#include <glissade/comm.h>
#include <glissade/run.h>

enum { CLI_DONE = 0, CLI_FAILED = 1, CLI_BAD = 2 };

/* One option of a verb; a table ends with name NULL. */
typedef struct cli_flag {
    const char *name;  /* without the dashes */
    const char *value; /* the word for its argument in help: "DIR"; NULL: a switch */
    const char *help;
} cli_flag;

typedef struct cli_args {
    const char **positional;
    int positionals;
    const cli_flag **flag; /* in the order given */
    const char **value;
    int flags;
} cli_args;

typedef struct cli_verb cli_verb;
struct cli_verb {
    const char *name, *synopsis, *help;
    const char *details; /* more lines for `help VERB`, or NULL */
    const cli_flag *flags;
    const char *const *words; /* what the first argument may be, for completion; NULL: files */
    int (*run)(const cli_args *args);
    void (*more_help)(void); /* printed after the options, or NULL */
};

extern const cli_verb *const cli_verbs[]; /* ends with NULL */
extern const cli_verb cli_train, cli_sweep, cli_report, cli_measure, cli_advise, cli_replay, cli_solve, cli_list,
    cli_data, cli_help, cli_version, cli_completion;

const cli_verb *cli_find_verb(const char *name); /* NULL with a message that names the nearest */

/* args.c */
/* Reads argv[0 .. argc) after the verb; false with a message on standard error. */
bool cli_parse(const cli_verb *verb, int argc, char **argv, cli_args *out);
void cli_args_free(cli_args *args);
bool cli_has(const cli_args *args, const char *flag);
const char *cli_get(const cli_args *args, const char *flag); /* the last one given, or NULL */
/* Overrides of every --set onto config. */
gls_status cli_apply_sets(gls_context *ctx, const cli_args *args, gls_value *config);

/* output.c */
/* "glissade: ..." on standard error. Returns CLI_BAD. */
int cli_bad(const char *format, ...) GLS_PRINTF(1, 2);
int cli_exit_code(gls_status status, bool writing);
/* The context's message on standard error, and the exit code of a status. writing: files at fault are ours to write. */
int cli_fail(gls_context *ctx, gls_status status, bool writing);
/* A context for short work: one thread, warnings to standard error. */
gls_context *cli_context(gls_comm *comm);
void cli_log(void *user, gls_log_level level, const char *message); /* user: the progress to draw around, or NULL */
char *cli_thousands(int64_t number, char text[32]);
char *cli_duration(double seconds, char text[32]);

/* suspects.c: the examples that a run's ledger shows as suppressed; an action of `data`. */
gls_status cli_suspects(gls_context *ctx, const cli_args *args);

/* progress.c */
typedef struct cli_progress {
    bool quiet, terminal, unicode;
    bool drawn; /* a bar stands on the last line */
    double last;
} cli_progress;
void cli_progress_init(cli_progress *progress, bool quiet);
void cli_progress_show(void *user, const gls_progress *progress); /* user: the cli_progress */
void cli_progress_clear(cli_progress *progress);

/* signals.c: SIGINT and SIGTERM ask the context's work to stop, a second one ends the process. */
typedef struct cli_signals cli_signals;
cli_signals *cli_signals_start(gls_context *ctx, cli_progress *progress);
void cli_signals_stop(cli_signals *signals);

#endif
