/* Looking up members: the built-in ones of a room's table and those registered into a context. */
#ifndef GLS_BASE_TABLE_H
#define GLS_BASE_TABLE_H

#include <glissade/base.h>

/* A room's built-in members; the list ends with NULL. */
typedef const gls_member *const *gls_members;

/* The member of that name. On failure NULL, and the context's message names the nearest known one ("unknown method
 * 'sgdd'; nearest is 'sgd'"); what is the kind in words. */
const gls_member *gls_member_find(gls_context *ctx, gls_kind kind, gls_members builtin, const char *what,
                                  const char *name);
/* Member i of the built-in and then the registered ones; NULL at the end. */
const gls_member *gls_member_at(gls_context *ctx, gls_kind kind, gls_members builtin, int64_t i);
/* gls_register that knows the built-in names too: GLS_ERR_ARGUMENT if one of them is taken. For a room's wrapper. */
gls_status gls_member_register(gls_context *ctx, gls_kind kind, gls_members builtin, const char *what,
                               const gls_member *member);

#endif
