/* The candidates of advise: the methods that were asked for, or the usual ones. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "run/config/members.h"
#include "run/search/advisor.h"

static const char usual_methods[] = "msgd,adam,sngm,clip,acclip";

/* The next name of a list; false at its end. */
static bool next_name(const char **at, char name[40]) {
    if (!**at) return false;
    size_t length = strcspn(*at, ",");
    snprintf(name, 40, "%.*s", (int)length, *at);
    *at += length + ((*at)[length] == ',');
    return true;
}

/* Whether probes can run it: they set its rate, and choose nothing else that it needs. */
static gls_status check_method(const gls_advisor *a, const char *name) {
    const gls_member *member = gls_config_member_wanted(a->ctx, GLS_KIND_METHOD, "method", name,
                                                        &(gls_value){.kind = GLS_VALUE_TEXT, .file = "--methods"});
    if (!member) return GLS_ERR_ARGUMENT;
    bool rate = false;
    for (const gls_option *o = member->options; o && o->key; o++) {
        rate |= strcmp(o->key, "lr") == 0;
        if (o->flags & GLS_OPTION_REQUIRED)
            return gls_fail(a->ctx, GLS_ERR_ARGUMENT,
                            "--methods: %s needs its option '%s', which advise does not choose", name, o->key);
    }
    return rate ? GLS_OK
                : gls_fail(a->ctx, GLS_ERR_ARGUMENT, "--methods: %s has no learning rate for advise to choose", name);
}

static const char *asked(const gls_advisor *a) {
    return a->options->methods ? a->options->methods : usual_methods;
}

gls_status gls_advisor_check_candidates(const gls_advisor *a) {
    char name[GLS_ADVISE_CANDIDATES + 1][40];
    int count = 0;
    for (const char *at = asked(a); next_name(&at, name[count]); count++) {
        if (count == GLS_ADVISE_CANDIDATES)
            return gls_fail(a->ctx, GLS_ERR_ARGUMENT, "--methods: expected at most %d candidates",
                            GLS_ADVISE_CANDIDATES);
        GLS_TRY(check_method(a, name[count]));
        for (int i = 0; i < count; i++)
            if (strcmp(name[i], name[count]) == 0)
                return gls_fail(a->ctx, GLS_ERR_ARGUMENT, "--methods: %s is given twice", name[count]);
    }
    return count ? GLS_OK : gls_fail(a->ctx, GLS_ERR_ARGUMENT, "--methods: expected the names of methods, found none");
}

gls_status gls_advisor_name_candidates(gls_advisor *a) {
    char decay[64] = "", name[40];
    const gls_value *method = gls_value_get(a->options->config, "method");
    const gls_value *given = method && method->kind == GLS_VALUE_MAP ? gls_value_get(method, "weight_decay") : NULL;
    if (given && given->text) snprintf(decay, sizeof decay, ", weight_decay: %.40s", given->text);
    for (const char *at = asked(a); next_name(&at, name);) {
        gls_candidate *c = &a->c[a->candidates++];
        char gamma[40] = "";
        if (strcmp(name, "clip") == 0 && a->gamma > 0) snprintf(gamma, sizeof gamma, ", gamma: %.4g", a->gamma);
        snprintf(c->name, sizeof c->name, "%s", name);
        snprintf(c->method, sizeof c->method, "{name: %s%s%s}", name, gamma, decay);
        c->loss = c->lr = NAN;
    }
    return GLS_OK;
}
