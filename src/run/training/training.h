/* What is trained: data, problem, passes, estimator, method, weights, and one step of them. It knows no folder, no
 * clock and no observers; loop/ has those. */
#ifndef GLS_RUN_TRAINING_H
#define GLS_RUN_TRAINING_H

#include <glissade/comm.h>
#include <glissade/measure.h>
#include <glissade/model.h>
#include <glissade/run.h>

#include <glissade/predict.h>

#include "base/io.h"
#include "run/config/settings.h"
#include "run/training/batches.h"
#include "run/training/counters.h"
#include "run/training/step.h"

typedef struct gls_trial gls_trial;

/* What files are read for. */
typedef enum gls_training_input {
    GLS_INPUT_TRAIN,
    GLS_INPUT_VALIDATION,
    GLS_INPUT_TEST,
    GLS_INPUT_TESTS, /* all of data.tests */
    GLS_INPUT_TRANSFORMS,
    GLS_INPUT_METHOD, /* thresholds */
    GLS_INPUTS
} gls_training_input;

/* A set of data.tests. */
typedef struct gls_named_set {
    const char *name; /* of the configuration */
    gls_source *source;
} gls_named_set;

typedef struct gls_training_sets {
    gls_source *file, *fit; /* fit: what is left of the file without the validation set, which file is then kept for */
    gls_source *validation, *test;
    gls_named_set *named; /* [named_count] */
    int64_t named_count;
    gls_data_info read;      /* what the training file looks like, before transforms */
    gls_value *transforms;   /* the list that was applied, or NULL */
    const gls_source *train; /* what is trained on: one of the two above */
    gls_file_digest input[GLS_INPUTS];
} gls_training_sets;

/* What a checkpoint holds of the training's own numbers. */
#define GLS_TRAINING_COUNTERS(X)  \
    X(int64_t, GLS_I64, steps)    \
    X(int64_t, GLS_I64, refused)  \
    X(int64_t, GLS_I64, examples) \
    X(double, GLS_F64, loss) /* of the last mini-batches, exponentially smoothed */
typedef struct gls_training_counters {
    GLS_TRAINING_COUNTERS(GLS_COUNTER_FIELD)
    int64_t refused_in_a_row; /* unknown to checkpoints of former versions: 0 there */
    int64_t bytes;            /* that this rank has sent in steps; in checkpoints of several ranks alone */
} gls_training_counters;

struct gls_training {
    gls_context *ctx;
    gls_value *config; /* resolved */
    gls_options *train_options, *data_options, *plan_options;
    const gls_config_train *train;
    const gls_config_data *data;
    double epochs; /* 0: open */

    gls_training_sets set;
    gls_problem *problem;
    const gls_score_type *score;      /* that train.score names; NULL: the problem's own */
    gls_pass *pass, *evaluation_pass; /* the latter by the cost model, whatever the size of the set */
    gls_pass *measure_pass;           /* made when first asked for */
    gls_trial *trial;                 /* of measures that try a step; made when first asked for */
    gls_pass_options plan;
    gls_estimator *estimator;
    gls_comm_exchange *exchange; /* NULL: dense */
    gls_ledger ledger;           /* of the estimator */
    gls_method *method;
    gls_value *method_spec;
    gls_average *average; /* borrowed from the observer that keeps it; NULL: none */
    gls_point *direction; /* of oracles; made when first asked for */
    gls_batches *batches;
    gls_batches_rule *batch_rule;        /* NULL: none */
    double steps_per_epoch, total_steps; /* total 0: open */

    gls_real *w, *g;
    gls_real *previous;      /* w before a step that wants it; NULL: none does */
    int64_t *previous_every; /* [previous_count] which do: every so many, or all (0) */
    int64_t previous_count;
    bool previous_kept; /* of the last step */
    gls_real *output;   /* room for the average, where there is one */

    gls_training_counters counters;
    double epoch, epoch_before; /* after and before the last step */
    bool stepped;               /* in this session: what follows is of the last step */
    gls_record record;
    gls_estimate estimate;
};

/* setup.c: from a configuration, the weights initialised, or with `outline` 0. GLS_ERR_ARGUMENT and GLS_ERR_INPUT for
 * its mistakes. */
gls_status gls_training_create(gls_context *ctx, const gls_value *config, bool outline, gls_training **out);
void gls_training_destroy(gls_training *training); /* NULL is legal */
/* How many epochs a run with these settings may take; 0: open. */
double gls_training_length(const gls_config_train *train);
/* A method and an estimator as the configuration has them, in their first state. */
gls_status gls_training_make_method(const gls_training *training, gls_method **out);
/* Whether ranks keep a share of the method's state each. */
bool gls_training_shards(const gls_training *training);
/* "float", "double" or "bf16": as plan.precision has it. */
const char *gls_training_precision(const gls_training *training);
/* Between making the problem and its first pass. */
gls_status gls_training_set_precision(gls_training *training);
gls_status gls_training_make_estimator(const gls_training *training, gls_estimator **out);
/* checks.c: GLS_ERR_ARGUMENT for what would silently not be had: before data are read, and once data and problem are
 * there. */
gls_status gls_training_check_wishes(const gls_training *t);
gls_status gls_training_check_fit(const gls_training *t);
/* Rows that share batch-norm statistics; 0: those of the whole mini-batch. */
int64_t gls_training_span(const gls_training *t);
/* theory.c: warns where the run is not what its from_theory is about. */
void gls_training_compare_theory(const gls_training *t);
/* sets.c */
gls_status gls_training_open_sets(gls_training *training);
/* Once there is a problem: rows weigh by the labels that it predicts. */
gls_status gls_training_weigh_sets(gls_training *training);

/* Positions in epochs are sums of mini-batches over the size of the set, each rounded: a length that is reached exactly
 * may read as a little less. The slack is below one example of any set of less than a thousand million. */
static const double gls_training_epoch_slack = 1e-9;

/* named.c: the sets of data.tests, as they lie in their files; GLS_ERR_ARGUMENT for names that cannot be used, or a
 * train.monitor that is no set. */
gls_status gls_training_check_monitor(const gls_training *training);
gls_status gls_training_open_named(gls_training *training,
                                   gls_status (*open)(gls_training *t, const char *path, gls_training_input input,
                                                      gls_source **out));
void gls_training_close_named(gls_training *training);
const gls_source *gls_training_named(const gls_training *training, const char *name); /* NULL: there is none */

/* advance.c: one step on the next mini-batch, with its figures in the record. A refused step is GLS_STEP_REFUSED under
 * the policy `skip`, and GLS_ERR_NONFINITE under `stop` or when too many follow one another. */
gls_status gls_training_advance(gls_training *training, gls_stepper_end *end);
/* Whether a cadence falls due at the end of the last step. */
bool gls_training_due(const gls_training *training, gls_length every);
/* Whether the epochs asked for are done; false for an open end. */
bool gls_training_epochs_done(const gls_training *training);

/* answer.c: what a query asks of the problem on a mini-batch: value, oracle, or gradient through an estimator. */
gls_status gls_training_answer(gls_training *training, gls_pass *pass, gls_estimator *estimator, const gls_query *query,
                               gls_stream *rows, gls_real *g, gls_estimate *out, gls_record *record);

/* score.c: GLS_ERR_ARGUMENT for a train.score that there is not for these data. */
gls_status gls_training_choose_score(gls_training *training);
const char *gls_training_score_name(const gls_training *training); /* NULL: there is none */
/* Greater is better. */
double gls_training_merit(const gls_training *training, double score);
/* That of the table, for a whole set at w; NaN: it does not apply to this set. */
gls_status gls_training_score(gls_training *training, const gls_source *set, const gls_real *w, double *score);

/* evaluate.c */
/* A loader over any set, by the evaluation pass's plan. */
gls_status gls_training_loader(gls_training *training, const gls_source *source, gls_loader **out);
/* Mean loss and score of a whole set at w; NaN for a set that is NULL. */
gls_status gls_training_evaluate(gls_training *training, const gls_source *set, const gls_real *w, double *loss,
                                 double *score);
/* GLS_ERR_NONFINITE, naming the set, for a loss of it that is no number: it is no result and nothing to wait on. */
gls_status gls_training_check_loss(const gls_training *training, const char *set, double loss);
/* [d] what validation and results use: the average if there is one, else the method's output, else w. */
const gls_real *gls_training_output(const gls_training *training);

/* Collective, before the state is saved: what ranks keep each for itself comes together. */
gls_status gls_training_gather(gls_training *training);
/* arrays.c: the whole state, as a list that a checkpoint saves or fills. Blocks of the weights go by their plain names,
 * so that any framework finds them. */
gls_status gls_training_arrays(gls_training *training, gls_arrays *arrays);
/* After the list was filled: continues from the restored position in the data. */
gls_status gls_training_restored(gls_training *training);
/* The result alone: weights `w` [d] and the problem's state. state_prefix: "" or "state/". */
gls_status gls_training_result_arrays(gls_training *training, gls_real *w, const char *state_prefix,
                                      gls_arrays *arrays);

/* saved.c: what prediction needs beside weights and state: the fitted transforms as arrays, the rest as a note's text,
 * from gls_alloc. */
gls_status gls_training_describe(gls_training *training, gls_arrays *arrays, char **note);

/* measuring.c: what measures are given at the present point. After a step in this session: its lr, gradient, loss and
 * figures; the weights before it where they are kept. */
gls_status gls_training_measure_input(gls_training *training, gls_measure_input *in);
/* The weights before every step that is due by `every` are kept; amount 0: before all steps. */
gls_status gls_training_keep_previous(gls_training *training, gls_length every);
bool gls_training_wants_previous(const gls_training *training); /* whether the next step does */

/* trial.c: a step from the training's w and state on examples [count], which changes neither: next [d]. Needs
 * measure_pass. */
gls_status gls_trial_create(gls_training *training, gls_trial **out);
void gls_trial_destroy(gls_trial *trial); /* NULL is legal */
gls_status gls_trial_step(gls_trial *trial, const int64_t *index, int64_t count, uint64_t draw, gls_real *next);

#endif
