/* Cadences of the `measure` section, checked before any data are read. */
#include "run/config/cadence.h"

#include <string.h>

#include "base/value.h"
#include "run/config/settings.h"

static bool says_auto(const gls_value *every) {
    return every && every->kind == GLS_VALUE_TEXT && strcmp(every->text, "auto") == 0;
}

static const gls_value *given_every(const gls_value *entry) {
    return entry->kind == GLS_VALUE_MAP ? gls_value_get(entry, "every") : NULL;
}

gls_status gls_cadence_read(gls_context *ctx, const gls_measure_type *type, const gls_value *entry,
                            gls_cadence *cadence) {
    const gls_option table[] = {{.key = "every",
                                 .type = GLS_OPTION_LENGTH,
                                 .initial = type->every ? type->every : "1",
                                 .flags = type->cost ? GLS_OPTION_AUTO : 0,
                                 .help = "epochs, or steps (200s), between observations"},
                                {.key = NULL}};
    const gls_value *given = given_every(entry);
    gls_options *options = NULL;
    *cadence = (gls_cadence){.automatic = type->cost && (!given || says_auto(given))};
    if (cadence->automatic) return GLS_OK;
    GLS_TRY(gls_options_create(ctx, type->member.name, table, sizeof cadence->every, &options));
    gls_status status = given ? gls_options_set_value(options, given) : GLS_OK;
    if (status == GLS_OK) cadence->every = *(const gls_length *)gls_options_struct(options);
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
    return gls_cadence_read(ctx, type, entry, cadence);
}
