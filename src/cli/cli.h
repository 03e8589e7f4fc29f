/* The command's inside: verbs in a table, their options in tables, one parser for all of them. The command is a client
 * of the library like any other: it includes public headers only. */
#ifndef GLS_CLI_CLI_H
#define GLS_CLI_CLI_H

#include <glissade/comm.h>
#include <glissade/predict.h>
#include <glissade/run.h>
#include <jansson.h>
#include <stdio.h>

/* Exit codes: failure while running; wrong usage or wrong input, as `glissade help` states. */
enum { CLI_DONE = 0, CLI_FAILED = 1, CLI_BAD = 2 };

/* ---- options of verbs ---- */

typedef enum cli_type {
    CLI_TEXT,   /* a name, a path, a specification: the verb reads it */
    CLI_INT,    /* a whole number within the bounds; 64k, 4M and 1e6 are read too */
    CLI_REAL,   /* a number within the bounds */
    CLI_TIME,   /* 90, 90s, 2m, 1h */
    CLI_CHOICE, /* one of the choices */
} cli_type;

/* One option of a verb; a table ends with name NULL. */
typedef struct cli_flag {
    const char *name;  /* without the dashes */
    const char *value; /* the word for its argument in help: "DIR"; NULL: a switch */
    const char *help;
    cli_type type;
    double minimum, maximum; /* of numbers; both 0: any */
    const char *choices;     /* "factor|norm|loss" */
    bool repeats;            /* may be given more than once */
} cli_flag;

/* What several verbs have. */
#define CLI_FLAG_JSON \
    { .name = "json", .help = "print the result as one JSON object, the last line of standard output" }
#define CLI_FLAG_QUIET \
    { .name = "quiet", .help = "print no progress and no tables or text" }
#define CLI_FLAG_PRESET \
    { .name = "preset", .value = "NAME", .help = "a built-in configuration; `glissade list presets` lists them" }
#define CLI_FLAG_SET                                                                                          \
    {                                                                                                         \
        .name = "set", .value = "KEY=VALUE", .repeats = true,                                                 \
        .help = "set a key of the configuration, as in --set method.lr=0.1; values are YAML; may be repeated" \
    }
#define CLI_FLAG_MODEL_AT \
    { .name = "at", .value = "WHICH", .help = "which weights of a run folder: best, final (the default) or a step" }
#define CLI_FLAG_MODEL_FORMAT                                                                                    \
    {                                                                                                            \
        .name = "format", .value = "NAME",                                                                       \
        .help = "format of the rows, where it is not that of the training file; `glissade list data` lists them" \
    }
#define CLI_FLAG_JOBS                                                                                           \
    {                                                                                                           \
        .name = "jobs", .value = "N", .type = CLI_INT, .minimum = 1, .maximum = 256,                            \
        .help = "runs side by side (default: 1), each on its share of the processors; the numbers are the same" \
    }
#define CLI_FLAG_THREADS                                                                                      \
    {                                                                                                         \
        .name = "threads", .value = "N", .type = CLI_INT, .minimum = 0, .maximum = 1024,                      \
        .help = "threads of each run, as --set train.threads=N; 0 (the default): one for each free processor" \
    }

typedef struct cli_given {
    const cli_flag *flag;
    const char *text; /* NULL: a switch */
    union {
        int64_t whole;
        double real;
        int choice;
    } value; /* of a typed flag */
} cli_given;

typedef struct cli_args {
    const char **positional;
    int positionals;
    cli_given *given; /* in the order given */
    int count;
    gls_comm *comm; /* the processes that a launcher started, or this one alone; NULL: as that */
    bool first;     /* this process speaks */
} cli_args;

/* What a verb does where a launcher such as mpirun started several processes. */
typedef enum cli_ranks {
    CLI_RANKS_ONE,   /* it refuses: its work is that of one process */
    CLI_RANKS_FIRST, /* the first process does it, the others have nothing to do */
    CLI_RANKS_ALL    /* all work together: the verb uses args->comm, and only args->first speaks and writes */
} cli_ranks;

typedef struct cli_verb cli_verb;
struct cli_verb {
    const char *name, *synopsis, *help;
    const char *details; /* more lines for `help VERB`, or NULL */
    const cli_flag *flags;
    const char *const *words; /* what the first argument may be, for completion; NULL: files */
    cli_ranks ranks;
    int (*run)(const cli_args *args);
    void (*more_help)(FILE *to); /* more text after the options, or NULL */
};

extern const cli_verb *const cli_verbs[]; /* ends with NULL */
extern const cli_verb cli_train, cli_sweep, cli_report, cli_measure, cli_advise, cli_replay, cli_solve, cli_list,
    cli_data, cli_predict, cli_evaluate, cli_sample, cli_export, cli_theory, cli_pair, cli_scale, cli_experiment,
    cli_help, cli_version, cli_completion;

const cli_verb *cli_find_verb(const char *name); /* NULL with a message that names the nearest */

/* args.c */
/* Reads argv[0 .. argc) after the verb; false with a message on standard error. */
bool cli_parse(const cli_verb *verb, int argc, char **argv, cli_args *out);
void cli_args_free(cli_args *args);
bool cli_has(const cli_args *args, const char *flag);
/* The last one given, else `initial`. */
const char *cli_get(const cli_args *args, const char *flag); /* else NULL */
int64_t cli_int(const cli_args *args, const char *flag, int64_t initial);
double cli_real(const cli_args *args, const char *flag, double initial); /* of CLI_REAL and CLI_TIME */
int cli_threads(const cli_args *args); /* --threads, with a warning for more than there are processors */

/* ---- configuration ---- */

/* configure.c */
/* Where else than in a file or a preset a configuration may be. */
enum {
    CLI_FROM_SETS = 1,   /* --set alone gives it whole */
    CLI_FROM_RESUME = 2, /* --resume DIR: that of the run in DIR */
    CLI_FROM_RUN = 4     /* the first argument may be a run folder */
};
/* The one configuration that a verb is given, every --set in it, its sections checked. *folder (may be NULL): the run
 * folder it came from, else NULL. Own *config. */
gls_status cli_configure(gls_context *ctx, const cli_args *args, unsigned from, gls_value **config,
                         const char **folder);
/* key=value into config, as `flag` ("--seed") says; nothing for a value that is NULL. */
gls_status cli_config_set(gls_context *ctx, gls_value *config, const char *flag, const char *key, const char *value);
/* Every --set. Keys belong to the first of the sections (NULL-terminated) unless they begin with the name of one of
 * them; sections NULL: keys are whole. */
gls_status cli_apply_sets(gls_context *ctx, const cli_args *args, const char *const *sections, gls_value *config);

/* complete.c */
/* Prints what may follow the words (the last one unfinished), a line each: word, tab, help. Returns the exit code. */
int cli_complete(const char *const *words, int count);
/* manual.c */
/* The manual page of a verb, or of the whole command (NULL), in roff. Returns the exit code. */
int cli_manual(const cli_verb *verb);

/* ---- output ---- */

/* output.c */
/* "glissade: ..." on standard error. Returns CLI_BAD. */
int cli_bad(const char *format, ...) GLS_PRINTF(1, 2);
/* Whether both paths name one file that is there. */
bool cli_same_file(const char *a, const char *b);
/* "; did you mean 'train'?" where there is a name near the given one, else `otherwise`. */
const char *cli_nearest(const char *name, const char *(*next)(const void *user, int64_t i), const void *user,
                        const char *otherwise, char text[160]);
int cli_exit_code(gls_status status, bool writing);
/* The context's message on standard error, and the exit code of a status. writing: files at fault are ours to write. */
int cli_fail(gls_context *ctx, gls_status status, bool writing);
/* The same once for all ranks of the context, which all get the exit code of the one that speaks. Collective. */
int cli_fail_together(gls_context *ctx, gls_status status, bool writing);
/* A context for short work: one thread, warnings of the first rank to standard error. */
gls_context *cli_context(gls_comm *comm);
/* A verb's work begins: *work is the context that `config` (NULL: nothing) and `options` ask for, made once every rank
 * has read its configuration with `status`. CLI_DONE, or the exit code, the fault having been told; *work is NULL
 * before and where it fails. Collective. */
int cli_begin_work(gls_context *reading, gls_status status, const gls_value *config, gls_context_options *options,
                   gls_context **work);
void cli_log(void *user, gls_log_level level, const char *message); /* user: the progress to draw around, or NULL */
/* One line of JSON on standard output, reals with `digits` digits (0: all); takes the object. Returns the exit code. */
int cli_print_json(json_t *object, int digits);
/* Takes one line of JSON (NULL: no memory): into FOLDER/FILE, and with --json on standard output. */
gls_status cli_keep_json(gls_context *ctx, const cli_args *args, const char *folder, const char *file, char *json);
json_t *cli_number(double x); /* null where it is not finite */
char *cli_thousands(int64_t number, char text[32]);
char *cli_duration(double seconds, char text[32]);

/* wrap.c: columns of the terminal that a stream writes to; INT_MAX where it is none. */
int cli_width(FILE *to);
enum { CLI_WIDEST = 96 }; /* of running text: readable, and narrower than most terminals */
/* Words up to the width, from a column that text is aligned at; lines that are broken already stay so. Ends the line.
 */
void cli_wrap(FILE *to, const char *text, int indent, int width);

/* model.c: a trained model and its rows. */
typedef struct cli_model {
    gls_context *ctx;
    gls_predictor *predictor;
    gls_source *rows;
} cli_model;
/* Model, --at, --data and --format. Also after a failure to be closed; ctx is NULL where memory ran out. */
gls_status cli_model_open(cli_model *model, const cli_args *args, gls_part part);
/* The model alone, with --at. */
gls_status cli_model_load(cli_model *model, const cli_args *args);
void cli_model_close(cli_model *model);
/* evaluate_by.c: scores of rows by the values of one of their columns. */
typedef struct cli_by {
    const char *column;
    int64_t values;    /* 0: there is no such column, and none was asked for */
    int64_t *value;    /* [values] ascending */
    const char **text; /* [values] what the file calls them; NULL: the value itself */
    gls_scores *scores;
} cli_by;
gls_status cli_by_fill(cli_by *by, cli_model *model, const char *wanted); /* NULL: domain, where there is one */
void cli_by_print(const cli_by *by, const gls_scores *all);
json_t *cli_by_json(const cli_by *by);
void cli_by_clear(cli_by *by, gls_context *ctx);
/* Its name, or its number in text. */
const char *cli_class_name(const gls_data_info *info, int64_t c, char text[24]);

/* theory.c: NULL if there is no theorem of that name; its conditions as a list of texts. */
const gls_theorem *cli_theorem(const char *name);
json_t *cli_theorem_conditions(const gls_theorem *theorem);

/* suspects.c: the examples that a run's ledger shows as suppressed; an action of `data`. */
gls_status cli_suspects(gls_context *ctx, const cli_args *args);

/* experiment.c: every row of the papers, printed or into an array; nothing where no experiments are found and nobody
 * asked for them. Returns the exit code. */
int cli_list_experiments(gls_context *ctx, bool asked, json_t *into);

/* progress.c */
typedef struct cli_progress {
    bool quiet, terminal, unicode;
    bool drawn; /* the last line shows a bar */
    double last;
} cli_progress;
void cli_progress_init(cli_progress *progress, bool quiet);
void cli_progress_show(void *user, const gls_progress *progress); /* user: the cli_progress */
/* Work of many parts: what is done now, the share of all, and the seconds that are left (below 0: not known). */
void cli_progress_work(cli_progress *progress, const char *text, double share, double seconds_left);
void cli_progress_clear(cli_progress *progress);

/* promised.c: for a run that is looked at, not trained: memory that costs nothing until it is written to. */
extern const gls_allocator cli_promised_memory;

/* signals.c: SIGINT, SIGTERM and SIGHUP ask the context's work to stop, a second one ends the process; SIGUSR1, SIGUSR2
 * and, from then on, SIGPIPE do nothing. */
typedef struct cli_signals cli_signals;
cli_signals *cli_signals_start(gls_context *ctx, cli_progress *progress);
void cli_signals_stop(cli_signals *signals);

#endif
