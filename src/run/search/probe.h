/* Short runs that share data, problem and order of examples; `advise` compares settings by them. */
#ifndef GLS_RUN_PROBE_H
#define GLS_RUN_PROBE_H

#include "run/training/training.h"

/* The room for probes: all begin at the same weights and are judged on the same examples. */
typedef struct gls_prober {
    gls_context *ctx;
    gls_training *training; /* data, problem, passes of the configuration; its own method takes no step */
    gls_source *held;
    const char *held_name; /* "validation" or "training" */
    gls_pass *pass;
    gls_real *start, *w, *previous, *g;
    gls_real *state;          /* committed state at the start, or NULL */
    double start_loss;        /* on the held examples */
    double seconds, examples; /* of the probes so far, very short ones left out */
} gls_prober;

gls_status gls_prober_create(gls_context *ctx, const gls_value *config, int64_t held, gls_prober **out);
void gls_prober_destroy(gls_prober *prober);
double gls_prober_now(void);

/* What a probe looks like after a step. */
typedef struct gls_probe_step {
    int64_t step; /* from 1 */
    double lr, loss, gradient_norm;
    const gls_real *w, *previous, *g;
} gls_probe_step;

typedef struct gls_probe {
    const char *method;    /* {name: msgd, beta: 0.9} as YAML, without lr */
    const char *estimator; /* as YAML; NULL: mean */
    int64_t batch, steps;
    double lr, lr_end;         /* range test: lr rises geometrically to lr_end; lr_end 0: no */
    double power;              /* lr (1 - t/T)^power; 0: constant */
    const gls_value *schedule; /* of a run of run_examples examples, without its first rate, which lr is: the probe goes
                                  through all of it; NULL: none */
    double run_examples;
    double deadline;                                            /* of gls_prober_now: it stops there, with cut set */
    gls_status (*look)(void *user, const gls_probe_step *step); /* or NULL */
    void *user;
} gls_probe;

typedef struct gls_probe_outcome {
    int64_t steps;
    bool diverged, cut;
    double held_loss; /* at the end; NaN if diverged or for a range test */
    double seconds;
    double best_lr, best_loss; /* of a range test: where the smoothed loss was least */
    double end_lr;             /* of a range test: where it was stopped */
} gls_probe_outcome;

/* GLS_ERR_UNSUPPORTED if the problem cannot answer the estimator's question; GLS_ERR_INTERRUPTED. Divergence is an
 * outcome, not an error. */
gls_status gls_probe_run(gls_prober *prober, const gls_probe *probe, gls_probe_outcome *out);

#endif
