/* experiment.yaml: its tables, and what must fit together in it. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/value.h"
#include "base/yaml.h"
#include "experiment/experiment.h"

static const gls_option text_item = {.type = GLS_OPTION_STRING};
static const gls_option rate_item = {
    .type = GLS_OPTION_REAL, .minimum = 0, .maximum = INFINITY, .flags = GLS_OPTION_ABOVE_MIN};

static const gls_option arm_table[] = {
    GLS_STRING("name", gls_experiment_arm, name, NULL, "what it is called", .flags = GLS_OPTION_REQUIRED),
    GLS_STRING("line", gls_experiment_arm, line, NULL, "arms of one line are joined in figures of points"),
    GLS_REAL("x", gls_experiment_arm, x, "nan", 0, 0, "place on that line"),
    GLS_LIST("set", gls_experiment_arm, set, NULL, 0, 1000, &text_item, "settings of its own: key=value"),
    GLS_LIST("rates", gls_experiment_arm, rates, NULL, 0, 100, &rate_item, "values to choose from; none: no choice"),
    GLS_STRING("key", gls_experiment_arm, key, NULL, "what they are values of, if not what tune.key says"),
    {0}};
static const gls_option tune_table[] = {
    GLS_STRING("key", gls_experiment_tune, key, "method.lr", "what is chosen"),
    GLS_STRING("by", gls_experiment_tune, by, "validation_loss", "the figure that decides"),
    GLS_BOOL("greatest", gls_experiment_tune, greatest, "false", "the greatest figure is best, else the least"),
    GLS_REAL("factor", gls_experiment_tune, factor, "2", 1, INFINITY, "between values that are added at an edge",
             .flags = GLS_OPTION_ABOVE_MIN),
    GLS_INT("widen", gls_experiment_tune, widen, "4", 0, 100, "how many values may be added at the edges of a grid"),
    {0}};
static const gls_option scale_table[] = {
    GLS_STRING("name", gls_experiment_scale, name, NULL, "quick, small or paper", .flags = GLS_OPTION_REQUIRED),
    GLS_INT("seeds", gls_experiment_scale, seeds, "3", 1, 1000, "runs of every arm"),
    GLS_INT("tune_seeds", gls_experiment_scale, tune_seeds, "1", 1, 1000, "of them, those that choose the rate"),
    GLS_INT("first_seed", gls_experiment_scale, first_seed, "1", 1, 1e15, "the first one's; the others follow it"),
    GLS_LIST("set", gls_experiment_scale, set, NULL, 0, 1000, &text_item, "settings of this scale: key=value"),
    GLS_VALUE("config", gls_experiment_scale, config, "sections in the place of the experiment's own"),
    {0}};
static const gls_option claim_table[] = {
    GLS_STRING("say", gls_experiment_claim, say, NULL, "the sentence", .flags = GLS_OPTION_REQUIRED),
    GLS_STRING("figure", gls_experiment_claim, figure, NULL, "of each arm; NAME, or SERIES:last, least, mean, ..."),
    GLS_VALUE("of", gls_experiment_claim, of, "weights of arms, or of ARM/FIGURE, in a sum"),
    GLS_LIST("slope", gls_experiment_claim, slope, NULL, 0, 1000, &text_item,
             "the slope of log figure against log x over these arms, in place of a sum"),
    GLS_BOOL("log", gls_experiment_claim, log, "false", "sum logarithms: the effect is a ratio"),
    GLS_REAL("at_least", gls_experiment_claim, least, "nan", 0, 0, "what the claim says of the effect"),
    GLS_REAL("at_most", gls_experiment_claim, most, "nan", 0, 0, "the same from above"),
    {0}};
static const gls_option drawing_table[] = {
    GLS_STRING("title", gls_experiment_drawing, title, NULL, "heading", .flags = GLS_OPTION_REQUIRED),
    GLS_STRING("about", gls_experiment_drawing, about, NULL, "a sentence below it"),
    GLS_ENUM("draw", gls_experiment_drawing, draw, "points", "curves|points|scatter",
             "curves: a series of every arm; points: a figure against arms' x; scatter: one series against another"),
    GLS_STRING("x", gls_experiment_drawing, x, "step", "of curves step or epoch, of a scatter a series"),
    GLS_STRING("y", gls_experiment_drawing, y, NULL, "series or figure", .flags = GLS_OPTION_REQUIRED),
    GLS_STRING("x_title", gls_experiment_drawing, x_title, NULL, "of the axis"),
    GLS_STRING("y_title", gls_experiment_drawing, y_title, NULL, "of the axis"),
    GLS_BOOL("logx", gls_experiment_drawing, logx, "false", "logarithmic axis"),
    GLS_BOOL("logy", gls_experiment_drawing, logy, "false", "logarithmic axis"),
    GLS_LIST("arms", gls_experiment_drawing, arms, NULL, 0, 1000, &text_item, "which arms; default: all"),
    {0}};

#define MAPS(table, S) \
    { .type = GLS_OPTION_MAP, .inner = (table), .inner_size = sizeof(S) }
static const gls_option scale_item = MAPS(scale_table, gls_experiment_scale);
static const gls_option arm_item = MAPS(arm_table, gls_experiment_arm);
static const gls_option claim_item = MAPS(claim_table, gls_experiment_claim);
static const gls_option drawing_item = MAPS(drawing_table, gls_experiment_drawing);

static const gls_option file_table[] = {
    GLS_STRING("title", gls_experiment_text, title, NULL, "heading", .flags = GLS_OPTION_REQUIRED),
    GLS_STRING("paper", gls_experiment_text, paper, NULL, "its letter", .flags = GLS_OPTION_REQUIRED),
    GLS_LIST("rows", gls_experiment_text, rows, NULL, 1, 100, &text_item, "tables and figures: '[M] table 2'",
             .flags = GLS_OPTION_REQUIRED),
    GLS_STRING("claim", gls_experiment_text, claim, NULL, "what the paper says", .flags = GLS_OPTION_REQUIRED),
    GLS_STRING("here", gls_experiment_text, here, NULL, "what is done in its place", .flags = GLS_OPTION_REQUIRED),
    GLS_ENUM("kind", gls_experiment_text, kind, "train", "train|solve|pair|survey", "what a run is"),
    GLS_VALUE("config", gls_experiment_text, config, "the configuration that all runs share",
              .flags = GLS_OPTION_REQUIRED),
    GLS_LIST("scales", gls_experiment_text, scales, NULL, 1, 10, &scale_item, "quick, small, paper",
             .flags = GLS_OPTION_REQUIRED),
    GLS_LIST("arms", gls_experiment_text, arms, NULL, 1, 200, &arm_item, "what is compared",
             .flags = GLS_OPTION_REQUIRED),
    GLS_MAP("tune", gls_experiment_text, tune, tune_table, gls_experiment_tune, "how rates are chosen"),
    GLS_LIST("expect", gls_experiment_text, expect, NULL, 1, 100, &claim_item, "the rule of the verdict",
             .flags = GLS_OPTION_REQUIRED),
    GLS_LIST("figures", gls_experiment_text, figures, NULL, 0, 20, &drawing_item, "what is drawn"),
    GLS_LIST("show", gls_experiment_text, show, NULL, 0, 20, &text_item, "figures in the table of arms"),
    GLS_VALUE("printed", gls_experiment_text, printed, "the paper's own numbers: {head: [...], rows: [[...], ...]}"),
    {0}};

int64_t gls_experiment_arm_named(const gls_experiment *e, const char *name) {
    int64_t i = 0;
    while (i < e->text->arms.count && strcmp(gls_experiment_arm_at(e, i)->name, name) != 0) i++;
    return i < e->text->arms.count ? i : -1;
}

int64_t gls_experiment_arm_of(const gls_experiment *e, const char *term, const char **figure) {
    int64_t whole = gls_experiment_arm_named(e, term);
    *figure = NULL;
    for (int64_t i = 0; whole < 0 && i < e->text->arms.count; i++) {
        const char *name = gls_experiment_arm_at(e, i)->name;
        size_t length = strlen(name);
        if (strncmp(term, name, length) != 0 || term[length] != '/') continue;
        *figure = term + length + 1;
        whole = i;
    }
    return whole;
}

/* ---- what must fit together ---- */

static gls_status unknown_arm(const gls_experiment *e, const char *where, const char *term) {
    return gls_fail(e->ctx, GLS_ERR_ARGUMENT, "%s: %s: there is no arm '%s'", e->name, where, term);
}

static gls_status check_names(const gls_experiment *e, const char *where, const gls_texts *names) {
    for (int64_t i = 0; i < names->count; i++)
        if (gls_experiment_arm_named(e, names->item[i]) < 0) return unknown_arm(e, where, names->item[i]);
    return GLS_OK;
}

static gls_status check_arms(const gls_experiment *e) {
    for (int64_t i = 0; i < e->text->arms.count; i++) {
        const gls_experiment_arm *arm = gls_experiment_arm_at(e, i);
        if (strchr(arm->name, '/') || !*arm->name)
            return gls_fail(e->ctx, GLS_ERR_ARGUMENT, "%s: arms: expected a name without '/', found '%s'", e->name,
                            arm->name);
        if (gls_experiment_arm_named(e, arm->name) != i)
            return gls_fail(e->ctx, GLS_ERR_ARGUMENT, "%s: arms: '%s' is there twice", e->name, arm->name);
        for (int64_t k = 1; k < arm->rates.count; k++)
            if (!(arm->rates.item[k] > arm->rates.item[k - 1]))
                return gls_fail(e->ctx, GLS_ERR_ARGUMENT, "%s: arm '%s': expected ascending rates", e->name, arm->name);
        if (arm->rates.count && !e->text->tune)
            return gls_fail(e->ctx, GLS_ERR_ARGUMENT, "%s: arm '%s' has rates, but there is no `tune`", e->name,
                            arm->name);
    }
    return GLS_OK;
}

/* What is read off a series is known beforehand; whether a run has a figure shows once it has run. */
static gls_status check_figure(const gls_experiment *e, const char *where, const char *figure) {
    const char *colon = strchr(figure, ':');
    if (!colon || gls_experiment_reads_series(colon + 1)) return GLS_OK;
    return gls_fail(e->ctx, GLS_ERR_ARGUMENT,
                    "%s: %s: '%s': expected first, last, mean, late, least or greatest behind the colon", e->name,
                    where, figure);
}

static gls_status check_sum(const gls_experiment *e, const gls_experiment_claim *claim) {
    const char *figure;
    if (claim->of->kind != GLS_VALUE_MAP || !claim->of->count)
        return gls_fail(e->ctx, GLS_ERR_ARGUMENT, "%s: expect: '%s': of: expected weights of arms, {ARM: 1, ARM: -1}",
                        e->name, claim->say);
    for (int64_t i = 0; i < claim->of->count; i++) {
        const gls_value *term = claim->of->items[i];
        if (gls_experiment_arm_of(e, term->key, &figure) < 0) return unknown_arm(e, "expect", term->key);
        if (!figure && !claim->figure)
            return gls_fail(e->ctx, GLS_ERR_ARGUMENT, "%s: expect: '%s' names no figure", e->name, term->key);
        char *end = NULL;
        double weight = term->text ? strtod(term->text, &end) : NAN;
        if (!end || *end || !isfinite(weight) || !weight)
            return gls_fail(e->ctx, GLS_ERR_ARGUMENT, "%s: expect: of: %s: expected a number other than 0", e->name,
                            term->key);
        GLS_TRY(check_figure(e, "expect", figure ? figure : claim->figure));
    }
    return GLS_OK;
}

static gls_status check_claim(const gls_experiment *e, const gls_experiment_claim *claim) {
    if (isnan(claim->least) == isnan(claim->most))
        return gls_fail(e->ctx, GLS_ERR_ARGUMENT, "%s: expect: '%s': expected at_least or at_most, one of the two",
                        e->name, claim->say);
    if (!claim->of == !claim->slope.count)
        return gls_fail(e->ctx, GLS_ERR_ARGUMENT, "%s: expect: '%s': expected `of` or `slope`, one of the two", e->name,
                        claim->say);
    if (claim->of) return check_sum(e, claim);
    if (!claim->figure || claim->slope.count < 2)
        return gls_fail(e->ctx, GLS_ERR_ARGUMENT, "%s: expect: '%s': a slope needs a figure and two arms", e->name,
                        claim->say);
    GLS_TRY(check_figure(e, "expect", claim->figure));
    GLS_TRY(check_names(e, "expect", &claim->slope));
    for (int64_t i = 0; i < claim->slope.count; i++)
        if (!(gls_experiment_arm_at(e, gls_experiment_arm_named(e, claim->slope.item[i]))->x > 0))
            return gls_fail(e->ctx, GLS_ERR_ARGUMENT, "%s: expect: arm '%s' needs an x above 0", e->name,
                            claim->slope.item[i]);
    return GLS_OK;
}

static gls_status check_drawing(const gls_experiment *e, const gls_experiment_drawing *d) {
    if (d->draw == GLS_EXPERIMENT_CURVES && strcmp(d->x, "step") != 0 && strcmp(d->x, "epoch") != 0)
        return gls_fail(e->ctx, GLS_ERR_ARGUMENT, "%s: figures: '%s': x: expected step or epoch, found '%s'", e->name,
                        d->title, d->x);
    if (d->draw == GLS_EXPERIMENT_POINTS) GLS_TRY(check_figure(e, "figures", d->y));
    return check_names(e, "figures", &d->arms);
}

static gls_status check_scales(const gls_experiment *e) {
    const gls_experiment_scale *scale = e->text->scales.item;
    for (int64_t i = 0; i < e->text->scales.count; i++) {
        if (scale[i].tune_seeds > scale[i].seeds)
            return gls_fail(e->ctx, GLS_ERR_ARGUMENT, "%s: scale '%s': tune_seeds is greater than seeds", e->name,
                            scale[i].name);
        for (int64_t k = 0; k < i; k++)
            if (strcmp(scale[i].name, scale[k].name) == 0)
                return gls_fail(e->ctx, GLS_ERR_ARGUMENT, "%s: scales: '%s' is there twice", e->name, scale[i].name);
    }
    return GLS_OK;
}

static gls_status check(const gls_experiment *e) {
    const gls_experiment_claim *claim = e->text->expect.item;
    const gls_experiment_drawing *drawing = e->text->figures.item;
    GLS_TRY(check_arms(e));
    GLS_TRY(check_scales(e));
    for (int64_t i = 0; i < e->text->show.count; i++) GLS_TRY(check_figure(e, "show", e->text->show.item[i]));
    for (int64_t i = 0; i < e->text->expect.count; i++) GLS_TRY(check_claim(e, &claim[i]));
    for (int64_t i = 0; i < e->text->figures.count; i++) GLS_TRY(check_drawing(e, &drawing[i]));
    return GLS_OK;
}

/* ---- opening ---- */

static char *last_name(gls_context *ctx, const char *folder) {
    size_t n = strlen(folder);
    while (n > 1 && folder[n - 1] == '/') n--;
    size_t start = n;
    while (start > 0 && folder[start - 1] != '/') start--;
    return gls_sprintf(ctx, "%.*s", (int)(n - start), folder + start);
}

static gls_status read_file(gls_experiment *e, const char *path) {
    GLS_TRY(gls_yaml_read_file(e->ctx, gls_context_name(e->ctx, path), &e->file));
    if (!e->file || e->file->kind != GLS_VALUE_MAP)
        return gls_fail(e->ctx, GLS_ERR_INPUT, "%s: expected an experiment, a map of its parts", path);
    GLS_TRY(gls_options_create(e->ctx, e->name, file_table, sizeof(gls_experiment_text), &e->options));
    GLS_TRY(gls_options_apply(e->options, e->file, NULL));
    e->text = gls_options_struct(e->options);
    return check(e);
}

gls_status gls_experiment_open(gls_context *ctx, const char *folder, gls_experiment **out) {
    GLS_GIVEN(ctx, ctx, folder, out);
    *out = NULL;
    gls_experiment *e = gls_alloc(ctx, 1, sizeof *e);
    char *path = gls_sprintf(ctx, "%s/experiment.yaml", folder);
    if (e) e->ctx = ctx;
    gls_status status = e && path && (e->name = last_name(ctx, folder)) ? read_file(e, path) : GLS_ERR_MEMORY;
    gls_free(ctx, path);
    if (status == GLS_OK)
        *out = e;
    else
        gls_experiment_destroy(e);
    return status;
}

void gls_experiment_destroy(gls_experiment *e) {
    if (!e) return;
    gls_options_destroy(e->options);
    gls_value_destroy(e->ctx, e->file);
    gls_free(e->ctx, e->name);
    gls_free(e->ctx, e);
}

const char *gls_experiment_name(const gls_experiment *e) {
    return e ? e->name : NULL;
}

const char *gls_experiment_scale_at(const gls_experiment *e, int64_t i) {
    return e && i >= 0 && i < e->text->scales.count ? ((const gls_experiment_scale *)e->text->scales.item)[i].name
                                                    : NULL;
}
