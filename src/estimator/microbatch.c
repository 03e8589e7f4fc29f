/* Micro-batch clipping: the mean gradient of every micro-batch is scaled down to the smallest of their norms, or to a
 * bound; with noise and single examples this is the estimator of DP-SGD (no privacy is accounted for). */
#include "estimator/microbatch.h"

gls_status gls_microbatch_read(gls_stage *stage, const gls_microbatch_fields *fields) {
    const char *name = stage->type->member.name;
    if ((fields->microbatch == 0) == (fields->key == NULL))
        return gls_fail(stage->ctx, GLS_ERR_ARGUMENT, "%s: give either `microbatch`, a number of examples, or `key`",
                        name);
    stage->group = fields->key ? GLS_GROUP_WHOLE : fields->microbatch; /* all and rank are those numbers */
    if (fields->key) {
        stage->key = gls_strdup(stage->ctx, fields->key);
        if (!stage->key) return GLS_ERR_MEMORY;
    }
    stage->sum = fields->reduce == 1;
    stage->nonfinite = (gls_nonfinite)fields->nonfinite;
    stage->way = (gls_way)fields->way;
    stage->ledger = fields->ledger;
    stage->ratio_every = fields->ratio_every;
    return GLS_OK;
}

static gls_status create(gls_stage *stage, const void *options) {
    const gls_microbatch_fields *fields = options;
    GLS_TRY(gls_microbatch_read(stage, fields));
    if (fields->noise > 0 && fields->bound == 0)
        return gls_fail(stage->ctx, GLS_ERR_ARGUMENT, "microbatch: `noise` is in units of `bound`, which is not given");
    stage->bound = fields->bound;
    stage->smallest = fields->bound == 0;
    stage->noise = fields->noise * fields->bound;
    return GLS_OK;
}

/* Adaptive: to norm 1; the smallest norm multiplies the sum. */
static double factor(const gls_stage *stage, double norm) {
    if (stage->bound == 0) return 1 / norm;
    return norm > stage->bound ? stage->bound / norm : 1;
}

static const gls_option options[] = {
    GLS_MICROBATCH_OPTIONS,
    GLS_REAL("bound", gls_microbatch_fields, bound, "0", 0, INFINITY,
             "largest norm of a micro-batch's gradient; 0: the smallest one of the mini-batch"),
    GLS_REAL("noise", gls_microbatch_fields, noise, "0", 0, INFINITY,
             "deviation of normal noise on the sum of micro-batches, in units of bound; in a mean divided as the "
             "heaviest micro-batch is; no privacy is accounted for"),
    {0}};

const gls_estimator_type gls_estimator_microbatch = {
    .member = {"microbatch", "micro-batch clipping, adaptive or at a bound", "[M] Alg. 1", options,
               sizeof(gls_microbatch_fields)},
    .place = GLS_PLACE_GROUP,
    .create = create,
    .factor = factor,
};
