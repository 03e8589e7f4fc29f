/* One step of a method: query, answer, average, tell, commit. The trainer, probes, solve and replay take it; they
 * differ in who answers and in what a refused step means to them. */
#ifndef GLS_RUN_STEP_H
#define GLS_RUN_STEP_H

#include <glissade/estimator.h>
#include <glissade/method.h>
#include <glissade/problem.h>

typedef enum gls_stepper_end {
    GLS_STEP_TAKEN,
    GLS_STEP_REFUSED,    /* the answer was not finite: nothing was changed */
    GLS_STEP_OVERFLOWED, /* the answer was finite, but w no longer is */
    GLS_STEP_DONE,       /* the method asks for nothing more */
    GLS_STEP_WITHHELD    /* answer() gave none */
} gls_stepper_end;

typedef struct gls_stepper {
    gls_method *method;
    gls_real *w;          /* [size] */
    gls_real *previous;   /* [size] takes w as it was before the step; NULL: not wanted */
    gls_average *average; /* of the points w at which gradients were taken; NULL: none */
    int64_t size;
    /* Where the successors of running statistics come from; committed with a step that is taken. NULL: nowhere. */
    gls_problem *problem;
    gls_pass *pass;
    /* Answers at query->at, which need not be w. *answer comes with nothing known in it. *given = false ends the step
     * without an answer. */
    gls_status (*answer)(void *user, const gls_query *query, gls_answer *answer, bool *given);
    void *user;
} gls_stepper;

/* report is all zeros where the method was told nothing. */
gls_status gls_training_step(const gls_stepper *stepper, gls_step_report *report, gls_stepper_end *end);

#endif
