#include "method.h"

#include <string.h>

static const gls_option bounds[] = {
    {.key = "ball",
     .type = GLS_OPTION_REAL,
     .offset = offsetof(gls_projection, ball),
     .minimum = 0,
     .maximum = INFINITY,
     .flags = GLS_OPTION_ABOVE_MIN,
     .initial = NULL,
     .help = "radius of the ball around zero"},
    {.key = "low", .type = GLS_OPTION_REAL, .offset = offsetof(gls_projection, low), .help = "least value"},
    {.key = "high", .type = GLS_OPTION_REAL, .offset = offsetof(gls_projection, high), .help = "greatest value"},
    {0}};

static gls_status read(gls_context *ctx, gls_options *options, const gls_value *spec) {
    const gls_value *ball = gls_value_get(spec, "ball"), *box = gls_value_get(spec, "box");
    if (spec->kind != GLS_VALUE_MAP || spec->count != 1 || (!ball && !box))
        return gls_fail(ctx, GLS_ERR_ARGUMENT, "project: expected {ball: r} or {box: [lo, hi]}");
    if (ball) return gls_options_set_value(options, ball);
    if (box->kind != GLS_VALUE_LIST || box->count != 2 || !box->items[0]->text || !box->items[1]->text)
        return gls_fail(ctx, GLS_ERR_ARGUMENT, "project: box: expected two numbers [lo, hi]");
    GLS_TRY(gls_options_set(options, "low", box->items[0]->text));
    return gls_options_set(options, "high", box->items[1]->text);
}

gls_status gls_projection_read(gls_context *ctx, const gls_value *spec, gls_projection *out) {
    *out = (gls_projection){.low = -INFINITY, .high = INFINITY};
    if (!spec) return GLS_OK;
    gls_options *options;
    GLS_TRY(gls_options_create(ctx, "project", bounds, sizeof *out, &options));
    gls_status status = read(ctx, options, spec);
    if (status == GLS_OK) {
        const gls_projection *given = gls_options_struct(options);
        if (given->ball > 0)
            out->ball = given->ball;
        else if (given->low <= given->high)
            *out = *given;
        else
            status = gls_fail(ctx, GLS_ERR_ARGUMENT, "project: box: [%g, %g] is empty", given->low, given->high);
    }
    gls_options_destroy(options);
    return status;
}
