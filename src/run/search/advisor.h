/* The inside of advise: what it knows while it works. */
#ifndef GLS_RUN_ADVISOR_H
#define GLS_RUN_ADVISOR_H

#include <glissade/search.h>
#include <jansson.h>

#include "run/search/advise.h"
#include "run/search/probe.h"

/* More candidates are refused; norms of one probe, which has at most 400 steps. Both with room to spare. */
enum { GLS_ADVISE_CANDIDATES = 12, GLS_ADVISE_NORMS = 4096 };

/* A setting that takes more steps or more work is chosen only if its loss is lower by this share. Ours. */
static const double gls_advise_worth = 0.02;

typedef struct gls_candidate {
    char name[40], method[200]; /* method: YAML without lr */
    double least_at;            /* of the range test; NaN: it failed */
    double lr, loss;            /* best of the first probes */
    double rate[5], found[5];   /* of them: rates and losses */
    int tried;
    double low, high; /* rates whose probes came within 5% of the best */
} gls_candidate;

typedef struct gls_advisor {
    gls_context *ctx;
    const gls_advise_options *options;
    gls_prober *p;
    gls_advice *advice;
    json_t *measures, *ranges, *probes, *lines;
    double began;
    int64_t n, given, batch; /* examples; batch of the configuration; batch recommended */
    double run_examples, power;
    gls_value *schedule; /* that was given, without its first rate: probes go through it; NULL: none */
    gls_candidate c[GLS_ADVISE_CANDIDATES];
    int candidates, alive; /* the first of them are alive: not dropped in a round */
    double norm[GLS_ADVISE_NORMS];
    int64_t norms;
    gls_measure *smoothness;
    int64_t smooth_every;
    double bound, bound_low, bound_high, tail, tail_low, tail_high, gamma, quantile;
    /* what is recommended */
    const gls_candidate *best;
    double lr, loss, plain; /* plain: loss without micro-batches */
    int64_t microbatch;     /* 0: none */
} gls_advisor;

/* advise.c: all phases, the recommendation last. */
gls_status gls_advisor_work(gls_advisor *a);
/* advise_candidates.c */
/* Names and options of what was asked for, before any data are read. */
gls_status gls_advisor_check_candidates(const gls_advisor *a);
gls_status gls_advisor_name_candidates(gls_advisor *a);
/* advise_config.c: whether a configuration has a schedule of the learning rate. */
bool gls_advisor_scheduled(const gls_value *config);
/* The schedule that was given, without the rate at which it begins; *out NULL: none, or one that waits for
 * validations. Own *out. */
gls_status gls_advisor_schedule(gls_context *ctx, const gls_value *config, gls_value **out);
/* Where a constant rate goes: schedule.from where the schedule has its own, else method.lr. */
const char *gls_advisor_rate_key(const gls_value *config);
/* Fills the recommendation's lines and configuration. by_bound, why: what the batch rule said. */
gls_status gls_advisor_conclude(gls_advisor *a, int64_t by_bound, const char *why);

#endif
