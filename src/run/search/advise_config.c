/* What the advice says, line by line, and the configuration it comes to. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/value.h"
#include "run/search/advisor.h"

bool gls_advisor_scheduled(const gls_value *config) {
    const gls_value *schedule = gls_value_get(config, "schedule"), *method = gls_value_get(config, "method");
    const gls_value *lr = method && method->kind == GLS_VALUE_MAP ? gls_value_get(method, "lr") : NULL;
    return (schedule && schedule->kind != GLS_VALUE_NULL) || (lr && lr->kind == GLS_VALUE_MAP);
}

gls_status gls_advisor_schedule(gls_context *ctx, const gls_value *config, gls_value **out) {
    const gls_value *given = gls_value_get(config, "schedule"), *method = gls_value_get(config, "method");
    *out = NULL;
    if (!gls_advisor_scheduled(config)) return GLS_OK;
    if (!given || given->kind == GLS_VALUE_NULL) given = gls_value_get(method, "lr");
    const gls_value *name = given->kind == GLS_VALUE_MAP ? gls_value_get(given, "name") : given;
    if (!name || name->kind != GLS_VALUE_TEXT || strcmp(name->text, "plateau") == 0) return GLS_OK;
    gls_value *schedule = given->kind == GLS_VALUE_MAP ? gls_value_clone(ctx, given)
                                                       : gls_value_create(ctx, GLS_VALUE_MAP, "schedule", NULL);
    gls_status status = schedule ? GLS_OK : GLS_ERR_MEMORY;
    if (status == GLS_OK && given->kind != GLS_VALUE_MAP)
        status = gls_value_append(ctx, schedule, gls_value_create(ctx, GLS_VALUE_TEXT, "name", given->text));
    if (status == GLS_OK) gls_value_remove(ctx, schedule, "from");
    if (status == GLS_OK)
        *out = schedule;
    else
        gls_value_destroy(ctx, schedule);
    return status;
}

const char *gls_advisor_rate_key(const gls_value *config) {
    const gls_value *schedule = gls_value_get(config, "schedule");
    return schedule && schedule->kind == GLS_VALUE_MAP && gls_value_get(schedule, "from") ? "schedule.from"
                                                                                          : "method.lr";
}

/* A line of the recommendation. */
static void line(gls_advisor *a, const char *what, const char *value, const char *numbers, const char *rule,
                 const char *source) {
    json_array_append_new(a->lines, json_pack("{s:s, s:s, s:s, s:s, s:s}", "what", what, "value", value, "numbers",
                                              numbers, "rule", rule, "source", source));
}

static void say_batch(gls_advisor *a, int64_t by_bound, const char *why) {
    char value[40], numbers[200];
    char interval[60] = "the whole set";
    if (!isnan(a->bound_low)) snprintf(interval, sizeof interval, "95%% %.4g to %.4g", a->bound_low, a->bound_high);
    snprintf(value, sizeof value, "%lld", (long long)a->batch);
    snprintf(numbers, sizeof numbers, "B_S %.4g (%s) after the msgd probe; %s; %lld by that%s", a->bound, interval, why,
             (long long)by_bound, a->batch < by_bound ? ", a quarter of it by probe" : "");
    line(a, "batch", value, numbers,
         "largest power of two not above B_S, n/8 and examples/400; a quarter of it if that probes 2% better",
         "[D] def. 5; the limits and the probe are ours");
}

static void say_method(gls_advisor *a) {
    char value[300], numbers[400] = "";
    size_t used = 0;
    for (int i = 0; i < a->candidates && used < sizeof numbers - 60; i++)
        used += (size_t)snprintf(numbers + used, sizeof numbers - used, "%s%s %.4g%s", i ? ", " : "", a->c[i].name,
                                 a->c[i].loss, i < a->alive ? "" : " (in a shorter round)");
    line(a, "method", a->best->name, numbers,
         "least held-out loss after equal numbers of examples; the two best once more for longer",
         "by probe (learning-rate range test, successive halving)");
    snprintf(value, sizeof value, "%.3g", a->lr);
    /* The last probes may have halved the rate; one of micro-batches is no rate of the plain mean. */
    double low = a->microbatch ? a->best->low : fmin(a->best->low, a->lr);
    double high = a->microbatch ? a->best->high : fmax(a->best->high, a->lr);
    snprintf(numbers, sizeof numbers, "range test and probes; those within 5%% of the best from %.3g to %.3g", low,
             high);
    line(a, "lr", value, numbers, "best of probes at 1/10, 1/3 and 1 times the range test's least, and half the best",
         "range test; the factors are ours");
}

static void say_microbatch(gls_advisor *a) {
    char value[80], numbers[160];
    snprintf(value, sizeof value, a->microbatch ? "%lld" : "none (the plain mean)", (long long)a->microbatch);
    snprintf(numbers, sizeof numbers, "plain mean %.5g; of micro-batches of %lld and %lld %s %.5g", a->plain,
             (long long)a->batch / 4, (long long)a->batch / 16, a->microbatch ? "the best" : "none was lower",
             a->microbatch ? a->loss : a->plain - gls_advise_worth * fabs(a->plain));
    line(a, "micro-batch", value, numbers,
         "adaptive micro-batch clipping if a probe's loss is at least 2% below the plain mean's",
         "by probe; [M] Alg. 1, no theorem gives b");
    if (!a->microbatch) return;
    snprintf(value, sizeof value, "%.3g", a->lr);
    line(a, "lr with micro-batches", value, "its own range test", "a third of the range test's least",
         "rates do not carry over between micro-batch sizes");
}

static void say_noise(gls_advisor *a) {
    char value[80], numbers[160];
    snprintf(value, sizeof value, "%.4g", a->gamma);
    snprintf(numbers, sizeof numbers, "tail index %.3g (95%% %.3g to %.3g); %.1f-quantile of %lld norms", a->tail,
             a->tail_low, a->tail_high, a->quantile, (long long)a->norms);
    line(a, "clip threshold", value, numbers,
         "median of the gradient norms if the tail index is below 1.9, else the 0.9-quantile (used by clip only)",
         "[A] 2 for the tail; the quantiles are ours");
    json_t *smooth = json_object_get(json_object_get(a->measures, "along"), "smoothness");
    snprintf(value, sizeof value, "L0 %.3g, L1 %.3g", json_number_value(json_object_get(smooth, "l0")),
             json_number_value(json_object_get(smooth, "l1")));
    line(a, "smoothness", value, "robust line through local smoothness against gradient norm along the msgd probe",
         "no setting follows; L1 well above 0 speaks for clipped and normalised methods", "[T] 3.2, 3.5");
}

static gls_status set_config(gls_advisor *a, const char *format, ...) GLS_PRINTF(2, 3);
static gls_status set_config(gls_advisor *a, const char *format, ...) {
    char text[400];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    return gls_config_set(a->ctx, a->advice->config, text);
}

/* The configuration given, with what is recommended in it; a schedule that there is stays, with the new rate. */
static gls_status make_config(gls_advisor *a) {
    gls_value *config = a->advice->config = gls_value_clone(a->ctx, a->options->config);
    if (!config) return GLS_ERR_MEMORY;
    const gls_value *method = gls_value_get(config, "method"), *data = gls_value_get(config, "data");
    const gls_value *given = method && method->kind == GLS_VALUE_MAP ? gls_value_get(method, "lr") : NULL;
    gls_value *scheduled = given && given->kind == GLS_VALUE_MAP ? gls_value_clone(a->ctx, given) : NULL;
    if (data) GLS_TRY(gls_config_absolute_paths(a->ctx, (gls_value *)data));
    GLS_TRY(set_config(a, "method=%s", a->best->method));
    if (scheduled) {
        gls_value *fresh = (gls_value *)gls_value_get(config, "method");
        GLS_TRY(gls_value_append(a->ctx, fresh, scheduled));
        GLS_TRY(set_config(a, "method.lr.from=%.4g", a->lr));
    } else {
        GLS_TRY(set_config(a, "%s=%.4g", gls_advisor_rate_key(a->options->config), a->lr));
    }
    GLS_TRY(set_config(a, "train.batch=%lld", (long long)a->batch));
    const gls_config_train *train = a->p->training->train;
    if (train->steps)
        GLS_TRY(set_config(a, "train.steps=%lld",
                           (long long)ceil((double)train->steps * (double)a->given / (double)a->batch)));
    if (a->microbatch)
        GLS_TRY(set_config(a, "estimator={name: microbatch, microbatch: %lld}", (long long)a->microbatch));
    else if (gls_value_get(config, "estimator"))
        GLS_TRY(set_config(a, "estimator={name: mean}"));
    if (a->power > 0) {
        GLS_TRY(set_config(a, "schedule={name: poly, power: %.4g}", a->power));
        line(a, "schedule", "poly, power 1.1", "no schedule was given; all probes decay the same way over their length",
             "linear-like decay to zero over the run", "[N] 5 (power 1.1)");
    }
    if (gls_value_get(config, "plan")) GLS_TRY(gls_config_set(a->ctx, config, "plan=null"));
    const gls_problem *problem = a->p->training->problem;
    if (problem->precision != GLS_PRECISION_BF16) return GLS_OK;
    return set_config(a, "plan={precision: bf16, emulate: %s}", problem->emulated ? "true" : "false");
}

gls_status gls_advisor_conclude(gls_advisor *a, int64_t by_bound, const char *why) {
    say_method(a);
    say_batch(a, by_bound, why);
    say_microbatch(a);
    say_noise(a);
    return make_config(a);
}
