#include "run/config/members.h"

#include <string.h>

#include <glissade/measure.h>
#include <glissade/model.h>

#include "base/table.h"
#include "data/table.h"
#include "estimator/estimator.h"
#include "method/table.h"
#include "problem/analytic/oracle_noise.h"
#include "problem/evaluation.h"

const char *gls_kind_name(gls_kind kind) {
    static const char *const name[GLS_KIND_COUNT] = {
        [GLS_KIND_PROBLEM] = "problems",
        [GLS_KIND_FAMILY] = "models",
        [GLS_KIND_OP] = "ops",
        [GLS_KIND_USE] = "uses",
        [GLS_KIND_ESTIMATOR] = "estimators",
        [GLS_KIND_METHOD] = "methods",
        [GLS_KIND_SCHEDULE] = "schedules",
        [GLS_KIND_MEASURE] = "measures",
        [GLS_KIND_FORMAT] = "data",
        [GLS_KIND_TRANSFORM] = "transforms",
        [GLS_KIND_NOISE] = "noises",
    };
    return (int)kind >= 0 && kind < GLS_KIND_COUNT ? name[kind] : NULL;
}

static gls_members builtin(gls_kind kind) {
    switch (kind) {
    case GLS_KIND_PROBLEM:
        return gls_problem_members;
    case GLS_KIND_ESTIMATOR:
        return gls_estimator_members;
    case GLS_KIND_METHOD:
        return gls_method_members;
    case GLS_KIND_SCHEDULE:
        return gls_schedule_members;
    case GLS_KIND_FORMAT:
        return gls_format_members;
    case GLS_KIND_TRANSFORM:
        return gls_transform_members;
    case GLS_KIND_NOISE:
        return gls_oracle_noise_members;
    default:
        return NULL;
    }
}

const gls_member *gls_members_at(gls_context *ctx, gls_kind kind, int64_t i) {
    if (kind == GLS_KIND_MEASURE) {
        const gls_measure_type *type = gls_measure_at(ctx, i);
        return type ? &type->member : NULL;
    }
    if (kind == GLS_KIND_FAMILY) return gls_model_family(ctx, i);
    if (kind == GLS_KIND_OP) return gls_model_layer(ctx, i);
    return gls_member_at(ctx, kind, builtin(kind), i);
}

const gls_member *gls_member_named(gls_context *ctx, gls_kind kind, const char *name) {
    const gls_member *member;
    for (int64_t i = 0; (member = gls_members_at(ctx, kind, i)); i++)
        if (!strcmp(member->name, name)) return member;
    return NULL;
}

/* Members of up to two kinds, one after the other. */
typedef struct searched {
    gls_context *ctx;
    gls_kind kind[2];
    int kinds;
} searched;

static const char *name_at(const void *user, int64_t i) {
    const searched *s = user;
    for (int k = 0; k < s->kinds; k++) {
        int64_t count = 0;
        const gls_member *member;
        while ((member = gls_members_at(s->ctx, s->kind[k], count)) && count < i) count++;
        if (member) return member->name;
        i -= count;
    }
    return NULL;
}

static const gls_member *wanted(const searched *s, const char *what, const char *name) {
    for (int k = 0; k < s->kinds; k++) {
        const gls_member *member = gls_member_named(s->ctx, s->kind[k], name);
        if (member) return member;
    }
    const char *nearest = gls_nearest(name, name_at, s), *known;
    /* Too far to be a slip of the pen: perhaps a name cut short. */
    for (int64_t i = 0; !nearest && *name && (known = name_at(s, i)); i++)
        if (!strncmp(known, name, strlen(name))) nearest = known;
    gls_fail(s->ctx, GLS_ERR_ARGUMENT, "unknown %s '%s'%s%s%s", what, name, nearest ? "; nearest is '" : "",
             nearest ? nearest : "", nearest ? "'" : "");
    return NULL;
}

const gls_member *gls_member_wanted(gls_context *ctx, gls_kind kind, const char *what, const char *name) {
    return wanted(&(searched){ctx, {kind}, 1}, what, name);
}

const gls_member *gls_model_member_wanted(gls_context *ctx, const char *name) {
    return wanted(&(searched){ctx, {GLS_KIND_FAMILY, GLS_KIND_PROBLEM}, 2}, "model", name);
}

const char *gls_format_guess(const char *path) {
    static const struct {
        const char *end, *format;
    } known[] = {{".npy", "npy"}, {"ubyte", "idx"}, {".bin", "cifar10"}, {".tokens", "text"}};
    if (!path) return "glyphs";
    size_t n = strlen(path);
    if (n > 3 && (!strcmp(path + n - 3, ".gz") || !strcmp(path + n - 3, ".xz"))) n -= 3;
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        size_t m = strlen(known[i].end);
        if (n >= m && !strncmp(path + n - m, known[i].end, m)) return known[i].format;
    }
    return "libsvm";
}
