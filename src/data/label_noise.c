/* Transform label_noise: a fraction of the labels becomes another class. */
#include "data/source.h"
#include "data/table.h"
#include <math.h>

typedef struct noise_options {
    double fraction;
} noise_options;

static const gls_option noise_table[] = {
    GLS_REAL("fraction", noise_options, fraction, NULL, 0, 1,
             "share of the examples whose label changes to another class", .flags = GLS_OPTION_REQUIRED),
    {0},
};

static gls_status change_labels(gls_context *ctx, const noise_options *o, uint64_t seed, gls_gather *gather) {
    const gls_data_info *info = &gather->owned.source.info;
    int64_t n = info->examples, count = (int64_t)llround(o->fraction * (double)n), *mark, *clean, *chosen;
    int32_t *label;
    GLS_TRY(gls_gather_relabel(gather, &label));
    bool again = gls_source_column(&gather->owned.source, "clean_label"); /* the labels before the first noise stay */
    GLS_TRY(gls_owned_column(&gather->owned, "label_noise", &mark));
    GLS_TRY(gls_owned_column(&gather->owned, "clean_label", &clean));
    gls_random random = gls_random_create(seed, "label_noise", 0, 0);
    GLS_TRY(gls_source_draw_distinct(ctx, &random, n, count, &chosen));
    for (int64_t i = 0; !again && i < n; i++) clean[i] = label[i];
    for (int64_t i = 0; i < count; i++) {
        label[chosen[i]] = gls_classes_other(&random, label[chosen[i]], info->classes);
        mark[chosen[i]] = 1;
    }
    gls_free(ctx, chosen);
    return GLS_OK;
}

static gls_status apply_noise(gls_context *ctx, gls_source *source, const void *options, uint64_t seed, bool train,
                              const gls_learned *learned, gls_source **out) {
    gls_gather *gather;
    GLS_TRY(gls_classes_need(ctx, source, "label_noise"));
    GLS_TRY(gls_gather_create(ctx, source, NULL, 0, &gather));
    gls_status status = change_labels(ctx, options, seed, gather);
    if (status != GLS_OK) {
        gls_gather_release(gather);
        return status;
    }
    *out = &gather->owned.source;
    return GLS_OK;
}

const gls_transform gls_transform_label_noise = {
    .member = {"label_noise", "gives examples wrong labels; columns label_noise (marks) and clean_label", "[M] 5.1",
               noise_table, sizeof(noise_options)},
    .train_only = true,
    .apply = apply_noise,
};
