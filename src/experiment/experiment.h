/* The inside of an experiment: what its file says, and the runs that it comes to. */
#ifndef GLS_EXPERIMENT_EXPERIMENT_H
#define GLS_EXPERIMENT_EXPERIMENT_H

#include <glissade/experiment.h>
#include <glissade/options.h>
#include <jansson.h>
#include <pthread.h>

/* ---- the file ---- */

/* What is compared: settings of its own, and rates to choose from. */
typedef struct gls_experiment_arm {
    const char *name, *line; /* line: arms of one line are joined in a figure of points */
    double x;                /* its place on that line */
    gls_texts set;           /* key=value, as --set */
    gls_reals rates;         /* none: nothing is chosen */
    const char *key;         /* what they are values of; NULL: the experiment's */
} gls_experiment_arm;

typedef struct gls_experiment_tune {
    const char *key, *by; /* "method.lr", and the figure that decides: "validation_loss" */
    bool greatest;        /* of the figure, else the least */
    double factor;        /* between the rates that are added where the best lies on the edge */
    int64_t widen;        /* how many are added at most */
} gls_experiment_tune;

typedef struct gls_experiment_scale {
    const char *name;
    int64_t seeds, tune_seeds, first_seed;
    gls_texts set;
    const gls_value *config; /* sections in the place of those of the same name */
} gls_experiment_scale;

/* One sentence of the claim as a number: a sum over arms with weights, or a slope over arms. */
typedef struct gls_experiment_claim {
    const char *say, *figure;
    const gls_value *of; /* {ARM: weight} or {ARM/FIGURE: weight} */
    gls_texts slope;     /* of log figure against log x over these arms */
    bool log;            /* of logarithms: a ratio */
    double least, most;  /* what is claimed: the effect lies above one, or below the other */
} gls_experiment_claim;

enum { GLS_EXPERIMENT_CURVES, GLS_EXPERIMENT_POINTS, GLS_EXPERIMENT_SCATTER };

typedef struct gls_experiment_drawing {
    const char *title, *about, *x, *y, *x_title, *y_title;
    int draw;
    bool logx, logy;
    gls_texts arms; /* none: all */
} gls_experiment_drawing;

typedef struct gls_experiment_text {
    const char *title, *paper, *claim, *here;
    gls_texts rows, show;
    int kind;
    const gls_value *config, *printed;
    gls_list scales, arms, expect, figures; /* of the structs above */
    const gls_experiment_tune *tune;
} gls_experiment_text;

struct gls_experiment {
    gls_context *ctx;
    char *name;
    gls_value *file;
    gls_options *options;
    const gls_experiment_text *text;
};

static inline const gls_experiment_arm *gls_experiment_arm_at(const gls_experiment *e, int64_t i) {
    return (const gls_experiment_arm *)e->text->arms.item + i;
}
/* Its number among the arms, or -1. */
int64_t gls_experiment_arm_named(const gls_experiment *e, const char *name);
/* The arm that "ARM/FIGURE" or "ARM" begins with, and what follows the slash, or NULL. */
int64_t gls_experiment_arm_of(const gls_experiment *e, const char *term, const char **figure);

/* ---- one run ---- */

/* A run of one arm, one rate and one seed. Its outcome is {"figures": {name: number}, "series": {name: {"step": [],
 * "epoch": [], "value": []}}, "seconds": s, "diverged": bool}. */
typedef struct gls_experiment_job {
    gls_context *ctx; /* the caller's: messages and interruption */
    gls_value *config;
    const char *folder; /* for what the run itself writes */
    int threads;
    int64_t seed;
    void (*progress)(void *user, double share);
    void *user;
    gls_context *child; /* of the run under way */
} gls_experiment_job;

/* A kind of work: what an experiment's configuration means. */
typedef struct gls_experiment_kind {
    const char *name;
    const char *seed_key; /* where its configuration has the seed */
    gls_status (*run)(gls_experiment_job *job, json_t *outcome);
} gls_experiment_kind;

extern const gls_experiment_kind gls_experiment_train, gls_experiment_solve, gls_experiment_pair, gls_experiment_survey;
extern const gls_experiment_kind *const gls_experiment_kinds[]; /* in the order of the option `kind`; ends with NULL */

/* A context for the job's run, in job->child until it is left. An interruption of the caller's is its own. */
gls_status gls_experiment_job_enter(gls_experiment_job *job, const gls_value *config);
void gls_experiment_job_leave(gls_experiment_job *job);
void gls_experiment_job_look(gls_experiment_job *job, double share);
/* What a kind that has a section of its own does: that section is read by a table (a configuration of a training goes
 * on without it, where the kind trains), and work is called with its options inside of enter and leave. */
gls_status gls_experiment_job_by(gls_experiment_job *job, const char *section, const gls_option *table,
                                 size_t struct_size, bool trains,
                                 gls_status (*work)(gls_experiment_job *job, const void *options, json_t *outcome),
                                 json_t *outcome);

/* ---- outcomes ---- */

json_t *gls_experiment_outcome_create(void); /* NULL without memory */
void gls_experiment_outcome_figure(json_t *outcome, const char *name, double value);
/* A series by its name, which is made if it is not there; and a point more of it. */
json_t *gls_experiment_outcome_series(json_t *outcome, const char *name);
void gls_experiment_outcome_point(json_t *outcome, const char *series, int64_t step, double epoch, double value);
/* A figure by its name; "series:last" is read off a series, as are first, least, greatest, mean and late (the mean of
 * its second half). NaN if there is none, or the run diverged. */
double gls_experiment_outcome_get(const json_t *outcome, const char *name);
bool gls_experiment_outcome_has(const json_t *outcome, const char *name); /* a figure of that name, number or not */
bool gls_experiment_reads_series(const char *what);                       /* "last" and the others */
json_t *gls_experiment_number(double x);                                  /* null where it is not finite */

/* ---- all runs ---- */

typedef struct gls_experiment_result { /* of an arm */
    char value[32];                    /* the rate that was chosen; "" if nothing was */
    bool edge;                         /* it lies on the edge even of the widened grid */
    json_t *tried;                     /* [{"value", "mean", "diverged"}] by rate */
    json_t **outcome;                  /* [seeds] */
    double seconds;                    /* of all its runs */
} gls_experiment_result;

enum { GLS_EXPERIMENT_LANES = 256 };

/* How far all runs are; what follows the lock is read and written under it. */
typedef struct gls_experiment_meter {
    double began;
    pthread_mutex_t lock;
    gls_experiment_progress now;
    double share[GLS_EXPERIMENT_LANES]; /* of the run under way in each lane */
    int64_t fresh;                      /* runs of this call, the others were there */
    double shown;
} gls_experiment_meter;

/* What runs are made with, in one lane; the lanes share all but the first few. */
typedef struct gls_experiment_runner {
    gls_context *ctx; /* the lane's */
    int lane;
    const char *arm; /* under way in this lane */
    char what[64];   /* "rate 0.4"; "": nothing */
    int lanes;
    const gls_experiment *experiment;
    const gls_experiment_options *options;
    const gls_experiment_scale *scale;
    gls_experiment_result *result; /* [arms] */
    gls_experiment_meter *meter;
} gls_experiment_runner;

/* meter.c */
double gls_experiment_now(void); /* seconds, of a clock that only goes on */
void gls_experiment_meter_show(void *runner, double share);
void gls_experiment_meter_count(gls_experiment_runner *r);
void gls_experiment_meter_add(gls_experiment_runner *r, int64_t runs, int64_t fresh);

/* Run s of an arm, from 1, has the seed that its scale begins with, or one of those after it. */
static inline int64_t gls_experiment_seed(const gls_experiment_runner *r, int64_t s) {
    return r->scale->first_seed + s - 1;
}
/* work.c: the outcome of an arm's run s; taken from its folder where it is finished there. value NULL: no rate. */
gls_status gls_experiment_work(gls_experiment_runner *r, const gls_experiment_arm *arm, const char *value, int64_t s,
                               json_t **outcome);
/* arms.c: a rate as text; chooses an arm's rate, where it has some; takes the outcomes of its seeds. */
void gls_experiment_name_rate(double rate, char text[32]);
gls_status gls_experiment_arm_choose(gls_experiment_runner *r, int64_t arm);
gls_status gls_experiment_arm_collect(gls_experiment_runner *r, int64_t arm);
/* stages.c: all runs of all arms. */
gls_status gls_experiment_stages(gls_experiment_runner *r);

/* named.c: whether the runs have what the rule, the table and the figures name. A name of the rule that no run has is
 * GLS_ERR_ARGUMENT, one of the others a warning. */
gls_status gls_experiment_check_named(const gls_experiment_runner *r);

/* ---- what it comes to ---- */

/* judge.c: [{"say", "each", "mean", "low", "high", "least" or "most", "log", "verdict", "why"}], and the verdict on
 * all. */
gls_status gls_experiment_judge(const gls_experiment_runner *r, json_t *list, gls_experiment_verdict *verdict);
/* Half the width of a 95% interval for the mean of n numbers of that deviation (Student's t); NaN for one number. */
double gls_experiment_half_width(int64_t n, double deviation);
/* draw.c: the figures' lines. */
gls_status gls_experiment_draw(const gls_experiment_runner *r, json_t *list);
/* result.c: everything as one object. */
gls_status gls_experiment_describe(const gls_experiment_runner *r, json_t **out, gls_experiment_verdict *verdict);

#endif
