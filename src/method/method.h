/* The inside of a method: parameter groups, the cut of w into pieces, the state. */
#ifndef GLS_METHOD_INTERNAL_H
#define GLS_METHOD_INTERNAL_H

#include <glissade/method.h>
#include "base/kernels.h"
#include "base/table.h"

/* A schedulable option that has a schedule. */
typedef struct gls_method_scheduled {
    const gls_option *option;
    gls_schedule *schedule;
} gls_method_scheduled;

typedef struct gls_method_group {
    char *match; /* NULL: every block that no other group matches */
    gls_options *options;
    void *now;                         /* the options at this step */
    bool decay_named, decoupled_named; /* the group itself says so: blocks without decay have it then */
    bool frozen;                       /* its blocks are not trained */
    gls_method_scheduled *scheduled;
    int64_t scheduled_count;
    double coefficient[GLS_METHOD_COEFFICIENTS];
} gls_method_group;

/* At most GLS_CHUNK consecutive coordinates of one block, the first at `begin` in the block and at `offset` in w. */
typedef struct gls_method_piece {
    int64_t offset, begin, size, block, group;
    int64_t scales; /* the first of its scales, where state is kept in 8 bits */
} gls_method_piece;

/* What a pass gathers over one piece, and then over blocks and all of w. */
typedef struct gls_method_sums {
    double own[GLS_METHOD_SUMS];
    double update2, w2, w_update; /* |dw|^2, |w|^2, <w, dw> after the step */
} gls_method_sums;

/* What a step reads and writes: a pointer for each block of the layout. `at` is where g was taken. */
typedef struct gls_method_blocks {
    gls_real *const *w;
    const gls_real *const *at, *const *g;
} gls_method_blocks;

typedef struct gls_projection {
    double ball; /* radius; 0: none */
    double low, high;
} gls_projection;

/* Warns of milestones behind the end of the run; true if there are any. */
bool gls_schedule_note_beyond(const gls_schedule *schedule, const char *what);

struct gls_method {
    gls_context *ctx;
    const gls_method_type *type;
    const gls_layout *layout;
    gls_layout *own_layout;
    int64_t parameters;
    double steps_per_epoch, total_steps;
    uint64_t seed;
    bool ready; /* vectors, pieces and the method's own memory are there */

    gls_method_group *group; /* the last one matches everything */
    int64_t groups;
    bool *no_decay; /* by block: coupled or own; and decoupled */
    bool *no_decoupled;
    gls_projection projection;
    gls_record theory;

    gls_method_piece *piece;
    int64_t pieces;
    int64_t *task; /* first piece of each task, and the end */
    int64_t tasks;
    gls_method_sums *sums;                  /* by piece */
    double (*block_first)[GLS_METHOD_SUMS]; /* by block */
    double *g_norm2, *w_norm2;              /* by block */
    double *chunk_norm2;                    /* by chunk of g */
    gls_real **w_block;                     /* by block: where one vector has it */
    const gls_real **at_block, **g_block;

    int64_t frozen;    /* coordinates that are not trained; then, for rules that make the whole step, copies of: */
    gls_real *trained; /* [parameters] the gradient, 0 where it is not used */
    gls_real *kept;    /* [frozen] w there */

    gls_method_share share; /* ranks 0: none */
    int64_t *cut, *at;      /* [ranks + 1] the first piece of each rank's; room for the places of their parts */
    int64_t first, own;     /* parameters whose state is kept here: [first, first + own) */
    int64_t first_scale, own_scales;
    bool apart; /* gls_method_arrays leaves the state vectors out */

    int vectors;
    int precision;                       /* GLS_STATE_...; else than float the state is: */
    gls_real *state[GLS_METHOD_VECTORS]; /* NULL */
    void *narrow[GLS_METHOD_VECTORS];    /* [own] */
    gls_real *scale[GLS_METHOD_VECTORS]; /* [own_scales] */
    int64_t scales;
    uint32_t dither[GLS_METHOD_VECTORS][2]; /* keys of this step's rounding */
    void *self;
    int64_t steps, zero_gradients;
    int64_t refused; /* steps that changed nothing: schedules count them, bias corrections do not */
    double rate;     /* what every group's lr is multiplied by; 0: nothing */
};

/* From the next step on. GLS_ERR_UNSUPPORTED for a method whose steps have no rate that could be multiplied. */
gls_status gls_method_scale_rate(gls_method *method, double factor);

/* groups.c */
gls_status gls_method_groups_create(gls_method *method, const gls_value *spec);
void gls_method_groups_destroy(gls_method *method);
/* After an option of the group was set: its value now, and its schedule if it has got one. */
gls_status gls_method_group_refresh(gls_method *method, gls_method_group *group, const gls_option *row);
gls_status gls_method_groups_arrays(gls_method *method, const char *prefix, gls_arrays *arrays);
/* The groups' options at this step. GLS_ERR_ARGUMENT if a schedule leaves an option's bounds. */
gls_status gls_method_groups_advance(gls_method *method, gls_clock clock);
/* A word on schedules whose milestones lie behind the end of the run. */
void gls_method_note_beyond(const gls_method *method);
/* Coordinates of a task, at least; sums do not depend on it. */
int64_t gls_method_task_size(const gls_method *method);
/* Cuts w into pieces and tasks; books the sums. */
gls_status gls_method_pieces_create(gls_method *method);

/* frozen.c: blocks that are not trained. Steps by passes leave them out. For a method with a tell of its own their
 * gradient is 0, and w there is put back. */
/* After the pieces were cut: GLS_ERR_ARGUMENT if no block is left. */
gls_status gls_method_frozen_create(gls_method *method);
void gls_method_frozen_destroy(gls_method *method);
/* The answer as the method sees it; w is remembered. */
gls_answer gls_method_frozen_begin(gls_method *method, const gls_answer *answer, const gls_real *w);
void gls_method_frozen_end(const gls_method *method, gls_real *w);

/* share.c: whose parameters are whose. */
/* After the pieces were cut. GLS_ERR_UNSUPPORTED for rules that look at more than ranges of their state. */
gls_status gls_method_share_create(gls_method *method);
/* Parts of what a pass gathered by piece, and of w, become everybody's. */
gls_status gls_method_share_sums(gls_method *method);
gls_status gls_method_share_moved(gls_method *method, gls_real *w);
/* Whether a piece is this process's own. */
bool gls_method_share_has(const gls_method *method, int64_t piece);
/* Takes what is this process's of the state vectors that rank `rank` of `ranks` has saved in a file, under the names of
 * gls_method_state_arrays. */
struct gls_tensors;
gls_status gls_method_share_take(gls_method *method, const char *prefix, int rank, int ranks, struct gls_tensors *file);

/* state.c: the state vectors of all rules. */
gls_status gls_method_state_create(gls_method *method);
void gls_method_state_destroy(gls_method *method);
gls_status gls_method_state_arrays(gls_method *method, const char *prefix, gls_arrays *arrays);
/* Before the passes of a step: what it rounds by. */
void gls_method_state_begin(gls_method *method, int64_t step);
/* Where the narrow state of a piece lies, from coordinate `at` of it on, which is a multiple of GLS_METHOD_RANGE. */
struct gls_method_narrow;
void gls_method_state_narrow(const gls_method *method, const gls_method_piece *piece, int64_t at,
                             struct gls_method_narrow *out);

/* norm.c: over the coordinates that are trained. */
/* |g|^2 as handed over, or read, with the bits of gls_sum_squares. Not finite if g is not, or if the sum overflows. */
double gls_method_norm2(gls_method *method, const gls_answer *answer, const gls_method_blocks *blocks);
/* The last piece that begins at or before the offset. */
int64_t gls_method_piece_at(const gls_method *method, int64_t offset);
int64_t gls_method_nonfinite(const gls_method *method, const gls_method_blocks *blocks);

/* update.c: the step of every method that has no tell of its own. The answer's g is not looked at; w: NULL, or the
 * vector that the blocks are of. */
gls_status gls_update_run(gls_method *method, const gls_answer *answer, const gls_method_blocks *blocks,
                          const gls_real *w, gls_step_report *report);

/* projection.c */
/* given: NULL where there is none. */
gls_status gls_projection_read(const gls_method *method, const gls_method_projection *given, gls_projection *out);

gls_method_setup gls_method_setup_of(const gls_method *method);

#endif
