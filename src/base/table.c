#include "table.h"

#include "context.h"

#include <string.h>

const gls_member *gls_member_at(gls_context *ctx, gls_kind kind, gls_members builtin, int64_t i) {
    if (i < 0) return NULL;
    for (; builtin && *builtin; builtin++, i--)
        if (i == 0) return *builtin;
    const gls_registry *registry = &ctx->registry[kind];
    return i < registry->count ? registry->member[i] : NULL;
}

typedef struct names {
    gls_context *ctx;
    gls_kind kind;
    gls_members builtin;
} names;

static const char *name_at(const void *user, int64_t i) {
    const names *n = user;
    const gls_member *member = gls_member_at(n->ctx, n->kind, n->builtin, i);
    return member ? member->name : NULL;
}

static const gls_member *find(gls_context *ctx, gls_kind kind, gls_members builtin, const char *name) {
    const gls_member *member;
    for (int64_t i = 0; (member = gls_member_at(ctx, kind, builtin, i)); i++)
        if (strcmp(member->name, name) == 0) return member;
    return NULL;
}

const gls_member *gls_member_find(gls_context *ctx, gls_kind kind, gls_members builtin, const char *what,
                                  const char *name) {
    const gls_member *member = find(ctx, kind, builtin, name);
    if (member) return member;
    names n = {ctx, kind, builtin};
    const char *nearest = gls_nearest(name, name_at, &n);
    if (nearest)
        gls_fail(ctx, GLS_ERR_ARGUMENT, "unknown %s '%s'; nearest is '%s'", what, name, nearest);
    else
        gls_fail(ctx, GLS_ERR_ARGUMENT, "unknown %s '%s'", what, name);
    return NULL;
}

gls_status gls_register(gls_context *ctx, gls_kind kind, const gls_member *member) {
    return gls_member_register(ctx, kind, NULL, "member", member);
}

gls_status gls_member_register(gls_context *ctx, gls_kind kind, gls_members builtin, const char *what,
                               const gls_member *member) {
    if ((int)kind < 0 || kind >= GLS_KIND_COUNT || !member || !member->name || !member->name[0])
        return gls_fail(ctx, GLS_ERR_ARGUMENT, "a %s to be registered needs a kind and a name", what);
    if (find(ctx, kind, builtin, member->name))
        return gls_fail(ctx, GLS_ERR_ARGUMENT, "%s '%s' is there already", what, member->name);
    gls_registry *registry = &ctx->registry[kind];
    if (registry->count == registry->capacity) {
        int64_t capacity = registry->capacity ? 2 * registry->capacity : 8;
        const gls_member **grown = gls_resize(ctx, registry->member, capacity, sizeof *grown);
        if (!grown) return GLS_ERR_MEMORY;
        registry->member = grown;
        registry->capacity = capacity;
    }
    registry->member[registry->count++] = member;
    return GLS_OK;
}
