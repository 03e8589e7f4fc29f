/* Which trials a sweep has: a grid, or draws; all of them sound and no two alike. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "base/value.h"
#include "run/config/members.h"
#include "run/config/settings.h"
#include "run/search/sweep.h"

/* More trials than this are a slip in --over; a draw that repeats an earlier one is drawn again this many times. */
enum { MAX_TRIALS = 100000, MAX_DRAWS = 100 };

/* ---- configurations ---- */

gls_status gls_sweep_trial_config(gls_context *ctx, const gls_sweep_options *options, const gls_sweep_trial *trial,
                                  int64_t seed, gls_value **out) {
    gls_value *config = gls_value_clone(ctx, options->config);
    if (!config) return GLS_ERR_MEMORY;
    gls_status status = GLS_OK;
    for (int64_t a = 0; a < options->axes && status == GLS_OK; a++) {
        const char *key = options->axis[a].key;
        char *origin = gls_sprintf(ctx, "--over %s", key), *assignment = gls_sprintf(ctx, "%s=%s", key, trial->text[a]);
        status = origin && assignment ? gls_config_set_from(ctx, config, origin, assignment) : GLS_ERR_MEMORY;
        gls_free(ctx, origin);
        gls_free(ctx, assignment);
    }
    char text[64];
    snprintf(text, sizeof text, "train.seed=%lld", (long long)seed);
    if (status == GLS_OK) status = gls_config_set(ctx, config, text);
    if (status == GLS_OK)
        *out = config;
    else
        gls_value_destroy(ctx, config);
    return status;
}

/* A number for the configuration that a trial comes to, defaults filled in. */
static gls_status fingerprint(gls_context *ctx, const gls_sweep_options *options, const gls_sweep_trial *trial,
                              uint64_t *print) {
    gls_value *config = NULL, *resolved = NULL;
    char *text = NULL;
    gls_status status = gls_sweep_trial_config(ctx, options, trial, options->first_seed, &config);
    if (status == GLS_OK) status = gls_config_resolve(ctx, config, &resolved);
    if (status == GLS_OK && !(text = gls_config_text(ctx, resolved))) status = GLS_ERR_MEMORY;
    if (status == GLS_OK) *print = XXH3_64bits(text, strlen(text));
    gls_free(ctx, text);
    gls_value_destroy(ctx, resolved);
    gls_value_destroy(ctx, config);
    return status;
}

static int64_t find(const uint64_t *print, int64_t count, uint64_t wanted) {
    int64_t i = 0;
    while (i < count && print[i] != wanted) i++;
    return i;
}

/* "method.lr=0.1, train.batch=32" */
static char *describe(gls_context *ctx, const gls_sweep_options *options, const gls_sweep_trial *trial) {
    char *text = gls_strdup(ctx, "");
    for (int64_t a = 0; a < options->axes && text; a++) {
        char *longer = gls_sprintf(ctx, "%s%s%s=%s", text, a ? ", " : "", options->axis[a].key, trial->text[a]);
        gls_free(ctx, text);
        text = longer;
    }
    return text;
}

static gls_status refuse_alike(gls_context *ctx, const gls_sweep_options *options, const gls_sweep_trial *a,
                               const gls_sweep_trial *b) {
    char *first = describe(ctx, options, a), *second = describe(ctx, options, b);
    gls_status status = GLS_ERR_MEMORY;
    if (first && second)
        status = gls_fail(ctx, GLS_ERR_ARGUMENT,
                          "--over: the trials %s and %s come to the same configuration: expected settings that differ, "
                          "of keys that nothing else overrides",
                          first, second);
    gls_free(ctx, first);
    gls_free(ctx, second);
    return status;
}

/* ---- values ---- */

static const gls_option *row_in(const gls_option *table, const char *key) {
    for (; table && table->key; table++)
        if (strcmp(table->key, key) == 0) return table;
    return NULL;
}

static const gls_option *row_of_member(gls_context *ctx, const gls_value *config, const char *section,
                                       const char *key) {
    static const struct {
        const char *section;
        gls_kind kind;
    } known[] = {{"method", GLS_KIND_METHOD},
                 {"model", GLS_KIND_FAMILY},
                 {"model", GLS_KIND_PROBLEM},
                 {"estimator", GLS_KIND_ESTIMATOR},
                 {"data", GLS_KIND_FORMAT}};
    const gls_value *given = gls_value_get(config, section);
    const gls_value *name = given && given->kind == GLS_VALUE_MAP ? gls_value_get(given, "name") : given;
    if (strcmp(section, "data") == 0 && gls_value_get(given, "format")) name = gls_value_get(given, "format");
    for (size_t i = 0; i < sizeof known / sizeof *known && name && name->text; i++) {
        if (strcmp(known[i].section, section) != 0) continue;
        const gls_member *member = gls_config_member_named(ctx, known[i].kind, name->text);
        const gls_option *row = member ? row_in(member->options, key) : NULL;
        if (row) return row;
    }
    return NULL;
}

/* Whether a key takes whole numbers. */
static bool is_whole(gls_context *ctx, const gls_value *config, const char *key) {
    const char *dot = strchr(key, '.');
    char section[64];
    if (!dot || (size_t)(dot - key) >= sizeof section) return false;
    snprintf(section, sizeof section, "%.*s", (int)(dot - key), key);
    const gls_option *row = row_in(gls_config_section_table(section), dot + 1);
    if (!row) row = row_of_member(ctx, config, section, dot + 1);
    return row && (row->type == GLS_OPTION_INT || row->type == GLS_OPTION_SIZE);
}

static double draw_number(const gls_sweep_axis *axis, bool whole, double u) {
    bool logarithmic = axis->low > 0 && axis->high >= 10 * axis->low;
    if (logarithmic) {
        double x = axis->low * pow(axis->high / axis->low, u);
        return whole ? floor(x + 0.5) : x;
    }
    return whole ? axis->low + floor(u * (axis->high - axis->low + 1)) : axis->low + u * (axis->high - axis->low);
}

static gls_status draw_value(gls_sweep *sweep, const gls_sweep_options *options, int64_t a, gls_random *random,
                             char **text) {
    gls_context *ctx = sweep->ctx;
    const gls_sweep_axis *axis = &options->axis[a];
    gls_free(ctx, *text);
    if (axis->count) {
        *text = gls_strdup(ctx, axis->text[gls_random_below(random, axis->count)]);
    } else {
        bool whole = is_whole(ctx, options->config, axis->key);
        *text = gls_sprintf(ctx, whole ? "%.0f" : "%.4g", draw_number(axis, whole, gls_random_uniform(random)));
    }
    return *text ? GLS_OK : GLS_ERR_MEMORY;
}

/* ---- trials ---- */

static gls_status check_axes(gls_context *ctx, const gls_sweep_options *options) {
    for (int64_t a = 0; a < options->axes; a++) {
        const gls_sweep_axis *axis = &options->axis[a];
        for (int64_t b = 0; b < a; b++)
            if (strcmp(options->axis[b].key, axis->key) == 0)
                return gls_fail(ctx, GLS_ERR_ARGUMENT, "--over %s is given twice", axis->key);
        if (axis->count) continue;
        bool whole = is_whole(ctx, options->config, axis->key);
        if (whole && (axis->low != floor(axis->low) || axis->high != floor(axis->high)))
            return gls_fail(ctx, GLS_ERR_ARGUMENT, "--over %s: expected a range of whole numbers, found %g..%g",
                            axis->key, axis->low, axis->high);
        if (!options->trials)
            return gls_fail(ctx, GLS_ERR_ARGUMENT, "--over %s: a range needs --trials N (random search)", axis->key);
    }
    return GLS_OK;
}

/* Methods at their own default rates are compared by their defaults. */
static void warn_of_rates(gls_context *ctx, const gls_sweep_options *options) {
    const gls_value *method = gls_value_get(options->config, "method"), *schedule;
    schedule = gls_value_get(options->config, "schedule");
    bool over_names = false, rate = gls_value_get(method, "lr") || gls_value_get(schedule, "from");
    for (int64_t a = 0; a < options->axes; a++) {
        const gls_sweep_axis *axis = &options->axis[a];
        over_names |= (strcmp(axis->key, "method.name") == 0 || strcmp(axis->key, "method") == 0) && axis->count > 1;
        rate |= strncmp(axis->key, "method.lr", 9) == 0 || strcmp(axis->key, "schedule.from") == 0;
        for (int64_t v = 0; v < axis->count; v++)
            rate |= strcmp(axis->key, "method") == 0 && strstr(axis->text[v], "lr:") != NULL;
    }
    if (over_names && !rate)
        gls_log(ctx, GLS_LOG_WARNING,
                "--over method.name: each method runs at its own default rate, and what is compared is the defaults; "
                "add --over method.lr=... to compare the methods");
}

/* Numbers of the trials before it, against which a trial is compared. */
typedef struct made {
    gls_sweep *sweep;
    const gls_sweep_options *options;
    uint64_t *print; /* [trials] */
} made;

/* A grid counts like an odometer, its last key fastest. */
static gls_status make_point(made *m, int64_t t) {
    gls_sweep *sweep = m->sweep;
    gls_sweep_trial *trial = &sweep->trial[t];
    int64_t rest = t;
    for (int64_t a = m->options->axes - 1; a >= 0; a--) {
        const gls_sweep_axis *axis = &m->options->axis[a];
        if (!(trial->text[a] = gls_strdup(sweep->ctx, axis->text[rest % axis->count]))) return GLS_ERR_MEMORY;
        rest /= axis->count;
    }
    GLS_TRY(fingerprint(sweep->ctx, m->options, trial, &m->print[t]));
    int64_t same = find(m->print, t, m->print[t]);
    return same < t ? refuse_alike(sweep->ctx, m->options, &sweep->trial[same], trial) : GLS_OK;
}

/* A random trial has a generator of its own, so that more trials leave the first ones as they are. */
static gls_status make_draw(made *m, int64_t t) {
    gls_sweep *sweep = m->sweep;
    gls_random random = gls_random_create((uint64_t)m->options->first_seed, "sweep", (uint64_t)t, 0);
    for (int tries = 0; tries < MAX_DRAWS; tries++) {
        for (int64_t a = m->options->axes - 1; a >= 0; a--)
            GLS_TRY(draw_value(sweep, m->options, a, &random, &sweep->trial[t].text[a]));
        GLS_TRY(fingerprint(sweep->ctx, m->options, &sweep->trial[t], &m->print[t]));
        if (find(m->print, t, m->print[t]) == t) return GLS_OK;
    }
    return gls_fail(sweep->ctx, GLS_ERR_ARGUMENT,
                    "--trials: after %lld trials, %d draws found no further one that differs: expected fewer trials",
                    (long long)t, MAX_DRAWS);
}

static gls_status make_all(made *m, int64_t trials) {
    gls_sweep *sweep = m->sweep;
    for (int64_t t = 0; t < trials; t++) {
        if (!(sweep->trial[t].text = gls_alloc(sweep->ctx, m->options->axes, sizeof(char *)))) return GLS_ERR_MEMORY;
        GLS_TRY(m->options->trials ? make_draw(m, t) : make_point(m, t));
    }
    return GLS_OK;
}

gls_status gls_sweep_make_trials(gls_sweep *sweep, const gls_sweep_options *options) {
    gls_context *ctx = sweep->ctx;
    int64_t trials = options->trials ? options->trials : 1;
    GLS_TRY(check_axes(ctx, options));
    for (int64_t a = 0; a < options->axes && !options->trials && trials <= MAX_TRIALS; a++)
        trials *= options->axis[a].count;
    if (trials > MAX_TRIALS) return gls_fail(ctx, GLS_ERR_ARGUMENT, "sweep: more than %d trials", MAX_TRIALS);
    made m = {sweep, options, gls_alloc(ctx, trials, sizeof *m.print)};
    sweep->trial = gls_alloc(ctx, trials, sizeof *sweep->trial);
    sweep->trials = sweep->trial ? trials : 0;
    gls_status status = m.print && sweep->trial ? make_all(&m, trials) : GLS_ERR_MEMORY;
    gls_free(ctx, m.print);
    if (status == GLS_OK) warn_of_rates(ctx, options);
    return status;
}
