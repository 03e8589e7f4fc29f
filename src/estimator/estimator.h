/* A chain of stages, and one estimate being made. */
#ifndef GLS_ESTIMATOR_ESTIMATOR_H
#define GLS_ESTIMATOR_ESTIMATOR_H

#include <glissade/comm.h>
#include <glissade/estimator.h>

#include "base/table.h"

extern const gls_member_kind gls_estimator_kind;

/* Rows sorted by their key: a stream over a copy. */
typedef struct gls_sorted {
    gls_batch_stream stream;
    gls_batch batch;
    int64_t *order; /* [rows, 2] key and place */
    int64_t order_room;
    int64_t *cut; /* [groups + 1] */
    int64_t cuts;
    int64_t first_cut, all_cuts; /* groups of the ranks before, and of all */
    void *block[13];             /* the copies: one a field of gls_batch */
    int64_t room[13];
} gls_sorted;

/* What is known of every row of the mini-batch (all ranks), for the ledger: three vectors of one length. */
typedef struct gls_estimate_rows {
    double *value; /* [3, rows]: example's index, log factor, norm */
    int64_t rows, room;
} gls_estimate_rows;

struct gls_estimator {
    gls_context *ctx;
    gls_problem *problem;
    uint64_t seed;
    gls_stage **stage;
    int64_t stages;
    int64_t groups; /* leading stages that work on groups */
    int64_t inner;  /* the first of these, of the smaller group size; 0: one size */
    bool sum;       /* the vectors are summed up */
    bool ledger, told;
    int64_t ratio_every;
    int64_t step;      /* estimates made */
    double mean_ratio; /* |g| / |mean gradient| when it was last taken */
    int64_t examples;
    double *seen, *log_factor, *norm;  /* [examples] the ledger */
    double *group_norm, *group_factor; /* [groups of this rank] of the present estimate */
    int64_t group_norm_room, group_factor_room;
    double *norms; /* [groups over all ranks] to be sorted */
    int64_t norms_room;
    gls_estimate_rows rows;
    gls_real *plain; /* [d] the mean, for its norm */
    gls_sorted sorted;
    gls_comm_exchange *exchange; /* NULL: every value as it is */
};

/* Groups that the number of rows does not say. */
enum { GLS_GROUP_WHOLE = -1, GLS_GROUP_RANK = -2 };

/* An estimate while it is made. */
enum { GLS_SUM_ZERO, GLS_SUM_NONFINITE, GLS_SUM_CLIPPED, GLS_SUM_MASS, GLS_SUM_GROUPS, GLS_GROUP_SUMS };
typedef struct gls_making {
    gls_estimator *e;
    gls_pass *pass;
    gls_stream *rows;
    const gls_real *w;
    unsigned want;
    gls_real *g;
    gls_comm_exchange *exchange;
    int64_t group; /* rows of the outermost group; 0: cut by key, or ranks */
    bool ranks;    /* every rank's rows are a group */
    const gls_stage *outer;
    bool one; /* one group holds the whole mini-batch and is only multiplied */
    double sums[GLS_GROUP_SUMS];
    double smallest;
    double largest; /* mass of a group, of those that were not left out */
    gls_pass_result result;
} gls_making;

/* stage.c */
/* The failure of a spec without a name. */
gls_status gls_stage_unnamed(gls_context *ctx, const gls_value *spec);
gls_status gls_stage_create(gls_problem *problem, const gls_value *spec, uint64_t seed, gls_stage **out);
void gls_stage_destroy(gls_stage *stage);

/* Whether the estimate is the mean of the mini-batch's gradients and nothing else, so that the norms of the ones and of
 * the other belong together. */
bool gls_estimator_is_mean(const gls_estimator *estimator);

/* groups.c: an estimate whose stages work on groups. */
gls_status gls_estimate_groups(gls_making *making);
/* A stage's factor for a mean gradient of squared norm norm2, counting what it met; group is this rank's number. */
gls_status gls_group_factor(const gls_making *making, const gls_stage *stage, double norm2, double *factor,
                            double *sums, double *smallest);

/* ranks.c: an estimate whose groups are the ranks' rows; several ranks. */
gls_status gls_estimate_ranks(gls_making *making);

/* ledger.c */
gls_status gls_ledger_create(gls_estimator *e);
gls_status gls_ledger_begin(gls_making *making);
/* The rows of a slice: their indices and norms. */
gls_status gls_ledger_slice(gls_making *making, gls_slice *slice);
void gls_ledger_factor(gls_making *making, int64_t first, int64_t rows, double factor);
gls_status gls_ledger_end(gls_making *making, double common_factor, gls_record *record);

/* figures.c */
gls_status gls_estimate_figures(gls_making *making, double smallest, gls_record *record);

/* sorted.c: the rows of a mini-batch in the order of their keys. */
gls_status gls_sorted_set(gls_context *ctx, gls_sorted *sorted, gls_stream *rows, const char *key);
void gls_sorted_destroy(gls_context *ctx, gls_sorted *sorted);

/* g *= factor; the squared norm of what comes out. */
double gls_estimate_scale(gls_context *ctx, gls_real *g, double factor, int64_t n);

#endif
