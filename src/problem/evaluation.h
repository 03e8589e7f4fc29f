/* What problem.c, the generic answers and the pass share: points, evaluations, sinks. */
#ifndef GLS_PROBLEM_EVALUATION_H
#define GLS_PROBLEM_EVALUATION_H

#include <glissade/problem.h>

#include "base/table.h"

extern const gls_member_kind gls_problem_kind;

struct gls_point {
    gls_problem *problem;
    const gls_real *w;
    void *prepared;
};

/* place[b] is where block b begins in data, -1 for a tiled block. */
struct gls_sink {
    gls_real *data;
    const int64_t *place;
};

struct gls_evaluation {
    gls_problem *problem;
    void *self;
    int64_t max_rows;
    unsigned want;
    gls_mode mode;
    gls_evaluate_args args;
    double *met;      /* [2, spans, largest exchange] two exchanges of gls_evaluate, in turns */
    int32_t *singles; /* [max_rows] 0, 1, ...: every row a group */
    double *weights;  /* [max_rows] of the generic answers */
    double *losses;   /* [max_rows] */
    gls_real *vector; /* [d] a group's explicit gradient, where norms or inner products have no closed form */
    int64_t *place;   /* of a sink that is d long */
    bool loss_known;  /* the short way: the value that came with the plain gradient */
    double loss;
};

/* begin, then the stages. The caller adds up what all slices leave in `meet`, and gives the totals to the next stage as
 * `met`. */
void gls_evaluation_begin(gls_evaluation *evaluation, const gls_evaluate_args *args);
gls_status gls_evaluation_forward(gls_evaluation *evaluation, int stage, const double *met, double *meet);
gls_status gls_evaluation_backward(gls_evaluation *evaluation, int stage, const double *met, double *meet);
/* Whether a backward pass is needed for these questions. */
bool gls_want_backward(unsigned want);
/* Whether slices exchange sums in this mode, so that several of them can make one span. */
bool gls_problem_coupled(const gls_problem *problem, gls_mode mode);
/* Doubles of an exchange of that size, for these questions: with Hessian products, those of the tangents follow. */
static inline int64_t gls_evaluation_doubles(unsigned want, int64_t size) {
    return want & GLS_WANT_HESSIAN ? 2 * size : size;
}
/* The largest number of doubles in one exchange. */
int64_t gls_problem_meet_size(const gls_problem *problem);

/* Outputs and predictions, link.c. GLS_ERR_UNSUPPORTED with a sentence for a problem without outputs. */
gls_status gls_problem_has_outputs(const gls_problem *problem);
/* Whether the number of outputs is what the link expects. */
gls_status gls_link_check(const gls_problem *problem);
/* The class that outputs z [width] of one prediction mean; -1 where z is not a number. */
int32_t gls_link_class(const gls_problem *problem, const gls_real *z, int64_t width);

/* The part of the gradient that is not tiled, into a sink. weights are checked against the coupling. */
gls_status gls_evaluation_gradient(gls_evaluation *evaluation, gls_product product, const double *weights,
                                   gls_sink *sink);
int64_t gls_problem_tiles(const gls_problem *problem);
/* Where each block that is not tiled begins in a packed vector (-1: tiled); returns the length of that vector. */
int64_t gls_problem_places(const gls_problem *problem, bool packed, int64_t *place);

/* Generic answers, generic.c. */
gls_status gls_generic_losses(gls_evaluation *evaluation, double *losses);
gls_status gls_generic_norms(gls_evaluation *evaluation, const gls_partition *partition, double *out);
gls_status gls_generic_inner(gls_evaluation *evaluation, const gls_partition *partition, const gls_real *v,
                             double *out);

/* Refusals, coupling.c: questions finer than the coupling have no answer. */
gls_status gls_coupling_weights(const gls_evaluation *evaluation, const double *weights);
gls_status gls_coupling_partition(const gls_evaluation *evaluation, const gls_partition *partition);
gls_status gls_coupling_refuse(const gls_problem *problem, const char *what);

#endif
