/* gls_advise: runs the advisor and keeps its recommendation, as lines, as a configuration and as JSON. */
#include <stdlib.h>
#include <string.h>

#include "run/search/advisor.h"

static gls_status take_lines(gls_advice *advice, const json_t *list) {
    json_t *one;
    size_t i;
    advice->line = gls_alloc(advice->ctx, (int64_t)json_array_size(list), sizeof *advice->line);
    if (!advice->line) return GLS_ERR_MEMORY;
    json_array_foreach(list, i, one) {
        gls_advice_line *line = &advice->line[advice->lines++];
        const struct {
            const char *key, **to;
        } field[] = {{"what", &line->what},
                     {"value", &line->value},
                     {"numbers", &line->numbers},
                     {"rule", &line->rule},
                     {"source", &line->source}};
        for (size_t k = 0; k < sizeof field / sizeof *field; k++) {
            *field[k].to = gls_strdup(advice->ctx, json_string_value(json_object_get(one, field[k].key)));
            if (!*field[k].to) return GLS_ERR_MEMORY;
        }
    }
    return GLS_OK;
}

static gls_status take_json(gls_advice *advice, json_t *all) {
    char *text = all ? json_dumps(all, JSON_COMPACT | JSON_REAL_PRECISION(17)) : NULL;
    gls_status status = text ? take_lines(advice, json_object_get(all, "recommendation"))
                             : gls_fail(advice->ctx, GLS_ERR_MEMORY, "advise: out of memory");
    if (status == GLS_OK && !(advice->json = gls_strdup(advice->ctx, text))) status = GLS_ERR_MEMORY;
    free(text);
    return status;
}

/* The JSON is complete whatever the advisor came to; it is kept only if there is a recommendation. */
gls_status gls_advise(gls_context *ctx, const gls_advise_options *options, gls_advice **out) {
    GLS_GIVEN(ctx, ctx, options, out);
    *out = NULL;
    if (options->size != sizeof *options || !options->config)
        return gls_fail(ctx, GLS_ERR_ARGUMENT, "gls_advise: size or config is not set");
    gls_advisor *a = gls_alloc(ctx, 1, sizeof *a);
    gls_advice *advice = gls_alloc(ctx, 1, sizeof *advice);
    if (!a || !advice) {
        gls_free(ctx, a);
        gls_free(ctx, advice);
        return GLS_ERR_MEMORY;
    }
    advice->ctx = ctx;
    *a = (gls_advisor){.ctx = ctx, .options = options, .advice = advice, .began = gls_prober_now()};
    a->measures = json_object();
    a->ranges = json_array();
    a->probes = json_array();
    a->lines = json_array();
    gls_status status = gls_advisor_work(a);
    json_t *all =
        json_pack("{s:o, s:o, s:o, s:o, s:f, s:f}", "recommendation", a->lines, "measures", a->measures, "range_tests",
                  a->ranges, "probes", a->probes, "budget", options->budget, "seconds", gls_prober_now() - a->began);
    gls_prober_destroy(a->p);
    gls_value_destroy(ctx, a->schedule);
    gls_free(ctx, a);
    if (status == GLS_OK) status = take_json(advice, all);
    json_decref(all);
    if (status == GLS_OK)
        *out = advice;
    else
        gls_advice_destroy(advice);
    return status;
}

void gls_advice_destroy(gls_advice *advice) {
    if (!advice) return;
    gls_context *ctx = advice->ctx;
    for (int64_t i = 0; i < advice->lines; i++) {
        const gls_advice_line *line = &advice->line[i];
        const char *text[] = {line->what, line->value, line->numbers, line->rule, line->source};
        for (int k = 0; k < 5; k++) gls_free(ctx, (void *)(uintptr_t)text[k]);
    }
    gls_free(ctx, advice->line);
    gls_free(ctx, advice->json);
    gls_value_destroy(ctx, advice->config);
    gls_free(ctx, advice);
}
