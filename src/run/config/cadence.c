/* Cadences of the `measure` section, checked before any data are read. */
#include "run/config/cadence.h"

#include <stddef.h>
#include <string.h>

#include "base/value.h"
#include "run/config/settings.h"

static bool says_auto(const gls_value *every) {
    return every && every->kind == GLS_VALUE_TEXT && strcmp(every->text, "auto") == 0;
}

const char *const gls_cadence_keys[] = {"every", "start", NULL};

/* What the entry says under these keys. */
static gls_status read_keys(const gls_value *entry, gls_options *options, gls_cadence *cadence) {
    for (int i = 0; gls_cadence_keys[i]; i++) {
        const gls_value *given = gls_value_get(entry, gls_cadence_keys[i]);
        bool left = i == 0 && cadence->automatic;
        if (given && !left) GLS_TRY(gls_options_set_value(options, given));
    }
    const gls_cadence *found = gls_options_struct(options);
    if (!cadence->automatic) cadence->every = found->every;
    cadence->start = found->start;
    return GLS_OK;
}

gls_status gls_cadence_read(gls_context *ctx, const gls_measure_type *type, const gls_value *entry,
                            gls_cadence *cadence) {
    const gls_option table[] = {{.key = "every",
                                 .type = GLS_OPTION_LENGTH,
                                 .offset = offsetof(gls_cadence, every),
                                 .initial = type->every ? type->every : "1",
                                 .flags = type->cost ? GLS_OPTION_AUTO : 0,
                                 .help = "epochs, or steps (200s), between observations"},
                                GLS_BOOL("start", gls_cadence, start, "false", "observe before the first step too"),
                                {.key = NULL}};
    bool map = entry->kind == GLS_VALUE_MAP;
    const gls_value *every = map ? gls_value_get(entry, "every") : NULL;
    gls_options *options = NULL;
    *cadence = (gls_cadence){.automatic = type->cost && (!every || says_auto(every))};
    if (cadence->automatic && !map) return GLS_OK;
    GLS_TRY(gls_options_create(ctx, type->member.name, table, sizeof *cadence, &options));
    gls_status status = GLS_OK;
    if (map)
        status = read_keys(entry, options, cadence);
    else
        cadence->every = ((const gls_cadence *)gls_options_struct(options))->every;
    gls_options_destroy(options);
    return status;
}

gls_status gls_cadence_check(gls_context *ctx, const gls_measure_type *type, const gls_value *entry,
                             gls_cadence *cadence) {
    char place[GLS_ORIGIN_TEXT];
    if (entry->kind != GLS_VALUE_MAP && entry->kind != GLS_VALUE_NULL)
        return gls_fail(ctx, GLS_ERR_ARGUMENT, "%smeasure.%s: expected its options, as in {every: 200s}",
                        gls_value_origin(entry, place), entry->key);
    if (type->needs & GLS_MEASURE_OTHER)
        return gls_fail(ctx, GLS_ERR_ARGUMENT,
                        "measure.%s compares two runs, so it cannot be taken during one. After both runs: glissade "
                        "measure RUN --only %s --other RUN2",
                        entry->key, entry->key);
    GLS_TRY(gls_cadence_read(ctx, type, entry, cadence));
    if (cadence->start && (type->needs & GLS_NEEDS_OF_STEP))
        return gls_fail(ctx, GLS_ERR_ARGUMENT,
                        "%smeasure.%s: start: it looks at a step, and before the first one there is none",
                        gls_value_origin(entry, place), entry->key);
    return GLS_OK;
}
