/* The parts of a pass. One run goes through sections of the rank's rows: waves, or the spans of a coupled problem. In a
 * section every slice is evaluated and asked; slice s belongs to lane s mod lanes and lanes work in order, so the bits
 * depend on the cut alone. At the end lanes are merged pairwise, then ranks. */
#ifndef GLS_ESTIMATOR_PASS_H
#define GLS_ESTIMATOR_PASS_H

#include <glissade/comm.h>
#include <glissade/estimator.h>

#include "comm/comm.h"
#include "problem/evaluation.h"

#include <stdatomic.h>

enum { GLS_MAX_LANES = 64 }; /* of plan.lanes; the cost model takes eight at most */

typedef struct gls_shapes {
    int64_t slice, wave, lanes;
} gls_shapes;

/* A slice as planned: rows of this rank, and the groups they make. */
typedef struct gls_cut {
    int64_t begin, rows;
    int64_t group, groups;
} gls_cut;

/* Slices [first, first + count), whose rows memory holds together. span_begin, span_rows: the slots, over all ranks, of
 * the span they belong to; of the whole mini-batch where no slices meet. */
typedef struct gls_pass_section {
    int64_t first, count;
    int64_t begin, rows;           /* of this rank */
    int64_t span_begin, span_rows; /* slots */
} gls_pass_section;

enum { GLS_LENGTHS = 4 }; /* of slices, that a workspace knows to be reserved */

/* Evaluations of one kind, kept from pass to pass. */
typedef struct gls_workspace {
    int64_t max_rows, count;
    unsigned want;
    gls_mode mode;
    gls_evaluation **evaluation;    /* [count] */
    void **self;                    /* [count] */
    const gls_evaluate_args **args; /* [count] */
    gls_batch *rows;                /* [count] */
    double *weights;                /* [count, max_rows] */
    const double **weight;          /* [count] */
    int32_t *group;                 /* [count, max_rows] */
    double *meets;                  /* [count, largest meet] */
    int64_t length[GLS_LENGTHS];    /* of slices that all evaluations are ready for; 0: none */
    int64_t lengths;                /* so far, also those that others have replaced */
    struct gls_workspace *next;
} gls_workspace;

/* A piece of g: its place there and in each lane (-1: none, tiles add to g itself). */
typedef struct gls_pass_piece {
    int64_t at, lane_at, length;
} gls_pass_piece;

/* The stretches of g that go to the other ranks one by one: first those of tiles that follow each other, as many as
 * make a message worth its while, while the tiles behind them are made; at the end what no tile writes. */
typedef struct gls_pass_parts {
    gls_comm_part *part;  /* [count] */
    int64_t *tile;        /* [early] the first tile behind each */
    int64_t early, count; /* early: those of tiles */
    atomic_bool *made;    /* [tiles] in this run */
    int64_t tiles, next;  /* next: the first one that is not made, as far as the calling thread knows */
    int64_t handed;       /* parts */
} gls_pass_parts;

typedef struct gls_lane {
    double loss, mass, score[GLS_MAX_SCORES];
    double *sum, *min, *max;
    atomic_int_fast64_t done; /* slices of the present section */
} gls_lane;

struct gls_pass {
    gls_problem *problem;
    gls_context *ctx;
    gls_pass_options options;
    gls_point *point;
    int64_t size, packed; /* d, and what is not tiled */
    int64_t *place_full, *place_packed;
    gls_pass_piece *piece_full, *piece_packed; /* of lanes that are d long, and of packed ones */
    int64_t pieces_full, pieces_packed;
    double *norm2; /* [most pieces] */
    gls_lane lane[GLS_MAX_LANES];
    gls_real *lanes; /* [lanes, lane size] */
    int64_t lanes_room;
    double *accumulators; /* of all lanes */
    int64_t accumulators_room;
    struct gls_comm_pair *message; /* what goes through comm */
    int64_t message_room;
    gls_real *worker; /* [threads, 2 d] explicit gradients and scratch */
    int64_t worker_room;
    gls_cut *cut;
    gls_pass_section *section;
    int64_t cuts, cut_room, sections, section_room;
    gls_workspace *workspace;
    double *met;     /* the sums of a meet, two of them */
    gls_real *state; /* successors */
    double *summary; /* [spans of the mini-batch, problem's summary] */
    int64_t summary_room;
    bool state_made;
    gls_real *difference; /* [3 d] of central differences */
    double doubt;         /* gls_pass_hessian_doubt */
    gls_point *direction;
    gls_pass_parts parts;
    double tile_seconds; /* that the tiles of the last run took */
};

/* One run of a pass: a request on its way to the result. */
typedef struct gls_pass_job {
    gls_pass *pass;
    const gls_pass_request *request;
    gls_shapes shapes;
    int64_t span; /* rows that are coupled; 0: none are */
    bool coupled; /* slices meet; else every slice holds whole spans */
    bool clears;  /* tiles begin at zero, not at what g holds */
    bool parted;  /* parts of g go to the other ranks while others are made */
    bool held;    /* all evaluations of a section are alive together */
    bool team;    /* slices are dealt to threads */
    bool divided; /* slices longer than the plan's are evaluated in parts */
    gls_workspace *work;
    atomic_uint_fast64_t taken; /* bit i: a slice is at work with evaluation i; where they are not held */
    gls_pass_section section;
    bool last_section;
    gls_batch batch;
    double span_mass;
    int64_t lane_size;
    const gls_real *state; /* that is read */
    bool state_moves;      /* successors of it are made */
    int stage;             /* of the coupled problem */
    bool backward;
    const double *met;
    double factor;
    bool scale_now;
    gls_pass_result own; /* of this rank: loss, mass, rows */
    gls_pass_result *result;
} gls_pass_job;

/* plan.c */
/* Which rows are coupled, and whether their slices meet. The same on all ranks; cannot fail. */
void gls_pass_couple(gls_pass_job *job);
gls_shapes gls_pass_shapes(const gls_pass *pass, int64_t rows, bool explicit_slices);
/* Rows of a slice where outputs are collected: the problem's shapes alone say it, not the options, not the rows. */
int64_t gls_pass_output_rows(const gls_pass *pass);
gls_status gls_pass_cut(gls_pass_job *job);
/* Whether the rows are worth waking a team for, and the problem may be called by one. */
bool gls_pass_wants_team(const gls_pass_job *job);
gls_status gls_pass_workspace(gls_pass_job *job);
void gls_pass_workspaces_destroy(gls_pass *pass);

/* slices.c: evaluating and asking the slices of one section. */
gls_status gls_pass_run_section(gls_pass_job *job);
/* at: the slice's evaluation in the workspace. */
void gls_pass_arguments(const gls_pass_job *job, int64_t slice, int64_t at, gls_evaluate_args *args);

/* stages.c: the stages of a coupled section. */
gls_status gls_pass_stages(gls_pass_job *job);

/* parts.c: large gradients added up over ranks while they are made. */
gls_status gls_pass_parts_create(gls_pass *pass);
void gls_pass_parts_destroy(gls_pass *pass);
/* All ranks decide alike. Once it has begun, end must be called whatever happens. */
gls_status gls_pass_parts_begin(gls_pass_job *job);
/* A tile is final. */
void gls_pass_parts_made(gls_pass_job *job, int64_t tile, int worker);
/* All of g is, or nobody will look at it. */
gls_status gls_pass_parts_end(gls_pass_job *job);

/* state.c: successors of the problem's state. */
gls_status gls_pass_state_begin(gls_pass_job *job);
gls_status gls_pass_state_end(gls_pass_job *job, gls_status mine);

/* merge.c */
/* Made before anything else can fail, so that a failure can be told to the other ranks. */
gls_status gls_pass_message(gls_pass *pass, const gls_pass_request *request);
gls_status gls_pass_lanes(gls_pass_job *job);
gls_status gls_pass_merge(gls_pass_job *job, gls_status mine);

/* Grows a block that holds no state between runs. */
gls_status gls_pass_room(gls_context *ctx, void *block, int64_t *room, int64_t wanted, size_t size);

#endif
