/* The `measure` section with everything filled in: measures by name, each with its cadence and its options. */
#include <stdio.h>
#include <string.h>

#include <glissade/measure.h>

#include "base/text.h"
#include "base/value.h"
#include "measure/members.h"
#include "run/config/cadence.h"
#include "run/config/members.h"
#include "run/config/resolve.h"

/* A copy as a map: an entry without options is null. */
static gls_status as_map(gls_context *ctx, const gls_value *entry, gls_value **out) {
    *out = entry->kind == GLS_VALUE_MAP ? gls_value_clone(ctx, entry)
                                        : gls_value_create(ctx, GLS_VALUE_MAP, entry->key, NULL);
    return *out ? gls_value_set_origin(ctx, *out, entry) : GLS_ERR_MEMORY;
}

static gls_status append_cadence(gls_context *ctx, const gls_cadence *cadence, gls_value *map) {
    char number[GLS_REAL_TEXT + 2];
    gls_text_from_real(number, cadence->every.amount);
    if (cadence->every.steps) strcat(number, "s");
    return gls_value_append(ctx, map,
                            gls_value_create(ctx, GLS_VALUE_TEXT, "every", cadence->automatic ? "auto" : number));
}

/* How many examples a measure reads is left to the run where that is left to say how often. */
static gls_status leave_sample(gls_context *ctx, gls_value *filled) {
    if (!gls_value_get(filled, "sample")) return GLS_OK;
    gls_value_remove(ctx, filled, "sample");
    return gls_value_append(ctx, filled, gls_value_create(ctx, GLS_VALUE_TEXT, "sample", "auto"));
}

static gls_status resolve_entry(gls_context *ctx, const gls_value *entry, gls_value **out) {
    static const char *const both[] = {"every", "start", "sample", NULL};
    const gls_member *member =
        gls_config_member_wanted(ctx, GLS_KIND_MEASURE, "measure", gls_measure_full_name(entry->key), entry);
    if (!member) return GLS_ERR_ARGUMENT;
    gls_cadence cadence;
    GLS_TRY(gls_cadence_check(ctx, (const gls_measure_type *)member, entry, &cadence));
    gls_value *map = NULL;
    gls_status status = as_map(ctx, entry, &map);
    if (status == GLS_OK && !gls_value_get(map, "every")) status = append_cadence(ctx, &cadence, map);
    bool left = gls_measure_sample_is_automatic(map), least = ((const gls_measure_type *)member)->least_sample > 0;
    bool open = cadence.automatic && least && (left || !gls_value_get(map, "sample"));
    if (status == GLS_OK)
        status =
            gls_config_fill_member(ctx, member, member->name, map, entry->key, left ? both : gls_cadence_keys, out);
    if (status == GLS_OK && open) status = leave_sample(ctx, *out);
    gls_value_destroy(ctx, map);
    return status;
}

gls_status gls_config_resolve_measures(gls_context *ctx, const gls_value *config, gls_value *out) {
    const gls_value *given = gls_value_get(config, "measure");
    char place[GLS_ORIGIN_TEXT];
    if (!given || given->kind == GLS_VALUE_NULL) return GLS_OK;
    if (given->kind != GLS_VALUE_MAP)
        return gls_fail(ctx, GLS_ERR_ARGUMENT,
                        "%smeasure: expected measures by name, as in {noise_norm: {every: 200s}}",
                        gls_value_origin(given, place));
    gls_value *map = gls_value_create(ctx, GLS_VALUE_MAP, "measure", NULL);
    GLS_TRY(gls_value_append(ctx, out, map));
    GLS_TRY(gls_value_set_origin(ctx, map, given));
    for (int64_t i = 0; i < given->count; i++) {
        gls_value *entry = NULL;
        gls_status status = resolve_entry(ctx, given->items[i], &entry);
        if (status != GLS_OK) gls_value_destroy(ctx, entry);
        GLS_TRY(status);
        GLS_TRY(gls_value_append(ctx, map, entry));
    }
    return GLS_OK;
}
