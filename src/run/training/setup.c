/* From a configuration to the objects of a run: data, problem, plan, estimator, method, average. */
#include <math.h>
#include <string.h>

#include "run/config/members.h"
#include "run/loop/trainer.h"

/* ---- data ---- */

/* The transforms with standardisation in front where it was asked for. */
static gls_status transform_list(gls_run *run, gls_value **out) {
    const gls_value *given = run->data->transforms;
    char place[256];
    *out = NULL;
    if (!given && !run->data->standardize) return GLS_OK;
    if (given && given->kind != GLS_VALUE_LIST)
        return gls_fail(run->ctx, GLS_ERR_ARGUMENT, "%sdata.transforms: expected a list, as in [{label_noise: 0.1}]",
                        gls_origin(given, place));
    gls_value *list = gls_value_create(run->ctx, GLS_VALUE_LIST, "transforms", NULL);
    if (!list) return GLS_ERR_MEMORY;
    gls_status status = GLS_OK;
    if (run->data->standardize)
        status = gls_value_append(run->ctx, list, gls_value_create(run->ctx, GLS_VALUE_TEXT, NULL, "standardize"));
    for (int64_t i = 0; given && i < given->count && status == GLS_OK; i++)
        status = gls_value_append(run->ctx, list, gls_value_clone(run->ctx, given->items[i]));
    if (status == GLS_OK)
        *out = list;
    else
        gls_value_destroy(run->ctx, list);
    return status;
}

static gls_status open_sets(gls_run *run, const gls_value *section, const gls_value *transforms) {
    gls_context *ctx = run->ctx;
    const gls_data_section *data = run->data;
    const char *format = data->format ? data->format : data->name ? data->name : gls_format_guess(data->train);
    uint64_t seed = (uint64_t)run->train->seed;
    GLS_TRY(gls_source_open(ctx, format, data->train, section, gls_data_keys, false, NULL, &run->train_file));
    const gls_format *member = (const gls_format *)gls_member_named(ctx, GLS_KIND_FORMAT, format);
    bool test = data->test || (member && member->generator);
    if (test)
        GLS_TRY(gls_source_open(ctx, format, data->test, section, gls_data_keys, true, &run->train_file->info,
                                &run->test_set));
    gls_source *raw = run->train_file;
    run->train_file = NULL;
    GLS_TRY(gls_transforms_apply(ctx, raw, transforms, seed, NULL, &run->train_file));
    if (!test) return GLS_OK;
    raw = run->test_set;
    run->test_set = NULL;
    return gls_transforms_apply(ctx, raw, transforms, seed, run->train_file, &run->test_set);
}

/* Takes the validation examples out of the training set: a random choice by the seed, both parts in ascending order. */
static gls_status split(gls_run *run) {
    int64_t n = run->train_file->info.examples;
    double asked = run->train->validation;
    int64_t count = (int64_t)(asked < 1 ? floor(asked * (double)n + 0.5) : asked);
    if (count < 1 || count >= n)
        return gls_fail(run->ctx, GLS_ERR_ARGUMENT,
                        "train.validation: %g of %lld examples leaves %lld to validate on "
                        "and %lld to train on; expected at least one each",
                        asked, (long long)n, (long long)count, (long long)(n - count));
    int64_t *index = gls_alloc(run->ctx, n, 2 * sizeof *index);
    if (!index) return GLS_ERR_MEMORY;
    int64_t *fit = index + n, kept = 0, held = 0;
    gls_random random = gls_random_create((uint64_t)run->train->seed, "validation", 0, 0);
    /* Selection sampling: each example is held with probability (still wanted) / (still to come). */
    for (int64_t i = 0; i < n; i++) {
        if (gls_random_below(&random, n - i) < count - held)
            index[held++] = i;
        else
            fit[kept++] = i;
    }
    gls_status status = gls_source_subset(run->ctx, run->train_file, index, held, &run->validation_set);
    if (status == GLS_OK) status = gls_source_subset(run->ctx, run->train_file, fit, kept, &run->fit_set);
    gls_free(run->ctx, index);
    return status;
}

gls_status gls_run_open_data(gls_run *run) {
    gls_value *transforms;
    GLS_TRY(transform_list(run, &transforms));
    gls_status status = open_sets(run, gls_value_get(run->config, "data"), transforms);
    gls_value_destroy(run->ctx, transforms);
    GLS_TRY(status);
    if (run->train_file->info.examples < 1)
        return gls_fail(run->ctx, GLS_ERR_INPUT, "%s: no examples", run->data->train ? run->data->train : "data");
    if (run->train->validation > 0) GLS_TRY(split(run));
    run->train_set = run->fit_set ? run->fit_set : run->train_file;
    return GLS_OK;
}

/* ---- problem and plan ---- */

static gls_status make_problem(gls_run *run) {
    const gls_value *section = gls_value_get(run->config, "model");
    return gls_model_create(run->ctx, gls_value_get(section, "name")->text, section, &run->train_set->info,
                            &run->problem);
}

static gls_status make_pass(gls_run *run) {
    const gls_plan_options *plan = gls_options_struct(run->plan_options);
    const char *precision = sizeof(gls_real) == 4 ? "float" : "double";
    if (plan->precision && strcmp(plan->precision, precision))
        return gls_fail(run->ctx, GLS_ERR_ARGUMENT,
                        "plan.precision: this run is in %s, this command computes in %s; use "
                        "%s",
                        plan->precision, precision, sizeof(gls_real) == 4 ? "glissade64" : "glissade");
    gls_pass_options options = {.size = sizeof options, .span = run->train->accumulate};
    GLS_TRY(gls_pass_create(run->problem, &options, &run->evaluation_pass));
    int64_t batch = run->train->batch < 0 ? run->train_set->info.examples : run->train->batch;
    run->plan = gls_pass_plan(run->evaluation_pass, batch);
    /* What a run began with it keeps, whatever a later cost model would choose. */
    if (plan->slice) run->plan.slice = plan->slice;
    if (plan->wave) run->plan.wave = plan->wave;
    if (plan->lanes) run->plan.lanes = plan->lanes;
    options.slice = run->plan.slice;
    options.wave = run->plan.wave;
    options.lanes = run->plan.lanes;
    return gls_pass_create(run->problem, &options, &run->pass);
}

/* ---- method ---- */

static gls_status append_clone(gls_context *ctx, gls_value *map, const gls_value *value) {
    gls_value *copy = gls_value_clone(ctx, value);
    return copy ? gls_value_append(ctx, map, copy) : GLS_ERR_MEMORY;
}

/* method.lr and the keys of the `schedule` section as one schedule. */
static gls_status scheduled_lr(gls_run *run, const gls_value *method, const gls_value *schedule, gls_value **out) {
    gls_context *ctx = run->ctx;
    const gls_value *lr = gls_value_get(method, "lr");
    char place[256];
    if (lr && lr->kind == GLS_VALUE_MAP)
        return gls_fail(ctx, GLS_ERR_ARGUMENT,
                        "%smethod.lr has a schedule already; a `schedule` section is the "
                        "short form for the same",
                        gls_origin(lr, place));
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
static gls_status method_spec(gls_run *run, const gls_value *method, const gls_value *schedule) {
    gls_value *spec = run->method_spec = gls_value_create(run->ctx, GLS_VALUE_MAP, "method", NULL);
    if (!spec) return GLS_ERR_MEMORY;
    spec->file = method->file;
    spec->line = method->line;
    for (int64_t i = 0; i < method->count; i++)
        if (!schedule || strcmp(method->items[i]->key, "lr")) GLS_TRY(append_clone(run->ctx, spec, method->items[i]));
    if (!schedule) return GLS_OK;
    gls_value *lr = NULL;
    gls_status status = scheduled_lr(run, method, schedule, &lr);
    if (status == GLS_OK) return gls_value_append(run->ctx, spec, lr);
    gls_value_destroy(run->ctx, lr);
    return status;
}

static gls_status make_method(gls_run *run) {
    GLS_TRY(gls_batches_plan(run, &run->steps_per_epoch, &run->total_steps));
    if (!gls_problem_size(run->problem))
        return gls_fail(run->ctx, GLS_ERR_ARGUMENT, "the model has no parameters for these data");
    gls_method_options options = {.size = sizeof options,
                                  .layout = gls_problem_layout(run->problem),
                                  .spec = run->method_spec,
                                  .steps_per_epoch = run->steps_per_epoch,
                                  .total_steps = run->total_steps,
                                  .seed = (uint64_t)run->train->seed};
    return gls_method_create(run->ctx, &options, &run->method);
}

static gls_status make_estimator(gls_run *run) {
    return gls_estimator_create(run->problem, gls_value_get(run->config, "estimator"), (uint64_t)run->train->seed,
                                &run->estimator);
}

static gls_status make_average(gls_run *run) {
    const gls_value *spec = run->train->average;
    if (!spec || (spec->kind == GLS_VALUE_TEXT && !strcmp(spec->text, "none"))) return GLS_OK;
    return gls_average_create(run->ctx, gls_problem_size(run->problem), spec, (uint64_t)run->train->seed,
                              &run->average);
}

static gls_status make_vectors(gls_run *run) {
    int64_t d = gls_problem_size(run->problem);
    run->w = gls_alloc(run->ctx, d, sizeof *run->w);
    run->g = gls_alloc(run->ctx, d, sizeof *run->g);
    run->output = run->average ? gls_alloc(run->ctx, d, sizeof *run->output) : NULL;
    if (!run->w || !run->g || (run->average && !run->output)) return GLS_ERR_MEMORY;
    return gls_problem_initialize(run->problem, (uint64_t)run->train->seed, run->w);
}

/* ---- checks of what was asked for ---- */

static gls_status check_train(gls_run *run) {
    const gls_train *t = run->train;
    if ((uint64_t)t->seed != gls_context_seed(run->ctx))
        return gls_fail(run->ctx, GLS_ERR_ARGUMENT,
                        "train.seed is %lld, the context's seed is %llu; see "
                        "gls_config_context",
                        (long long)t->seed, (unsigned long long)gls_context_seed(run->ctx));
    if (t->monitor == GLS_MONITOR_VALIDATION && !(t->validation > 0))
        return gls_fail(run->ctx, GLS_ERR_ARGUMENT,
                        "train.monitor is validation, but nothing is held out: set "
                        "train.validation");
    if (t->patience && !(t->validate_every.amount > 0))
        return gls_fail(run->ctx, GLS_ERR_ARGUMENT, "train.patience counts validations, but train.validate_every is 0");
    bool open = !t->epochs && !t->steps && !t->time && isnan(t->target_loss) && isnan(t->target_score);
    run->epochs = open ? 10 : t->epochs;
    return GLS_OK;
}

static gls_status read_sections(gls_run *run) {
    gls_context *ctx = run->ctx;
    GLS_TRY(gls_config_resolve(ctx, run->options.config, &run->config));
    GLS_TRY(gls_config_section_options(ctx, run->config, "train", gls_train_table, sizeof(gls_train), NULL,
                                       &run->train_options));
    GLS_TRY(gls_config_section_options(ctx, run->config, "plan", gls_plan_table, sizeof(gls_plan_options), NULL,
                                       &run->plan_options));
    GLS_TRY(gls_data_options(ctx, gls_value_get(run->config, "data"), &run->data_options));
    run->train = gls_options_struct(run->train_options);
    run->data = gls_options_struct(run->data_options);
    return GLS_OK;
}

gls_status gls_run_setup(gls_run *run) {
    GLS_TRY(read_sections(run));
    GLS_TRY(check_train(run));
    GLS_TRY(method_spec(run, gls_value_get(run->config, "method"), gls_value_get(run->config, "schedule")));
    GLS_TRY(gls_run_open_data(run));
    GLS_TRY(make_problem(run));
    GLS_TRY(make_pass(run));
    GLS_TRY(make_estimator(run));
    GLS_TRY(make_method(run));
    GLS_TRY(make_average(run));
    GLS_TRY(make_vectors(run));
    GLS_TRY(gls_batches_create(run, &run->batches));
    return gls_measures_create(run);
}
