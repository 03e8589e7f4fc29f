/* Keys that contradict one another, and keys that belong elsewhere: nothing that is given is ignored without a word. */
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "base/value.h"
#include "run/config/members.h"
#include "run/config/resolve.h"
#include "run/config/settings.h"

/* The value of a key; NULL where it is not given, or null. */
static const gls_value *given(const gls_value *config, const char *section, const char *key) {
    const gls_value *map = gls_value_get(config, section), *value = gls_value_get(map, key);
    return value && value->kind != GLS_VALUE_NULL ? value : NULL;
}

static bool same_number(const gls_value *a, const gls_value *b) {
    const char *rest;
    double x, y;
    return a->text && b->text && gls_text_to_real(a->text, &x, &rest) && gls_text_to_real(b->text, &y, &rest) && x == y;
}

/* A run writes both into its configuration, defaults filled in: there, and there alone, both may be. */
static bool written_by_a_run(const gls_value *config, const gls_value *a, const gls_value *b) {
    return gls_value_get(gls_value_get(config, "plan"), "version") && a->line > 0 && b->line > 0 && a->file &&
           b->file && strcmp(a->file, b->file) == 0;
}

/* Two places for the number at which a schedule begins. */
static gls_status check_beginning(gls_context *ctx, const gls_value *config, const gls_value *from, const char *of,
                                  const gls_value *number, const char *key) {
    char place[GLS_ORIGIN_TEXT];
    if (!from || !number || number->kind != GLS_VALUE_TEXT || same_number(from, number)) return GLS_OK;
    if (written_by_a_run(config, from, number)) return GLS_OK;
    return gls_fail(ctx, GLS_ERR_ARGUMENT,
                    "%s%s is %s, but the schedule begins at %s.from, %s: expected one of the two",
                    gls_value_origin(number, place), key, number->text, of, from->text ? from->text : "");
}

static gls_status check_schedules(gls_context *ctx, const gls_value *config) {
    const gls_value *from = given(config, "schedule", "from"), *batch = given(config, "train", "batch_schedule");
    GLS_TRY(check_beginning(ctx, config, from, "schedule", given(config, "method", "lr"), "method.lr"));
    const gls_value *same = given(config, "train", "batch");
    char place[GLS_ORIGIN_TEXT];
    if (batch && same && same->kind == GLS_VALUE_MAP)
        return gls_fail(ctx, GLS_ERR_ARGUMENT,
                        "%strain.batch has a schedule already; train.batch_schedule is another form of the same",
                        gls_value_origin(batch, place));
    from = gls_value_get(batch, "from");
    return check_beginning(ctx, config, from, "train.batch_schedule", given(config, "train", "batch"), "train.batch");
}

static gls_status check_format(gls_context *ctx, const gls_value *config) {
    const gls_value *format = given(config, "data", "format"), *name = given(config, "data", "name");
    char place[GLS_ORIGIN_TEXT];
    if (!format || !name || !format->text || !name->text || strcmp(format->text, name->text) == 0) return GLS_OK;
    return gls_fail(ctx, GLS_ERR_ARGUMENT, "%sdata.name is '%s', but data.format is '%s': they are the same key",
                    gls_value_origin(name, place), name->text, format->text);
}

static gls_status check_average(gls_context *ctx, const gls_value *config) {
    const gls_value *average = given(config, "train", "average"), *name = gls_value_get(average, "name");
    const gls_value *decay = gls_value_get(average, "decay");
    char place[GLS_ORIGIN_TEXT];
    if (!decay || !name || !name->text || strcmp(name->text, "exponential") == 0) return GLS_OK;
    if (same_number(decay, &(gls_value){.kind = GLS_VALUE_TEXT, .text = "0.999"})) return GLS_OK; /* the default */
    return gls_fail(ctx, GLS_ERR_ARGUMENT, "%strain.average.decay belongs to the exponential average, not to '%s'",
                    gls_value_origin(decay, place), name->text);
}

static gls_status check_momentum(gls_context *ctx, const gls_value *config) {
    static const char *const words[] = {"momentum", "beta", "nesterov"};
    const gls_value *name = given(config, "method", "name");
    char place[GLS_ORIGIN_TEXT];
    if (!name || !name->text || strcmp(name->text, "sgd") != 0) return GLS_OK;
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        const gls_value *found = given(config, "method", words[i]);
        if (found)
            return gls_fail(ctx, GLS_ERR_ARGUMENT,
                            "%smethod sgd has no '%s': momentum is `beta` of method msgd, and of nag",
                            gls_value_origin(found, place), words[i]);
    }
    return GLS_OK;
}

/* ---- keys in another place ---- */

static const char *key_at(const void *user, int64_t i) {
    return ((const gls_option *)user)[i].key;
}

const char *gls_config_key_for(const char *word, char text[96]) {
    if (!word || !text) return NULL;
    static const struct {
        const char *word, *key;
    } elsewhere[] = {{"lr", "method.lr"},
                     {"learning_rate", "method.lr"},
                     {"learning-rate", "method.lr"},
                     {"weight_decay", "method.weight_decay"},
                     {"weight-decay", "method.weight_decay"},
                     {"momentum", "method.beta"},
                     {"beta", "method.beta"},
                     {"hidden", "model.hidden"},
                     {"dropout", "model.dropout"},
                     {"optimizer", "method.name"}};
    static const char *const sections[] = {"train", "data"};
    for (size_t i = 0; i < sizeof elsewhere / sizeof *elsewhere; i++)
        if (strcmp(elsewhere[i].word, word) == 0) return strcpy(text, elsewhere[i].key);
    for (int i = 0; i < 2; i++) {
        const char *nearest = gls_nearest(word, key_at, gls_config_section_table(sections[i]));
        if (!nearest) continue;
        snprintf(text, 96, "%s.%s", sections[i], nearest);
        return text;
    }
    return NULL;
}

gls_status gls_config_check_places(gls_context *ctx, const gls_value *config) {
    const gls_value *train = gls_value_get(config, "train");
    char place[GLS_ORIGIN_TEXT], text[96];
    for (int64_t i = 0; train && train->kind == GLS_VALUE_MAP && i < train->count; i++) {
        const gls_value *item = train->items[i];
        if (gls_nearest(item->key, key_at, gls_config_train_table) || !gls_config_key_for(item->key, text)) continue;
        return gls_fail(ctx, GLS_ERR_ARGUMENT, "%sunknown option '%s' of train; did you mean '%s'?",
                        gls_value_origin(item, place), item->key, text);
    }
    return GLS_OK;
}

gls_status gls_config_check_conflicts(gls_context *ctx, const gls_value *config) {
    const gls_value *name = gls_value_get(config, "name");
    char place[GLS_ORIGIN_TEXT];
    if (name && name->kind != GLS_VALUE_TEXT && name->kind != GLS_VALUE_NULL)
        return gls_fail(ctx, GLS_ERR_ARGUMENT, "%sname: expected a text, the name of the run",
                        gls_value_origin(name, place));
    GLS_TRY(gls_config_check_places(ctx, config));
    GLS_TRY(check_schedules(ctx, config));
    GLS_TRY(check_format(ctx, config));
    GLS_TRY(check_average(ctx, config));
    return check_momentum(ctx, config);
}
