/* From a configuration to what is trained: data, problem, plan, estimator, method, weights. */
#include <math.h>
#include <string.h>

#include "base/value.h"
#include "method/method.h"
#include "comm/comm.h"
#include "run/training/training.h"

/* Epochs of a run whose configuration names no end at all; ours, so that a first run without one ends. */
enum { EPOCHS_IF_OPEN = 10 };

/* ---- problem and plan ---- */

static gls_status make_problem(gls_training *t) {
    const gls_value *section = gls_value_get(t->config, "model");
    return gls_model_create(t->ctx, gls_value_get(section, "name")->text, section, &t->set.train->info, &t->problem);
}

static gls_status make_pass(gls_training *t) {
    const gls_config_plan *plan = gls_options_struct(t->plan_options);
    gls_pass_options options = {.size = sizeof options, .span = t->train->bn_span};
    GLS_TRY(gls_pass_create(t->problem, &options, &t->evaluation_pass));
    int64_t batch = t->train->batch < 0 ? t->set.train->info.examples : t->train->batch;
    t->plan = gls_pass_plan(t->evaluation_pass, batch);
    /* What a run began with it keeps, whatever a later cost model would choose. */
    if (plan->slice) t->plan.slice = plan->slice;
    if (plan->wave) t->plan.wave = plan->wave;
    if (plan->lanes) t->plan.lanes = plan->lanes;
    options.slice = t->plan.slice;
    options.wave = t->plan.wave;
    options.lanes = t->plan.lanes;
    return gls_pass_create(t->problem, &options, &t->pass);
}

/* ---- method ---- */

static gls_status append_clone(gls_context *ctx, gls_value *map, const gls_value *value) {
    gls_value *copy = gls_value_clone(ctx, value);
    return copy ? gls_value_append(ctx, map, copy) : GLS_ERR_MEMORY;
}

/* method.lr and the keys of the `schedule` section as one schedule. */
static gls_status scheduled_lr(gls_training *t, const gls_value *method, const gls_value *schedule, gls_value **out) {
    gls_context *ctx = t->ctx;
    const gls_value *lr = gls_value_get(method, "lr");
    char place[GLS_ORIGIN_TEXT];
    if (lr && lr->kind == GLS_VALUE_MAP)
        return gls_fail(ctx, GLS_ERR_ARGUMENT,
                        "%smethod.lr has a schedule already; a `schedule` section is the "
                        "short form for the same",
                        gls_value_origin(lr, place));
    *out = gls_value_create(ctx, GLS_VALUE_MAP, "lr", NULL);
    if (!*out) return GLS_ERR_MEMORY;
    (*out)->file = schedule->file;
    (*out)->line = schedule->line;
    if (lr && lr->kind == GLS_VALUE_TEXT && !gls_value_get(schedule, "from")) {
        gls_value *from = gls_value_create(ctx, GLS_VALUE_TEXT, "from", lr->text);
        if (!from) return GLS_ERR_MEMORY;
        from->file = lr->file;
        from->line = lr->line;
        GLS_TRY(gls_value_append(ctx, *out, from));
    }
    for (int64_t i = 0; i < schedule->count; i++) GLS_TRY(append_clone(ctx, *out, schedule->items[i]));
    return GLS_OK;
}

/* The method section with the schedule in it; kept for the run's life. */
static gls_status method_spec(gls_training *t, const gls_value *method, const gls_value *schedule) {
    gls_value *spec = t->method_spec = gls_value_create(t->ctx, GLS_VALUE_MAP, "method", NULL);
    if (!spec) return GLS_ERR_MEMORY;
    spec->file = method->file;
    spec->line = method->line;
    for (int64_t i = 0; i < method->count; i++)
        if (!schedule || strcmp(method->items[i]->key, "lr") != 0)
            GLS_TRY(append_clone(t->ctx, spec, method->items[i]));
    if (!schedule) return GLS_OK;
    gls_value *lr = NULL;
    gls_status status = scheduled_lr(t, method, schedule, &lr);
    if (status == GLS_OK) return gls_value_append(t->ctx, spec, lr);
    gls_value_destroy(t->ctx, lr);
    return status;
}

static gls_status share_parts(void *user, void *all, const int64_t *at) {
    return gls_comm_gather(user, all, at);
}

/* share: what `train.shard_state` makes of the ranks, or NULL. */
static gls_status make_method_of(const gls_training *t, const gls_method_share *share, gls_method **out) {
    gls_method_options options = {.size = sizeof options,
                                  .layout = gls_problem_layout(t->problem),
                                  .spec = t->method_spec,
                                  .steps_per_epoch = t->steps_per_epoch,
                                  .total_steps = t->total_steps,
                                  .seed = (uint64_t)t->train->seed,
                                  .share = share};
    return gls_method_create(t->ctx, &options, out);
}

gls_status gls_training_make_method(const gls_training *t, gls_method **out) {
    return make_method_of(t, NULL, out);
}

bool gls_training_shards(const gls_training *t) {
    return t->train->shard_state && gls_comm_size(gls_context_comm(t->ctx)) > 1;
}

gls_status gls_training_make_estimator(const gls_training *t, gls_estimator **out) {
    return gls_estimator_create(t->problem, gls_value_get(t->config, "estimator"), (uint64_t)t->train->seed, out);
}

static gls_status make_method(gls_training *t) {
    GLS_TRY(gls_batches_plan(t, &t->steps_per_epoch, &t->total_steps));
    if (!gls_problem_size(t->problem))
        return gls_fail(t->ctx, GLS_ERR_ARGUMENT, "the model has no parameters for these data");
    gls_reader_watch(t->ctx, &t->set.input[GLS_INPUT_METHOD]);
    const gls_comm *comm = gls_context_comm(t->ctx);
    gls_method_share share = {gls_comm_rank(comm), gls_comm_size(comm), share_parts, t->ctx};
    gls_status status = make_method_of(t, gls_training_shards(t) ? &share : NULL, &t->method);
    gls_reader_watch(t->ctx, NULL);
    GLS_TRY(status);
    gls_method_note_beyond(t->method);
    gls_training_compare_theory(t);
    return GLS_OK;
}

/* Dense is what estimators do without one, and then passes may overlap its sums with computing. */
static gls_status make_exchange(gls_training *t) {
    GLS_TRY(gls_comm_exchange_create(t->ctx, t->train->exchange, gls_problem_size(t->problem), (uint64_t)t->train->seed,
                                     &t->exchange));
    if (strcmp(gls_comm_exchange_name(t->exchange), "dense") != 0) return GLS_OK;
    gls_comm_overlap(gls_context_comm(t->ctx), gls_comm_exchange_overlaps(t->exchange));
    gls_comm_exchange_destroy(t->exchange);
    t->exchange = NULL;
    return GLS_OK;
}

static gls_status make_estimator(gls_training *t) {
    GLS_TRY(gls_training_make_estimator(t, &t->estimator));
    GLS_TRY(make_exchange(t));
    gls_estimator_use_exchange(t->estimator, t->exchange);
    t->ledger = gls_estimator_ledger(t->estimator);
    return GLS_OK;
}

static gls_status make_vectors(gls_training *t, bool outline) {
    int64_t d = gls_problem_size(t->problem);
    t->w = gls_alloc(t->ctx, d, sizeof *t->w);
    t->g = gls_alloc(t->ctx, d, sizeof *t->g);
    if (!t->w || !t->g) return GLS_ERR_MEMORY;
    return outline ? GLS_OK : gls_problem_initialize(t->problem, (uint64_t)t->train->seed, t->w);
}

double gls_training_length(const gls_config_train *t) {
    bool open = !t->epochs && !t->steps && !t->time && isnan(t->target_loss) && isnan(t->target_score);
    return open ? EPOCHS_IF_OPEN : t->epochs;
}

/* ---- all of it ---- */

static gls_status read_sections(gls_training *t, const gls_value *config) {
    gls_context *ctx = t->ctx;
    GLS_TRY(gls_config_resolve(ctx, config, &t->config));
    GLS_TRY(gls_config_section_options(ctx, t->config, "train", gls_config_train_table, sizeof(gls_config_train), NULL,
                                       &t->train_options));
    GLS_TRY(gls_config_section_options(ctx, t->config, "plan", gls_config_plan_table, sizeof(gls_config_plan), NULL,
                                       &t->plan_options));
    GLS_TRY(gls_config_data_options(ctx, gls_value_get(t->config, "data"), &t->data_options));
    t->train = gls_options_struct(t->train_options);
    t->data = gls_options_struct(t->data_options);
    return GLS_OK;
}

static gls_status set_up(gls_training *t, const gls_value *config, bool outline) {
    GLS_TRY(read_sections(t, config));
    t->epochs = gls_training_length(t->train);
    GLS_TRY(gls_training_check_wishes(t));
    GLS_TRY(method_spec(t, gls_value_get(t->config, "method"), gls_value_get(t->config, "schedule")));
    GLS_TRY(gls_training_open_sets(t));
    GLS_TRY(make_problem(t));
    GLS_TRY(gls_training_set_precision(t));
    GLS_TRY(gls_training_weigh_sets(t));
    GLS_TRY(gls_training_choose_score(t));
    GLS_TRY(gls_training_check_fit(t));
    GLS_TRY(make_pass(t));
    GLS_TRY(make_estimator(t));
    GLS_TRY(make_method(t));
    GLS_TRY(make_vectors(t, outline));
    GLS_TRY(gls_batches_create(t, &t->batches));
    GLS_TRY(gls_batches_rule_create(t, &t->batch_rule));
    t->epoch = t->epoch_before = gls_batches_epoch(t->batches);
    return GLS_OK;
}

gls_status gls_training_create(gls_context *ctx, const gls_value *config, bool outline, gls_training **out) {
    *out = NULL;
    gls_training *t = gls_alloc(ctx, 1, sizeof *t);
    if (!t) return GLS_ERR_MEMORY;
    t->ctx = ctx;
    t->counters.loss = NAN;
    gls_status status = set_up(t, config, outline);
    if (status == GLS_OK)
        *out = t;
    else
        gls_training_destroy(t);
    return status;
}

void gls_training_destroy(gls_training *t) {
    if (!t) return;
    gls_context *ctx = t->ctx;
    gls_trial_destroy(t->trial);
    gls_batches_rule_destroy(t->batch_rule);
    gls_batches_destroy(t->batches);
    gls_method_destroy(t->method);
    gls_value_destroy(ctx, t->method_spec);
    gls_estimator_destroy(t->estimator);
    gls_comm_exchange_destroy(t->exchange);
    gls_point_destroy(t->direction);
    gls_pass_destroy(t->pass);
    gls_pass_destroy(t->evaluation_pass);
    gls_pass_destroy(t->measure_pass);
    gls_problem_destroy(t->problem);
    gls_source_destroy(t->set.fit);
    gls_source_destroy(t->set.validation);
    gls_source_destroy(t->set.test);
    gls_training_close_named(t);
    gls_source_destroy(t->set.file);
    gls_value_destroy(ctx, t->set.transforms);
    gls_value_destroy(ctx, t->config);
    gls_options_destroy(t->train_options);
    gls_options_destroy(t->data_options);
    gls_options_destroy(t->plan_options);
    gls_free(ctx, t->w);
    gls_free(ctx, t->g);
    gls_free(ctx, t->previous);
    gls_free(ctx, t->previous_every);
    gls_free(ctx, t->output);
    gls_free(ctx, t);
}
