/* Lookup of members by name. They are few, and looked up when something is made: a linear search is enough. */
#include "base/table.h"
#include "base/text.h"

#include "base/context.h"

#include <stdio.h>
#include <string.h>

const gls_member *gls_member_at(gls_context *ctx, const gls_member_kind *kind, int64_t i) {
    if (i < 0) return NULL;
    for (const gls_member *const *builtin = kind->builtin; *builtin; builtin++, i--)
        if (i == 0) return *builtin;
    const gls_registry *registry = &ctx->registry[kind->kind];
    return i < registry->count ? registry->member[i] : NULL;
}

typedef struct names {
    gls_context *ctx;
    const gls_member_kind *kind;
} names;

static const char *name_at(const void *user, int64_t i) {
    const names *n = user;
    const gls_member *member = gls_member_at(n->ctx, n->kind, i);
    return member ? member->name : NULL;
}

static const gls_member *find(gls_context *ctx, const gls_member_kind *kind, const char *name) {
    const gls_member *member;
    for (int64_t i = 0; (member = gls_member_at(ctx, kind, i)); i++)
        if (strcmp(member->name, name) == 0) return member;
    return NULL;
}

gls_status gls_member_unknown(gls_context *ctx, const char *place, const char *what, const char *name,
                              const char *(*next)(const void *user, int64_t i), const void *user) {
    const char *nearest = gls_nearest(name, next, user), *known;
    /* Too far to be a slip of the pen: perhaps a name cut short. */
    for (int64_t i = 0; !nearest && *name && (known = next(user, i)); i++)
        if (strncmp(known, name, strlen(name)) == 0) nearest = known;
    if (nearest)
        return gls_fail(ctx, GLS_ERR_ARGUMENT, "%sunknown %s '%s'; did you mean '%s'?", place, what, name, nearest);
    char list[GLS_NAMES_TEXT];
    gls_text_of_names(list, next, user);
    return gls_fail(ctx, GLS_ERR_ARGUMENT, "%sunknown %s '%s'; expected one of %s", place, what, name, list);
}

const gls_member *gls_member_find(gls_context *ctx, const gls_member_kind *kind, const char *name) {
    const gls_member *member = find(ctx, kind, name);
    if (member) return member;
    gls_member_unknown(ctx, "", kind->what, name, name_at, &(names){ctx, kind});
    return NULL;
}

gls_status gls_member_register(gls_context *ctx, const gls_member_kind *kind, const gls_member *member) {
    if (!member || !member->name || !member->name[0])
        return gls_fail(ctx, GLS_ERR_ARGUMENT, "a %s needs a name to be registered", kind->what);
    if (find(ctx, kind, member->name))
        return gls_fail(ctx, GLS_ERR_ARGUMENT, "%s '%s' exists already", kind->what, member->name);
    gls_registry *registry = &ctx->registry[kind->kind];
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

const char *const gls_member_but_name[] = {"name", NULL};

gls_status gls_member_options(gls_context *ctx, const gls_member *member, const char *owner, const gls_value *map,
                              const char *const *except, gls_options **out) {
    GLS_TRY(gls_options_create(ctx, owner, member->options, member->options_size, out));
    gls_status status = gls_options_apply(*out, map, except);
    if (status == GLS_OK) return GLS_OK;
    gls_options_destroy(*out);
    *out = NULL;
    return status;
}
