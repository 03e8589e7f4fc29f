/* One key of a sweep from text: a list of values or a range. */
#include <glissade/search.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_VALUES = 10000 }; /* of one key; far more than anyone trains, few enough for the product of two keys */

void gls_sweep_axis_clear(gls_context *ctx, gls_sweep_axis *axis) {
    if (!ctx || !axis) return;
    for (int64_t i = 0; i < axis->count; i++) gls_free(ctx, axis->text[i]);
    gls_free(ctx, axis->text);
    gls_free(ctx, axis->key);
    *axis = (gls_sweep_axis){0};
}

static gls_status add_value(gls_context *ctx, gls_sweep_axis *axis, const char *text, size_t length) {
    if (axis->count == MAX_VALUES)
        return gls_fail(ctx, GLS_ERR_ARGUMENT, "--over %s: more than %d values", axis->key, MAX_VALUES);
    char **grown = gls_resize(ctx, axis->text, axis->count + 1, sizeof(char *));
    if (!grown) return GLS_ERR_MEMORY;
    axis->text = grown;
    if (!(grown[axis->count] = gls_sprintf(ctx, "%.*s", (int)length, text))) return GLS_ERR_MEMORY;
    axis->count++;
    return GLS_OK;
}

/* Commas inside brackets, braces and quotes belong to a value: "method=[a,b]". */
static size_t value_length(const char *text) {
    int depth = 0;
    char quote = 0;
    size_t i = 0;
    for (; text[i]; i++) {
        char c = text[i];
        if (quote)
            quote = c == quote ? 0 : quote;
        else if (c == '"' || c == '\'')
            quote = c;
        else if (c == '[' || c == '{')
            depth++;
        else if (c == ']' || c == '}')
            depth--;
        else if (c == ',' && depth == 0)
            break;
    }
    return i;
}

/* LOW..HIGH. "1..10" is cut first: a number that is read from it would swallow the first dot. */
static bool read_range(const char *text, double *low, double *high) {
    const char *dots = strstr(text, "..");
    char first[40], *end;
    if (!dots || dots == text ||
        (size_t)snprintf(first, sizeof first, "%.*s", (int)(dots - text), text) >= sizeof first)
        return false;
    *low = strtod(first, &end);
    if (*end) return false;
    *high = strtod(dots + 2, &end);
    return end != dots + 2 && !*end;
}

gls_status gls_sweep_axis_parse(gls_context *ctx, const char *text, gls_sweep_axis *axis) {
    GLS_GIVEN(ctx, ctx, text, axis);
    *axis = (gls_sweep_axis){0};
    const char *equals = strchr(text, '=');
    if (!equals || equals == text || !equals[1])
        return gls_fail(ctx, GLS_ERR_ARGUMENT,
                        "--over %s: expected section.key=value,value,... or section.key=low..high", text);
    axis->key = gls_sprintf(ctx, "%.*s", (int)(equals - text), text);
    if (!axis->key) return GLS_ERR_MEMORY;
    gls_status status = GLS_OK;
    if (read_range(equals + 1, &axis->low, &axis->high)) {
        if (!(isfinite(axis->low) && isfinite(axis->high) && axis->low < axis->high))
            status =
                gls_fail(ctx, GLS_ERR_ARGUMENT, "--over %s: expected a range from a smaller to a greater number", text);
    } else {
        for (const char *at = equals + 1; status == GLS_OK;) {
            size_t length = value_length(at);
            status = length ? add_value(ctx, axis, at, length)
                            : gls_fail(ctx, GLS_ERR_ARGUMENT, "--over %s: a value is empty", text);
            if (!at[length]) break;
            at += length + 1;
        }
    }
    if (status != GLS_OK) gls_sweep_axis_clear(ctx, axis);
    return status;
}
