/* Texts for people, put together piece by piece. */
#include "base/printout.h"

#include <stdarg.h>
#include <stdio.h>

static bool grow(gls_printout *l, int64_t more) {
    if (l->failed || l->length + more < l->room) return !l->failed;
    int64_t room = 2 * (l->length + more) + 256;
    char *grown = gls_resize(l->ctx, l->text, room, 1);
    if (!grown) {
        l->failed = true;
        return false;
    }
    l->text = grown;
    l->room = room;
    return true;
}

void gls_printout_add(gls_printout *l, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(NULL, 0, format, arguments);
    va_end(arguments);
    if (!grow(l, length)) return;
    va_start(arguments, format);
    vsnprintf(l->text + l->length, (size_t)length + 1, format, arguments);
    va_end(arguments);
    l->length += length;
}

void gls_printout_add_shape(gls_printout *l, int dims, const int64_t *shape) {
    gls_printout_add(l, "[");
    for (int i = 0; i < dims; i++) gls_printout_add(l, "%s%lld", i ? ", " : "", (long long)shape[i]);
    gls_printout_add(l, "]");
}

void gls_printout_add_value(gls_printout *l, const gls_value *value) {
    bool map = value->kind == GLS_VALUE_MAP;
    if (value->kind == GLS_VALUE_TEXT || value->kind == GLS_VALUE_NULL) {
        gls_printout_add(l, value->quoted ? "\"%s\"" : "%s", value->text ? value->text : "null");
        return;
    }
    gls_printout_add(l, map ? "{" : "[");
    for (int64_t i = 0; i < value->count; i++) {
        gls_printout_add(l, "%s%s%s", i ? ", " : "", map ? value->items[i]->key : "", map ? ": " : "");
        gls_printout_add_value(l, value->items[i]);
    }
    gls_printout_add(l, map ? "}" : "]");
}

void gls_printout_add_option(gls_printout *l, const gls_options *options, const gls_option *option) {
    const gls_value *value = gls_options_schedule(options, option->key);
    gls_value *present = NULL;
    if (!value && gls_options_value(options, option->key, &present) != GLS_OK) l->failed = true;
    if (!value) value = present;
    if (!value)
        gls_printout_add(l, "-");
    else if (value->kind == GLS_VALUE_TEXT) /* on its own, so that it needs no quotes */
        gls_printout_add(l, "%s", value->text);
    else
        gls_printout_add_value(l, value);
    gls_value_destroy(l->ctx, present);
}

char *gls_printout_end(gls_printout *l) {
    if (!l->failed && !l->text) gls_printout_add(l, "%s", "");
    char *text = l->failed ? NULL : l->text;
    if (l->failed) {
        gls_free(l->ctx, l->text);
        gls_fail(l->ctx, GLS_ERR_MEMORY, "out of memory while describing an object");
    }
    *l = (gls_printout){.ctx = l->ctx};
    return text;
}
