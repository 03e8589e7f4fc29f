/* Ways of adding gradients up over ranks: what a member of src/comm/exchange/ is made of, and what members share. */
#ifndef GLS_COMM_EXCHANGE_H
#define GLS_COMM_EXCHANGE_H

#include <glissade/comm.h>
#include <glissade/options.h>

#include "base/table.h"
#include "comm/comm.h"

extern const gls_member_kind gls_comm_exchange_kind;

typedef struct gls_comm_exchange_type {
    gls_member member;
    size_t self_size;
    gls_status (*create)(gls_comm_exchange *x, const void *options);
    void (*destroy)(gls_comm_exchange *x); /* NULL: nothing of its own */
    /* g [size] becomes the sum over ranks, the same bits on each. Several ranks, which have agreed to come. */
    gls_status (*sum)(gls_comm_exchange *x, gls_real *g);
    /* Of one sum over so many ranks. */
    gls_comm_cost (*cost)(const void *options, double size, double ranks);
    /* Whether sums may be made in parts while the rest is computed (comm.h): if so, `code`, or as they are, with the
     * bits of sum. NULL: no. */
    bool (*overlaps)(const void *options);
    const gls_comm_code *(*code)(gls_comm_exchange *x);
    bool exact_scale; /* a factor may be applied to the sum as well as to what is added up */
    /* State beyond the number of draws; all NULL: none. gather: collective, before arrays are saved; restored: after
     * they were filled. */
    gls_status (*gather)(gls_comm_exchange *x);
    gls_status (*arrays)(gls_comm_exchange *x, const char *prefix, gls_arrays *arrays);
    gls_status (*restored)(gls_comm_exchange *x);
} gls_comm_exchange_type;

/* gls_comm_parts_begin and _finish in the exchange's way; NULL: dense. */
bool gls_comm_exchange_in_parts(gls_context *ctx, const gls_comm_exchange *x);
gls_status gls_comm_exchange_begin(gls_context *ctx, gls_comm_exchange *x, gls_real *g, const gls_comm_part *part,
                                   int64_t parts);
gls_status gls_comm_exchange_finish(gls_context *ctx, gls_comm_exchange *x);
/* Whether what is added up is multiplied by a factor afterwards, not before. */
bool gls_comm_exchange_scales_after(const gls_comm_exchange *x);

struct gls_comm_exchange {
    const gls_comm_exchange_type *type;
    gls_context *ctx;
    gls_options *options;
    void *self;
    uint64_t seed;
    int64_t draws; /* sums made: one after another takes other random numbers */
    int64_t size;
    int rank, ranks;
    int64_t *at, *other_at; /* [ranks + 1] each: places of the ranks' parts */
    gls_comm_part *part;    /* [parts] of a vector that is final at once; NULL: it is short */
    int64_t parts;
};

/* at [ranks + 1]: where the ranks' shares of `units` begin, each unit of so many bytes. */
void gls_comm_exchange_share(const gls_comm_exchange *x, int64_t units, int64_t bytes, int64_t *at);
/* The random numbers of this rank's present sum; `again`: those for what has been added up, whoever did it. */
gls_random gls_comm_exchange_random(const gls_comm_exchange *x, bool again);

/* Whether values of its vector may travel while others are computed or added up: overlaps, and long enough. */
bool gls_comm_exchange_cuts(const gls_comm_exchange *exchange);

#endif
