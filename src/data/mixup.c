/* Transform mixup: at every draw a training row is a mixture of two, share of its own features and 1 - share of those
 * of another row of the set, and keeps both classes. The partner and the share, of Beta(alpha, alpha), are drawn for
 * each row, so that rows of a mini-batch stay independent. */
#include "data/source.h"
#include "data/table.h"
#include <math.h>

typedef struct mixup_options {
    double alpha;
} mixup_options;

static const gls_option mixup_table[] = {
    GLS_REAL("alpha", mixup_options, alpha, "0.2", 0, 1e6,
             "the share of a row's own part is of Beta(alpha, alpha): small ones leave most rows nearly alone",
             .flags = GLS_OPTION_ABOVE_MIN),
    {0},
};

typedef struct mixup_source {
    gls_owned_source owned;
    double alpha;
} mixup_source;

/* log of a draw of Gamma(a, 1): Marsaglia and Tsang 2000 from a = 1 on, and below it a draw of a + 1 times U^(1/a),
 * which for small a is a number only as a logarithm. */
static double draw_log_gamma(gls_random *random, double a) {
    double boost = a < 1 ? log(1 - gls_random_uniform(random)) / a : 0;
    double d = (a < 1 ? a + 1 : a) - 1.0 / 3, c = 1 / sqrt(9 * d);
    for (;;) {
        double z = gls_random_normal(random), v = 1 + c * z, u = 1 - gls_random_uniform(random);
        if (v <= 0) continue;
        v = v * v * v;
        if (log(u) < 0.5 * z * z + d - d * v + d * log(v)) return log(d * v) + boost;
    }
}

static double draw_share(gls_random *random, double alpha) {
    double own = draw_log_gamma(random, alpha), other = draw_log_gamma(random, alpha);
    return 1 / (1 + exp(other - own));
}

/* The partner's augmentation is its own: another seed for what lies below. */
static gls_status fetch_partner(const gls_source *inner, gls_context *ctx, const gls_fetch *fetch, int64_t i,
                                int64_t partner, gls_rows *row) {
    gls_fetch one = *fetch;
    one.count = 1;
    one.index = &partner;
    one.slot = fetch->slot + i;
    one.seed = fetch->seed ^ 0x6d69787570; /* "mixup" */
    return inner->ops->fetch(inner, ctx, &one, row);
}

static gls_status fetch_mixup(const gls_source *source, gls_context *ctx, const gls_fetch *fetch, gls_rows *rows) {
    const mixup_source *s = (const mixup_source *)source;
    const gls_source *inner = source->inner;
    int64_t n = inner->info.features;
    GLS_TRY(gls_wrapper_fetch(source, ctx, fetch, rows));
    if (!fetch->augment || !rows->x || !rows->other_label || !rows->label_share) return GLS_OK;
    gls_real *x = gls_alloc(ctx, n, sizeof *x);
    gls_status status = x ? GLS_OK : GLS_ERR_MEMORY;
    for (int64_t i = 0; status == GLS_OK && i < fetch->count; i++) {
        gls_random random = gls_random_create(fetch->seed, "mixup", fetch->draw, (uint32_t)fetch->slot[i]);
        double share = draw_share(&random, s->alpha);
        gls_rows row = {.ctx = ctx, .capacity = 1, .x = x, .label = &rows->other_label[i]};
        rows->label_share[i] = share;
        status = fetch_partner(inner, ctx, fetch, i, gls_random_below(&random, inner->info.examples), &row);
        gls_real *to = rows->x + i * n, own = (gls_real)share, other = (gls_real)(1 - share);
        for (int64_t k = 0; status == GLS_OK && k < n; k++) to[k] = own * to[k] + other * x[k];
    }
    gls_free(ctx, x);
    return status;
}

static const gls_source_ops mixup_ops = {fetch_mixup, gls_wrapper_destroy};

static gls_status apply_mixup(gls_context *ctx, gls_source *source, const void *options, uint64_t seed, bool train,
                              const gls_learned *learned, gls_source **out) {
    const gls_data_info *info = &source->info;
    mixup_source *mixed;
    if (info->mixed) return gls_fail(ctx, GLS_ERR_ARGUMENT, "transform mixup: it is in the list already");
    GLS_TRY(gls_classes_need(ctx, source, "mixup"));
    if (info->sparse || info->length)
        return gls_fail(ctx, GLS_ERR_ARGUMENT, "transform mixup: the data are %s, expected dense features",
                        info->sparse ? "sparse" : "tokens");
    GLS_TRY(gls_wrapper_create(ctx, sizeof *mixed, &mixup_ops, source, (void **)&mixed));
    mixed->alpha = ((const mixup_options *)options)->alpha;
    mixed->owned.source.info.mixed = true;
    *out = &mixed->owned.source;
    return GLS_OK;
}

const gls_transform gls_transform_mixup = {
    .member = {"mixup",
               "mixes every training row with another one at every draw; its loss is that of both classes, mixed",
               "Zhang et al. 2018", mixup_table, sizeof(mixup_options)},
    .train_only = true,
    .apply = apply_mixup,
};
