/* A method in words: its options and their schedules, its parameter groups, its state. */
#include "method/method.h"

#include <string.h>

#include "base/printout.h"

/* Every option of a group, or with a base only those that differ from it. */
static void add_options(gls_printout *lines, const gls_options *options, const gls_options *base) {
    for (const gls_option *o = gls_options_table(options); o->key; o++) {
        gls_printout own = {.ctx = lines->ctx}, other = {.ctx = lines->ctx};
        gls_printout_add_option(&own, options, o);
        if (base) gls_printout_add_option(&other, base, o);
        char *text = gls_printout_end(&own), *usual = gls_printout_end(&other);
        if (!text || !usual) lines->failed = true;
        bool absent = text && strcmp(text, "-") == 0; /* not given: groups, project, from_theory */
        if (text && usual && !absent && !(base && strcmp(text, usual) == 0))
            gls_printout_add(lines, "  %s%-24s %s\n", base ? "  " : "", o->key, text);
        gls_free(lines->ctx, text);
        gls_free(lines->ctx, usual);
    }
}

char *gls_method_view(const gls_method *method) {
    if (!method) return NULL;
    const gls_options *base = method->group[method->groups - 1].options;
    gls_printout lines = {.ctx = method->ctx};
    gls_printout_add(&lines, "method %s: %s\n", gls_method_name(method), method->type->member.help);
    add_options(&lines, base, NULL);
    for (int64_t i = 0; i + 1 < method->groups; i++) {
        bool frozen = method->group[i].frozen;
        gls_printout_add(&lines, "  parameters that match %s%s\n", method->group[i].match,
                         frozen ? ": not trained" : "");
        if (!frozen) add_options(&lines, method->group[i].options, base);
    }
    for (const char *const *name = method->type->vectors; name && *name; name++)
        gls_printout_add(&lines, "  state %-18s [%lld]\n", *name, (long long)method->parameters);
    int64_t bytes = gls_method_state_bytes(method);
    if (bytes) gls_printout_add(&lines, "  state takes %lld bytes\n", (long long)bytes);
    gls_printout_add(&lines, "  %lld parameters, %lld steps taken\n", (long long)method->parameters,
                     (long long)method->steps);
    return gls_printout_end(&lines);
}
