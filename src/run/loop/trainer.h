/* Inside of a run. trainer.c is the loop; the rest of this folder is what it calls. */
#ifndef GLS_RUN_TRAINER_H
#define GLS_RUN_TRAINER_H

#include <glissade/comm.h>
#include <glissade/measure.h>
#include <glissade/model.h>
#include <glissade/run.h>

#include "run/config/settings.h"

/* ---- mini-batches: sampler, batch schedule, loader fed ahead ---- */

typedef struct gls_batches gls_batches;
gls_status gls_batches_create(gls_run *run, gls_batches **out);
void gls_batches_destroy(gls_batches *batches);
/* The next mini-batch, or the present one again. */
gls_status gls_batches_get(gls_batches *batches, bool same, gls_stream **out);
double gls_batches_epoch(const gls_batches *batches); /* after the present mini-batch */
uint64_t gls_batches_draw(const gls_batches *batches);
/* Position after the present mini-batch, and that of the present one, whatever was fetched ahead. */
gls_status gls_batches_arrays(gls_batches *batches, const char *prefix, gls_arrays *arrays);
gls_status gls_batches_restored(gls_batches *batches);
/* Steps in the whole run and in an epoch; total 0: open. */
gls_status gls_batches_plan(gls_run *run, double *steps_per_epoch, double *total_steps);

/* ---- the trace: metrics.jsonl ---- */

typedef struct gls_trace gls_trace;
/* position: the bytes that the checkpoint resumed from knows; what is behind them is cut off. */
gls_status gls_trace_open(gls_context *ctx, const char *folder, const char *file, int64_t position, gls_trace **out);
void gls_trace_close(gls_trace *trace);                  /* without flushing */
void gls_trace_text(gls_trace *trace, const char *line); /* a whole line, without its end */
void gls_trace_line(gls_trace *trace, int64_t step, double epoch, double seconds, const char *name, double value);
/* To the file, or the reason why a line could not be written; *position is the length of the file. */
gls_status gls_trace_flush(gls_trace *trace, int64_t *position);

/* ---- what a checkpoint holds of the trainer itself ---- */

typedef struct gls_counters {
    int64_t steps, refused, examples, trace, measures, validations, stale, best_step;
    double best, seconds, loss; /* seconds before this session; loss: smoothed */
    double monitored, score;    /* of the last validation */
} gls_counters;

struct gls_run {
    gls_context *ctx;
    gls_run_options options;
    char *folder;
    int rank, ranks;

    gls_value *config; /* resolved */
    gls_options *train_options, *data_options, *plan_options;
    const gls_train *train;
    const gls_data_section *data;
    const char *stop; /* why the run ended; NULL: it goes on */
    double epochs;    /* 0: open */

    gls_source *train_file, *validation_set, *fit_set, *test_set; /* fit_set: train_file without the validation set */
    const gls_source *train_set;                                  /* what is trained on */
    gls_problem *problem;
    gls_pass *pass, *evaluation_pass; /* the latter by the cost model, whatever the size of the set */
    gls_pass_options plan;
    gls_estimator *estimator;
    gls_method *method;
    gls_value *method_spec;
    gls_average *average;
    gls_point *direction;
    gls_batches *batches;

    gls_real *w, *g, *output; /* output: room for an average, where there is one */
    double steps_per_epoch, total_steps;

    gls_domain_score *domain; /* made at the end, where the data have domains */
    int64_t domains;

    gls_tap *tap;
    int64_t taps;
    gls_trace *trace, *measures; /* metrics.jsonl; measures.jsonl where there are measures */
    gls_pass *measure_pass;
    gls_ledger ledger;         /* of the estimator */
    struct gls_events *events; /* for TensorBoard; NULL: not wanted */
    gls_counters counters;
    gls_record record;
    gls_estimate estimate;       /* of the last step */
    double epoch, epoch_before;  /* after and before the present step */
    double began, session_began; /* clock at the last checkpoint, and at the start of this session */
    bool begun, validated;
    gls_status failed;                                   /* of the step that failed: the run does not go on after it */
    int64_t saved_step;                                  /* of the newest checkpoint written; -1: none */
    int64_t refused_in_a_row, first_step, first_example; /* first: of this session */
    gls_real *w_previous;                                /* before the present step, where a tap wants it; else NULL */
};

/* setup.c: data, problem, estimator, method */
gls_status gls_run_setup(gls_run *run);
gls_status gls_run_open_data(gls_run *run);

/* folder.c: the run folder and its resolved configuration */
gls_status gls_folder_prepare(gls_run *run);
/* Makes the paths in a data section absolute, each from the file that names it. */
gls_status gls_absolute_paths(gls_context *ctx, gls_value *value);
gls_status gls_folder_path(gls_run *run, const char *file, char **path); /* from gls_alloc */

/* checkpoint.c */
gls_status gls_checkpoint_save(gls_run *run, bool best); /* best: under that name too */
gls_status gls_checkpoint_resume(gls_run *run);
gls_status gls_checkpoint_from(gls_run *run, const char *from); /* weights alone */
gls_status gls_checkpoint_final(gls_run *run);

/* validate.c */
/* All examples of the loader's set in order, as its stream. */
gls_status gls_loader_whole(gls_run *run, gls_loader *loader, int64_t examples, gls_stream **rows);
gls_status gls_validate(gls_run *run, bool *better); /* better: a lower loss than ever before */
/* Mean loss and first score of a whole set at w; NaN for a set that is NULL. */
gls_status gls_evaluate_set(gls_run *run, const gls_source *set, const gls_real *w, double *loss, double *score);
/* domains.c */
gls_status gls_run_evaluate_domains(gls_run *run);
const gls_source *gls_monitored(const gls_run *run, const char **name);

/* measures.c: the measure section as taps */
gls_status gls_measures_create(gls_run *run);

/* tap.c */
gls_status gls_taps_observe(gls_run *run, bool end);
gls_status gls_taps_arrays(gls_run *run, gls_arrays *arrays);
void gls_taps_destroy(gls_run *run);

/* trainer.c */
bool gls_run_due(const gls_run *run, gls_length every); /* at the end of the present step */
gls_status gls_run_failed(gls_run *run);                /* GLS_OK, or what an earlier step failed with */
double gls_run_seconds(const gls_run *run);
double gls_now(void);

#endif
