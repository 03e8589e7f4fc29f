/* A plain value of a configuration as its option read it. */
#include <string.h>
#include <strings.h>

#include "base/text.h"
#include "base/value.h"
#include "run/config/resolve.h"

static bool is_number(const gls_option *row) {
    switch (row->type) {
    case GLS_OPTION_REAL:
    case GLS_OPTION_INT:
    case GLS_OPTION_SIZE:
    case GLS_OPTION_BOOL:
    case GLS_OPTION_LENGTH:
    case GLS_OPTION_TIME:
        return true;
    default:
        return false;
    }
}

static gls_status set_origins(gls_context *ctx, gls_value *value, const gls_value *from) {
    GLS_TRY(gls_value_set_origin(ctx, value, from));
    for (int64_t i = 0; i < value->count; i++) GLS_TRY(set_origins(ctx, value->items[i], from));
    return GLS_OK;
}

/* A text that readers of YAML 1.1 would take for a number, a date, a truth or nothing. */
static bool needs_quotes(const char *text) {
    static const char *const words[] = {"yes", "no", "on", "off", "true", "false", "null"};
    const char *rest;
    double number;
    if (strchr("0123456789+-.=~<", text[0])) return true; /* or the end: an empty text */
    if (gls_text_to_real(text, &number, &rest) && !*rest) return true;
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (strcasecmp(text, words[i]) == 0) return true;
    return false;
}

gls_status gls_config_as_read(gls_context *ctx, const gls_options *options, const gls_option *row,
                              const gls_value *item, gls_value **out) {
    bool list = row->type == GLS_OPTION_LIST && !row->choices && is_number(row->inner) && item->kind != GLS_VALUE_MAP;
    bool text = row->type == GLS_OPTION_STRING || row->type == GLS_OPTION_PATH;
    *out = NULL;
    if (item->kind != GLS_VALUE_TEXT && !list) return GLS_OK;
    if (text) {
        if (!(*out = gls_value_clone(ctx, item))) return GLS_ERR_MEMORY;
        (*out)->quoted |= needs_quotes(item->text);
        return GLS_OK;
    }
    if (!list && !is_number(row)) return GLS_OK;
    GLS_TRY(gls_options_value(options, row->key, out));
    return *out ? set_origins(ctx, *out, item) : GLS_OK;
}
