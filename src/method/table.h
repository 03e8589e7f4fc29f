/* The built-in methods, schedules and averages. */
#ifndef GLS_METHOD_TABLE_H
#define GLS_METHOD_TABLE_H

#include <glissade/method.h>

#include "base/table.h"

extern const gls_member_kind gls_method_kind, gls_schedule_kind;
extern const gls_member gls_average_member; /* one table for all averages */

const gls_theorem *gls_theorem_named(const char *name); /* NULL if there is none */

/* The options of a whole method from its spec (a name, a map or NULL): a theorem's values first, as they may be what
 * the method requires, and what the map says over them. theory: the theorem's record, empty without one. */
gls_status gls_method_read_options(gls_context *ctx, const gls_member *member, const gls_value *spec,
                                   gls_record *theory, gls_options **out);
/* Whether a group is not trained (`train: false`, or a rate of 0). GLS_ERR_ARGUMENT for other options beside that. */
gls_status gls_method_read_frozen(gls_context *ctx, const gls_value *spec, bool *frozen);

#endif
