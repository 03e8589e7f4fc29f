/* Looking up members: the built-in ones of a room's table and those registered into a context. */
#ifndef GLS_BASE_TABLE_H
#define GLS_BASE_TABLE_H

#include <glissade/options.h>

/* One kind of member, as its room describes it. */
typedef struct gls_member_kind {
    gls_kind kind;
    const char *what;                 /* in messages: "method" */
    const gls_member *const *builtin; /* ends with NULL */
} gls_member_kind;

/* GLS_ERR_ARGUMENT: place (gls_value_origin, or ""), and "unknown WHAT 'sgdd'; did you mean 'sgd'?", or all names that
 * `next` gives (until NULL) where none is near. */
gls_status gls_member_unknown(gls_context *ctx, const char *place, const char *what, const char *name,
                              const char *(*next)(const void *user, int64_t i), const void *user);
/* The member of that name; on failure NULL and the message of gls_member_unknown. */
const gls_member *gls_member_find(gls_context *ctx, const gls_member_kind *kind, const char *name);
/* Member i of the built-in and then the registered ones; NULL at the end. */
const gls_member *gls_member_at(gls_context *ctx, const gls_member_kind *kind, int64_t i);
/* Adds a member that outlives the context: what every gls_register_... is made of. GLS_ERR_ARGUMENT if it has no name,
 * or the name is that of a built-in or registered member. */
gls_status gls_member_register(gls_context *ctx, const gls_member_kind *kind, const gls_member *member);
/* The member's options from a map, NULL for the defaults; owner speaks in messages, keys among except (NULL-terminated
 * or NULL) are not the member's. A member without a table takes no option. */
gls_status gls_member_options(gls_context *ctx, const gls_member *member, const char *owner, const gls_value *map,
                              const char *const *except, gls_options **out);
/* For members whose map names them: the keys that are not theirs. */
extern const char *const gls_member_but_name[]; /* "name", NULL */

#endif
