/* The inside of a run: the loop over a training's steps (trainer.c), and its observers. */
#ifndef GLS_RUN_RUN_H
#define GLS_RUN_RUN_H

#include "run/training/training.h"

/* An observer and its place in the order: its row in observer/table.h, or the row of those that callers add. */
typedef struct gls_observer_slot {
    gls_observer observer;
    int64_t place;
} gls_observer_slot;

/* What the work of this session took, as far as it was seen. */
typedef struct gls_pace {
    double evaluating, evaluated; /* seconds of evaluations, and their examples */
    int64_t steps;
    double stepping, stepped; /* seconds of steps with their observers, and their examples */
    double longest;           /* seconds of the longest of those */
    double saving;            /* seconds of the longest checkpoint */
} gls_pace;

struct gls_run {
    gls_context *ctx;
    gls_run_options options;
    char *folder;   /* NULL: nothing is written */
    gls_lock *lock; /* of the folder; NULL: not ours yet, or another rank's */
    int rank, ranks;
    gls_training *training;

    gls_observer_slot *slot; /* in order of their places */
    int64_t slots, place;    /* place: of those that are added now */

    bool begun;
    gls_stop_reason stop; /* GLS_STOP_NONE: it has not ended */
    gls_status failed;    /* of the step that failed: no step follows it */
    unsigned found;       /* what observers found after the present step: GLS_WHY_VALIDATED, GLS_WHY_BEST */
    double seconds;       /* of the run before `began` */
    double began;         /* clock at the last checkpoint, or when this session's run was made */
    gls_pace pace;
    gls_run_result result;
    struct json_t *changes; /* changes.c: of a resumed run's configuration; NULL: none */
    bool recognised;        /* inputs.c: the data files are those that the run began with */
    double planned;         /* stretch.c: steps before this session's changes; -1: not known */
    bool whole;             /* finished.c: the run in the folder has ended, and nothing was written since */
    bool spent;             /* and it ended by a time limit that is still the same */
    struct json_t *record;  /* its result.json; NULL: none, or another rank's */
};

/* trainer.c */
/* A run without its observers; gls_run_create adds them. */
gls_status gls_run_make(gls_context *ctx, const gls_run_options *options, gls_run **out);
gls_status gls_run_failed(gls_run *run); /* GLS_OK, or what an earlier step failed with */
double gls_run_seconds(const gls_run *run);

/* pace.c: how long work takes, for train.time. */
/* A step with its observers took so many seconds, for so many examples. */
void gls_pace_step(gls_pace *pace, double seconds, int64_t examples);
/* gls_training_evaluate, timed. */
gls_status gls_run_evaluate(gls_run *run, const gls_source *set, const gls_real *w, double *loss, double *score);
/* How many of so many examples can be evaluated before train.time is over; all of them without a limit. Collective over
 * ranks, which get the same answer. */
gls_status gls_pace_fitting(gls_run *run, int64_t examples, int64_t *fit);
/* Seconds that the next step, the last checkpoint and the final evaluations will take; of these, what a limit leaves
 * room for. */
double gls_pace_reserve(const gls_run *run, double limit);

/* observers.c: the verbs of all observers, in order. */
gls_status gls_observers_begin(gls_run *run);
gls_status gls_observers_before(gls_run *run);
gls_status gls_observers_step(gls_run *run, bool refused);
gls_status gls_observers_end(gls_run *run, unsigned why);
gls_status gls_observers_flush(gls_run *run);
void gls_observers_measured(gls_run *run, const gls_measure_result *result);
void gls_observers_destroy(gls_run *run);
/* `user` of the observer of that name; NULL: there is none. */
void *gls_observers_find(const gls_run *run, const char *name);
/* Whether the end of a run changes what a checkpoint holds: some observer has both verbs. */
bool gls_observers_end_changes_state(const gls_run *run);

/* folder.c: the run folder and its resolved configuration. Collective over ranks. */
/* GLS_ERR_ARGUMENT if another process has the folder. make: also where it is not there yet. mine: this rank's status so
 * far. */
gls_status gls_folder_own(gls_run *run, bool make, gls_status mine);
/* GLS_ERR_ARGUMENT if the folder holds a run that is not to be resumed. Writes nothing. */
gls_status gls_folder_check(gls_run *run);
gls_status gls_folder_write(gls_run *run);
gls_status gls_folder_path(const gls_run *run, const char *file, char **path); /* from gls_alloc */

/* inputs.c: what was read from data files, as data.json in the folder has it. For one rank. */
/* GLS_ERR_ARGUMENT if it is not what the run began with; says in `recognised` whether that is known. */
gls_status gls_inputs_check(gls_run *run);
gls_status gls_inputs_write(gls_run *run); /* once: what a run began with stays */

/* finished.c: a run that had ended and takes no further step leaves its folder as it is. Collective over ranks. */
/* Sets `whole` and the result if the folder's result.json is that of the present step. */
gls_status gls_finished_look(gls_run *run);
/* Whether a whole run still ends here: asks the run's own observers, not those of callers, which have not begun. */
gls_status gls_finished_ask(gls_run *run);

/* stretch.c, for one rank: the steps that the saved configuration plans; GLS_ERR_ARGUMENT if the restored run has had
 * other rates than one of the present length, unless options.stretch says so. */
gls_status gls_stretch_plan(gls_run *run, const gls_value *old);
gls_status gls_stretch_check(gls_run *run);

/* changes.c */
/* GLS_ERR_ARGUMENT, naming the key, if the configuration that would be written into the folder differs from the one
 * saved at `path` in what a resumed run may not change. What may is kept for gls_changes_write. */
gls_status gls_changes_check(gls_run *run, const char *path, const gls_value *config);
gls_status gls_changes_note(gls_run *run, const char *key, const char *before, const char *after);
/* Adds to changes.jsonl: {"after", "before", "key", "step"}, a line for each key. For one rank. */
gls_status gls_changes_write(gls_run *run);

/* state.c: a checkpoint is the arrays of the training and of each observer. Collective over ranks. */
gls_status gls_checkpoint_save(gls_run *run, const char *path);
/* From the newest checkpoint that can be read. Everything is compared before anything is filled; nothing is written. */
gls_status gls_checkpoint_resume(gls_run *run);
/* Weights and the problem's state alone, from a run folder or a file. */
gls_status gls_checkpoint_from(gls_run *run, const char *from);
/* A file of arrays with the step among its notes; for one rank. */
gls_status gls_checkpoint_write(gls_run *run, const char *path, gls_arrays *arrays);

#endif
