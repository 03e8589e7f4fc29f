/* What a configuration asks of a training and cannot have: refused before anything is trained, since it would otherwise
 * be ignored. */
#include <math.h>
#include <string.h>

#include "base/value.h"
#include "run/training/training.h"

/* Where a key of `train` was written. */
static const char *place(const gls_training *t, const char *key, char text[GLS_ORIGIN_TEXT]) {
    return gls_value_origin(gls_value_get(gls_value_get(t->config, "train"), key), text);
}

static bool triggered(const gls_config_train *train) {
    const gls_value *average = train->average;
    const gls_value *name = average && average->kind == GLS_VALUE_MAP ? gls_value_get(average, "name") : average;
    return name && name->text && strcmp(name->text, "triggered") == 0;
}

/* Without validations nothing is monitored. */
static gls_status check_validations(const gls_training *t) {
    const gls_config_train *train = t->train;
    if (train->validate_every.amount > 0) return GLS_OK;
    const char *key = train->patience               ? "train.patience counts validations"
                      : !isnan(train->target_loss)  ? "train.target_loss is looked for at validations"
                      : !isnan(train->target_score) ? "train.target_accuracy is looked for at validations"
                      : triggered(train)            ? "train.average: triggered begins at a validation"
                                                    : NULL;
    char where[GLS_ORIGIN_TEXT];
    return key ? gls_fail(t->ctx, GLS_ERR_ARGUMENT, "%s%s, but train.validate_every is 0",
                          place(t, "validate_every", where), key)
               : GLS_OK;
}

static gls_status check_sampling(const gls_training *t) {
    const gls_config_train *train = t->train;
    char where[GLS_ORIGIN_TEXT];
    if (!train->replacement || (!train->drop_last && train->shuffle)) return GLS_OK;
    return gls_fail(t->ctx, GLS_ERR_ARGUMENT,
                    "%strain.replacement draws examples without epochs: expected neither train.drop_last nor "
                    "train.shuffle: false beside it",
                    place(t, "replacement", where));
}

/* Blocks are an order of epochs of their own. */
static gls_status check_blocks(const gls_training *t) {
    const gls_config_train *train = t->train;
    char where[GLS_ORIGIN_TEXT];
    if (!train->shuffle_block || (train->shuffle && !train->replacement && !train->bucket)) return GLS_OK;
    return gls_fail(t->ctx, GLS_ERR_ARGUMENT,
                    "%strain.shuffle_block is an order of shuffled epochs: expected neither train.shuffle: false nor "
                    "train.replacement nor train.bucket beside it",
                    place(t, "shuffle_block", where));
}

/* Rows of like length are worth something where padding can be left out. */
static gls_status check_bucket(const gls_training *t) {
    const gls_data_info *info = &t->set.train->info;
    char where[GLS_ORIGIN_TEXT];
    if (!t->train->bucket) return GLS_OK;
    place(t, "bucket", where);
    if (t->train->replacement || !t->train->shuffle)
        return gls_fail(t->ctx, GLS_ERR_ARGUMENT,
                        "%strain.bucket orders shuffled examples by length: expected neither train.replacement nor "
                        "train.shuffle: false beside it",
                        where);
    if (info->documents != GLS_DOCUMENTS_PADDED)
        return gls_fail(t->ctx, GLS_ERR_ARGUMENT,
                        "%strain.bucket: these rows have no padding; expected rows of lines, of labelled texts, or of "
                        "frames of several lengths",
                        where);
    if (t->problem->shortens) return GLS_OK;
    return gls_fail(t->ctx, GLS_ERR_ARGUMENT,
                    "%strain.bucket: model '%s' as configured computes padding like anything else, so that nothing is "
                    "saved",
                    where, t->problem->type->member.name);
}

gls_status gls_training_check_wishes(const gls_training *t) {
    const gls_config_train *train = t->train;
    char where[GLS_ORIGIN_TEXT];
    if ((uint64_t)train->seed != gls_context_seed(t->ctx))
        return gls_fail(t->ctx, GLS_ERR_ARGUMENT,
                        "train.seed is %lld, the context's seed is %llu; see "
                        "gls_config_context",
                        (long long)train->seed, (unsigned long long)gls_context_seed(t->ctx));
    GLS_TRY(gls_training_check_monitor(t));
    if (strcmp(train->monitor, "validation") == 0 && !(train->validation > 0) && !t->data->validation)
        return gls_fail(t->ctx, GLS_ERR_ARGUMENT,
                        "%strain.monitor is validation, but nothing is held out: set "
                        "train.validation or data.validation",
                        place(t, "monitor", where));
    GLS_TRY(check_validations(t));
    return check_sampling(t);
}

/* Batch norm over one row leaves nothing of it but the shift, and drives the running variance to 0. */
static gls_status check_span(const gls_training *t) {
    const gls_problem *problem = t->problem;
    int64_t examples = t->set.train->info.examples, batch = t->train->batch;
    if (batch < 0 || (batch > examples && !t->train->replacement)) batch = examples;
    bool groups = problem->coupling == GLS_COUPLING_GROUPS;
    int64_t span = gls_training_span(t) > 0 ? gls_training_span(t) : batch;
    const char *key = t->train->bn_span > 0 ? "train.bn_span" : groups ? "model.bn_group" : "train.batch";
    char where[GLS_ORIGIN_TEXT] = "";
    if (span >= problem->coupling_least) return GLS_OK;
    if (!groups || t->train->bn_span > 0) place(t, strchr(key, '.') + 1, where);
    return gls_fail(t->ctx, GLS_ERR_ARGUMENT,
                    "%s%s is %lld: batch norm over %lld row%s has no variance; expected at least %lld, or a "
                    "normalisation inside each example (norm: layer)",
                    where, key, (long long)span, (long long)span, span == 1 ? "" : "s",
                    (long long)problem->coupling_least);
}

int64_t gls_training_span(const gls_training *t) {
    return t->train->bn_span > 0 ? t->train->bn_span : t->problem->coupling_group;
}

gls_status gls_training_check_fit(const gls_training *t) {
    const gls_config_train *train = t->train;
    char where[GLS_ORIGIN_TEXT];
    const char *model = t->problem->type->member.name;
    if (strcmp(train->monitor, "test") == 0 && !t->set.test)
        return gls_fail(t->ctx, GLS_ERR_ARGUMENT, "%strain.monitor is test, but there is no test set: set data.test",
                        place(t, "monitor", where));
    if (!isnan(train->target_score) && !gls_training_score_name(t))
        return gls_fail(t->ctx, GLS_ERR_ARGUMENT,
                        "%strain.target_accuracy: model '%s' has no score on these data; expected train.target_loss",
                        place(t, "target_accuracy", where), model);
    if (train->best == GLS_BEST_SCORE && !gls_training_score_name(t))
        return gls_fail(t->ctx, GLS_ERR_ARGUMENT, "%strain.best is score, but model '%s' has none on these data",
                        place(t, "best", where), model);
    if (train->bn_span > 0 && t->problem->coupling == GLS_COUPLING_NONE)
        return gls_fail(t->ctx, GLS_ERR_ARGUMENT, "%strain.bn_span is %lld, but model '%s' has no batch norm",
                        place(t, "bn_span", where), (long long)train->bn_span, model);
    GLS_TRY(check_blocks(t));
    GLS_TRY(check_bucket(t));
    return t->problem->coupling == GLS_COUPLING_NONE ? GLS_OK : check_span(t);
}
