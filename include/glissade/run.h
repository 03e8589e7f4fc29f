/* glissade/run.h: configuration, the trainer, and the folder a run leaves behind. */
#ifndef GLISSADE_RUN_H
#define GLISSADE_RUN_H

#include <glissade/options.h>
#include <glissade/data.h>
#include <glissade/problem.h>
#include <glissade/estimator.h>
#include <glissade/measure.h>
#include <glissade/method.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- configuration: a map of sections (name, data, model, estimator, method, schedule, train, measure) ---- */

/* Reads YAML. GLS_ERR_INPUT with file, line and what is wrong. path is borrowed as long as the value lives. */
GLS_API gls_status gls_config_read(gls_context *ctx, const char *path, gls_value **out);
/* The same from text; name is used in messages in the file's place, and is borrowed. */
GLS_API gls_status gls_config_parse(gls_context *ctx, const char *name, const char *text, int64_t size,
                                    gls_value **out);
/* One override, "section.key=value"; the right side is YAML ({...} and [...] too), a number in the path is a place in a
 * list. Sections that are missing are made; a section that was a bare name takes keys. */
GLS_API gls_status gls_config_set(gls_context *ctx, gls_value *config, const char *assignment);
/* The same for an assignment that is no --set: origin speaks in messages in its place, as "--seed" does, and is where
 * the value came from. */
GLS_API gls_status gls_config_set_from(gls_context *ctx, gls_value *config, const char *origin, const char *assignment);
/* The key of a configuration that a word stands for, its own name or what other tools call it: "train.batch" for
 * batch_size, "method.lr" for lr. NULL: none. Returns text. */
GLS_API const char *gls_config_key_for(const char *word, char text[96]);
/* Back to YAML that reads to the same tree; from gls_alloc, NULL without memory. */
GLS_API char *gls_config_text(gls_context *ctx, const gls_value *config);
/* A built-in configuration by name. */
GLS_API gls_status gls_config_preset(gls_context *ctx, const char *name, gls_value **out);
/* Threads, seed of the `train` section for the context in which the run will live; other fields are left alone. */
GLS_API gls_status gls_config_context(gls_context *ctx, const gls_value *config, gls_context_options *options);
/* How many runs train.seeds asks for, one for each seed. */
GLS_API gls_status gls_config_seeds(gls_context *ctx, const gls_value *config, int64_t *seeds);
/* The name of a run of this configuration: its `name`, else model and method. From gls_alloc. */
GLS_API char *gls_config_name(gls_context *ctx, const gls_value *config);
/* GLS_ERR_ARGUMENT for an unknown section (the message names the nearest) and for keys of former versions (it names the
 * present ones). gls_run_create checks it too. */
GLS_API gls_status gls_config_check_sections(gls_context *ctx, const gls_value *config);
/* The options of the section "train", "data" (without those of the format or generator) or "plan": a table that ends
 * with key NULL; NULL for any other section. */
GLS_API const gls_option *gls_config_section_table(const char *section);

/* ---- training ---- */

typedef struct gls_run gls_run;

/* How far a run has come, for display. Figures that are not known are NaN. */
typedef struct gls_progress {
    int64_t step, total_steps; /* total 0: open */
    double epoch, epochs;
    double loss;      /* of the last mini-batches, exponentially smoothed */
    double monitored; /* loss on the monitored set at the last validation */
    double score;     /* the problem's first score there */
    const char *score_name;
    const char *set; /* the monitored set: "validation", "test" or "train" */
    double seconds;  /* of the run so far, earlier sessions included */
    double examples_per_second;
    double seconds_left;
    bool validated; /* this call follows a validation */
} gls_progress;

typedef struct gls_run_options {
    size_t size;
    const gls_value *config; /* borrowed for the run's life */
    const char *folder;      /* NULL: nothing is written */
    bool resume;             /* continue from the latest readable checkpoint in folder */
    bool stretch;            /* a resumed run of another length may go on at other rates than it has had */
    const char *from;        /* run folder or .safetensors file whose weights to begin with; NULL: initialise */
    void (*progress)(void *user, const gls_progress *progress); /* after every step; NULL: none */
    void *user;
    bool outline; /* to be looked at, not trained: its weights stay 0, and it cannot begin */
} gls_run_options;

/* Why a run ended. */
typedef enum gls_stop_reason {
    GLS_STOP_NONE, /* it has not: "unfinished" */
    GLS_STOP_EPOCHS,
    GLS_STOP_STEPS,
    GLS_STOP_TARGET_LOSS,
    GLS_STOP_TARGET_SCORE,
    GLS_STOP_PATIENCE,
    GLS_STOP_TIME,
    GLS_STOP_METHOD,     /* the method asks for nothing more */
    GLS_STOP_OBSERVER,   /* gls_run_stop of an observer of the caller's */
    GLS_STOP_INTERRUPTED /* by gls_interrupt: to be resumed */
} gls_stop_reason;
/* "epochs", "target_loss", ...; NULL for a value that is not a reason. */
GLS_API const char *gls_stop_reason_name(gls_stop_reason reason);
/* The reason of that name; false if there is none. */
GLS_API bool gls_stop_reason_named(const char *name, gls_stop_reason *reason);

/* How a run ended. Losses are means over whole sets at the final weights, l2 terms included; NaN where there is no such
 * set. score is the problem's first ("accuracy"), NULL if it has none. */
typedef struct gls_run_result {
    int64_t steps, refused;
    double epochs;
    double train_loss, validation_loss, test_loss;
    double train_score, validation_score, test_score;
    const char *score;
    bool score_lower; /* a smaller one is better */
    double seconds;   /* of all work of all sessions: reading data, training, validations, checkpoints, final losses */
    double examples_per_second; /* of training: final losses are not counted */
    gls_stop_reason stopped;
    int64_t train_examples; /* how many train_loss is over (train.final_train, or what train.time left room for) */
} gls_run_result;

/* Loss and first score on one domain of the test set (without one, of the training set). */
typedef struct gls_domain_score {
    int64_t domain, examples;
    double loss, score; /* NaN for a domain without examples */
} gls_domain_score;

/* Reads the data and makes problem, estimator and method. The context's seed must be the configuration's
 * (gls_config_context). GLS_ERR_ARGUMENT and GLS_ERR_INPUT for mistakes in the configuration or the data. */
GLS_API gls_status gls_run_create(gls_context *ctx, const gls_run_options *options, gls_run **out);
/* Steps to the end, or to gls_interrupt: then a checkpoint is written, result->stopped is GLS_STOP_INTERRUPTED and the
 * final losses are not computed. */
GLS_API gls_status gls_run_train(gls_run *run, gls_run_result *result);
/* The configuration as config.yaml of the run's folder has it: every default, absolute paths, the plan. From gls_alloc;
 * NULL with a message. */
GLS_API char *gls_run_config_text(gls_run *run);
/* Makes the run folder this process's own until gls_run_destroy (GLS_ERR_ARGUMENT if another process has it; one that
 * is there is locked by gls_run_create already), or restores the latest readable checkpoint; with `from`, reads the
 * weights and the problem's state. Called by the first gls_run_step.
 *
 * To predict with a trained run: gls_run_create with its configuration (gls_run_saved_config), `from` its folder and no
 * folder of its own, then this; gls_run_weights, gls_run_pass and a stream of rows are what gls_pass_outputs takes. */
GLS_API gls_status gls_run_begin(gls_run *run);
/* One query and answer; *done is set once the run has ended. A refused step is GLS_OK under the policy
 * `skip`, and GLS_ERR_NONFINITE under `stop`. After a failure the run is over: steps and gls_run_finish return the
 * same status; its folder can be resumed. */
GLS_API gls_status gls_run_step(gls_run *run, bool *done);
/* Final losses and scores over whole sets; writes the last checkpoint, final.safetensors and result.json. */
GLS_API gls_status gls_run_finish(gls_run *run, gls_run_result *result);
/* After gls_run_finish, for data with a `domain` column (transform mix): scores by domain; count 0 without. */
GLS_API const gls_domain_score *gls_run_domains(const gls_run *run, int64_t *count);
/* The result as one JSON object, from gls_alloc. */
GLS_API char *gls_run_result_json(gls_run *run, const gls_run_result *result);
/* A table of the blocks, shapes and parameters, the data and the plan, for people. From gls_alloc. */
GLS_API char *gls_run_summary(gls_run *run);
GLS_API void gls_run_destroy(gls_run *run); /* NULL is legal */

/* ---- what a run consists of: for someone's own loop around gls_run_step, and for observers ---- */

GLS_API gls_context *gls_run_context(const gls_run *run);
GLS_API const char *gls_run_folder(const gls_run *run); /* NULL: none */
GLS_API gls_problem *gls_run_problem(const gls_run *run);
GLS_API gls_pass *gls_run_pass(const gls_run *run);
GLS_API gls_method *gls_run_method(const gls_run *run);
GLS_API gls_estimator *gls_run_estimator(const gls_run *run);
GLS_API const gls_source *gls_run_train_set(const gls_run *run);
GLS_API const gls_source *gls_run_validation_set(const gls_run *run); /* NULL: none */
GLS_API const gls_source *gls_run_test_set(const gls_run *run);       /* NULL: none */
GLS_API const gls_real *gls_run_weights(const gls_run *run);          /* [d] w */
/* [d] what validation and final.safetensors use: the average if there is one, else w. */
GLS_API const gls_real *gls_run_output(const gls_run *run);
GLS_API const gls_record *gls_run_record(const gls_run *run); /* figures of the last step */
GLS_API int64_t gls_run_steps(const gls_run *run);
GLS_API double gls_run_epoch(const gls_run *run);

/* ---- what a run folder holds ---- */

/* The configuration of the run in a folder. GLS_ERR_FILE for a folder without config.yaml; GLS_ERR_INPUT for one that
 * is broken or empty. Own *out: gls_value_destroy. */
GLS_API gls_status gls_run_saved_config(gls_context *ctx, const char *folder, gls_value **out);
/* The weights of the run in a folder as a path for gls_run_options.from, from gls_alloc. which: "best", "final", the
 * number of a step, or NULL: the final weights, of an unfinished run those of its latest checkpoint. *step (may be
 * NULL) is the step that was named, else 0. GLS_ERR_ARGUMENT for any other word, GLS_ERR_INPUT if there are no such
 * weights.
 */
GLS_API gls_status gls_run_saved_weights(gls_context *ctx, const char *folder, const char *which, char **path,
                                         int64_t *step);
/* The step that weights were saved at, -1 if their file does not say; `from` as gls_run_options.from. GLS_ERR_INPUT if
 * there are none. */
GLS_API gls_status gls_run_saved_step(gls_context *ctx, const char *from, int64_t *step);
/* The last value of a figure ("lr", "loss") in metrics.jsonl up to a step (0: in all of it); NaN if there is none. */
GLS_API gls_status gls_run_saved_figure(gls_context *ctx, const char *folder, const char *name, int64_t step,
                                        double *value);

/* ---- inputs of a theorem that measures give ---- */

enum { GLS_MEASURED_INPUTS = 16 }; /* more than any theorem has */

typedef struct gls_measured_input {
    const char *input, *measure, *figure; /* "sigma" is noise_rms of noise_norm */
    const char *among;                    /* of several measurements the "greatest", the "least" or the "last" stands */
    bool required;                        /* the theorem has no default for it */
    double value;                         /* NaN: not measured */
    int64_t found;                        /* how many measurements had it */
} gls_measured_input;

/* Those inputs of a theorem for which there is a measure, none of them found yet: out [GLS_MEASURED_INPUTS]. */
GLS_API gls_status gls_measured_inputs(gls_context *ctx, const gls_theorem *theorem, gls_measured_input *out,
                                       int64_t *count);
/* Looks for them in a run folder (all that it measured along the way), or in a file with the JSON of `glissade
 * measure`. Figures that are meaningless or not finite do not count; May be called for several. GLS_ERR_FILE for a
 * folder that is not a run's, GLS_ERR_INPUT for a file that is something else. */
GLS_API gls_status gls_measured_read(gls_context *ctx, const char *path, gls_measured_input *inputs, int64_t count);

/* ---- a survey: measures at one point ---- */

typedef struct gls_survey_options {
    size_t size;
    const gls_value *config; /* of gls_survey_run: what is measured; its section `measure` has the measures' options.
                                NULL with a matrix: defaults */
    const char *only;        /* "loss,sharpness"; NULL: every measure that needs a single point, or a matrix */
    const char *sample;      /* "4096" or "all": the option `sample` of every measure that has it; NULL: as it is */
    /* Of gls_survey_run alone: */
    const char *weights; /* where to measure: as gls_run_options.from; NULL: where the configuration begins */
    const char *other;   /* the same of a second run, for measures that compare two; NULL: none */
    bool exchange;       /* its training set differs from the first one's in example number `exchanged` */
    int64_t exchanged;
    int64_t step;                                            /* of these weights, 0: the first */
    double lr;                                               /* the run's rate there, 0: not known */
    void (*begin)(void *user, const gls_measure_type *type); /* before each measure; NULL: none */
    void *user;
} gls_survey_options;

typedef struct gls_survey {
    gls_context *ctx;
    gls_measure_result *result; /* [count], in the order asked for, those that take a step last */
    int64_t count;
} gls_survey;

/* Measures a configuration's problem at the given weights; nothing of a run is changed. Measures that read a step
 * follow one step of a fresh method from there, and their note says so. The context's seed must be the configuration's.
 * GLS_ERR_ARGUMENT for unknown measures and options, before any data are read; otherwise what gls_run_create and
 * gls_measure_run return. After gls_interrupt, GLS_OK with the results so far. Clear *out in any case. */
GLS_API gls_status gls_survey_run(gls_context *ctx, const gls_survey_options *options, gls_survey *out);
/* The same of a matrix of per-example gradients. */
GLS_API gls_status gls_survey_matrix(gls_context *ctx, const gls_measure_matrix *matrix,
                                     const gls_survey_options *options, gls_survey *out);
GLS_API void gls_survey_clear(gls_survey *survey);

/* ---- suspects: the examples that a run's ledger shows as suppressed ---- */

typedef struct gls_suspects_options {
    size_t size;
    int64_t top;      /* how many suspects; 0: 20 */
    const char *rank; /* "factor" (smallest clip factor first), "norm", "loss" (largest first); NULL: factor if anything
                         was clipped, else norm */
    const char *by;   /* means over what: "class", or a column of the data such as "domain"; NULL: class */
    int64_t window;   /* of the train.ledger_windows equal parts of the run, from 1; 0: the whole run */
} gls_suspects_options;

/* Means over the times an example was drawn; the loss is that at the final weights. */
typedef struct gls_suspect {
    int64_t example; /* its index in the data file; -1: inserted by a transform */
    int64_t label;
    double factor, norm, loss; /* geometric mean of the clip factors; mean gradient norm */
    bool planted;              /* a transform put it there (insert) or changed its label (label_noise) */
} gls_suspect;

/* The same over all examples of one class, or one value of a column. */
typedef struct gls_suspect_mean {
    int64_t key;
    double examples, factor, norm, loss;
    bool suppressed; /* its factor is below half of all others' */
} gls_suspect_mean;

typedef struct gls_suspects_report {
    gls_context *ctx;
    const char *ranked_by; /* "factor", "norm" or "loss" */
    bool clipped;          /* anything was */
    gls_suspect *suspect;  /* [suspects], the most suspect first */
    int64_t suspects;
    char *by;
    int64_t classes;         /* of the run's targets, or 0 */
    const char **class_name; /* [classes] as the file calls them, or NULL: by their numbers */
    gls_suspect_mean *mean;  /* [means], ascending keys */
    int64_t means;
    bool planted;        /* the run knows examples that were planted */
    double precision[3]; /* by factor, loss and norm: share of planted ones among as many suspects as were planted; NaN
                            if none were */
} gls_suspects_report;

/* Reads the ledger that a finished run left in its folder (`ledger: true` of its estimator). GLS_ERR_FILE if it kept
 * none, with the option that keeps one; GLS_ERR_INPUT if the file is damaged; GLS_ERR_ARGUMENT for an unknown rank or
 * column; the message lists the known ones. Clear *out in any case. */
GLS_API gls_status gls_suspects_read(gls_context *ctx, const char *run_folder, const gls_suspects_options *options,
                                     gls_suspects_report *out);
GLS_API void gls_suspects_clear(gls_suspects_report *report);

/* ---- many repetitions of a method on one problem, side by side: `glissade solve` ---- */

typedef enum gls_order {
    GLS_ORDER_REPLACEMENT, /* independent uniform draws */
    GLS_ORDER_SEQUENTIAL   /* 0, 1, ..., n-1, 0, ... */
} gls_order;

/* Where a repetition is when it is looked at. */
typedef struct gls_solve_state {
    int64_t repetition, step; /* step: answers told so far */
    const gls_real *w;        /* [d] */
    const gls_real *g;        /* [d] the gradient last told, NULL to a value */
    const gls_step_report *report;
    const gls_method *method;
    const struct gls_figures *figures; /* with follow: of w before this step, else NULL */
    const struct gls_solution *sums;   /* with follow: its means are sums over w_0 ... w_{step-1} here, else NULL */
} gls_solve_state;

typedef struct gls_solve_options {
    size_t size;
    const gls_value *method;    /* {name: gclip, lr: 0.1}; a spec of gls_method_create */
    const gls_value *estimator; /* a spec of gls_estimator_create, over mini-batches; NULL: the mean */
    const gls_value *average;   /* a spec of gls_average_create: the result is the average; NULL: the iterate */
    int64_t steps;              /* answers told, at most */
    int64_t batch;              /* rows of a gradient: draws of the noise, or examples; 0: every example once */
    gls_order order;
    int64_t repeat;
    uint64_t seed;
    const gls_real *init; /* [d]; NULL: the problem's own start, another one for each repetition */
    bool follow;    /* evaluate the true F and its gradient at every iterate: first_hit and what follows it below */
    double epsilon; /* with follow: the gradient norm that first_hit looks for */
    double value_epsilon; /* with follow: the distance to the known minimum that first_value_hit looks for; 0: none */
    bool stop;            /* with follow: a repetition ends at its first first_hit */
    int64_t marks;        /* how many steps figures are wanted at */
    const int64_t *mark;  /* [marks] ascending; 0 is the start */
    gls_status (*observe)(void *user, const gls_solve_state *state); /* after every answer, in a worker; or NULL */
    gls_status (*finish)(void *user, const gls_solve_state *state);  /* at the end of a repetition; or NULL */
    void *user;
} gls_solve_options;

/* Figures at a point: of the true F. distance is that from the problem's known minimiser, NaN without one. */
typedef struct gls_figures {
    double value, gradient_norm, distance;
} gls_figures;

typedef struct gls_solution {
    int64_t steps;             /* answers told */
    int64_t values, gradients; /* oracle calls: an oracle that gives both counts in both */
    bool ended;                /* the method was done */
    bool diverged;             /* an answer was not finite: the repetition stopped there */
    gls_figures end;           /* at the result */
    int64_t first_hit;         /* with follow: steps before the first |grad F| <= epsilon; -1: none */
    int64_t first_value_hit;   /* the same of F - min F <= value_epsilon */
    double mean_norm, mean_norm2, mean_value, least_norm; /* with follow: over w_0 ... w_{steps-1} */
    double mean_batch_value; /* with follow, of a problem with several examples: mean over gradient answers of the loss
                                on the answer's own rows; less the minimum of F, it is the average regret. NaN: none */
} gls_solution;

/* Runs `repeat` repetitions on the context's team. solution [repeat]; point [repeat, d] final results, or NULL; figures
 * [repeat, marks], or NULL (marks after the end repeat the last ones). Bits do not depend on threads. */
GLS_API gls_status gls_solve(gls_problem *problem, const gls_solve_options *options, gls_solution *solution,
                             gls_real *point, gls_figures *figures);

/* ---- recorded gradients through a method ---- */

typedef struct gls_replay_options {
    size_t size;
    const gls_real *gradients;           /* [steps, parameters], or with an estimator [steps, examples, parameters] */
    int64_t steps, examples, parameters; /* examples 1 without an estimator */
    const gls_value *method;             /* {name: adam, lr: 0.1} */
    const gls_value *estimator;          /* NULL: none */
    const gls_real *init;                /* [parameters]; NULL: zeros */
    gls_real *trajectory;                /* [steps + 1, parameters], filled; NULL: not wanted */
} gls_replay_options;
/* Final weights into w [parameters]; report of the last step may be NULL. */
GLS_API gls_status gls_replay(gls_context *ctx, const gls_replay_options *options, gls_real *w,
                              gls_step_report *report);

/* ---- lists: members, kinds, presets ---- */

/* Name of a kind as `glissade list` takes it: "methods"; NULL for a kind without members of its own. */
GLS_API const char *gls_kind_name(gls_kind kind);

/* Member i of a kind, built-in ones first; NULL at the end. */
GLS_API const gls_member *gls_members_at(gls_context *ctx, gls_kind kind, int64_t i);
/* The format that is assumed for a file without a stated one: by the end of its name, .gz and .xz ignored, else libsvm;
 * without a path the generator glyphs. */
GLS_API const char *gls_format_guess(const char *path);
/* The format that a file to be written is called by. GLS_ERR_ARGUMENT with the names that are known. */
GLS_API gls_status gls_format_to_write(gls_context *ctx, const char *path, const char **format);
/* Returns status; behind the message of a file that could not be read it says that its format was guessed. */
GLS_API gls_status gls_format_guessed(gls_context *ctx, gls_status status, const char *format);
typedef struct gls_preset {
    const char *name, *help, *text; /* text: the configuration in YAML */
} gls_preset;
GLS_API const gls_preset *gls_preset_at(int64_t i); /* NULL at the end */

/* ======== for authors: observers, called along a run; docs/howto-add-an-observer.md ======== */

/* Why an observer is called; several may hold at once. */
typedef enum gls_why {
    GLS_WHY_STEP = 1,        /* after a step */
    GLS_WHY_EPOCH = 2,       /* that step closed an epoch */
    GLS_WHY_REFUSED = 4,     /* that step was refused (train.nonfinite: skip) */
    GLS_WHY_VALIDATED = 8,   /* the monitored set was evaluated after it; for observers behind that one */
    GLS_WHY_BEST = 16,       /* and its loss is the lowest so far */
    GLS_WHY_END = 32,        /* the run has ended */
    GLS_WHY_INTERRUPTED = 64 /* this session ends, the run will be resumed: to observe here would make it another run */
} gls_why;

/* An observer reads the run and reports figures (gls_run_trace, files of its own); it changes neither weights nor state
 * of the training, so that weights with and without it are bit-equal. What a run itself does beside steps (trace,
 * measures, validation, checkpoints, ends) is a row each of the table in src/run/observer/table.h; observers that
 * callers add come between measures and validation, in the order in which they were added. Any verb may be NULL. step,
 * epoch and end may be one function: `why` (of gls_why) tells them apart. */
typedef struct gls_observer {
    const char *name; /* borrowed for the run's life */
    gls_length every; /* between calls of step; 0: never */
    void *user;
    gls_status (*begin)(void *user, gls_run *run);  /* before the first step of a session, arrays restored */
    gls_status (*before)(void *user, gls_run *run); /* before each step: the place for gls_run_stop */
    gls_status (*step)(void *user, gls_run *run, unsigned why);
    gls_status (*epoch)(void *user, gls_run *run, unsigned why);
    gls_status (*end)(void *user, gls_run *run, unsigned why);                /* GLS_WHY_END or GLS_WHY_INTERRUPTED */
    void (*figure)(void *user, gls_run *run, const char *name, double value); /* every gls_run_trace */
    void (*measured)(void *user, gls_run *run, const gls_measure_result *result);
    /* Writes what was kept back, or says why it cannot: before a checkpoint, and at the end. */
    gls_status (*flush)(void *user, gls_run *run);
    /* Its state, for checkpoints; every name begins with prefix. A checkpoint that has none of these arrays is from
     * before the observer was added: they stay as they are. One that has some of them is refused, unless the others are
     * optional (gls_arrays_optional). */
    gls_status (*arrays)(void *user, const char *prefix, gls_arrays *arrays);
    const char *prefix; /* of its arrays in checkpoints; NULL: "tap/NAME/", with the observer's name ("tap" is what
                           observers were once called; checkpoints keep it) */
    void (*destroy)(void *user);
} gls_observer;

/* Adds an observer before the first step; the struct is copied, user is the run's from then on (also when this
 * fails). GLS_ERR_ARGUMENT if there is one of that name, or the run has begun. */
GLS_API gls_status gls_run_observe(gls_run *run, const gls_observer *observer);
/* Whether a cadence falls due with the step just taken. */
GLS_API bool gls_run_due(const gls_run *run, gls_length every);
/* A figure at the present step, for metrics.jsonl, TensorBoard and every observer with `figure`. Failure to write shows
 * at the next checkpoint. */
GLS_API void gls_run_trace(gls_run *run, const char *name, double value);
/* The run ends before its next step, unless it has a reason already. On all ranks alike. */
GLS_API void gls_run_stop(gls_run *run, gls_stop_reason reason);
/* A loader of the run's plan over any of its sets, for passes of an observer's own. */
GLS_API gls_status gls_run_loader(gls_run *run, const gls_source *source, gls_loader **out);
/* Fills a measure's input for the run's present point. After a step in this session it also has that step's rate,
 * gradient, loss and figures, and the weights before it where the run keeps them. Borrowed until the next step. */
GLS_API gls_status gls_run_measure_input(gls_run *run, gls_measure_input *in);
/* From the next step on, the run keeps the weights before each step. */
GLS_API gls_status gls_run_keep_previous(gls_run *run);

#ifdef __cplusplus
}
#endif
#endif
